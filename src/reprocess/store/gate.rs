//! Whether anything of a project may be retried, and what the API asked to wait for.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::millis::Millis;
use crate::reprocess::policy::holds::gate::{Gate, HoldReason};

const REASONS: [(HoldReason, &str); 4] = [
    (HoldReason::Incident, "incident"),
    (HoldReason::FailingAttempts, "failing-attempts"),
    (HoldReason::Storm, "storm"),
    (HoldReason::ProbeFailed, "probe-failed"),
];

/// Nobody is kept waiting for longer than this.
pub(crate) const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// Nobody comes back sooner: an API that asks to wait for a second would be asked again and again.
const SHORTEST_WAIT: SignedDuration = SignedDuration::from_mins(1);

/// The gate of a project, with what goes with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredGate {
    /// It.
    pub gate: Gate,
    /// No POST before this time: the API asked to wait.
    pub wait_until: Option<Timestamp>,
    /// What the API said when it refused, or what holds.
    pub why: Option<String>,
    /// When its state last changed; none if it never did.
    pub changed_at: Option<Timestamp>,
    /// What the API was asked with when it refused the key and not the account (see `Cloud::access_mark`).
    pub refused_access: Option<String>,
}

/// The gate of a project; open if nothing was ever kept.
///
/// # Errors
/// SQLite refuses, or a stored value cannot be read.
pub(crate) fn get(connection: &Connection, project: &str) -> Result<StoredGate, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT t.state, t.reason, t.since, t.until, t.failed_probes, t.wait_until, t.why, t.changed_at,
             t.refused_access
         FROM gate t JOIN project p USING (project_key) WHERE p.name = ?1",
    )?;
    Ok(statement.query_row([project], read).optional()?.unwrap_or_default())
}

/// The gates that are not open, by project.
///
/// # Errors
/// SQLite refuses, or a stored value cannot be read.
pub(crate) fn closed(connection: &Connection) -> Result<Vec<(String, StoredGate)>, LedgerError> {
    let mut gates = all(connection)?;
    gates.retain(|(_, stored)| stored.gate != Gate::Open);
    Ok(gates)
}

/// Every gate, by project.
///
/// # Errors
/// SQLite refuses, or a stored value cannot be read.
pub(crate) fn all(connection: &Connection) -> Result<Vec<(String, StoredGate)>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT t.state, t.reason, t.since, t.until, t.failed_probes, t.wait_until, t.why, t.changed_at,
             t.refused_access, p.name
         FROM gate t JOIN project p USING (project_key) ORDER BY p.name",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(9)?, read(row)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps the gate of a project. `why` replaces what was said before only if the state changes.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn keep(
    tx: &Transaction<'_>,
    project: &str,
    gate: Gate,
    why: Option<&str>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let (state, reason, since, until, failed_probes) = columns(gate);
    tx.prepare_cached(
        "INSERT INTO gate (project_key, state, reason, since, until, failed_probes, why, changed_at)
         SELECT project_key, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM project WHERE name = ?1
         ON CONFLICT (project_key) DO UPDATE SET state = ?2, reason = ?3, since = ?4, until = ?5, failed_probes = ?6,
             why = CASE WHEN state = ?2 AND ?7 IS NULL THEN why ELSE ?7 END,
             changed_at = CASE WHEN state = ?2 THEN changed_at ELSE ?8 END,
             refused_access = CASE WHEN state = ?2 THEN refused_access END",
    )?
    .execute(params![
        project,
        state,
        reason,
        since.map(Millis),
        until.map(Millis),
        failed_probes,
        why,
        Millis(now)
    ])?;
    Ok(())
}

/// Notes what the API was asked with when it refused the key: as long as the project is stopped, or until this changes.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn note_refused_access(tx: &Transaction<'_>, project: &str, access_mark: &str) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "UPDATE gate SET refused_access = ?2 WHERE project_key = (SELECT project_key FROM project WHERE name = ?1)",
    )?
    .execute([project, access_mark])?;
    Ok(())
}

/// Notes that the API asked for no POST before `until`, but for a minute at least, and for a day at most: what it asks for
/// longer is a mistake.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn wait(tx: &Transaction<'_>, project: &str, until: Timestamp, now: Timestamp) -> Result<(), LedgerError> {
    let at = |wait| now.checked_add(wait).unwrap_or(until);
    let until = until.max(at(SHORTEST_WAIT)).min(at(LONGEST_WAIT));
    tx.prepare_cached(
        "INSERT INTO gate (project_key, state, wait_until, asked_at, changed_at)
         SELECT project_key, 'open', ?2, ?3, ?3 FROM project WHERE name = ?1
         ON CONFLICT (project_key) DO UPDATE SET wait_until = max(coalesce(wait_until, 0), ?2), asked_at = ?3",
    )?
    .execute(params![project, Millis(until), Millis(now)])?;
    Ok(())
}

/// Forgets what the API asked to wait for, and says in which projects something was.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn end_waits(tx: &Transaction<'_>, now: Timestamp) -> Result<Vec<String>, LedgerError> {
    let mut statement = tx.prepare_cached(
        "SELECT p.name FROM gate t JOIN project p USING (project_key) WHERE t.wait_until > ?1 ORDER BY p.name",
    )?;
    let names = statement.query_map([Millis(now)], |row| row.get(0))?.collect::<Result<_, _>>()?;
    tx.execute("UPDATE gate SET wait_until = NULL, asked_at = NULL", [])?;
    Ok(names)
}

type Columns = (&'static str, Option<&'static str>, Option<Timestamp>, Option<Timestamp>, u32);

fn columns(gate: Gate) -> Columns {
    match gate {
        Gate::Open => ("open", None, None, None, 0),
        Gate::Held { reason, until, failed_probes } => {
            ("held", Some(reason_word(reason)), None, Some(until), failed_probes)
        }
        Gate::Probing { failed_probes } => ("probing", None, None, None, failed_probes),
        Gate::AccountStop { since, failed_probes } => ("account-stop", None, Some(since), None, failed_probes),
    }
}

/// The word of a reason in SQL and JSON.
pub(crate) fn reason_word(reason: HoldReason) -> &'static str {
    REASONS.iter().find(|(one, _)| *one == reason).map_or("probe-failed", |(_, word)| word)
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredGate> {
    let time = |index| row.get::<_, Option<Millis>>(index).map(|at| at.map(|at| at.0));
    let changed_at = time(7)?;
    let failed_probes = row.get(4)?;
    let reason: Option<String> = row.get(1)?;
    let reason = REASONS.iter().find(|(_, word)| Some(*word) == reason.as_deref());
    let gate = match row.get_ref(0)?.as_str()? {
        "open" => Gate::Open,
        "probing" => Gate::Probing { failed_probes },
        "account-stop" => Gate::AccountStop { since: time(2)?.or(changed_at).unwrap_or_default(), failed_probes },
        // The column's CHECK leaves nothing else than `held`.
        _ => Gate::Held {
            reason: reason.map_or(HoldReason::ProbeFailed, |(reason, _)| *reason),
            until: time(3)?.unwrap_or_default(),
            failed_probes,
        },
    };
    Ok(StoredGate { gate, wait_until: time(5)?, why: row.get(6)?, changed_at, refused_access: row.get(8)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::{Seed, t};

    #[test]
    fn every_gate_is_read_back_as_it_was_kept() {
        let mut seed = Seed::new();
        let held = |reason| Gate::Held { reason, until: t(30), failed_probes: 2 };
        let gates = REASONS.iter().map(|(reason, _)| held(*reason)).chain([
            Gate::Probing { failed_probes: 3 },
            Gate::AccountStop { since: t(1), failed_probes: 4 },
            Gate::Open,
        ]);
        for gate in gates {
            seed.write(|tx| keep(tx, "prod", gate, Some("said"), t(2))).unwrap();
            assert_eq!(get(&seed.connection, "prod").unwrap().gate, gate);
        }
    }

    #[test]
    fn nobody_waits_for_longer_than_a_day_or_than_a_person_wants() {
        let mut seed = Seed::new();
        seed.write(|tx| wait(tx, "prod", t(60 * 24 * 365), t(0))).unwrap();
        assert_eq!(get(&seed.connection, "prod").unwrap().wait_until, Some(t(60 * 24)));
        assert_eq!(seed.write(|tx| end_waits(tx, t(1))).unwrap(), ["prod"]);
        assert_eq!(get(&seed.connection, "prod").unwrap().wait_until, None);
        assert_eq!(seed.write(|tx| end_waits(tx, t(1))).unwrap(), Vec::<String>::new());
        seed.write(|tx| wait(tx, "prod", t(1), t(1))).unwrap();
        assert_eq!(
            get(&seed.connection, "prod").unwrap().wait_until,
            Some(t(2)),
            "asked again a minute later at the soonest"
        );
    }

    #[test]
    fn a_wait_is_kept_beside_the_state_and_only_grows() {
        let mut seed = Seed::new();
        seed.write(|tx| {
            wait(tx, "prod", t(20), t(0))?;
            keep(tx, "prod", Gate::AccountStop { since: t(1), failed_probes: 0 }, Some("no credits"), t(1))?;
            wait(tx, "prod", t(10), t(2))
        })
        .unwrap();
        let stored = get(&seed.connection, "prod").unwrap();
        assert_eq!((stored.wait_until, stored.why.as_deref()), (Some(t(20)), Some("no credits")));
        assert_eq!(closed(&seed.connection).unwrap().len(), 1);
    }

    #[test]
    fn a_refused_key_is_known_while_the_project_is_stopped() {
        let mut seed = Seed::new();
        let stop = Gate::AccountStop { since: t(1), failed_probes: 0 };
        let known = |seed: &Seed| get(&seed.connection, "prod").unwrap().refused_access;
        seed.write(|tx| keep(tx, "prod", stop, None, t(1)).and_then(|()| note_refused_access(tx, "prod", "a")))
            .unwrap();
        seed.write(|tx| keep(tx, "prod", stop, Some("again"), t(2))).unwrap();
        assert_eq!(known(&seed).as_deref(), Some("a"));
        seed.write(|tx| keep(tx, "prod", stop.reset(t(3)), None, t(3))).unwrap();
        assert_eq!(known(&seed), None);
    }
}
