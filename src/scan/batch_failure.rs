//! Failures that stand on a batch instead of on its items, and the items that were never done because of them.
//!
//! Such an item keeps the status that it had (`pending`, `processing`, or `cancelled` by the service), so no listing of failed
//! items shows it. It is recorded as failed, with the batch's message. A batch that names no such item is recorded in their place.

use jiff::{SignedDuration, Timestamp};

use crate::model::batch::{Batch, BatchStatus};
use crate::model::item::{ItemStatus, Kind, Observation};

/// The name of the item that is recorded in place of a whole batch; its id is the batch's.
pub(crate) const WHOLE_BATCH: &str = "(whole batch)";

/// Items that were under way when their batch ended may still end by themselves; after this they never do.
pub(crate) const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// What a listing of a batch's items has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListedOutcomes {
    /// Items that failed or were skipped.
    pub unwell: u64,
    /// Items that the batch left undone.
    pub undone: u64,
    /// Whether a failed item says what the batch says.
    pub same_message: bool,
}

impl Batch {
    /// Whether an error ended it: it failed, or it was cancelled, or ended in a status of the future, and names an error.
    pub fn failed_as_a_whole(&self) -> bool {
        match self.status {
            BatchStatus::Failed => true,
            BatchStatus::Cancelled => self.error_message.is_some(),
            BatchStatus::Unknown(_) => self.error_message.is_some() && self.completed_at.is_some(),
            _ => false,
        }
    }

    /// Whether someone may have cancelled items of this ended batch: it was stopped, or its counts leave items over.
    pub fn may_hold_cancelled(&self) -> bool {
        match self.status {
            BatchStatus::Cancelled => !self.failed_as_a_whole(),
            BatchStatus::Completed => self.leaves_items_over(),
            _ => false,
        }
    }

    /// Whether its counts do not account for every item.
    fn leaves_items_over(&self) -> bool {
        self.total_items.zip(self.processed_items).is_some_and(|(total, processed)| total > processed)
    }

    /// The statuses of items that this ended batch never did. Empty if it has not ended, if a user stopped it, or if its own
    /// counts account for every item.
    ///
    /// Whether `processed_items` includes failed items is undocumented, so a completed batch is looked at if either reading
    /// leaves items over.
    pub fn undone_statuses(&self) -> &'static [ItemStatus] {
        const UNDONE: &[ItemStatus] = &[ItemStatus::Pending, ItemStatus::Cancelled, ItemStatus::Processing];
        const UNFINISHED: &[ItemStatus] = &[ItemStatus::Pending, ItemStatus::Processing];
        match self.status {
            _ if self.failed_as_a_whole() => UNDONE,
            BatchStatus::Completed if self.leaves_items_over() => UNFINISHED,
            _ => &[],
        }
    }

    /// Whether an item of this ended batch that has `status` at `now` will never be done by it.
    ///
    /// What waits in a batch that failed never begins. What was under way may still end, and a list may lag behind its batch.
    pub fn has_abandoned(&self, status: &ItemStatus, now: Timestamp) -> bool {
        self.is_long_over(now) || (self.failed_as_a_whole() && *status != ItemStatus::Processing)
    }

    /// Whether an item that this ended batch left undone is recorded as failed at `now`: at once if the batch failed, whatever
    /// may still become of the item, and otherwise once its list cannot lag behind any more.
    pub fn fails_undone(&self, now: Timestamp) -> bool {
        self.failed_as_a_whole() || self.is_long_over(now)
    }

    fn is_long_over(&self, now: Timestamp) -> bool {
        let ended = self.completed_at.or(self.updated_at);
        ended.is_none_or(|ended| now.duration_since(ended) >= GRACE)
    }

    /// An item that this batch left undone, as a failure with the batch's message, at the time when the batch ended.
    pub fn abandoned(&self, item: Observation) -> Observation {
        Observation {
            kind: Kind::Failed,
            message: Some(self.failure_of_items()),
            skip_reason: None,
            // The record is that of a status which is no failure; it must not tell this failure from itself.
            job_record_id: None,
            completed_at: self.completed_at.or(self.updated_at),
            effective_at: None,
            ..item
        }
    }

    /// The batch itself as a failed item, for a batch that names no item, or an error that no item names; none if its items
    /// say all.
    pub fn placeholder_item(&self, shown: ListedOutcomes) -> Option<Observation> {
        let own_message = self.error_message.is_some() && !shown.same_message;
        // Without a total no one can tell whether the items that are shown are all.
        let needed = match self.status {
            _ if shown.undone > 0 => false,
            _ if self.failed_as_a_whole() => self.total_items.is_none() || shown.unwell == 0 || own_message,
            BatchStatus::Completed => own_message,
            _ => false,
        };
        needed.then(|| Observation {
            item_id: self.batch_id.clone(),
            item_name: WHOLE_BATCH.to_owned(),
            kind: Kind::Failed,
            message: Some(self.failure()),
            skip_reason: None,
            job_id: None,
            job_record_id: None,
            started_at: None,
            completed_at: self.completed_at.or(self.updated_at),
            effective_at: None,
        })
    }

    fn failure(&self) -> String {
        let none = "the batch failed as a whole; it does not say which files";
        self.error_message.clone().unwrap_or_else(|| none.to_owned())
    }

    fn failure_of_items(&self) -> String {
        let none = match self.status {
            BatchStatus::Completed => "the batch completed without this item",
            _ => "the batch failed as a whole; it does not say why",
        };
        self.error_message.clone().unwrap_or_else(|| none.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + 60 * minutes).unwrap()
    }

    fn batch(status: BatchStatus, error: Option<&str>) -> Batch {
        Batch {
            batch_id: "bjb-1".to_owned(),
            project_id: None,
            directory_id: None,
            job_type: "parse".to_owned(),
            status,
            total_items: Some(5),
            processed_items: Some(2),
            failed_items: Some(0),
            skipped_items: Some(0),
            error_message: error.map(str::to_owned),
            created_at: None,
            updated_at: Some(time(0)),
            started_at: None,
            completed_at: Some(time(0)),
        }
    }

    #[test]
    fn only_a_batch_that_an_error_ended_or_that_is_short_of_items_left_some_undone() {
        for (status, error, statuses) in [
            (BatchStatus::Failed, None, 3),
            (BatchStatus::Failed, Some("pool lost"), 3),
            (BatchStatus::Cancelled, Some("pool lost"), 3),
            (BatchStatus::Cancelled, None, 0),
            (BatchStatus::Completed, None, 2),
            (BatchStatus::Running, Some("pool lost"), 0),
            (BatchStatus::Unknown("expired".to_owned()), Some("pool lost"), 3),
            (BatchStatus::Unknown("expired".to_owned()), None, 0),
        ] {
            assert_eq!(batch(status.clone(), error).undone_statuses().len(), statuses, "{status:?} {error:?}");
        }
        let paused = batch(BatchStatus::Unknown("paused".to_owned()), Some("pool lost"));
        assert_eq!(Batch { completed_at: None, ..paused }.undone_statuses().len(), 0, "it may go on");
        let whole = Batch { processed_items: Some(5), ..batch(BatchStatus::Completed, None) };
        assert_eq!(whole.undone_statuses().len(), 0);
    }

    #[test]
    fn what_was_under_way_has_an_hour_to_end() {
        let failed = batch(BatchStatus::Failed, None);
        assert!(failed.has_abandoned(&ItemStatus::Pending, time(0)));
        assert!(!failed.has_abandoned(&ItemStatus::Processing, time(59)));
        assert!(failed.has_abandoned(&ItemStatus::Processing, time(60)));
        let completed = batch(BatchStatus::Completed, None);
        assert!(!completed.has_abandoned(&ItemStatus::Pending, time(59)), "its list may lag behind");
        assert!(completed.has_abandoned(&ItemStatus::Pending, time(60)));
        assert!(failed.fails_undone(time(0)), "its text is known");
        assert!(!completed.fails_undone(time(59)) && completed.fails_undone(time(60)));
    }

    #[test]
    fn a_batch_stands_for_itself_where_its_items_do_not_say_all() {
        let shown = |unwell, undone, same_message| ListedOutcomes { unwell, undone, same_message };
        for (status, error, total, shown, stands) in [
            (BatchStatus::Failed, Some("x"), Some(5), shown(0, 0, false), true),
            (BatchStatus::Failed, Some("x"), Some(5), shown(0, 3, false), false),
            (BatchStatus::Failed, Some("x"), Some(5), shown(2, 0, false), true),
            (BatchStatus::Failed, Some("x"), Some(5), shown(2, 0, true), false),
            (BatchStatus::Failed, None, Some(5), shown(2, 0, false), false),
            (BatchStatus::Failed, None, Some(0), shown(0, 0, false), true),
            (BatchStatus::Failed, None, None, shown(2, 0, false), true),
            (BatchStatus::Cancelled, Some("x"), Some(5), shown(0, 0, false), true),
            (BatchStatus::Cancelled, None, Some(5), shown(0, 0, false), false),
            (BatchStatus::Completed, Some("x"), Some(5), shown(0, 0, false), true),
            (BatchStatus::Completed, Some("x"), Some(5), shown(2, 0, false), true),
            (BatchStatus::Completed, Some("x"), Some(5), shown(2, 0, true), false),
            (BatchStatus::Unknown("expired".to_owned()), Some("x"), Some(5), shown(0, 0, false), true),
            (BatchStatus::Completed, None, Some(5), shown(0, 0, false), false),
        ] {
            let batch = Batch { total_items: total, ..batch(status, error) };
            let stand_in = batch.placeholder_item(shown);
            assert_eq!(stand_in.is_some(), stands, "{batch:?} {shown:?}");
            if let Some(item) = stand_in {
                assert_eq!((item.item_id.as_str(), item.completed_at), ("bjb-1", Some(time(0))));
            }
        }
    }
}
