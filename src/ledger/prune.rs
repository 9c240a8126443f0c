//! Forgetting what is old and settled.
//!
//! An item goes as a whole, with its history, or stays as a whole: never while it is open or being retried, never while
//! an intent holds it. Digests go with all their deliveries, never while one may still be sent or a group's last word
//! was said in it. Groups stay for ever: their ids and what they learnt must not be born again.

use std::collections::BTreeMap;

use rusqlite::Transaction;

use super::LedgerError;

/// What is forgotten: everything settled and older.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// Items, batches and scans last seen before this time, in milliseconds.
    pub items: i64,
    /// Digests, deliveries and audit rows before this time, in milliseconds.
    pub digests: i64,
}

/// Deletes what is older, and counts the rows that went by table.
///
/// # Errors
/// SQLite's; nothing is deleted then.
pub fn prune(tx: &Transaction<'_>, before: &Before) -> Result<BTreeMap<&'static str, u64>, LedgerError> {
    tx.execute_batch(&format!(
        "DROP TABLE IF EXISTS temp.pruned; CREATE TEMP TABLE pruned AS {SETTLED_ITEMS} {}",
        before.items
    ))?;
    tx.execute_batch(UNCOUNT)?;
    let mut gone = BTreeMap::new();
    for (table, sql) in ITEMS {
        gone.insert(*table, deleted(tx.execute(sql, ())?));
    }
    tx.execute_batch("DROP TABLE temp.pruned")?;
    for (table, sql) in OLD {
        gone.insert(*table, deleted(tx.execute(sql, [before.items])?));
    }
    for (table, sql) in TOLD {
        gone.insert(*table, deleted(tx.execute(sql, [before.digests])?));
    }
    Ok(gone)
}

fn deleted(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

/// Settled for long, and held by nobody. Followed by the time in milliseconds.
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
    DELETE FROM group_hour WHERE failures = 0;
    DELETE FROM group_batch WHERE failures = 0;
    DROP TABLE temp.uncounted;";

const ITEMS: &[(&str, &str)] = &[
    ("attempt", "DELETE FROM attempt WHERE item_key IN (SELECT item_key FROM pruned)"),
    ("item_group", "DELETE FROM item_group WHERE item_key IN (SELECT item_key FROM pruned)"),
    ("observation", "DELETE FROM observation WHERE item_key IN (SELECT item_key FROM pruned)"),
    ("item", "DELETE FROM item WHERE item_key IN (SELECT item_key FROM pruned)"),
    (
        "message",
        "DELETE FROM message WHERE message_key NOT IN (SELECT message_key FROM observation WHERE message_key IS NOT NULL)",
    ),
];

const OLD: &[(&str, &str)] = &[
    (
        "batch",
        "DELETE FROM batch WHERE last_seen < ?1 AND batch_key NOT IN (SELECT batch_key FROM observation)
             AND batch_key NOT IN (SELECT batch_key FROM group_batch)",
    ),
    // The newest scan of each project says how fresh the ledger is.
    (
        "scan",
        "DELETE FROM scan WHERE started_at < ?1
             AND scan_key NOT IN (SELECT max(scan_key) FROM scan GROUP BY project_key, complete)",
    ),
];

const TOLD: &[(&str, &str)] = &[
    (
        "digest_item",
        "DELETE FROM digest_item WHERE digest_id IN (SELECT digest_id FROM digest WHERE created_at < ?1 AND {unsaid})",
    ),
    (
        "delivery",
        "DELETE FROM delivery WHERE digest_id IN (SELECT digest_id FROM digest WHERE created_at < ?1 AND {unsaid})",
    ),
    ("digest", "DELETE FROM digest WHERE created_at < ?1 AND {unsaid}"),
    ("audit", "DELETE FROM audit WHERE at < ?1"),
];
