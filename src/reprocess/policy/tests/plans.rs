use std::collections::BTreeSet;

use super::*;
use crate::config::reprocess::Unknown;
use crate::reprocess::policy::budget::{Budget, Spent};
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::policy::hold::HoldReason;
use crate::reprocess::policy::plan::{Facts, Selection};
use crate::reprocess::policy::plan::{Plan, class_of, plan};
use crate::reprocess::protocol::job_config::NoConfig;

const MANUAL: Selection = Selection::Manual { limit: None, force_attempts: false, permanent: false };

struct Scenario {
    facts: Facts,
    config: ReprocessConfig,
}

impl Scenario {
    fn new(items: Vec<Item>) -> Scenario {
        let spent = Spent { processed_day: 10_000, ..Spent::default() };
        Scenario { facts: Facts { items, spent, ..Facts::default() }, config: settings() }
    }

    fn plan(&self, selection: Selection) -> Plan {
        plan(&self.facts, selection, &self.config, at(60))
    }

    /// Why the service leaves its one item out; none if it goes.
    fn why(&self) -> Option<Exclusion> {
        self.plan(Selection::Auto).excluded.into_iter().next().map(|(_, why)| why)
    }
}

fn many(count: usize, class: Class) -> Vec<Item> {
    (0..count).map(|n| item(&format!("i{n:03}"), class)).collect()
}

#[test]
fn one_document_of_an_untried_group_is_retried_and_the_rest_waits() {
    let plan = Scenario::new(many(30, Class::Unknown)).plan(Selection::Auto);
    assert_eq!((plan.count(), plan.excluded.len(), plan.chunks[0].probe), (1, 29, Some(true)));
    assert!(plan.excluded.iter().all(|left| left.1 == Exclusion::LaterStep));
}

#[test]
fn the_probe_is_one_that_was_neither_refused_nor_tried_if_there_is_one() {
    let mut items = many(3, Class::Transient);
    items[0].refusals = 1;
    items[2].tried = vec![tried(true)];
    assert_eq!(Scenario::new(items).plan(Selection::Auto).item_ids().collect::<Vec<_>>(), ["i001"]);
}

#[test]
fn a_probe_is_of_another_batch_and_another_kind_of_file_than_those_lost() {
    let mut items = many(12, Class::Unknown);
    for (n, one) in items.iter_mut().enumerate() {
        (one.batch_id, one.said.item_name) = (format!("b{}", n / 6), ["x.pdf", "x.docx"][n % 2].to_owned());
    }
    let next = |items: &[Item]| {
        let plan = Scenario::new(items.to_vec()).plan(Selection::Auto);
        let id = plan.item_ids().next().unwrap();
        items.iter().position(|item| item.item_id == id).unwrap()
    };
    let mut kinds = BTreeSet::new();
    for _ in 0..4 {
        let at = next(&items);
        items[at].tried = vec![tried(true)];
        kinds.insert((items[at].batch_id.clone(), items[at].extension()));
    }
    assert_eq!(kinds.len(), 4, "each of the four kinds once: {kinds:?}");
}

#[test]
fn a_group_is_of_the_class_of_most_that_may_be_retried() {
    let mut items = many(5, Class::PermanentInput);
    let of = |items: &[Item]| class_of(&items.iter().collect::<Vec<_>>(), &settings());
    assert_eq!(of(&items), Class::PermanentInput);
    items[0].class = Class::Unknown;
    assert_eq!(of(&items), Class::Unknown, "the one that is retried decides for itself");
    items[1].class = Class::Transient;
    assert_eq!(of(&items), Class::Transient);
}

#[test]
fn a_step_takes_the_oldest_and_as_many_tried_before_as_their_belief_allows() {
    let mut items = many(40, Class::Unknown);
    for (n, one) in items.iter_mut().enumerate() {
        one.failed_at = at(-1_000 - i64::try_from(n).unwrap());
        one.tried = vec![tried(true); usize::from(n >= 30)];
    }
    let mut scenario = Scenario::new(items);
    scenario.facts.groups = vec![group(Class::Unknown, 40, vec![tries(1, 1, 0, 60, TryResult::Recovered)])];
    let plan = scenario.plan(Selection::Auto);
    let chosen: Vec<&str> = plan.item_ids().collect();
    assert_eq!(chosen, ["i025", "i026", "i027", "i028", "i029", "i038", "i039"]);
    assert_eq!(plan.chunks.len(), 2, "tried documents go without the cache");
    assert!(plan.chunks[1].second_try && !plan.chunks[0].second_try);
}

#[test]
fn each_reason_to_exclude_an_item_is_named() {
    let class = |class| Scenario::new(vec![item("i", class)]).why();
    assert_eq!(class(Class::Transient), None);
    assert_eq!(class(Class::Unknown), None);
    for permanent in [Class::PermanentInput, Class::Cancelled] {
        assert_eq!(class(permanent), Some(Exclusion::Class(permanent)));
    }
    assert_eq!(class(Class::Done), Some(Exclusion::Done));
    assert_eq!(class(Class::Config), Some(Exclusion::Class(Class::Config)), "its parameters are not known");
    type Change = fn(&mut Item);
    let with = |change: Change| {
        let mut one = item("i", Class::Transient);
        change(&mut one);
        Scenario::new(vec![one]).why()
    };
    let cases: [(Change, Exclusion); 8] = [
        (|one| one.state = ItemState::Recovered, Exclusion::Recovered),
        (|one| one.claimed_by = Some("n".into()), Exclusion::Claimed("n".into())),
        (|one| one.running_in = Some("b".into()), Exclusion::Running("b".into())),
        (|one| one.config = Err(NoConfig::Unasked("why".into())), Exclusion::NoJobConfig("why".into())),
        (|one| one.tried = vec![tried(true); 3], Exclusion::Attempts(3)),
        (|one| one.tried = vec![tried(false); 6], Exclusion::AttemptsInLife(6)),
        (|one| one.refused = Some((job_config().hash().to_owned(), at(0))), Exclusion::Refused),
        (|one| one.baseline = true, Exclusion::Baseline),
    ];
    for (change, exclusion) in cases {
        assert_eq!(with(change), Some(exclusion));
    }
    let delayed = with(|one| one.failed_at = at(59));
    assert!(matches!(delayed, Some(Exclusion::Delay(until)) if until > at(60) && until <= at(74)), "{delayed:?}");
}

#[test]
fn class_config_is_retried_with_changed_parameters_only() {
    let with = |is_of_now| {
        let one = Item { tried: vec![Tried { counts: false, ..tried(is_of_now) }], ..item("i", Class::Config) };
        Scenario::new(vec![one]).why()
    };
    assert_eq!(with(true), Some(Exclusion::SameConfig));
    assert_eq!(with(false), None);
}

#[test]
fn class_account_is_retried_once_something_has_completed_since() {
    let mut scenario = Scenario::new(vec![item("i", Class::Account)]);
    assert_eq!(scenario.why(), Some(Exclusion::AccountUnproven));
    scenario.facts.completed_at = Some(at(1));
    assert_eq!(scenario.why(), None);
    scenario.facts.stopped_since = Some(at(30));
    assert_eq!(scenario.why(), Some(Exclusion::AccountStopped(at(30))));
    assert_eq!(scenario.plan(MANUAL).count(), 0, "a stopped account holds people, too");
}

#[test]
fn holds_and_rests_stop_automatic_retries_and_not_manual_ones() {
    let mut scenario = Scenario::new(many(3, Class::Transient));
    scenario.facts.hold = Some((HoldReason::Storm, at(90)));
    assert_eq!(scenario.why(), Some(Exclusion::Held(HoldReason::Storm, at(90))));
    scenario.facts.hold = None;
    scenario.facts.groups = vec![group(Class::Unknown, 3, vec![tries(1, 1, 50, 55, TryResult::Lost)])];
    assert_eq!(scenario.why(), Some(Exclusion::Rests(at(115))));
    assert_eq!(scenario.plan(MANUAL).count(), 3);
    scenario.facts.groups = vec![group(Class::Unknown, 3, vec![tries(1, 1, 50, 0, TryResult::Running)])];
    assert_eq!(scenario.why(), Some(Exclusion::StepRunning));
}

#[test]
fn class_unknown_is_not_retried_automatically_if_so_configured() {
    let mut scenario = Scenario::new(many(1, Class::Unknown));
    scenario.config.unknown = Unknown::Plan;
    assert_eq!(scenario.why(), Some(Exclusion::Class(Class::Unknown)));
}

#[test]
fn budgets_bound_what_is_not_recovered_and_a_fifth_of_the_day_is_for_manual_retries() {
    let mut scenario = Scenario::new(many(1, Class::Transient));
    let mut with = |spent: Spent| {
        scenario.facts.spent = Spent { processed_day: 1_000_000, ..spent };
        (scenario.why(), scenario.plan(MANUAL).count())
    };
    let budget = |budget| Some(Exclusion::Budget(budget));
    assert_eq!(with(Spent { run: 50, ..Spent::default() }), (budget(Budget::PerRun), 0));
    assert_eq!(with(Spent { hour: 200, ..Spent::default() }), (budget(Budget::PerHour), 0));
    assert_eq!(with(Spent { day: 400, ..Spent::default() }), (budget(Budget::PerDay), 1));
    assert_eq!(with(Spent { day: 500, ..Spent::default() }), (budget(Budget::PerDay), 0));
    let group_day = [("g-1".to_owned(), 100)].into();
    assert_eq!(with(Spent { group_day, ..Spent::default() }), (budget(Budget::PerGroupPerDay), 0));
    scenario.facts.spent = Spent { day: 50, processed_day: 100, ..Spent::default() };
    assert_eq!(scenario.why(), budget(Budget::MaxShare));
}

#[test]
fn a_manual_plan_takes_the_oldest_and_one_of_class_permanent_input() {
    let mut items = many(4, Class::Transient);
    items.extend((4..7).map(|n| item(&format!("i{n:03}"), Class::PermanentInput)));
    let scenario = Scenario::new(items);
    assert_eq!(scenario.plan(MANUAL).count(), 5);
    let limited = scenario.plan(Selection::Manual { limit: Some(2), force_attempts: false, permanent: false });
    assert_eq!(limited.count(), 2);
    assert!(limited.excluded.iter().any(|left| left.1 == Exclusion::OverLimit));
    let all = scenario.plan(Selection::Manual { limit: None, force_attempts: false, permanent: true });
    assert_eq!(all.count(), 7);
}

#[test]
fn what_turned_out_permanent_since_the_plan_is_left_out() {
    let mut items = many(3, Class::Transient);
    items[1].state = ItemState::Recovered;
    (items[2].class, items[2].planned_as) = (Class::Account, Some(Class::Transient));
    let plan = Scenario::new(items).plan(MANUAL);
    assert_eq!(plan.item_ids().collect::<Vec<_>>(), ["i000"]);
    assert_eq!(plan.excluded[1].1, Exclusion::ClassChanged(Class::Account));
}
