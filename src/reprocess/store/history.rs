//! The retries of groups, from which follows whether they are retried now.
//! Everything here fails if SQLite refuses.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{Count, Millis};
use crate::model::class::Class;
use crate::reprocess::policy::belief::{Try, TryResult};
use crate::reprocess::policy::group::GroupFacts;

/// Retries of a group that are read, the newest ones; older ones hardly weigh any more.
const MOST_TRIES: u32 = 1_000;

/// Recovered documents of a group that are searched for one that completed without a retry, the newest ones.
const MOST_RECOVERED: u32 = 200;

/// What a group is asked about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) group_id: &'a str,
    pub(crate) project: &'a str,
    /// Hashes of the parameters that count; none for all.
    pub(crate) parameters: Option<&'a BTreeSet<&'a str>>,
}

/// A group of a project with its retries since its episode began or a person resumed it; none if the group is unknown.
/// Its class is the one that reports show.
pub(crate) fn of_group(connection: &Connection, asked: Asked<'_>) -> Result<Option<GroupFacts>, LedgerError> {
    let mut find = connection.prepare_cached(
        "SELECT g.group_key, g.class, -- Retries are timed by our clock, failures by the API's, which may be ahead.
            max(coalesce(g.resumed_at, 0), coalesce((SELECT min(opened_at, noticed_at) FROM episode
                WHERE group_key = g.group_key ORDER BY ordinal DESC LIMIT 1), 0)) AS since,
            (SELECT coalesce(sum(items), 0) FROM item_count c JOIN project USING (project_key)
             WHERE c.group_key = g.group_key AND name = ?2 AND state IN ('open', 'retrying')) AS open
         FROM error_group g WHERE g.group_id = ?1",
    )?;
    let read = |row: &Row<'_>| {
        let class: String = row.get("class")?;
        Ok((row.get::<_, i64>("group_key")?, class, row.get::<_, Millis>("since")?.0, row.get::<_, Count>("open")?.0))
    };
    let found = find.query_row([asked.group_id, asked.project], read).optional()?;
    let Some((group_key, class, since, open)) = found else { return Ok(None) };
    let tries = tries(connection, group_key, &asked, since)?;
    let recovered = tries.iter().filter(|one| one.result == TryResult::Recovered).count();
    Ok(Some(GroupFacts {
        group_id: asked.group_id.to_owned(),
        class: Class::try_from(class.as_str()).unwrap_or(Class::Unknown),
        failed: failed(connection, group_key, &asked, since)?,
        documents: u32::try_from(open).unwrap_or(u32::MAX).saturating_add(u32::try_from(recovered).unwrap_or(0)),
        others_recovered_at: others_recovered_at(connection, group_key, asked.project, since)?,
        tries,
    }))
}

/// The groups that have open items and were retried, each with its project.
pub(crate) fn retried(connection: &Connection) -> Result<Vec<(String, GroupFacts)>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT p.name, g.group_id FROM error_group g CROSS JOIN project p
         WHERE g.open_items > 0 AND g.merged_into IS NULL AND EXISTS (
             SELECT 1 FROM error_group y JOIN intent n USING (group_key)
             WHERE (y.group_key = g.group_key OR y.merged_into = g.group_key) AND n.project_key = p.project_key)
         ORDER BY 2, 1",
    )?;
    let named = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let named: Vec<(String, String)> = named.collect::<Result<_, _>>()?;
    let mut groups = Vec::with_capacity(named.len());
    for (project, group_id) in named {
        let asked = Asked { group_id: &group_id, project: &project, parameters: None };
        let group = of_group(connection, asked)?.filter(|group| !group.tries.is_empty());
        groups.extend(group.map(|group| (project, group)));
    }
    Ok(groups)
}

/// Lets the retries of a group begin anew.
pub(crate) fn resume(tx: &Transaction<'_>, group_id: &str, now: Timestamp) -> Result<(), LedgerError> {
    tx.execute("UPDATE error_group SET resumed_at = ?2 WHERE group_id = ?1", params![group_id, Millis(now)])?;
    Ok(())
}

/// The attempts, and the POSTs that were refused for their parameters, in the order in which they were sent.
fn tries(
    connection: &Connection,
    group_key: i64,
    asked: &Asked<'_>,
    since: Timestamp,
) -> Result<Vec<Try>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "WITH member (group_key) AS (SELECT group_key FROM error_group WHERE group_key = ?1 OR merged_into = ?1),
             asked (parameters_hash) AS (SELECT value FROM json_each(?3))
         SELECT a.before + 1 AS number, a.started_at, a.finished_at,
             CASE WHEN a.finished_at IS NULL THEN 'running' WHEN a.counts THEN a.outcome ELSE 'neutral' END AS result
         FROM attempt a JOIN intent n USING (intent_id) JOIN project p USING (project_key)
         WHERE a.group_key IN member AND a.started_at > ?4 AND p.name = ?2
             AND (?3 IS NULL OR n.parameters_hash IN asked)
         UNION ALL
         SELECT 1, n.posting_at, n.settled_at, 'refused' FROM intent n JOIN project p USING (project_key)
         WHERE n.parameters_refused AND n.group_key IN member AND n.posting_at > ?4 AND p.name = ?2
             AND (?3 IS NULL OR n.parameters_hash IN asked)
         ORDER BY 2 DESC, 1 LIMIT ?5",
    )?;
    let parameters = asked.parameters.map(|hashes| serde_json::json!(hashes).to_string());
    let rows =
        statement.query_map(params![group_key, asked.project, parameters, Millis(since), MOST_TRIES], |row| {
            Ok(Try {
                number: row.get("number")?,
                started_at: row.get::<_, Millis>("started_at")?.0,
                ended_at: row.get::<_, Option<Millis>>("finished_at")?.map(|at| at.0),
                result: result(row.get_ref("result")?.as_str()?),
            })
        })?;
    let mut tries: Vec<Try> = rows.collect::<Result<_, _>>()?;
    tries.reverse();
    Ok(tries)
}

/// How many open documents of the group failed one retry, two, and three or more.
fn failed(
    connection: &Connection,
    group_key: i64,
    asked: &Asked<'_>,
    since: Timestamp,
) -> Result<[u32; 3], LedgerError> {
    let mut statement = connection.prepare_cached(
        "WITH member (group_key) AS (SELECT group_key FROM error_group WHERE group_key = ?1 OR merged_into = ?1),
             asked (parameters_hash) AS (SELECT value FROM json_each(?3)),
             tried (tries) AS (
                 -- From the attempts, which budgets keep few, to their items: an outage leaves hundreds of thousands of those.
                 SELECT count(*) FROM attempt a CROSS JOIN item i USING (item_key) JOIN intent n USING (intent_id)
                 JOIN project p ON p.project_key = n.project_key
                 WHERE a.group_key IN member AND a.started_at > ?4 AND p.name = ?2 AND a.counts AND a.finished_at IS NOT NULL
                     AND (?3 IS NULL OR n.parameters_hash IN asked)
                     AND i.state = 'open' AND i.group_key = ?1 AND a.started_at > i.answered_until
                 GROUP BY a.item_key)
         SELECT count(*) FILTER (WHERE tries = 1) AS once, count(*) FILTER (WHERE tries = 2) AS twice,
             count(*) FILTER (WHERE tries > 2) AS more FROM tried",
    )?;
    let parameters = asked.parameters.map(|hashes| serde_json::json!(hashes).to_string());
    let read = |row: &Row<'_>| Ok([row.get("once")?, row.get("twice")?, row.get("more")?]);
    Ok(statement.query_row(params![group_key, asked.project, parameters, Millis(since)], read)?)
}

fn result(word: &str) -> TryResult {
    match word {
        "running" => TryResult::Running,
        "recovered" | "already_processed" => TryResult::Recovered,
        // What ended without saying how may have cost, and recovered nothing that is known.
        "failed_same" | "failed_differently" | "expired" | "unknown" => TryResult::Lost,
        "refused" => TryResult::Refused,
        _ => TryResult::Neutral,
    }
}

/// When an item of the group and project last recovered without a retry by llama-triage since then, which proves that the cause is gone.
fn others_recovered_at(
    connection: &Connection,
    group_key: i64,
    project: &str,
    since: Timestamp,
) -> Result<Option<Timestamp>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT max(recovered_at) FROM (
             SELECT item_key, recovered_at, recovered_by FROM item WHERE group_key = ?1 AND state = 'recovered'
                 AND project_key = (SELECT project_key FROM project WHERE name = ?4)
             ORDER BY last_seen DESC LIMIT ?3) i
         WHERE recovered_at > ?2 AND recovered_by NOT IN (SELECT attempt_id FROM attempt WHERE item_key = i.item_key)",
    )?;
    let newest: Option<Millis> =
        statement.query_row(params![group_key, Millis(since), MOST_RECOVERED, project], |row| row.get(0))?;
    Ok(newest.map(|at| at.0))
}
