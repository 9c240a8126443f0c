//! Tables and properties over whole decisions.

use std::collections::{BTreeMap, BTreeSet};
use strum::VariantArray as _;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::model::class::Class;
use crate::reprocess::policy::budget::{Budget, Spent};
use crate::reprocess::policy::eligibility::{Circumstances, exclusion};
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::policy::facts::{GroupFacts, ItemFacts, ItemState};
use crate::reprocess::policy::group_state::{Ended, GroupState, Parked};
use crate::reprocess::policy::holds::breaker::Breaker;
use crate::reprocess::policy::holds::delay::not_before;
use crate::reprocess::policy::holds::directory_stats::{Sender, Senders};
use crate::reprocess::policy::holds::gate::{AttemptResult, Gate, HoldReason, global_breaker_trips, incident};
use crate::reprocess::policy::holds::outage_signal::Weather;
use crate::reprocess::policy::intents::outcome::Vote;
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::policy::plan::{PlanInput, Selection, plan, shrink};
use crate::reprocess::policy::ramp::{Ramp, Step, StepResult};
use crate::reprocess::policy::record::Record;

pub(crate) fn hours(n: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(n)
}

pub(crate) fn item(id: &str) -> ItemFacts {
    ItemFacts {
        item_id: id.to_owned(),
        group_id: "g-1".to_owned(),
        job_type: "parse".to_owned(),
        directory: String::new(),
        size: None,
        state: ItemState::Open,
        class: Class::Transient,
        planned_as: None,
        failed_at: hours(0),
        config_hash: Some("c".to_owned()),
        failed_config_hash: Some("c".to_owned()),
        claimed_by: None,
        running_in: None,
        whole_batch: false,
        deleted: false,
        refused: false,
        refusals: 0,
        cancelled_at: None,
        baseline: false,
        attempts: 0,
        attempts_in_life: 0,
        throttled_waits: 0,
        retry_after: None,
        credits: Some(1.0),
    }
}

pub(crate) fn group(state: GroupState) -> GroupFacts {
    GroupFacts { group_id: "g-1".to_owned(), generic: false, last_failure: hours(0), state, senders: Senders::new() }
}

fn why(item: &ItemFacts, selection: Selection, state: GroupState, gate: Gate) -> Option<Exclusion> {
    let limits = Limits::default();
    exclusion(
        item,
        &Circumstances { now: hours(100), selection, group: &state, gate, weather: Weather::Calm, limits: &limits },
    )
}

const MANUAL: Selection = Selection::Manual { limit: None, force_attempts: false, permanent: true };

#[test]
fn every_reason_not_to_retry_is_given() {
    let auto = |item: ItemFacts| why(&item, Selection::Auto, GroupState::default(), Gate::Open);
    assert_eq!(auto(item("a")), None);
    assert_eq!(auto(ItemFacts { state: ItemState::Recovered, ..item("a") }), Some(Exclusion::Recovered));
    assert_eq!(auto(ItemFacts { state: ItemState::Dismissed, ..item("a") }), Some(Exclusion::Dismissed));
    assert_eq!(auto(ItemFacts { class: Class::Done, ..item("a") }), Some(Exclusion::Done));
    assert_eq!(
        auto(ItemFacts { claimed_by: Some("i".into()), ..item("a") }),
        Some(Exclusion::Claimed { intent_id: "i".into() })
    );
    assert_eq!(
        auto(ItemFacts { running_in: Some("b".into()), ..item("a") }),
        Some(Exclusion::Running { batch_id: "b".into() })
    );
    assert_eq!(auto(ItemFacts { whole_batch: true, ..item("a") }), Some(Exclusion::WholeBatch));
    assert_eq!(auto(ItemFacts { deleted: true, ..item("a") }), Some(Exclusion::Deleted));
    assert_eq!(auto(ItemFacts { config_hash: None, ..item("a") }), Some(Exclusion::NoJobConfig));
    assert_eq!(auto(ItemFacts { class: Class::Config, ..item("a") }), Some(Exclusion::SameConfig));
    assert_eq!(auto(ItemFacts { class: Class::Config, config_hash: Some("new".into()), ..item("a") }), None);
    assert_eq!(auto(ItemFacts { baseline: true, ..item("a") }), Some(Exclusion::Baseline));
    assert_eq!(auto(ItemFacts { attempts: 3, ..item("a") }), Some(Exclusion::Attempts { made: 3 }));
    assert_eq!(auto(ItemFacts { attempts_in_life: 6, ..item("a") }), Some(Exclusion::AttemptsInLife { made: 6 }));
    for class in [Class::PermanentInput, Class::Cancelled, Class::Unknown] {
        assert_eq!(auto(ItemFacts { class, ..item("a") }), Some(Exclusion::Class { class }));
        assert_eq!(
            why(&ItemFacts { class, ..item("a") }, MANUAL, GroupState::default(), Gate::Open),
            None,
            "a person may try {class}"
        );
    }
    assert!(matches!(auto(ItemFacts { failed_at: hours(100), ..item("a") }), Some(Exclusion::Delay { .. })));
    assert_eq!(auto(ItemFacts { failed_at: hours(124), ..item("a") }), None, "the clock is a day behind, or was ahead");
}

#[test]
fn a_person_is_held_by_claims_breakers_and_the_account_but_not_by_incidents() {
    let held = Gate::Held { reason: HoldReason::Incident, until: hours(101), failed_probes: 0 };
    assert_eq!(
        why(&item("a"), Selection::Auto, GroupState::default(), held),
        Some(Exclusion::Held { until: Some(hours(101)) })
    );
    assert_eq!(why(&item("a"), MANUAL, GroupState::default(), held), None);
    let open = GroupState { breaker: Breaker::default().open(hours(99), &Limits::default()), ..GroupState::default() };
    assert_eq!(why(&item("a"), MANUAL, open, Gate::Open), Some(Exclusion::BreakerOpen { until: hours(105) }));
    let stopped = Gate::Open.stop_account(hours(9));
    assert_eq!(
        why(&item("a"), MANUAL, GroupState::default(), stopped),
        Some(Exclusion::AccountStopped { since: hours(9) })
    );
}

#[test]
fn an_account_without_credits_sees_no_second_post_until_it_works_again() {
    let limits = Limits::default();
    let stopped = Gate::Open.stop_account(hours(1));
    assert_eq!(stopped.observe(hours(50), true, true, Weather::Storm, &limits), stopped);
    assert_eq!(stopped.saw_completion(hours(1), &limits), stopped, "work that was under way proves nothing");
    assert!(stopped.saw_completion(hours(2), &limits).wants_probe(hours(2)));
    assert!(stopped.reset(hours(3)).wants_probe(hours(3)));
}

#[test]
fn a_failed_probe_holds_twice_as_long_and_a_recovered_one_opens() {
    let limits = Limits::default();
    let held = Gate::Open.observe(hours(0), true, false, Weather::Calm, &limits);
    assert!(!held.wants_probe(hours(0)) && held.wants_probe(hours(1)));
    let probing = held.probe_posted();
    assert_eq!(probing.probe_ended(hours(1), Some(true), &limits), Gate::Open);
    let Gate::Held { until, failed_probes: 1, .. } = probing.probe_ended(hours(1), Some(false), &limits) else {
        panic!("held again")
    };
    assert_eq!(until, hours(2));
}

#[test]
fn the_incident_and_the_global_breaker_count_groups() {
    let turned = |n: usize| (0..n).map(|g| (hours(1), format!("g-{g}"))).collect::<Vec<_>>();
    assert!(incident(hours(1), &turned(5)) && !incident(hours(1), &turned(4)) && !incident(hours(2), &turned(5)));
    let attempts = |failed: usize, groups: usize| -> Vec<AttemptResult> {
        (0..20)
            .map(|n| AttemptResult { at: hours(1), group_id: format!("g-{}", n % groups), failed: n < failed })
            .collect()
    };
    assert!(global_breaker_trips(hours(1), &attempts(6, 3)));
    assert!(!global_breaker_trips(hours(1), &attempts(5, 3)) && !global_breaker_trips(hours(1), &attempts(9, 2)));
}

#[test]
fn delays_grow_and_throttled_waits_use_what_the_api_said() {
    let limits = Limits::default();
    let minutes = |item: &ItemFacts, fraction| (not_before(item, &limits, fraction) - item.failed_at).as_mins();
    for (attempts, low, high) in [(0, 7, 15), (1, 60, 120), (2, 360, 720), (5, 360, 720)] {
        let item = ItemFacts { attempts, ..item("a") };
        assert_eq!((minutes(&item, 0.0), minutes(&item, 1.0)), (low, high));
    }
    let throttled = ItemFacts { class: Class::Throttled, ..item("a") };
    assert_eq!(minutes(&throttled, 0.0), 15);
    assert_eq!(minutes(&ItemFacts { retry_after: Some(hours(1)), ..throttled.clone() }, 0.0), 60);
    assert_eq!(minutes(&ItemFacts { retry_after: Some(hours(90)), ..throttled }, 0.0), 24 * 60);
}

#[test]
fn a_hidden_cause_whose_canary_fails_in_calm_weather_is_left_to_a_person() {
    let limits = Limits::default();
    let ended = |generic, weather, probe| {
        let mut state = GroupState::default();
        state.posted(0);
        state.ended(
            Vote::Failed,
            0,
            &Ended { now: hours(1), limits: &limits, generic, weather, probe, record: Record::default() },
        );
        (state.parked_since(Weather::Still).is_some(), state.breaker.blocks(hours(2)))
    };
    assert_eq!(ended(true, Weather::Calm, false), (true, true));
    assert_eq!(ended(false, Weather::Calm, false), (false, true), "a named passing cause only rests");
    assert_eq!(ended(true, Weather::Storm, false), (false, true), "a storm explains it");
    assert_eq!(ended(true, Weather::Calm, true), (true, false), "a probe is a canary, too");
    assert_eq!(ended(true, Weather::Storm, true), (false, false), "a storm explains it");

    let parked = Some(Parked { since: hours(0), compared: true });
    let mut state = GroupState { parked, ..GroupState::default() };
    state.posted(0);
    let (generic, weather, probe, record) = (true, Weather::Calm, false, Record::default());
    state.ended(Vote::Recovered, 0, &Ended { now: hours(1), limits: &limits, generic, weather, probe, record });
    assert_eq!(state.parked_since(Weather::Calm), None, "what somebody tried by hand recovered");
}

fn in_the_calm(limits: &Limits) -> Ended<'_> {
    Ended { now: hours(1), limits, generic: false, weather: Weather::Calm, probe: false, record: Record::default() }
}

#[test]
fn a_step_is_judged_by_items_that_are_retried_for_the_first_time() {
    let limits = Limits::default();
    let ctx = in_the_calm(&limits);
    let mut state = GroupState::default();
    state.ramp.step = Step::Twenty;
    let one = |state: &mut GroupState, vote, before| {
        state.posted(before);
        state.ended(vote, before, &ctx);
    };
    for _ in 0..3 {
        one(&mut state, Vote::Recovered, 0);
        one(&mut state, Vote::Failed, 1);
    }
    one(&mut state, Vote::Failed, 2);
    assert_eq!((state.breaker, state.second_tries.failed, state.third_tries.failed), (Breaker::default(), 3, 1));
    let mut canary = GroupState::default();
    one(&mut canary, Vote::Failed, 1);
    assert!(canary.breaker.blocks(hours(2)), "a canary speaks for its group though its item was tried before");
}

#[test]
fn second_tries_go_on_trial() {
    let limits = Limits::default();
    let ctx = in_the_calm(&limits);
    let mut state = GroupState::default();
    for _ in 0..3 {
        assert!(state.room_for(1) > 0);
        state.posted(1);
    }
    assert_eq!(state.room_for(1), 0, "three are on trial");
    state.ended(Vote::Failed, 1, &ctx);
    state.ended(Vote::Failed, 1, &ctx);
    assert_eq!(state.room_for(1), 0);
    state.ended(Vote::Recovered, 1, &ctx);
    assert_eq!((state.room_for(1), state.room_for(0)), (4, u32::MAX), "each that recovers pays for three more");
    for _ in 0..4 {
        state.posted(1);
        state.ended(Vote::Failed, 1, &ctx);
    }
    assert_eq!(state.room_for(1), 0, "a quarter has to recover");
}

#[test]
fn a_group_that_is_known_to_be_mixed_goes_on_as_it_did_and_no_worse() {
    let limits = Limits::default();
    let ended = |record, step, votes: &[Vote]| {
        let ctx = Ended { now: hours(1), limits: &limits, generic: true, weather: Weather::Calm, probe: false, record };
        let mut state = GroupState { recovered: record.recovered, ..GroupState::default() };
        state.ramp.step = step;
        votes.iter().for_each(|_| state.posted(0));
        let last = votes.iter().map(|vote| state.ended(*vote, 0, &ctx)).last();
        (last, state.breaker.blocks(hours(2)), state.ramp.step)
    };
    let three_of_five = [Vote::Recovered, Vote::Recovered, Vote::Recovered, Vote::Failed, Vote::Failed];
    let (strangers, mixed) = (Record::default(), Record { recovered: 12, failed: 8 });
    assert_eq!(ended(strangers, Step::Five, &three_of_five), (Some(StepResult::Failed), true, Step::One));
    assert_eq!(ended(mixed, Step::Five, &three_of_five), (Some(StepResult::Passed), false, Step::Twenty));
    let two_of_five = [Vote::Recovered, Vote::Recovered, Vote::Failed, Vote::Failed, Vote::Failed];
    assert_eq!(ended(mixed, Step::Five, &two_of_five), (Some(StepResult::Failed), true, Step::One));

    let canaries = |record, lost| {
        let ctx = Ended { now: hours(1), limits: &limits, generic: true, weather: Weather::Calm, probe: false, record };
        let mut state = GroupState { recovered: record.recovered, ..GroupState::default() };
        for _ in 0..lost {
            state.posted(0);
            state.ended(Vote::Failed, 0, &ctx);
        }
        (state.breaker.blocks(hours(2)), state.ramp.room(100))
    };
    assert_eq!(canaries(mixed, 2), (false, 1), "one document says little, so the next one goes");
    assert_eq!(canaries(mixed, 3), (true, 1));
    assert_eq!(canaries(mixed, 4), (true, 1), "it rests on while the next ones try");
    assert_eq!(canaries(strangers, 1), (true, 1));
}

#[test]
fn a_retry_that_recovered_takes_nothing_of_the_share() {
    let limits = Limits::default();
    let spent = |recovered_day| Spent { day: 50, recovered_day, processed_day: 240, ..Spent::default() };
    assert_eq!(spent(0).exhausted("g", 0.0, false, &limits), Some(Budget::Share));
    assert_eq!(spent(1).exhausted("g", 0.0, false, &limits), None);
    let day = Spent { day: 400, recovered_day: 400, ..Spent::default() };
    assert_eq!(day.exhausted("g", 0.0, false, &limits), Some(Budget::Day), "of the other budgets it does");
}

#[test]
fn of_a_sender_whose_retries_all_fail_one_document_a_day_tries_for_all() {
    let (limits, spent) = (Limits::default(), Spent::default());
    let sent = |id: &str, directory: &str| ItemFacts { directory: directory.to_owned(), ..item(id) };
    let items = [sent("a1", "a"), sent("a2", "a"), sent("b1", "b")];
    let sender = |recovered, failed| Sender { recovered, failed, last: hours(90) };
    let senders = Senders::from([("a".to_owned(), sender(0, 4)), ("b".to_owned(), sender(9, 1))]);
    let state = GroupState { ramp: Ramp { step: Step::Rest, ..Ramp::default() }, ..GroupState::default() };
    let groups = [GroupFacts { senders, ..group(state) }];
    let chosen = |now| {
        let (selection, gate, weather) = (Selection::Auto, Gate::Open, Weather::Calm);
        let input =
            PlanInput { now, selection, groups: &groups, items: &items, gate, weather, spent: &spent, limits: &limits };
        plan(&input).item_ids().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(chosen(hours(100)), ["b1"]);
    assert_eq!(chosen(hours(114)), ["a1", "b1"]);
}

#[test]
fn an_api_that_takes_one_item_in_a_request_still_gets_whole_steps() {
    let limits = Limits { chunk: 1, ..Limits::default() };
    let items: Vec<ItemFacts> = (0..30).map(|n| item(&format!("i-{n:02}"))).collect();
    let ramp = Ramp { step: Step::Rest, ..Ramp::default() };
    let groups = [group(GroupState { ramp, recovered: 126, ..GroupState::default() })];
    let (spent, gate, weather) = (Spent::default(), Gate::Open, Weather::Calm);
    let chosen = plan(&PlanInput {
        now: hours(100),
        selection: Selection::Auto,
        groups: &groups,
        items: &items,
        gate,
        weather,
        spent: &spent,
        limits: &limits,
    });
    assert_eq!((chosen.chunks.len(), chosen.item_ids().count()), (30, 30), "{:?}", chosen.excluded);
}

fn any_item() -> impl Strategy<Value = ItemFacts> {
    let class = prop::sample::select(Class::VARIANTS.to_vec());
    let state =
        prop::sample::select(vec![ItemState::Open, ItemState::Retrying, ItemState::Recovered, ItemState::Dismissed]);
    (0u32..400, 0u32..6, class, state, 0i64..90, 0u32..5, 0u32..8, any::<[bool; 4]>()).prop_map(
        |(id, group, class, state, failed, attempts, life, [claimed, running, unconfigured, priced])| ItemFacts {
            group_id: format!("g-{group}"),
            class,
            state,
            failed_at: hours(failed),
            attempts,
            attempts_in_life: life.max(attempts),
            claimed_by: (claimed && id % 3 == 0).then(|| "i".to_owned()),
            running_in: (running && id % 5 == 0).then(|| "b".to_owned()),
            config_hash: (!unconfigured || id % 2 == 0).then(|| format!("c{}", id % 3)),
            credits: priced.then_some(f64::from(id % 30)),
            directory: format!("d{}", id % 7),
            ..item(&format!("dfl-{id}"))
        },
    )
}

fn any_groups() -> impl Strategy<Value = Vec<GroupFacts>> {
    prop::collection::vec((0u32..5, any::<bool>(), 0i64..200), 6).prop_map(|states| {
        let steps = [Step::One, Step::Five, Step::Twenty, Step::Hundred, Step::Rest];
        let one = |(n, (step, open, at)): (usize, (u32, bool, i64))| {
            let breaker =
                if open { Breaker::default().open(hours(at), &Limits::default()) } else { Breaker::default() };
            let ramp = Ramp { step: steps[step as usize], ..Ramp::default() };
            GroupFacts { group_id: format!("g-{n}"), ..group(GroupState { ramp, breaker, ..GroupState::default() }) }
        };
        states.into_iter().enumerate().map(one).collect()
    })
}

proptest! {
    #[test]
    fn a_plan_keeps_every_limit(items in prop::collection::vec(any_item(), 0..300), groups in any_groups(), spent in 0u32..450, hour in 0u32..220, manual: bool, forced: bool) {
        let limits = Limits { credits_per_day: Some(2000.0), ..Limits::default() };
        let spent = Spent { hour: hour.min(spent), day: spent, processed_day: 3000, credits_day: f64::from(spent), ..Spent::default() };
        let selection = if manual { Selection::Manual { limit: Some(60), force_attempts: forced, permanent: true } } else { Selection::Auto };
        let input = PlanInput { now: hours(100), selection, groups: &groups, items: &items, gate: Gate::Open, weather: Weather::Calm, spent: &spent, limits: &limits };
        let made = plan(&input);
        prop_assert_eq!(&made, &plan(&input), "the same input gives the same plan");

        let first: BTreeMap<&str, &ItemFacts> = items.iter().rev().map(|item| (item.item_id.as_str(), item)).collect();
        let chosen: Vec<&str> = made.item_ids().collect();
        let distinct: BTreeSet<&str> = chosen.iter().copied().collect();
        prop_assert_eq!(chosen.len(), distinct.len(), "no item twice");
        prop_assert_eq!(chosen.len() + made.excluded.len(), first.len(), "every item is chosen or has a reason");
        let count = u32::try_from(chosen.len()).unwrap();
        prop_assert!(count <= limits.per_run && count + spent.hour <= limits.per_hour.max(spent.hour));
        let usable = if manual { limits.per_day } else { limits.per_day / 5 * 4 };
        prop_assert!(count + spent.day <= usable.max(spent.day));
        prop_assert!(manual || count + spent.day <= 300.max(spent.day), "a tenth of 3000");
        prop_assert!(count == 0 || made.credits + spent.credits_day <= 2000.0);
        for id in &chosen {
            let item = first[id];
            prop_assert!(item.claimed_by.is_none() && item.running_in.is_none() && item.config_hash.is_some());
            prop_assert!(!matches!(item.state, ItemState::Recovered | ItemState::Dismissed));
            prop_assert!(forced && manual || item.attempts < 3 && item.attempts_in_life < 6);
            let changed = item.class == Class::Config && item.failed_config_hash != item.config_hash;
            prop_assert!(manual || changed || matches!(item.class, Class::Transient | Class::Throttled | Class::Account));
        }
        for chunk in &made.chunks {
            prop_assert!(chunk.item_ids.len() <= 100 && chunk.item_ids.is_sorted());
            let group = groups.iter().find(|g| g.group_id == chunk.group_id).unwrap();
            prop_assert!(!group.state.breaker.blocks(hours(100)));
            let posted: usize = made.chunks.iter().filter(|c| c.group_id == chunk.group_id).map(|c| c.item_ids.len()).sum();
            prop_assert!(manual || posted <= group.state.ramp.step.size(100) as usize);
            prop_assert!(manual || !group.state.breaker.is_half_open(hours(100)) || posted == 1, "half-open lets one canary through");
        }

        let frozen: BTreeSet<String> = made.item_ids().take(5).map(str::to_owned).collect();
        let smaller = shrink(&frozen, &input);
        prop_assert!(smaller.item_ids().all(|id| frozen.contains(id)), "a frozen plan only shrinks");
    }
}
