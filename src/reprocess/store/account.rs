//! Whether retries of a project are stopped for its account, and until when the API asked to wait.
//! Everything here fails if SQLite refuses or a stored value cannot be read.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;
use crate::reprocess::policy::hold::Account;

/// What the API asks to wait for beyond this is a mistake.
pub(crate) const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// An API that asks to wait for a second would be asked again and again.
const SHORTEST_WAIT: SignedDuration = SignedDuration::from_mins(1);

const SELECT: &str = "SELECT p.name, t.* FROM account t JOIN project p USING (project_key)";

/// The account of a project; a working one if nothing was ever kept.
pub(crate) fn get(connection: &Connection, project: &str) -> Result<Account, LedgerError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE p.name = ?1"))?;
    Ok(statement.query_row([project], read).optional()?.map(|(_, account)| account).unwrap_or_default())
}

/// The accounts that are stopped, by project.
pub(crate) fn stopped(connection: &Connection) -> Result<Vec<(String, Account)>, LedgerError> {
    let mut statement =
        connection.prepare_cached(&format!("{SELECT} WHERE t.stopped_since IS NOT NULL ORDER BY p.name"))?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that an account is stopped, since it first was; `refused_access` is what the API was asked with if it refused the key.
pub(crate) fn stop(
    tx: &Transaction<'_>,
    project: &str,
    why: &str,
    refused_access: Option<&str>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "INSERT INTO account (project_key, stopped_since, why, refused_access, moved_at)
         SELECT project_key, ?2, ?3, ?4, ?2 FROM project WHERE name = ?1
         ON CONFLICT (project_key) DO UPDATE SET stopped_since = coalesce(stopped_since, ?2), why = ?3, refused_access = ?4,
             moved_at = ?2",
    )?
    .execute(params![project, Millis(now), why, refused_access])?;
    Ok(())
}

/// Notes that an account resumed; `in_vain` is how often it did since it last took a request.
pub(crate) fn resume(tx: &Transaction<'_>, project: &str, in_vain: u32, now: Timestamp) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "UPDATE account SET stopped_since = NULL, in_vain = ?2, why = NULL, refused_access = NULL, moved_at = ?3
         WHERE project_key = (SELECT project_key FROM project WHERE name = ?1)",
    )?
    .execute(params![project, in_vain, Millis(now)])?;
    Ok(())
}

/// Notes that the API took a request: the account works.
pub(crate) fn took_request(tx: &Transaction<'_>, project: &str) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "UPDATE account SET in_vain = 0 WHERE project_key = (SELECT project_key FROM project WHERE name = ?1)",
    )?
    .execute([project])?;
    Ok(())
}

/// Notes that the API asked for no POST before `until`, but for a minute at least and a day at most.
pub(crate) fn wait(tx: &Transaction<'_>, project: &str, until: Timestamp, now: Timestamp) -> Result<(), LedgerError> {
    let at = |wait| now.checked_add(wait).unwrap_or(until);
    let until = until.max(at(SHORTEST_WAIT)).min(at(LONGEST_WAIT));
    tx.prepare_cached(
        "INSERT INTO account (project_key, wait_until, asked_at) SELECT project_key, ?2, ?3 FROM project WHERE name = ?1
         ON CONFLICT (project_key) DO UPDATE SET wait_until = max(coalesce(wait_until, 0), ?2), asked_at = ?3",
    )?
    .execute(params![project, Millis(until), Millis(now)])?;
    Ok(())
}

/// Forgets what the API asked to wait for in these projects, and says in which of them something was.
pub(crate) fn end_waits(tx: &Transaction<'_>, projects: &[String], now: Timestamp) -> Result<Vec<String>, LedgerError> {
    let mut ended = Vec::new();
    for project in projects {
        let waits = get(tx, project)?.wait_until.is_some_and(|until| now < until);
        tx.prepare_cached(
            "UPDATE account SET wait_until = NULL, asked_at = NULL
             WHERE project_key = (SELECT project_key FROM project WHERE name = ?1)",
        )?
        .execute([project])?;
        ended.extend(waits.then(|| project.clone()));
    }
    Ok(ended)
}

fn read(row: &Row<'_>) -> rusqlite::Result<(String, Account)> {
    let time = |name| row.get::<_, Option<Millis>>(name).map(|at| at.map(|at| at.0));
    let account = Account {
        stopped_since: time("stopped_since")?,
        in_vain: row.get("in_vain")?,
        why: row.get("why")?,
        refused_access: row.get("refused_access")?,
        moved_at: time("moved_at")?,
        wait_until: time("wait_until")?,
    };
    Ok((row.get("name")?, account))
}
