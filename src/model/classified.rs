//! The decision about the class of a group.

/// What may be done about a group, and the rule that said so; none if no rule matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// The class's word, `unknown` if no rule matched.
    pub class: String,
    /// The rule's name.
    pub rule: Option<String>,
}
