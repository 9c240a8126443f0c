//! Rows for tests: a small account in memory, written the way a scan would leave it.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::ledger::open;
use crate::ledger::time::Millis;

/// 2026-06-01 10:00 UTC, a Monday.
pub(crate) fn t(minutes: i64) -> Timestamp {
    let start: Timestamp = "2026-06-01T10:00:00Z".parse().unwrap();
    start + SignedDuration::from_mins(minutes)
}

/// A ledger in memory with one project, `prod`.
pub(crate) struct Seed {
    pub(crate) connection: Connection,
}

impl Seed {
    pub(crate) fn new() -> Seed {
        Seed::over(open::in_memory())
    }

    pub(crate) fn over(connection: Connection) -> Seed {
        // Thousands of small statements: their safety is not what these tests look at.
        connection.pragma_update(None, "synchronous", "off").unwrap();
        connection
            .execute("INSERT INTO project (project_key, name, project_id, first_seen) VALUES (1, 'prod', 'p-1', 0)", [])
            .unwrap();
        Seed { connection }
    }

    /// Runs `work` in a transaction and commits it.
    pub(crate) fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> T) -> T {
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        let value = work(&tx);
        tx.commit().unwrap();
        value
    }

    /// A complete scan.
    pub(crate) fn scan(&self, at: Timestamp) {
        self.run(
            "INSERT INTO scan (project_key, started_at, finished_at, complete) VALUES (1, ?1, ?1, 1)",
            params![Millis(at)],
        );
    }

    /// A batch of 1000 items with this status.
    pub(crate) fn batch(&self, batch_id: &str, status: &str) {
        self.run(
            "INSERT INTO batch (project_key, batch_id, job_type, directory_id, status, total_items, processed_items, first_seen, last_seen)
             VALUES (1, ?1, 'parse', 'dir-1', ?2, 1000, 1000, 0, 0)
             ON CONFLICT DO UPDATE SET status = ?2",
            params![batch_id, status],
        );
    }

    /// `n` items of a group fail in a batch at `at`. Item ids are `GROUP-NUMBER`, going on from those there are.
    pub(crate) fn fail(&self, group_id: &str, batch_id: &str, n: u64, at: Timestamp) {
        self.run(
            "INSERT INTO error_group (group_id, kind, template, title, class, mining, grouping_version, first_seen, last_seen)
             VALUES (?1, 'failed', 'template ' || ?1, 'title ' || ?1, 'transient', x'', 1, ?2, ?2) ON CONFLICT DO NOTHING",
            params![group_id, Millis(at)],
        );
        for _ in 0..n {
            let number: i64 = self.number("SELECT count(*) + 1 FROM item WHERE item_id LIKE ?1 || '-%'", group_id);
            self.fail_item(&format!("{group_id}-{number}"), group_id, batch_id, at);
        }
    }

    /// `n` more items of a known group fail in a batch within the same millisecond. Item ids are `crowd-GROUP-BATCH-NUMBER`.
    pub(crate) fn crowd(&self, group_id: &str, batch_id: &str, n: u64, at: Timestamp) {
        let crowd = crowd_sql(group_id, batch_id, n, at);
        self.connection.execute_batch(&crowd).unwrap();
        recount(&self.connection);
    }

    /// So many completed batches, each with one item of the first group.
    pub(crate) fn older_batches(&self, batches: u64) {
        let make = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
            INSERT INTO batch (project_key, batch_id, job_type, directory_id, status, total_items, first_seen, last_seen, completed_at)
            SELECT 1, 'old' || n, 'parse', 'dir-1', 'completed', 1000, 0, 0, 0 FROM n";
        self.run(make, [i64::try_from(batches).unwrap()]);
        self.run("INSERT INTO group_batch SELECT 1, batch_key, 1 FROM batch WHERE batch_id LIKE 'old%'", []);
    }

    /// One item fails, for the first time or again; the batch as a whole, if the item has its id.
    pub(crate) fn fail_item(&self, item_id: &str, group_id: &str, batch_id: &str, at: Timestamp) {
        let before = self.number("SELECT count(*) FROM item WHERE item_id = ?1", item_id);
        let name = if item_id == batch_id { "(whole batch)".to_owned() } else { format!("{item_id}.pdf") };
        let key = self.number(
            "SELECT coalesce((SELECT item_key FROM item WHERE item_id = ?1), (SELECT count(*) + 1 FROM item))",
            item_id,
        );
        self.connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        let observation = self.number("SELECT count(*) + 1 FROM observation WHERE 'x' <> ?1", item_id);
        self.run(
            "INSERT INTO item (item_id, item_key, item_name, project_key, kind, state, group_key, observation_key, first_seen, last_seen, failures)
             SELECT ?1, ?2, ?6, 1, 'failed', 'open', group_key, ?4, ?5, ?5, 1 FROM error_group WHERE group_id = ?3
             ON CONFLICT (item_id) DO UPDATE SET state = 'open', last_seen = ?5, observation_key = ?4, recovered_at = NULL",
            params![item_id, key, group_id, observation, Millis(at), name],
        );
        self.run(
            "INSERT INTO observation (observation_key, item_key, batch_key, identity, kind, group_key, content, event_at, first_seen, last_seen)
             SELECT ?1, ?2, b.batch_key, ?1, 'failed', g.group_key, 0, ?5, ?5, ?5 FROM batch b, error_group g
             WHERE b.batch_id = ?4 AND g.group_id = ?3",
            params![observation, key, group_id, batch_id, Millis(at)],
        );
        self.connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
        self.run(
            "INSERT INTO group_hour SELECT group_key, ?2 / 3600000, 1 FROM error_group WHERE group_id = ?1
             ON CONFLICT DO UPDATE SET failures = failures + 1",
            params![group_id, Millis(at)],
        );
        self.run(
            "INSERT INTO group_batch SELECT g.group_key, b.batch_key, 1 FROM error_group g, batch b
             WHERE g.group_id = ?1 AND b.batch_id = ?2 ON CONFLICT DO UPDATE SET failures = failures + 1",
            params![group_id, batch_id],
        );
        self.run(
            "UPDATE error_group SET last_seen = max(last_seen, ?2), failures = failures + 1, total_items = total_items + ?3 WHERE group_id = ?1",
            params![group_id, Millis(at), i64::from(before == 0)],
        );
        self.count(group_id);
    }

    /// All open items of a group recover.
    pub(crate) fn recover(&self, group_id: &str, at: Timestamp) {
        self.run(
            "UPDATE item SET state = 'recovered', recovered_at = ?2, recovered_by = 'bjb-later'
             WHERE state = 'open' AND group_key = (SELECT group_key FROM error_group WHERE group_id = ?1)",
            params![group_id, Millis(at)],
        );
        self.count(group_id);
    }

    /// A retry of the first item of a group that ended as told, at minute `n`, with `before` attempts behind it.
    pub(crate) fn retried(&self, group_id: &str, n: i64, outcome: &str, hash: &str, before: i64) {
        self.run(
            "INSERT INTO intent (intent_id, project_key, group_key, job_type, trigger, actor, state, job_config,
                 parameters_hash, items_hash, item_count, created_at, posting_at)
             SELECT 'i' || ?1, 1, group_key, 'parse', 'auto', 'auto', 'finished', '{}', ?2, '', 1, ?3, ?3
             FROM error_group WHERE group_id = ?4",
            params![n, hash, Millis(t(n)), group_id],
        );
        self.run(
            "INSERT INTO attempt (attempt_id, intent_id, item_key, group_key, n, before, trigger, outcome, started_at, finished_at)
             SELECT 'i' || ?1, 'i' || ?1, 1, group_key, 1, ?3, 'auto', ?2, ?4, ?4 FROM error_group WHERE group_id = ?5",
            params![n, outcome, before, Millis(t(n)), group_id],
        );
    }

    pub(crate) fn set_class(&self, group_id: &str, class: &str) {
        self.run("UPDATE error_group SET class = ?2 WHERE group_id = ?1", params![group_id, class]);
    }

    /// One number from a query with one text parameter.
    pub(crate) fn number(&self, sql: &str, parameter: &str) -> i64 {
        self.connection.query_row(sql, [parameter], |row| row.get(0)).unwrap()
    }

    /// One text from a query with one text parameter.
    pub(crate) fn text(&self, sql: &str, parameter: &str) -> String {
        self.connection.query_row(sql, [parameter], |row| row.get(0)).unwrap()
    }

    pub(crate) fn run(&self, sql: &str, parameters: impl rusqlite::Params) {
        self.connection.execute(sql, parameters).unwrap();
    }

    fn count(&self, group_id: &str) {
        self.run(
            "UPDATE error_group AS g SET open_items = (SELECT count(*) FROM item i WHERE i.group_key = g.group_key AND i.state = 'open')
             WHERE group_id = ?1",
            [group_id],
        );
        recount(&self.connection);
    }
}

/// The statements of [`Seed::crowd`], but for the counts of items.
pub(crate) fn crowd_sql(group_id: &str, batch_id: &str, n: u64, at: Timestamp) -> String {
    let (at, hour) = (at.as_millisecond(), at.as_millisecond() / 3_600_000);
    format!(
        "PRAGMA foreign_keys = OFF;
         CREATE TEMP TABLE crowd AS
             WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {n})
             SELECT n, (SELECT coalesce(max(item_key), 0) FROM item) + n AS item_key,
                 (SELECT coalesce(max(observation_key), 0) FROM observation) + n AS observation_key,
                 g.group_key, b.batch_key, b.project_key
             FROM n, error_group g, batch b WHERE g.group_id = '{group_id}' AND b.batch_id = '{batch_id}';
         INSERT INTO item (item_id, item_key, item_name, project_key, kind, state, group_key, observation_key, first_seen, last_seen, failures)
             SELECT 'crowd-{group_id}-{batch_id}-' || n, item_key, 'x.pdf', project_key, 'failed', 'open', group_key,
                 observation_key, {at}, {at}, 1 FROM crowd;
         INSERT INTO observation (observation_key, item_key, batch_key, identity, kind, group_key, content, event_at, first_seen, last_seen)
             SELECT observation_key, item_key, batch_key, observation_key, 'failed', group_key, 0, {at}, {at}, {at} FROM crowd;
         INSERT INTO group_hour SELECT group_key, {hour}, count(*) FROM crowd GROUP BY group_key
             ON CONFLICT DO UPDATE SET failures = failures + excluded.failures;
         INSERT INTO group_batch SELECT group_key, batch_key, count(*) FROM crowd GROUP BY group_key
             ON CONFLICT DO UPDATE SET failures = failures + excluded.failures;
         UPDATE error_group SET last_seen = max(last_seen, {at}), failures = failures + {n},
             total_items = total_items + {n}, open_items = open_items + {n} WHERE group_id = '{group_id}';
         DROP TABLE crowd;
         PRAGMA foreign_keys = ON;"
    )
}

/// Counts all items again, after a test wrote some by its own SQL.
pub(crate) fn recount(connection: &Connection) {
    connection
        .execute_batch(
            "DELETE FROM item_count;
             DELETE FROM item_hour;
             DELETE FROM recovery_hour;
             INSERT INTO item_count
                 SELECT i.group_key, i.project_key, i.state, iif(i.kind = 'skipped', ifnull(o.skip_reason, ''), ''), count(*)
                 FROM item i LEFT JOIN observation o USING (observation_key) GROUP BY 1, 2, 3, 4;
             INSERT INTO item_hour
                 SELECT (last_seen - ((last_seen % 3600000) + 3600000) % 3600000) / 3600000, group_key, project_key, state, count(*) FROM item GROUP BY 1, 2, 3, 4;
             INSERT INTO recovery_hour
                 SELECT recovered_at / 3600000, group_key, project_key, count(*) FROM item WHERE recovered_at IS NOT NULL GROUP BY 1, 2, 3;",
        )
        .unwrap();
}

/// "D-20260601-01.mail sent 1" for every delivery, in order: its id, state and tries.
pub(crate) fn delivery_states(connection: &Connection) -> Result<Vec<String>, crate::ledger::error::LedgerError> {
    let mut statement = connection.prepare(
        "SELECT delivery_id || ' ' || state || ' ' || attempts FROM delivery ORDER BY created_at, delivery_id",
    )?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When what waits for a channel is tried next.
pub(crate) fn next_try(connection: &Connection, channel: &str) -> Result<Timestamp, crate::ledger::error::LedgerError> {
    let next = "SELECT not_before FROM delivery WHERE channel = ?1 AND state = 'pending'";
    Ok(connection.query_row(next, [channel], |row| row.get::<_, crate::ledger::time::Millis>(0))?.0)
}

/// One text of a ledger.
pub(crate) fn text(connection: &Connection, sql: &str) -> Result<String, crate::ledger::error::LedgerError> {
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}
