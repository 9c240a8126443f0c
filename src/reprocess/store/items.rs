//! Items as reprocessing sees them: where each failed, what claims it, what was tried before.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{Millis, Word};
use crate::model::class::Class;
use crate::model::item::{ItemState, Kind};
use crate::reprocess::policy::belief::prior;
use crate::reprocess::policy::item::{Item, Said, Tried};

/// The columns that [`read_said`] reads, of an observation `w` with [`SAID_JOINS`].
pub(crate) const SAID: &str = "w.kind AS said_kind, w.skip_reason, m.text AS message, k.code AS cause_code, k.text AS cause_text,
     (SELECT n.item_name FROM item n WHERE n.item_key = w.item_key) AS name_of_said,
     (SELECT s.set_class FROM error_group s JOIN error_group seen ON s.group_key = coalesce(seen.merged_into, seen.group_key)
      WHERE seen.group_key = w.group_key) AS set_class";

/// What those columns are taken from.
pub(crate) const SAID_JOINS: &str = "LEFT JOIN message m ON m.message_key = w.message_key
    LEFT JOIN cause k ON k.observation_key = w.observation_key";

pub(crate) fn read_said(row: &Row<'_>) -> rusqlite::Result<Said> {
    Ok(Said {
        kind: row.get::<_, Word<Kind>>("said_kind")?.0.into(),
        message: row.get::<_, Option<String>>("message")?.unwrap_or_default(),
        skip_reason: row.get("skip_reason")?,
        item_name: row.get::<_, Option<String>>("name_of_said")?.unwrap_or_default(),
        set_class: row.get("set_class")?,
        cause_code: row.get("cause_code")?,
        cause_text: row.get("cause_text")?,
    })
}

/// Which items to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// These items.
    These(Vec<String>),
    /// The open and retrying items that may be retried automatically, those that failed before the first start only if this says so:
    /// of each group and project the newest that were not tried yet, the newest of each number of tries, and all that are under way.
    Automatic {
        /// Whether those too.
        baseline: bool,
    },
}

const SELECT: &str = "SELECT i.item_key, i.item_id, p.name AS project, i.state, g.group_id, i.last_seen, i.baseline,
        c.intent_id AS claimed_by, b.batch_id, b.job_type, b.directory_id, o.job_id,
        r.parameters_hash AS refused_with, r.created_at AS refused_at,
        (SELECT a.batch_id FROM attempt a JOIN intent n ON n.intent_id = a.intent_id
         WHERE a.item_key = i.item_key AND a.outcome = 'expired' AND n.state = 'submitted' LIMIT 1) AS running_in";

const FROM: &str = "FROM item i JOIN project p USING (project_key) JOIN error_group g ON g.group_key = i.group_key
     JOIN observation w ON w.observation_key = i.observation_key
     JOIN observation o ON o.observation_key = coalesce(
        (SELECT y.observation_key FROM observation y JOIN batch z USING (batch_key)
         WHERE y.item_key = i.item_key AND z.batch_id NOT IN (SELECT batch_id FROM intent WHERE batch_id IS NOT NULL)
         ORDER BY y.event_at DESC, y.observation_key DESC LIMIT 1), i.observation_key)
     JOIN batch b ON b.batch_key = o.batch_key LEFT JOIN claim c ON c.item_key = i.item_key
     LEFT JOIN refused_item f ON f.item_key = i.item_key LEFT JOIN intent r ON r.intent_id = f.intent_id";

/// The items, by id; how each is classified and resubmitted is not in the ledger.
///
/// # Errors
/// SQLite refuses, or a stored value cannot be read.
pub fn items(connection: &Connection, which: &Which) -> Result<Vec<Item>, LedgerError> {
    let (condition, parameter) = match which {
        Which::These(ids) => ("i.item_id IN (SELECT value FROM json_each(?1))", serde_json::json!(ids)),
        Which::Automatic { baseline } => {
            let keys = newest(connection, *baseline)?;
            ("i.item_key IN (SELECT value FROM json_each(?1))", serde_json::json!(keys))
        }
    };
    let sql = format!("{SELECT}, {SAID} {FROM} {SAID_JOINS} WHERE {condition} ORDER BY i.item_id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([parameter.to_string()])?;
    let refusals = refused_alone(connection)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let item = read(connection, row)?;
        found.push(Item { refusals: refusals.get(&item.item_id).copied().unwrap_or(0), ..item });
    }
    Ok(found)
}

/// Items of one group and project that are looked at in one cycle, at most, tried and untried: more than go in days.
/// An outage may leave hundreds of thousands open, and every cycle would read them all.
const MOST_OF_A_GROUP: i64 = 500;

/// The same of a group whose class is never retried automatically: its newest items may have failed for something else.
const MOST_OF_ANOTHER: i64 = 100;

/// The keys of items that may be retried automatically, as far as their groups tell.
fn newest(connection: &Connection, baseline: bool) -> Result<Vec<i64>, LedgerError> {
    let mut groups = connection.prepare_cached(
        "SELECT DISTINCT g.group_key, c.project_key, g.class FROM error_group g JOIN item_count c USING (group_key)
         WHERE g.open_items > 0 AND g.kind IN ('failed', 'skipped') AND c.state IN ('open', 'retrying')",
    )?;
    let groups = groups.query_map([], |row| Ok((row.get("group_key")?, row.get("project_key")?, row.get("class")?)))?;
    let groups: Vec<(i64, i64, String)> = groups.collect::<Result<_, _>>()?;
    // The time says the same as `baseline`, and the index knows it: what failed before the first start may be all there is.
    let of_group = |state: &str, more: &str| {
        connection.prepare_cached(&format!(
            "SELECT item_key FROM item WHERE group_key = ?1 AND project_key = ?2 AND state = '{state}' AND baseline <= ?3
             AND last_seen > iif(?3, {oldest}, (SELECT first_seen FROM project WHERE project_key = ?2))
             {more} ORDER BY last_seen DESC LIMIT ?4",
            oldest = i64::MIN
        ))
    };
    let (mut untried, mut under_way) = (of_group("open", "AND attempts = 0")?, of_group("retrying", "")?);
    let mut keys = tried_before(connection, baseline)?;
    for (group_key, project_key, class) in groups {
        let is_automatic = Class::try_from(class.as_str()).ok().is_none_or(|class| prior(class).is_some());
        let most = if is_automatic { MOST_OF_A_GROUP } else { MOST_OF_ANOTHER };
        for (statement, most) in [(&mut untried, most), (&mut under_way, -1)] {
            let found =
                statement.query_map(params![group_key, project_key, baseline, most], |row| row.get::<_, i64>(0))?;
            keys.extend(found.collect::<Result<Vec<_>, _>>()?);
        }
    }
    Ok(keys)
}

/// The keys of open items that were tried before. Found by their attempts, which budgets keep few: among the open items of
/// a large group they would be a few in hundreds of thousands. By the number of tries, for those that nothing helps stay and
/// would take the places of those that were tried once.
fn tried_before(connection: &Connection, baseline: bool) -> Result<Vec<i64>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT item_key FROM (
             SELECT i.item_key, row_number() OVER (PARTITION BY i.group_key, i.project_key, i.attempts ORDER BY i.last_seen DESC) AS place
             FROM (SELECT DISTINCT item_key FROM attempt) CROSS JOIN item i USING (item_key)
             WHERE i.state = 'open' AND i.attempts > 0 AND i.baseline <= ?1)
         WHERE place <= ?2",
    )?;
    let keys = statement.query_map(params![baseline, MOST_OF_A_GROUP], |row| row.get(0))?;
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

fn read(connection: &Connection, row: &Row<'_>) -> Result<Item, LedgerError> {
    let state: String = row.get("state")?;
    let refused_at = row.get::<_, Option<Millis>>("refused_at")?.map(|at| at.0);
    let failed_at = row.get::<_, Millis>("last_seen")?.0;
    Ok(Item {
        project: row.get("project")?,
        state: ItemState::try_from(state.as_str())
            .ok()
            .ok_or(LedgerError::Unreadable { what: "item state", value: state })?,
        said: read_said(row)?,
        baseline: row.get("baseline")?,
        claimed_by: row.get("claimed_by")?,
        running_in: row.get("running_in")?,
        refused: row.get::<_, Option<String>>("refused_with")?.zip(refused_at),
        batch_id: row.get("batch_id")?,
        job_type: row.get("job_type")?,
        directory_id: row.get("directory_id")?,
        job_id: row.get("job_id")?,
        tried: tried(connection, row.get("item_key")?)?,
        ..Item::new(row.get("item_id")?, row.get("group_id")?, Class::Unknown, failed_at)
    })
}

fn tried(connection: &Connection, item_key: i64) -> Result<Vec<Tried>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT n.parameters_hash, a.counts, (a.started_at > coalesce(
             (SELECT max(r.started_at) FROM attempt r WHERE r.item_key = ?1 AND r.outcome = 'recovered'), 0)
             AND a.started_at > (SELECT max(i.answered_until, coalesce(g.resumed_at, 0))
                 FROM item i JOIN error_group g USING (group_key) WHERE i.item_key = ?1)) AS in_episode,
             CASE WHEN a.outcome = 'cancelled' AND (SELECT last_seen FROM item WHERE item_key = ?1) <= a.started_at
                 THEN a.finished_at END AS cancelled_at
         FROM attempt a JOIN intent n USING (intent_id) WHERE a.item_key = ?1 ORDER BY a.started_at, a.attempt_id",
    )?;
    let rows = statement.query_map([item_key], |row| {
        Ok(Tried {
            parameters_hash: row.get("parameters_hash")?,
            counts: row.get("counts")?,
            in_episode: row.get("in_episode")?,
            cancelled_at: row.get::<_, Option<Millis>>("cancelled_at")?.map(|at| at.0),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
