//! What was last reported of each group, and which escalation rules fired for it.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{Count, Millis};
use crate::model::group_state::GroupState;
use crate::triage::decide::Announced;
use crate::triage::digest::model::Reason;
use crate::triage::escalation::{EscalationMemory, EscalationRule, Reached};
use crate::triage::group_state;

/// The last announcement of a group, and the state it named; none if there never was one.
pub(crate) fn last(
    connection: &Connection,
    group_key: i64,
) -> Result<Option<(Announced, group_state::LastAnnouncement)>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT episode, reason, open_items, total_items, announced_at, state, failures, baseline FROM announcement
         WHERE group_key = ?1",
    )?;
    let row = statement.query_row([group_key], |row| {
        let reason: String = row.get("reason")?;
        let state: String = row.get("state")?;
        let announced = Announced {
            episode: row.get("episode")?,
            reason: Reason::try_from(reason.as_str()).unwrap_or(Reason::New),
            open_items: row.get::<_, Count>("open_items")?.0,
            total_items: row.get::<_, Count>("total_items")?.0,
            at: row.get::<_, Millis>("announced_at")?.0,
            failures: row.get::<_, Count>("failures")?.0,
            baseline: row.get("baseline")?,
        };
        let state = group_state::LastAnnouncement {
            episode: announced.episode,
            state: GroupState::try_from(state.as_str()).unwrap_or(GroupState::Ongoing),
            at: announced.at,
        };
        Ok((announced, state))
    });
    Ok(row.optional()?)
}

/// Moves a group's announcement.
pub(crate) fn upsert(
    tx: &Transaction<'_>,
    group_key: i64,
    digest_id: &str,
    announced: &Announced,
    state: GroupState,
) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "INSERT INTO announcement (group_key, digest_id, episode, state, reason, open_items, total_items, failures, announced_at, baseline)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (group_key) DO UPDATE SET digest_id = ?2, episode = ?3, state = ?4, reason = ?5, open_items = ?6,
           total_items = ?7, failures = ?8, announced_at = ?9, baseline = ?10",
    )?
    .execute(params![
        group_key,
        digest_id,
        announced.episode,
        state.as_str(),
        announced.reason.as_str(),
        Count(announced.open_items),
        Count(announced.total_items),
        Count(announced.failures),
        Millis(announced.at),
        announced.baseline,
    ])?;
    Ok(())
}

/// Joins a merged group's announcement with its survivor's, so that the sum is known to people.
pub(crate) fn absorb(tx: &Transaction<'_>, merged: i64, survivor: i64) -> Result<(), LedgerError> {
    let known = tx.execute(
        "UPDATE announcement AS s SET open_items = s.open_items + m.open_items,
           total_items = s.total_items + m.total_items, failures = s.failures + m.failures,
           baseline = min(s.baseline, m.baseline)
         FROM announcement m WHERE s.group_key = ?2 AND m.group_key = ?1",
        [merged, survivor],
    )?;
    if known > 0 {
        tx.execute("DELETE FROM announcement WHERE group_key = ?1", [merged])?;
    } else {
        tx.execute(
            "UPDATE announcement SET group_key = ?2,
               episode = coalesce((SELECT max(ordinal) FROM episode WHERE group_key = ?2), 1)
             WHERE group_key = ?1",
            [merged, survivor],
        )?;
    }
    Ok(())
}

/// The escalation rules that fired for a group.
pub(crate) fn escalations(connection: &Connection, group_key: i64) -> Result<Vec<EscalationMemory>, LedgerError> {
    let mut statement =
        connection.prepare_cached("SELECT rule, fired_at, value, above_at FROM escalation WHERE group_key = ?1")?;
    let rows = statement.query_map([group_key], |row| {
        let rule: String = row.get("rule")?;
        Ok(EscalationMemory {
            rule: EscalationRule::try_from(rule.as_str()).unwrap_or(EscalationRule::Open),
            fired_at: row.get::<_, Millis>("fired_at")?.0,
            value: row.get("value")?,
            above_at: row.get::<_, Millis>("above_at")?.0,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that these rules, which fired before, are still above their limits.
pub(crate) fn mark_still_above(
    tx: &Transaction<'_>,
    group_key: i64,
    rules: impl Iterator<Item = EscalationRule>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    for rule in rules {
        tx.prepare_cached("UPDATE escalation SET above_at = ?3 WHERE group_key = ?1 AND rule = ?2")?
            .execute(params![group_key, rule.as_str(), Millis(now)])?;
    }
    Ok(())
}

/// Remembers that it was reported while these rules were reached: they fire again only at the double.
pub(crate) fn record_escalations(
    tx: &Transaction<'_>,
    group_key: i64,
    reached: &[Reached],
    now: Timestamp,
) -> Result<(), LedgerError> {
    for reached in reached {
        tx.prepare_cached(
            "INSERT INTO escalation (group_key, rule, fired_at, value, above_at) VALUES (?1, ?2, ?3, ?4, ?3)
             ON CONFLICT (group_key, rule) DO UPDATE SET fired_at = ?3, value = ?4, above_at = ?3",
        )?
        .execute(params![group_key, reached.rule.as_str(), Millis(now), reached.value])?;
    }
    Ok(())
}
