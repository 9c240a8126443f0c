//! Whether retries of a project are stopped for its account, and until when the API asked to wait.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;
use crate::reprocess::policy::hold::Account;

/// What the API asks to wait for beyond this is a mistake.
pub(crate) const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// An API that asks to wait for a second would be asked again and again.
const SHORTEST_WAIT: SignedDuration = SignedDuration::from_mins(1);

/// The account of a project, with what goes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoredAccount {
    /// Its state.
    pub account: Account,
    /// No POST before this time: the API asked to wait.
    pub wait_until: Option<Timestamp>,
    /// What the API said when it refused, or what was seen.
    pub why: Option<String>,
    /// When it last stopped or went on; none if it never did.
    pub moved_at: Option<Timestamp>,
    /// What the API was asked with when it refused the key and not the account (see `Cloud::access_mark`).
    pub refused_access: Option<String>,
}

/// The account of a project; a working one if nothing was ever kept.
///
/// # Errors
/// SQLite refuses, or a stored value cannot be read.
pub(crate) fn get(connection: &Connection, project: &str) -> Result<StoredAccount, LedgerError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE p.name = ?1"))?;
    Ok(statement.query_row([project], read).optional()?.map(|(_, stored)| stored).unwrap_or_default())
}

/// The accounts that are stopped, by project.
///
/// # Errors
/// SQLite refuses, or a stored value cannot be read.
pub(crate) fn stopped(connection: &Connection) -> Result<Vec<(String, StoredAccount)>, LedgerError> {
    let mut statement =
        connection.prepare_cached(&format!("{SELECT} WHERE t.stopped_since IS NOT NULL ORDER BY p.name"))?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps the account of a project; `why` and what it was refused with belong to the stop.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn keep(
    tx: &Transaction<'_>,
    project: &str,
    account: Account,
    why: Option<&str>,
    refused_access: Option<&str>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "INSERT INTO account (project_key, stopped_since, in_vain, why, refused_access, moved_at)
         SELECT project_key, ?2, ?3, ?4, ?5, ?6 FROM project WHERE name = ?1
         ON CONFLICT (project_key) DO UPDATE SET stopped_since = ?2, in_vain = ?3, why = ?4, refused_access = ?5, moved_at = ?6",
    )?
    .execute(params![project, account.stopped_since.map(Millis), account.in_vain, why, refused_access, Millis(now)])?;
    Ok(())
}

/// Notes that the API took a request: the account works.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn took_request(tx: &Transaction<'_>, project: &str) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "UPDATE account SET in_vain = ?2 WHERE project_key = (SELECT project_key FROM project WHERE name = ?1)",
    )?
    .execute(params![project, Account::default().took_request().in_vain])?;
    Ok(())
}

/// Notes that the API asked for no POST before `until`, but for a minute at least and a day at most.
///
/// # Errors
/// SQLite refuses.
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
///
/// # Errors
/// SQLite refuses.
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

const SELECT: &str = "SELECT p.name, t.stopped_since, t.in_vain, t.wait_until, t.why, t.moved_at, t.refused_access
     FROM account t JOIN project p USING (project_key)";

fn read(row: &Row<'_>) -> rusqlite::Result<(String, StoredAccount)> {
    let time = |name| row.get::<_, Option<Millis>>(name).map(|at| at.map(|at| at.0));
    let account = Account { stopped_since: time("stopped_since")?, in_vain: row.get("in_vain")? };
    let stored = StoredAccount {
        account,
        wait_until: time("wait_until")?,
        why: row.get("why")?,
        moved_at: time("moved_at")?,
        refused_access: row.get("refused_access")?,
    };
    Ok((row.get("name")?, stored))
}
