//! The rules of the outbox: when a delivery is tried again, and when it is dead.

use std::time::Duration;

use jiff::Timestamp;

/// The waits between tries, in order: how many of each length. The try after the last wait is the last.
type RetrySchedule = &'static [(u32, Duration)];

/// News: at least every 10 min in the first two hours, then every half hour and every hour; for a day and three hours.
const NEWS: RetrySchedule = &[
    (1, Duration::from_secs(5)),
    (1, Duration::from_secs(60)),
    (1, Duration::from_secs(300)),
    (12, Duration::from_secs(600)),
    (12, Duration::from_secs(1_800)),
    (19, Duration::from_secs(3_600)),
];

/// A page: every minute in the first half hour and every two up to the fifth hour, because it needs a reaction; then
/// every ten, for a day and three hours, too.
const PAGE: RetrySchedule = &[
    (1, Duration::from_secs(5)),
    (1, Duration::from_secs(30)),
    (30, Duration::from_secs(60)),
    (135, Duration::from_secs(120)),
    (132, Duration::from_secs(600)),
];

/// News that may have arrived each time: every copy may be read, so there are few, but for the first hour.
const UNCLEAR_NEWS: RetrySchedule = &[
    (1, Duration::from_secs(5)),
    (1, Duration::from_secs(60)),
    (1, Duration::from_secs(300)),
    (5, Duration::from_secs(600)),
    (1, Duration::from_secs(7_200)),
    (1, Duration::from_secs(18_000)),
    (2, Duration::from_secs(36_000)),
];

/// The same for a page.
const UNCLEAR_PAGE: RetrySchedule = &[
    (1, Duration::from_secs(5)),
    (1, Duration::from_secs(30)),
    (3, Duration::from_secs(60)),
    (5, Duration::from_secs(120)),
    (6, Duration::from_secs(600)),
    (4, Duration::from_secs(1_800)),
    (3, Duration::from_secs(7_200)),
    (2, Duration::from_secs(36_000)),
];

/// News of a peer that asks for more patience than this is tried after this: a header must not mute a channel for a day.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// The same for a page.
const LONGEST_RETRY_AFTER_OF_A_PAGE: Duration = Duration::from_secs(120);

/// The result of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DeliveryResult {
    /// The digest arrived.
    Arrived {
        /// What the peer said.
        answer: String,
        /// Recipients that will never get it, with the reason.
        refused: Vec<String>,
        /// The thread that the channel's next message belongs to, too; none if that is as it was.
        thread: Option<String>,
    },
    /// It did not, and trying again can help.
    Later {
        /// The reason.
        error: String,
        /// When the peer asked to try again, from now.
        after: Option<Duration>,
        /// It may have arrived all the same.
        may_have_arrived: bool,
        /// Recipients or events that are done.
        done: Vec<String>,
    },
    /// It is too large for the peer.
    TooLarge {
        /// The reason.
        error: String,
        /// The next smaller rendering; none if there is none.
        next_tier: Option<u8>,
        /// Recipients or events that are done.
        done: Vec<String>,
    },
    /// It is rejected permanently.
    Never {
        /// The reason.
        error: String,
        /// The peer rejects this content rather than the channel.
        of_content: bool,
    },
}

impl DeliveryResult {
    /// Why the digest was not taken; none if it arrived.
    pub(crate) fn error(&self) -> Option<&str> {
        match self {
            DeliveryResult::Arrived { .. } => None,
            DeliveryResult::Later { error, .. }
            | DeliveryResult::TooLarge { error, .. }
            | DeliveryResult::Never { error, .. } => Some(error),
        }
    }
}

/// What becomes of a delivery after a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Done.
    Sent,
    /// Tried again at this time, rendered at least this much smaller.
    Again {
        /// Not before.
        at: Timestamp,
        /// As stored with the delivery.
        tier: u8,
    },
    /// Given up; it is reported through the other channels.
    Dead,
}

impl Fate {
    /// The word for it in metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Fate::Sent => "sent",
            Fate::Again { .. } => "retry",
            Fate::Dead => "dead",
        }
    }
}

/// One try of a delivery.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct DeliveryTry {
    /// Which one, the first being 1.
    pub attempts: u32,
    /// How much smaller it was rendered.
    pub tier: u8,
    /// Whether the digest pages.
    pub page: bool,
    /// An earlier try may have arrived.
    pub uncertain: bool,
    /// In 0..1: spreads the retries of many channels over the tenth before the plain wait. [`jitter`] has one.
    pub jitter: f64,
}

/// What becomes of a delivery after a try.
pub(crate) fn next_state(answer: &DeliveryResult, tried: &DeliveryTry, now: Timestamp) -> Fate {
    let tier = tried.tier;
    match answer {
        DeliveryResult::Arrived { .. } => Fate::Sent,
        DeliveryResult::Never { .. } => Fate::Dead,
        // Once: if the smaller one is refused too, size is not the cause.
        DeliveryResult::TooLarge { next_tier: Some(next), .. } if tier == 0 && *next > 0 => {
            Fate::Again { at: now, tier: *next }
        }
        DeliveryResult::TooLarge { .. } => Fate::Dead,
        DeliveryResult::Later { after, may_have_arrived, .. } => match wait(tried, *after, *may_have_arrived) {
            Some(wait) => Fate::Again { at: now.saturating_add(wait).unwrap_or(Timestamp::MAX), tier },
            None => Fate::Dead,
        },
    }
}

/// Whether the channel's next digest takes on what this try did not bring: when the channel is at fault.
///
/// What the peer rejects would spoil the next one too, and who has a part of it would read that twice.
pub(crate) fn is_carried(answer: &DeliveryResult, done_before: &[String]) -> bool {
    let done = match answer {
        DeliveryResult::Later { done, .. } => done.as_slice(),
        DeliveryResult::Never { of_content: false, .. } => &[],
        DeliveryResult::Never { .. } | DeliveryResult::TooLarge { .. } | DeliveryResult::Arrived { .. } => {
            return false;
        }
    };
    done.is_empty() && done_before.is_empty()
}

/// The wait after a try; none if it was the last.
fn wait(tried: &DeliveryTry, after: Option<Duration>, may_have_arrived: bool) -> Option<Duration> {
    let (schedule, unclear, most) = match tried.page {
        true => (PAGE, UNCLEAR_PAGE, LONGEST_RETRY_AFTER_OF_A_PAGE),
        false => (NEWS, UNCLEAR_NEWS, LONGEST_RETRY_AFTER),
    };
    let longest = match may_have_arrived {
        false => step(schedule, tried.attempts),
        // The first copy that may have arrived after many that did not is no reason to give up.
        true => step(unclear, tried.attempts).or_else(|| step(schedule, tried.attempts).filter(|_| !tried.uncertain)),
    };
    let plain = longest?.mul_f64(1.0 - 0.1 * tried.jitter.clamp(0.0, 1.0));
    Some(plain.max(after.unwrap_or_default().min(most)))
}

/// The wait after the `attempts`th try; none behind the end.
fn step(schedule: RetrySchedule, attempts: u32) -> Option<Duration> {
    let mut place = attempts.saturating_sub(1);
    for (times, wait) in schedule {
        if place < *times {
            return Some(*wait);
        }
        place -= times;
    }
    None
}

/// A number in 0..1 that is the same for the same delivery and try, and different for others.
pub(crate) fn jitter(delivery_id: &str, attempts: u32) -> f64 {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(format!("{delivery_id} {attempts}"));
    f64::from(u16::from_be_bytes([hash[0], hash[1]])) / 65_536.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_780_000_000).unwrap()
    }

    fn later(after: Option<u64>) -> DeliveryResult {
        DeliveryResult::Later {
            error: "451".into(),
            after: after.map(Duration::from_secs),
            may_have_arrived: false,
            done: Vec::new(),
        }
    }

    fn tried(attempts: u32, tier: u8) -> DeliveryTry {
        DeliveryTry { attempts, tier, page: false, uncertain: false, jitter: 0.0 }
    }

    fn wait_after(tried: DeliveryTry, answer: &DeliveryResult) -> Option<i64> {
        match next_state(answer, &tried, now()) {
            Fate::Again { at, tier: 0 } => Some((at - now()).as_secs()),
            Fate::Dead => None,
            other => panic!("{other:?}"),
        }
    }

    /// The waits after all tries but the last, in seconds.
    fn waits(page: bool, jitter: f64) -> Vec<i64> {
        let wait = |attempts| wait_after(DeliveryTry { page, jitter, ..tried(attempts, 0) }, &later(None));
        (1..).map_while(wait).collect()
    }

    /// The waits that begin within so many seconds of the first try.
    fn within(waits: &[i64], seconds: i64) -> Vec<i64> {
        let mut passed = 0;
        let begins = |wait: &&i64| {
            let begun = passed < seconds;
            passed += **wait;
            begun
        };
        waits.iter().take_while(begins).copied().collect()
    }

    #[test]
    fn a_page_is_tried_every_minute_or_two_for_hours() {
        let waits = waits(true, 0.0);
        assert_eq!(waits[..3], [5, 30, 60]);
        assert_eq!(within(&waits, 1_800).into_iter().max(), Some(60));
        assert_eq!(within(&waits, 5 * 3_600).into_iter().max(), Some(120));
        assert_eq!(waits.iter().max(), Some(&600));
    }

    #[test]
    fn news_is_tried_every_ten_minutes_in_the_first_hour_at_least() {
        let waits = waits(false, 0.0);
        assert_eq!(waits[..4], [5, 60, 300, 600]);
        assert_eq!(within(&waits, 2 * 3_600).into_iter().max(), Some(600));
        assert_eq!(waits.iter().max(), Some(&3_600));
    }

    #[test]
    fn tries_end_after_a_day_and_jitter_never_makes_a_wait_longer() {
        for page in [false, true] {
            let plain = waits(page, 0.0);
            let hours = plain.iter().sum::<i64>() / 3_600;
            assert!((26..29).contains(&hours), "{hours} h");
            let early = waits(page, 1.0);
            assert!(plain.iter().zip(&early).all(|(a, b)| b <= a && *b * 10 >= *a * 8), "{early:?}");
        }
    }

    #[test]
    fn what_may_have_arrived_each_time_is_sent_few_times_and_soon_at_first() {
        let unclear =
            DeliveryResult::Later { error: "reset".into(), after: None, may_have_arrived: true, done: Vec::new() };
        for (page, first_hour, most) in [(false, 600, 13), (true, 600, 26)] {
            let wait =
                |attempts| wait_after(DeliveryTry { page, uncertain: attempts > 1, ..tried(attempts, 0) }, &unclear);
            let waits: Vec<i64> = (1..).map_while(wait).collect();
            assert!(within(&waits, 3_600 - 600).iter().all(|wait| *wait <= first_hour), "{waits:?}");
            assert_eq!(waits.len() + 1, most);
            assert!((20..31).contains(&(waits.iter().sum::<i64>() / 3_600)), "{waits:?}");
            let after_many = DeliveryTry { page, ..tried(40, 0) };
            assert!(wait_after(after_many, &unclear).is_some(), "the first copy of all");
            assert_eq!(wait_after(DeliveryTry { uncertain: true, ..after_many }, &unclear), None);
        }
    }

    #[test]
    fn a_peer_that_asks_for_patience_gets_it_within_limits() {
        let page = DeliveryTry { page: true, ..tried(3, 0) };
        assert_eq!(wait_after(tried(1, 0), &later(Some(90))), Some(90));
        assert_eq!(wait_after(tried(3, 0), &later(Some(90))), Some(300));
        assert_eq!(wait_after(page, &later(Some(90))), Some(90));
        for forever in [86_400, u64::MAX] {
            assert_eq!(wait_after(tried(1, 0), &later(Some(forever))), Some(3_600));
            assert_eq!(wait_after(page, &later(Some(forever))), Some(120));
        }
    }

    #[test]
    fn what_is_too_large_is_tried_once_more_and_smaller() {
        let large = |next_tier| DeliveryResult::TooLarge { error: "413".into(), next_tier, done: Vec::new() };
        assert_eq!(next_state(&large(Some(1)), &tried(1, 0), now()), Fate::Again { at: now(), tier: 1 });
        assert_eq!(next_state(&large(Some(4)), &tried(2, 1), now()), Fate::Dead);
        assert_eq!(next_state(&large(None), &tried(1, 0), now()), Fate::Dead);
        let never = DeliveryResult::Never { error: "410".into(), of_content: false };
        assert_eq!(next_state(&never, &tried(1, 0), now()), Fate::Dead);
    }

    #[test]
    fn jitter_spreads_and_repeats() {
        let values: Vec<f64> = (0..50).map(|n| jitter("D-20260823-01.oncall", n)).collect();
        assert!(values.iter().all(|j| (0.0..1.0).contains(j)));
        assert!(values.iter().any(|j| *j < 0.3) && values.iter().any(|j| *j > 0.7));
        assert_eq!(jitter("a", 1), jitter("a", 1));
    }
}
