//! Hidden causes: what really happens to an item when it is processed.
//! The worker under test sees only the messages; tests read the cause to know what was worth retrying.

use jiff::SignedDuration;

/// What a failed attempt shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// The item's `error_message`; `None` leaves the field null.
    pub message: Option<String>,
    /// The parse job's `error_code`, which batch items never carry.
    pub code: Option<String>,
    /// What the job record says when it knows more than the item; the item's message when absent.
    pub job_message: Option<String>,
    /// Whether the pages of the failed attempt are billed all the same.
    pub billed: bool,
    /// Whether `{page}`, `{uuid}` and the other placeholders of `world::template` are filled in at each failure.
    pub template: bool,
}

impl Failure {
    /// A failure that shows exactly this text.
    pub fn text(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::default() }
    }

    /// A failure whose placeholders are filled in anew each time, see `world::template`.
    pub fn template(message: impl Into<String>) -> Self {
        Self { template: true, ..Self::text(message) }
    }

    /// A failure without any message.
    pub fn silent() -> Self {
        Self::default()
    }

    /// The same failure with an `error_code` on its job record.
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same failure with a job record that says more than the item does.
    pub fn with_job_message(mut self, message: impl Into<String>) -> Self {
        self.job_message = Some(message.into());
        self
    }

    /// The same failure, billed although nothing came of it.
    pub fn billed(mut self) -> Self {
        self.billed = true;
        self
    }
}

/// Why an item ends as it does. Attempts are counted from 1 over all batches and single jobs of the item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptedCause {
    /// Every attempt completes.
    Succeeds,
    /// Every attempt fails; the message is honest about it.
    Permanent(Failure),
    /// Attempts before the given one fail, that one and later ones complete.
    Transient {
        /// The first attempt that completes, counted from 1.
        succeeds_on: u32,
        /// What the attempts before it show.
        failure: Failure,
    },
    /// Fails while the named outage lasts, then follows the other cause.
    Outage {
        /// The name given to [`crate::simulator::world::state::Outage`].
        name: String,
        /// What the attempt shows during the outage.
        failure: Failure,
        /// What happens once it is over.
        then: Box<ScriptedCause>,
    },
    /// Fails in any batch with more than this many items, because that batch runs into the rate limit.
    RateLimited {
        /// The largest batch that stays below the limit.
        most_at_once: usize,
        /// What the attempt shows above the limit.
        failure: Failure,
    },
    /// Fails like an account that may not spend until someone pays, see [`crate::simulator::world::state::World::set_credits`].
    OutOfCredits(Failure),
    /// Every attempt fails although the message promises that another one would help.
    Poison(Failure),
    /// Is skipped and never gets a job.
    Skipped {
        /// The `skip_reason`; `None` leaves it null.
        reason: Option<String>,
        /// An `error_message` beside it, seldom present.
        message: Option<String>,
    },
    /// Fails, and the service itself repeats it in the same batch after a while and succeeds.
    RecoversInPlace {
        /// What the item shows in between.
        failure: Failure,
        /// How long it shows it.
        after: SignedDuration,
    },
    /// The n-th attempt takes the n-th step; the last step repeats.
    Steps(Vec<ScriptedAttempt>),
    /// Starts and never ends.
    NeverEnds,
}

/// One attempt of [`ScriptedCause::Steps`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptedAttempt {
    /// The attempt completes.
    Completes,
    /// The attempt fails.
    Fails(Failure),
}

/// How one attempt ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptedOutcome {
    /// With a result.
    Completes,
    /// With an error.
    Fails(Failure),
    /// With an error that the service repairs automatically after the time given.
    FailsFor(Failure, SignedDuration),
    /// Without a job.
    Skips(Option<String>, Option<String>),
    /// Not at all.
    Hangs,
}

/// What an attempt meets; the cause decides from this alone.
#[derive(Debug, Clone, Copy)]
pub struct AttemptContext<'a> {
    /// The number of the attempt, counted from 1.
    pub attempt: u32,
    /// How many items the batch has.
    pub batch_size: usize,
    /// The names of the outages that last now.
    pub outages: &'a [String],
    /// Whether the project has credits left.
    pub solvent: bool,
}

impl ScriptedCause {
    /// How an attempt under these circumstances ends.
    pub fn outcome(&self, now: AttemptContext<'_>) -> ScriptedOutcome {
        match self {
            Self::Succeeds => ScriptedOutcome::Completes,
            Self::Permanent(failure) | Self::Poison(failure) => ScriptedOutcome::Fails(failure.clone()),
            Self::Transient { succeeds_on, failure } => fails_if(now.attempt < *succeeds_on, failure),
            Self::Outage { name, failure, .. } if now.outages.contains(name) => ScriptedOutcome::Fails(failure.clone()),
            Self::Outage { then, .. } => then.outcome(now),
            Self::RateLimited { most_at_once, failure } => fails_if(now.batch_size > *most_at_once, failure),
            Self::OutOfCredits(failure) => fails_if(!now.solvent, failure),
            Self::Skipped { reason, message } => ScriptedOutcome::Skips(reason.clone(), message.clone()),
            Self::RecoversInPlace { failure, after } => ScriptedOutcome::FailsFor(failure.clone(), *after),
            Self::Steps(steps) => step(steps, now.attempt),
            Self::NeverEnds => ScriptedOutcome::Hangs,
        }
    }

    /// Whether some later attempt of a failed item can complete without anyone touching the file.
    pub fn is_recoverable(&self) -> bool {
        match self {
            Self::Permanent(_) | Self::Poison(_) | Self::Skipped { .. } | Self::NeverEnds => false,
            Self::Outage { then, .. } => then.is_recoverable(),
            Self::Steps(steps) => matches!(steps.last(), Some(ScriptedAttempt::Completes)),
            _ => true,
        }
    }
}

fn fails_if(fails: bool, failure: &Failure) -> ScriptedOutcome {
    if fails { ScriptedOutcome::Fails(failure.clone()) } else { ScriptedOutcome::Completes }
}

fn step(steps: &[ScriptedAttempt], attempt: u32) -> ScriptedOutcome {
    let index = (attempt.max(1) as usize - 1).min(steps.len().saturating_sub(1));
    match steps.get(index) {
        Some(ScriptedAttempt::Fails(failure)) => ScriptedOutcome::Fails(failure.clone()),
        Some(ScriptedAttempt::Completes) | None => ScriptedOutcome::Completes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(attempt: u32) -> AttemptContext<'static> {
        AttemptContext { attempt, batch_size: 1, outages: &[], solvent: true }
    }

    #[test]
    fn a_transient_item_completes_on_its_attempt() {
        let cause = ScriptedCause::Transient { succeeds_on: 3, failure: Failure::text("busy") };
        assert!(matches!(cause.outcome(attempt(2)), ScriptedOutcome::Fails(_)));
        assert_eq!(cause.outcome(attempt(3)), ScriptedOutcome::Completes);
    }

    #[test]
    fn an_outage_hides_the_cause_behind_it() {
        let cause = ScriptedCause::Outage {
            name: "storm".into(),
            failure: Failure::text("down"),
            then: Box::new(ScriptedCause::Poison(Failure::text("again"))),
        };
        let storm = ["storm".to_owned()];
        let during = AttemptContext { outages: &storm, ..attempt(1) };
        assert_eq!(cause.outcome(during), ScriptedOutcome::Fails(Failure::text("down")));
        assert_eq!(cause.outcome(attempt(2)), ScriptedOutcome::Fails(Failure::text("again")));
        assert!(!cause.is_recoverable());
    }

    #[test]
    fn the_last_step_repeats() {
        let cause = ScriptedCause::Steps(vec![ScriptedAttempt::Completes, ScriptedAttempt::Fails(Failure::text("no"))]);
        assert_eq!(cause.outcome(attempt(1)), ScriptedOutcome::Completes);
        assert!(matches!(cause.outcome(attempt(9)), ScriptedOutcome::Fails(_)));
    }
}
