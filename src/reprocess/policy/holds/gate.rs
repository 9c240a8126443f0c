//! What holds every group at once: an incident, the global breaker, an account that cannot pay.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::reprocess::policy::holds::delay::later;
use crate::reprocess::policy::holds::outage_signal::Weather;
use crate::reprocess::policy::limits::Limits;

/// Why everything is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// Many groups turned new or escalating together.
    Incident,
    /// Many attempts over several groups failed.
    FailingAttempts,
    /// Much of the account's own work is failing.
    Storm,
    /// The probe after a hold failed.
    ProbeFailed,
}

/// Whether automatic retries may go at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// Yes.
    #[default]
    Open,
    /// No, until a time; then one canary of one group probes for all.
    Held {
        /// Why.
        reason: HoldReason,
        /// When the probe may go.
        until: Timestamp,
        /// Probes that failed so far; doubles the next hold.
        failed_probes: u32,
    },
    /// The probe is under way.
    Probing {
        /// Probes that failed so far.
        failed_probes: u32,
    },
    /// Key, role, credits or quota: nothing goes until there is evidence that the account works again.
    AccountStop {
        /// When the API refused.
        since: Timestamp,
        /// Probes in vain so far; each doubles the time before a completion counts as evidence.
        failed_probes: u32,
    },
}

/// Evidence that an account works counts after a day at the latest, however often it was wrong.
const LONGEST_DOUBT: SignedDuration = SignedDuration::from_hours(24);

/// An attempt that ended, for the global breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptResult {
    /// When it ended.
    pub at: Timestamp,
    /// Its group.
    pub group_id: String,
    /// Whether it failed; throttled and cancelled ones are left out.
    pub failed: bool,
}

impl Gate {
    /// What this cycle's look at the account does to the gate.
    #[must_use]
    pub fn observe(
        self,
        now: Timestamp,
        incident: bool,
        failing_attempts: bool,
        weather: Weather,
        limits: &Limits,
    ) -> Self {
        let reason = if incident {
            HoldReason::Incident
        } else if failing_attempts {
            HoldReason::FailingAttempts
        } else if weather == Weather::Storm {
            HoldReason::Storm
        } else {
            return self;
        };
        match self {
            Self::AccountStop { .. } | Self::Probing { .. } => self,
            Self::Open => Self::Held { reason, until: later(now, limits.hold), failed_probes: 0 },
            Self::Held { until, failed_probes, .. } => {
                Self::Held { reason, until: until.max(later(now, limits.hold)), failed_probes }
            }
        }
    }

    /// Whether a probe, one item of one group, is what may go now.
    pub fn wants_probe(self, now: Timestamp) -> bool {
        matches!(self, Self::Held { until, .. } if now >= until)
    }

    /// The probe was posted.
    #[must_use]
    pub fn probe_posted(self) -> Self {
        match self {
            Self::Held { failed_probes, .. } => Self::Probing { failed_probes },
            other => other,
        }
    }

    /// The probe ended: recovered opens, failed holds twice as long, `None` (throttled, cancelled, not submitted) holds as long as before.
    #[must_use]
    pub fn probe_ended(self, now: Timestamp, recovered: Option<bool>, limits: &Limits) -> Self {
        let Self::Probing { failed_probes } = self else { return self };
        match recovered {
            Some(true) => Self::Open,
            Some(false) => held_after_probe(now, failed_probes + 1, limits),
            None => held_after_probe(now, failed_probes, limits),
        }
    }

    /// Opens a hold whose time is over: where nothing is retried by itself, no probe would ever do it.
    #[must_use]
    pub fn without_probe(self, now: Timestamp) -> Self {
        if self.wants_probe(now) { Self::Open } else { self }
    }

    /// The API or an item said that the account cannot go on.
    ///
    /// A gate that was not open was lifted in vain: only a probe that recovers shows that a retry of ours may be made.
    #[must_use]
    pub fn stop_account(self, now: Timestamp) -> Self {
        let failed_probes = match self {
            Self::AccountStop { .. } => return self,
            Self::Open => 0,
            Self::Held { failed_probes, .. } | Self::Probing { failed_probes } => failed_probes + 1,
        };
        Self::AccountStop { since: now, failed_probes }
    }

    /// Evidence that the account works: an item of anybody's completed at this time.
    ///
    /// Only after the stop, with a margin for work that was under way when it came. The margin doubles with each probe in vain:
    /// what another key or a cache completes says nothing about our right to create work.
    #[must_use]
    pub fn saw_completion(self, completed_at: Timestamp, limits: &Limits) -> Self {
        match self {
            Self::AccountStop { since, failed_probes }
                if completed_at > later(since, doubled(limits.hold, failed_probes, LONGEST_DOUBT)) =>
            {
                Self::Held { reason: HoldReason::ProbeFailed, until: completed_at, failed_probes }
            }
            other => other,
        }
    }

    /// A person opened it (with a reason for the audit), or a refused key was changed; the next thing to go is still one probe.
    #[must_use]
    pub fn reset(self, now: Timestamp) -> Self {
        match self {
            Self::Open => Self::Open,
            _ => Self::Held { reason: HoldReason::ProbeFailed, until: now, failed_probes: 0 },
        }
    }
}

fn held_after_probe(now: Timestamp, failed_probes: u32, limits: &Limits) -> Gate {
    let hold = doubled(limits.hold, failed_probes, limits.longest_hold);
    Gate::Held { reason: HoldReason::ProbeFailed, until: later(now, hold), failed_probes }
}

fn doubled(time: SignedDuration, times: u32, longest: SignedDuration) -> SignedDuration {
    time.saturating_mul(1 << times.min(8)).min(longest)
}

/// Whether five groups turned new or escalating within the 30 minutes before `now`: a vendor outage makes many groups.
pub fn incident(now: Timestamp, turned: &[(Timestamp, String)]) -> bool {
    let since = now - SignedDuration::from_mins(30);
    let groups: BTreeSet<&str> =
        turned.iter().filter(|(at, _)| *at > since && *at <= now).map(|(_, g)| g.as_str()).collect();
    groups.len() >= 5
}

/// Whether 30 % of at least 20 attempts in the hour before `now` failed, over at least 3 groups.
pub fn global_breaker_trips(now: Timestamp, attempts: &[AttemptResult]) -> bool {
    let since = now - SignedDuration::from_hours(1);
    let recent: Vec<&AttemptResult> = attempts.iter().filter(|a| a.at > since && a.at <= now).collect();
    let failed: Vec<&&AttemptResult> = recent.iter().filter(|a| a.failed).collect();
    let groups: BTreeSet<&str> = failed.iter().map(|a| a.group_id.as_str()).collect();
    recent.len() >= 20 && failed.len() * 10 >= recent.len() * 3 && groups.len() >= 3
}
