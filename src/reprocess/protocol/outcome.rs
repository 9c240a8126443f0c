//! What became of an attempt. Submitted is not recovered.

use jiff::Timestamp;

use crate::model::class::Class;
use crate::reprocess::policy::limits::Limits;

/// The outcome of one attempt at one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum Outcome {
    /// No terminal state yet.
    Running,
    /// It completed.
    Recovered,
    /// It failed with the same group.
    FailedSame,
    /// It failed with another group: often the first problem is gone.
    FailedDifferently,
    /// It was skipped because the work had been done before.
    AlreadyProcessed,
    /// It was cancelled at LlamaCloud.
    Cancelled,
    /// No terminal state within 24 hours, or the API does not know the batch any more.
    Expired,
    /// The batch ended without saying what became of the item.
    Unknown,
}

/// The item's status in the new batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterStatus {
    /// Pending or processing.
    Running,
    /// Completed.
    Completed,
    /// Failed.
    Failed,
    /// Skipped.
    Skipped,
    /// Cancelled.
    Cancelled,
    /// Not in a complete listing of a batch that has ended.
    Missing,
    /// The API does not know the batch any more.
    Gone,
}

/// What the new batch says about the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetriedItem<'a> {
    /// Its status.
    pub status: AfterStatus,
    /// The group of the new failure; empty when it did not fail.
    pub group_id: &'a str,
    /// The class of the new failure or skip.
    pub class: Class,
}

/// The outcome of an attempt that began at `started_at` with an item of `group_before`.
pub(crate) fn outcome(
    group_before: &str,
    after: &RetriedItem<'_>,
    started_at: Timestamp,
    now: Timestamp,
    limits: &Limits,
) -> Outcome {
    match after.status {
        AfterStatus::Completed => Outcome::Recovered,
        AfterStatus::Failed if after.group_id == group_before => Outcome::FailedSame,
        AfterStatus::Failed => Outcome::FailedDifferently,
        AfterStatus::Skipped if after.class == Class::Done => Outcome::AlreadyProcessed,
        AfterStatus::Skipped => Outcome::FailedDifferently,
        AfterStatus::Cancelled => Outcome::Cancelled,
        AfterStatus::Missing => Outcome::Unknown,
        AfterStatus::Gone => Outcome::Expired,
        AfterStatus::Running if now - started_at >= limits.expires_after => Outcome::Expired,
        AfterStatus::Running => Outcome::Running,
    }
}

impl Outcome {
    /// Whether the item may be called recovered; already processed only when processing-results show its output.
    pub(crate) const fn recovers(self, result_seen: bool) -> bool {
        matches!(self, Self::Recovered) || (matches!(self, Self::AlreadyProcessed) && result_seen)
    }

    /// Whether the attempt counts against the caps: throttled and cancelled ones do not.
    pub(crate) const fn uses_attempt(self, class_after: Class) -> bool {
        !matches!(self, Self::Running | Self::Cancelled) && !self.was_held_off(class_after)
    }

    const fn was_held_off(self, class_after: Class) -> bool {
        matches!(self, Self::FailedSame | Self::FailedDifferently)
            && matches!(class_after, Class::Throttled | Class::Account)
    }
}
