//! Batches: what a job list says of them, and which of them must be listed again.

use jiff::Timestamp;

/// A batch's status. The v1 words are lower case, the v2 words upper case; both are read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    Unknown(String),
}

impl BatchStatus {
    /// Reads the API's word, in any case.
    pub fn from_word(word: &str) -> BatchStatus {
        match word.to_ascii_lowercase().as_str() {
            "pending" => BatchStatus::Pending,
            "throttled" => BatchStatus::Throttled,
            "dispatched" => BatchStatus::Dispatched,
            "running" => BatchStatus::Running,
            "completed" => BatchStatus::Completed,
            "failed" => BatchStatus::Failed,
            "cancelled" => BatchStatus::Cancelled,
            _ => BatchStatus::Unknown(word.to_owned()),
        }
    }

    /// The lower-case word used in SQL and JSON.
    pub fn as_str(&self) -> &str {
        match self {
            BatchStatus::Pending => "pending",
            BatchStatus::Throttled => "throttled",
            BatchStatus::Dispatched => "dispatched",
            BatchStatus::Running => "running",
            BatchStatus::Completed => "completed",
            BatchStatus::Failed => "failed",
            BatchStatus::Cancelled => "cancelled",
            BatchStatus::Unknown(word) => word,
        }
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

    /// Whether its failed and skipped items must be listed, given what its last complete listing left it remembered by.
    ///
    /// An unfinished batch always must; an unchanged finished one never, unless rows of it could not be read: those are
    /// tried again in every scan that reads the `whole` job list, for the API or this program may have been mended.
    /// Nor one that rests until later than `at` because jobs of it have a status that no one knows, or because its proof is not due.
    pub fn needs_listing(&self, listed_as: Option<&str>, whole: bool, at: i64) -> bool {
        let appearance = self.appearance();
        let needs = match listed_as.and_then(|listed| listed.strip_prefix(&appearance)) {
            Some("") => false,
            Some(UNREADABLE) => whole,
            Some(rest) if is_unproven(rest) => whole || proof_is_due(rest, at),
            Some(rest) => whole || rest_of_odd(rest).is_none_or(|odd| has_rested(odd, at)),
            _ => true,
        };
        !self.status.is_terminal() || needs
    }

    /// What it is remembered by after a complete listing that shows something wrong, given what it was remembered by before.
    ///
    /// One bad answer may be a failing server: it is believed when the next scan finds the same.
    pub fn listed_with(&self, flaw: Flaw, before: Option<&str>) -> String {
        let appearance = self.appearance();
        let rest = before.and_then(|before| before.strip_prefix(&appearance));
        match flaw {
            _ if !rest.is_some_and(|rest| rest == IN_DOUBT || rest == UNREADABLE) => appearance + IN_DOUBT,
            Flaw::FewerThanCounted => appearance,
            Flaw::Unreadable => appearance + UNREADABLE,
        }
    }

    /// What it is remembered by after a complete listing: its appearance, marked if that must be repeated although it looks the same.
    pub fn listed_as(&self, is_settled: bool) -> String {
        let appearance = self.appearance();
        if is_settled { appearance } else { appearance + UNSETTLED }
    }

    /// The same if it is not settled only because jobs of it have a status that this version does not know.
    ///
    /// Such a job may stay like that for ever: the batch rests for as long as it has been so, up to six hours.
    pub fn listed_odd(&self, before: Option<&str>, at: i64) -> String {
        let appearance = self.appearance();
        let odd = before.and_then(|before| before.strip_prefix(&appearance)).and_then(rest_of_odd);
        let since = odd.map_or(at, |(since, _)| since.min(at));
        let until = at + (at - since).min(LONGEST_REST);
        format!("{appearance}{ODD}{since} {until}")
    }

    /// The same if that was a listing which took for ended what it did not see: an hour later each item is looked at.
    ///
    /// By then a list that lags behind has caught up, and jobs with a status of the future have mostly ended.
    pub fn listed_unproven(&self, at: i64) -> String {
        format!("{}{UNPROVEN}{}", self.appearance(), at + PROOF_AFTER)
    }

    /// Whether its next listing shall look at each item, given what it was remembered by.
    pub fn wants_proof(&self, listed_as: Option<&str>) -> bool {
        listed_as.and_then(|listed| listed.strip_prefix(&self.appearance())).is_some_and(is_unproven)
    }

    /// Whether its items, once read to the end, stay as they are for as long as it looks the same.
    ///
    /// A batch without counts does not show when an item of it fails late, unless its listing found that none can any more.
    pub fn is_settled_by(&self, counted: Option<Counted>) -> bool {
        let counts_itself = self.failed_items.is_some() && self.skipped_items.is_some();
        self.status.is_terminal() && (counts_itself || counted.is_some())
    }
}

// What follows the appearance of a batch that is not settled.
const UNSETTLED: &str = " unsettled";
const IN_DOUBT: &str = " in doubt";
const UNREADABLE: &str = " unreadable";
/// Followed by the times in milliseconds since when it has been so, and until when it rests.
const ODD: &str = " odd ";

/// Followed by the time in milliseconds when each of its items shall be looked at.
const UNPROVEN: &str = " unproven ";

/// An hour in milliseconds.
const PROOF_AFTER: i64 = 3_600_000;

fn is_unproven(rest: &str) -> bool {
    rest.starts_with(UNPROVEN)
}

fn proof_is_due(rest: &str, at: i64) -> bool {
    let due = rest.strip_prefix(UNPROVEN).and_then(|due| due.parse().ok());
    due.is_none_or(|due| has_come(due, PROOF_AFTER, at))
}

/// Six hours in milliseconds.
const LONGEST_REST: i64 = 6 * 3_600_000;

fn has_rested((_, until): (i64, i64), at: i64) -> bool {
    has_come(until, LONGEST_REST, at)
}

/// Whether a time has come; one that is further away than it ever can be was noted by a clock that has been set back since.
fn has_come(time: i64, longest: i64, at: i64) -> bool {
    at >= time || time - at > longest
}

fn rest_of_odd(rest: &str) -> Option<(i64, i64)> {
    let (since, until) = rest.strip_prefix(ODD)?.split_once(' ')?;
    Some((since.parse().ok()?, until.parse().ok()?))
}

/// What can be wrong with a complete listing of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It shows fewer rows than the batch counts.
    FewerThanCounted,
    /// Some of its rows could not be read.
    Unreadable,
}

/// Whether a batch that was remembered like this must be listed again in a scan at `at` although it looks the same.
pub(crate) fn is_unsettled(listed_as: &str, at: i64) -> bool {
    let odd = listed_as.rfind(ODD).and_then(|place| rest_of_odd(&listed_as[place..]));
    let unproven = listed_as.rfind(UNPROVEN).map(|place| &listed_as[place..]);
    listed_as.ends_with(UNSETTLED)
        || listed_as.ends_with(IN_DOUBT)
        || odd.is_some_and(|odd| has_rested(odd, at))
        || unproven.is_some_and(|rest| proof_is_due(rest, at))
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
    fn a_finished_batch_is_settled_by_counts_of_its_own_or_of_its_listing() {
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
    fn a_batch_is_listed_until_it_looks_as_it_did_when_it_was_settled() {
        let done = batch(BatchStatus::Completed, None);
        assert!(done.needs_listing(None, false, 0) && done.needs_listing(Some("another look"), false, 0));
        assert!(!done.needs_listing(Some(&done.appearance()), true, 0));
        let unsettled = done.listed_as(false);
        assert!(done.needs_listing(Some(&unsettled), false, 0) && is_unsettled(&unsettled, 0));
        assert!(!is_unsettled(&done.listed_as(true), 0));
        let running = batch(BatchStatus::Running, None);
        assert!(running.needs_listing(Some(&running.appearance()), false, 0));
    }

    #[test]
    fn rows_that_cannot_be_read_are_tried_again_in_the_next_scan_and_then_with_every_whole_list() {
        let done = batch(BatchStatus::Completed, Some(2));
        let once = done.listed_with(Flaw::Unreadable, None);
        assert!(is_unsettled(&once, 0) && done.needs_listing(Some(&once), false, 0));
        let twice = done.listed_with(Flaw::Unreadable, Some(&once));
        assert!(!is_unsettled(&twice, 0) && !done.needs_listing(Some(&twice), false, 0));
        assert!(done.needs_listing(Some(&twice), true, 0));
        assert_eq!(done.listed_with(Flaw::Unreadable, Some(&twice)), twice);
        assert!(batch(BatchStatus::Completed, Some(3)).needs_listing(Some(&twice), false, 0), "it has changed");
    }

    #[test]
    fn fewer_rows_than_counted_are_believed_the_second_time() {
        let done = batch(BatchStatus::Completed, Some(2));
        let once = done.listed_with(Flaw::FewerThanCounted, None);
        assert!(done.needs_listing(Some(&once), false, 0));
        assert!(!done.needs_listing(Some(&done.listed_with(Flaw::FewerThanCounted, Some(&once))), true, 0));
    }

    #[test]
    fn what_was_not_seen_is_proven_an_hour_later() {
        let done = batch(BatchStatus::Completed, None);
        let listed = done.listed_unproven(1_000);
        for (at, due) in [(1_000, false), (3_600_999, false), (3_601_000, true), (0, true)] {
            assert_eq!((done.needs_listing(Some(&listed), false, at), is_unsettled(&listed, at)), (due, due), "{at}");
        }
        assert!(done.needs_listing(Some(&listed), true, 1_000), "with the whole list it is");
        assert!(done.wants_proof(Some(&listed)));
        assert!(!batch(BatchStatus::Completed, Some(1)).wants_proof(Some(&listed)), "it has changed");
        assert!(!done.wants_proof(Some(&done.listed_as(false))) && !done.wants_proof(None));
    }

    #[test]
    fn a_batch_with_odd_jobs_rests_for_as_long_as_it_has_been_so() {
        let done = batch(BatchStatus::Completed, None);
        let (mut listed, mut listings) = (None, 0);
        for at in (0..3 * 86_400_000).step_by(300_000) {
            if done.needs_listing(listed.as_deref(), false, at) {
                assert!(listed.as_deref().is_none_or(|listed| is_unsettled(listed, at)));
                listed = Some(done.listed_odd(listed.as_deref(), at));
                listings += 1;
            }
        }
        assert_eq!(listings, 19, "of 864 scans in three days");
        let listed = listed.unwrap();
        assert!(done.needs_listing(Some(&listed), true, 0), "with the whole list it is");
        assert!(batch(BatchStatus::Completed, Some(1)).needs_listing(Some(&listed), false, 0), "it has changed");
        assert!(done.needs_listing(Some(&listed), false, 0), "the clock was set back by days");
        assert!(done.listed_odd(Some(&done.listed_as(false)), 7).ends_with(" odd 7 7"));
    }
}
