//! Entry points for the fuzzer (`fuzz/`), compiled in its builds only: every decoder, fed with any text.

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::detail;
use crate::llamacloud::paging::page;
use crate::llamacloud::paging::row_reader::{Page, RowReader};
use crate::llamacloud::{v1_beta, v2};

/// How many rows of a page came out, and how.
#[derive(Debug)]
pub struct Read {
    /// Rows that belong to the listing.
    pub rows: usize,
    /// Rows that do not.
    pub others: usize,
    /// Rows that could not be read, each counted.
    pub unreadable: usize,
}

/// Reads `body` as a page of every listing there is.
pub fn pages(body: &str) -> Vec<Result<Read, CloudError>> {
    v1_beta::fuzz::pages(body).into_iter().chain(v2::fuzz::pages(body)).collect()
}

/// Reads `body` as each answer that is no page, and as an explanation of an error.
pub fn records(body: &str) {
    // What comes out is looked at by the tests; here nothing may panic or hang.
    let _explained = detail::explain(body);
    v1_beta::fuzz::records(body);
    v2::fuzz::records(body);
}

pub(crate) fn decode<R: RowReader>(rows: &R, body: &str) -> Result<Read, CloudError> {
    page::decode(rows, body, "items").map(|page: Page<R::Row>| Read {
        rows: page.rows.len(),
        others: page.other_keys.len(),
        unreadable: page.unreadable_keys.len(),
    })
}
