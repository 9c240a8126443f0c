//! Incidents, and the onsets of groups that they are made of.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{Count, Millis};
use crate::triage::incident::rule::{BatchWork, Share};

/// An incident's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IncidentRecord {
    /// `n-…`
    pub incident_id: String,
    /// Event time of its first onset.
    pub started_at: Timestamp,
    /// When the worker saw it.
    pub noticed_at: Timestamp,
    /// Event time of the newest failure of its groups.
    pub last_failure_at: Timestamp,
    /// That of the last one, once it is over; none while it is open.
    pub ended_at: Option<Timestamp>,
    /// How much failed in its groups.
    pub share: Share,
    /// It was reported.
    pub announced: bool,
    /// It was reported as a page.
    pub paged: bool,
    /// Its end was reported.
    pub end_announced: bool,
}

/// A group of an incident, by its first onset in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its number.
    pub group_key: i64,
    /// `g-…`
    pub group_id: String,
    /// What may be done about it.
    pub class: String,
    /// The episode that was open then.
    pub episode: u32,
    /// Event time of its onset.
    pub at: Timestamp,
    /// It was known and escalated.
    pub escalated: bool,
    /// Items that failed in it since, until the incident was over.
    pub items: u64,
    /// Event time of its newest failure.
    pub last_seen: Timestamp,
    /// Items open now.
    pub open_items: u64,
    /// Whether that episode has ended.
    pub ended: bool,
}

/// An onset with what the rule looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OnsetRecord {
    /// Its number.
    pub onset_key: i64,
    /// The group.
    pub group_key: i64,
    /// `g-…`
    pub group_id: String,
    /// What may be done about it.
    pub class: String,
    /// Event time.
    pub at: Timestamp,
    /// The incident that it is part of.
    pub incident_id: Option<String>,
    /// It joined that incident late.
    pub late: bool,
}

/// An onset to be noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewOnset {
    /// The group.
    pub group_key: i64,
    /// Its open episode.
    pub episode: u32,
    /// Event time.
    pub at: Timestamp,
    /// It was known and escalated.
    pub escalated: bool,
}

const RECORD: &str = "incident_id, started_at, noticed_at, last_failure_at, ended_at, items, ended_items, announced, paged, end_announced";

/// Notes that a group began or escalated.
pub(crate) fn note_onset(tx: &Transaction<'_>, onset: &NewOnset, now: Timestamp) -> Result<(), LedgerError> {
    tx.prepare_cached("INSERT INTO onset (group_key, episode, at, noticed_at, escalated) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![onset.group_key, onset.episode, Millis(onset.at), Millis(now), onset.escalated])?;
    Ok(())
}

/// Whether the beginning of an episode was noted.
pub(crate) fn is_noted(connection: &Connection, group_key: i64, episode: u32) -> Result<bool, LedgerError> {
    let sql = "SELECT 1 FROM onset WHERE group_key = ?1 AND episode = ?2 AND escalated = 0";
    Ok(connection.prepare_cached(sql)?.exists(params![group_key, episode])?)
}

/// Whether an onset of an episode was noted after `since`.
pub(crate) fn is_noted_since(
    connection: &Connection,
    group_key: i64,
    episode: u32,
    since: Timestamp,
) -> Result<bool, LedgerError> {
    let sql = "SELECT 1 FROM onset WHERE group_key = ?1 AND episode = ?2 AND noticed_at > ?3";
    Ok(connection.prepare_cached(sql)?.exists(params![group_key, episode, Millis(since)])?)
}

/// The onsets of open incidents, and those of none that were noted after `since`.
pub(crate) fn onsets(connection: &Connection, since: Timestamp) -> Result<Vec<OnsetRecord>, LedgerError> {
    let columns = "o.onset_key, o.group_key, g.group_id, g.class, o.at, o.incident_id, o.late";
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {columns} FROM onset o JOIN error_group g USING (group_key)
         WHERE o.incident_id IS NULL AND o.noticed_at > ?1
         UNION ALL SELECT {columns} FROM incident n CROSS JOIN onset o USING (incident_id) JOIN error_group g USING (group_key)
         WHERE n.end_announced = 0 AND n.ended_at IS NULL
         ORDER BY o.at, o.onset_key"
    ))?;
    let rows = statement.query_map([Millis(since)], |row| {
        Ok(OnsetRecord {
            onset_key: row.get("onset_key")?,
            group_key: row.get("group_key")?,
            group_id: row.get("group_id")?,
            class: row.get("class")?,
            at: row.get::<_, Millis>("at")?.0,
            incident_id: row.get("incident_id")?,
            late: row.get("late")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Makes an onset part of an incident, whatever it was part of.
pub(crate) fn assign(tx: &Transaction<'_>, onset_key: i64, incident_id: &str, late: bool) -> Result<(), LedgerError> {
    tx.prepare_cached("UPDATE onset SET incident_id = ?2, late = ?3, items = 0 WHERE onset_key = ?1")?
        .execute(params![onset_key, incident_id, late])?;
    Ok(())
}

/// Begins an incident. One of this id that is over goes on.
pub(crate) fn begin(
    tx: &Transaction<'_>,
    incident_id: &str,
    started_at: Timestamp,
    now: Timestamp,
) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO incident (incident_id, started_at, noticed_at, last_failure_at, items, ended_items)
         VALUES (?1, ?2, ?3, ?2, 0, 0)
         ON CONFLICT (incident_id) DO UPDATE SET ended_at = NULL, end_announced = 0",
        params![incident_id, Millis(started_at), Millis(now)],
    )?;
    Ok(())
}

/// Stores how far an incident has come; the counts of its groups beside it.
pub(crate) fn update(tx: &Transaction<'_>, record: &IncidentRecord, members: &[Member]) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "UPDATE incident SET last_failure_at = ?2, ended_at = ?3, items = ?4, ended_items = ?5 WHERE incident_id = ?1",
    )?
    .execute(params![
        record.incident_id,
        Millis(record.last_failure_at),
        record.ended_at.map(Millis),
        Count(record.share.items),
        Count(record.share.ended),
    ])?;
    let mut count = tx.prepare_cached(
        "UPDATE onset SET items = ?3 WHERE incident_id = ?1 AND group_key = ?2 AND onset_key =
             (SELECT onset_key FROM onset WHERE incident_id = ?1 AND group_key = ?2 ORDER BY at, onset_key LIMIT 1)",
    )?;
    for member in members {
        count.execute(params![record.incident_id, member.group_key, Count(member.items)])?;
    }
    Ok(())
}

/// Notes what a digest reported of an incident.
pub(crate) fn mark_announced(
    tx: &Transaction<'_>,
    incident_id: &str,
    digest_id: &str,
    paged: bool,
    ended: bool,
) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "UPDATE incident SET announced = coalesce(announced, ?2), paged = max(paged, ?3), end_announced = max(end_announced, ?4)
         WHERE incident_id = ?1",
    )?
    .execute(params![incident_id, digest_id, paged, ended])?;
    Ok(())
}

/// Incidents that are open, or whose end was not reported, the earliest first.
pub(crate) fn unsettled(connection: &Connection) -> Result<Vec<IncidentRecord>, LedgerError> {
    let sql = format!("SELECT {RECORD} FROM incident WHERE end_announced = 0 ORDER BY started_at, incident_id");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], record)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The incident with this id; none if there is none.
pub(crate) fn get(connection: &Connection, incident_id: &str) -> Result<Option<IncidentRecord>, LedgerError> {
    let sql = format!("SELECT {RECORD} FROM incident WHERE incident_id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([incident_id], record).optional()?)
}

fn record(row: &Row<'_>) -> rusqlite::Result<IncidentRecord> {
    Ok(IncidentRecord {
        incident_id: row.get("incident_id")?,
        started_at: row.get::<_, Millis>("started_at")?.0,
        noticed_at: row.get::<_, Millis>("noticed_at")?.0,
        last_failure_at: row.get::<_, Millis>("last_failure_at")?.0,
        ended_at: row.get::<_, Option<Millis>>("ended_at")?.map(|at| at.0),
        share: Share { items: row.get::<_, Count>("items")?.0, ended: row.get::<_, Count>("ended_items")?.0 },
        announced: row.get::<_, Option<String>>("announced")?.is_some(),
        paged: row.get("paged")?,
        end_announced: row.get("end_announced")?,
    })
}

/// The groups of an incident, in the order in which they began.
pub(crate) fn members(connection: &Connection, incident_id: &str) -> Result<Vec<Member>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT o.group_key, g.group_id, g.class, o.episode, min(o.at) AS at, o.escalated, max(o.items) AS items,
                g.last_seen, g.open_items, e.closed_at IS NOT NULL AS ended
         FROM onset o JOIN error_group g USING (group_key)
         LEFT JOIN episode e ON e.group_key = o.group_key AND e.ordinal = o.episode
         WHERE o.incident_id = ?1 GROUP BY o.group_key ORDER BY min(o.at), o.group_key",
    )?;
    let rows = statement.query_map([incident_id], |row| {
        Ok(Member {
            group_key: row.get("group_key")?,
            group_id: row.get("group_id")?,
            class: row.get("class")?,
            episode: row.get("episode")?,
            at: row.get::<_, Millis>("at")?.0,
            escalated: row.get("escalated")?,
            items: row.get::<_, Count>("items")?.0,
            last_seen: row.get::<_, Millis>("last_seen")?.0,
            open_items: row.get::<_, Count>("open_items")?.0,
            ended: row.get("ended")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The newest incident that an episode of a group was part of; none if of none.
pub(crate) fn of_episode(connection: &Connection, group_key: i64, episode: u32) -> Result<Option<String>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT incident_id FROM onset WHERE group_key = ?1 AND episode = ?2 AND incident_id IS NOT NULL
         ORDER BY at DESC, onset_key DESC LIMIT 1",
    )?;
    Ok(statement.query_row(params![group_key, episode], |row| row.get(0)).optional()?)
}

/// The names of the projects that a group was seen in.
pub(crate) fn projects(connection: &Connection, group_key: i64) -> Result<BTreeSet<String>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT p.name FROM item_count c JOIN project p USING (project_key) WHERE c.group_key = ?1 AND c.items > 0",
    )?;
    let names = statement.query_map([group_key], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// The batches of these projects that ended after `since`, or are under way.
pub(crate) fn work_since(
    connection: &Connection,
    projects: &BTreeSet<String>,
    since: Timestamp,
) -> Result<Vec<BatchWork>, LedgerError> {
    // A batch under way may have no other time than that at which it was made.
    let columns = "b.batch_key, p.name, coalesce(b.started_at, b.created_at, b.first_seen) AS began_at,
        max(coalesce(b.completed_at, b.updated_at, 0), CASE WHEN b.completed_at IS NULL THEN b.last_seen ELSE 0 END) AS until,
        max(coalesce(b.processed_items, 0) - coalesce(b.failed_items, 0) - coalesce(b.skipped_items, 0), 0) AS completed";
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {columns} FROM batch b JOIN project p USING (project_key)
         WHERE coalesce(b.completed_at, b.updated_at, b.created_at, b.last_seen) > ?1
         UNION SELECT {columns} FROM batch b JOIN project p USING (project_key)
         WHERE b.gone_at IS NULL AND b.status NOT IN ('completed', 'failed', 'cancelled')"
    ))?;
    let mut rows = statement.query([Millis(since)])?;
    let mut work = Vec::new();
    while let Some(row) = rows.next()? {
        if projects.contains(row.get_ref("name")?.as_str().unwrap_or_default()) {
            work.push(BatchWork {
                began_at: row.get::<_, Millis>("began_at")?.0,
                until: row.get::<_, Millis>("until")?.0,
                completed: row.get::<_, Count>("completed")?.0,
            });
        }
    }
    Ok(work)
}

/// Event time of the first failure after `since` beyond the `usual` ones; none if no more failed.
pub(crate) fn first_beyond(
    connection: &Connection,
    group_key: i64,
    since: Timestamp,
    usual: u64,
) -> Result<Option<Timestamp>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT last_seen FROM item WHERE group_key = ?1 AND last_seen > ?2
         AND state IN ('open', 'retrying', 'recovered', 'dismissed', 'ignored') ORDER BY last_seen LIMIT 1 OFFSET ?3",
    )?;
    let first = statement.query_row(params![group_key, Millis(since), Count(usual)], |row| row.get::<_, Millis>(0));
    Ok(first.optional()?.map(|at| at.0))
}

/// Forgets onsets that were noted before `limit` and are part of no incident, and ends the report of what no digest said.
pub(crate) fn forget_before(tx: &Transaction<'_>, limit: Timestamp) -> Result<(), LedgerError> {
    tx.prepare_cached("DELETE FROM onset WHERE incident_id IS NULL AND noticed_at < ?1")?.execute([Millis(limit)])?;
    tx.prepare_cached(
        "UPDATE incident SET end_announced = 1 WHERE end_announced = 0 AND announced IS NULL AND ended_at < ?1",
    )?
    .execute([Millis(limit)])?;
    Ok(())
}

/// Gives the onsets of a merged group to its survivor, as those of its newest episode.
pub(crate) fn absorb(tx: &Transaction<'_>, merged: i64, survivor: i64) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE onset SET group_key = ?2, episode = coalesce((SELECT max(ordinal) FROM episode WHERE group_key = ?2), 1)
         WHERE group_key = ?1",
        [merged, survivor],
    )?;
    Ok(())
}
