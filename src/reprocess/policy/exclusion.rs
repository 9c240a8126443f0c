//! Why an item is not retried, as people read it.

use std::fmt;

use jiff::Timestamp;

use crate::model::class::Class;
use crate::reprocess::policy::budget::Budget;
use crate::reprocess::policy::hold::HoldReason;

/// Why an item is left out of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exclusion {
    /// It completed since.
    Recovered,
    /// A person dismissed it.
    Dismissed,
    /// It was skipped for a harmless reason.
    Harmless,
    /// Its class says that the work was done.
    Done,
    /// It stands for a batch that failed as a whole without naming its files.
    WholeBatch,
    /// It is, or may be, pending or processing in a batch.
    Running {
        /// The batch.
        batch_id: String,
    },
    /// Another intent claims it.
    Claimed {
        /// The intent.
        intent_id: String,
    },
    /// The API definitely refused this item.
    Refused,
    /// Its last retry was cancelled at LlamaCloud.
    RetryCancelled {
        /// When that was seen.
        at: Timestamp,
    },
    /// No job config is known for it.
    NoJobConfig,
    /// Its class is not retried automatically.
    Class {
        /// The class.
        class: Class,
    },
    /// Its class has become one that a retry hardly helps since a person saw the plan.
    ClassChanged {
        /// The class now.
        class: Class,
    },
    /// It failed for its parameters, which have not changed.
    SameConfig,
    /// It failed before the first start of the program.
    Baseline,
    /// All automatic attempts of this episode are used up.
    Attempts {
        /// Made.
        made: u32,
    },
    /// All attempts of its life are used up.
    AttemptsInLife {
        /// Made.
        made: u32,
    },
    /// Its delay is not over.
    Delay {
        /// When it is.
        until: Timestamp,
    },
    /// Its group's last step has not ended.
    StepRunning,
    /// Its group rests after a lost probe.
    Rests {
        /// When the next probe goes.
        until: Timestamp,
    },
    /// All probes of its group were lost.
    PersonDecides {
        /// When the last one was.
        since: Timestamp,
    },
    /// Others of its group go first.
    LaterStep,
    /// It failed again, and too few of its group that did so recover.
    LaterTriesFail,
    /// Everything of its project is held.
    Held {
        /// Why.
        reason: HoldReason,
        /// Until when.
        until: Timestamp,
    },
    /// The account is stopped: key, role, credits or quota.
    AccountStopped {
        /// Since when.
        since: Timestamp,
    },
    /// It failed for the account, and nothing has completed since.
    AccountUnproven,
    /// A budget is used up.
    Budget {
        /// Which.
        budget: Budget,
    },
    /// Not among the first items that were asked for.
    OverLimit,
    /// No retry is known to help its class, and another item of its group goes to try.
    OneOfPermanent,
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recovered => f.write_str("it has completed since"),
            Self::Dismissed => f.write_str("it is dismissed; `group undismiss` undoes that"),
            Self::Harmless => f.write_str("it was skipped for a harmless reason"),
            Self::Done => f.write_str("its class is done: nothing failed"),
            Self::WholeBatch => f.write_str("the whole batch failed without naming its files; recreate it"),
            Self::Running { batch_id } => write!(f, "it is, or may be, processing in batch {batch_id}"),
            Self::Claimed { intent_id } => write!(f, "intent {intent_id} claims it"),
            Self::Refused => f.write_str("LlamaCloud refused this item alone; it is left out for a week"),
            Self::RetryCancelled { at } => {
                write!(f, "its retry was cancelled at LlamaCloud (seen {at:.0}); retry it manually")
            }
            Self::NoJobConfig => f.write_str("no job config is known for it; add a [[reprocess.job-config]]"),
            Self::Class { class } => write!(f, "class {class} is not retried automatically"),
            Self::ClassChanged { class } => {
                write!(f, "its class has changed to {class} since the plan; make a new plan if it is still wanted")
            }
            Self::SameConfig => f.write_str("it failed for its parameters and they have not changed"),
            Self::Baseline => f.write_str("it failed before the first start; baseline = true in [reprocess] includes it"),
            Self::Attempts { made } => write!(f, "attempt limit reached ({made} in this episode)"),
            Self::AttemptsInLife { made } => write!(f, "lifetime attempt limit reached ({made})"),
            Self::Delay { until } => write!(f, "next attempt not before {until:.0}"),
            Self::StepRunning => f.write_str("retries of its group are under way"),
            Self::Rests { until } => write!(f, "its group's last probe was lost; next probe at {until:.0}"),
            Self::PersonDecides { since } => write!(f, "all probes of its group were lost; needs a decision since {since:.0}"),
            Self::LaterStep => f.write_str("other items of its group are retried first"),
            Self::LaterTriesFail => f.write_str("it failed again, and too few such items of its group recover"),
            Self::Held { reason: HoldReason::Storm, until } => {
                write!(f, "many retries of several groups were lost; retries are held until {until:.0}")
            }
            Self::Held { reason: HoldReason::Incident, until } => {
                write!(f, "many groups began at once; retries are held until {until:.0}")
            }
            Self::AccountStopped { since } => {
                write!(f, "LlamaCloud refuses the account since {since:.0} (key, role, credits or quota)")
            }
            Self::AccountUnproven => f.write_str("it failed for the account, and nothing has completed since"),
            Self::Budget { budget } => write!(f, "{budget} budget exhausted"),
            Self::OverLimit => f.write_str("over --limit"),
            Self::OneOfPermanent => f.write_str(
                "a retry does not help its class (permanent-input); one item of its group is retried, `--permanent` includes all",
            ),
        }
    }
}
