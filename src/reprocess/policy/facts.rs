//! What the decisions need to know about an item; the ledger fills it in.

use jiff::Timestamp;

use crate::model::class::Class;
use crate::model::item::ItemState;
use crate::reprocess::policy::belief::Prior;
use crate::reprocess::policy::limits::Limits;

/// One failed or skipped item.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemFacts {
    /// The item.
    pub item_id: String,
    /// The group of its newest failure.
    pub group_id: String,
    /// `parse`, `extract`, `classify`.
    pub job_type: String,
    /// The batch that it failed in.
    pub batch_id: String,
    /// The extension of its name, in lower case; empty if it has none.
    pub extension: String,
    /// State in the ledger.
    pub state: ItemState,
    /// Class of its own newest message.
    pub class: Class,
    /// Class that it had in the plan that a person approved; `None` if the plan was not approved by a person, or it is not known.
    pub planned_as: Option<Class>,
    /// Event time of its newest failure.
    pub failed_at: Timestamp,
    /// Hash of the parameters a retry would use; `None` when no job config is known.
    pub config_hash: Option<String>,
    /// Hash of the parameters it failed with; `None` when not known.
    pub failed_config_hash: Option<String>,
    /// The intent that claims it.
    pub claimed_by: Option<String>,
    /// A batch in which it is pending or processing.
    pub running_in: Option<String>,
    /// It stands for all files of a batch that failed as a whole.
    pub whole_batch: bool,
    /// The API definitely refused this very item.
    pub refused: bool,
    /// POSTs of it alone that were refused: another item is the better probe.
    pub refusals: u32,
    /// When its newest attempt ended because it was cancelled at LlamaCloud, if it has not failed elsewhere since.
    pub cancelled_at: Option<Timestamp>,
    /// Failed before the first start of the program and not released by hand.
    pub baseline: bool,
    /// Attempts with these parameters in this episode; throttled ones are not counted.
    pub attempts: u32,
    /// Attempts in its life; throttled ones are not counted.
    pub attempts_in_life: u32,
    /// Throttled answers since its last counted attempt.
    pub throttled_waits: u32,
    /// What a retry is thought to cost, in credits; `None` when no price or page count is known.
    pub credits: Option<f64>,
}

impl ItemFacts {
    /// Whether its class has become one that a retry hardly helps since a person approved the plan.
    pub(crate) fn has_turned(&self) -> bool {
        prior(self.class).is_none_or(|_| matches!(self.class, Class::Config | Class::Account))
            && self.planned_as.is_some_and(|then| then != self.class)
    }
}

/// Whether documents of a class are retried automatically at all.
pub(crate) fn is_automatic(class: Class, limits: &Limits) -> bool {
    prior(class).is_some() && (class != Class::Unknown || limits.probe_unknown)
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
