//! Causes that job records gave, and which groups still have records to be asked.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{millis, timestamp};
use crate::model::cause::{Cause, SAMPLES};
use crate::model::classified::Classified;

/// An open group of failures of which fewer records than allowed were asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unexplained {
    /// The group.
    pub group_key: i64,
    /// Its class.
    pub class: String,
    /// What decided it.
    pub rule: Option<String>,
    /// Whether an earlier record had a cause.
    pub has_cause: bool,
    /// Records that may still be asked.
    pub left: u64,
}

/// A failed item whose job record may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CauseSample {
    /// Its newest failure.
    pub observation_key: i64,
    /// Its project, by configured name.
    pub project: String,
    /// What its batch did.
    pub job_type: String,
    /// The job.
    pub job_id: String,
    /// The item's message.
    pub message: Option<String>,
    /// When the failure was first seen.
    pub seen_at: Timestamp,
}

/// Groups with records to ask: those that were never asked first, of them the newest.
pub(crate) fn unexplained(connection: &Connection) -> Result<Vec<Unexplained>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT group_key, class, rule, cause_code IS NOT NULL OR cause_text IS NOT NULL AS has_cause, ?1 - cause_asked AS left_to_ask
         FROM error_group
         WHERE merged_into IS NULL AND kind = 'failed' AND open_items > 0 AND cause_asked < ?1
         ORDER BY cause_asked, group_key DESC",
    )?;
    let groups = statement.query_map([SAMPLES.cast_signed()], |row| {
        Ok(Unexplained {
            group_key: row.get("group_key")?,
            class: row.get("class")?,
            rule: row.get("rule")?,
            has_cause: row.get("has_cause")?,
            left: row.get::<_, i64>("left_to_ask")?.unsigned_abs(),
        })
    })?;
    Ok(groups.collect::<Result<_, _>>()?)
}

/// Open items of a group whose job record was not asked, newest first.
pub(crate) fn samples(connection: &Connection, group: &Unexplained) -> Result<Vec<CauseSample>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT o.observation_key, p.name AS project, b.job_type, o.job_id, m.text, o.first_seen
         FROM item i JOIN observation o ON o.observation_key = i.observation_key
         JOIN batch b ON b.batch_key = o.batch_key JOIN project p ON p.project_key = b.project_key
         LEFT JOIN message m ON m.message_key = o.message_key
         WHERE i.group_key = ?1 AND i.state = 'open' AND o.job_id IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM cause c WHERE c.observation_key = o.observation_key)
         ORDER BY i.last_seen DESC LIMIT ?2",
    )?;
    let samples = statement.query_map((group.group_key, group.left.cast_signed()), |row| {
        Ok(CauseSample {
            observation_key: row.get("observation_key")?,
            project: row.get("project")?,
            job_type: row.get("job_type")?,
            job_id: row.get("job_id")?,
            message: row.get("text")?,
            seen_at: timestamp(row.get("first_seen")?),
        })
    })?;
    Ok(samples.collect::<Result<_, _>>()?)
}

/// Notes that a record was asked, and what it said; none if that was nothing new.
pub(crate) fn note(
    tx: &Transaction<'_>,
    group_key: i64,
    observation_key: i64,
    cause: Option<&Cause>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let (code, text) = (cause.and_then(|cause| cause.code.as_ref()), cause.and_then(|cause| cause.text.as_ref()));
    tx.prepare_cached("INSERT OR REPLACE INTO cause (observation_key, code, text, asked_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute((observation_key, code, text, millis(now)))?;
    tx.prepare_cached("UPDATE error_group SET cause_asked = cause_asked + 1 WHERE group_key = ?1")?
        .execute([group_key])?;
    Ok(())
}

/// The causes that were found for items now in a group, newest first.
pub(crate) fn found(connection: &Connection, group_key: i64) -> Result<Vec<Cause>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT c.code, c.text FROM cause c JOIN observation o ON o.observation_key = c.observation_key
         JOIN error_group g ON g.group_key = o.group_key
         WHERE coalesce(g.merged_into, g.group_key) = ?1 AND (c.code IS NOT NULL OR c.text IS NOT NULL)
         ORDER BY o.event_at DESC",
    )?;
    let causes = statement.query_map([group_key], |row| Ok(Cause { code: row.get(0)?, text: row.get(1)? }))?;
    Ok(causes.collect::<Result<_, _>>()?)
}

/// Gives a group its cause, and the class that follows from it, if one does.
pub(crate) fn explain(
    tx: &Transaction<'_>,
    group_key: i64,
    cause: &Cause,
    classified: Option<&Classified>,
) -> Result<(), LedgerError> {
    tx.prepare_cached("UPDATE error_group SET cause_code = ?2, cause_text = ?3 WHERE group_key = ?1")?.execute((
        group_key,
        &cause.code,
        &cause.text,
    ))?;
    if let Some(classified) = classified {
        tx.prepare_cached("UPDATE error_group SET class = coalesce(set_class, ?2), rule = CASE WHEN set_class IS NULL THEN ?3 ELSE rule END,
                 class_percent = NULL, class_words = NULL
             WHERE group_key = ?1")?.execute((
            group_key,
            &classified.class,
            &classified.rule,
        ))?;
    }
    Ok(())
}
