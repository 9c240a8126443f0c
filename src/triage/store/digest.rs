//! Digests: frozen when decided, never changed.
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::meta::{meta, set_meta};
use crate::ledger::time::{Count, Millis, Word};
use crate::model::item::Kind;
use crate::triage::digest::model::{Digest, RetrySummary, Totals, Window};

/// The name of the time that the last full digest reached. Ledgers of earlier versions have it from their next one on.
const ANNOUNCED_UNTIL: &str = "told_until";

/// The number of the next digest among those whose id begins with `prefix`, from 1.
pub(crate) fn next_number(connection: &Connection, prefix: &str) -> Result<u32, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(max(CAST(substr(digest_id, ?2) AS INTEGER)), 0) + 1 FROM digest WHERE substr(digest_id, 1, ?2 - 1) = ?1",
    )?;
    let start = i64::try_from(prefix.len()).unwrap_or(0) + 1;
    Ok(statement.query_row(params![prefix, start], |row| row.get(0))?)
}

/// The text that is stored for a digest: what every try of its deliveries renders.
///
/// # Errors
/// Never in practice: the model holds nothing that JSON cannot.
pub(crate) fn serialize(digest: &Digest) -> Result<String, LedgerError> {
    serde_json::to_string(digest).map_err(|error| LedgerError::Unreadable { what: "digest", value: error.to_string() })
}

/// Reads a frozen digest back.
///
/// # Errors
/// It is no digest of this version.
pub fn deserialize(text: &str) -> Result<Digest, LedgerError> {
    serde_json::from_str(text).map_err(|error| LedgerError::Unreadable { what: "digest", value: error.to_string() })
}

/// Stores a digest.
///
/// # Errors
/// SQLite refuses, or the id is taken.
pub(crate) fn insert(tx: &Transaction<'_>, digest: &Digest, reasons: &str) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO digest (digest_id, created_at, scheduled, reasons, model) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![digest.digest_id, Millis(digest.created_at), digest.scheduled, reasons, serialize(digest)?],
    )?;
    Ok(())
}

/// Notes that a digest named a group and these of its items; a group without items gets one row.
pub(crate) fn name_items(
    tx: &Transaction<'_>,
    digest_id: &str,
    group_key: i64,
    reason: &str,
    items: &[String],
) -> Result<(), LedgerError> {
    let mut statement =
        tx.prepare_cached("INSERT INTO digest_item (digest_id, group_key, item_id, reason) VALUES (?1, ?2, ?3, ?4)")?;
    if items.is_empty() {
        statement.execute(params![digest_id, group_key, None::<&str>, reason])?;
    }
    for item in items {
        statement.execute(params![digest_id, group_key, item, reason])?;
    }
    Ok(())
}

/// Up to when everything was reported, which is where the next window begins; none before the first digest.
///
/// A digest of quiet hours, and the end of an alert, tell a part only and move nothing.
pub(crate) fn announced_until(connection: &Connection) -> Result<Option<Timestamp>, LedgerError> {
    let noted =
        meta(connection, ANNOUNCED_UNTIL)?.and_then(|value| value.parse().ok()).map(Timestamp::from_millisecond);
    if let Some(Ok(until)) = noted {
        return Ok(Some(until));
    }
    let newest: Option<Millis> =
        connection.prepare_cached("SELECT max(created_at) FROM digest")?.query_row([], |row| row.get(0))?;
    Ok(newest.map(|at| at.0))
}

/// Notes that everything was reported up to this time.
pub(crate) fn set_announced_until(tx: &Transaction<'_>, until: Timestamp) -> Result<(), LedgerError> {
    set_meta(tx, ANNOUNCED_UNTIL, &until.as_millisecond().to_string())
}

/// All digests, oldest first.
///
/// # Errors
/// SQLite refuses, or a stored digest cannot be read.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Digest>, LedgerError> {
    let mut statement = connection.prepare_cached("SELECT model FROM digest ORDER BY created_at, digest_id")?;
    let texts = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    texts.iter().map(|text| deserialize(text)).collect()
}

/// The digest with this id; none if there is none.
///
/// # Errors
/// SQLite refuses, or the stored digest cannot be read.
pub(crate) fn get(connection: &Connection, digest_id: &str) -> Result<Option<Digest>, LedgerError> {
    let mut statement = connection.prepare_cached("SELECT model FROM digest WHERE digest_id = ?1")?;
    let text = statement.query_row([digest_id], |row| row.get::<_, String>(0)).optional()?;
    text.map(|text| deserialize(&text)).transpose()
}

/// When the unscheduled digests since `since` were decided.
///
/// The first inventory does not count, nor what went to pager channels only, or to channels that came.
pub(crate) fn unscheduled_since(connection: &Connection, since: Timestamp) -> Result<Vec<Timestamp>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT created_at FROM digest WHERE created_at >= ?1 AND scheduled = 0
         AND replace(replace(replace(replace(replace(reasons, 'resolved', ''), 'acked', ''), 'fault_over', ''), 'channels', ''), ',', '') <> ''
         AND digest_id <> coalesce((SELECT value FROM meta WHERE name = 'baseline_digest'), '')",
    )?;
    let rows = statement.query_map([Millis(since)], |row| Ok(row.get::<_, Millis>(0)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The complete numbers of the whole ledger; changes and faults are left to the caller.
pub(crate) fn totals(connection: &Connection, window: Window) -> Result<Totals, LedgerError> {
    let mut open = Totals::default();
    let mut statement = connection.prepare_cached(
        "SELECT kind, sum(open_items) AS items, count(*) AS groups FROM error_group
         WHERE merged_into IS NULL AND open_items > 0 GROUP BY kind",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (Word(kind), Count(items), Count(groups)) = (row.get("kind")?, row.get("items")?, row.get("groups")?);
        match kind {
            Kind::Overdue => open.overdue_batches += items,
            Kind::Missing => open.missing_batches += items,
            Kind::Failed | Kind::Skipped | Kind::Cancelled => {
                open.open_items += items;
                open.open_groups += groups;
            }
        }
    }
    let counted = |sql: &str| {
        connection.query_row(sql, params![Millis(window.from), Millis(window.to)], |row| Ok(row.get::<_, Count>(0)?.0))
    };
    // No item is first seen after it was last seen, and by that the index of each group finds them without reading all items.
    let new_items = counted(
        "SELECT count(*) FROM error_group g CROSS JOIN item i ON i.group_key = g.group_key
             AND i.state IN ('open', 'retrying', 'recovered', 'dismissed') AND i.last_seen > ?1
         WHERE g.kind IN ('failed', 'skipped') AND i.first_seen > ?1 AND i.first_seen <= ?2",
    )?;
    let recovered_items = counted(
        "SELECT count(*) FROM item WHERE recovered_at > ?1 AND recovered_at <= ?2 AND state = 'recovered'
             AND kind IN ('failed', 'skipped')",
    )?;
    Ok(Totals { new_items, recovered_items, ..open })
}

/// What became of the attempts that began or ended in the window, and of those still running at its end; none if there are none.
///
/// A reader of "40 running" must learn how they ended.
pub(crate) fn retries(connection: &Connection, window: Window) -> Result<Option<RetrySummary>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT outcome, count(*) AS n, coalesce(sum(billed), 0.0) AS billed,
             coalesce(sum(credits) FILTER (WHERE billed IS NOT NULL), 0.0) AS estimated
         FROM attempt
         WHERE (finished_at > ?1 AND finished_at <= ?2)
             OR (finished_at IS NULL AND started_at <= ?2 AND (outcome = 'running' OR started_at > ?1))
         GROUP BY outcome",
    )?;
    let mut rows = statement.query(params![Millis(window.from), Millis(window.to)])?;
    let mut summary = RetrySummary::default();
    let (mut billed, mut estimated) = (0.0, 0.0);
    while let Some(row) = rows.next()? {
        let outcome: String = row.get("outcome")?;
        let Count(n) = row.get("n")?;
        summary.attempts += n;
        billed += row.get::<_, f64>("billed")?;
        estimated += row.get::<_, f64>("estimated")?;
        match outcome.as_str() {
            "recovered" | "already_processed" => summary.recovered += n,
            "failed_same" => summary.failed_same += n,
            "failed_differently" => summary.failed_differently += n,
            "running" => summary.running += n,
            _ => summary.other += n,
        }
    }
    (summary.billed, summary.estimated) = (rounded(billed), rounded(estimated));
    Ok((summary.attempts > 0).then_some(summary))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "credits, and never less than none")]
fn rounded(credits: f64) -> u64 {
    credits.round() as u64
}

/// The end of the newest complete scan; none before the first.
pub(crate) fn ledger_as_of(connection: &Connection) -> Result<Option<Timestamp>, LedgerError> {
    let newest: Option<Millis> = connection
        .prepare_cached("SELECT max(finished_at) FROM scan WHERE complete = 1")?
        .query_row([], |row| row.get(0))?;
    Ok(newest.map(|at| at.0))
}

/// The starts of all scans after `since` and of the last one before it, in order: gaps between them are downtime.
pub(crate) fn scan_starts(connection: &Connection, since: Timestamp) -> Result<Vec<Timestamp>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT started_at FROM scan WHERE started_at >= coalesce((SELECT max(started_at) FROM scan WHERE started_at <= ?1), 0)
         ORDER BY started_at",
    )?;
    let rows = statement.query_map([Millis(since)], |row| Ok(row.get::<_, Millis>(0)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The projects whose newest finished scan was incomplete, by name.
pub(crate) fn projects_not_read(connection: &Connection) -> Result<Vec<String>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT name FROM project p WHERE 0 = (SELECT complete FROM scan s
             WHERE s.project_key = p.project_key AND finished_at IS NOT NULL ORDER BY scan_key DESC LIMIT 1) ORDER BY name",
    )?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// When the first scan began; none before any scan.
pub(crate) fn first_start(connection: &Connection) -> Result<Option<Timestamp>, LedgerError> {
    let known = meta(connection, "first_start")?.and_then(|value| value.parse().ok()).map(Timestamp::from_millisecond);
    if let Some(Ok(first)) = known {
        return Ok(Some(first));
    }
    let first: Option<Millis> =
        connection.prepare_cached("SELECT min(started_at) FROM scan")?.query_row([], |row| row.get(0))?;
    Ok(first.map(|at| at.0))
}

/// When every project had its first complete scan: what was seen by then is inventory, not news.
///
/// None while a project still waits for its first complete scan.
pub(crate) fn inventory_until(connection: &Connection) -> Result<Option<Timestamp>, LedgerError> {
    let firsts = "SELECT min(s.finished_at) AS at FROM project p LEFT JOIN scan s
                  ON s.project_key = p.project_key AND s.complete = 1 GROUP BY p.project_key";
    let sql = format!("SELECT CASE WHEN count(*) = count(at) THEN max(at) END FROM ({firsts})");
    let until: Option<Millis> = connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
    Ok(until.map(|at| at.0))
}
