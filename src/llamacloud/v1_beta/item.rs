//! An item of a batch as API v1 beta writes it.

use serde::Deserialize;

use crate::llamacloud::paging::row_reader::RowReader;
use crate::llamacloud::wire::{WireText, time};
use crate::model::item::{ItemStatus, Kind, Observation};

#[derive(Deserialize)]
pub(crate) struct WireItem<'a> {
    #[serde(borrow)]
    item_id: Option<WireText<'a>>,
    #[serde(borrow)]
    item_name: Option<WireText<'a>>,
    #[serde(borrow)]
    status: Option<WireText<'a>>,
    #[serde(borrow)]
    error_message: Option<WireText<'a>>,
    #[serde(borrow)]
    skip_reason: Option<WireText<'a>>,
    #[serde(borrow)]
    job_id: Option<WireText<'a>>,
    #[serde(borrow)]
    job_record_id: Option<WireText<'a>>,
    #[serde(borrow)]
    started_at: Option<WireText<'a>>,
    #[serde(borrow)]
    completed_at: Option<WireText<'a>>,
    #[serde(borrow)]
    effective_at: Option<WireText<'a>>,
}

const TEXTS: &[&str] = &[
    "item_name",
    "status",
    "error_message",
    "skip_reason",
    "job_id",
    "job_record_id",
    "started_at",
    "completed_at",
    "effective_at",
];

fn id<'w>(wire: &'w WireItem<'_>) -> &'w str {
    wire.item_id.as_ref().map_or("", WireText::as_str)
}

fn status(wire: &WireItem<'_>) -> ItemStatus {
    ItemStatus::from(wire.status.as_ref().map_or("", WireText::as_str))
}

/// The rows of a listing of failed or skipped items.
pub(crate) struct FailedItems {
    pub(crate) kind: Kind,
}

impl RowReader for FailedItems {
    type Wire<'a> = WireItem<'a>;
    type Row = Observation;
    const TEXTS: &'static [&'static str] = TEXTS;

    fn id<'w>(&self, wire: &'w WireItem<'_>) -> &'w str {
        id(wire)
    }

    /// A row of another known status is not of this listing: the server ignored the filter, or the item has moved on.
    /// A word of the future is believed to be what was asked for: to lose a failure would be worse.
    fn row(&self, wire: WireItem<'_>) -> Option<Observation> {
        let word = wire.status.as_ref().map_or("", WireText::as_str);
        let is_of_kind = word == self.kind.as_str() || is_of_kind(word, self.kind);
        is_of_kind.then(|| observation(wire, self.kind))
    }
}

fn is_of_kind(word: &str, kind: Kind) -> bool {
    match ItemStatus::from(word) {
        ItemStatus::Failed => kind == Kind::Failed,
        ItemStatus::Skipped => kind == Kind::Skipped,
        ItemStatus::Cancelled => kind == Kind::Cancelled,
        ItemStatus::Unknown(_) => kind.is_failure(),
        _ => false,
    }
}

fn observation(wire: WireItem<'_>, kind: Kind) -> Observation {
    let same_time = wire.effective_at == wire.completed_at;
    let completed_at = time(wire.completed_at);
    Observation {
        item_id: wire.item_id.map_or_else(String::new, WireText::into_id),
        item_name: wire.item_name.map_or_else(String::new, WireText::into_masked),
        kind,
        message: wire.error_message.and_then(WireText::into_message),
        skip_reason: match kind {
            Kind::Skipped => wire.skip_reason.and_then(WireText::into_message),
            _ => None,
        },
        job_id: wire.job_id.and_then(WireText::into_some_id),
        job_record_id: wire.job_record_id.and_then(WireText::into_some_id),
        started_at: time(wire.started_at),
        completed_at,
        // They mostly are the same, and reading a time costs more than comparing two texts.
        effective_at: if same_time { completed_at } else { time(wire.effective_at) },
    }
}

/// The rows of items with one status that is none of an end.
pub(crate) struct Undone<'s> {
    pub(crate) status: &'s ItemStatus,
}

impl RowReader for Undone<'_> {
    type Wire<'a> = WireItem<'a>;
    type Row = Observation;
    const TEXTS: &'static [&'static str] = TEXTS;

    fn id<'w>(&self, wire: &'w WireItem<'_>) -> &'w str {
        id(wire)
    }

    /// A row of another status has moved on, or the server ignored the filter.
    fn row(&self, wire: WireItem<'_>) -> Option<Observation> {
        (status(&wire) == *self.status).then(|| observation(wire, Kind::Failed))
    }
}

/// The rows of a whole batch: which item stands how.
pub(crate) struct Statuses;

impl RowReader for Statuses {
    type Wire<'a> = WireItem<'a>;
    type Row = (String, ItemStatus);
    const TEXTS: &'static [&'static str] = TEXTS;

    fn id<'w>(&self, wire: &'w WireItem<'_>) -> &'w str {
        id(wire)
    }

    fn row(&self, wire: WireItem<'_>) -> Option<(String, ItemStatus)> {
        let status = status(&wire);
        Some((wire.item_id.map_or_else(String::new, WireText::into_id), status))
    }
}
