//! Episodes of groups: read for the decision, and moved as `triage::episode` says.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{Count, Millis};
use crate::triage::episode::{Closed, Episode, EpisodeItems, EpisodeTransition, How};

/// More than enough to see a day's flapping.
const NEWEST: u32 = 24;

/// The group's newest episodes, oldest first; at most 24 of them.
pub(crate) fn newest(connection: &Connection, group_key: i64) -> Result<Vec<Episode>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT ordinal, opened_at, noticed_at, closed_at, closed_how, closed_by FROM episode
         WHERE group_key = ?1 ORDER BY ordinal DESC LIMIT ?2",
    )?;
    let rows = statement.query_map(params![group_key, NEWEST], episode)?;
    let mut episodes = rows.collect::<Result<Vec<_>, _>>()?;
    episodes.reverse();
    Ok(episodes)
}

fn episode(row: &Row<'_>) -> rusqlite::Result<Episode> {
    let closed_at: Option<Millis> = row.get("closed_at")?;
    let how: Option<String> = row.get("closed_how")?;
    let by: Option<String> = row.get("closed_by")?;
    Ok(Episode {
        ordinal: row.get("ordinal")?,
        opened_at: row.get::<_, Millis>("opened_at")?.0,
        noticed_at: row.get::<_, Millis>("noticed_at")?.0,
        closed: closed_at.map(|at| Closed {
            at: at.0,
            how: how.as_deref().and_then(|how| how.parse().ok()).unwrap_or(How::Recovered),
            by,
        }),
    })
}

/// What is known of a group's items, given its newest episode.
pub(crate) fn item_facts(
    connection: &Connection,
    group: &crate::triage::store::group_row::GroupRecord,
    newest: Option<&Episode>,
) -> Result<EpisodeItems, LedgerError> {
    let open = open_items(connection, group)?;
    let is_open = newest.is_some_and(|episode| episode.closed.is_none());
    let after = newest.and_then(|episode| episode.closed.as_ref()).map(|closed| closed.at);
    let first_after_close = if open > 0 && !is_open { first_after(connection, group.group_key, after)? } else { None };
    let ended = match newest {
        Some(episode) if is_open && open == 0 => ended(connection, group, episode.opened_at)?,
        _ => None,
    };
    Ok(EpisodeItems { open, last_seen: group.last_seen, first_after_close, ended })
}

/// Open items; where none is, those being retried: an episode does not end while their outcome is unknown.
fn open_items(
    connection: &Connection,
    group: &crate::triage::store::group_row::GroupRecord,
) -> Result<u64, LedgerError> {
    if group.open_items > 0 {
        return Ok(group.open_items);
    }
    let sql = "SELECT count(*) FROM item WHERE group_key = ?1 AND state = 'retrying'";
    let Count(retrying) = connection.prepare_cached(sql)?.query_row([group.group_key], |row| row.get(0))?;
    Ok(retrying)
}

fn first_after(
    connection: &Connection,
    group_key: i64,
    after: Option<Timestamp>,
) -> Result<Option<Timestamp>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT min(last_seen) FROM item WHERE group_key = ?1 AND state IN ('open', 'retrying') AND last_seen > ?2",
    )?;
    let after = after.map_or(i64::MIN, Timestamp::as_millisecond);
    let first: Option<Millis> = statement.query_row(params![group_key, after], |row| row.get(0))?;
    Ok(first.map(|first| first.0))
}

/// How the items ended, told by the strongest evidence: a success, then a user's word, then harmless skips.
fn ended(
    connection: &Connection,
    group: &crate::triage::store::group_row::GroupRecord,
    opened_at: Timestamp,
) -> Result<Option<Closed>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT recovered_at, recovered_by FROM item WHERE group_key = ?1 AND state = 'recovered' AND recovered_at >= ?2
         ORDER BY recovered_at DESC LIMIT 1",
    )?;
    let recovered: Option<(Millis, Option<String>)> = statement
        .query_row(params![group.group_key, Millis(opened_at)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((at, by)) = recovered {
        return Ok(Some(Closed { at: at.0, how: How::Recovered, by }));
    }
    if let Some(dismissed) = dismissed(connection, group, opened_at)? {
        return Ok(Some(dismissed));
    }
    let how = if holds_state(connection, group.group_key, "ignored")? { How::Ignored } else { How::Moved };
    Ok(Some(Closed { at: group.last_seen.max(opened_at), how, by: None }))
}

fn dismissed(
    connection: &Connection,
    group: &crate::triage::store::group_row::GroupRecord,
    opened_at: Timestamp,
) -> Result<Option<Closed>, LedgerError> {
    if !holds_state(connection, group.group_key, "dismissed")? {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(
        "SELECT at, actor FROM audit WHERE action = 'dismiss' AND subject = ?1 ORDER BY audit_id DESC LIMIT 1",
    )?;
    let word: Option<(Millis, String)> =
        statement.query_row([&group.group_id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(Some(match word {
        Some((at, actor)) => Closed { at: at.0.max(opened_at), how: How::Dismissed, by: Some(actor) },
        None => Closed { at: group.last_seen.max(opened_at), how: How::Dismissed, by: None },
    }))
}

fn holds_state(connection: &Connection, group_key: i64, state: &str) -> Result<bool, LedgerError> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM item WHERE group_key = ?1 AND state = ?2 LIMIT 1")?;
    Ok(statement.exists(params![group_key, state])?)
}

/// Moves a group's episode. A close ends the episode's acks, too.
pub(crate) fn apply(
    tx: &Transaction<'_>,
    group_key: i64,
    step: &EpisodeTransition,
    now: Timestamp,
) -> Result<(), LedgerError> {
    match step {
        EpisodeTransition::Open { ordinal, opened_at } => {
            tx.prepare_cached(
                "INSERT INTO episode (group_key, ordinal, opened_at, noticed_at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![group_key, ordinal, Millis(*opened_at), Millis(now)])?;
        }
        EpisodeTransition::Reopen => {
            tx.prepare_cached(
                "UPDATE episode SET closed_at = NULL, closed_how = NULL, closed_by = NULL WHERE group_key = ?1
                 AND ordinal = (SELECT max(ordinal) FROM episode WHERE group_key = ?1)",
            )?
            .execute([group_key])?;
        }
        EpisodeTransition::Close(closed) => {
            tx.prepare_cached(
                "UPDATE episode SET closed_at = ?2, closed_how = ?3, closed_by = ?4
                 WHERE group_key = ?1 AND closed_at IS NULL",
            )?
            .execute(params![group_key, Millis(closed.at), closed.how.as_str(), closed.by])?;
            crate::triage::store::ack::end_all(tx, group_key, "closed", now)?;
        }
    }
    Ok(())
}

/// Gives what is known of merged groups to their survivors, so that a merge is never news: episodes go on, announcements
/// are added up, notes move; the merged groups' acks end, and the survivors' go on. Returns the survivors.
pub(crate) fn absorb_merged(tx: &Transaction<'_>, now: Timestamp) -> Result<HashSet<i64>, LedgerError> {
    let mut statement = tx.prepare_cached(
        "SELECT g.group_key, g.merged_into FROM error_group g WHERE g.merged_into IS NOT NULL
         AND (EXISTS (SELECT 1 FROM episode e WHERE e.group_key = g.group_key AND e.closed_at IS NULL)
              OR EXISTS (SELECT 1 FROM announcement a WHERE a.group_key = g.group_key))",
    )?;
    let pairs =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<Vec<(i64, i64)>, _>>()?;
    for (merged, survivor) in &pairs {
        absorb(tx, *merged, *survivor, now)?;
    }
    Ok(pairs.into_iter().map(|(_, survivor)| survivor).collect())
}

fn absorb(tx: &Transaction<'_>, merged: i64, survivor: i64, now: Timestamp) -> Result<(), LedgerError> {
    // An open episode of the merged group goes on as one of the survivor, if that has none open.
    tx.execute(
        "INSERT INTO episode (group_key, ordinal, opened_at, noticed_at, assigned, ticket)
         SELECT ?2, 1 + coalesce((SELECT max(ordinal) FROM episode WHERE group_key = ?2), 0), opened_at, noticed_at,
                assigned, ticket
         FROM episode WHERE group_key = ?1 AND closed_at IS NULL
         AND NOT EXISTS (SELECT 1 FROM episode WHERE group_key = ?2 AND closed_at IS NULL)",
        [merged, survivor],
    )?;
    tx.execute(
        "UPDATE episode SET closed_at = ?2, closed_how = 'merged',
         closed_by = (SELECT group_id FROM error_group WHERE group_key = ?3) WHERE group_key = ?1 AND closed_at IS NULL",
        params![merged, Millis(now), survivor],
    )?;
    crate::triage::store::assignment::absorb(tx, merged, survivor)?;
    crate::triage::store::ack::raise_limit(tx, merged, survivor)?;
    crate::triage::store::announcement::absorb(tx, merged, survivor)?;
    crate::triage::store::incident::absorb(tx, merged, survivor)?;
    crate::triage::store::ack::end_all(tx, merged, "merged", now)?;
    tx.execute("UPDATE note SET group_key = ?2 WHERE group_key = ?1", [merged, survivor])?;
    tx.execute("DELETE FROM escalation WHERE group_key = ?1", [merged])?;
    Ok(())
}

/// Groups whose episode opened and closed since `since` without a report: how many, and the newest `most` ids.
pub(crate) fn unannounced_episodes(
    connection: &Connection,
    since: Timestamp,
    most: u32,
) -> Result<(u64, Vec<String>), LedgerError> {
    let from = "FROM episode e JOIN error_group g USING (group_key)
         WHERE e.noticed_at > ?1 AND e.closed_at IS NOT NULL AND e.closed_how <> 'merged'
           AND NOT EXISTS (SELECT 1 FROM announcement a WHERE a.group_key = e.group_key AND a.episode >= e.ordinal)";
    let mut statement = connection.prepare_cached(&format!(
        "SELECT g.group_id {from} GROUP BY g.group_key ORDER BY max(e.noticed_at) DESC LIMIT ?2"
    ))?;
    let ids = statement.query_map(params![Millis(since), most], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let Count(all) = connection
        .prepare_cached(&format!("SELECT count(DISTINCT e.group_key) {from}"))?
        .query_row([Millis(since)], |row| row.get(0))?;
    Ok((all, ids))
}
