//! The part of API v1 beta in the doors for the fuzzer.

use crate::llamacloud::error::CloudError;
use crate::llamacloud::fuzz::{Read, decode};
use crate::llamacloud::paging::page::parse;
use crate::llamacloud::v1_beta::{batch, item, job};
use crate::model::item::Kind;

pub(crate) fn pages(body: &str) -> [Result<Read, CloudError>; 4] {
    [
        decode(&item::FailedItems { kind: Kind::Failed }, body),
        decode(&item::FailedItems { kind: Kind::Skipped }, body),
        decode(&item::Statuses, body),
        decode(&batch::V1BatchRows, body),
    ]
}

pub(crate) fn records(body: &str) {
    let _batch = parse::<batch::V1WireBatch<'_>>(body, "batch");
    let _job = parse::<job::V1WireJob<'_>>(body, "job");
}
