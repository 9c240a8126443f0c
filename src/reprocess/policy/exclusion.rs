//! Why an item is not retried, as people read it.

use jiff::Timestamp;

use crate::model::class::Class;
use crate::reprocess::policy::budget::Budget;
use crate::reprocess::policy::hold::HoldReason;

/// Why an item is left out of a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exclusion {
    #[error("it has completed since")]
    Recovered,
    #[error("it is dismissed; `group undismiss` undoes that")]
    Dismissed,
    #[error("it was skipped for a harmless reason")]
    Harmless,
    #[error("someone cancelled it; submit it again where it came from")]
    Cancelled,
    #[error("its class is done: nothing failed")]
    Done,
    #[error("it stands for a whole batch, whose files are not known; recreate the batch")]
    WholeBatch,
    /// In this batch.
    #[error("it is, or may be, processing in batch {0}")]
    Running(String),
    /// By this intent.
    #[error("intent {0} claims it")]
    Claimed(String),
    #[error("LlamaCloud refused this item alone; it is left out for a week")]
    Refused,
    #[error("its retry was cancelled at LlamaCloud (seen {0:.0}); retry it manually")]
    RetryCancelled(Timestamp),
    /// With what is to be done about it.
    #[error("{0}")]
    NoJobConfig(String),
    #[error("class {0} is not retried automatically")]
    Class(Class),
    /// A retry hardly helps this class.
    #[error("its class has changed to {0} since the plan; make a new plan if it is still wanted")]
    ClassChanged(Class),
    #[error("it failed for its parameters and they have not changed")]
    SameConfig,
    #[error("it failed before the first start; baseline = true in [reprocess] includes it")]
    Baseline,
    #[error("attempt limit reached ({0} in this episode)")]
    Attempts(u32),
    #[error("lifetime attempt limit reached ({0})")]
    AttemptsInLife(u32),
    #[error("next attempt not before {0:.0}")]
    Delay(Timestamp),
    #[error("retries of its group are under way")]
    StepRunning,
    #[error("its group's last probe was lost; next probe at {0:.0}")]
    Rests(Timestamp),
    #[error("all probes of its group were lost; needs a decision since {0:.0}")]
    PersonDecides(Timestamp),
    #[error("other items of its group are retried first")]
    LaterStep,
    #[error("it failed again, and too few such items of its group recover")]
    LaterTriesFail,
    /// All of its project is held, until then.
    #[error("{0}; retries are held until {1:.0}")]
    Held(HoldReason, Timestamp),
    #[error("LlamaCloud refuses the account since {0:.0} (key, role, credits or quota)")]
    AccountStopped(Timestamp),
    #[error("it failed for the account, and nothing has completed since")]
    AccountUnproven,
    #[error("{0} budget exhausted")]
    Budget(Budget),
    #[error("over --limit")]
    OverLimit,
    #[error(
        "a retry does not help its class (permanent-input); one item of its group is retried, `--permanent` includes all"
    )]
    OneOfPermanent,
}
