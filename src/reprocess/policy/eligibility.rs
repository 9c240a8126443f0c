//! Whether one item may be retried, apart from its group's turn and budgets, which are about many.

use jiff::{SignedDuration, Timestamp};

use crate::model::class::Class;
use crate::model::item::ItemState;
use crate::reprocess::policy::delay::{later, not_before};
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::policy::facts::{ItemFacts, is_automatic};
use crate::reprocess::policy::plan::PlanInput;

/// The first reason not to retry `item`, whatever its group's turn and the budgets; `None` when it is eligible.
///
/// Reasons that always hold come first, then those that a person may override.
pub(crate) fn exclusion(item: &ItemFacts, input: &PlanInput<'_>) -> Option<Exclusion> {
    never(item)
        .or_else(|| caps(item, input))
        .or_else(|| input.stopped_since.map(|since| Exclusion::AccountStopped { since }))
        .or_else(|| turned(item))
        .or_else(|| if input.selection.is_manual() { None } else { automatic(item, input) })
}

fn never(item: &ItemFacts) -> Option<Exclusion> {
    match item.state {
        ItemState::Recovered => return Some(Exclusion::Recovered),
        ItemState::Dismissed => return Some(Exclusion::Dismissed),
        ItemState::Ignored => return Some(Exclusion::Harmless),
        ItemState::Open | ItemState::Retrying => {}
    }
    if item.class == Class::Done {
        return Some(Exclusion::Done);
    }
    if let Some(intent_id) = &item.claimed_by {
        return Some(Exclusion::Claimed { intent_id: intent_id.clone() });
    }
    if let Some(batch_id) = &item.running_in {
        return Some(Exclusion::Running { batch_id: batch_id.clone() });
    }
    if item.whole_batch {
        return Some(Exclusion::WholeBatch);
    }
    if item.config_hash.is_none() {
        return Some(Exclusion::NoJobConfig);
    }
    // Parameters that it failed with and that are not known are taken for others only by hand.
    let same_config = item.failed_config_hash.is_some() && item.failed_config_hash == item.config_hash;
    (item.class == Class::Config && same_config).then_some(Exclusion::SameConfig)
}

fn caps(item: &ItemFacts, input: &PlanInput<'_>) -> Option<Exclusion> {
    if input.selection.forces_attempts() {
        return None;
    }
    if item.attempts_in_life >= input.limits.attempts_in_life {
        return Some(Exclusion::AttemptsInLife { made: item.attempts_in_life });
    }
    (item.attempts >= input.limits.attempts).then_some(Exclusion::Attempts { made: item.attempts })
}

/// Of items that turned out to have failed for what they are, one of each group goes; the planner chooses it.
fn turned(item: &ItemFacts) -> Option<Exclusion> {
    (item.has_turned() && item.class != Class::PermanentInput).then_some(Exclusion::ClassChanged { class: item.class })
}

fn automatic(item: &ItemFacts, input: &PlanInput<'_>) -> Option<Exclusion> {
    if item.refused {
        return Some(Exclusion::Refused);
    }
    if let Some(at) = item.cancelled_at {
        return Some(Exclusion::RetryCancelled { at });
    }
    if item.baseline {
        return Some(Exclusion::Baseline);
    }
    // The parameters have changed since, if those it failed with are known.
    let may_be_config = item.class != Class::Config || item.failed_config_hash.is_some();
    if !is_automatic(item.class, input.limits) || !may_be_config {
        return Some(Exclusion::Class { class: item.class });
    }
    if item.class == Class::Account && input.completed_at.is_none_or(|at| at <= item.failed_at) {
        return Some(Exclusion::AccountUnproven);
    }
    if let Some((reason, until)) = input.hold {
        return Some(Exclusion::Held { reason, until });
    }
    let until = not_before(item, input.limits);
    (input.now < until && !failed_ahead(item, input.now)).then_some(Exclusion::Delay { until })
}

/// Whether an item failed by another clock than the one that its delay would be counted by: how long ago that was is not known,
/// and waiting for its time to come would stop retries for as long as the clocks differ.
fn failed_ahead(item: &ItemFacts, now: Timestamp) -> bool {
    item.failed_at > later(now, SignedDuration::from_hours(1))
}
