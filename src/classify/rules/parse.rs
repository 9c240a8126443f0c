//! Reads a team's rules from TOML and says which rule is wrong and why.

use serde::Deserialize;
use serde::de::{self, SeqAccess, Visitor};

use crate::model::class::{Class, RuleKind};

/// One rule as written: every condition that is given must hold.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// Unique among the rules of its file; shown with every decision.
    pub name: String,
    /// Regular expressions, any of which must match the message, its underlying cause, its code or its skip reason.
    #[serde(default, rename = "match", deserialize_with = "one_or_many")]
    #[cfg_attr(test, schemars(extend("type" = ["string", "array"])))]
    pub patterns: Vec<String>,
    /// Regular expressions of which none may match a text that `match` matched.
    #[serde(default, deserialize_with = "one_or_many")]
    #[cfg_attr(test, schemars(extend("type" = ["string", "array"])))]
    pub unless: Vec<String>,
    /// HTTP statuses, any of which the text must speak of.
    #[serde(default)]
    pub http: Vec<u16>,
    /// The exact skip reason.
    pub skip_reason: Option<String>,
    /// The exact error code of the job record.
    pub code: Option<String>,
    /// `failed`, `skipped`, `cancelled`, `overdue` or `missing`.
    pub kind: Option<RuleKind>,
    /// `parse`, `extract`, `classify`.
    pub job_type: Option<String>,
    /// What the rule decides.
    pub class: Class,
    /// A link for the person who is paged.
    pub runbook: Option<String>,
    /// One sentence on why.
    pub note: Option<String>,
    /// Groups whose class this rule decides page, whatever the class.
    #[serde(default)]
    pub page: bool,
    /// The wording hides the cause: job records are asked for it.
    #[serde(default)]
    pub generic: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleFile {
    #[serde(default)]
    pub(crate) rule: Vec<Rule>,
}

/// Why rules could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The text is no TOML or has unknown keys; the message has line and caret.
    #[error("rules cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// A regular expression does not compile.
    #[error("rule {rule:?} has an invalid pattern {pattern:?}: {problem}")]
    Pattern {
        /// The rule's name.
        rule: String,
        /// The pattern as written.
        pattern: String,
        /// What the regex library says.
        problem: String,
    },
    /// A rule without any condition would match everything.
    #[error("rule {0:?} has no condition: give it at least one of match, http, skip-reason, code, kind, job-type")]
    NoCondition(String),
    /// Two rules of one file share a name.
    #[error("two rules have the name {0:?}")]
    DuplicateName(String),
    /// The patterns of a rule are too large together.
    #[error("the patterns of a rule are too large together: {0}")]
    TooLarge(String),
}

impl Rule {
    pub(crate) fn check(&self) -> Result<(), RulesError> {
        let conditioned = !self.patterns.is_empty()
            || !self.http.is_empty()
            || self.skip_reason.is_some()
            || self.code.is_some()
            || self.kind.is_some()
            || self.job_type.is_some();
        if conditioned { Ok(()) } else { Err(RulesError::NoCondition(self.name.clone())) }
    }
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMany;
    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a regular expression or a list of them")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![text.to_owned()])
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(text) = seq.next_element()? {
                all.push(text);
            }
            Ok(all)
        }
    }
    deserializer.deserialize_any(OneOrMany)
}
