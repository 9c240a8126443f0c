//! The part of API v2 in the doors for the fuzzer.

use super::super::CloudError;
use super::super::fuzz::{Read, decode};
use super::super::page::parse;
use super::{batch, files, job, pages as result};

pub(in crate::cloud) fn pages(body: &str) -> [Result<Read, CloudError>; 4] {
    [
        decode(&batch::Batches, body),
        decode(&batch::Mappings, body),
        decode(&job::Jobs, body),
        decode(&files::NamedFiles, body),
    ]
}

pub(in crate::cloud) fn records(body: &str) {
    let _batch = batch::decode(body, "batch");
    let _pages = parse::<result::WireResult<'_>>(body, "pages");
}
