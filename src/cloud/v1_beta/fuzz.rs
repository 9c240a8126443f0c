//! The part of API v1 beta in the doors for the fuzzer.

use super::super::CloudError;
use super::super::fuzz::{Read, decode};
use super::super::page::parse;
use super::{batch, item, job};
use crate::core::item::Kind;

pub(in crate::cloud) fn pages(body: &str) -> [Result<Read, CloudError>; 4] {
    [
        decode(&item::Troubles { kind: Kind::Failed }, body),
        decode(&item::Troubles { kind: Kind::Skipped }, body),
        decode(&item::Statuses, body),
        decode(&batch::Batches, body),
    ]
}

pub(in crate::cloud) fn records(body: &str) {
    let _batch = parse::<batch::WireBatch<'_>>(body, "batch");
    let _job = parse::<job::WireJob<'_>>(body, "job");
}
