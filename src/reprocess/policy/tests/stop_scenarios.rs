//! What stops retries of a group or an item because a person did something meanwhile.

use jiff::SignedDuration;

use crate::model::class::Class;
use crate::reprocess::policy::budget::Spent;
use crate::reprocess::policy::eligibility::{Circumstances, exclusion};
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::policy::facts::ItemFacts;
use crate::reprocess::policy::group_state::{Ended, GroupState};
use crate::reprocess::policy::holds::breaker::Breaker;
use crate::reprocess::policy::holds::gate::Gate;
use crate::reprocess::policy::holds::outage_signal::Weather;
use crate::reprocess::policy::intents::outcome::Vote;
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::policy::plan::{PlanInput, Selection, plan};
use crate::reprocess::policy::ramp::{Ramp, Step, StepResult};
use crate::reprocess::policy::record::Record;
use crate::reprocess::policy::tests::scenarios::{hours, item};

fn ended(state: &mut GroupState, votes: &[Vote]) -> StepResult {
    let limits = Limits::default();
    let (generic, weather, probe, record) = (false, Weather::Calm, false, Record::default());
    let ctx = Ended { now: hours(1), limits: &limits, generic, weather, probe, record };
    votes.iter().map(|vote| state.ended(*vote, 0, &ctx)).last().unwrap()
}

fn under_way(step: Step, items: u32) -> GroupState {
    let mut state = GroupState { ramp: Ramp { step, ..Ramp::default() }, ..GroupState::default() };
    (0..items).for_each(|_| state.posted(0));
    state
}

#[test]
fn a_step_of_which_somebody_cancelled_items_rests_its_group_whatever_the_others_came_to() {
    let mut canary = under_way(Step::One, 1);
    assert_eq!(ended(&mut canary, &[Vote::Cancelled]), StepResult::Stopped);
    assert!(canary.breaker.blocks(hours(6)) && canary.lost_canaries == 0 && canary.parked.is_none());

    let mut half = under_way(Step::Twenty, 20);
    assert_eq!(ended(&mut half, &[Vote::Cancelled; 3]), StepResult::Waiting, "the others are waited for");
    assert_eq!(ended(&mut half, &[Vote::Recovered; 17]), StepResult::Stopped);
    assert!(half.breaker.blocks(hours(6)));
    assert_eq!((half.ramp.step, half.cancelled), (Step::One, true));
    half.posted(0);
    assert!(!half.cancelled, "the canary after the rest is another step");
    assert_eq!(ended(&mut half, &[Vote::Recovered]), StepResult::Passed);
    assert_eq!(half.breaker, Breaker::default());
}

#[test]
fn an_item_whose_retry_somebody_cancelled_is_retried_by_hand_only() {
    let (limits, group) = (Limits::default(), GroupState::default());
    let cancelled = ItemFacts { cancelled_at: Some(hours(9)), ..item("a") };
    let why = |selection| {
        let (now, gate, weather) = (hours(100), Gate::Open, Weather::Calm);
        exclusion(&cancelled, &Circumstances { now, selection, group: &group, gate, weather, limits: &limits })
    };
    assert_eq!(why(Selection::Auto), Some(Exclusion::RetryCancelled { at: hours(9) }));
    assert_eq!(why(Selection::Manual { limit: None, force_attempts: false, permanent: false }), None);
}

#[test]
fn a_reset_waits_for_what_is_under_way() {
    let mut state = under_way(Step::Five, 5);
    state.breaker = Breaker::default().open(hours(0), &Limits::default());
    state.posted(1);
    state.reset();
    assert_eq!((state.breaker, state.ramp.room(100), state.second_tries.running), (Breaker::default(), 0, 1));
    ended(&mut state, &[Vote::Neutral; 6]);
    assert!(state.ramp.room(100) > 0);
    let mut rested = GroupState { ramp: Ramp { step: Step::Rest, ..Ramp::default() }, ..GroupState::default() };
    rested.reset();
    assert_eq!(rested, GroupState::default());
}

#[test]
fn a_hold_without_a_probe_is_over_in_time() {
    let held = Gate::Open.observe(hours(0), true, false, Weather::Calm, &Limits::default());
    assert_eq!(held.without_probe(hours(0)), held);
    assert_eq!(held.without_probe(hours(1)), Gate::Open);
    let stopped = Gate::Open.stop_account(hours(0));
    assert_eq!(stopped.without_probe(hours(9)), stopped);
}

#[test]
fn of_items_whose_class_has_turned_since_the_plan_one_goes_at_most() {
    let planned = |then, class| -> Vec<ItemFacts> {
        let ids = ["a", "b", "c"];
        ids.map(|id| ItemFacts { planned_as: Some(then), class, config_hash: Some("new".into()), ..item(id) }).into()
    };
    let left_out = |then, class, permanent| -> Vec<Exclusion> {
        let selection = Selection::Manual { limit: None, force_attempts: false, permanent };
        let (limits, spent, items) = (Limits::default(), Spent::default(), planned(then, class));
        let (now, gate, weather) = (hours(100), Gate::Open, Weather::Calm);
        let (spent, limits) = (&spent, &limits);
        let plan = plan(&PlanInput { now, selection, groups: &[], items: &items, gate, weather, spent, limits });
        plan.excluded.into_iter().map(|left| left.exclusion).collect()
    };
    let changed = |class| Exclusion::ClassChanged { class };
    let hopeless = Class::PermanentInput;
    assert_eq!(left_out(Class::Transient, hopeless, true), [changed(hopeless), changed(hopeless)]);
    assert_eq!(left_out(Class::Transient, hopeless, false), [changed(hopeless), changed(hopeless)]);
    assert_eq!(left_out(hopeless, hopeless, true), [], "the person knew");
    assert_eq!(left_out(hopeless, hopeless, false), [Exclusion::OneOfPermanent, Exclusion::OneOfPermanent]);
    for class in [Class::Account, Class::Config, Class::Cancelled] {
        assert_eq!(left_out(Class::Transient, class, true).len(), 3, "{class}");
        assert_eq!(left_out(class, class, true), [], "{class}");
    }
    assert_eq!(left_out(Class::Unknown, Class::Transient, true), [], "a retry helps rather more than was known");
}

#[test]
fn an_account_that_refuses_each_probe_sees_fewer_of_them_until_a_retry_recovers() {
    let (limits, mut gate, mut probes) = (Limits::default(), Gate::Open.stop_account(hours(0)), Vec::new());
    for minute in 1..=48 * 60 {
        let now = hours(0) + SignedDuration::from_mins(minute);
        gate = gate.saw_completion(now, &limits);
        if gate.wants_probe(now) {
            probes.push(minute / 60);
            gate = gate.probe_posted().stop_account(now);
        }
    }
    assert_eq!(probes, [0, 1, 3, 7, 15, 31]);
    let lifted = gate.saw_completion(hours(99), &limits).probe_posted();
    let again = lifted.probe_ended(hours(99), Some(true), &limits).stop_account(hours(100));
    assert_eq!(again, Gate::AccountStop { since: hours(100), failed_probes: 0 });
}
