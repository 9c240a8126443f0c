//! The breaker of one group: after a step that failed the group rests, longer each time.

use jiff::{SignedDuration, Timestamp};

use crate::reprocess::policy::holds::delay::later;
use crate::reprocess::policy::limits::Limits;

/// Whether a group may be retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// Retries may go; `opened` counts failures in a row before.
    Closed {
        /// How often it opened since the last recovery.
        opened: u32,
    },
    /// Resting. When `until` is over one canary may go: half-open.
    Open {
        /// When the failed step was seen.
        since: Timestamp,
        /// End of the rest.
        until: Timestamp,
        /// How often it opened since the last recovery, this time included.
        opened: u32,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { opened: 0 }
    }
}

impl Breaker {
    /// Opens it: 6 h the first time, doubling to 7 days.
    #[must_use]
    pub fn open(self, now: Timestamp, limits: &Limits) -> Self {
        let opened = self.opened() + 1;
        Self::Open { since: now, until: later(now, open_time(opened, limits)), opened }
    }

    /// Closes it: a canary recovered, the config changed, or a person said why (the reason goes to the audit).
    #[must_use]
    pub fn reset(self) -> Self {
        Self::default()
    }

    /// Whether nothing of the group may go at `now`.
    pub fn blocks(self, now: Timestamp) -> bool {
        matches!(self, Self::Open { until, .. } if now < until)
    }

    /// Whether exactly one canary may go at `now`.
    pub fn is_half_open(self, now: Timestamp) -> bool {
        matches!(self, Self::Open { until, .. } if now >= until)
    }

    /// How often it opened since the last recovery.
    pub fn opened(self) -> u32 {
        match self {
            Self::Closed { opened } | Self::Open { opened, .. } => opened,
        }
    }
}

fn open_time(opened: u32, limits: &Limits) -> SignedDuration {
    let doublings = opened.saturating_sub(1).min(16);
    limits.breaker_open.saturating_mul(1 << doublings).min(limits.breaker_longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_for_six_hours_doubling_to_seven_days() {
        let limits = Limits::default();
        let mut breaker = Breaker::default();
        let mut hours = Vec::new();
        for _ in 0..7 {
            breaker = breaker.open(Timestamp::UNIX_EPOCH, &limits);
            if let Breaker::Open { until, .. } = breaker {
                hours.push(until.as_second() / 3600);
                assert!(breaker.blocks(until - SignedDuration::from_secs(1)));
                assert!(breaker.is_half_open(until) && !breaker.blocks(until));
            }
        }
        assert_eq!(hours, [6, 12, 24, 48, 96, 168, 168]);
        assert_eq!(breaker.reset(), Breaker::Closed { opened: 0 });
    }
}
