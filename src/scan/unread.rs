//! What a scan cannot read: when it is set aside so that it stops nothing else, and how long it then rests.

use jiff::SignedDuration;

use crate::model::time::{DAY, HOUR};

use crate::model::batch_api::BatchApi;
use crate::model::text::{cut_middle, one_line};

pub(crate) fn unread_prefix(project: &str) -> String {
    format!("unread:{project}:")
}

/// The key of the fault about a batch.
pub(crate) fn fault_key(project: &str, batch_id: &str) -> String {
    format!("{}{}", unread_prefix(project), display_id(batch_id))
}

/// An id as it is shown in messages: ids come from outside and may be of any length.
pub(crate) fn display_id(batch_id: &str) -> String {
    cut_middle(&one_line(batch_id), 60).into_owned()
}

/// What the fault about a batch list has in place of the batch's id.
pub(crate) fn list_name(api: BatchApi) -> String {
    format!("batch list {api}")
}

/// What the fault that counts the others has in place of a batch's id.
pub(crate) const MORE: &str = "more";

/// The beginning of the keys of what is lost for good.
pub(crate) fn lost_prefix(project: &str) -> String {
    format!("lost:{project}:")
}

/// How often in a row something of a project could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnreadCount {
    /// Scans in a row, this one included.
    pub scans: u32,
    /// For how long.
    pub lasting: SignedDuration,
}

/// So many scans in a row make a scan incomplete before the fault is taken to be that of the batch.
pub(crate) const PATIENT_SCANS: u32 = 3;

/// A fault that may be the server's own, while nothing else was read, is taken to be that of the batch after this.
const PATIENCE: SignedDuration = SignedDuration::from_hours(1);

/// The first and the longest rest, in milliseconds.
const FIRST_REST: i64 = HOUR;
const LONGEST_REST: i64 = DAY;

/// So many unread batches of one scan, and no others that were read, may still be faults of the batches.
pub(crate) const FEW: usize = 3;

/// What else the scan shows about the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FaultContext {
    /// The answer is about this batch.
    pub own: bool,
    /// The server answered well for other batches.
    pub others_read: bool,
    /// No more than [`FEW`] batches could not be read.
    pub few: bool,
}

/// Whether a batch is set aside: left out of what makes a scan complete.
pub(crate) fn is_set_aside(unread: UnreadCount, circumstances: FaultContext) -> bool {
    let FaultContext { own, others_read, few } = circumstances;
    unread.scans >= PATIENT_SCANS && (others_read || few && (own || unread.lasting >= PATIENCE))
}

/// Until when a batch that was set aside at `at` rests: an hour, then twice as long each time, up to a day. In milliseconds.
pub(crate) fn rests_until(unread: UnreadCount, at: i64) -> i64 {
    let doublings = unread.scans.saturating_sub(PATIENT_SCANS).min(10);
    at + (FIRST_REST << doublings).min(LONGEST_REST)
}

/// Whether a batch still rests at `at`; a rest that ends later than any can was noted by a clock that was ahead.
pub(crate) fn is_resting(until: Option<i64>, at: i64) -> bool {
    until.is_some_and(|until| at < until && until - at <= LONGEST_REST)
}

/// Bytes of an id that a request line surely takes, beside the rest of it.
const LONGEST_ID: usize = 1_000;

/// Why no request can name this id in its path; none if one can.
pub(crate) fn why_unusable(id: &str) -> Option<&'static str> {
    match id {
        "." | ".." => Some("its id would change the request path"),
        id if id.len() > LONGEST_ID => Some("its id is longer than 1000 bytes"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_set_aside_when_it_alone_cannot_be_read() {
        let unread = |scans, minutes| UnreadCount { scans, lasting: SignedDuration::from_mins(minutes) };
        for (unread, own, others_read, few, aside) in [
            (unread(2, 600), true, true, true, false),
            (unread(3, 10), true, false, true, true),
            (unread(3, 10), true, false, false, false),
            (unread(3, 10), false, true, false, true),
            (unread(3, 10), false, false, true, false),
            (unread(3, 60), false, false, true, true),
            (unread(3, 600), false, false, false, false),
        ] {
            let circumstances = FaultContext { own, others_read, few };
            assert_eq!(is_set_aside(unread, circumstances), aside, "{unread:?} {circumstances:?}");
        }
    }

    #[test]
    fn it_rests_longer_each_time_and_never_for_more_than_a_day() {
        let hours = |scans| rests_until(UnreadCount { scans, lasting: SignedDuration::ZERO }, 7) / HOUR;
        assert_eq!([3, 4, 5, 7, 8, 1_000].map(hours), [1, 2, 4, 16, 24, 24]);
        assert!(is_resting(Some(10), 9) && !is_resting(Some(10), 10) && !is_resting(None, 0));
        assert!(!is_resting(Some(25 * HOUR), 0), "the clock was set back");
    }

    #[test]
    fn an_id_that_no_path_can_hold_is_known() {
        assert!(why_unusable("..").is_some() && why_unusable(&"x".repeat(1_001)).is_some());
        assert!(why_unusable("bjb-1").is_none() && why_unusable("a/b %").is_none());
    }
}
