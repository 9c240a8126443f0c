//! The ledger's schema over time: today's schema as a snapshot, and ledgers of every landed version.

use std::path::Path;

use jiff::SignedDuration;
use llama_triage::internals::ledger::{check, open};
use llama_triage::internals::reprocess::plan;
use llama_triage::internals::simulator::{Endpoint, Options, Submission, World, WorldBuilder, default_config};
use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

use crate::site::Site;

/// A landed migration must not change: this is where an edited one shows.
#[test]
fn the_schema_is_what_was_agreed() {
    let folder = tempfile::tempdir().unwrap();
    let connection = open::writer(&folder.path().join("ledger.db")).unwrap();
    let mut statement =
        connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name").unwrap();
    let schema: Vec<String> = statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    insta::assert_snapshot!(schema.join(";\n\n"));
}

#[test]
fn ledgers_of_every_landed_version_migrate() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ledgers");
    for entry in std::fs::read_dir(fixtures).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            migrates(&path);
        }
    }
}

fn migrates(dump: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(&std::fs::read_to_string(dump).unwrap()).unwrap();
    let items: i64 = old.query_row("SELECT count(*) FROM item", (), |row| row.get(0)).unwrap();
    drop(old);
    let migrated = open::writer(&path).unwrap();
    assert_eq!(check::check(&migrated).unwrap(), Vec::<String>::new(), "{}", dump.display());
    let kept: i64 = migrated.query_row("SELECT count(*) FROM item", (), |row| row.get(0)).unwrap();
    assert_eq!(kept, items, "{}", dump.display());
}

/// Until version 11, what a listing came to stood as words after the appearance of its batch.
#[test]
fn listings_of_version_11_are_read_from_their_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let dump = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ledgers/11.sql");
    Connection::open(&path).unwrap().execute_batch(&std::fs::read_to_string(dump).unwrap()).unwrap();
    let migrated = open::writer(&path).unwrap();
    let mut statement = migrated
        .prepare(
            "SELECT substr(batch_id, 5), listing_state, odd_since, relist_at, searched_as = listed_as FROM batch
             WHERE batch_id LIKE 'bat-%' AND listed_as = 'completed 2/2/0/0 1795427280857 1795427280857' ORDER BY batch_key",
        )
        .unwrap();
    let rows = statement
        .query_map((), |row| {
            let times: (Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?);
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, times, row.get::<_, Option<bool>>(4)?))
        })
        .unwrap();
    let found: Vec<_> = rows.map(Result::unwrap).collect();
    let expected = [
        ("settled", "settled", (None, None), Some(true)),
        ("unsettled", "unsettled", (None, None), None),
        ("in-doubt", "in_doubt", (None, None), Some(true)),
        ("unreadable", "unreadable", (None, None), None),
        ("odd", "odd", (Some(1_795_428_000_000), Some(1_795_431_600_000)), Some(true)),
        // Since version 16 nothing is taken for granted: it is listed again.
        ("unproven", "unsettled", (None, None), None),
    ];
    assert_eq!(found, expected.map(|(id, state, times, same)| (id.to_owned(), state.to_owned(), times, same)));
}

/// Until version 14, how many items of a plan were of unclear outcome, and what a job config lost, stood in sentences.
#[test]
fn sentences_of_version_14_become_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let dump = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ledgers/11.sql");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(&std::fs::read_to_string(dump).unwrap()).unwrap();
    let plans = [
        ("p-1", Some("12 items submitted, 34 items of unclear outcome, 1 item left out (1: dismissed)"), 34),
        ("p-2", Some("cancelled by ann: 0 items submitted, 1 item of unclear outcome"), 1),
        ("p-3", Some("5 items submitted"), 0),
        ("p-4", None, 0),
    ];
    for (id, result, _) in plans {
        old.execute("INSERT INTO plan VALUES (?1, 0, 0, 'ann', '{}', '{}', NULL, NULL, NULL, NULL, ?2)", (id, result))
            .unwrap();
    }
    let learnt = [
        ("b-1", Some("{}"), Some("a, b\"c"), Some(r#"["a", "b\"c"]"#), None),
        ("b-2", None, Some("why"), None, Some("why")),
    ];
    for (scope, config, why, ..) in learnt {
        old.execute(
            "INSERT INTO learnt_config SELECT min(project_key), ?1, ?2, ?3, 0 FROM project",
            (scope, config, why),
        )
        .unwrap();
    }
    drop(old);
    let migrated = open::writer(&path).unwrap();
    for (id, _, unclear) in plans {
        let sql = "SELECT unclear_items FROM plan WHERE plan_id = ?1";
        assert_eq!(migrated.query_row(sql, [id], |row| row.get::<_, u32>(0)).unwrap(), unclear, "{id}");
    }
    for (scope, _, _, lost, why) in learnt {
        let sql = "SELECT lost, why FROM learnt_config WHERE scope = ?1";
        let kept: (Option<String>, Option<String>) =
            migrated.query_row(sql, [scope], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!((kept.0.as_deref(), kept.1.as_deref()), (lost, why), "{scope}");
    }
}

/// The account that `12.sql` was left with: a retry under way, and one that was carried out although its answer was lost.
fn account_of_version_12() -> World {
    let texts = [
        "upstream returned 503 Service Unavailable",
        "connection reset by peer",
        "504 Gateway Timeout",
        "502 Bad Gateway",
        "socket hang up",
    ];
    let mut builder = WorldBuilder::new().batch("b1").item("fine").succeeds();
    for (group, text) in texts.iter().enumerate() {
        for n in 0..8 {
            builder = builder.item(&format!("i{group}-{n}")).fails_until(2, text);
        }
    }
    let mut world = builder.build();
    world.advance(SignedDuration::from_mins(60));
    for (id, items) in
        [("da36f951-77ad-4cfa-86bc-283804a4a06b", UNDER_WAY), ("21b083be-19ec-4bac-82f0-e6df78b62b0c", ANSWER_LOST)]
    {
        let known = |id: &&str| world.items().iter().position(|item| item.id == **id).unwrap();
        let items = items.iter().map(known).collect();
        world.submit(Submission { id: Some(id.to_owned()), ..Submission::of_items(0, items, default_config()) });
    }
    world
}

const UNDER_WAY: [&str; 2] = ["dfl-971eba9c-f3ac-4dc6-9954-992436c62ee1", "dfl-cd9c4e7e-50d1-4ba8-8789-71fe21e3c7fe"];
const ANSWER_LOST: [&str; 2] = ["dfl-005f0f11-224a-4556-99e5-8db89d29d21c", "dfl-e44e7374-d0cd-487e-971a-f856fad03319"];
/// Of the plan that a person had approved, of the one that nobody had, and of two intents of which nothing was sent.
const APPROVED: [&str; 2] = ["dfl-5760048d-c9d4-44a0-83f0-a68cfc22b87d", "dfl-6b9f11c5-a137-4573-aa94-afd853a68175"];
const NOT_APPROVED: &str = "dfl-1dfd29a5-3da2-4cf9-9079-feee00bd4b0f";
const PLANNED: &str = "dfl-2ae5ebe8-c2fa-4837-a13d-59e7da973cc2";
const POSTING: &str = "dfl-33de3eda-cc0b-4954-a9df-0ac017ef8b35";

fn posted(site: &Site) -> Vec<String> {
    let world = site.cloud.world();
    let posts = world.truth().posts.iter().filter(|post| post.endpoint == Endpoint::CreateBatch);
    let mut items: Vec<String> = posts
        .flat_map(|post| post.body["item_ids"].as_array().unwrap())
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    items.sort_unstable();
    items
}

/// Version 12 kept breakers and gates; what it had sent or was about to send, and what people had planned, lives on without them.
#[tokio::test(flavor = "multi_thread")]
async fn intents_attempts_and_plans_of_version_12_live_on() {
    let site = Site::new(account_of_version_12(), Options::default(), "").await;
    let dump = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ledgers/12.sql");
    let old = Connection::open(site.path("ledger.db")).unwrap();
    old.execute_batch(&std::fs::read_to_string(dump).unwrap()).unwrap();
    old.execute("UPDATE breaker SET open_since = 0, open_until = 0, opened = 5 WHERE state = 'open'", ()).unwrap();
    drop(old);
    let state =
        |site: &Site, item: &str| site.texts(&format!("SELECT state FROM item WHERE item_id = '{item}'")).remove(0);

    drop(open::writer(&site.path("ledger.db")).unwrap());
    assert_eq!(site.texts("SELECT name FROM sqlite_schema WHERE name IN ('breaker', 'gate')").len(), 0);
    let unsettled = "SELECT DISTINCT state FROM intent WHERE state <> 'finished' ORDER BY 1";
    assert_eq!(site.texts(unsettled), ["planned", "posting", "submitted", "unknown"]);
    let attempts = "SELECT outcome || ' ' || count(*) FROM attempt GROUP BY outcome ORDER BY 1";
    assert_eq!(site.texts(attempts), ["failed_same 1", "recovered 24", "running 2", "unknown 2"]);

    let mut worker = site.worker().await;
    let step = async |worker: &mut llama_triage::internals::service::Worker, minutes| {
        site.cloud.world().advance(SignedDuration::from_mins(minutes));
        worker.scan(site.now()).await.unwrap();
        worker.reprocess(site.now(), &CancellationToken::new()).await.unwrap();
    };
    step(&mut worker, 5).await;
    assert_eq!(posted(&site), APPROVED, "the approved plan within its hour, and nothing that may have been sent");
    let (planned, posting) = (
        "SELECT state FROM intent WHERE intent_id = '01PLANNED'",
        "SELECT state FROM intent WHERE intent_id = '01POSTING'",
    );
    assert_eq!([site.texts(planned), site.texts(posting)].concat(), ["cancelled", "unknown"]);

    let waiting = site.texts("SELECT plan_id FROM plan WHERE applied_at IS NULL").remove(0);
    let now = site.now();
    worker.ledger.write(move |tx| plan::approve(tx, &waiting, "ann", "fixed", now)).await.unwrap();
    step(&mut worker, 5).await;
    assert_eq!(posted(&site).len(), 3);
    assert!(posted(&site).contains(&NOT_APPROVED.to_owned()));

    for _ in 0..3 {
        step(&mut worker, 31).await;
    }
    for item in UNDER_WAY.iter().chain(&ANSWER_LOST).chain(&APPROVED).chain([&NOT_APPROVED]) {
        assert_eq!(state(&site, item), "recovered", "{item}");
    }
    assert_eq!((state(&site, PLANNED), state(&site, POSTING)), ("open".to_owned(), "open".to_owned()));
    assert_eq!(site.texts(posting), ["not_submitted"], "looked for, and not found");
    assert_eq!(site.texts("SELECT intent_id FROM claim").len(), 0);
    assert!(site.cloud.world().paid_twice().is_empty());
}

/// Until version 13 a stop of the account, and the time that the API asked to wait, stood in the gate of the project.
#[test]
fn a_stopped_account_of_version_12_stays_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let dump = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ledgers/12.sql");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(&std::fs::read_to_string(dump).unwrap()).unwrap();
    let stop =
        "INSERT INTO gate (project_key, state, since, failed_probes, wait_until, why, changed_at, refused_access)
                SELECT project_key, 'account-stop', 100, 2, 900, '402', 200, NULL FROM project";
    old.execute(stop, ()).unwrap();
    drop(old);
    let migrated = open::writer(&path).unwrap();
    let kept: (i64, i64, i64, String) = migrated
        .query_row("SELECT stopped_since, in_vain, wait_until, why FROM account", (), |row| {
            Ok((row.get("stopped_since")?, row.get("in_vain")?, row.get("wait_until")?, row.get("why")?))
        })
        .unwrap();
    assert_eq!(kept, (100, 2, 900, "402".to_owned()));
}
