//! `/b/ID`: a batch with its share by group.

use serde::Serialize;

use crate::console::desk::{Desk, Paging, ROWS, offset, page_of};
use crate::console::error::PageError;
use crate::console::pages::Pairs;
use crate::report::detail::BatchDetail;
use crate::report::filter::Filter;
use crate::report::rows::ItemRow;
use crate::report::store::{batch, items};

#[derive(Serialize)]
struct Page {
    batches: Vec<BatchDetail>,
    items: Vec<ItemRow>,
    paging: Paging,
}

/// Makes the page.
///
/// # Errors
/// There is no such batch, or the ledger cannot be read.
pub(crate) fn show(desk: &Desk<'_>, id: &str, query: &Pairs) -> Result<String, PageError> {
    let whole = Filter::default();
    let batches = batch(&desk.view(&whole)?, id)?;
    let named = batches.first().map_or_else(|| id.to_owned(), |batch| batch.batch.batch_id.clone());
    let page = page_of(query);
    let of_batch = Filter { batch: vec![named.clone()], limit: Some(ROWS), offset: offset(page), ..Filter::default() };
    let items = items(&desk.view(&of_batch)?)?;
    let paging = Paging::new(page, items.len() as u64, None, &[]);
    desk.render("batch.html", &format!("Batch {named}"), "", &Page { batches, items, paging })
}
