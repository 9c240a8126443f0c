//! How fresh the ledger is.

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use crate::report::store::error::QueryError;
use crate::report::store::read_transaction::ReadTransaction;
use crate::report::store::value;
use crate::report::summary::ScanRow;

/// How fresh the ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Freshness {
    /// The end of the newest complete scan, of the project where that is longest ago; none before the first.
    pub as_of: Option<Timestamp>,
    /// Projects that are scanned but were never scanned completely.
    pub never_complete: Vec<String>,
}

/// A project not scanned for this long before the newest scan is no longer watched and says nothing about freshness.
const WATCHED: SignedDuration = SignedDuration::from_hours(24);

/// How fresh the ledger is. Only projects that are still scanned count.
pub(crate) fn freshness(reading: &ReadTransaction) -> Result<Freshness, QueryError> {
    let scans = last_scans(reading.connection())?;
    let newest = scans.iter().map(|scan| scan.started_at).max();
    let watched =
        scans.iter().filter(|scan| newest.is_some_and(|newest| newest.duration_since(scan.started_at) <= WATCHED));
    let mut as_of: Option<Timestamp> = None;
    let mut never_complete = Vec::new();
    for scan in watched {
        match scan.complete_at {
            Some(at) => as_of = Some(as_of.map_or(at, |known| known.min(at))),
            None => never_complete.push(scan.project.clone()),
        }
    }
    Ok(Freshness { as_of, never_complete })
}

/// The API addresses that projects were last read from, by name; those that are not known are missing.
pub(crate) fn addresses(reading: &ReadTransaction) -> Result<Vec<(String, String)>, QueryError> {
    Ok(crate::scan::store::project::addresses(reading.connection())?)
}

/// The newest scan of each project.
pub(crate) fn last_scans(connection: &Connection) -> Result<Vec<ScanRow>, QueryError> {
    let mut statement = connection.prepare(
        "SELECT p.name AS project, s.started_at, s.finished_at, s.complete, s.batches_listed, s.items_listed,
                s.unreadable, s.error,
                (SELECT c.finished_at FROM scan c
                 WHERE c.project_key = p.project_key AND c.complete = 1 AND c.finished_at IS NOT NULL
                 ORDER BY c.started_at DESC LIMIT 1) AS complete_at
         FROM project p JOIN scan s ON s.scan_key = (
             SELECT scan_key FROM scan WHERE project_key = p.project_key
             ORDER BY started_at DESC, scan_key DESC LIMIT 1)
         ORDER BY p.name",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(ScanRow {
            project: row.get("project")?,
            started_at: value::time(row, "started_at")?,
            finished_at: value::maybe_time(row, "finished_at")?,
            complete: row.get("complete")?,
            complete_at: value::maybe_time(row, "complete_at")?,
            batches_listed: value::count(row, "batches_listed")?,
            items_listed: value::count(row, "items_listed")?,
            unreadable: value::count(row, "unreadable")?,
            error: row.get("error")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
