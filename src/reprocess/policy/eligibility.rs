//! Whether one item may be retried, apart from ramps and budgets, which are about many.

use jiff::{SignedDuration, Timestamp};

use crate::model::class::Class;
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::policy::facts::{ItemFacts, ItemState};
use crate::reprocess::policy::group_state::GroupState;
use crate::reprocess::policy::holds::breaker::Breaker;
use crate::reprocess::policy::holds::delay::{jitter, later, not_before};
use crate::reprocess::policy::holds::gate::Gate;
use crate::reprocess::policy::holds::outage_signal::Weather;
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::policy::plan::Selection;

/// What an item's eligibility depends on beside the item.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The moment of the decision.
    pub now: Timestamp,
    /// Who asks.
    pub selection: Selection,
    /// The state of its group.
    pub group: &'a GroupState,
    /// The gate.
    pub gate: Gate,
    /// The weather of now.
    pub weather: Weather,
    /// The numbers.
    pub limits: &'a Limits,
}

/// The first reason not to retry `item`; `None` when it is eligible.
///
/// Reasons that no wish can change come first, then those a person may override.
pub fn exclusion(item: &ItemFacts, ctx: &Circumstances<'_>) -> Option<Exclusion> {
    never(item)
        .or_else(|| caps(item, ctx))
        .or_else(|| account(ctx.gate))
        .or_else(|| resting(ctx))
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
    if item.deleted {
        return Some(Exclusion::Deleted);
    }
    if item.config_hash.is_none() {
        return Some(Exclusion::NoJobConfig);
    }
    (item.class == Class::Config && has_same_config(item)).then_some(Exclusion::SameConfig)
}

/// An item that failed for parameters nobody knows is given the benefit of the doubt only by hand.
fn has_same_config(item: &ItemFacts) -> bool {
    item.failed_config_hash.is_some() && item.failed_config_hash == item.config_hash
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

fn account(gate: Gate) -> Option<Exclusion> {
    match gate {
        Gate::AccountStop { since, .. } => Some(Exclusion::AccountStopped { since }),
        _ => None,
    }
}

/// An open breaker holds people too: `breaker reset --reason` is the way past it, and is audited.
fn resting(ctx: &Circumstances<'_>) -> Option<Exclusion> {
    match ctx.group.breaker {
        Breaker::Open { until, .. } if ctx.now < until => Some(Exclusion::BreakerOpen { until }),
        _ => None,
    }
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
    if let Some(since) = ctx.group.parked_since(ctx.weather) {
        return Some(Exclusion::Parked { since });
    }
    if let Some(held) = held(ctx) {
        return Some(held);
    }
    let until = not_before(item, ctx.limits, jitter(&item.item_id, item.attempts));
    (ctx.now < until && !failed_ahead(item, ctx.now)).then_some(Exclusion::Delay { until })
}

/// Whether an item failed by another clock than the one that its delay would be counted by: nobody knows how long ago that was,
/// and waiting for its time to come would stop retries for as long as the clocks differ.
fn failed_ahead(item: &ItemFacts, now: Timestamp) -> bool {
    item.failed_at > later(now, SignedDuration::from_hours(1))
}

fn held(ctx: &Circumstances<'_>) -> Option<Exclusion> {
    match ctx.gate {
        Gate::Held { until, .. } if ctx.now < until => Some(Exclusion::Held { until: Some(until) }),
        Gate::Probing { .. } => Some(Exclusion::Held { until: None }),
        _ => None,
    }
}

fn is_automatic(item: &ItemFacts, limits: &Limits) -> bool {
    match item.class {
        Class::Transient | Class::Throttled => true,
        Class::Unknown => limits.unknown_canary,
        // Checked before: the parameters have changed since, if those it failed with are known.
        Class::Config => item.failed_config_hash.is_some(),
        // Nothing was wrong with the item; the account stop holds it until the account works again.
        Class::Account => true,
        Class::Done | Class::PermanentInput | Class::Cancelled => false,
    }
}
