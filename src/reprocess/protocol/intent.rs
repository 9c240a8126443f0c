//! Where an intent stands, the items of one POST, from the plan to a batch or to none; what the answer to the POST means, and who is
//! to blame for refusals.

/// A state, called as in the ledger, JSON and reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum IntentState {
    /// On disk with its claims; nothing was sent.
    Planned,
    /// The POST may be under way.
    Posting,
    /// Batches are known that do its work; more than one were billed more than once, and a problem is reported.
    Submitted,
    /// The API definitely refused; claims and budget are released.
    Rejected,
    /// The request never left; claims and budget are released.
    NotSent,
    /// It is not known whether a batch exists; claims are kept.
    Unknown,
    /// Reconciliation is sure that no batch exists; claims and budget are released.
    NotSubmitted,
    /// It was cancelled before anything was sent.
    Cancelled,
    /// All its attempts have ended.
    Finished,
}

impl IntentState {
    /// Whether an intent may go from one state to the other. In particular it is posted at most once.
    pub(crate) const fn may_become(self, next: IntentState) -> bool {
        match self {
            Self::Planned => matches!(next, Self::Posting | Self::Submitted | Self::Cancelled),
            Self::Posting => matches!(next, Self::Submitted | Self::Rejected | Self::NotSent | Self::Unknown),
            Self::Unknown => matches!(next, Self::Submitted | Self::NotSubmitted | Self::Finished),
            // A batch that appears late beside the one that is known changes nothing else.
            Self::Submitted => matches!(next, Self::Submitted | Self::Finished),
            Self::Finished => matches!(next, Self::Finished),
            Self::Rejected | Self::NotSent | Self::NotSubmitted | Self::Cancelled => false,
        }
    }

    /// Whether it was certainly not carried out: the claims of its items and its budget are given back.
    pub(crate) const fn releases(self) -> bool {
        matches!(self, Self::Rejected | Self::NotSent | Self::NotSubmitted | Self::Cancelled)
    }
}

/// Why nothing was made, where that is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 401, 402, 403: everything stops.
    Account,
    /// 429: no other POST for a while.
    Throttled,
    /// 400, 404, 413, 422: an item, the parameters, or too many at once.
    Request,
    /// What the request needs of its only item is not to be had; nothing was sent.
    Item,
}

/// What the status of an answer without a readable batch id means.
///
/// Only answers that prove that nothing was created count as refusals; 408, 409, 410, 5xx and unreadable 2xx do not.
pub fn meaning(status: u16) -> (IntentState, Option<Refusal>) {
    match status {
        401..=403 => (IntentState::Rejected, Some(Refusal::Account)),
        429 => (IntentState::Rejected, Some(Refusal::Throttled)),
        400 | 404 | 413 | 422 => (IntentState::Rejected, Some(Refusal::Request)),
        _ => (IntentState::Unknown, None),
    }
}

/// So many single documents refused in a row are no accident: the rest is not asked.
const MOST_IN_A_ROW: usize = 3;

/// What the POSTs of one run have shown about one group and its parameters.
///
/// A refusal names no document, so one is blamed only by comparison: the same request without it was accepted in the same run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    accepted: bool,
    /// Intents of single documents that were refused before another was accepted.
    proven: Vec<String>,
    /// Those since.
    suspects: Vec<String>,
}

impl Refusals {
    /// A POST was accepted, so that the documents refused before it were refused for themselves.
    pub(crate) fn accept(&mut self) {
        self.accepted = true;
        self.proven.append(&mut self.suspects);
    }

    /// The POST of a single document, in this intent, was refused.
    pub(crate) fn suspect(&mut self, intent_id: String) {
        self.suspects.push(intent_id);
    }

    /// Whether asking on is of no use.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.suspects.len() >= MOST_IN_A_ROW
    }

    /// Intents whose only document the API refuses while it accepts others like it, and one whose parameters, or address, it
    /// refuses: nothing was accepted to compare with.
    ///
    /// A single suspect at the end is blamed if others were accepted before it: an API that begins to refuse all leaves more of them.
    pub(crate) fn blame(mut self) -> (Vec<String>, Option<String>) {
        if self.accepted && self.suspects.len() == 1 {
            self.proven.append(&mut self.suspects);
        }
        let parameters = if self.accepted { None } else { self.suspects.into_iter().next() };
        (self.proven, parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::IntentState::*;

    #[test]
    fn an_intent_is_posted_at_most_once() {
        let all = [Planned, Posting, Submitted, Rejected, NotSent, Unknown, NotSubmitted, Cancelled, Finished];
        let before = |next| all.into_iter().filter(|state| state.may_become(next)).collect::<Vec<_>>();
        assert_eq!(before(Posting), [Planned]);
        assert_eq!(before(Planned), []);
        for ended in all.into_iter().filter(|state| state.releases()) {
            assert!(all.into_iter().all(|next| !ended.may_become(next)), "{ended}");
        }
    }
}
