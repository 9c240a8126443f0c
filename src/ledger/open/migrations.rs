//! The steps of `migrations/`, which bring a ledger up to date; its `user_version` is the number of those that it has.

use rusqlite::{Connection, TransactionBehavior};

/// The text of a step by the name of its folder.
macro_rules! steps {
    ($($name:literal),* $(,)?) => {
        &[$(include_str!(concat!("../../../migrations/", $name, "/up.sql"))),*]
    };
}

/// In order. A step that was released never changes.
const STEPS: &[&str] = steps![
    "01-scan",
    "02-triage",
    "03-reprocess",
    "04-retry",
    "05-cause",
    "06-message",
    "07-counters",
    "08-recoveries",
    "09-acks",
    "10-retries",
    "11-silence",
    "12-listing",
    "13-billed-credits",
    "14-policy",
    "15-words",
    "16-classes",
    "17-assign",
    "18-lookups",
    "19-group-lookups",
    "20-outstanding",
    "21-cancelled",
    "22-pager-alerts",
    "23-incidents",
];

/// The newest schema this program knows.
pub(crate) const NEWEST: usize = STEPS.len();

/// How many steps a ledger has; 0 if it is empty.
///
/// # Errors
/// SQLite's: it cannot be read, or is no database.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Applies the steps that a ledger lacks, all or none of them.
///
/// # Errors
/// SQLite's; the ledger is as it was.
pub(crate) fn to_newest(connection: &mut Connection) -> rusqlite::Result<()> {
    to(connection, NEWEST)
}

/// The same up to and with the step of this number.
pub(crate) fn to(connection: &mut Connection, last: usize) -> rusqlite::Result<()> {
    let steps = |connection: &Connection| {
        version(connection).map(|found| STEPS[..last].get(usize::try_from(found).unwrap_or(0)..).unwrap_or_default())
    };
    if steps(connection)?.is_empty() {
        return Ok(());
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Asked again: another process may have done it while this one waited for its turn.
    let steps = steps(&tx)?;
    if steps.is_empty() {
        return Ok(());
    }
    for step in steps {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "user_version", i64::try_from(last).unwrap_or(i64::MAX))?;
    tx.commit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_known_and_works() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        assert_eq!(entries.filter(|path| path.is_dir()).count(), NEWEST);
        let mut connection = Connection::open_in_memory().unwrap();
        for last in 1..=NEWEST {
            to(&mut connection, last).unwrap();
            assert_eq!(version(&connection).unwrap(), i64::try_from(last).unwrap());
        }
        let broken: Option<String> = connection.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
        assert_eq!(broken.as_deref(), Some("ok"));
    }

    #[test]
    fn a_step_that_fails_changes_nothing() {
        let mut connection = Connection::open_in_memory().unwrap();
        to(&mut connection, 1).unwrap();
        // The third step makes this table, too.
        connection.execute_batch("CREATE TABLE plan (a)").unwrap();
        to_newest(&mut connection).unwrap_err();
        assert_eq!(version(&connection).unwrap(), 1);
        assert!(!connection.table_exists(None, "digest").unwrap(), "the second step is taken back, too");
        connection.execute_batch("DROP TABLE plan").unwrap();
        to_newest(&mut connection).unwrap();
    }
}
