//! How likely a retry of a group recovers its document: counted from what earlier ones came to, newer ones weighing more.

use jiff::{SignedDuration, Timestamp};

use crate::config::reprocess::ReprocessConfig;
use crate::model::class::Class;

/// One retry of a document of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Try {
    /// Which try of its document it is, from 1; tries that were throttled are not counted.
    pub number: u32,
    /// When it was sent.
    pub started_at: Timestamp,
    /// When its outcome was seen; none while it is under way.
    pub ended_at: Option<Timestamp>,
    /// What it came to.
    pub result: TryResult,
}

/// What a retry says about its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryResult {
    /// Nothing yet.
    Running,
    /// Its document completed.
    Recovered,
    /// Its document failed again.
    Lost,
    /// Nothing: throttled, cancelled, of unclear outcome.
    Neutral,
    /// The API refused the request, and accepted no other of the same run.
    Refused,
}

/// What is thought of a group's first tries before any was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prior {
    /// Four of five recover: the cause passes.
    Passing,
    /// One of two recovers: the cause is not known.
    Open,
}

/// What is thought of retries of a class before any was made; none for those that are never made automatically.
pub(crate) fn prior(class: Class) -> Option<Prior> {
    match class {
        Class::Transient | Class::Throttled => Some(Prior::Passing),
        // Of an account that works again and of other parameters nothing is known yet.
        Class::Unknown | Class::Config | Class::Account => Some(Prior::Open),
        Class::Done | Class::PermanentInput | Class::Cancelled => None,
    }
}

/// Whether documents of a class are retried automatically at all.
pub(crate) fn is_automatic(class: Class, config: &ReprocessConfig) -> bool {
    prior(class).is_some() && (class != Class::Unknown || config.probes_unknown())
}

/// A Beta distribution over "this try recovers its document".
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Belief {
    recovered: f64,
    lost: f64,
}

/// A first try counts half after this: outages pass within hours.
const FIRST_TRY_HALVES: SignedDuration = SignedDuration::from_hours(12);
/// Later tries are mostly made at documents that will never recover, and those stay as they are.
const LATER_TRY_HALVES: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Belief {
    /// What the tries of this number that ended by `now` have shown.
    pub(crate) fn of(tries: &[Try], number: u32, prior: Prior, now: Timestamp) -> Belief {
        let (recovered, lost) = if number == 1 && prior == Prior::Passing { (4.0, 1.0) } else { (1.0, 1.0) };
        let halves = if number == 1 { FIRST_TRY_HALVES } else { LATER_TRY_HALVES };
        let mut belief = Belief { recovered, lost };
        for one in tries.iter().filter(|one| one.number.min(LAST_NUMBER) == number) {
            let Some(ended_at) = one.ended_at.filter(|at| *at <= now) else { continue };
            let weight = 0.5_f64.powf((now - ended_at).as_secs_f64() / halves.as_secs_f64());
            match one.result {
                TryResult::Recovered => belief.recovered += weight,
                TryResult::Lost => belief.lost += weight,
                TryResult::Running | TryResult::Neutral | TryResult::Refused => {}
            }
        }
        belief
    }

    /// The expected share that recovers.
    pub(crate) fn share(self) -> f64 {
        self.recovered / (self.recovered + self.lost)
    }

    /// How many may go at once: were all of them lost, the share would still be `worth`. None below that share, at least one above it.
    ///
    /// From one recovery of two expected this gives 5, 20, 80 as long as all recover.
    pub(crate) fn room(self, worth: f64) -> u32 {
        if self.share() < worth {
            return 0;
        }
        let room = (self.recovered / worth - self.recovered - self.lost).round().clamp(1.0, f64::from(u32::MAX));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range of u32")]
        let room = room as u32;
        room
    }
}

/// Third and later tries are of one kind.
pub(crate) const LAST_NUMBER: u32 = 3;
