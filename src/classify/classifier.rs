//! Asking the rules what may be done about a group: when it arises, and again when the rules have changed.

use std::collections::HashSet;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::classify::rules::decide::{FailureFacts, Rules};
use crate::classify::store_reclassify::{self, Judged, Reclassification};
use crate::grouping::grouper::Subject;
use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::model::cause::Cause;
use crate::model::classified::Classified;
use crate::model::item::Kind;
use crate::model::text::count;

/// The class of a group, judged by the first item of it.
pub(crate) fn classify(rules: &Rules, first: &Subject<'_>) -> Classified {
    let kind = match first.kind {
        Kind::Failed => crate::model::class::RuleKind::Failed,
        Kind::Skipped => crate::model::class::RuleKind::Skipped,
    };
    let decision = rules.classify(&FailureFacts {
        kind,
        message: first.message.unwrap_or_default(),
        skip_reason: first.skip_reason,
        job_type: first.job_type,
        ..FailureFacts::default()
    });
    Classified { class: decision.class.name().to_owned(), rule: decision.rule.map(str::to_owned) }
}

/// The class of a group of failures that its causes lead to; none if they say nothing to the rules, or lead to several.
pub(crate) fn classify_by_causes(
    rules: &Rules,
    message: Option<&str>,
    job_type: &str,
    causes: &[Cause],
) -> Option<Classified> {
    let decide = |cause: &Cause| {
        let decision = rules.classify(&FailureFacts {
            message: message.unwrap_or_default(),
            job_type,
            cause_code: cause.code.as_deref(),
            cause_text: cause.text.as_deref(),
            ..FailureFacts::default()
        });
        Classified { class: decision.class.name().to_owned(), rule: decision.rule.map(str::to_owned) }
    };
    let mut decided = causes.iter().map(decide);
    let first = decided.next()?;
    decided.all(|next| next.class == first.class).then_some(first)
}

/// Judges every group by `rules`, if they are not those that all were judged by before.
///
/// `paging` are the classes that pages: a group that gets one is reported again, any other change only shows.
pub(crate) async fn reclassify_if_due(
    ledger: &Ledger,
    rules: &Rules,
    paging: &HashSet<String>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let fingerprint = fingerprint(rules);
    let asked = fingerprint.clone();
    if !ledger.read(move |connection| store_reclassify::is_due(connection, &asked)).await? {
        return Ok(());
    }
    let groups = ledger.read(store_reclassify::groups).await?;
    let judged = groups.len();
    let verdicts: Vec<Reclassification> =
        groups.into_iter().filter_map(|group| reclassification(rules, paging, group)).collect();
    let changed = verdicts.iter().filter(|one| one.group.has.class != one.becomes.class).count();
    ledger.write(move |tx| store_reclassify::apply_reclassifications(tx, &verdicts, &fingerprint, now)).await?;
    if judged > 0 {
        let said = count(u64::try_from(judged).unwrap_or(u64::MAX), "group", "groups");
        tracing::info!(groups = judged, changed, "applied changed rules to {said}; {changed} got another class");
    }
    Ok(())
}

/// What tells these rules from others. The version is in it because a release may also read messages better.
fn fingerprint(rules: &Rules) -> String {
    let rules: Vec<_> = rules.iter().collect();
    hex::encode(Sha256::digest(format!("{} {rules:?}", env!("CARGO_PKG_VERSION"))))
}

/// What a group becomes by these rules; none if that is what it is.
fn reclassification(rules: &Rules, paging: &HashSet<String>, group: Judged) -> Option<Reclassification> {
    let message = group.message.as_deref();
    let by_causes = classify_by_causes(rules, message, &group.job_type, &group.causes);
    let becomes = by_causes.unwrap_or_else(|| {
        let skip_reason = group.skip_reason.as_deref();
        classify(rules, &Subject { kind: group.kind, job_type: &group.job_type, skip_reason, message, item_name: None })
    });
    let turns_paging = paging.contains(&becomes.class) && !paging.contains(&group.has.class);
    (becomes != group.has).then_some(Reclassification { group, becomes, turns_paging })
}
