//! Corrects event times in the future, with the counters by hour.
//!
//! An event time is LlamaCloud's, and assumed by the host's clock only where LlamaCloud gives none; so a day is allowed, as
//! when it is taken in.

use jiff::Timestamp;
use rusqlite::{Transaction, params};

use crate::ledger::error::LedgerError;
use crate::scan::store::ingest::FAR_AHEAD;

/// Moves the counts of failures in future hours to the current hour.
const MOVE_FAILURES: &str = "
    DROP TABLE IF EXISTS temp.moved;
    CREATE TEMP TABLE moved AS
        SELECT coalesce(g.merged_into, g.group_key) AS group_key,
            (o.event_at - ((o.event_at % 3600000) + 3600000) % 3600000) / 3600000 AS hour, count(*) AS failures
        FROM observation o JOIN error_group g ON g.group_key = o.group_key WHERE o.event_at > LIMIT_MS GROUP BY 1, 2;
    UPDATE group_hour AS c SET failures = c.failures - m.failures
        FROM temp.moved m WHERE m.group_key = c.group_key AND m.hour = c.hour;
    INSERT INTO group_hour (group_key, hour, failures)
        SELECT group_key, NOW_MS / 3600000, sum(failures) FROM temp.moved WHERE true GROUP BY 1
        ON CONFLICT DO UPDATE SET failures = failures + excluded.failures;
    DELETE FROM group_hour WHERE failures = 0;
    DROP TABLE temp.moved;";

/// The same for the newest failures of items.
const MOVE_ITEMS: &str = "
    DROP TABLE IF EXISTS temp.moved;
    CREATE TEMP TABLE moved AS
        SELECT (last_seen - ((last_seen % 3600000) + 3600000) % 3600000) / 3600000 AS hour, group_key, project_key, state,
            count(*) AS items
        FROM item WHERE last_seen > LIMIT_MS GROUP BY 1, 2, 3, 4;
    UPDATE item_hour AS c SET items = c.items - m.items FROM temp.moved m
        WHERE (m.hour, m.group_key, m.project_key, m.state) = (c.hour, c.group_key, c.project_key, c.state);
    INSERT INTO item_hour (hour, group_key, project_key, state, items)
        SELECT NOW_MS / 3600000, group_key, project_key, state, sum(items) FROM temp.moved WHERE true GROUP BY 2, 3, 4
        ON CONFLICT DO UPDATE SET items = items + excluded.items;
    DELETE FROM item_hour WHERE items = 0;
    DROP TABLE temp.moved;";

/// Event times, after the counters.
const EVENTS: [&str; 5] = [
    "UPDATE observation SET event_at = ?1 WHERE event_at > ?2",
    "UPDATE item SET last_seen = ?1, first_seen = min(first_seen, ?1) WHERE last_seen > ?2",
    // A failure that is no later than this would count as answered by a later success.
    "UPDATE item SET answered_until = ?1 WHERE answered_until > ?2",
    "UPDATE error_group SET first_seen = ?1 WHERE first_seen > ?2",
    "UPDATE error_group SET last_seen = ?1 WHERE last_seen > ?2",
];

/// When the worker saw something, by the host's clock alone.
const SEEN: [&str; 3] = [
    "UPDATE observation SET first_seen = ?1 WHERE first_seen > ?2",
    "UPDATE observation SET last_seen = ?1 WHERE last_seen > ?2",
    "UPDATE item SET recovered_at = ?1 WHERE recovered_at > ?2",
];

/// Sets them right, and what was seen later than `limit`. Returns how many values there were.
pub(crate) fn set_right(tx: &Transaction<'_>, limit: Timestamp, now: Timestamp) -> Result<usize, LedgerError> {
    let (limit, now) = (limit.as_millisecond(), now.as_millisecond());
    let far = now.saturating_add(FAR_AHEAD);
    for sql in [MOVE_FAILURES, MOVE_ITEMS] {
        tx.execute_batch(&sql.replace("LIMIT_MS", &far.to_string()).replace("NOW_MS", &now.to_string()))?;
    }
    let mut changed = 0;
    for (statements, limit) in [(EVENTS.as_slice(), far), (SEEN.as_slice(), limit)] {
        for sql in statements {
            changed += tx.execute(sql, params![now, limit])?;
        }
    }
    Ok(changed)
}
