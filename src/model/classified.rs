//! What the class of a group is decided from, and the decision.

use crate::model::item::Kind;

/// What is known of a group when its class is decided.
#[derive(Clone, Copy, Debug)]
pub struct ClassifiedGroup<'a> {
    /// Failed or skipped.
    pub kind: Kind,
    /// The job type of the batch that its first message came from.
    pub job_type: &'a str,
    /// The skip reason of its first observation.
    pub skip_reason: Option<&'a str>,
    /// Its first message as it was; none for "(no error message)".
    pub message: Option<&'a str>,
}

/// What may be done about a group, and the rule that said so; none if no rule matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// The class's word, `unknown` if no rule matched.
    pub class: String,
    /// The rule's name.
    pub rule: Option<String>,
}
