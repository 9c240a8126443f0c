//! Invariants that must hold after recovery, whatever was killed before.

use std::collections::{BTreeMap, BTreeSet};

use llama_triage::internals::simulator::{ItemRun, SimulatedItemStatus};

use super::rig::Rig;
use super::{digests, retries};

/// Asserts every promise.
pub(crate) fn hold(rig: &mut Rig) {
    the_ledger_knows_every_failure(rig);
    items_stand_as_in_the_cloud(rig);
    the_ledger_agrees_with_itself(rig);
    counts_equal_observations(rig);
    digests::arrived_once_under_one_id(&rig.site, &rig.sinks);
    every_group_was_announced(rig);
    retries::hold(rig);
}

/// Promise 1: what the cloud ever showed is recorded, nothing recorded ever goes, and nothing was made up.
///
/// Only what the service itself repaired between its answer and the death of who asked cannot be known any more.
fn the_ledger_knows_every_failure(rig: &mut Rig) {
    let (ever, standing) = shown(rig);
    let recorded = rig.recorded_now();
    let nothing = Vec::<&String>::new();
    assert_eq!(standing.difference(&recorded).collect::<Vec<_>>(), nothing, "not recorded");
    let unknown = ever.difference(&recorded).filter(|shown| !rig.died_unwritten.contains(*shown));
    assert_eq!(unknown.collect::<Vec<_>>(), nothing, "shown to a process that lived on, and not recorded");
    assert_eq!(recorded.difference(&ever).collect::<Vec<_>>(), nothing, "made up");
    assert_eq!(rig.recorded.difference(&recorded).collect::<Vec<_>>(), nothing, "recorded once, and gone");
    rig.recorded = recorded;
}

/// Every failure that was ever shown (`item batch kind`), and those that still are.
pub(crate) fn shown(rig: &Rig) -> (BTreeSet<String>, BTreeSet<String>) {
    let world = rig.site.cloud.world();
    let (mut ever, mut standing) = (BTreeSet::new(), BTreeSet::new());
    for failure in world.truth().served_failures() {
        let status = if failure.status == SimulatedItemStatus::Failed { "failed" } else { "skipped" };
        let text = format!("{} {} {status}", failure.item_id, failure.batch_id);
        let batch = world.batch(&failure.batch_id).unwrap();
        let stands = |run: &ItemRun| world.items()[run.item].id == failure.item_id && run.status == failure.status;
        if batch.runs.iter().any(stands) {
            standing.insert(text.clone());
        }
        ever.insert(text);
    }
    (ever, standing)
}

fn items_stand_as_in_the_cloud(rig: &Rig) {
    let world = rig.site.cloud.world();
    let failed: BTreeSet<String> = world.open_failures().into_iter().map(str::to_owned).collect();
    drop(world);
    let open = rig.site.texts("SELECT item_id FROM item WHERE state = 'open' AND kind = 'failed'");
    let open: BTreeSet<String> = open.into_iter().collect();
    let under_way = retries::items_under_way(rig);
    let differ: Vec<_> = failed.symmetric_difference(&open).filter(|id| !under_way.contains(*id)).collect();
    assert_eq!(differ, Vec::<&String>::new());
}

fn the_ledger_agrees_with_itself(rig: &Rig) {
    rig.site.command(&["ledger", "check"]).assert().success();
}

/// Counted again from what was recorded, apart from the ledger's own check, and as it is reported it.
fn counts_equal_observations(rig: &Rig) {
    let mut failures: BTreeMap<&str, usize> = BTreeMap::new();
    for observation in &rig.recorded {
        let (item, rest) = observation.split_once(' ').unwrap();
        *failures.entry(item).or_default() += usize::from(rest.ends_with(" failed"));
    }
    let counted: Vec<String> = failures.iter().map(|(item, count)| format!("{item} {count}")).collect();
    assert_eq!(rig.site.texts("SELECT item_id || ' ' || failures FROM item ORDER BY item_id"), counted);

    let run = rig.site.command(&["report", "groups", "--format", "json", "--limit", "100000"]).assert().success();
    let report: serde_json::Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    let told: u64 = report["rows"].as_array().unwrap().iter().map(|row| row["open_items"].as_u64().unwrap()).sum();
    let open = rig.site.texts("SELECT item_id FROM item WHERE state IN ('open', 'retrying')").len();
    assert_eq!(told, open as u64, "the report's open items are not those of the ledger");
}

/// No one is left without news: every group with open failures is in a digest that arrived.
fn every_group_was_announced(rig: &Rig) {
    let told: String = rig.sinks.hooks().into_values().flatten().collect();
    let groups = rig.site.texts("SELECT group_id FROM error_group WHERE open_items > 0 AND merged_into IS NULL");
    let untold: Vec<_> = groups.into_iter().filter(|group| !told.contains(group.as_str())).collect();
    assert_eq!(untold, Vec::<String>::new());
}
