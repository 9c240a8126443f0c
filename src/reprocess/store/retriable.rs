//! Items as reprocessing sees them: where each failed, what claims it, what was tried before.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::ledger::error::LedgerError;
use crate::ledger::millis::Millis;
use crate::model::item::ItemState;

/// One item with its newest failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retriable {
    /// The item.
    pub item_id: String,
    /// The project it was last seen in.
    pub project: String,
    /// Where it stands.
    pub state: ItemState,
    /// Its present group.
    pub group_id: String,
    /// The group's class, as the ledger words it.
    pub class: String,
    /// The rule behind the class.
    pub rule: Option<String>,
    /// Event time of the group's newest failure.
    pub group_last_seen: Timestamp,
    /// Event time of its newest failure.
    pub failed_at: Timestamp,
    /// It failed before the first start.
    pub baseline: bool,
    /// The intent that claims it.
    pub claimed_by: Option<String>,
    /// The batch of an expired attempt at it, in which it may still be processed.
    pub running_in: Option<String>,
    /// The API refused it by itself: with these parameters, and when.
    pub refused: Option<(String, Timestamp)>,
    /// POSTs of it alone that were refused, for whatever reason.
    pub refusals: u32,
    /// The newest batch it failed in that is not ours: where its configuration is from.
    pub origin: Origin,
    /// Its attempts, oldest first.
    pub attempts: Vec<Tried>,
}

/// The batch that somebody made of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// It.
    pub batch_id: String,
    /// Its job type.
    pub job_type: String,
    /// Its directory.
    pub directory_id: Option<String>,
    /// The job that failed.
    pub job_id: Option<String>,
}

/// One attempt that was made at an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Hash of the parameters.
    pub parameters_hash: String,
    /// Whether it counts against the caps.
    pub counts: bool,
    /// It belongs to the present episode of the item: the item has not recovered since.
    pub in_episode: bool,
    /// When it was seen that somebody cancelled it, if nothing of the item failed since it was sent.
    pub cancelled_at: Option<Timestamp>,
}

/// Which items to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// These items.
    Items(Vec<String>),
    /// The open and retrying items of these classes that did not fail before the first start, or did if the second field says so:
    /// of each group and project the newest that were not tried yet, the newest that were, and all that are under way.
    OfClasses(Vec<&'static str>, bool),
}

const SELECT: &str =
    "SELECT i.item_key, i.item_id, p.name, i.state, g.group_id, g.class, g.rule, g.last_seen, i.last_seen,
        i.baseline, c.intent_id, b.batch_id, b.job_type, b.directory_id, o.job_id,
        r.parameters_hash, r.created_at,
        (SELECT a.batch_id FROM attempt a JOIN intent n ON n.intent_id = a.intent_id
         WHERE a.item_key = i.item_key AND a.outcome = 'expired' AND n.state = 'submitted' LIMIT 1)
     FROM item i JOIN project p USING (project_key) JOIN error_group g ON g.group_key = i.group_key
     JOIN observation o ON o.observation_key = coalesce(
        (SELECT y.observation_key FROM observation y JOIN batch z USING (batch_key)
         WHERE y.item_key = i.item_key AND z.batch_id NOT IN (SELECT batch_id FROM intent WHERE batch_id IS NOT NULL)
         ORDER BY y.event_at DESC, y.observation_key DESC LIMIT 1), i.observation_key)
     JOIN batch b ON b.batch_key = o.batch_key LEFT JOIN claim c ON c.item_key = i.item_key
     LEFT JOIN refused_item f ON f.item_key = i.item_key LEFT JOIN intent r ON r.intent_id = f.intent_id";

/// The items, by id.
///
/// # Errors
/// SQLite refuses, or a stored value cannot be read.
pub fn items(connection: &Connection, which: &Which) -> Result<Vec<Retriable>, LedgerError> {
    let (condition, parameter) = match which {
        Which::Items(ids) => ("i.item_id IN (SELECT value FROM json_each(?1))", serde_json::json!(ids)),
        Which::OfClasses(classes, baseline) => {
            let keys = newest(connection, classes, *baseline)?;
            ("i.item_key IN (SELECT value FROM json_each(?1))", serde_json::json!(keys))
        }
    };
    let sql = format!("{SELECT} WHERE {condition} ORDER BY i.item_id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([parameter.to_string()])?;
    let refusals = refused_alone(connection)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let mut item = read(connection, row)?;
        item.refusals = refusals.get(&item.item_id).copied().unwrap_or(0);
        found.push(item);
    }
    Ok(found)
}

/// Items of one group and project that are weighed in one go, at most, tried and untried: a budget of many days.
/// An outage may leave hundreds of thousands open, and every cycle would read them all.
const MOST_OF_A_GROUP: i64 = 2_000;

/// The keys of items that may be retried by themselves.
fn newest(connection: &Connection, classes: &[&str], baseline: bool) -> Result<Vec<i64>, LedgerError> {
    let mut groups = connection.prepare_cached(
        "SELECT DISTINCT g.group_key, c.project_key FROM error_group g JOIN item_count c USING (group_key)
         WHERE g.open_items > 0 AND c.state IN ('open', 'retrying') AND g.class IN (SELECT value FROM json_each(?1))",
    )?;
    let groups = groups.query_map([serde_json::json!(classes).to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let groups: Vec<(i64, i64)> = groups.collect::<Result<_, _>>()?;
    let of_group = |state: &str, more: &str| {
        connection.prepare_cached(&format!(
            "SELECT item_key FROM item WHERE group_key = ?1 AND project_key = ?2 AND state = '{state}' AND baseline <= ?3
             {more} ORDER BY last_seen DESC LIMIT ?4"
        ))
    };
    let mut statements = [(of_group("open", "AND attempts = 0")?, MOST_OF_A_GROUP), (of_group("retrying", "")?, -1)];
    let mut keys = tried_before(connection, classes, baseline)?;
    for (group_key, project_key) in groups {
        for (statement, most) in &mut statements {
            let found =
                statement.query_map(params![group_key, project_key, baseline, *most], |row| row.get::<_, i64>(0))?;
            keys.extend(found.collect::<Result<Vec<_>, _>>()?);
        }
    }
    Ok(keys)
}

/// The keys of open items that were tried before. Found by their attempts, which budgets keep few: among the open items of
/// a large group they would be a few in hundreds of thousands.
fn tried_before(connection: &Connection, classes: &[&str], baseline: bool) -> Result<Vec<i64>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT item_key FROM (
             SELECT i.item_key, row_number() OVER (PARTITION BY i.group_key, i.project_key ORDER BY i.last_seen DESC) AS place
             FROM (SELECT DISTINCT item_key FROM attempt) CROSS JOIN item i USING (item_key)
             CROSS JOIN error_group g ON g.group_key = i.group_key
             WHERE i.state = 'open' AND i.attempts > 0 AND i.baseline <= ?2
                 AND g.class IN (SELECT value FROM json_each(?1)))
         WHERE place <= ?3",
    )?;
    let keys = statement
        .query_map(params![serde_json::json!(classes).to_string(), baseline, MOST_OF_A_GROUP], |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// How often the POST of an item alone was refused, by item.
fn refused_alone(connection: &Connection) -> Result<HashMap<String, u32>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT items ->> '$[0].item_id', count(*) FROM intent WHERE state = 'rejected' AND item_count = 1 GROUP BY 1",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(connection: &Connection, row: &Row<'_>) -> Result<Retriable, LedgerError> {
    let state: String = row.get(3)?;
    Ok(Retriable {
        item_id: row.get(1)?,
        project: row.get(2)?,
        state: ItemState::try_from(state.as_str())
            .ok()
            .ok_or(LedgerError::Unreadable { what: "item state", value: state })?,
        group_id: row.get(4)?,
        class: row.get(5)?,
        rule: row.get(6)?,
        group_last_seen: row.get::<_, Millis>(7)?.0,
        failed_at: row.get::<_, Millis>(8)?.0,
        baseline: row.get(9)?,
        claimed_by: row.get(10)?,
        origin: Origin {
            batch_id: row.get(11)?,
            job_type: row.get(12)?,
            directory_id: row.get(13)?,
            job_id: row.get(14)?,
        },
        refused: row.get::<_, Option<String>>(15)?.zip(row.get::<_, Option<Millis>>(16)?.map(|at| at.0)),
        running_in: row.get(17)?,
        refusals: 0,
        attempts: tried(connection, row.get(0)?)?,
    })
}

fn tried(connection: &Connection, item_key: i64) -> Result<Vec<Tried>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT n.parameters_hash, a.counts, a.started_at > coalesce(
             (SELECT max(r.started_at) FROM attempt r WHERE r.item_key = ?1 AND r.outcome = 'recovered'), 0)
             AND a.started_at > (SELECT answered_until FROM item WHERE item_key = ?1),
             CASE WHEN a.outcome = 'cancelled' AND (SELECT last_seen FROM item WHERE item_key = ?1) <= a.started_at
                 THEN a.finished_at END
         FROM attempt a JOIN intent n USING (intent_id) WHERE a.item_key = ?1 ORDER BY a.started_at, a.attempt_id",
    )?;
    let rows = statement.query_map(params![item_key], |row| {
        let cancelled_at = row.get::<_, Option<Millis>>(3)?.map(|at| at.0);
        Ok(Tried { parameters_hash: row.get(0)?, counts: row.get(1)?, in_episode: row.get(2)?, cancelled_at })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
