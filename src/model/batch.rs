//! Batches: what a job list says of them, and which of them must be listed again.

use jiff::Timestamp;

use crate::model::item::Kind;
use crate::model::time::HOUR;

/// A batch's status. The v1 words are lower case, the v2 words upper case; both are read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase", ascii_case_insensitive)]
pub enum BatchStatus {
    /// Not begun.
    Pending,
    /// Waiting for a rate limit (v2).
    Throttled,
    /// Handed to workers (v1, undocumented; not terminal).
    Dispatched,
    /// At work.
    Running,
    /// Ended; single items may have failed.
    Completed,
    /// Ended as a whole by an error.
    Failed,
    /// Ended by a user.
    Cancelled,
    /// A word this version does not know; never taken as terminal.
    #[strum(default)]
    Unknown(String),
}

impl BatchStatus {
    /// The lower-case word used in SQL and JSON.
    pub fn as_str(&self) -> &str {
        if let BatchStatus::Unknown(word) = self { word } else { self.into() }
    }

    /// Whether the batch is final at LlamaCloud.
    pub fn is_terminal(&self) -> bool {
        matches!(self, BatchStatus::Completed | BatchStatus::Failed | BatchStatus::Cancelled)
    }
}

/// A batch as the job list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// LlamaCloud's id (`bjb-…` of v1, `bat-…` of v2).
    pub batch_id: String,
    /// The project it belongs to, as the API names it.
    pub project_id: Option<String>,
    /// The directory it was made from; none for batches made from item ids.
    pub directory_id: Option<String>,
    /// `parse`, `extract`, `classify`, or a word of the future.
    pub job_type: String,
    /// Where it stands.
    pub status: BatchStatus,
    /// All its items; none if the API did not say.
    pub total_items: Option<u64>,
    /// Items worked on; whether failed ones count is undocumented.
    pub processed_items: Option<u64>,
    /// Failed items; none if the API did not say.
    pub failed_items: Option<u64>,
    /// Skipped items; none if the API did not say.
    pub skipped_items: Option<u64>,
    /// The batch's own error, with secrets masked.
    pub error_message: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

impl Batch {
    /// What it looks like in the job list: if this is the same as at its last complete listing, its items are too.
    pub fn appearance(&self) -> String {
        let count = |n: Option<u64>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
        let time = |t: Option<Timestamp>| t.map_or(0, Timestamp::as_millisecond);
        format!(
            "{} {}/{}/{}/{} {} {}",
            self.status.as_str(),
            count(self.total_items),
            count(self.processed_items),
            count(self.failed_items),
            count(self.skipped_items),
            time(self.updated_at),
            time(self.completed_at),
        )
    }

    /// What its last complete listing came to; none if it has looked different since, or never was listed.
    fn unchanged_since(&self, listed: Option<&LastListing>) -> Option<LastListing> {
        listed.filter(|listed| listed.appearance == self.appearance()).cloned()
    }

    /// Whether its failed and skipped items must be listed, given its last complete listing.
    ///
    /// An unfinished batch always must; an unchanged finished one never, unless rows of it could not be read: those are
    /// tried again in every scan that reads the `whole` job list, for the API or this program may have been mended.
    /// Nor one that is to be listed again later than `at`.
    pub fn needs_listing(&self, listed: Option<&LastListing>, whole: bool, at: i64) -> bool {
        !self.status.is_terminal()
            || self.unchanged_since(listed).is_none_or(|listed| listed.must_be_repeated(whole, at))
    }

    /// Whether its own counts say that every item completed: then a listing of failed items has nothing to show.
    pub fn has_nothing_to_list(&self) -> bool {
        self.counts_no(Kind::Failed) && self.counts_no(Kind::Skipped)
    }

    /// Whether its own counts say that it completed without such items: then a listing of them has nothing to show.
    pub fn counts_no(&self, kind: Kind) -> bool {
        let count = match kind {
            Kind::Failed => self.failed_items,
            Kind::Skipped => self.skipped_items,
            Kind::Cancelled | Kind::Overdue | Kind::Missing => None,
        };
        self.status == BatchStatus::Completed
            && self.error_message.is_none()
            && count == Some(0)
            && self.total_items.is_some()
            && self.total_items == self.processed_items
    }

    /// What it is remembered by after a complete listing that shows something wrong, given what it was remembered by before.
    ///
    /// One bad answer may be a failing server: it is believed when the next scan finds the same.
    pub fn listed_with(&self, flaw: Flaw, before: Option<&LastListing>) -> LastListing {
        let before = self.unchanged_since(before).map(|listed| listed.state);
        let state = match flaw {
            _ if !matches!(before, Some(ListingState::InDoubt | ListingState::Unreadable)) => ListingState::InDoubt,
            Flaw::FewerThanCounted | Flaw::Unreadable => ListingState::Unreadable,
        };
        LastListing::new(self.appearance(), state)
    }

    /// A complete listing that found nothing wrong.
    pub fn listed(&self, is_settled: bool) -> LastListing {
        let state = if is_settled { ListingState::Settled } else { ListingState::Unsettled };
        LastListing::new(self.appearance(), state)
    }

    /// A complete listing that is not settled only because jobs of it have a status that this version does not know.
    ///
    /// Such a job may stay like that for ever: the batch rests for as long as it has been so, up to six hours.
    pub fn listed_odd(&self, before: Option<&LastListing>, at: i64) -> LastListing {
        let since = self.unchanged_since(before).and_then(|listed| listed.odd_since).map_or(at, |since| since.min(at));
        LastListing {
            odd_since: Some(since),
            relist_at: Some(at + (at - since).min(LONGEST_REST)),
            ..LastListing::new(self.appearance(), ListingState::Odd)
        }
    }

    /// Whether its items, once read to the end, stay as they are for as long as it looks the same.
    ///
    /// A batch without counts does not show when an item of it fails late, unless its listing found that none can any more.
    pub fn is_settled_by(&self, counted: Option<Counted>) -> bool {
        let counts_itself = self.failed_items.is_some() && self.skipped_items.is_some();
        self.status.is_terminal() && (counts_itself || counted.is_some())
    }
}

/// The longest that a batch with odd jobs rests, in milliseconds.
pub(crate) const LONGEST_REST: i64 = 6 * HOUR;

/// What the last complete listing of a batch's items came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum ListingState {
    /// Its items stay as they are for as long as it looks the same.
    Settled,
    /// It must be listed again although it looks the same.
    Unsettled,
    /// The same, because the listing showed something wrong for the first time.
    InDoubt,
    /// Rows of it could not be read, or were not shown, twice: it is listed again with every whole batch list.
    Unreadable,
    /// Jobs of it have a status that this version does not know.
    Odd,
}

/// A complete listing of a batch's items, by which the batch is recognised while it does not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastListing {
    /// The batch's appearance then.
    pub appearance: String,
    /// What it came to.
    pub state: ListingState,
    /// Since when jobs of it have an unknown status, in milliseconds.
    pub odd_since: Option<i64>,
    /// When it is listed again although it looks the same, in milliseconds; of odd ones.
    pub relist_at: Option<i64>,
}

impl LastListing {
    fn new(appearance: String, state: ListingState) -> LastListing {
        LastListing { appearance, state, odd_since: None, relist_at: None }
    }

    fn must_be_repeated(&self, whole: bool, at: i64) -> bool {
        match self.state {
            ListingState::Settled => false,
            ListingState::Unreadable => whole,
            _ => whole || self.is_unsettled(at),
        }
    }

    /// Whether the batch must be listed again in a scan at `at` although it looks the same.
    pub(crate) fn is_unsettled(&self, at: i64) -> bool {
        match self.state {
            ListingState::Settled | ListingState::Unreadable => false,
            ListingState::Unsettled | ListingState::InDoubt => true,
            ListingState::Odd => self.relist_at.is_none_or(|time| at >= time),
        }
    }
}

/// What can be wrong with a complete listing of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It shows fewer rows than the batch counts.
    FewerThanCounted,
    /// Some of its rows could not be read.
    Unreadable,
}

/// The items of a finished batch, counted by a listing because the batch itself does not say, once none can change any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// All of them.
    pub total: u64,
    /// Those that failed.
    pub failed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(status: BatchStatus, count: Option<u64>) -> Batch {
        Batch {
            batch_id: "b".to_owned(),
            project_id: None,
            directory_id: None,
            job_type: "parse".to_owned(),
            status,
            total_items: count,
            processed_items: count,
            failed_items: count,
            skipped_items: count,
            error_message: None,
            created_at: None,
            updated_at: None,
            started_at: None,
            completed_at: None,
        }
    }

    #[test]
    fn a_finished_batch_is_settled_by_its_counts_or_its_listing() {
        let counted = Some(Counted { total: 9, failed: 1 });
        for (status, count, counted, settled) in [
            (BatchStatus::Completed, Some(1), None, true),
            (BatchStatus::Completed, None, None, false),
            (BatchStatus::Completed, None, counted, true),
            (BatchStatus::Running, Some(1), counted, false),
        ] {
            assert_eq!(batch(status.clone(), count).is_settled_by(counted), settled, "{status:?} {count:?}");
        }
    }

    #[test]
    fn only_a_batch_that_counts_every_item_as_completed_has_nothing_to_list() {
        let well = Batch { failed_items: Some(0), skipped_items: Some(0), ..batch(BatchStatus::Completed, Some(3)) };
        assert!(well.has_nothing_to_list());
        for unwell in [
            Batch { failed_items: Some(1), ..well.clone() },
            Batch { skipped_items: Some(1), ..well.clone() },
            Batch { skipped_items: None, ..well.clone() },
            Batch { processed_items: Some(2), ..well.clone() },
            Batch { processed_items: None, total_items: None, ..well.clone() },
            Batch { error_message: Some("pool lost".to_owned()), ..well.clone() },
            Batch { status: BatchStatus::Running, ..well.clone() },
            Batch { status: BatchStatus::Failed, ..well.clone() },
        ] {
            assert!(!unwell.has_nothing_to_list(), "{unwell:?}");
        }
        let failed = Batch { failed_items: Some(1), ..well.clone() };
        assert!(failed.counts_no(Kind::Skipped) && !failed.counts_no(Kind::Failed));
        let running = Batch { status: BatchStatus::Running, ..failed };
        assert!(!running.counts_no(Kind::Skipped), "its counts still move");
    }

    #[test]
    fn a_batch_is_listed_until_it_looks_as_it_did_when_it_was_settled() {
        let done = batch(BatchStatus::Completed, None);
        let other = LastListing::new("another look".to_owned(), ListingState::Settled);
        assert!(done.needs_listing(None, false, 0) && done.needs_listing(Some(&other), false, 0));
        assert!(!done.needs_listing(Some(&done.listed(true)), true, 0));
        let unsettled = done.listed(false);
        assert!(done.needs_listing(Some(&unsettled), false, 0) && unsettled.is_unsettled(0));
        assert!(!done.listed(true).is_unsettled(0));
        let running = batch(BatchStatus::Running, None);
        assert!(running.needs_listing(Some(&running.listed(true)), false, 0));
    }

    #[test]
    fn rows_that_cannot_be_read_are_tried_again_in_the_next_scan_and_then_with_every_whole_list() {
        let done = batch(BatchStatus::Completed, Some(2));
        let once = done.listed_with(Flaw::Unreadable, None);
        assert!(once.is_unsettled(0) && done.needs_listing(Some(&once), false, 0));
        let twice = done.listed_with(Flaw::Unreadable, Some(&once));
        assert!(!twice.is_unsettled(0) && !done.needs_listing(Some(&twice), false, 0));
        assert!(done.needs_listing(Some(&twice), true, 0));
        assert_eq!(done.listed_with(Flaw::Unreadable, Some(&twice)), twice);
        assert!(batch(BatchStatus::Completed, Some(3)).needs_listing(Some(&twice), false, 0), "it has changed");
    }

    #[test]
    fn fewer_rows_than_counted_are_believed_the_second_time() {
        let done = batch(BatchStatus::Completed, Some(2));
        let once = done.listed_with(Flaw::FewerThanCounted, None);
        assert!(done.needs_listing(Some(&once), false, 0));
        let twice = done.listed_with(Flaw::FewerThanCounted, Some(&once));
        assert!(!done.needs_listing(Some(&twice), false, 0));
        assert!(done.needs_listing(Some(&twice), true, 0), "they may be shown later");
    }

    #[test]
    fn a_batch_with_odd_jobs_rests_for_as_long_as_it_has_been_so() {
        let done = batch(BatchStatus::Completed, None);
        let (mut listed, mut listings): (Option<LastListing>, u32) = (None, 0);
        for at in (0..3 * 86_400_000).step_by(300_000) {
            if done.needs_listing(listed.as_ref(), false, at) {
                assert!(listed.as_ref().is_none_or(|listed| listed.is_unsettled(at)));
                listed = Some(done.listed_odd(listed.as_ref(), at));
                listings += 1;
            }
        }
        assert_eq!(listings, 19, "of 864 scans in three days");
        let listed = listed.unwrap();
        assert!(done.needs_listing(Some(&listed), true, 0), "with the whole list it is");
        assert!(batch(BatchStatus::Completed, Some(1)).needs_listing(Some(&listed), false, 0), "it has changed");
        let first = done.listed_odd(Some(&done.listed(false)), 7);
        assert_eq!((first.odd_since, first.relist_at), (Some(7), Some(7)));
    }
}
