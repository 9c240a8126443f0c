//! The part of API v2 in the doors for the fuzzer.

use crate::llamacloud::error::CloudError;
use crate::llamacloud::fuzz::{Read, decode};
use crate::llamacloud::paging::page::parse;
use crate::llamacloud::v2::{batch, files, job, pages as result};

pub(crate) fn pages(body: &str) -> [Result<Read, CloudError>; 4] {
    [
        decode(&batch::V2BatchRows, body),
        decode(&batch::Mappings, body),
        decode(&job::Jobs, body),
        decode(&files::NamedFiles, body),
    ]
}

pub(crate) fn records(body: &str) {
    let _batch = batch::decode(body, "batch");
    let _pages = parse::<result::WireResult<'_>>(body, "pages");
}
