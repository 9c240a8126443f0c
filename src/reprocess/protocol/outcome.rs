//! What became of an attempt. Submitted is not recovered.

use jiff::SignedDuration;

use crate::model::class::Class;
use crate::model::item::ItemStatus;

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

/// What the batches of an intent say of an item; of several, the best news counts, which stands first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    Completed,
    /// Pending or processing, or of a status that this version does not know, which is not taken for an end.
    Running,
    Failed,
    Skipped,
    Cancelled,
    /// Not in a complete listing of a batch that has ended.
    Missing,
    /// The API does not know the batch any more.
    Gone,
}

impl From<&ItemStatus> for Standing {
    fn from(status: &ItemStatus) -> Standing {
        match status {
            ItemStatus::Completed => Standing::Completed,
            ItemStatus::Failed => Standing::Failed,
            ItemStatus::Skipped => Standing::Skipped,
            ItemStatus::Cancelled => Standing::Cancelled,
            ItemStatus::Pending | ItemStatus::Processing | ItemStatus::Unknown(_) => Standing::Running,
        }
    }
}

/// After this an attempt without a terminal state has expired.
pub(crate) const EXPIRES_AFTER: SignedDuration = SignedDuration::from_hours(24);

impl Outcome {
    /// The outcome of an attempt of this age: whether it failed with the `same_group`, and the class of the failure or skip.
    pub(crate) fn of(standing: Standing, same_group: bool, class: Class, age: SignedDuration) -> Outcome {
        match standing {
            Standing::Completed => Outcome::Recovered,
            Standing::Failed if same_group => Outcome::FailedSame,
            Standing::Skipped if class == Class::Done => Outcome::AlreadyProcessed,
            Standing::Failed | Standing::Skipped => Outcome::FailedDifferently,
            Standing::Cancelled => Outcome::Cancelled,
            Standing::Missing => Outcome::Unknown,
            Standing::Gone => Outcome::Expired,
            Standing::Running if age >= EXPIRES_AFTER => Outcome::Expired,
            Standing::Running => Outcome::Running,
        }
    }

    /// Whether the attempt counts against the caps: throttled and cancelled ones do not.
    pub(crate) const fn counts(self, class: Class) -> bool {
        match self {
            Self::Running | Self::Cancelled => false,
            Self::FailedSame | Self::FailedDifferently => !matches!(class, Class::Throttled | Class::Account),
            _ => true,
        }
    }
}
