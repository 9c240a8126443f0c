//! One intent: the items of one POST, from the plan to a batch or to none.

use jiff::Timestamp;

use crate::reprocess::protocol::post::{PostAnswer, PostMeaning, Refusal};
use crate::reprocess::protocol::reconcile::Verdict;

/// Where an intent stands.
#[derive(Clone, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum IntentState {
    /// On disk with its claims; nothing was sent.
    Planned,
    /// The POST may be under way.
    Posting,
    /// The API named the batch.
    Submitted {
        /// Its id.
        batch_id: String,
    },
    /// The API definitely refused; claims and budget are released.
    Rejected,
    /// The request never left; claims and budget are released.
    NotSent,
    /// It is not known whether a batch exists; claims are kept.
    Unknown,
    /// Reconciliation found its batch.
    Adopted {
        /// Its id.
        batch_id: String,
    },
    /// Reconciliation found several batches: the work was billed more than once, and a problem is reported.
    Duplicate {
        /// Their ids.
        batch_ids: Vec<String>,
    },
    /// Reconciliation is sure that no batch exists; claims and budget are released.
    NotSubmitted,
    /// A person cancelled it before anything was sent.
    Cancelled,
}

/// An intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Where it stands.
    pub state: IntentState,
    /// When the POST was begun; `None` before.
    pub posting_at: Option<Timestamp>,
}

/// What can happen to an intent.
#[derive(Clone, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum IntentEvent {
    /// About to POST; this is committed before the first byte.
    #[strum(serialize = "posted")]
    Post {
        /// When.
        at: Timestamp,
    },
    /// The POST was answered, or not.
    Answered(PostAnswer),
    /// The program started and found this intent.
    Restarted,
    /// Reconciliation looked.
    Reconciled(Verdict),
    /// Nothing was sent yet, and a batch that the ledger does not know does its work already.
    Found {
        /// Its id.
        batch_id: String,
        /// When it was made.
        at: Timestamp,
    },
    /// A person cancelled it.
    #[strum(serialize = "cancelled")]
    Cancel,
}

/// The event does not fit the state; nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an intent that is {state} cannot be {event}")]
pub struct BadTransition {
    /// The state's name.
    pub state: &'static str,
    /// What was to happen.
    pub event: &'static str,
}

impl Default for Intent {
    fn default() -> Self {
        Self { state: IntentState::Planned, posting_at: None }
    }
}

impl Intent {
    /// The intent after `event`; a refusal is returned beside it.
    ///
    /// # Errors
    /// When the event does not fit. In particular an intent is posted at most once.
    pub fn after(self, event: IntentEvent) -> Result<(Self, Option<Refusal>), BadTransition> {
        let posting_at = self.posting_at;
        let (state, posting_at, refusal) = match (self.state, event) {
            (IntentState::Planned, IntentEvent::Post { at }) => (IntentState::Posting, Some(at), None),
            (IntentState::Planned, IntentEvent::Found { batch_id, at }) => {
                (IntentState::Adopted { batch_id }, Some(at), None)
            }
            (IntentState::Planned, IntentEvent::Cancel) => (IntentState::Cancelled, None, None),
            // Never sent: it is safe to post it, or to plan anew.
            (IntentState::Planned, IntentEvent::Restarted) => (IntentState::Planned, None, None),
            (IntentState::Posting, IntentEvent::Answered(answer)) => {
                let (state, refusal) = answered(answer.meaning());
                (state, posting_at, refusal)
            }
            (IntentState::Posting | IntentState::Unknown, IntentEvent::Restarted) => {
                (IntentState::Unknown, posting_at, None)
            }
            // A late answer may still come while an intent is unknown; it can only add knowledge.
            (IntentState::Unknown, IntentEvent::Answered(PostAnswer::Accepted { batch_id })) => {
                (IntentState::Submitted { batch_id }, posting_at, None)
            }
            (IntentState::Unknown, IntentEvent::Reconciled(verdict)) => (reconciled(verdict), posting_at, None),
            // A batch that appears late beside the one that is known is a duplicate and is said.
            (
                IntentState::Submitted { batch_id } | IntentState::Adopted { batch_id },
                IntentEvent::Reconciled(Verdict::Adopt { batch_id: other }),
            ) if batch_id != other => (IntentState::Duplicate { batch_ids: vec![batch_id, other] }, posting_at, None),
            (state, IntentEvent::Restarted) => (state, posting_at, None),
            (state, event) => return Err(BadTransition { state: state.name(), event: event.into() }),
        };
        Ok((Self { state, posting_at }, refusal))
    }
}

fn answered(meaning: PostMeaning) -> (IntentState, Option<Refusal>) {
    match meaning {
        PostMeaning::Submitted { batch_id } => (IntentState::Submitted { batch_id }, None),
        PostMeaning::Rejected(refusal) => (IntentState::Rejected, Some(refusal)),
        PostMeaning::NotSent => (IntentState::NotSent, None),
        PostMeaning::Unknown => (IntentState::Unknown, None),
    }
}

fn reconciled(verdict: Verdict) -> IntentState {
    match verdict {
        Verdict::StillUnknown { .. } => IntentState::Unknown,
        Verdict::Adopt { batch_id } => IntentState::Adopted { batch_id },
        Verdict::Duplicates { batch_ids } => IntentState::Duplicate { batch_ids },
        Verdict::NotSubmitted => IntentState::NotSubmitted,
    }
}

impl IntentState {
    /// The name used in SQL, JSON and reports.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// Whether the claims of its items and its budget are given back.
    pub const fn releases(&self) -> bool {
        matches!(self, Self::Rejected | Self::NotSent | Self::NotSubmitted | Self::Cancelled)
    }

    /// Whether reconciliation has to look.
    pub const fn needs_reconciliation(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// The batches that do its work; none while that is not known.
    pub fn batch_ids(&self) -> Vec<&str> {
        match self {
            Self::Submitted { batch_id } | Self::Adopted { batch_id } => vec![batch_id],
            Self::Duplicate { batch_ids } => batch_ids.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }
}
