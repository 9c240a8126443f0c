//! A group that is new or has changed, on its way into the ledger.

use crate::grouping::state::StoredGroup;
use crate::model::classified::Classified;

/// A group that is new or has changed, with the class it gets if it is new.
#[derive(Clone, Debug)]
pub struct GroupChange {
    /// The group as the grouper stores it.
    pub stored: StoredGroup,
    /// Its class, used only when the ledger does not know the group yet.
    pub classified: Classified,
}

impl GroupChange {
    /// A change of a group that the ledger knows: its class stays.
    pub fn unclassified(stored: StoredGroup) -> GroupChange {
        GroupChange { stored, classified: Classified { class: "unknown".to_owned(), rule: None } }
    }
}
