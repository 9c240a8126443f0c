//! Asking the rules what may be done about a group.

use crate::core::cause::Cause;
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

/// The class of a group of failures that its causes lead to; none if they say nothing to the rules, or lead to several.
pub(super) fn classify_by_causes(
    rules: &Rules,
    message: Option<&str>,
    job_type: &str,
    causes: &[Cause],
) -> Option<Classified> {
    let decide = |cause: &Cause| {
        let decision = rules.classify(&Facts {
            message: message.unwrap_or_default(),
            job_type,
            cause_code: cause.code.as_deref(),
            cause_text: cause.text.as_deref(),
            ..Facts::default()
        });
        Classified { class: decision.class.name().to_owned(), rule: decision.rule.map(str::to_owned) }
    };
    let mut decided = causes.iter().map(decide);
    let first = decided.next()?;
    decided.all(|next| next.class == first.class).then_some(first)
}
