//! Whether the service as a whole is failing: a canary lost in a storm says nothing about its group.

use jiff::Timestamp;

/// What the account looks like over a short window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weather {
    /// Work goes through; a failure is the item's or the group's own.
    Calm,
    /// Much fails at once over several groups, or nearly everything.
    Storm,
    /// Too little was finished to say.
    #[default]
    Still,
}

/// Fewer finished items than this say nothing; the same 20 as the global breaker's.
const ENOUGH: u64 = 20;
/// Failing share that is a storm; the same 30 % as the global breaker's.
const STORM_SHARE: f64 = 0.30;
/// So many groups starting together have one cause, even without traffic to compare with.
const STORM_GROUPS: usize = 3;

/// The weather of the last 30 minutes.
///
/// `finished` counts items that reached any terminal state, `failed` those of them that failed with class transient, throttled or unknown
/// (a batch of protected PDFs is no storm), `new_groups` groups of those classes whose episode began in the window.
pub fn weather(finished: u64, failed: u64, new_groups: usize) -> Weather {
    #[expect(clippy::cast_precision_loss, reason = "counts of half an hour are far below 2^52")]
    let share = failed as f64 / finished.max(1) as f64;
    if new_groups >= STORM_GROUPS || (finished >= ENOUGH && share >= STORM_SHARE) {
        Weather::Storm
    } else if finished >= ENOUGH {
        Weather::Calm
    } else {
        Weather::Still
    }
}

/// What a batch did: items that went well between two times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// When it began.
    pub from: Timestamp,
    /// When it ended, or when it was last looked at.
    pub to: Timestamp,
    /// Items that went well.
    pub done: u64,
}

/// How many items went well between `since` and `until`, if each batch worked at an even pace; the API tells no more.
pub(crate) fn done_within(work: &[Work], since: Timestamp, until: Timestamp) -> u64 {
    let millis = |at: Timestamp| i128::from(at.as_millisecond());
    let share = |work: &Work| {
        let (from, to) = (millis(work.from).min(millis(work.to)), millis(work.to));
        let overlap = (to.min(millis(until)) - from.max(millis(since))).max(0);
        match to - from {
            0 => work.done * u64::from(work.to > since && work.to <= until),
            lasted => u64::try_from(i128::from(work.done) * overlap / lasted).unwrap_or(0),
        }
    };
    work.iter().map(share).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_counts_for_the_part_of_its_time_that_lies_within() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let work = |from, to, done| Work { from: at(from), to: at(to), done };
        let within = |work| done_within(&[work], at(60), at(90));
        assert_eq!(within(work(30, 90, 100)), 50);
        assert_eq!(within(work(70, 80, 7)), 7);
        assert_eq!(within(work(80, 80, 7)), 7);
        assert_eq!(within(work(0, 59, 100)), 0);
        assert_eq!(within(work(91, 95, 100)), 0);
    }

    #[test]
    fn the_weather_is_read_from_shares_and_groups() {
        assert_eq!(weather(100, 30, 0), Weather::Storm);
        assert_eq!(weather(100, 29, 2), Weather::Calm);
        assert_eq!(weather(19, 19, 2), Weather::Still);
        assert_eq!(weather(0, 0, 3), Weather::Storm);
    }
}
