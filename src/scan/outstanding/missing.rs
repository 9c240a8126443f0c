//! Which items of an ended batch LlamaCloud counts and does not show.

use crate::model::batch::{Batch, BatchStatus};
use crate::model::item::{Kind, Observation};
use crate::model::text::count;
use crate::scan::batch_failure::WHOLE_BATCH;

/// What a complete listing of an ended batch has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShownItems {
    /// Failed items.
    pub failed: u64,
    /// Skipped items.
    pub skipped: u64,
    /// Items that have not ended and never will, and cancelled ones.
    pub undone: u64,
    /// Items whose outcome is not shown.
    pub unknown: u64,
}

/// Items that are counted and not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MissingItems {
    failed: u64,
    skipped: u64,
    unended: u64,
    unknown: u64,
}

impl MissingItems {
    /// What is missing from a listing of this batch.
    ///
    /// Whether `processed_items` includes failed and skipped ones is undocumented: only what is left over either way is missing.
    pub(crate) fn new(batch: &Batch, shown: ShownItems) -> MissingItems {
        let beyond = |counted: Option<u64>, shown: u64| counted.map_or(0, |counted| counted.saturating_sub(shown));
        let has_ended = |batch: &Batch| {
            let ended = batch.processed_items?.checked_add(batch.failed_items?)?.checked_add(batch.skipped_items?)?;
            Some(batch.total_items?.saturating_sub(ended))
        };
        let unended = has_ended(batch).filter(|_| batch.status == BatchStatus::Completed);
        MissingItems {
            failed: beyond(batch.failed_items, shown.failed),
            skipped: beyond(batch.skipped_items, shown.skipped),
            unended: beyond(unended, shown.undone),
            unknown: shown.unknown,
        }
    }

    /// Whether nothing is missing.
    pub(crate) fn is_empty(self) -> bool {
        self == MissingItems::default()
    }

    /// Whether only items are missing that have not ended: an item list may lag behind its batch.
    pub(crate) fn is_only_unended(self) -> bool {
        self.unended > 0 && MissingItems { unended: 0, ..self }.is_empty()
    }

    /// The batch as an item that stands for them.
    pub(crate) fn observation(self, batch: &Batch) -> Observation {
        Observation {
            item_id: batch.batch_id.clone(),
            item_name: WHOLE_BATCH.to_owned(),
            kind: Kind::Missing,
            message: Some(self.describe(batch)),
            skip_reason: None,
            job_id: None,
            job_record_id: None,
            started_at: batch.started_at,
            completed_at: batch.completed_at.or(batch.updated_at),
            effective_at: None,
        }
    }

    fn describe(self, batch: &Batch) -> String {
        let of = |missing: u64, what: (&str, &str), counted: Option<u64>| {
            let all = counted.unwrap_or(missing);
            (missing > 0).then(|| format!("{missing} of {} not shown", count(all, what.0, what.1)))
        };
        let parts = [
            of(self.failed, ("failed item", "failed items"), batch.failed_items),
            of(self.skipped, ("skipped item", "skipped items"), batch.skipped_items),
            of(self.unended, ("item", "items"), batch.total_items),
            (self.unknown > 0).then(|| format!("the outcome of {} not shown", count(self.unknown, "item", "items"))),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!("LlamaCloud counts items of this batch that it does not show: {}", parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(total: u64, processed: u64, failed: u64, skipped: u64) -> Batch {
        Batch {
            batch_id: "bjb-1".to_owned(),
            project_id: None,
            directory_id: None,
            job_type: "parse".to_owned(),
            status: BatchStatus::Completed,
            total_items: Some(total),
            processed_items: Some(processed),
            failed_items: Some(failed),
            skipped_items: Some(skipped),
            error_message: None,
            created_at: None,
            updated_at: None,
            started_at: None,
            completed_at: None,
        }
    }

    fn said(batch: &Batch, shown: ShownItems) -> Option<String> {
        let missing = MissingItems::new(batch, shown);
        (!missing.is_empty()).then(|| missing.observation(batch).message.unwrap())
    }

    #[test]
    fn what_is_counted_beyond_what_is_shown_is_missing() {
        let shown = |failed, skipped, undone, unknown| ShownItems { failed, skipped, undone, unknown };
        let prefix = "LlamaCloud counts items of this batch that it does not show: ";
        for (batch, shown, wanted) in [
            (batch(50, 50, 6, 0), shown(6, 0, 0, 0), None),
            (batch(50, 50, 6, 0), shown(4, 0, 0, 0), Some("2 of 6 failed items not shown")),
            (
                batch(50, 50, 1, 2),
                shown(0, 1, 0, 0),
                Some("1 of 1 failed item not shown, 1 of 2 skipped items not shown"),
            ),
            (batch(50, 44, 0, 0), shown(0, 0, 0, 0), Some("6 of 50 items not shown")),
            (batch(50, 44, 0, 0), shown(0, 0, 6, 0), None),
            (batch(50, 44, 6, 0), shown(6, 0, 0, 0), None),
            (batch(50, 44, 4, 0), shown(9, 0, 0, 0), Some("2 of 50 items not shown")),
            (Batch { total_items: None, ..batch(0, 0, 0, 0) }, shown(0, 0, 0, 0), None),
            (
                Batch { failed_items: None, ..batch(9, 9, 0, 0) },
                shown(3, 0, 0, 2),
                Some("the outcome of 2 items not shown"),
            ),
            (Batch { status: BatchStatus::Failed, ..batch(50, 44, 0, 0) }, shown(0, 0, 0, 0), None),
        ] {
            assert_eq!(said(&batch, shown), wanted.map(|wanted| format!("{prefix}{wanted}")), "{batch:?}");
        }
    }
}
