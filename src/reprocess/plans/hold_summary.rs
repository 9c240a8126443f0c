//! What a plan says about the groups and projects it touches: what retries have shown of them, and what holds them back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::reprocess::policy::group_state::{GroupState, Parked};
use crate::reprocess::policy::holds::breaker::Breaker;
use crate::reprocess::policy::holds::gate::Gate;
use crate::reprocess::policy::ramp::Step;
use crate::reprocess::store::gate::{StoredGate, reason_word};

/// How retries of a group stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupOutlook {
    /// The group.
    pub group_id: String,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// Its class: whether a retry is known to help.
    #[serde(default)]
    pub class: String,
    /// Its items that were asked for.
    pub items: u32,
    /// Counted attempts made at those so far.
    pub attempts: u32,
    /// Items of it that retries have recovered, ever.
    pub recovered: u32,
    /// `closed`, `open` or `half-open`.
    pub breaker: String,
    /// When an open breaker lets one canary through; none once it does.
    pub open_until: Option<Timestamp>,
    /// Since when its lost canary holds it back.
    pub parked_since: Option<Timestamp>,
    /// Whether it is left to a person: if not, it gets another canary once enough other work goes through.
    #[serde(default)]
    pub waits_for_decision: bool,
    /// Most items that go next by themselves: 1, 5, 20, 100.
    pub next_step: u32,
}

/// What holds a project's retries back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The project.
    pub project: String,
    /// `held`, `probing`, `account-stop` or `waiting`.
    pub state: String,
    /// Until when; none if that is over, or depends on a probe or on a person.
    pub until: Option<Timestamp>,
    /// Why.
    pub why: Option<String>,
}

impl GroupOutlook {
    /// The outlook of a group of which `items` were asked for, with `attempts` behind them.
    pub fn new(group_id: &str, state: &GroupState, items: u32, attempts: u32, now: Timestamp) -> GroupOutlook {
        let (breaker, open_until) = match state.breaker {
            Breaker::Closed { .. } => ("closed", None),
            Breaker::Open { until, .. } if now < until => ("open", Some(until)),
            Breaker::Open { .. } => ("half-open", None),
        };
        let step = if breaker == "closed" { state.ramp.step } else { Step::One };
        GroupOutlook {
            group_id: group_id.to_owned(),
            title: String::new(),
            class: String::new(),
            items,
            attempts,
            recovered: state.recovered,
            breaker: breaker.to_owned(),
            open_until,
            parked_since: state.parked.map(|Parked { since, .. }| since),
            waits_for_decision: state.parked.is_some_and(|parked| parked.compared),
            next_step: step.size(100),
        }
    }
}

impl Hold {
    /// What a gate holds; none if it is open. Of a hold whose time is over no time is told: it waits for a probe.
    pub fn of(project: &str, stored: &StoredGate, now: Timestamp) -> Option<Hold> {
        let (state, until, reason) = match stored.gate {
            Gate::Open => return None,
            Gate::Held { until, reason, .. } => ("held", Some(until), Some(reason_word(reason))),
            Gate::Probing { .. } => ("probing", None, None),
            Gate::AccountStop { .. } => ("account-stop", None, None),
        };
        let mut why = stored.why.clone().or_else(|| reason.map(str::to_owned));
        if stored.gate.wants_probe(now) {
            why = why.map(|why| format!("{why}; one item may probe for all"));
        }
        let until = until.filter(|until| now < *until);
        Some(Hold { project: project.to_owned(), state: state.to_owned(), until, why })
    }

    /// What holds people back, too: an account that cannot go on.
    pub fn of_people(project: &str, stored: &StoredGate, now: Timestamp) -> Option<Hold> {
        matches!(stored.gate, Gate::AccountStop { .. }).then(|| Hold::of(project, stored, now)).flatten()
    }

    /// What a 429 holds back; none if that is over.
    pub fn waiting(project: &str, stored: &StoredGate, now: Timestamp) -> Option<Hold> {
        let until = stored.wait_until.filter(|until| now < *until)?;
        Some(Hold {
            project: project.to_owned(),
            state: "waiting".to_owned(),
            until: Some(until),
            why: Some(
                "LlamaCloud answered 429 (too many requests); `llama-triage breaker reset global` ends the wait"
                    .to_owned(),
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reprocess::policy::holds::gate::HoldReason;

    #[test]
    fn a_hold_whose_time_is_over_waits_for_a_probe_and_holds_nobody_who_plans_by_hand() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let stored = |gate| StoredGate { gate, ..StoredGate::default() };
        let held = stored(Gate::Held { reason: HoldReason::Storm, until: at(60), failed_probes: 0 });
        let told = |now| Hold::of("default", &held, now).map(|hold| (hold.until, hold.why.unwrap()));
        assert_eq!(told(at(59)), Some((Some(at(60)), "storm".to_owned())));
        assert_eq!(told(at(60)), Some((None, "storm; one item may probe for all".to_owned())));
        assert_eq!(Hold::of_people("default", &held, at(59)), None);
        let stopped = stored(Gate::AccountStop { since: at(0), failed_probes: 0 });
        assert!(Hold::of_people("default", &stopped, at(59)).is_some());
    }
}
