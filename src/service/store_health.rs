//! What `/healthz` and `/metrics` need to know of the ledger: small counts, read in one go.

use jiff::Timestamp;
use rusqlite::Connection;

use crate::ledger::error::LedgerError;
use crate::ledger::time::Count;
use crate::notify::store_delivery::dead_channels;

/// Counts and times that tell whether the worker does its work.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Health {
    /// For each project: when its last complete scan ended; none if there was none.
    pub last_complete_scan: Vec<(String, Option<Timestamp>)>,
    /// Open items by kind and class of their group.
    pub open_items: Vec<(String, String, u64)>,
    /// Groups with open items.
    pub open_groups: u64,
    /// Incidents that are open.
    pub open_incidents: u64,
    /// Items that failed in them.
    pub incident_items: u64,
    /// Deliveries by channel and state.
    pub deliveries: Vec<(String, String, u64)>,
    /// Channels whose newest settled delivery is dead.
    pub dead_channels: Vec<String>,
    /// Active scan problems, as text.
    pub scan_faults: Vec<String>,
    /// The worker's own faults that have not ended.
    pub faults: u64,
    /// Reprocessing attempts by outcome.
    pub attempts: Vec<(String, u64)>,
    /// Rows that could not be understood in the newest scan of each project, added up.
    pub unreadable: u64,
}

/// Reads the counts.
pub(crate) fn read(connection: &Connection) -> Result<Health, LedgerError> {
    Ok(Health {
        last_complete_scan: pairs(
            connection,
            "SELECT p.name, (SELECT max(s.finished_at) FROM scan s WHERE s.project_key = p.project_key AND s.complete = 1)
             FROM project p ORDER BY p.name",
            |ms: Option<i64>| ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()),
        )?,
        open_items: triples(
            connection,
            "SELECT kind, class, sum(open_items) FROM error_group
             WHERE merged_into IS NULL GROUP BY kind, class HAVING sum(open_items) > 0",
        )?,
        open_groups: one(connection, "SELECT count(*) FROM error_group WHERE merged_into IS NULL AND open_items > 0")?,
        open_incidents: one(connection, "SELECT count(*) FROM incident WHERE end_announced = 0 AND ended_at IS NULL")?,
        incident_items: one(
            connection,
            "SELECT coalesce(sum(items), 0) FROM incident WHERE end_announced = 0 AND ended_at IS NULL",
        )?,
        deliveries: triples(connection, "SELECT channel, state, count(*) FROM delivery GROUP BY channel, state")?,
        dead_channels: dead_channels(connection)?,
        scan_faults: scan_faults(connection)?,
        faults: one(connection, "SELECT count(*) FROM worker_fault WHERE ended_at IS NULL")?,
        attempts: pairs(connection, "SELECT outcome, count(*) FROM attempt GROUP BY outcome", unsigned)?,
        unreadable: one(
            connection,
            "SELECT coalesce(sum(unreadable), 0) FROM scan
             WHERE scan_key IN (SELECT max(scan_key) FROM scan GROUP BY project_key)",
        )?,
    })
}

fn unsigned(n: i64) -> u64 {
    n.unsigned_abs()
}

fn scan_faults(connection: &Connection) -> Result<Vec<String>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT text FROM worker_fault WHERE ended_at IS NULL AND (fault LIKE 'scan:%' OR fault LIKE 'refused:%') ORDER BY since, fault",
    )?;
    let texts = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(texts)
}

fn one(connection: &Connection, sql: &str) -> Result<u64, LedgerError> {
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

fn pairs<R: rusqlite::types::FromSql, T>(
    connection: &Connection,
    sql: &str,
    read: impl Fn(R) -> T,
) -> Result<Vec<(String, T)>, LedgerError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, read(row.get(1)?))))?.collect::<Result<_, _>>()?;
    Ok(rows)
}

fn triples(connection: &Connection, sql: &str) -> Result<Vec<(String, String, u64)>, LedgerError> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let (one, other, Count(count)) = row.try_into()?;
        Ok((one, other, count))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_ledger_is_healthy_and_empty() {
        assert_eq!(read(&crate::ledger::open::in_memory()).unwrap(), Health::default());
    }

    #[test]
    fn a_channel_is_dead_until_a_later_delivery_arrives() {
        let ledger = crate::ledger::open::in_memory();
        ledger
            .execute_batch(
                "INSERT INTO digest VALUES ('D-1', 1, 0, 'new', '{}'), ('D-2', 2, 0, 'new', '{}');
                 INSERT INTO delivery (delivery_id, digest_id, channel, state, content, not_before, created_at)
                 VALUES ('D-1/a', 'D-1', 'a', 'dead', '', 0, 1);",
            )
            .unwrap();
        assert_eq!(read(&ledger).unwrap().dead_channels, ["a"]);
        ledger
            .execute_batch(
                "INSERT INTO delivery (delivery_id, digest_id, channel, state, content, not_before, created_at)
                 VALUES ('D-2/a', 'D-2', 'a', 'sent', '', 0, 2);",
            )
            .unwrap();
        assert!(read(&ledger).unwrap().dead_channels.is_empty());
    }
}
