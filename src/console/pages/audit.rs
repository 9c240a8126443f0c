//! `/audit`: who did what.

use regex::RegexBuilder;
use serde::Serialize;

use crate::console::desk::{Desk, Paging, ROWS, offset, page_of};
use crate::console::error::PageError;
use crate::console::pages::{Pairs, value};
use crate::report::filter::Filter;
use crate::report::history::AuditRow;
use crate::report::store::audit;

#[derive(Serialize)]
struct Page {
    q: String,
    rows: Vec<AuditRow>,
    paging: Paging,
}

/// Makes the page.
///
/// # Errors
/// The ledger cannot be read.
pub(crate) fn show(desk: &Desk<'_>, query: &Pairs) -> Result<String, PageError> {
    let (page, q) = (page_of(query), value(query, "q"));
    let words = RegexBuilder::new(&regex::escape(q)).case_insensitive(true).build();
    let matching = if q.is_empty() { None } else { words.ok() };
    let filter = Filter { matching, limit: Some(ROWS), offset: offset(page), ..Filter::default() };
    let rows = audit(&desk.view(&filter)?)?;
    let kept = [("q".to_owned(), q.to_owned())];
    let paging = Paging::new(page, rows.len() as u64, None, &kept);
    desk.render("audit.html", "Audit", "Audit", &Page { q: q.to_owned(), rows, paging })
}
