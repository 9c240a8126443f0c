//! Whether one item may be retried, apart from its group's turn and budgets, which are about many.

use jiff::{SignedDuration, Timestamp};

use crate::model::class::Class;
use crate::model::item::ItemState;
use crate::reprocess::policy::delay::{later, not_before};
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::policy::facts::{ItemFacts, prior};
use crate::reprocess::policy::hold::HoldReason;
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::policy::plan::Selection;

/// What an item's eligibility depends on beside the item.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The moment of the decision.
    pub now: Timestamp,
    /// Who asks.
    pub selection: Selection,
    /// Since when the account is stopped.
    pub stopped_since: Option<Timestamp>,
    /// When an item of the project last completed, as far as that is known.
    pub completed_at: Option<Timestamp>,
    /// What holds the project, and until when.
    pub hold: Option<(HoldReason, Timestamp)>,
    /// The numbers.
    pub limits: &'a Limits,
}

/// The first reason not to retry `item`; `None` when it is eligible.
///
/// Reasons that no wish can change come first, then those a person may override.
pub(crate) fn exclusion(item: &ItemFacts, ctx: &Circumstances<'_>) -> Option<Exclusion> {
    never(item)
        .or_else(|| caps(item, ctx))
        .or_else(|| ctx.stopped_since.map(|since| Exclusion::AccountStopped { since }))
        .or_else(|| turned(item))
        .or_else(|| if ctx.selection.is_manual() { None } else { automatic(item, ctx) })
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

fn caps(item: &ItemFacts, ctx: &Circumstances<'_>) -> Option<Exclusion> {
    if ctx.selection.forces_attempts() {
        return None;
    }
    if item.attempts_in_life >= ctx.limits.attempts_in_life {
        return Some(Exclusion::AttemptsInLife { made: item.attempts_in_life });
    }
    (item.attempts >= ctx.limits.attempts).then_some(Exclusion::Attempts { made: item.attempts })
}

/// Of items that turned out to have failed for what they are, one of each group goes; the planner chooses it.
fn turned(item: &ItemFacts) -> Option<Exclusion> {
    (item.has_turned() && item.class != Class::PermanentInput).then_some(Exclusion::ClassChanged { class: item.class })
}

fn automatic(item: &ItemFacts, ctx: &Circumstances<'_>) -> Option<Exclusion> {
    if item.refused {
        return Some(Exclusion::Refused);
    }
    if let Some(at) = item.cancelled_at {
        return Some(Exclusion::RetryCancelled { at });
    }
    if item.baseline {
        return Some(Exclusion::Baseline);
    }
    if !is_automatic(item, ctx.limits) {
        return Some(Exclusion::Class { class: item.class });
    }
    if item.class == Class::Account && ctx.completed_at.is_none_or(|at| at <= item.failed_at) {
        return Some(Exclusion::AccountUnproven);
    }
    if let Some((reason, until)) = ctx.hold {
        return Some(Exclusion::Held { reason, until });
    }
    let until = not_before(item, ctx.limits);
    (ctx.now < until && !failed_ahead(item, ctx.now)).then_some(Exclusion::Delay { until })
}

/// Whether an item failed by another clock than the one that its delay would be counted by: how long ago that was is not known,
/// and waiting for its time to come would stop retries for as long as the clocks differ.
fn failed_ahead(item: &ItemFacts, now: Timestamp) -> bool {
    item.failed_at > later(now, SignedDuration::from_hours(1))
}

fn is_automatic(item: &ItemFacts, limits: &Limits) -> bool {
    match item.class {
        Class::Unknown => limits.probe_unknown,
        // The parameters have changed since, if those it failed with are known.
        Class::Config => item.failed_config_hash.is_some(),
        class => prior(class).is_some(),
    }
}
