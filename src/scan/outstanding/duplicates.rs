//! Which running batches process items that another running batch processes, too: both are billed.

use std::collections::BTreeSet;

use crate::model::batch_api::BatchApi;
use crate::model::item::{ItemStatus, Kind, Observation};
use crate::model::text::count;
use crate::scan::batch_failure::WHOLE_BATCH;

/// A batch that has not ended and that no retry made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ComparedBatch {
    /// Its key.
    pub batch_key: i64,
    /// LlamaCloud's id.
    pub batch_id: String,
    /// What it does.
    pub job_type: String,
    /// The directory it was made from; none for one made from item ids.
    pub directory_id: Option<String>,
    /// All its items; none if the API does not say.
    pub total_items: Option<u64>,
    /// Whether it was held against the others.
    pub is_compared: bool,
    /// When it was first seen, in milliseconds.
    pub first_seen: i64,
}

impl ComparedBatch {
    /// Whether an item may be in both: the same work on the same directory, or on items of any.
    pub(crate) fn may_share_items(&self, other: &ComparedBatch) -> bool {
        let same_directory =
            self.directory_id.is_none() || other.directory_id.is_none() || self.directory_id == other.directory_id;
        self.batch_key != other.batch_key && self.job_type == other.job_type && same_directory
    }

    /// Whether every item of one is in the other: a batch of v2 takes a whole directory, and shows no items before its end.
    pub(crate) fn is_same_directory_of_v2(&self, other: &ComparedBatch) -> bool {
        let is_v2 = |batch: &ComparedBatch| BatchApi::of_batch(&batch.batch_id) == BatchApi::V2;
        is_v2(self) && is_v2(other) && self.directory_id.is_some() && self.directory_id == other.directory_id
    }

    /// The batch as an item that stands for `shared` items which `other` processes, too; none: all of them.
    pub(crate) fn duplicate(&self, other: &ComparedBatch, shared: Option<u64>) -> Observation {
        let which = match (shared, self.total_items) {
            (Some(shared), Some(total)) => format!("{shared} of its {}", count(total, "item", "items")),
            (Some(shared), None) => count(shared, "item", "items"),
            (None, _) => "all items of its directory".to_owned(),
        };
        let other = &other.batch_id;
        Observation {
            item_id: self.batch_id.clone(),
            item_name: WHOLE_BATCH.to_owned(),
            kind: Kind::Duplicate,
            message: Some(format!(
                "{which} are also in batch {other}, which has not ended either: LlamaCloud bills both"
            )),
            skip_reason: None,
            job_id: None,
            job_record_id: None,
            started_at: None,
            completed_at: None,
            effective_at: None,
        }
    }
}

/// Whether an item with this status costs something in its batch, or did.
pub(crate) fn is_billed(status: &ItemStatus) -> bool {
    matches!(status, ItemStatus::Pending | ItemStatus::Processing | ItemStatus::Completed)
}

/// How many items are in both.
pub(crate) fn shared(one: &BTreeSet<String>, other: &BTreeSet<String>) -> u64 {
    one.intersection(other).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(key: i64, id: &str, directory: Option<&str>) -> ComparedBatch {
        ComparedBatch {
            batch_key: key,
            batch_id: id.to_owned(),
            job_type: "parse".to_owned(),
            directory_id: directory.map(str::to_owned),
            total_items: Some(50),
            is_compared: false,
            first_seen: 0,
        }
    }

    #[test]
    fn only_batches_that_may_hold_the_same_items_are_compared() {
        let (one, other) = (batch(1, "bjb-1", Some("d1")), batch(2, "bjb-2", Some("d2")));
        assert!(!one.may_share_items(&other) && !one.may_share_items(&one));
        assert!(one.may_share_items(&batch(3, "bjb-3", None)) && one.may_share_items(&batch(4, "bjb-4", Some("d1"))));
        let extract = ComparedBatch { job_type: "extract".to_owned(), ..batch(5, "bjb-5", None) };
        assert!(!one.may_share_items(&extract), "other work is billed separately");
        let (first, second) = (batch(6, "bat-6", Some("d1")), batch(7, "bat-7", Some("d1")));
        assert!(first.is_same_directory_of_v2(&second) && !first.is_same_directory_of_v2(&one));
        assert!(!batch(8, "bat-8", None).is_same_directory_of_v2(&batch(9, "bat-9", None)));
    }

    #[test]
    fn the_message_says_how_many_items_and_where() {
        let (one, other) = (batch(1, "bjb-1", None), batch(2, "bjb-2", None));
        let said = |shared| one.duplicate(&other, shared).message.unwrap();
        assert_eq!(
            said(Some(12)),
            "12 of its 50 items are also in batch bjb-2, which has not ended either: LlamaCloud bills both"
        );
        assert!(said(None).starts_with("all items of its directory are also in batch bjb-2"));
    }
}
