//! Asking the rules what may be done about a group.

use crate::core::item::Kind;
use crate::core::rules::{self, Facts, Rules};
use crate::core::scan::{Classified, GroupFacts};

/// The class of a group, judged by its first message.
pub(super) fn classify(rules: &Rules, group: &GroupFacts<'_>) -> Classified {
    let kind = match group.kind {
        Kind::Failed => rules::Kind::Failed,
        Kind::Skipped => rules::Kind::Skipped,
    };
    let decision = rules.classify(&Facts {
        kind,
        message: group.message.unwrap_or_default(),
        skip_reason: group.skip_reason,
        job_type: group.job_type,
        ..Facts::default()
    });
    Classified { class: decision.class.name().to_owned(), rule: decision.rule.map(str::to_owned) }
}
