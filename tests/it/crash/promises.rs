//! What must hold whenever the dust has settled, whatever was killed before.

use std::collections::BTreeSet;

use llama_triage::demo::{ItemStatus, Run};

use super::retries;
use super::rig::Rig;

/// Asserts every promise.
pub(crate) fn hold(rig: &mut Rig) {
    the_ledger_knows_every_failure(rig);
    items_stand_as_in_the_cloud(rig);
    the_ledger_agrees_with_itself(rig);
    every_digest_was_delivered(rig);
    every_group_was_told(rig);
    retries::hold(rig);
}

/// Promise 1: what the cloud shows is recorded, nothing recorded ever goes, and nothing was made up.
///
/// What the service itself repaired in the moment between its answer and the death of who asked cannot be known any more.
fn the_ledger_knows_every_failure(rig: &mut Rig) {
    let (ever, standing) = shown(rig);
    let recorded: BTreeSet<String> = rig
        .site
        .texts(
            "SELECT i.item_id || ' ' || b.batch_id || ' ' || o.kind FROM observation o
             JOIN item i USING (item_key) JOIN batch b USING (batch_key)",
        )
        .into_iter()
        .collect();
    let nothing = Vec::<&String>::new();
    assert_eq!(standing.difference(&recorded).collect::<Vec<_>>(), nothing, "not recorded");
    assert_eq!(recorded.difference(&ever).collect::<Vec<_>>(), nothing, "made up");
    assert_eq!(rig.recorded.difference(&recorded).collect::<Vec<_>>(), nothing, "recorded once, and gone");
    rig.recorded = recorded;
}

/// Every failure that was ever shown, and those that still are.
fn shown(rig: &Rig) -> (BTreeSet<String>, BTreeSet<String>) {
    let world = rig.site.cloud.world();
    let (mut ever, mut standing) = (BTreeSet::new(), BTreeSet::new());
    for failure in world.truth().served_failures() {
        let status = if failure.status == ItemStatus::Failed { "failed" } else { "skipped" };
        let text = format!("{} {} {status}", failure.item_id, failure.batch_id);
        let batch = world.batch(&failure.batch_id).unwrap();
        let stands = |run: &Run| world.items()[run.item].id == failure.item_id && run.status == failure.status;
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

/// Promise 3: at least once, under one id, byte-equal; and nothing that was not decided.
///
/// A digest whose sending had not begun may be taken along by a newer one instead.
fn every_digest_was_delivered(rig: &Rig) {
    let unsent = "SELECT delivery_id || ' is ' || state FROM delivery WHERE state NOT IN ('sent', 'superseded')
                  OR (state = 'superseded' AND (attempts > 0 OR superseded_by NOT IN (SELECT delivery_id FROM delivery)))";
    assert_eq!(rig.site.texts(unsent), Vec::<String>::new());
    for (channel, arrived) in [("mail", rig.sinks.mails()), ("hook", rig.sinks.hooks())] {
        let sent = format!("SELECT digest_id FROM delivery WHERE channel = '{channel}' AND state = 'sent' ORDER BY 1");
        let sent = rig.site.texts(&sent);
        let mut ids: Vec<String> = arrived.keys().map(|id| digest_of(id)).collect();
        ids.sort();
        assert_eq!(ids, sent, "each digest arrived under one {channel} id, and no other arrived");
        for (id, copies) in &arrived {
            assert!(copies.iter().all(|copy| copy == &copies[0]), "{channel} {id} changed between tries");
        }
    }
}

/// `D-20260823-03`, from `<D-20260823-03.HASH@example.com>` or `D-20260823-03_hook`.
fn digest_of(id: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
    id.trim_start_matches('<').chars().take_while(plain).collect()
}

/// Nobody is left without news: every group with open failures is in a digest that arrived.
fn every_group_was_told(rig: &Rig) {
    let told: String = rig.sinks.hooks().into_values().flatten().collect();
    let groups = rig.site.texts("SELECT group_id FROM error_group WHERE open_items > 0 AND merged_into IS NULL");
    let untold: Vec<_> = groups.into_iter().filter(|group| !told.contains(group.as_str())).collect();
    assert_eq!(untold, Vec::<String>::new());
}
