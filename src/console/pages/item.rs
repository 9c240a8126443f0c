//! `/i/ID`: the whole time line of an item.

use serde::Serialize;

use crate::console::desk::Desk;
use crate::console::error::PageError;
use crate::report::detail::{ItemDetail, ItemEvent};
use crate::report::filter::Filter;
use crate::report::store::item;

/// Events that are shown.
const MOST: usize = 100;

#[derive(Serialize)]
struct Page {
    item: ItemDetail,
    timeline: Vec<ItemEvent>,
    /// All events, where fewer are shown.
    cut: Option<u64>,
}

/// Makes the page.
///
/// # Errors
/// There is no such item, or the ledger cannot be read.
pub(crate) fn show(desk: &Desk<'_>, id: &str) -> Result<String, PageError> {
    let whole = Filter::default();
    let mut item = item(&desk.view(&whole)?, id)?;
    let mut timeline = std::mem::take(&mut item.timeline);
    let all = timeline.len();
    let timeline = timeline.split_off(all.saturating_sub(MOST));
    let cut = (all > MOST).then_some(all as u64);
    let title = item.item.item_name.clone();
    desk.render("item.html", &title, "", &Page { item, timeline, cut })
}
