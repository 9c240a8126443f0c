//! Asking the rules what may be done about groups: when they arise, and again when their items or the rules have changed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::classify::rules::decide::{Decision, FailureFacts, Layer, Rules};
use crate::classify::store_reclassify::{self, Judged, Reclassification, Said};
use crate::grouping::grouper::Subject;
use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::model::cause::Cause;
use crate::model::classified::Classified;
use crate::model::item::Kind;
use crate::model::text::count;

/// Groups whose messages are in memory at once.
const AT_ONCE: usize = 100;

/// The rule of a group whose class a person set.
pub(crate) const SET_BY_HAND: &str = "set by hand";

/// The class of a new group, judged by the first item of it.
pub(crate) fn classify(rules: &Rules, first: &Subject<'_>) -> Classified {
    classified(&rules.classify(&FailureFacts {
        kind: first.kind.into(),
        message: first.message.unwrap_or_default(),
        item_name: first.item_name,
        skip_reason: first.skip_reason,
        job_type: first.job_type,
        ..FailureFacts::default()
    }))
}

fn classified(decision: &Decision<'_>) -> Classified {
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
        classified(&rules.classify(&FailureFacts {
            message: message.unwrap_or_default(),
            job_type,
            cause_code: cause.code.as_deref(),
            cause_text: cause.text.as_deref(),
            ..FailureFacts::default()
        }))
    };
    let mut decided = causes.iter().map(decide);
    let first = decided.next()?;
    decided.all(|next| next.class == first.class).then_some(first)
}

/// Judges the groups whose items have changed since they were judged; all of them, if the rules have.
///
/// `paging` says whether a class pages, by its name or by the rule that decided it: a group that gets one is reported again, any
/// other change only shows.
pub(crate) async fn reclassify_if_due(
    ledger: &Ledger,
    rules: &Rules,
    paging: &(dyn Fn(&Classified) -> bool + Sync),
    now: Timestamp,
) -> Result<(), LedgerError> {
    let fingerprint = fingerprint(rules);
    let asked = fingerprint.clone();
    let (is_due, keys) = ledger
        .read(move |connection| {
            let is_due = store_reclassify::is_due(connection, &asked)?;
            let which = if is_due { store_reclassify::all_groups } else { store_reclassify::changed_groups };
            Ok((is_due, which(connection)?))
        })
        .await?;
    let (judged, mut changed) = (keys.len(), 0);
    for keys in keys.chunks(AT_ONCE).map(<[i64]>::to_vec) {
        let groups = ledger.read(move |connection| store_reclassify::groups(connection, &keys)).await?;
        let verdicts: Vec<Reclassification> =
            groups.into_iter().map(|group| reclassification(rules, paging, group)).collect();
        changed += verdicts.iter().filter(|one| one.group.has.class != one.becomes.class).count();
        ledger.write(move |tx| store_reclassify::apply_reclassifications(tx, &verdicts, now)).await?;
    }
    if is_due {
        ledger.write(move |tx| store_reclassify::mark_judged(tx, &fingerprint)).await?;
    }
    if is_due && judged > 0 {
        let said = count(u64::try_from(judged).unwrap_or(u64::MAX), "group", "groups");
        tracing::info!(groups = judged, changed, "applied changed rules to {said}; {changed} got another class");
    }
    Ok(())
}

/// A fingerprint of these rules. It includes the program's version, because a release may read messages differently.
fn fingerprint(rules: &Rules) -> String {
    let own: Vec<_> = rules.iter().collect();
    let shipped = Rules::shipped_fingerprint();
    hex::encode(Sha256::digest(format!("{} {shipped} {own:?}", env!("CARGO_PKG_VERSION"))))
}

/// What a group becomes by these rules: what a person said, else what its causes lead to, else the class of most of its items.
fn reclassification(rules: &Rules, paging: &dyn Fn(&Classified) -> bool, group: Judged) -> Reclassification {
    let decisions: Vec<Decision<'_>> =
        group.said.iter().map(|said| rules.classify(&facts_of(group.kind, said))).collect();
    let mut classes: BTreeMap<String, u64> = BTreeMap::new();
    for decision in &decisions {
        *classes.entry(decision.class.name().to_owned()).or_default() += 1;
    }
    let newest = group.said.first();
    let (message, job_type) = newest.map_or((None, ""), |newest| (newest.message.as_deref(), newest.job_type.as_str()));
    let by_causes = classify_by_causes(rules, message, job_type, &group.causes);
    let most = decisions.iter().rev().max_by_key(|decision| classes.get(decision.class.name()));
    let set_by_hand = group.set_class.clone().map(|class| Classified { class, rule: Some(SET_BY_HAND.to_owned()) });
    let by_person_or_causes = set_by_hand.or(by_causes);
    let by_items = most.filter(|_| by_person_or_causes.is_none());
    let becomes = by_person_or_causes.or_else(|| most.map(classified)).unwrap_or_else(|| group.has.clone());
    let shown = group.said.iter().zip(&decisions).find(|(_, decision)| by_items.is_some_and(|by| by == *decision));
    let why = shown.map(|(said, _)| rules.explain(&facts_of(group.kind, said)).why).unwrap_or_default();
    let words = (!why.is_empty()).then(|| why.join(" · "));
    let percent =
        by_items.filter(|decision| decision.layer == Layer::Model).map(|decision| percent(decision.probability));
    let turns_paging = paging(&becomes) && !paging(&group.has);
    Reclassification { becomes, percent, words, classes, turns_paging, group }
}

fn facts_of(kind: Kind, said: &Said) -> FailureFacts<'_> {
    FailureFacts {
        kind: kind.into(),
        message: said.message.as_deref().unwrap_or_default(),
        item_name: Some(&said.item_name),
        skip_reason: said.skip_reason.as_deref(),
        job_type: &said.job_type,
        ..FailureFacts::default()
    }
}

/// A probability in whole percent: never 100, for it is one.
pub(crate) fn percent(probability: f32) -> u8 {
    // In range: from 0 to 99.
    (probability * 100.0).round().clamp(0.0, 99.0) as u8
}
