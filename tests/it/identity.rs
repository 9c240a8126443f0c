//! Two ledgers, a copy and a restored one: nothing that they send has the id of anything else.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::classify::Rules;
use llama_triage::internals::config::Config;
use llama_triage::internals::ledger::open;
use llama_triage::internals::simulator::{Failure, Options, ScriptedCause, World, WorldBuilder};
use llama_triage::internals::triage::{Only, Route, TriageRequest, TriageSettings, digest, triage_in};
use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

use crate::site::{Site, files};

const FOLDER: &str = "[[channel]]\nname = \"folder\"\nkind = \"file\"\ndir = \"{dir}/out\"\n";

fn world() -> World {
    let fails = ScriptedCause::Permanent(Failure::text("the gizmo is askew"));
    WorldBuilder::new().batch("b").items(3, "askew", fails).build()
}

fn ids(dir: &Path) -> BTreeSet<String> {
    let mail = |path| std::fs::read_to_string(path).unwrap();
    let id = |text: String| text.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap().to_owned();
    files(dir, ".eml").into_iter().map(mail).map(id).collect()
}

fn ledger_id(site: &Site) -> String {
    let run = site.command(&["report", "summary", "--format", "json"]).assert().success();
    let answer: serde_json::Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    answer["rows"][0]["ledger_id"].as_str().unwrap().to_owned()
}

async fn cycle(site: &Site) -> Option<String> {
    let mut worker = site.worker().await;
    let outcome = worker.cycle(site.now(), Duration::from_secs(5), &CancellationToken::new()).await.unwrap();
    worker.ledger.close().await.unwrap();
    outcome.digest_id
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_of_one_project_share_no_id_and_a_restart_keeps_it() {
    let (one, other) =
        (Site::new(world(), Options::default(), FOLDER).await, Site::new(world(), Options::default(), FOLDER).await);
    assert_eq!(cycle(&one).await, cycle(&other).await, "the short name is that of the day");
    let id = ledger_id(&one);
    assert_ne!(id, ledger_id(&other));
    assert!(ids(&one.path("out")).is_disjoint(&ids(&other.path("out"))));
    one.cloud.world().advance(SignedDuration::from_mins(16));
    cycle(&one).await;
    assert_eq!(ledger_id(&one), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_gets_a_new_id_however_it_was_made() {
    let site = Site::new(world(), Options::default(), FOLDER).await;
    cycle(&site).await;
    let (path, backup) = (site.path("ledger.db"), site.path("backup.db"));
    site.command(&["ledger", "backup"]).arg(&backup).assert().success();
    let mut known = vec![ledger_id(&site)];
    let fresh = |known: &mut Vec<String>| {
        let id = ledger_id(&site);
        assert!(!known.contains(&id), "{known:?}");
        known.push(id);
    };
    // A backup put into the very file, as `cp` does.
    std::fs::write(&path, std::fs::read(&backup).unwrap()).unwrap();
    cycle(&site).await;
    fresh(&mut known);
    // The plain file, copied to another one and moved to its place.
    std::fs::copy(&path, site.path("copied.db")).unwrap();
    std::fs::rename(site.path("copied.db"), &path).unwrap();
    cycle(&site).await;
    fresh(&mut known);
    site.command(&["ledger", "restore"])
        .arg(&backup)
        .assert()
        .success()
        .stdout(predicates::str::contains("New ledger id:"));
    fresh(&mut known);
    // Neither a restart nor a rename nor VACUUM makes a copy.
    std::fs::rename(&path, site.path("moved.db")).unwrap();
    std::fs::rename(site.path("moved.db"), &path).unwrap();
    Connection::open(&path).unwrap().execute_batch("VACUUM").unwrap();
    cycle(&site).await;
    assert_eq!(Some(&ledger_id(&site)), known.last());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_no_other_digest_has_an_id_that_was_delivered() {
    let site = Site::new(world(), Options::default(), FOLDER).await;
    let worker = site.worker().await;
    worker.ledger.close().await.unwrap();
    site.command(&["ledger", "backup"]).arg(site.path("backup.db")).assert().success();
    let first = cycle(&site).await.unwrap();
    let delivered = ids(&site.path("out"));
    site.command(&["ledger", "restore"]).arg(site.path("backup.db")).assert().success();
    site.cloud.world().advance(SignedDuration::from_mins(16));
    assert_eq!(cycle(&site).await.unwrap(), first, "the short name is used again");
    let all = ids(&site.path("out"));
    assert_eq!((delivered.len(), all.len()), (1, 2), "{all:?}");
}

/// A ledger of the last version whose ledgers had no id, with an incident and a delivery under way.
fn upgraded(folder: &Path) -> (Connection, String, Timestamp) {
    let path = folder.join("ledger.db");
    let old = Connection::open(&path).unwrap();
    let dump = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ledgers/09.sql");
    old.execute_batch(&std::fs::read_to_string(dump).unwrap()).unwrap();
    old.execute_batch(
        "INSERT INTO delivery (delivery_id, digest_id, channel, state, content, page, not_before, created_at)
             SELECT digest_id || '.pager', digest_id, 'pager', 'pending', json_set(model, '$.instance', 'blue'), 1,
                 created_at, created_at FROM digest ORDER BY created_at LIMIT 1;
         INSERT INTO incident (channel, group_key, episode, opened_at)
             SELECT 'pager', e.group_key, e.ordinal, (SELECT min(created_at) FROM digest)
             FROM episode e JOIN error_group g USING (group_key)
             WHERE e.closed_at IS NULL AND g.class = 'account' AND g.merged_into IS NULL LIMIT 1;",
    )
    .unwrap();
    let group: String = old
        .query_row("SELECT group_id FROM incident JOIN error_group USING (group_key)", [], |row| row.get(0))
        .unwrap();
    let last: i64 = old.query_row("SELECT max(started_at) FROM scan", [], |row| row.get(0)).unwrap();
    drop(old);
    (open::writer(&path).unwrap(), group, Timestamp::from_millisecond(last).unwrap())
}

#[test]
fn an_alert_of_an_earlier_version_ends_under_the_key_that_it_was_opened_with() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ledger, group, last) = upgraded(folder.path());
    let mut settings =
        TriageSettings::new(&Config::default(), &Rules::parse("").unwrap(), std::collections::BTreeMap::new()).unwrap();
    settings.instance = "renamed".into();
    settings.routes = vec![Route { name: "pager".into(), only: Only::default(), pager: true }];
    let of = |state: &str| format!("SELECT content FROM delivery WHERE channel = 'pager' AND state = '{state}'");
    let waiting: String = ledger.query_row(&of("pending"), [], |row| row.get(0)).unwrap();
    let waiting = digest::deserialize(&waiting).unwrap();
    assert_eq!((waiting.global_id(), waiting.alert_scope()), (waiting.digest_id.clone(), "blue"));
    ledger.execute("UPDATE delivery SET state = 'sent' WHERE state = 'pending'", []).unwrap();
    ledger
        .execute(
            "UPDATE item SET state = 'recovered', recovered_at = ?2 WHERE group_key =
                 (SELECT group_key FROM error_group WHERE group_id = ?1)",
            rusqlite::params![group, last.as_millisecond()],
        )
        .unwrap();
    ledger.execute("UPDATE error_group SET open_items = 0 WHERE group_id = ?1", [&group]).unwrap();
    let tx = ledger.transaction().unwrap();
    triage_in(&tx, &settings, &TriageRequest::at(last + SignedDuration::from_mins(1))).unwrap();
    tx.commit().unwrap();
    let ends: String = ledger.query_row(&of("pending"), [], |row| row.get(0)).unwrap();
    let ends = digest::deserialize(&ends).unwrap();
    let end = ends.changes.iter().find(|entry| entry.group_id == group).unwrap();
    assert_eq!((end.state.as_str(), end.alert_scope.as_deref()), ("resolved", Some("blue")));
    assert!(!ends.ledger_id.is_empty() && ends.ledger_id != "blue");
}
