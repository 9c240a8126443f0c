//! The actions, by their words.

/// What a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum ActKind {
    /// Acknowledge groups.
    Ack,
    /// Withdraw it.
    Unack,
    /// Silence groups, or what a matcher covers.
    Silence,
    /// End silences early.
    Unsilence,
    /// Assign groups to a person or team.
    Assign,
    /// Withdraw it.
    Unassign,
    /// Leave a note on a group.
    Note,
    /// Close open items as not worth action.
    Dismiss,
    /// Open them again.
    Undismiss,
    /// Set the class of a group by hand.
    Class,
    /// Give a group another title.
    Rename,
    /// Make a group part of another.
    Merge,
    /// Plan a retry.
    Retry,
    /// Submit a plan.
    Apply,
    /// Cancel a plan, or an intent that was not sent.
    Cancel,
    /// End an intent whose outcome cannot be determined.
    Abandon,
    /// Resume retries that were held.
    Resume,
}

use ActKind::*;

impl ActKind {
    /// The word in addresses and forms.
    pub(crate) fn word(self) -> &'static str {
        self.into()
    }

    /// What a page calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Ack => "Acknowledge",
            Unack => "Withdraw the acknowledgement",
            Silence => "Silence",
            Unsilence => "End the silence",
            Assign => "Assign",
            Unassign => "Withdraw the assignment",
            Note => "Add a note",
            Dismiss => "Dismiss",
            Undismiss => "Undo dismiss",
            Class => "Set the class",
            Rename => "Rename",
            Merge => "Merge",
            Retry => "Plan a retry",
            Apply => "Submit",
            Cancel => "Cancel",
            Abandon => "Abandon the retry",
            Resume => "Resume retries",
        }
    }

    /// What it means, in one sentence.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Ack => "No reminders until it ends. Recording, retries and reports continue.",
            Unack => "Reminders are sent again.",
            Silence => "No notifications for a time. Recording, retries and reports continue.",
            Unsilence => "Notifications are sent again.",
            Assign => {
                "Who takes care of it until it is resolved; digests and reports show it. An earlier assignment is replaced."
            }
            Unassign => "It is assigned to no one then.",
            Note => "It is shown in digests and reports permanently.",
            Dismiss => "Closes the open items. A newer failure reopens them.",
            Undismiss => "Opens the dismissed items again.",
            Class => {
                "Retries and digests use it from now on. The next page has the rule that keeps it for messages like this one."
            }
            Rename => "Digests and reports show the new title; an empty one restores the original.",
            Merge => "This is permanent: the first group becomes part of the second. Its id keeps working.",
            Retry => "Creates a plan with its cost. Nothing is submitted yet.",
            Apply => "The items are checked again and submitted. This costs credits.",
            Cancel => "Items that are not submitted yet will not be submitted.",
            Abandon => {
                "Its items without an outcome can be retried again. If LlamaCloud did process them, a retry is billed again."
            }
            Resume => "Retries resume with one item.",
        }
    }

    /// Whether it spends credits or leads to it.
    pub(crate) fn is_retry(self) -> bool {
        matches!(self, Retry | Apply | Cancel | Abandon | Resume)
    }

    /// Whether it is always done to a group.
    pub(crate) fn needs_group(self) -> bool {
        !matches!(self, Silence | Retry | Apply | Cancel | Abandon | Resume)
    }

    /// Whether it may be done to several groups at once.
    pub(crate) fn takes_several(self) -> bool {
        matches!(self, Ack | Unack | Assign | Unassign | Silence | Unsilence | Dismiss | Undismiss | Retry)
    }

    /// Whether a reason has to be given.
    pub(crate) fn needs_reason(self) -> bool {
        matches!(self, Silence | Dismiss | Undismiss | Class | Apply | Abandon | Resume)
    }

    /// Whether its effects are shown before it can be done.
    pub(crate) fn has_preview(self) -> bool {
        matches!(self, Silence | Merge)
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn every_word_reads_back() {
        for kind in ActKind::VARIANTS {
            assert_eq!(kind.word().parse(), Ok(*kind));
        }
    }
}
