//! Whether a ledger is what it should be: the file, the references, and every counter against what it counts.

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::ledger::error::LedgerError;
use crate::ledger::hash::hash;

/// Findings named one by one for each rule; more are only counted.
const NAMED: usize = 20;

/// Compares the ledger with itself. The answer has one line for each discrepancy; none means that all is well.
///
/// Reads everything: seconds on a ledger of millions.
///
/// # Errors
/// SQLite's, if the file cannot be read at all.
pub fn check(connection: &Connection) -> Result<Vec<String>, LedgerError> {
    let mut found = integrity(connection)?;
    found.extend(references(connection)?);
    found.extend(changed_messages(connection)?);
    for rule in RULES {
        found.extend(apply(connection, rule)?);
    }
    Ok(found)
}

fn integrity(connection: &Connection) -> Result<Vec<String>, LedgerError> {
    let mut statement = connection.prepare("PRAGMA integrity_check")?;
    let lines = statement.query_map((), |row| row.get::<_, String>(0))?;
    let lines: Vec<String> = lines.collect::<Result<_, _>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

fn references(connection: &Connection) -> Result<Vec<String>, LedgerError> {
    let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
    let lines = statement.query_map((), |row| {
        let (table, parent): (String, String) = (row.get("table")?, row.get("parent")?);
        let rowid: Option<i64> = row.get("rowid")?;
        Ok(format!("{table} row {} points at a missing {parent}", rowid.unwrap_or(0)))
    })?;
    Ok(lines.collect::<Result<_, _>>()?)
}

fn apply(connection: &Connection, rule: &ConsistencyRule) -> Result<Vec<String>, LedgerError> {
    let mut statement = connection.prepare(rule.sql)?;
    let lines = statement.query_map((), |row| row.get::<_, String>(0))?;
    Ok(name_some(rule.name, lines.collect::<Result<_, _>>()?))
}

fn name_some(rule: &str, mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(NAMED);
    lines.truncate(NAMED);
    let mut named: Vec<String> = lines.into_iter().map(|line| format!("{rule}: {line}")).collect();
    if more > 0 {
        named.push(format!("{rule}: {more} more"));
    }
    named
}

/// Messages that are not what was written: SQLite notices a damaged page only where its structure is hit.
fn changed_messages(connection: &Connection) -> Result<Vec<String>, LedgerError> {
    let mut statement = connection.prepare("SELECT message_key, hash, text FROM message")?;
    let (mut rows, mut lines) = (statement.query(())?, Vec::new());
    while let Some(row) = rows.next()? {
        let (key, written): (i64, i64) = (row.get("message_key")?, row.get("hash")?);
        // Damaged bytes need not be UTF-8.
        let same = matches!(row.get_ref("text")?, ValueRef::Text(text) if hash(&[text]) == written);
        if !same {
            lines.push(format!("the text of message {key} is not the one that was written"));
        }
    }
    Ok(name_some("messages", lines))
}

struct ConsistencyRule {
    name: &'static str,
    /// Gives one text for each discrepancy.
    sql: &'static str,
}

const RULES: &[ConsistencyRule] = &[
    ConsistencyRule {
        name: "words",
        sql: "SELECT item_id || ' is ' || kind || ', ' || state FROM item
              WHERE kind NOT IN ('failed', 'skipped', 'cancelled', 'overdue', 'missing')
                  OR state NOT IN ('open', 'retrying', 'recovered', 'dismissed', 'ignored')
              UNION ALL
              SELECT 'observation ' || observation_key || ' is ' || kind FROM observation
              WHERE kind NOT IN ('failed', 'skipped', 'cancelled', 'overdue', 'missing')
              UNION ALL
              SELECT group_id || ' is ' || kind FROM error_group
              WHERE kind NOT IN ('failed', 'skipped', 'cancelled', 'overdue', 'missing')",
    },
    ConsistencyRule {
        name: "merged groups",
        sql: "SELECT g.group_id || ' is merged into ' || s.group_id || ', which is merged itself'
              FROM error_group g JOIN error_group s ON s.group_key = g.merged_into WHERE s.merged_into IS NOT NULL",
    },
    ConsistencyRule {
        name: "item's newest observation",
        sql: "SELECT i.item_id || ' is ' || i.kind || ' in group ' || i.group_key || ' seen ' || i.last_seen
                  || ', its newest observation says otherwise'
              FROM item i
              LEFT JOIN observation o ON o.observation_key = i.observation_key AND o.item_key = i.item_key
              LEFT JOIN error_group g ON g.group_key = o.group_key
              WHERE o.observation_key IS NULL OR i.last_seen <> o.event_at OR i.kind <> o.kind
                  OR i.group_key <> coalesce(g.merged_into, g.group_key)",
    },
    ConsistencyRule {
        name: "item's history",
        sql: "SELECT i.item_id || ' says first ' || i.first_seen || ', last ' || i.last_seen || ', failures ' || i.failures
                  || '; its observations say ' || ifnull(h.first, '-') || ', ' || ifnull(h.last, '-') || ', ' || ifnull(h.failures, 0)
              FROM item i LEFT JOIN (
                  SELECT item_key, min(event_at) AS first, sum(kind = 'failed') AS failures, coalesce(
                      max(event_at) FILTER (WHERE skip_reason IS NOT 'already_processed' AND kind <> 'cancelled'), max(event_at)) AS last
                  FROM observation GROUP BY item_key) h USING (item_key)
              WHERE i.first_seen IS NOT h.first OR i.last_seen IS NOT h.last OR i.failures IS NOT h.failures",
    },
    ConsistencyRule {
        name: "item's other groups",
        sql: "WITH really AS (
                  SELECT DISTINCT coalesce(g.merged_into, g.group_key) AS group_key, o.item_key
                  FROM observation o JOIN error_group g USING (group_key)
                  JOIN item i ON i.item_key = o.item_key AND i.group_key <> coalesce(g.merged_into, g.group_key))
              SELECT 'item ' || item_key || ', group ' || group_key || ' is missing' FROM (SELECT group_key, item_key FROM really EXCEPT SELECT group_key, item_key FROM item_group)
              UNION ALL
              SELECT 'item ' || item_key || ', group ' || group_key || ' is too many' FROM (SELECT group_key, item_key FROM item_group EXCEPT SELECT group_key, item_key FROM really)",
    },
    ConsistencyRule {
        name: "group's items",
        sql: "WITH counted AS (
                  SELECT group_key, count(*) AS total, sum(state IN ('open', 'retrying')) AS open FROM item GROUP BY group_key),
              others AS (SELECT group_key, count(*) AS total FROM item_group GROUP BY group_key)
              SELECT g.group_id || ' says ' || g.open_items || ' open of ' || g.total_items || ', its items are '
                  || ifnull(c.open, 0) || ' of ' || (ifnull(c.total, 0) + ifnull(o.total, 0))
              FROM error_group g LEFT JOIN counted c USING (group_key) LEFT JOIN others o USING (group_key)
              WHERE g.open_items <> ifnull(c.open, 0) OR g.total_items <> ifnull(c.total, 0) + ifnull(o.total, 0)",
    },
    ConsistencyRule {
        name: "kind of group",
        sql: "SELECT i.item_id || ' is ' || i.kind || ', its group ' || g.group_id || ' is ' || g.kind
              FROM item i JOIN error_group g USING (group_key) WHERE i.kind <> g.kind",
    },
    ConsistencyRule {
        name: "counted items",
        sql: "WITH counted AS (
                  SELECT i.group_key, i.project_key, i.state, CASE WHEN i.kind = 'skipped' THEN ifnull(o.skip_reason, '') ELSE '' END
                      AS skip_reason, count(*) AS items
                  FROM item i LEFT JOIN observation o ON o.observation_key = i.observation_key AND i.kind = 'skipped' GROUP BY 1, 2, 3, 4)
              SELECT 'group ' || group_key || ', project ' || project_key || ', ' || state || ' ' || skip_reason || ' is not ' || items
              FROM (SELECT group_key, project_key, state, skip_reason, items FROM item_count EXCEPT SELECT * FROM counted)
              UNION ALL
              SELECT 'group ' || group_key || ', project ' || project_key || ', ' || state || ' ' || skip_reason || ' should be ' || items
              FROM (SELECT * FROM counted EXCEPT SELECT group_key, project_key, state, skip_reason, items FROM item_count)",
    },
    ConsistencyRule {
        name: "items by hour",
        sql: "WITH counted AS (
                  SELECT (last_seen - ((last_seen % 3600000) + 3600000) % 3600000) / 3600000 AS hour, group_key, project_key, state,
                      count(*) AS items
                  FROM item GROUP BY 1, 2, 3, 4)
              SELECT 'hour ' || hour || ', group ' || group_key || ', project ' || project_key || ', ' || state || ' is not ' || items
              FROM (SELECT hour, group_key, project_key, state, items FROM item_hour EXCEPT SELECT * FROM counted)
              UNION ALL
              SELECT 'hour ' || hour || ', group ' || group_key || ', project ' || project_key || ', ' || state || ' should be ' || items
              FROM (SELECT * FROM counted EXCEPT SELECT hour, group_key, project_key, state, items FROM item_hour)",
    },
    ConsistencyRule {
        name: "recoveries by hour",
        sql: "WITH counted AS (
                  SELECT (recovered_at - ((recovered_at % 3600000) + 3600000) % 3600000) / 3600000 AS hour, group_key, project_key,
                      count(*) AS items
                  FROM item WHERE recovered_at IS NOT NULL GROUP BY 1, 2, 3)
              SELECT 'hour ' || hour || ', group ' || group_key || ', project ' || project_key || ' is not ' || items
              FROM (SELECT hour, group_key, project_key, items FROM recovery_hour EXCEPT SELECT * FROM counted)
              UNION ALL
              SELECT 'hour ' || hour || ', group ' || group_key || ', project ' || project_key || ' should be ' || items
              FROM (SELECT * FROM counted EXCEPT SELECT hour, group_key, project_key, items FROM recovery_hour)",
    },
    ConsistencyRule {
        name: "group's failures",
        sql: "WITH counted AS (
                  SELECT coalesce(g.merged_into, g.group_key) AS group_key, count(*) AS failures,
                      min(o.event_at) AS first, max(o.event_at) AS last
                  FROM observation o JOIN error_group g USING (group_key) GROUP BY 1)
              SELECT g.group_id || ' says ' || g.failures || ' from ' || g.first_seen || ' to ' || g.last_seen
                  || ', its observations say ' || ifnull(c.failures, 0) || ' from ' || ifnull(c.first, '-') || ' to ' || ifnull(c.last, '-')
              FROM error_group g LEFT JOIN counted c USING (group_key)
              WHERE g.failures <> ifnull(c.failures, 0) OR g.first_seen > c.first OR g.last_seen < c.last",
    },
    ConsistencyRule {
        name: "group's hours",
        sql: "WITH counted AS (
                  SELECT coalesce(g.merged_into, g.group_key) AS group_key,
                      (o.event_at - ((o.event_at % 3600000) + 3600000) % 3600000) / 3600000 AS hour, count(*) AS failures
                  FROM observation o JOIN error_group g USING (group_key) GROUP BY 1, 2)
              SELECT 'group ' || group_key || ', hour ' || hour || ' is not ' || failures
              FROM (SELECT group_key, hour, failures FROM group_hour EXCEPT SELECT group_key, hour, failures FROM counted)
              UNION ALL
              SELECT 'group ' || group_key || ', hour ' || hour || ' should be ' || failures
              FROM (SELECT group_key, hour, failures FROM counted EXCEPT SELECT group_key, hour, failures FROM group_hour)",
    },
    ConsistencyRule {
        name: "group's batches",
        sql: "WITH counted AS (
                  SELECT coalesce(g.merged_into, g.group_key) AS group_key, o.batch_key, count(*) AS failures
                  FROM observation o JOIN error_group g USING (group_key) GROUP BY 1, 2)
              SELECT 'group ' || group_key || ', batch ' || batch_key || ' is not ' || failures
              FROM (SELECT group_key, batch_key, failures FROM group_batch EXCEPT SELECT group_key, batch_key, failures FROM counted)
              UNION ALL
              SELECT 'group ' || group_key || ', batch ' || batch_key || ' should be ' || failures
              FROM (SELECT group_key, batch_key, failures FROM counted EXCEPT SELECT group_key, batch_key, failures FROM group_batch)",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::open::in_memory;

    #[test]
    fn an_empty_ledger_is_well() {
        assert_eq!(check(&in_memory()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn each_discrepancy_is_named() {
        let connection = in_memory();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = OFF;
                 INSERT INTO error_group (group_key, group_id, kind, template, title, mining, grouping_version, first_seen,
                     last_seen, open_items) VALUES (1, 'g-1', 'failed', 't', 't', x'', 1, 0, 0, 7);
                 INSERT INTO group_hour VALUES (1, 5, 1);
                 INSERT INTO message VALUES (1, -3976059480086744512, 'm'), (2, -3976059480086744512, 'n'),
                     (3, -3976059480086744512, CAST(x'ff' AS TEXT));
                 INSERT INTO item (item_id, item_key, item_name, project_key, kind, state, group_key, observation_key,
                     first_seen, last_seen) VALUES ('i', 1, 'n', 9, 'odd', 'open', 1, 1, 0, 0);",
            )
            .unwrap();
        let found = check(&connection).unwrap().join("\n");
        for part in [
            "missing project",
            "words: i is odd",
            "newest observation: i",
            "g-1 says 7 open of 0",
            "hour 5 is not 1",
            "messages: the text of message 2 is not",
            "message 3 is not",
        ] {
            assert!(found.contains(part), "{part} is not in\n{found}");
        }
        assert!(!found.contains("message 1 is"), "{found}");
    }
}
