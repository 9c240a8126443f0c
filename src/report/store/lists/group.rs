//! `report group`: all about one group.

use rusqlite::params;

use crate::report::detail::{BatchHit, EpisodeRow, GroupDetail, MessageRow, Remark};
use crate::report::rows::ItemRow;
use crate::report::store::error::QueryError;
use crate::report::store::history::retries;
use crate::report::store::lists::{groups, items};
use crate::report::store::selection::view::ReportView;
use crate::report::store::selection::{counts, find};
use crate::report::store::value;

/// Samples, messages and batches shown.
const SAMPLES: usize = 5;
const BATCHES: usize = 10;
/// Items looked at for different messages.
const LOOKED_AT: usize = 50;

/// The group with this id, which may be shortened; a merged one shows its survivor.
///
/// # Errors
/// It is not there, or the shortened id fits several.
pub(crate) fn group(view: &mut ReportView<'_>, typed: &str) -> Result<GroupDetail, QueryError> {
    let key = find::group(view.connection, typed)?;
    let members = view.members(key);
    view.group_keys.clone_from(&members);
    let (template, rule, class_words, cause) = view.connection.query_row(
        "SELECT template, rule, class_words, cause_code, cause_text FROM error_group WHERE group_key = ?",
        [key],
        |row| {
            let (code, text): (Option<String>, Option<String>) = (row.get("cause_code")?, row.get("cause_text")?);
            let cause = match (code, text) {
                (Some(code), Some(text)) => Some(format!("{code}: {text}")),
                (code, text) => code.or(text),
            };
            let class_words: Option<String> = row.get("class_words")?;
            Ok((row.get::<_, String>("template")?, row.get::<_, Option<String>>("rule")?, class_words, cause))
        },
    )?;
    let remarks = counts::Remarks::read(view)?;
    let base = groups::single(view, key)?.ok_or_else(|| QueryError::NotFound {
        what: "group",
        id: typed.to_owned(),
        nearest: Vec::new(),
    })?;
    let group = groups::complete(view, base, &remarks, None)?;
    let newest = items::newest(view, &members, LOOKED_AT)?;
    Ok(GroupDetail {
        template,
        rule,
        class_words,
        cause,
        merged: merged(view, key)?,
        episodes: episodes(view, key)?,
        batches_hit: batches_hit(view, &members)?,
        messages: messages(&newest),
        present_items: items::count_all(view)?.all(),
        samples: newest.into_iter().take(SAMPLES).collect(),
        retries: retries::for_groups(view, &members)?,
        remarks: acks_and_notes(view, key, &group.group_id)?,
        group,
    })
}

fn merged(view: &ReportView<'_>, key: i64) -> Result<Vec<String>, QueryError> {
    let mut statement =
        view.connection.prepare("SELECT group_id FROM error_group WHERE merged_into = ? ORDER BY group_id")?;
    let ids = statement.query_map([key], |row| row.get(0))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

fn episodes(view: &ReportView<'_>, key: i64) -> Result<Vec<EpisodeRow>, QueryError> {
    let mut statement = view.connection.prepare(
        "SELECT ordinal, opened_at, closed_at, closed_how, closed_by, assigned, ticket FROM episode
         WHERE group_key = ? ORDER BY ordinal DESC",
    )?;
    let rows = statement.query_map([key], |row| {
        Ok(EpisodeRow {
            ordinal: row.get("ordinal")?,
            opened_at: value::time(row, "opened_at")?,
            closed_at: value::maybe_time(row, "closed_at")?,
            closed_how: row.get("closed_how")?,
            closed_by: row.get("closed_by")?,
            assigned: row.get("assigned")?,
            ticket: row.get("ticket")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn batches_hit(view: &ReportView<'_>, members: &[i64]) -> Result<Vec<BatchHit>, QueryError> {
    let keys: Vec<String> = members.iter().map(i64::to_string).collect();
    let mut statement = view.connection.prepare(&format!(
        "WITH hit AS MATERIALIZED (
             SELECT batch_key, sum(failures) AS failures FROM group_batch WHERE group_key IN ({})
             GROUP BY batch_key ORDER BY 2 DESC, batch_key DESC LIMIT {BATCHES})
         SELECT b.batch_id, p.name AS project, b.job_type, hit.failures, b.total_items, b.created_at
         FROM hit JOIN batch b ON b.batch_key = hit.batch_key
         JOIN project p ON p.project_key = b.project_key
         ORDER BY hit.failures DESC, b.batch_key DESC",
        keys.join(", ")
    ))?;
    let rows = statement.query_map([], |row| {
        Ok(BatchHit {
            batch_id: row.get("batch_id")?,
            project: row.get("project")?,
            job_type: row.get("job_type")?,
            failures: value::count(row, "failures")?,
            total_items: value::maybe_count(row, "total_items")?,
            created_at: value::maybe_time(row, "created_at")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn messages(items: &[ItemRow]) -> Vec<MessageRow> {
    let mut messages: Vec<MessageRow> = Vec::new();
    for item in items {
        let Some(text) = item.error_message.as_ref().or(item.skip_reason.as_ref()) else {
            continue;
        };
        if messages.len() < SAMPLES && !messages.iter().any(|message| &message.text == text) {
            messages.push(MessageRow { text: text.clone(), last_seen: item.last_seen });
        }
    }
    messages
}

/// Acks, notes and the silences that name the group.
fn acks_and_notes(view: &ReportView<'_>, key: i64, group_id: &str) -> Result<Vec<Remark>, QueryError> {
    let mut statement = view.connection.prepare(
        "SELECT created_at AS at, 'ack' AS what, author, 'until ' || until || coalesce(', ended: ' || ended_how, '') AS said,
                coalesce(ended_at, expires_at) AS until_at, ended_at IS NULL AS holds
         FROM ack WHERE group_key = ?1
         UNION ALL
         SELECT created_at, 'note', author, text, NULL, TRUE FROM note WHERE group_key = ?1
         UNION ALL
         SELECT created_at, 'silence', author, reason, coalesce(ended_at, expires_at), ended_at IS NULL
         FROM silence WHERE json_valid(matcher) AND json_extract(matcher, '$.group') = ?2
         ORDER BY 1 DESC",
    )?;
    let rows = statement.query_map(params![key, group_id], |row| {
        let until = value::maybe_time(row, "until_at")?;
        let holds: bool = row.get("holds")?;
        Ok(Remark {
            at: value::time(row, "at")?,
            what: row.get("what")?,
            author: row.get("author")?,
            text: row.get("said")?,
            until,
            active: holds && until.is_none_or(|until| until > view.now),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
