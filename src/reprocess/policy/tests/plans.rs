use std::collections::BTreeSet;

use super::*;
use crate::reprocess::policy::budget::{Budget, Spent};
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::policy::hold::HoldReason;
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::policy::plan::{Plan, PlanInput, Selection, class_of, plan, shrink};

const MANUAL: Selection = Selection::Manual { limit: None, force_attempts: false, permanent: false };

struct Scenario {
    items: Vec<ItemFacts>,
    groups: Vec<GroupFacts>,
    spent: Spent,
    limits: Limits,
    stopped_since: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    hold: Option<(HoldReason, Timestamp)>,
}

impl Scenario {
    fn new(items: Vec<ItemFacts>) -> Scenario {
        let spent = Spent { processed_day: 10_000, ..Spent::default() };
        let (limits, groups) = (Limits::default(), Vec::new());
        Scenario { items, groups, spent, limits, stopped_since: None, completed_at: None, hold: None }
    }

    fn input(&self, selection: Selection) -> PlanInput<'_> {
        PlanInput {
            now: at(60),
            selection,
            groups: &self.groups,
            items: &self.items,
            stopped_since: self.stopped_since,
            completed_at: self.completed_at,
            hold: self.hold,
            spent: &self.spent,
            limits: &self.limits,
        }
    }

    fn plan(&self, selection: Selection) -> Plan {
        plan(&self.input(selection))
    }

    /// Why the service leaves its one item out; none if it goes.
    fn why(&self) -> Option<Exclusion> {
        self.plan(Selection::Auto).excluded.into_iter().next().map(|left| left.exclusion)
    }
}

fn many(count: usize, class: Class) -> Vec<ItemFacts> {
    (0..count).map(|n| item(&format!("i{n:03}"), class)).collect()
}

#[test]
fn one_document_of_an_untried_group_is_retried_and_the_rest_waits() {
    let plan = Scenario::new(many(30, Class::Unknown)).plan(Selection::Auto);
    assert_eq!((plan.count(), plan.excluded.len(), plan.chunks[0].probe), (1, 29, Some(true)));
    assert!(plan.excluded.iter().all(|left| left.exclusion == Exclusion::LaterStep));
}

#[test]
fn the_probe_is_one_that_was_neither_refused_nor_tried_if_there_is_one() {
    let mut items = many(3, Class::Transient);
    items[0].refusals = 1;
    items[2].attempts = 1;
    assert_eq!(Scenario::new(items).plan(Selection::Auto).item_ids().collect::<Vec<_>>(), ["i001"]);
}

#[test]
fn a_probe_is_of_another_batch_and_another_kind_of_file_than_those_lost() {
    let mut items = many(12, Class::Unknown);
    for (n, one) in items.iter_mut().enumerate() {
        (one.batch_id, one.extension) = (format!("b{}", n / 6), ["pdf", "docx"][n % 2].to_owned());
    }
    let next = |items: &[ItemFacts]| {
        let plan = Scenario::new(items.to_vec()).plan(Selection::Auto);
        let id = plan.item_ids().next().unwrap();
        items.iter().position(|item| item.item_id == id).unwrap()
    };
    let mut kinds = BTreeSet::new();
    for _ in 0..4 {
        let at = next(&items);
        items[at].attempts = 1;
        kinds.insert((items[at].batch_id.clone(), items[at].extension.clone()));
    }
    assert_eq!(kinds.len(), 4, "each of the four kinds once: {kinds:?}");
}

#[test]
fn a_group_is_of_the_class_of_most_that_may_be_retried() {
    let mut items = many(5, Class::PermanentInput);
    let of = |items: &[ItemFacts]| class_of(&items.iter().collect::<Vec<_>>(), &Limits::default());
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
        one.attempts = u32::from(n >= 30);
    }
    let mut scenario = Scenario::new(items);
    scenario.groups = vec![group(Class::Unknown, 40, vec![tries(1, 1, 0, 60, TryResult::Recovered)])];
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
        assert_eq!(class(permanent), Some(Exclusion::Class { class: permanent }));
    }
    assert_eq!(class(Class::Done), Some(Exclusion::Done));
    assert_eq!(class(Class::Config), Some(Exclusion::Class { class: Class::Config }), "its parameters are not known");
    type Change = fn(&mut ItemFacts);
    let with = |change: Change| {
        let mut one = item("i", Class::Transient);
        change(&mut one);
        Scenario::new(vec![one]).why()
    };
    let cases: [(Change, Exclusion); 8] = [
        (|one| one.state = ItemState::Recovered, Exclusion::Recovered),
        (|one| one.claimed_by = Some("n".into()), Exclusion::Claimed { intent_id: "n".into() }),
        (|one| one.running_in = Some("b".into()), Exclusion::Running { batch_id: "b".into() }),
        (|one| one.config_hash = None, Exclusion::NoJobConfig),
        (|one| one.attempts = 3, Exclusion::Attempts { made: 3 }),
        (|one| one.attempts_in_life = 6, Exclusion::AttemptsInLife { made: 6 }),
        (|one| one.refused = true, Exclusion::Refused),
        (|one| one.baseline = true, Exclusion::Baseline),
    ];
    for (change, exclusion) in cases {
        assert_eq!(with(change), Some(exclusion));
    }
    let delayed = with(|one| one.failed_at = at(59));
    assert!(matches!(delayed, Some(Exclusion::Delay { until }) if until > at(60) && until <= at(74)), "{delayed:?}");
}

#[test]
fn class_config_is_retried_with_changed_parameters_only() {
    let with = |failed: &str| {
        let mut one = item("i", Class::Config);
        one.failed_config_hash = Some(failed.to_owned());
        Scenario::new(vec![one]).why()
    };
    assert_eq!(with("h"), Some(Exclusion::SameConfig));
    assert_eq!(with("another"), None);
}

#[test]
fn class_account_is_retried_once_something_has_completed_since() {
    let mut scenario = Scenario::new(vec![item("i", Class::Account)]);
    assert_eq!(scenario.why(), Some(Exclusion::AccountUnproven));
    scenario.completed_at = Some(at(1));
    assert_eq!(scenario.why(), None);
    scenario.stopped_since = Some(at(30));
    assert_eq!(scenario.why(), Some(Exclusion::AccountStopped { since: at(30) }));
    assert_eq!(scenario.plan(MANUAL).count(), 0, "a stopped account holds people, too");
}

#[test]
fn holds_and_rests_stop_automatic_retries_and_not_manual_ones() {
    let mut scenario = Scenario::new(many(3, Class::Transient));
    scenario.hold = Some((HoldReason::Storm, at(90)));
    assert_eq!(scenario.why(), Some(Exclusion::Held { reason: HoldReason::Storm, until: at(90) }));
    scenario.hold = None;
    scenario.groups = vec![group(Class::Unknown, 3, vec![tries(1, 1, 50, 55, TryResult::Lost)])];
    assert_eq!(scenario.why(), Some(Exclusion::Rests { until: at(115) }));
    assert_eq!(scenario.plan(MANUAL).count(), 3);
    scenario.groups = vec![group(Class::Unknown, 3, vec![tries(1, 1, 50, 0, TryResult::Running)])];
    assert_eq!(scenario.why(), Some(Exclusion::StepRunning));
}

#[test]
fn class_unknown_is_not_retried_automatically_if_so_configured() {
    let mut scenario = Scenario::new(many(1, Class::Unknown));
    scenario.limits.probe_unknown = false;
    assert_eq!(scenario.why(), Some(Exclusion::Class { class: Class::Unknown }));
}

#[test]
fn budgets_bound_what_is_not_recovered_and_a_fifth_of_the_day_is_for_manual_retries() {
    let mut scenario = Scenario::new(many(1, Class::Transient));
    let mut with = |spent: Spent| {
        scenario.spent = Spent { processed_day: 1_000_000, ..spent };
        (scenario.why(), scenario.plan(MANUAL).count())
    };
    let budget = |budget| Some(Exclusion::Budget { budget });
    assert_eq!(with(Spent { run: 50, ..Spent::default() }), (budget(Budget::PerRun), 0));
    assert_eq!(with(Spent { hour: 200, ..Spent::default() }), (budget(Budget::PerHour), 0));
    assert_eq!(with(Spent { day: 400, ..Spent::default() }), (budget(Budget::PerDay), 1));
    assert_eq!(with(Spent { day: 500, ..Spent::default() }), (budget(Budget::PerDay), 0));
    let group_day = [("g-1".to_owned(), 100)].into();
    assert_eq!(with(Spent { group_day, ..Spent::default() }), (budget(Budget::PerGroupPerDay), 0));
    scenario.spent = Spent { day: 50, processed_day: 100, ..Spent::default() };
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
    assert!(limited.excluded.iter().any(|left| left.exclusion == Exclusion::OverLimit));
    let all = scenario.plan(Selection::Manual { limit: None, force_attempts: false, permanent: true });
    assert_eq!(all.count(), 7);
}

#[test]
fn a_frozen_plan_only_shrinks_and_leaves_out_what_turned_out_permanent() {
    let mut items = many(3, Class::Transient);
    items[1].state = ItemState::Recovered;
    (items[2].class, items[2].planned_as) = (Class::Account, Some(Class::Transient));
    let scenario = Scenario::new(items);
    let frozen: BTreeSet<String> = ["i000", "i001", "i002", "gone"].map(str::to_owned).into();
    let shrunk = shrink(&frozen, &scenario.input(MANUAL));
    assert_eq!(shrunk.item_ids().collect::<Vec<_>>(), ["i000"]);
    assert_eq!(shrunk.excluded[1].exclusion, Exclusion::ClassChanged { class: Class::Account });
    assert_eq!(shrink(&BTreeSet::new(), &scenario.input(MANUAL)).count(), 0);
}
