//! A batch as API v1 beta writes it.

use serde::Deserialize;

use crate::llamacloud::paging::row_reader::RowReader;
use crate::llamacloud::wire::{WireCount, WireText, time};
use crate::model::batch::{Batch, BatchStatus};

#[derive(Deserialize)]
pub(crate) struct V1WireBatch<'a> {
    #[serde(borrow)]
    id: Option<WireText<'a>>,
    #[serde(borrow)]
    project_id: Option<WireText<'a>>,
    #[serde(borrow)]
    directory_id: Option<WireText<'a>>,
    #[serde(borrow)]
    job_type: Option<WireText<'a>>,
    #[serde(borrow)]
    status: Option<WireText<'a>>,
    #[serde(default)]
    total_items: WireCount,
    #[serde(default)]
    processed_items: WireCount,
    #[serde(default)]
    failed_items: WireCount,
    #[serde(default)]
    skipped_items: WireCount,
    #[serde(borrow)]
    error_message: Option<WireText<'a>>,
    #[serde(borrow)]
    created_at: Option<WireText<'a>>,
    #[serde(borrow)]
    updated_at: Option<WireText<'a>>,
    #[serde(borrow)]
    started_at: Option<WireText<'a>>,
    #[serde(borrow)]
    completed_at: Option<WireText<'a>>,
}

impl V1WireBatch<'_> {
    pub(crate) fn into_batch(self) -> Batch {
        let word = |text: Option<WireText<'_>>| text.map_or_else(String::new, WireText::into_id);
        Batch {
            batch_id: word(self.id),
            project_id: self.project_id.and_then(WireText::into_some_id),
            directory_id: self.directory_id.and_then(WireText::into_some_id),
            job_type: word(self.job_type),
            status: BatchStatus::from(self.status.as_ref().map_or("", WireText::as_str)),
            total_items: self.total_items.0,
            processed_items: self.processed_items.0,
            failed_items: self.failed_items.0,
            skipped_items: self.skipped_items.0,
            error_message: self.error_message.and_then(WireText::into_message),
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
            started_at: time(self.started_at),
            completed_at: time(self.completed_at),
        }
    }
}

/// The rows of the batch list.
pub(crate) struct V1BatchRows;

impl RowReader for V1BatchRows {
    type Wire<'a> = V1WireBatch<'a>;
    type Row = Batch;
    const TEXTS: &'static [&'static str] = &[
        "project_id",
        "directory_id",
        "job_type",
        "status",
        "error_message",
        "created_at",
        "updated_at",
        "started_at",
        "completed_at",
    ];

    fn id<'w>(&self, wire: &'w V1WireBatch<'_>) -> &'w str {
        wire.id.as_ref().map_or("", WireText::as_str)
    }

    fn row(&self, wire: V1WireBatch<'_>) -> Option<Batch> {
        Some(wire.into_batch())
    }
}
