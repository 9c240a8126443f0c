//! Why an item is not retried, as people read it.

use jiff::Timestamp;

use crate::model::class::Class;
use crate::reprocess::policy::budget::Budget;
use crate::reprocess::policy::hold::HoldReason;

/// Why an item is left out of a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exclusion {
    /// It completed since.
    #[error("it has completed since")]
    Recovered,
    /// A person dismissed it.
    #[error("it is dismissed; `group undismiss` undoes that")]
    Dismissed,
    /// It was skipped for a harmless reason.
    #[error("it was skipped for a harmless reason")]
    Harmless,
    /// Its class says that the work was done.
    #[error("its class is done: nothing failed")]
    Done,
    /// It stands for a batch that failed as a whole without naming its files.
    #[error("the whole batch failed without naming its files; recreate it")]
    WholeBatch,
    /// It is, or may be, pending or processing in a batch.
    #[error("it is, or may be, processing in batch {batch_id}")]
    Running {
        /// The batch.
        batch_id: String,
    },
    /// Another intent claims it.
    #[error("intent {intent_id} claims it")]
    Claimed {
        /// The intent.
        intent_id: String,
    },
    /// The API definitely refused this item.
    #[error("LlamaCloud refused this item alone; it is left out for a week")]
    Refused,
    /// Its last retry was cancelled at LlamaCloud.
    #[error("its retry was cancelled at LlamaCloud (seen {at:.0}); retry it manually")]
    RetryCancelled {
        /// When that was seen.
        at: Timestamp,
    },
    /// No job config is known for it.
    #[error("no job config is known for it; add a [[reprocess.job-config]]")]
    NoJobConfig,
    /// Its class is not retried automatically.
    #[error("class {class} is not retried automatically")]
    Class {
        /// The class.
        class: Class,
    },
    /// Its class has become one that a retry hardly helps since a person saw the plan.
    #[error("its class has changed to {class} since the plan; make a new plan if it is still wanted")]
    ClassChanged {
        /// The class now.
        class: Class,
    },
    /// It failed for its parameters, which have not changed.
    #[error("it failed for its parameters and they have not changed")]
    SameConfig,
    /// It failed before the first start of the program.
    #[error("it failed before the first start; baseline = true in [reprocess] includes it")]
    Baseline,
    /// All automatic attempts of this episode are used up.
    #[error("attempt limit reached ({made} in this episode)")]
    Attempts {
        /// Made.
        made: u32,
    },
    /// All attempts of its life are used up.
    #[error("lifetime attempt limit reached ({made})")]
    AttemptsInLife {
        /// Made.
        made: u32,
    },
    /// Its delay is not over.
    #[error("next attempt not before {until:.0}")]
    Delay {
        /// When it is.
        until: Timestamp,
    },
    /// Its group's last step has not ended.
    #[error("retries of its group are under way")]
    StepRunning,
    /// Its group rests after a lost probe.
    #[error("its group's last probe was lost; next probe at {until:.0}")]
    Rests {
        /// When the next probe goes.
        until: Timestamp,
    },
    /// All probes of its group were lost.
    #[error("all probes of its group were lost; needs a decision since {since:.0}")]
    PersonDecides {
        /// When the last one was.
        since: Timestamp,
    },
    /// Others of its group go first.
    #[error("other items of its group are retried first")]
    LaterStep,
    /// It failed again, and too few of its group that did so recover.
    #[error("it failed again, and too few such items of its group recover")]
    LaterTriesFail,
    /// Everything of its project is held.
    #[error("{reason}; retries are held until {until:.0}")]
    Held {
        /// Why.
        reason: HoldReason,
        /// Until when.
        until: Timestamp,
    },
    /// The account is stopped: key, role, credits or quota.
    #[error("LlamaCloud refuses the account since {since:.0} (key, role, credits or quota)")]
    AccountStopped {
        /// Since when.
        since: Timestamp,
    },
    /// It failed for the account, and nothing has completed since.
    #[error("it failed for the account, and nothing has completed since")]
    AccountUnproven,
    /// A budget is used up.
    #[error("{budget} budget exhausted")]
    Budget {
        /// Which.
        budget: Budget,
    },
    /// Not among the first items that were asked for.
    #[error("over --limit")]
    OverLimit,
    /// No retry is known to help its class, and another item of its group goes to try.
    #[error(
        "a retry does not help its class (permanent-input); one item of its group is retried, `--permanent` includes all"
    )]
    OneOfPermanent,
}
