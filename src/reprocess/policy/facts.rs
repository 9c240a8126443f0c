//! What the decisions need to know about items and groups; the ledger fills these in.

use jiff::Timestamp;

use crate::model::class::Class;
use crate::reprocess::policy::group_state::GroupState;
use crate::reprocess::policy::holds::directory_stats::Senders;

/// The state of an item in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemState {
    /// Failed, or skipped for a reason that matters.
    Open,
    /// An attempt is under way.
    Retrying,
    /// Completed since.
    Recovered,
    /// A person decided that nothing is to be done.
    Dismissed,
    /// Skipped for a harmless reason.
    Ignored,
}

/// One failed or skipped item.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemFacts {
    /// The item.
    pub item_id: String,
    /// The group of its newest failure.
    pub group_id: String,
    /// `parse`, `extract`, `classify`.
    pub job_type: String,
    /// Its directory or batch: what later steps are spread over; empty when not known.
    pub directory: String,
    /// Size class for spreading: bytes or pages; `None` when not known.
    pub size: Option<u64>,
    /// State in the ledger.
    pub state: ItemState,
    /// Class of its newest failure.
    pub class: Class,
    /// Class that it had in the plan that a person approved; `None` where nobody did, or it is not known.
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
    /// Its file or name was deleted.
    pub deleted: bool,
    /// The API definitely refused this very item.
    pub refused: bool,
    /// POSTs of it alone that were refused: another item is the better canary.
    pub refusals: u32,
    /// When its newest attempt ended because somebody cancelled it, if it has not failed elsewhere since.
    pub cancelled_at: Option<Timestamp>,
    /// Failed before the first start of the program and not released by hand.
    pub baseline: bool,
    /// Attempts with these parameters in this episode; throttled ones are not counted.
    pub attempts: u32,
    /// Attempts in its life; throttled ones are not counted.
    pub attempts_in_life: u32,
    /// Throttled answers since its last counted attempt.
    pub throttled_waits: u32,
    /// When the API asked to come back.
    pub retry_after: Option<Timestamp>,
    /// What a retry is thought to cost, in credits; `None` when no price or page count is known.
    pub credits: Option<f64>,
}

impl ItemFacts {
    /// Whether its class has become one that a retry hardly helps since a person approved the plan.
    pub(crate) fn has_turned(&self) -> bool {
        let hardly_helps = match self.class {
            Class::Done | Class::PermanentInput | Class::Config | Class::Account | Class::Cancelled => true,
            Class::Throttled | Class::Transient | Class::Unknown => false,
        };
        hardly_helps && self.planned_as.is_some_and(|then| then != self.class)
    }
}

/// A group with what retries have shown about it so far.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupFacts {
    /// The group.
    pub group_id: String,
    /// Whether the wording hides the cause (the rule's `generic`, or no rule).
    pub generic: bool,
    /// Event time of its newest failure that is not a retry's.
    pub last_failure: Timestamp,
    /// Persisted state.
    pub state: GroupState,
    /// What first retries came to by directory.
    pub senders: Senders,
}
