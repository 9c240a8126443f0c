//! The rules of the outbox: when a delivery is tried again, and when it is dead.

use std::time::Duration;

use jiff::Timestamp;

/// The waits after each failed try (Svix's schedule). A try after the last of them is the last.
const WAITS: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(300),
    Duration::from_secs(1800),
    Duration::from_secs(7200),
    Duration::from_secs(18_000),
    Duration::from_secs(36_000),
    Duration::from_secs(36_000),
];

/// A peer that asks for more patience than this gets this much.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(86_400);

/// What a try came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It arrived.
    Arrived {
        /// What the peer said.
        answer: String,
        /// Recipients that will never get it, with the reason.
        refused: Vec<String>,
    },
    /// It did not, and trying again can help.
    Later {
        /// Why.
        error: String,
        /// When the peer asked to come back, from now.
        after: Option<Duration>,
        /// It may have arrived all the same.
        may_have_arrived: bool,
        /// Recipients or events that are done.
        done: Vec<String>,
    },
    /// It is too large for the peer.
    TooLarge {
        /// Why.
        error: String,
        /// The next smaller rendering; none if there is none.
        next_tier: Option<u8>,
        /// Recipients or events that are done.
        done: Vec<String>,
    },
    /// It never will.
    Never {
        /// Why.
        error: String,
        /// The peer dislikes this content rather than the channel.
        of_content: bool,
    },
}

/// What becomes of a delivery after a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Done.
    Sent,
    /// Tried again at this time, rendered at least this much smaller.
    Again {
        /// Not before.
        at: Timestamp,
        /// As stored with the delivery.
        tier: u8,
    },
    /// Given up; people are told through the other channels.
    Dead,
}

/// What becomes of a delivery after its `attempts`th try, the first being 1. `tier` is what was tried.
///
/// `jitter` is in 0..1 and spreads the retries of many channels over the tenth after the plain wait.
pub fn fate(answer: &Answer, attempts: u32, tier: u8, now: Timestamp, jitter: f64) -> Fate {
    match answer {
        Answer::Arrived { .. } => Fate::Sent,
        Answer::Never { .. } => Fate::Dead,
        // Once: whoever refuses the smaller one, too, dislikes something else about it.
        Answer::TooLarge { next_tier: Some(next), .. } if tier == 0 && *next > 0 => {
            Fate::Again { at: now, tier: *next }
        }
        Answer::TooLarge { .. } => Fate::Dead,
        Answer::Later { after, .. } => match wait(attempts, *after, jitter) {
            Some(wait) => Fate::Again { at: now.saturating_add(wait).unwrap_or(Timestamp::MAX), tier },
            None => Fate::Dead,
        },
    }
}

/// Whether the channel's next digest takes on what this try did not bring: when the channel is at fault.
///
/// What the peer dislikes would spoil the next one too, and who has a part of it would read that twice.
pub fn is_carried(answer: &Answer, done_before: &[String]) -> bool {
    let done = match answer {
        Answer::Later { done, .. } => done.as_slice(),
        Answer::Never { of_content: false, .. } => &[],
        Answer::Never { .. } | Answer::TooLarge { .. } | Answer::Arrived { .. } => return false,
    };
    done.is_empty() && done_before.is_empty()
}

fn wait(attempts: u32, after: Option<Duration>, jitter: f64) -> Option<Duration> {
    let place = usize::try_from(attempts.saturating_sub(1)).ok()?;
    let plain = WAITS.get(place)?.mul_f64(1.0 + 0.1 * jitter.clamp(0.0, 1.0));
    Some(plain.max(after.unwrap_or_default().min(LONGEST_RETRY_AFTER)))
}

/// A number in 0..1 that is the same for the same delivery and try, and different for others.
pub fn jitter(delivery_id: &str, attempts: u32) -> f64 {
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

    fn later(after: Option<u64>) -> Answer {
        Answer::Later {
            error: "451".into(),
            after: after.map(Duration::from_secs),
            may_have_arrived: false,
            done: Vec::new(),
        }
    }

    fn wait_after(attempts: u32, answer: &Answer) -> Option<i64> {
        match fate(answer, attempts, 0, now(), 0.0) {
            Fate::Again { at, tier: 0 } => Some((at - now()).as_secs()),
            Fate::Dead => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tries_follow_the_schedule_and_end() {
        let waits: Vec<Option<i64>> = (1..=8).map(|n| wait_after(n, &later(None))).collect();
        let expected = [5, 300, 1800, 7200, 18_000, 36_000, 36_000];
        assert_eq!(waits[..7], expected.map(Some));
        assert_eq!(waits[7], None);
    }

    #[test]
    fn a_peer_that_asks_for_patience_gets_it() {
        assert_eq!(wait_after(1, &later(Some(90))), Some(90));
        assert_eq!(wait_after(2, &later(Some(90))), Some(300));
        assert_eq!(wait_after(1, &later(Some(u64::MAX))), Some(86_400));
    }

    #[test]
    fn what_is_too_large_is_tried_once_more_and_smaller() {
        let large = |next_tier| Answer::TooLarge { error: "413".into(), next_tier, done: Vec::new() };
        assert_eq!(fate(&large(Some(1)), 1, 0, now(), 0.5), Fate::Again { at: now(), tier: 1 });
        assert_eq!(fate(&large(Some(4)), 2, 1, now(), 0.5), Fate::Dead);
        assert_eq!(fate(&large(None), 1, 0, now(), 0.5), Fate::Dead);
        assert_eq!(fate(&Answer::Never { error: "410".into(), of_content: false }, 1, 0, now(), 0.5), Fate::Dead);
    }

    #[test]
    fn jitter_spreads_and_repeats() {
        let values: Vec<f64> = (0..50).map(|n| jitter("D-20260823-01.oncall", n)).collect();
        assert!(values.iter().all(|j| (0.0..1.0).contains(j)));
        assert!(values.iter().any(|j| *j < 0.3) && values.iter().any(|j| *j > 0.7));
        assert_eq!(jitter("a", 1), jitter("a", 1));
    }
}
