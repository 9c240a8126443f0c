//! Which item probes for all groups.

use crate::reprocess::policy::budget::Spent;
use crate::reprocess::policy::facts::{GroupFacts, ItemFacts};
use crate::reprocess::policy::group_state::{Ended, GroupState, LaterTries};
use crate::reprocess::policy::holds::gate::{Gate, HoldReason};
use crate::reprocess::policy::holds::outage_signal::Weather;
use crate::reprocess::policy::intents::outcome::Vote;
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::policy::plan::{PlanInput, Selection, another_canary, plan};
use crate::reprocess::policy::ramp::Step;
use crate::reprocess::policy::record::Record;
use crate::reprocess::policy::tests::scenarios::{group, hours, item};

/// What is posted at 100 h, when a hold is over.
fn probe(groups: &[GroupFacts], items: &[ItemFacts], weather: Weather) -> Vec<String> {
    let (limits, spent) = (Limits::default(), Spent::default());
    let gate = Gate::Held { reason: HoldReason::ProbeFailed, until: hours(99), failed_probes: 1 };
    let (now, selection) = (hours(100), Selection::Auto);
    let made = plan(&PlanInput { now, selection, groups, items, gate, weather, spent: &spent, limits: &limits });
    assert!(made.chunks.iter().all(|chunk| chunk.probe));
    made.item_ids().map(str::to_owned).collect()
}

fn tried(id: &str, attempts: u32) -> ItemFacts {
    ItemFacts { attempts, attempts_in_life: attempts, failed_at: hours(50), ..item(id) }
}

#[test]
fn a_document_that_was_not_tried_probes_before_one_that_failed_again() {
    let groups = [group(GroupState::default())];
    assert_eq!(probe(&groups, &[tried("a", 1), item("b")], Weather::Calm), ["b"]);
    assert_eq!(probe(&groups, &[tried("a", 1)], Weather::Calm), ["a"], "there is no other");
    let worn = LaterTries { failed: 3, ..LaterTries::default() };
    let groups = [group(GroupState { second_tries: worn, ..GroupState::default() })];
    assert!(probe(&groups, &[tried("a", 1)], Weather::Calm).is_empty(), "second tries of this group do not help");
}

#[test]
fn a_wording_that_hides_its_cause_probes_once_and_only_when_it_is_quiet() {
    let hidden = |last_failure, state| GroupFacts { generic: true, last_failure, ..group(state) };
    let ask = |facts: GroupFacts, weather| probe(&[facts], &[item("a")], weather);
    assert_eq!(ask(hidden(hours(97), GroupState::default()), Weather::Still), ["a"]);
    assert!(ask(hidden(hours(99), GroupState::default()), Weather::Still).is_empty(), "it has just failed");
    let mut lost = GroupState::default();
    let limits = Limits::default();
    let (generic, weather, record) = (true, Weather::Still, Record::default());
    lost.posted(0);
    lost.ended(Vote::Failed, 0, &Ended { now: hours(98), limits: &limits, generic, weather, probe: true, record });
    assert!(ask(hidden(hours(90), lost), Weather::Still).is_empty(), "its one canary is lost");
}

#[test]
fn another_canary_is_of_the_same_group_and_parameters() {
    let (limits, spent) = (Limits::default(), Spent::default());
    let foreign = ItemFacts { group_id: "g-2".to_owned(), ..item("d") };
    let other = ItemFacts { config_hash: Some("other".to_owned()), ..item("b") };
    let items = [item("a"), other, item("c"), foreign];
    let groups = [group(GroupState::default())];
    let (now, selection, gate, weather) = (hours(100), Selection::Auto, Gate::Open, Weather::Calm);
    let input =
        PlanInput { now, selection, groups: &groups, items: &items, gate, weather, spent: &spent, limits: &limits };
    let first = plan(&input).chunks.into_iter().find(|chunk| chunk.group_id == "g-1").unwrap();
    assert_eq!(first.item_ids, ["a"]);
    let next = another_canary(&first, &input).unwrap();
    assert_eq!((next.item_ids.as_slice(), next.step), ([String::from("c")].as_slice(), Some(Step::One)));
    let left = [item("a")];
    assert_eq!(another_canary(&first, &PlanInput { items: &left, ..input }), None, "there is no other");
}
