//! Deleting old, settled data.
//!
//! An item goes as a whole, with its history, or stays as a whole: never while it is open or being retried, never while
//! an intent holds it. Digests go with all their deliveries, never while one may still be sent or a group's last word
//! was said in it. Incidents go with their onsets and alerts once their end was reported. Groups stay for ever: their ids and what they learnt must not be born again.

use std::collections::BTreeMap;

use rusqlite::Transaction;

use crate::ledger::error::LedgerError;

/// What is forgotten: everything settled and older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PruneCutoff {
    /// Items, batches and scans last seen before this time, in milliseconds.
    pub items: i64,
    /// Digests, deliveries, incidents and audit rows before this time, in milliseconds.
    pub digests: i64,
}

/// Deletes what is older, and counts the rows that went by table.
///
/// # Errors
/// SQLite's; nothing is deleted then.
pub(crate) fn prune(tx: &Transaction<'_>, before: &PruneCutoff) -> Result<BTreeMap<&'static str, u64>, LedgerError> {
    let mut gone = BTreeMap::new();
    choose(tx, SETTLED_ITEMS, before.items)?;
    tx.execute_batch(UNCOUNT)?;
    delete(tx, ITEMS, &mut gone)?;
    choose(tx, PRUNABLE_DIGESTS, before.digests)?;
    delete(tx, DIGEST_TABLES, &mut gone)?;
    choose(tx, PRUNABLE_INCIDENTS, before.digests)?;
    delete(tx, INCIDENT_TABLES, &mut gone)?;
    for (table, sql, time) in
        [("batch", OLD_BATCHES, before.items), ("scan", OLD_SCANS, before.items), ("audit", OLD_AUDIT, before.digests)]
    {
        gone.insert(table, counted(tx.execute(sql, [time])?));
    }
    tx.execute_batch("DROP TABLE temp.pruned")?;
    Ok(gone)
}

/// Keeps what is to go in a temporary table, so that every statement means the same rows.
fn choose(tx: &Transaction<'_>, which: &str, before: i64) -> Result<(), LedgerError> {
    tx.execute_batch(&format!("DROP TABLE IF EXISTS temp.pruned; CREATE TEMP TABLE pruned AS {which} {before}"))?;
    Ok(())
}

type PrunedRows = BTreeMap<&'static str, u64>;

fn delete(tx: &Transaction<'_>, statements: &[(&'static str, &str)], gone: &mut PrunedRows) -> Result<(), LedgerError> {
    for (table, sql) in statements {
        gone.insert(table, counted(tx.execute(sql, ())?));
    }
    Ok(())
}

fn counted(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

/// Settled for long, and held by no one. Followed by the time in milliseconds.
const SETTLED_ITEMS: &str = "SELECT item_key, item_id, group_key FROM item
    WHERE state NOT IN ('open', 'retrying')
        AND item_key NOT IN (SELECT item_key FROM claim)
        AND item_key NOT IN (SELECT item_key FROM attempt WHERE outcome IN ('running', 'unknown'))
        AND max(last_seen, ifnull(recovered_at, 0)) <";

/// Takes what goes out of every counter, before it goes.
const UNCOUNT: &str = "
    CREATE UNIQUE INDEX temp.pruned_item ON pruned (item_key);
    CREATE TEMP TABLE uncounted AS
        SELECT coalesce(g.merged_into, g.group_key) AS group_key, o.batch_key,
            (o.event_at - ((o.event_at % 3600000) + 3600000) % 3600000) / 3600000 AS hour, count(*) AS failures
        FROM pruned p JOIN observation o USING (item_key) JOIN error_group g ON g.group_key = o.group_key
        GROUP BY 1, 2, 3;
    UPDATE group_hour AS c SET failures = c.failures - u.failures
        FROM (SELECT group_key, hour, sum(failures) AS failures FROM uncounted GROUP BY 1, 2) u
        WHERE u.group_key = c.group_key AND u.hour = c.hour;
    UPDATE group_batch AS c SET failures = c.failures - u.failures
        FROM (SELECT group_key, batch_key, sum(failures) AS failures FROM uncounted GROUP BY 1, 2) u
        WHERE u.group_key = c.group_key AND u.batch_key = c.batch_key;
    UPDATE error_group AS c SET failures = c.failures - u.failures
        FROM (SELECT group_key, sum(failures) AS failures FROM uncounted GROUP BY 1) u WHERE u.group_key = c.group_key;
    UPDATE error_group AS c SET total_items = c.total_items - u.items
        FROM (SELECT group_key, count(*) AS items FROM (
                SELECT group_key, item_key FROM pruned
                UNION ALL SELECT o.group_key, o.item_key FROM item_group o JOIN pruned USING (item_key)) GROUP BY 1) u
        WHERE u.group_key = c.group_key;
    CREATE TEMP TABLE unslotted AS
        SELECT i.group_key, i.project_key, i.state, CASE WHEN i.kind = 'skipped' THEN ifnull(o.skip_reason, '') ELSE '' END
            AS skip_reason, (i.last_seen - ((i.last_seen % 3600000) + 3600000) % 3600000) / 3600000 AS hour, count(*) AS items
        FROM pruned p JOIN item i USING (item_key) JOIN observation o ON o.observation_key = i.observation_key
        GROUP BY 1, 2, 3, 4, 5;
    UPDATE item_count AS c SET items = c.items - u.items
        FROM (SELECT group_key, project_key, state, skip_reason, sum(items) AS items FROM unslotted GROUP BY 1, 2, 3, 4) u
        WHERE (u.group_key, u.project_key, u.state, u.skip_reason) = (c.group_key, c.project_key, c.state, c.skip_reason);
    UPDATE item_hour AS c SET items = c.items - u.items
        FROM (SELECT hour, group_key, project_key, state, sum(items) AS items FROM unslotted GROUP BY 1, 2, 3, 4) u
        WHERE (u.hour, u.group_key, u.project_key, u.state) = (c.hour, c.group_key, c.project_key, c.state);
    DELETE FROM item_count WHERE items = 0;
    DELETE FROM item_hour WHERE items = 0;
    DROP TABLE temp.unslotted;
    DELETE FROM group_hour WHERE failures = 0;
    DELETE FROM group_batch WHERE failures = 0;
    DROP TABLE temp.uncounted;";

const ITEMS: &[(&str, &str)] = &[
    ("refused_item", "DELETE FROM refused_item WHERE item_key IN (SELECT item_key FROM pruned)"),
    ("attempt", "DELETE FROM attempt WHERE item_key IN (SELECT item_key FROM pruned)"),
    ("item_group", "DELETE FROM item_group WHERE item_key IN (SELECT item_key FROM pruned)"),
    ("observation", "DELETE FROM observation WHERE item_key IN (SELECT item_key FROM pruned)"),
    ("item", "DELETE FROM item WHERE item_key IN (SELECT item_key FROM pruned)"),
    (
        "message",
        "DELETE FROM message WHERE message_key NOT IN (SELECT message_key FROM observation WHERE message_key IS NOT NULL)",
    ),
];

const OLD_BATCHES: &str = "DELETE FROM batch WHERE last_seen < ?1
    AND batch_key NOT IN (SELECT batch_key FROM observation) AND batch_key NOT IN (SELECT batch_key FROM group_batch)";

/// The newest scans of each project stay: they say how fresh the ledger is.
const OLD_SCANS: &str = "DELETE FROM scan WHERE started_at < ?1
    AND scan_key NOT IN (SELECT max(scan_key) FROM scan GROUP BY project_key, complete)";

const OLD_AUDIT: &str = "DELETE FROM audit WHERE at < ?1";

const DIGEST_TABLES: &[(&str, &str)] = &[
    ("digest_item", "DELETE FROM digest_item WHERE digest_id IN (SELECT digest_id FROM pruned)"),
    ("delivery", "DELETE FROM delivery WHERE digest_id IN (SELECT digest_id FROM pruned)"),
    ("digest", "DELETE FROM digest WHERE digest_id IN (SELECT digest_id FROM pruned)"),
];

/// Told for long, nothing of it still to be sent, and no group's last announcement.
const PRUNABLE_DIGESTS: &str = "SELECT digest_id FROM digest
    WHERE digest_id NOT IN (SELECT digest_id FROM delivery WHERE state IN ('pending', 'sending'))
        AND digest_id NOT IN (SELECT digest_id FROM announcement)
        AND created_at <";

const INCIDENT_TABLES: &[(&str, &str)] = &[
    ("pager_alert", "DELETE FROM pager_alert WHERE incident_id IN (SELECT incident_id FROM pruned)"),
    ("onset", "DELETE FROM onset WHERE incident_id IN (SELECT incident_id FROM pruned)"),
    ("incident", "DELETE FROM incident WHERE incident_id IN (SELECT incident_id FROM pruned)"),
];

/// Over for long, and their end was reported everywhere.
const PRUNABLE_INCIDENTS: &str = "SELECT incident_id FROM incident
    WHERE end_announced = 1
        AND incident_id NOT IN (SELECT incident_id FROM pager_alert WHERE incident_id IS NOT NULL AND resolved_at IS NULL)
        AND ended_at <";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::check::check;
    use crate::ledger::open::in_memory;
    use crate::ledger::tests::seed::recount;

    /// Three items in one batch and group: open, recovered long ago, recovered lately; two digests, one still unsent.
    const LEDGER: &str = "
        INSERT INTO project (project_key, name, project_id, first_seen, list_read_at) VALUES (1, 'p', NULL, 0, NULL);
        INSERT INTO batch (batch_key, project_key, batch_id, job_type, status, first_seen, last_seen)
            VALUES (1, 1, 'b', 'parse', 'completed', 0, 0), (2, 1, 'empty', 'parse', 'completed', 0, 0);
        INSERT INTO error_group (group_key, group_id, kind, template, title, mining, grouping_version, first_seen, last_seen,
                open_items, total_items, failures)
            VALUES (1, 'g-1', 'failed', 't', 't', x'', 1, 10, 20, 1, 3, 3), (2, 'g-2', 'failed', 't', 't', x'', 1, 10, 10, 0, 1, 1);
        INSERT INTO message VALUES (1, -6879547754445957492, 'kept'), (2, -946337629795732995, 'forgotten');
        INSERT INTO item (item_id, item_key, item_name, project_key, kind, state, group_key, observation_key, first_seen,
                last_seen, failures, recovered_at)
            VALUES ('open', 1, 'n', 1, 'failed', 'open', 1, 1, 10, 10, 1, NULL),
                   ('old', 2, 'n', 1, 'failed', 'recovered', 1, 3, 10, 20, 2, 30),
                   ('late', 3, 'n', 1, 'failed', 'recovered', 1, 4, 10, 10, 1, 5000);
        INSERT INTO observation (observation_key, item_key, batch_key, identity, kind, group_key, message_key, content,
                event_at, first_seen, last_seen)
            VALUES (1, 1, 1, 1, 'failed', 1, 1, 0, 10, 10, 10), (2, 2, 1, 1, 'failed', 2, 2, 0, 10, 10, 10),
                   (3, 2, 1, 2, 'failed', 1, 2, 0, 20, 20, 20), (4, 3, 1, 1, 'failed', 1, 1, 0, 10, 10, 10);
        INSERT INTO item_group VALUES (2, 2);
        INSERT INTO group_hour VALUES (1, 0, 3), (2, 0, 1);
        INSERT INTO group_batch VALUES (1, 1, 3), (2, 1, 1);
        INSERT INTO digest (digest_id, created_at, scheduled, reasons, model) VALUES ('sent', 1, 0, '', '{}'), ('unsent', 1, 0, '', '{}');
        INSERT INTO delivery (delivery_id, digest_id, channel, state, content, not_before, created_at)
            VALUES ('1', 'sent', 'c', 'sent', '', 0, 1), ('2', 'unsent', 'c', 'pending', '', 0, 1);
        INSERT INTO incident (incident_id, started_at, noticed_at, last_failure_at, ended_at, items, ended_items, end_announced)
            VALUES ('n-old', 1, 1, 9, 9, 3, 3, 1), ('n-late', 1, 1, 5000, 5000, 3, 3, 1), ('n-paged', 1, 1, 9, 9, 3, 3, 1);
        INSERT INTO onset (group_key, episode, at, noticed_at, escalated, incident_id)
            VALUES (1, 1, 1, 1, 0, 'n-old'), (2, 1, 1, 1, 0, 'n-late'), (1, 1, 1, 1, 0, 'n-paged');
        INSERT INTO pager_alert (channel, incident_id, opened_at, resolved_at, scope)
            VALUES ('p', 'n-old', 1, 9, 's'), ('p', 'n-paged', 1, NULL, 's');";

    #[test]
    fn only_what_is_settled_and_old_is_pruned_and_the_counters_follow() {
        let mut connection = in_memory();
        connection.execute_batch(LEDGER).unwrap();
        recount(&connection);
        assert_eq!(check(&connection).unwrap(), Vec::<String>::new());
        let tx = connection.transaction().unwrap();
        let gone = prune(&tx, &PruneCutoff { items: 1000, digests: 1000 }).unwrap();
        tx.commit().unwrap();
        assert_eq!(check(&connection).unwrap(), Vec::<String>::new());
        let expected = [("item", 1), ("observation", 2), ("message", 1), ("batch", 1), ("digest", 1), ("delivery", 1)];
        let expected = expected.into_iter().chain([("incident", 1), ("onset", 1), ("pager_alert", 1)]);
        for (table, rows) in expected {
            assert_eq!(gone[table], rows, "{table}");
        }
        let left = "SELECT group_concat(item_id) FROM (SELECT item_id FROM item ORDER BY item_key)";
        let left: String = connection.query_row(left, (), |row| row.get(0)).unwrap();
        assert_eq!(left, "open,late");
    }
}
