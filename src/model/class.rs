//! The classes of failures and the kinds of items they come from.

use serde::{Deserialize, Serialize};

use crate::model::item::Kind;

/// What may be done about a failure.
///
/// When in doubt a failure is [`Class::Unknown`]: a wrong `transient` costs money, a wrong `permanent-input` costs a document.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
    strum::VariantNames,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Class {
    /// The work was done before; not a failure.
    Done,
    /// The document itself cannot be processed; its owner must act.
    PermanentInput,
    /// The job's parameters are refused; eligible again when they change.
    Config,
    /// Key, role, credits or quota; every retry stops.
    Account,
    /// Asked to slow down; waiting does not use an attempt.
    Throttled,
    /// A temporary fault of the service; a retry usually works.
    Transient,
    /// It was cancelled; never retried automatically.
    Cancelled,
    /// Anything else: retried as others are, beginning with one item, unless the configuration leaves it to people.
    Unknown,
}

impl Class {
    /// The name used in rules, SQL, JSON and reports.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The state of an item that a rule looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RuleKind {
    /// The item failed.
    #[default]
    Failed,
    /// The item was skipped, with or without a reason.
    Skipped,
    /// The item or its batch was cancelled.
    Cancelled,
    /// The batch has not ended for far longer than usual.
    Overdue,
    /// LlamaCloud counts items that it does not show.
    Missing,
}

impl From<Kind> for RuleKind {
    fn from(kind: Kind) -> RuleKind {
        match kind {
            Kind::Failed => RuleKind::Failed,
            Kind::Skipped => RuleKind::Skipped,
            Kind::Cancelled => RuleKind::Cancelled,
            Kind::Overdue => RuleKind::Overdue,
            Kind::Missing => RuleKind::Missing,
        }
    }
}
