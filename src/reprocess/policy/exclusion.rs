//! Why an item is not retried, as people read it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::class::Class;

/// Why an item is left out of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
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
    /// Its file was deleted.
    Deleted,
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
    /// Somebody cancelled its last retry at LlamaCloud.
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
    /// The group's breaker is open.
    BreakerOpen {
        /// Until when.
        until: Timestamp,
    },
    /// The group's canary failed in calm weather; a person must decide.
    Parked {
        /// Since when.
        since: Timestamp,
    },
    /// Its wording hides the cause, there is no other work to compare with, and the group has just failed again.
    StillFailing {
        /// When the group has been quiet for long enough.
        until: Timestamp,
    },
    /// No retry of its directory recovers while those of others in its group do.
    SenderFails {
        /// When one of them tries again.
        until: Timestamp,
    },
    /// Further tries in this group do not help.
    LaterTriesFail,
    /// An earlier step of the group's ramp has not ended.
    StepRunning,
    /// It waits for a later step of the ramp.
    LaterStep,
    /// Everything is held by an incident or the global breaker.
    Held {
        /// Until when; `None` while a probe is under way.
        until: Option<Timestamp>,
    },
    /// Another group is probing for all.
    ProbeElsewhere,
    /// The account cannot go on: key, role, credits or quota.
    AccountStopped {
        /// Since when.
        since: Timestamp,
    },
    /// A budget is used up.
    Budget {
        /// Which.
        budget: crate::reprocess::policy::budget::Budget,
    },
    /// Not among the first items that were asked for.
    OverLimit,
    /// No retry is known to help its class, and another item of its group goes to try.
    OneOfPermanent,
    /// Reprocessing is off.
    Off,
}

impl Exclusion {
    /// Whether waiting alone may make the item eligible.
    pub fn passes_with_time(&self) -> bool {
        matches!(
            self,
            Self::Running { .. }
                | Self::Claimed { .. }
                | Self::Delay { .. }
                | Self::BreakerOpen { .. }
                | Self::StillFailing { .. }
                | Self::SenderFails { .. }
                | Self::StepRunning
                | Self::LaterStep
                | Self::Held { .. }
                | Self::ProbeElsewhere
                | Self::Budget { .. }
                | Self::OverLimit
        )
    }
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recovered => f.write_str("it has completed since"),
            Self::Dismissed => f.write_str("it was dismissed; `group undismiss` brings it back"),
            Self::Harmless => f.write_str("it was skipped for a harmless reason"),
            Self::Done => f.write_str("its class (done) says that the work was done"),
            Self::WholeBatch => {
                f.write_str("it stands for a whole batch that names no files: make that batch again yourself")
            }
            Self::Deleted => f.write_str("its file was deleted"),
            Self::Running { batch_id } => write!(f, "it is, or may be, still processing in batch {batch_id}"),
            Self::Claimed { intent_id } => write!(f, "intent {intent_id} has claimed it"),
            Self::Refused => f.write_str("the API refused this item by itself; it is left out for a week"),
            Self::RetryCancelled { at } => {
                write!(f, "somebody cancelled its retry (seen at {at}), so it is retried by hand only")
            }
            Self::NoJobConfig => f.write_str("no job config is known for it; add a [[reprocess.job-config]]"),
            Self::Class { class } => write!(f, "class {class} is not retried automatically"),
            Self::ClassChanged { class } => {
                write!(f, "its class has changed to {class} since the plan: make a new one if it is still wanted")
            }
            Self::SameConfig => f.write_str("it failed for its parameters and they have not changed"),
            Self::Baseline => f.write_str("it failed before the first start; allow the baseline to retry it"),
            Self::Attempts { made } => write!(f, "all automatic attempts are used up ({made} made in this episode)"),
            Self::AttemptsInLife { made } => write!(f, "all attempts of its life are used up ({made} made)"),
            Self::Delay { until } => write!(f, "its delay is over at {until}"),
            Self::BreakerOpen { until } => {
                write!(f, "the group's breaker is open until {until}; `breaker reset` lets its canary go before")
            }
            Self::Parked { since } => {
                write!(f, "its group failed its canary at {since} while other work went through; a person must decide")
            }
            Self::StillFailing { until } => {
                write!(f, "its group is still failing and little else goes on to compare with; it waits until {until}")
            }
            Self::SenderFails { until } => {
                write!(f, "no retry of its directory recovers while others of its group do; one tries again at {until}")
            }
            Self::LaterTriesFail => f.write_str("it failed again, and items of this group that did so fail each time"),
            Self::StepRunning => f.write_str("the group's last step has not ended"),
            Self::LaterStep => f.write_str("it waits for a later step"),
            Self::Held { until: Some(until) } => write!(f, "all retries are held until {until}"),
            Self::Held { until: None } => f.write_str("all retries are held while one probe is under way"),
            Self::ProbeElsewhere => f.write_str("another group is probing for all"),
            Self::AccountStopped { since } => {
                write!(f, "the account has refused work since {since} (key, role, credits or quota)")
            }
            Self::Budget { budget: crate::reprocess::policy::budget::Budget::Run } => f.write_str("the budget per-run lets no more go at once"),
            Self::Budget { budget } => write!(f, "the budget {budget} is used up"),
            Self::OverLimit => f.write_str("it is beyond the limit that was asked for"),
            Self::OneOfPermanent => f.write_str(
                "no retry is known to help its class (permanent-input), and one item of its group goes; `--permanent`, or the group or the item by its id, lets all go",
            ),
            Self::Off => f.write_str("reprocessing is off"),
        }
    }
}
