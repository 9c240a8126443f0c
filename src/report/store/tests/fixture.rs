//! A small ledger with some of everything, for the tests of reports. Its present is [`NOW`].

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::ledger::open;
use crate::ledger::tests::seed::recount;

/// When reports on it are made.
pub(crate) const NOW: &str = "2026-11-23T12:00:00Z";

/// A text that tries to steer terminals, pages, spreadsheets and tables.
pub(crate) const HOSTILE: &str =
    "=cmd|'/C calc'!A0\u{1b}[31m\u{202e}|<script>alert(1)</script>\n`x` [y](javascript:z)\u{7}";

/// [`NOW`], parsed.
pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// Milliseconds of so many minutes before [`NOW`].
pub(crate) fn ago(minutes: i64) -> i64 {
    now().as_millisecond() - minutes * 60_000
}

/// A folder with a filled ledger in it; the folder goes when this is dropped.
pub(crate) struct Filled {
    _folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
    pub(crate) writer: Connection,
}

/// A ledger with nothing but its schema.
pub(crate) fn empty() -> Filled {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let writer = open::writer(Path::new(&path)).unwrap();
    writer.pragma_update(None, "foreign_keys", false).unwrap();
    Filled { _folder: folder, path, writer }
}

/// A ledger with some of everything.
pub(crate) fn filled() -> Filled {
    let ledger = empty();
    ledger.writer.execute_batch(include_str!("fixture.sql")).unwrap();
    shift(&ledger.writer);
    recount(&ledger.writer);
    ledger
}

/// The script writes times as minutes before now, negated; they become milliseconds here.
fn shift(connection: &Connection) {
    let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for table in tables.iter().filter(|name| !name.starts_with("sqlite_")) {
        let mut columns = connection.prepare("SELECT name FROM pragma_table_info(?)").unwrap();
        let columns: Vec<String> = columns.query_map([table], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for column in columns.iter().filter(|name| is_time(name)) {
            let sql = format!("UPDATE {table} SET {column} = ?1 + {column} * 60000 WHERE {column} IS NOT NULL");
            connection.execute(&sql, [ago(0)]).unwrap();
        }
    }
    let hour = ago(0) / 3_600_000;
    connection.execute("UPDATE group_hour SET hour = ?1 + hour", params![hour]).unwrap();
}

fn is_time(column: &str) -> bool {
    column.ends_with("_at")
        || matches!(column, "first_seen" | "last_seen" | "at" | "since" | "open_until" | "not_before" | "lease_until")
}
