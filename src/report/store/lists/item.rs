//! `report item`: one item's whole time line.

use rusqlite::{Connection, params};

use crate::model::cause::Cause;
use crate::report::detail::{ItemDetail, ItemEvent};
use crate::report::rows::ItemRow;
use crate::report::store::error::QueryError;
use crate::report::store::lists::items;
use crate::report::store::selection::find;
use crate::report::store::selection::view::ReportView;
use crate::report::store::value;

/// The item with this id, which may be shortened, and all that happened to it.
///
/// # Errors
/// It is not there, or the shortened id fits several.
pub(crate) fn timeline(view: &ReportView<'_>, typed: &str) -> Result<ItemDetail, QueryError> {
    let item_id = find::item(view.connection, typed)?;
    detail(view, &item_id)
}

/// The items whose name matches the filter's glob, newest first.
///
/// # Errors
/// No item has such a name.
pub(crate) fn items_named(view: &ReportView<'_>) -> Result<Vec<ItemDetail>, QueryError> {
    let rows = items::items(view)?;
    if rows.is_empty() {
        return Err(QueryError::NotFound {
            what: "item named",
            id: view.filter.item_name.clone().unwrap_or_default(),
            nearest: Vec::new(),
        });
    }
    rows.iter().map(|row| detail(view, &row.item_id)).collect()
}

fn detail(view: &ReportView<'_>, item_id: &str) -> Result<ItemDetail, QueryError> {
    let missing = || QueryError::NotFound { what: "item", id: item_id.to_owned(), nearest: Vec::new() };
    let item = items::one(view, item_id)?.ok_or_else(missing)?;
    let connection = view.connection;
    let (key, recovered_at, recovered_by, group_title) = connection.query_row(
        "SELECT i.item_key, i.recovered_at, i.recovered_by, coalesce(s.renamed, s.title) AS title
         FROM item i JOIN error_group g ON g.group_key = i.group_key
         JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
         WHERE i.item_id = ?",
        [item_id],
        |row| {
            let by: Option<String> = row.get("recovered_by")?;
            let title: String = row.get("title")?;
            Ok((row.get::<_, i64>("item_key")?, value::maybe_time(row, "recovered_at")?, by, title))
        },
    )?;
    let mut timeline = observations(connection, key)?;
    timeline.extend(attempts(connection, key)?);
    timeline.extend(refusal(connection, key)?);
    timeline.extend(digests(connection, item_id)?);
    timeline.extend(acts(connection, &item)?);
    if let Some(at) = recovered_at {
        timeline.push(ItemEvent {
            text: recovered_by.as_ref().map(|by| format!("by {by}")),
            ..ItemEvent::new(at, "recovered")
        });
    }
    timeline.sort_by_key(|event| event.at);
    let cause = cause(connection, item_id)?;
    Ok(ItemDetail { item, group_title, cause, recovered_at, recovered_by, timeline })
}

/// The cause of the item's newest failure, else of its group.
fn cause(connection: &Connection, item_id: &str) -> Result<Option<String>, QueryError> {
    let mut statement = connection.prepare_cached(
        "SELECT c.code, c.text, s.cause_code AS group_code, s.cause_text AS group_text
         FROM item i LEFT JOIN cause c ON c.observation_key = i.observation_key
         JOIN error_group g ON g.group_key = i.group_key
         JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
         WHERE i.item_id = ?",
    )?;
    let (own, of_group) = statement.query_row([item_id], |row| {
        let cause =
            |code: &str, text: &str| Ok::<_, rusqlite::Error>(Cause { code: row.get(code)?, text: row.get(text)? });
        Ok((cause("code", "text")?, cause("group_code", "group_text")?))
    })?;
    let said = |cause: &Cause| Some(cause.to_string()).filter(|text| !text.is_empty());
    Ok(said(&own).or_else(|| said(&of_group).map(|text| format!("{text} (another item of its group)"))))
}

fn observations(connection: &Connection, item_key: i64) -> Result<Vec<ItemEvent>, QueryError> {
    let mut statement = connection.prepare_cached(
        "SELECT o.event_at, o.kind, m.text, o.skip_reason, s.group_id, b.batch_id, o.job_id,
                o.job_record_id, o.first_seen, o.last_seen
         FROM observation o
         JOIN error_group g ON g.group_key = o.group_key
         JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
         JOIN batch b ON b.batch_key = o.batch_key
         LEFT JOIN message m ON m.message_key = o.message_key
         WHERE o.item_key = ? ORDER BY o.event_at",
    )?;
    let events = statement.query_map([item_key], |row| {
        let message: Option<String> = row.get("text")?;
        let skip_reason: Option<String> = row.get("skip_reason")?;
        let text = match (skip_reason, message) {
            (Some(reason), Some(message)) => Some(format!("{reason}: {message}")),
            (reason, message) => reason.or(message),
        };
        Ok(ItemEvent {
            text,
            group_id: row.get("group_id")?,
            batch_id: row.get("batch_id")?,
            job_id: row.get("job_id")?,
            job_record_id: row.get("job_record_id")?,
            first_seen: value::maybe_time(row, "first_seen")?,
            last_seen: value::maybe_time(row, "last_seen")?,
            ..ItemEvent::new(value::time(row, "event_at")?, value::kind(row, "kind")?.as_str())
        })
    })?;
    Ok(events.collect::<rusqlite::Result<_>>()?)
}

/// An attempt gives one event when it began and one when its outcome was known.
fn attempts(connection: &Connection, item_key: i64) -> Result<Vec<ItemEvent>, QueryError> {
    let mut statement = connection.prepare_cached(
        "SELECT a.started_at, a.finished_at, a.attempt_id, a.n, a.trigger, a.outcome, a.batch_id,
                a.job_id, n.actor, n.reason, s.group_id
         FROM attempt a JOIN intent n ON n.intent_id = a.intent_id
         JOIN error_group g ON g.group_key = coalesce(a.group_after, a.group_key)
         JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
         WHERE a.item_key = ? ORDER BY a.started_at",
    )?;
    let mut events = Vec::new();
    let mut rows = statement.query([item_key])?;
    while let Some(row) = rows.next()? {
        let (n, trigger): (i64, String) = (row.get("n")?, row.get("trigger")?);
        let reason: Option<String> = row.get("reason")?;
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        let event = ItemEvent {
            attempt_id: row.get("attempt_id")?,
            batch_id: row.get("batch_id")?,
            job_id: row.get("job_id")?,
            actor: row.get("actor")?,
            group_id: row.get("group_id")?,
            ..ItemEvent::new(value::time(row, "started_at")?, "attempt")
        };
        if let Some(at) = value::maybe_time(row, "finished_at")? {
            events.push(ItemEvent {
                at,
                event: "attempt_ended".to_owned(),
                text: row.get("outcome")?,
                ..event.clone()
            });
        }
        events.push(ItemEvent { text: Some(format!("attempt {n}, {trigger}{reason}")), ..event });
    }
    Ok(events)
}

/// The newest refusal that the item alone was to blame for: automatic retries leave it out for a week.
fn refusal(connection: &Connection, item_key: i64) -> Result<Option<ItemEvent>, QueryError> {
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(n.posting_at, n.created_at) AS at, coalesce(n.error, '') AS error, n.actor
         FROM refused_item f JOIN intent n USING (intent_id) WHERE f.item_key = ?",
    )?;
    let mut rows = statement.query([item_key])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let said: String = row.get("error")?;
    let text = Some(format!("excluded from automatic retries for a week: {said}"));
    Ok(Some(ItemEvent { text, actor: row.get("actor")?, ..ItemEvent::new(value::time(row, "at")?, "refused") }))
}

/// The digests that showed the item, or its group while it was in it.
fn digests(connection: &Connection, item_id: &str) -> Result<Vec<ItemEvent>, QueryError> {
    let mut statement = connection.prepare_cached(
        "SELECT d.created_at, d.digest_id, n.reason, s.group_id
         FROM digest_item n JOIN digest d ON d.digest_id = n.digest_id
         JOIN error_group g ON g.group_key = n.group_key
         JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
         WHERE n.item_id = ? ORDER BY d.created_at",
    )?;
    let events = statement.query_map(params![item_id], |row| {
        Ok(ItemEvent {
            digest_id: row.get("digest_id")?,
            text: row.get("reason")?,
            group_id: row.get("group_id")?,
            ..ItemEvent::new(value::time(row, "created_at")?, "digest")
        })
    })?;
    Ok(events.collect::<rusqlite::Result<_>>()?)
}

/// What people did to it, or to its group since it failed: dismissals and whatever else the audit log names.
fn acts(connection: &Connection, item: &ItemRow) -> Result<Vec<ItemEvent>, QueryError> {
    let mut statement = connection.prepare_cached(
        "SELECT at, action, actor, reason, subject FROM audit
         WHERE subject = ?1 OR (subject, at >= ?2) = (SELECT s.group_id, TRUE FROM item i
              JOIN error_group g ON g.group_key = i.group_key
              JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
              WHERE i.item_id = ?1)
         ORDER BY at",
    )?;
    let events = statement.query_map(params![item.item_id, item.first_seen.as_millisecond()], |row| {
        let (action, subject): (String, String) = (row.get("action")?, row.get("subject")?);
        Ok(ItemEvent {
            actor: row.get("actor")?,
            text: row.get("reason")?,
            group_id: Some(subject).filter(|subject| *subject != item.item_id),
            ..ItemEvent::new(value::time(row, "at")?, &action)
        })
    })?;
    Ok(events.collect::<rusqlite::Result<_>>()?)
}
