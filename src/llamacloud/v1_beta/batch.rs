//! A batch as API v1 beta writes it.

use serde::Deserialize;

use crate::llamacloud::paging::page::Rows;
use crate::llamacloud::wire::{Count, Text, time};
use crate::model::batch::{Batch, BatchStatus};

#[derive(Deserialize)]
pub(crate) struct WireBatch<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    project_id: Option<Text<'a>>,
    #[serde(borrow)]
    directory_id: Option<Text<'a>>,
    #[serde(borrow)]
    job_type: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(default)]
    total_items: Count,
    #[serde(default)]
    processed_items: Count,
    #[serde(default)]
    failed_items: Count,
    #[serde(default)]
    skipped_items: Count,
    #[serde(borrow)]
    error_message: Option<Text<'a>>,
    #[serde(borrow)]
    created_at: Option<Text<'a>>,
    #[serde(borrow)]
    updated_at: Option<Text<'a>>,
    #[serde(borrow)]
    started_at: Option<Text<'a>>,
    #[serde(borrow)]
    completed_at: Option<Text<'a>>,
}

impl WireBatch<'_> {
    pub(crate) fn into_batch(self) -> Batch {
        let word = |text: Option<Text<'_>>| text.map_or_else(String::new, Text::into_id);
        Batch {
            batch_id: word(self.id),
            project_id: self.project_id.and_then(Text::into_some_id),
            directory_id: self.directory_id.and_then(Text::into_some_id),
            job_type: word(self.job_type),
            status: BatchStatus::from_word(self.status.as_ref().map_or("", Text::as_str)),
            total_items: self.total_items.0,
            processed_items: self.processed_items.0,
            failed_items: self.failed_items.0,
            skipped_items: self.skipped_items.0,
            error_message: self.error_message.and_then(Text::into_message),
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
            started_at: time(self.started_at),
            completed_at: time(self.completed_at),
        }
    }
}

/// The rows of the batch list.
pub(crate) struct Batches;

impl Rows for Batches {
    type Wire<'a> = WireBatch<'a>;
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

    fn id<'w>(&self, wire: &'w WireBatch<'_>) -> &'w str {
        wire.id.as_ref().map_or("", Text::as_str)
    }

    fn row(&self, wire: WireBatch<'_>) -> Option<Batch> {
        Some(wire.into_batch())
    }
}
