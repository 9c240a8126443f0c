//! `/g/ID`: all about one group.

use serde::Serialize;

use crate::console::desk::{Desk, Paging, ROWS, offset, page_of};
use crate::console::error::PageError;
use crate::console::pages::{Pairs, chart};
use crate::report::detail::{BatchHit, EpisodeRow, GroupDetail};
use crate::report::filter::Filter;
use crate::report::format::columns::detail::class;
use crate::report::history::{AttemptRow, AuditRow};
use crate::report::rows::ItemRow;
use crate::report::store::{attempts, audit, group, items};

/// Hours that the chart shows.
const HOURS: i64 = 24 * 7;
/// Attempts, episodes and lines of the audit log that are shown.
const SHOWN: u64 = 20;

/// The actions that a page offers, with their words.
const ACTS: [(&str, &str); 8] = [
    ("ack", "Acknowledge"),
    ("silence", "Silence"),
    ("assign", "Assign"),
    ("dismiss", "Dismiss"),
    ("note", "Note"),
    ("rename", "Rename"),
    ("merge", "Merge"),
    ("class", "Set the class"),
];

#[derive(Serialize)]
struct Page {
    group: GroupDetail,
    /// Of the items of the batches that are shown and whose size is known.
    share: Option<f64>,
    /// Its class, how likely it is right, and what decided.
    class: String,
    acts: Vec<Act>,
    chart: String,
    items: Vec<ItemRow>,
    paging: Paging,
    attempts: Vec<AttemptRow>,
    episodes: Vec<EpisodeRow>,
    audit: Vec<AuditRow>,
}

#[derive(Serialize)]
struct Act {
    name: &'static str,
    label: &'static str,
    first: bool,
}

/// Makes the page.
///
/// # Errors
/// There is no such group, or the ledger cannot be read.
pub(crate) fn show(desk: &Desk<'_>, id: &str, query: &Pairs) -> Result<String, PageError> {
    let whole = Filter::default();
    let detail = group(&mut desk.view(&whole)?, id)?;
    let of_group = Filter { group: vec![detail.group.group_id.clone()], ..Filter::default() };
    let page = page_of(query);
    let listed = Filter { limit: Some(ROWS), offset: offset(page), ..of_group.clone() };
    let newest = Filter { limit: Some(SHOWN), ..of_group.clone() };
    let items = items(&desk.view(&listed)?)?;
    let view = desk.view(&newest)?;
    let shown = Page {
        share: share(&detail.batches_hit),
        class: class(&detail),
        acts: acts(desk, &detail),
        chart: chart(desk, of_group.clone(), HOURS)?,
        paging: Paging::new(page, items.len() as u64, Some(detail.present_items), &[]),
        items,
        attempts: attempts(&view)?,
        episodes: detail.episodes.iter().take(SHOWN as usize).cloned().collect(),
        audit: audit(&view)?,
        group: detail,
    };
    desk.render("group.html", &shown.group.group.title, "Groups", &shown)
}

fn acts(desk: &Desk<'_>, detail: &GroupDetail) -> Vec<Act> {
    let mut acts = ACTS.to_vec();
    if detail.group.acked {
        acts[0] = ("unack", "Withdraw the acknowledgement");
    }
    if detail.group.silenced_until.is_some() {
        acts[1] = ("unsilence", "End the silence");
    }
    if detail.group.open_items == 0 {
        acts[3] = ("undismiss", "Undo dismiss");
    }
    if desk.visitor.may_retry() {
        acts.push(("retry", "Plan a retry"));
    }
    acts.into_iter().enumerate().map(|(at, (name, label))| Act { name, label, first: at == 0 }).collect()
}

/// Failures as a share of the items of batches whose size is known; none if no size is.
fn share(batches: &[BatchHit]) -> Option<f64> {
    let known = batches.iter().filter_map(|batch| Some((batch.failures, batch.total_items?)));
    let (failures, items) = known.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    (items > 0).then(|| (failures as f64 / items as f64).min(1.0))
}
