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
