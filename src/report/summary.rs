//! The summary: what is failing now, and whether the worker itself is well.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::batch_api::{BatchApi, Presence};
use crate::model::group_state::GroupState;
use crate::model::item::ItemState;
use crate::report::filter::TimeRange;
use crate::report::history::RetryRow;
use crate::report::rows::GroupRow;

/// The one row of `report summary`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SummaryRow {
    /// The ledger's id, part of every id in digests and alerts.
    pub ledger_id: String,
    /// Failed and skipped items by state, and cancelled ones among the ignored.
    pub items: ItemCounts,
    /// Batches without an end or with items that are not shown.
    pub batches: BatchCounts,
    /// Groups by state.
    pub groups: GroupCounts,
    /// The asked window, else the last 24 hours.
    pub window: TimeRange,
    /// Items that failed in it; skipped ones do not count.
    pub items_in_window: u64,
    /// Items that recovered in it.
    pub recovered_in_window: u64,
    /// Failed observations in each of the last 24 hours, oldest first.
    pub hourly: Vec<u64>,
    /// The most urgent groups with open items, at most 10.
    pub top_groups: Vec<GroupRow>,
    /// The last scans, project by project.
    pub scans: Vec<ScanRow>,
    /// The batch APIs that each project was found to have.
    pub apis: Vec<ApiRow>,
    /// Active faults of the worker.
    pub faults: Vec<FaultRow>,
    /// Deliveries that have not arrived.
    pub deliveries: DeliveryCounts,
    /// Attempts begun in the window; none if there were none.
    pub retries: Option<RetryRow>,
    /// What was resubmitted lately.
    pub spent: BudgetUsage,
    /// What holds retries back.
    pub holds: Vec<HoldRow>,
    /// The newest digest.
    pub last_digest: Option<LastDigest>,
    /// When the next scheduled digest is due; none if not known.
    pub next_digest_at: Option<Timestamp>,
}

/// Batches without an end or with items that are not shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct BatchCounts {
    /// Not ended for far longer than such batches usually take.
    pub overdue: u64,
    /// LlamaCloud counts items of them that it does not show.
    pub missing: u64,
}

/// Items by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ItemCounts {
    /// Failed, or skipped for a reason that matters.
    pub open: u64,
    /// Resubmitted, outcome not known yet.
    pub retrying: u64,
    /// A later success was seen.
    pub recovered: u64,
    /// A person said that it does not matter.
    pub dismissed: u64,
    /// Skipped for a harmless reason, or cancelled.
    pub ignored: u64,
}

/// Groups by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct GroupCounts {
    /// Not reported yet.
    pub new: u64,
    /// Open again after it had ended.
    pub regressed: u64,
    /// Growing far beyond what is usual.
    pub escalating: u64,
    /// Reported and open.
    pub ongoing: u64,
    /// Over: without open items, or given up.
    pub resolved: u64,
    /// Of the resolved ones: with items that are still open, because nothing failed for so long, or a user said that
    /// they do not matter.
    pub given_up: u64,
}

impl GroupCounts {
    /// Counts one group with so many open items.
    pub(crate) fn add(&mut self, state: GroupState, open_items: u64) {
        self.given_up += u64::from(state == GroupState::Resolved && open_items > 0);
        *match state {
            GroupState::New => &mut self.new,
            GroupState::Regressed => &mut self.regressed,
            GroupState::Escalating => &mut self.escalating,
            GroupState::Ongoing => &mut self.ongoing,
            GroupState::Resolved => &mut self.resolved,
        } += 1;
    }

    /// Groups with open items.
    pub(crate) fn open(&self) -> u64 {
        self.new + self.regressed + self.escalating + self.ongoing
    }

    /// All of them.
    pub(crate) fn all(&self) -> u64 {
        self.open() + self.resolved
    }
}

impl ItemCounts {
    /// Counts items of one state.
    pub(crate) fn set(&mut self, state: ItemState, count: u64) {
        *match state {
            ItemState::Open => &mut self.open,
            ItemState::Retrying => &mut self.retrying,
            ItemState::Recovered => &mut self.recovered,
            ItemState::Dismissed => &mut self.dismissed,
            ItemState::Ignored => &mut self.ignored,
        } = count;
    }

    /// All of them.
    pub(crate) fn all(&self) -> u64 {
        self.open + self.retrying + self.recovered + self.dismissed + self.ignored
    }
}

/// A project's scans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ScanRow {
    /// The configured project name.
    pub project: String,
    /// When the newest scan began.
    pub started_at: Timestamp,
    /// When it ended; none while it runs, or after a crash.
    pub finished_at: Option<Timestamp>,
    /// Whether it read everything that could hold news.
    pub complete: bool,
    /// When the newest complete scan ended; none if there was none.
    pub complete_at: Option<Timestamp>,
    /// Batches seen in its job list.
    pub batches_listed: u64,
    /// Items it listed.
    pub items_listed: u64,
    /// Rows it could not understand and only counted.
    pub unreadable: u64,
    /// The first thing that made it incomplete.
    pub error: Option<String>,
}

/// What was found of a batch API of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ApiRow {
    /// The configured project name.
    pub project: String,
    /// `v2` or `v1-beta`.
    pub api: BatchApi,
    /// `present`, or `absent` if it does not exist.
    pub presence: Presence,
    /// Its batch list showed batches of the look-back window when it was last read.
    pub active: bool,
    /// The HTTP status of the last list that did not exist; none after one that was read.
    pub status: Option<u16>,
    /// Since when it is present, or absent.
    pub since: Timestamp,
    /// When its list was last read, or last found not to exist.
    pub asked_at: Timestamp,
    /// The same in words.
    pub says: String,
}

/// A fault of llama-triage itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FaultRow {
    /// Its stable key.
    pub fault: String,
    /// What happened and what to do.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// How often it was seen.
    pub count: u64,
}

/// Deliveries that have not arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct DeliveryCounts {
    /// Waiting or being sent.
    pub pending: u64,
    /// Given up in the window.
    pub dead: u64,
}

/// Items resubmitted lately that have not recovered; the budget counts these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct BudgetUsage {
    /// In the last hour.
    pub last_hour: u64,
    /// In the last 24 hours.
    pub last_day: u64,
    /// The hour's budget; none if not known here.
    pub per_hour: Option<u64>,
    /// The day's budget; none if not known here.
    pub per_day: Option<u64>,
}

/// A project or a group whose retries are held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct HoldRow {
    /// `project:NAME`, or a group id.
    pub scope: String,
    /// `account-stop`, `waiting`, `held`, or of a group `resting`, `needs-decision`.
    pub state: String,
    /// Until when; none: until there is evidence, or a person decides.
    pub until: Option<Timestamp>,
    /// The reason.
    pub why: Option<String>,
}

/// The newest digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LastDigest {
    /// Its id.
    pub digest_id: String,
    /// When it was decided.
    pub created_at: Timestamp,
}
