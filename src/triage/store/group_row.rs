//! What triage reads of a group: its row, its batches, its counts by the hour, its items to show.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{Count, Millis};
use crate::model::item::Kind;
use crate::model::time::HOUR;
use crate::triage::digest::model::Sample;
use crate::triage::escalation::{BatchShare, GroupMeasures};

const TERMINAL: &str = "('completed', 'failed', 'cancelled')";

/// The states of items, those first that the newest items mostly are in.
const STATES: [&str; 5] = ["open", "retrying", "recovered", "dismissed", "ignored"];

/// A group's own row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GroupRecord {
    /// Its small number.
    pub group_key: i64,
    /// `g-…`.
    pub group_id: String,
    /// What kind of problem it is.
    pub kind: Kind,
    /// The message with its variable parts masked.
    pub template: String,
    /// What people call it.
    pub title: String,
    /// What may be done about it.
    pub class: String,
    /// The rule that said so.
    pub rule: Option<String>,
    /// What the job record says beyond the message.
    pub cause: Option<String>,
    /// Event time of its first observation.
    pub first_seen: Timestamp,
    /// Event time of its newest observation.
    pub last_seen: Timestamp,
    /// Open items now.
    pub open_items: u64,
    /// Items ever in it.
    pub total_items: u64,
    /// Observations.
    pub failures: u64,
}

const COLUMNS: &str = "group_key, group_id, kind, template, coalesce(renamed, title) AS shown_title, class, rule,
    coalesce(cause_code || ': ' || cause_text, cause_text, cause_code) AS cause, first_seen, last_seen,
    open_items, total_items, failures";

/// The groups that triage must look at: open now, open when last looked at, or resolved without a report.
pub(crate) fn watched(connection: &Connection) -> Result<Vec<GroupRecord>, LedgerError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM error_group g WHERE merged_into IS NULL AND (open_items > 0
           OR EXISTS (SELECT 1 FROM episode e WHERE e.group_key = g.group_key AND e.closed_at IS NULL)
           OR EXISTS (SELECT 1 FROM announcement a WHERE a.group_key = g.group_key AND a.reason <> 'resolved'))
         ORDER BY group_key"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], group_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The group with this number, merged or not.
pub(crate) fn by_key(connection: &Connection, group_key: i64) -> Result<Option<GroupRecord>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM error_group WHERE group_key = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([group_key], group_row).optional()?)
}

/// Gives a group the title that people call it by; none gives it back its own.
pub(crate) fn rename(tx: &rusqlite::Transaction<'_>, group_key: i64, title: Option<&str>) -> Result<(), LedgerError> {
    tx.execute("UPDATE error_group SET renamed = ?2 WHERE group_key = ?1", params![group_key, title])?;
    Ok(())
}

fn group_row(row: &Row<'_>) -> rusqlite::Result<GroupRecord> {
    let kind: String = row.get("kind")?;
    let count = |column| row.get::<_, Count>(column).map(|count| count.0);
    Ok(GroupRecord {
        group_key: row.get("group_key")?,
        group_id: row.get("group_id")?,
        kind: Kind::try_from(kind.as_str()).unwrap_or(Kind::Failed),
        template: row.get("template")?,
        title: row.get("shown_title")?,
        class: row.get("class")?,
        rule: row.get("rule")?,
        cause: row.get("cause")?,
        first_seen: row.get::<_, Millis>("first_seen")?.0,
        last_seen: row.get::<_, Millis>("last_seen")?.0,
        open_items: count("open_items")?,
        total_items: count("total_items")?,
        failures: count("failures")?,
    })
}

/// Whether every batch that gave the group an observation has ended.
pub(crate) fn batches_ended(connection: &Connection, group_key: i64) -> Result<bool, LedgerError> {
    // Few batches are under way, and a large group has thousands that were.
    let sql = format!(
        "SELECT NOT EXISTS (SELECT 1 FROM batch b CROSS JOIN group_batch gb USING (batch_key)
         WHERE gb.group_key = ?1 AND b.gone_at IS NULL AND b.status NOT IN {TERMINAL})"
    );
    Ok(connection.prepare_cached(&sql)?.query_row([group_key], |row| row.get(0))?)
}

/// The numbers that escalation looks at. `open_announced` is left to the caller, `batch` is what [`largest_shares`] says of the group.
pub(crate) fn measures(
    connection: &Connection,
    group: &GroupRecord,
    batch: Option<BatchShare>,
    now: Timestamp,
) -> Result<GroupMeasures, LedgerError> {
    let hour_ago = now.as_millisecond() - HOUR;
    let last_hour = failed_since(connection, group.group_key, now - SignedDuration::from_hours(1), now)?;
    let this_hour = hour_ago.div_euclid(HOUR);
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(max(failures), 0) FROM group_hour WHERE group_key = ?1 AND hour >= ?2 AND hour < ?3",
    )?;
    let Count(peak_hour) =
        statement.query_row(params![group.group_key, this_hour - 7 * 24, this_hour], |row| row.get(0))?;
    Ok(GroupMeasures {
        last_hour,
        peak_hour,
        young: now - group.first_seen < SignedDuration::from_hours(7 * 24),
        open: group.open_items,
        open_announced: 0,
        batch,
    })
}

/// Items of a group that failed after `since`, by event time.
pub(crate) fn failed_since(
    connection: &Connection,
    group_key: i64,
    since: Timestamp,
    now: Timestamp,
) -> Result<u64, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FROM item WHERE group_key = ?1 AND last_seen > ?2 AND last_seen <= ?3
         AND state IN ('open', 'retrying', 'recovered', 'dismissed', 'ignored')",
    )?;
    let Count(failed) = statement.query_row(params![group_key, Millis(since), Millis(now)], |row| row.get(0))?;
    Ok(failed)
}

/// Whether an item of a group failed since its project was first scanned.
pub(crate) fn failed_since_start(connection: &Connection, group_key: i64) -> Result<bool, LedgerError> {
    // All states are named, so that the index finds the newest items without reading all.
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM item WHERE group_key = ?1 AND state IN ('open', 'retrying', 'recovered', 'dismissed', 'ignored')
         AND last_seen > (SELECT min(first_seen) FROM project) AND baseline = 0",
    )?;
    Ok(statement.exists([group_key])?)
}

/// Whether no item of a group that was seen to fail after `since` failed after its project was first scanned.
pub(crate) fn only_baseline_since(
    connection: &Connection,
    group_key: i64,
    since: Timestamp,
) -> Result<bool, LedgerError> {
    // The newest first: where there is one, it mostly is among them.
    let mut find = connection.prepare_cached(
        "SELECT 1 FROM item i JOIN observation o USING (observation_key)
         WHERE i.group_key = ?1 AND i.state = ?3 AND i.last_seen > (SELECT min(first_seen) FROM project) AND i.baseline = 0
             AND o.first_seen > ?2
         ORDER BY i.last_seen DESC",
    )?;
    for state in STATES {
        if find.exists(params![group_key, Millis(since), state])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Batches of a group that failed as a whole and were first seen after `since`, and how many items LlamaCloud counts in
/// them. Such a batch is one item of the ledger, however large it was, so counts of items say nothing about it.
pub(crate) fn whole_batches_since(
    connection: &Connection,
    group_key: i64,
    since: Timestamp,
) -> Result<(u64, u64), LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*), coalesce(sum(b.total_items), 0)
         FROM item i INDEXED BY item_whole_batch CROSS JOIN observation o USING (observation_key)
           CROSS JOIN batch b USING (batch_key)
         WHERE i.group_key = ?1 AND i.state = 'open' AND i.item_name = '(whole batch)' AND i.item_id = b.batch_id
           AND i.kind = 'failed'
           AND o.first_seen > ?2",
    )?;
    Ok(statement.query_row(params![group_key, Millis(since)], |row| {
        Ok((row.get::<_, Count>(0)?.0, row.get::<_, Count>(1)?.0))
    })?)
}

/// By group: the batch of the last day of which the largest share failed in it.
pub(crate) fn largest_shares(connection: &Connection, now: Timestamp) -> Result<HashMap<i64, BatchShare>, LedgerError> {
    // From the batches of one day to their groups, for the batches of a large group may be those of months.
    let sql = format!(
        "SELECT group_key, batch_id, failures, finished FROM (
           SELECT gb.group_key, b.batch_id, gb.failures,
             CASE WHEN b.status IN {TERMINAL} THEN coalesce(b.total_items, b.processed_items, 0)
                  ELSE max(coalesce(b.processed_items, 0), coalesce(b.failed_items, 0) + coalesce(b.skipped_items, 0))
             END AS finished
           FROM batch b CROSS JOIN group_batch gb USING (batch_key)
           WHERE coalesce(b.completed_at, b.updated_at, b.created_at, b.last_seen) > ?1)
         WHERE finished >= 20 ORDER BY CAST(failures AS REAL) / finished DESC, batch_id"
    );
    let since = now.as_millisecond() - 24 * HOUR;
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([since])?;
    let mut largest = HashMap::new();
    while let Some(row) = rows.next()? {
        let (Count(failed), Count(finished)) = (row.get("failures")?, row.get("finished")?);
        let share = BatchShare { batch_id: row.get("batch_id")?, failed, finished };
        largest.entry(row.get("group_key")?).or_insert(share);
    }
    Ok(largest)
}

/// Observations in each of the 24 clock hours up to the one that holds `until`, oldest first.
pub(crate) fn hourly(connection: &Connection, group_key: i64, until: Timestamp) -> Result<Vec<u32>, LedgerError> {
    let last = until.as_millisecond().div_euclid(HOUR);
    let mut statement = connection
        .prepare_cached("SELECT hour, failures FROM group_hour WHERE group_key = ?1 AND hour > ?2 AND hour <= ?3")?;
    let mut hours = vec![0; 24];
    let mut rows = statement.query(params![group_key, last - 24, last])?;
    while let Some(row) = rows.next()? {
        let place = usize::try_from(23 - (last - row.get::<_, i64>(0)?)).unwrap_or(0);
        if let Some(hour) = hours.get_mut(place) {
            *hour = u32::try_from(row.get::<_, i64>(1)?).unwrap_or(u32::MAX);
        }
    }
    Ok(hours)
}

/// How many retries of a group have ended, and how many of them recovered.
pub(crate) fn retries(connection: &Connection, group_key: i64) -> Result<(u64, u64), LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT count(*) FILTER (WHERE outcome IN ('recovered', 'failed_same', 'failed_differently')),
                count(*) FILTER (WHERE outcome = 'recovered')
         FROM attempt WHERE group_key = ?1",
    )?;
    let (Count(ended), Count(recovered)) = statement.query_row([group_key], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((ended, recovered))
}

/// In how many batches, of which job types and projects a group was seen.
pub(crate) fn batches_and_projects(
    connection: &Connection,
    group_key: i64,
) -> Result<(u64, Vec<String>, Vec<String>), LedgerError> {
    let Count(batches) = connection
        .prepare_cached("SELECT count(*) FROM group_batch WHERE group_key = ?1")?
        .query_row([group_key], |row| row.get(0))?;
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT b.job_type, p.name FROM group_batch gb JOIN batch b USING (batch_key)
         JOIN project p USING (project_key) WHERE gb.group_key = ?1",
    )?;
    let mut job_types: Vec<String> = Vec::new();
    let mut projects: Vec<String> = Vec::new();
    let mut rows = statement.query([group_key])?;
    while let Some(row) = rows.next()? {
        job_types.push(row.get(0)?);
        projects.push(row.get(1)?);
    }
    for words in [&mut job_types, &mut projects] {
        words.sort();
        words.dedup();
    }
    Ok((batches, job_types, projects))
}

/// An item to show, with what its links are made of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SampleItem {
    /// The sample without its links.
    pub sample: Sample,
    /// The project's id as the API names it.
    pub project_id: Option<String>,
}

/// Up to `most` items of a group, newest first: open ones, or any if none is open.
pub(crate) fn sample_items(
    connection: &Connection,
    group_key: i64,
    most: usize,
) -> Result<Vec<SampleItem>, LedgerError> {
    let open = candidates_in(connection, group_key, &["open", "retrying"], most)?;
    if open.is_empty() {
        return candidates_in(connection, group_key, &["recovered", "dismissed", "ignored"], most);
    }
    Ok(open)
}

fn candidates_in(
    connection: &Connection,
    group_key: i64,
    states: &[&str],
    most: usize,
) -> Result<Vec<SampleItem>, LedgerError> {
    // Each state alone, as its index has them: together they would all be read and sorted.
    let of_state = |state: &&str| {
        format!(
            "SELECT * FROM (SELECT rowid FROM item WHERE group_key = ?1 AND state = '{state}'
             ORDER BY last_seen DESC LIMIT ?2)"
        )
    };
    let newest = states.iter().map(of_state).collect::<Vec<_>>().join(" UNION ALL ");
    let sql = format!(
        "SELECT i.item_id, i.item_name, p.name AS project, p.project_id, b.batch_id, o.job_id, o.job_record_id, m.text,
                o.skip_reason, o.event_at
         FROM ({newest}) n CROSS JOIN item i ON i.rowid = n.rowid
         JOIN observation o ON o.observation_key = i.observation_key
         JOIN batch b ON b.batch_key = o.batch_key JOIN project p ON p.project_key = i.project_key
         LEFT JOIN message m ON m.message_key = o.message_key
         ORDER BY i.last_seen DESC, i.item_key LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![group_key, most], |row| {
        Ok(SampleItem {
            sample: Sample {
                item_id: row.get("item_id")?,
                item_name: row.get("item_name")?,
                project: row.get("project")?,
                batch_id: row.get("batch_id")?,
                job_id: row.get("job_id")?,
                job_record_id: row.get("job_record_id")?,
                error_message: row.get("text")?,
                skip_reason: row.get("skip_reason")?,
                seen_at: row.get::<_, Millis>("event_at")?.0,
                links: std::collections::BTreeMap::new(),
            },
            project_id: row.get("project_id")?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
