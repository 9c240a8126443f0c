//! The ledger's schema over time: today's schema as a snapshot, and ledgers of every landed version.

use std::path::Path;

use llama_triage::internals::ledger::{check, open};
use rusqlite::Connection;

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
