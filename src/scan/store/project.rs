//! Projects and their scans.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{millis, timestamp};

/// A scan that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StartedScan {
    /// The scan's row.
    pub scan_key: i64,
    /// The project's key.
    pub project_key: i64,
    /// Time of the scan in milliseconds: later than every earlier scan's, whatever the clock says.
    pub at: i64,
    /// What happened until then is baseline.
    pub baseline_until: i64,
    /// When the job list was last read to its end.
    pub list_read_at: Option<i64>,
    /// When the last complete scan began: what happened until then is known. None if there was none.
    pub known_until: Option<i64>,
    /// The scan before this one was complete, and understood every row.
    pub continues: bool,
}

/// How a scan ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScanEnd {
    /// Everything that could hold news was read.
    pub complete: bool,
    /// The job list was read to its end.
    pub list_read: bool,
    /// Batches seen in the job list.
    pub batches_listed: u64,
    /// Batches whose items were listed.
    pub batches_read: u64,
    /// Rows listed.
    pub items_listed: u64,
    /// Observations that were not known before.
    pub items_new: u64,
    /// Rows that could not be understood.
    pub unreadable: u64,
    /// Requests made.
    pub requests: u64,
    /// The first thing that made it incomplete.
    pub error: Option<String>,
}

/// Begins a project's scan; the first one ever sets the ledger's first start, the project's first its baseline.
pub(crate) fn begin_scan(tx: &Transaction<'_>, name: &str, now: Timestamp) -> Result<StartedScan, LedgerError> {
    // Two scans at one time could not tell what the second one saw; a clock set back must not undo `last_seen`.
    let at = tx.query_row("SELECT max(?1, coalesce(max(started_at) + 1, ?1)) FROM scan", [millis(now)], |row| {
        row.get::<_, i64>(0)
    })?;
    tx.execute("INSERT INTO meta (name, value) VALUES ('first_start', ?1) ON CONFLICT DO NOTHING", [at.to_string()])?;
    tx.execute("INSERT INTO project (name, first_seen) VALUES (?1, ?2) ON CONFLICT DO NOTHING", (name, at))?;
    let (project_key, baseline_until, list_read_at) =
        tx.query_row("SELECT project_key, first_seen, list_read_at FROM project WHERE name = ?1", [name], |row| {
            row.try_into()
        })?;
    let newest =
        "SELECT complete = 1 AND unreadable = 0 FROM scan WHERE project_key = ?1 ORDER BY scan_key DESC LIMIT 1";
    let known_until = complete_before(tx, project_key, at)?;
    let before: Option<bool> = tx.query_row(newest, [project_key], |row| row.get(0)).optional()?;
    tx.execute("INSERT INTO scan (project_key, started_at) VALUES (?1, ?2)", (project_key, at))?;
    Ok(StartedScan {
        scan_key: tx.last_insert_rowid(),
        project_key,
        at,
        baseline_until,
        list_read_at,
        known_until,
        continues: before == Some(true),
    })
}

/// When the last complete scan of a project began that began before then, both in milliseconds; none if there was none.
pub(crate) fn complete_before(
    connection: &Connection,
    project_key: i64,
    before: i64,
) -> Result<Option<i64>, LedgerError> {
    let sql = "SELECT max(started_at) FROM scan WHERE project_key = ?1 AND complete = 1 AND started_at < ?2";
    Ok(connection.query_row(sql, (project_key, before), |row| row.get(0))?)
}

/// Notes that the job list could not be read well: the next scan reads it to its end.
///
/// What this scan records of its beginning would otherwise look like all of it, and hide the rest.
pub(crate) fn require_full_list(tx: &Transaction<'_>, project_key: i64) -> Result<(), LedgerError> {
    tx.execute("UPDATE project SET list_read_at = NULL WHERE project_key = ?1", [project_key])?;
    Ok(())
}

/// Ends a scan.
pub(crate) fn end_scan(
    tx: &Transaction<'_>,
    begun: &StartedScan,
    ended: &ScanEnd,
    now: Timestamp,
) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE scan SET finished_at = max(?2, started_at), complete = ?3, batches_listed = ?4, batches_read = ?5,
             items_listed = ?6, items_new = ?7, unreadable = ?8, requests = ?9, error = ?10
         WHERE scan_key = ?1",
        (
            begun.scan_key,
            millis(now),
            ended.complete,
            signed(ended.batches_listed),
            signed(ended.batches_read),
            signed(ended.items_listed),
            signed(ended.items_new),
            signed(ended.unreadable),
            signed(ended.requests),
            &ended.error,
        ),
    )?;
    if ended.list_read {
        tx.execute("UPDATE project SET list_read_at = ?2 WHERE project_key = ?1", (begun.project_key, begun.at))?;
    }
    Ok(())
}

/// A count as SQLite keeps it.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Remembers the API addresses that projects are read from, by name. Names of no project are left out.
pub(crate) fn locate(tx: &Transaction<'_>, addresses: &[(String, String)]) -> Result<(), LedgerError> {
    let mut update = tx.prepare_cached("UPDATE project SET base_url = ?2 WHERE name = ?1 AND base_url IS NOT ?2")?;
    for (name, address) in addresses {
        update.execute((name, address))?;
    }
    Ok(())
}

/// The API addresses that projects were last read from, by name. Those not scanned since ledgers know it are missing.
pub(crate) fn addresses(connection: &rusqlite::Connection) -> Result<Vec<(String, String)>, LedgerError> {
    let mut statement =
        connection.prepare_cached("SELECT name, base_url FROM project WHERE base_url IS NOT NULL ORDER BY name")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The names of the projects that were ever scanned, sorted.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn names(connection: &rusqlite::Connection) -> Result<Vec<String>, LedgerError> {
    let mut statement = connection.prepare_cached("SELECT name FROM project ORDER BY name")?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// When the last complete scan of a project began: what happened until then is known. None if there was none.
pub(crate) fn known_until(connection: &rusqlite::Connection, name: &str) -> Result<Option<Timestamp>, LedgerError> {
    let at: Option<i64> = connection
        .prepare_cached(
            "SELECT max(started_at) FROM scan JOIN project USING (project_key) WHERE name = ?1 AND complete = 1",
        )?
        .query_row([name], |row| row.get(0))?;
    Ok(at.map(timestamp))
}

/// Whether a project whose first scan began after `since` still waits for a complete one.
pub(crate) fn is_awaited(connection: &rusqlite::Connection, since: Timestamp) -> Result<bool, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM project p WHERE first_seen > ?1
         AND NOT EXISTS (SELECT 1 FROM scan s WHERE s.project_key = p.project_key AND s.complete = 1)",
    )?;
    Ok(statement.exists([millis(since)])?)
}

/// Finished scans of a project since its last complete one; 0 when the newest is complete.
pub(crate) fn incomplete_scans_in_a_row(connection: &rusqlite::Connection, name: &str) -> Result<u64, LedgerError> {
    let count: i64 = connection
        .prepare_cached(
            "SELECT count(*) FROM scan JOIN project USING (project_key) WHERE name = ?1 AND scan_key >
               coalesce((SELECT max(scan_key) FROM scan JOIN project USING (project_key) WHERE name = ?1 AND complete = 1), 0)",
        )?
        .query_row([name], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}
