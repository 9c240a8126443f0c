//! Columns of the lists: groups, items, batches, skip reasons, items without a result.

use crate::model::group_state::GroupState;
use crate::model::item::{ItemState, Kind};
use crate::model::links::linker::Links;
use crate::model::links::{PAGE, VENDOR_PAGE};
use crate::report::format::sheet::{Cell, Column, Tone};
use crate::report::rows::{BatchRow, GroupRow, IncidentRow, ItemRow, Lack, MissingRow, SampleRow, SkipRow};
use crate::triage::digest::incident::IncidentState;

/// Columns of groups.
pub(crate) const GROUPS: &[Column<GroupRow>] = &[
    column("group_id", "group", |row| Cell::Text(row.group_id.clone())),
    column("state", "state", |row| state(row.state)),
    column("kind", "", |row| Cell::Word(row.kind.as_str(), Tone::Plain)),
    column("open_items", "open", |row| Cell::Count(row.open_items)),
    column("items_in_window", "in window", |row| Cell::Count(row.items_in_window)),
    column("change", "change", change),
    column("hourly", "24 h", |row| Cell::Spark(row.hourly.clone())),
    column("last_seen", "last", |row| Cell::Age(row.last_seen)),
    column("first_seen", "first", |row| Cell::Age(row.first_seen)),
    column("class", "class", |row| Cell::Text(row.class.clone())),
    column("marks", "acked, silenced", marks),
    column("title", "error", |row| Cell::to(&row.title, page_of(row))),
    column("total_items", "", |row| Cell::Count(row.total_items)),
    column("batches", "", |row| Cell::Count(row.batches)),
    column("failures_in_window", "", |row| Cell::maybe_count(row.failures_in_window)),
    column("failures_before_window", "", |row| Cell::maybe_count(row.failures_before_window)),
    column("acked", "", |row| Cell::Flag(row.acked)),
    column("silenced_until", "", |row| Cell::maybe_time(row.silenced_until)),
    column("retry_outlook", "", |row| Cell::maybe(&row.retry_outlook)),
    column("note", "", |row| Cell::maybe(&row.note)),
    column("incident_id", "", |row| Cell::maybe(&row.incident_id)),
    column("sample.item_id", "", |row| sample(row, |s| Some(s.item_id.clone()))),
    column("sample.item_name", "", |row| sample(row, |s| Some(s.item_name.clone()))),
    column("sample.batch_id", "", |row| sample(row, |s| Some(s.batch_id.clone()))),
    column("sample.job_id", "", |row| sample(row, |s| s.job_id.clone())),
    column("sample.job_record_id", "", |row| sample(row, |s| s.job_record_id.clone())),
    column("sample.error_message", "", |row| sample(row, |s| s.error_message.clone())),
    column("sample.link", "", |row| sample(row, |s| best(&s.links).cloned())),
    column("class_probability", "", |row| row.class_probability.map_or(Cell::None, Cell::Share)),
    column("assigned", "", |row| Cell::maybe(&row.assigned)),
    column("ticket", "", |row| Cell::maybe(&row.ticket)),
    column("console", "", |row| row.links.get(PAGE).cloned().map_or(Cell::None, Cell::Text)),
];

/// Columns of incidents.
pub(crate) const INCIDENTS: &[Column<IncidentRow>] = &[
    column("incident_id", "incident", |row| Cell::to(&row.incident_id, row.links.get(PAGE))),
    column("state", "state", |row| match row.state {
        IncidentState::Open => Cell::Word("open", Tone::Bad),
        IncidentState::Over => Cell::Word("over", Tone::Good),
    }),
    column("started_at", "started", |row| Cell::Time(row.started_at)),
    column("ended_at", "ended", |row| Cell::maybe_time(row.ended_at)),
    column("group_count", "groups", |row| Cell::Count(row.groups.len() as u64)),
    column("items", "items", |row| Cell::Count(row.items)),
    column("ended_items", "of", |row| Cell::Count(row.ended_items)),
    column("share", "share", |row| Cell::Share(row.share)),
    column("open_items", "open", |row| Cell::Count(row.open_items)),
    column("projects", "projects", |row| Cell::Text(row.projects.join(", "))),
    column("classes", "classes", |row| Cell::Text(row.classes.keys().cloned().collect::<Vec<_>>().join(", "))),
    column("groups", "", |row| Cell::Text(row.groups.join(" "))),
    column("acked", "", |row| Cell::Flag(row.acked)),
    column("assigned", "", |row| Cell::maybe(&row.assigned)),
    column("console", "", |row| row.links.get(PAGE).cloned().map_or(Cell::None, Cell::Text)),
];

/// Columns of items.
pub(crate) const ITEMS: &[Column<ItemRow>] = &[
    column("item_id", "item", |row| Cell::to(&row.item_id, best(&row.links))),
    column("state", "state", |row| item_state(row.state)),
    column("status", "", |row| Cell::Word(row.status.as_str(), Tone::Plain)),
    column("item_name", "name", |row| Cell::Text(row.item_name.clone())),
    column("project", "", |row| Cell::Text(row.project.clone())),
    column("group_id", "group", |row| Cell::Text(row.group_id.clone())),
    column("failures", "failed", |row| Cell::Count(row.failures)),
    column("attempts", "tries", |row| Cell::Count(row.attempts)),
    column("last_seen", "last", |row| Cell::Age(row.last_seen)),
    column("first_seen", "", |row| Cell::Age(row.first_seen)),
    column("why", "why", why),
    column("error_message", "", |row| Cell::maybe(&row.error_message)),
    column("skip_reason", "", |row| Cell::maybe(&row.skip_reason)),
    column("batch_id", "", |row| Cell::to(&row.batch_id, row.links.get("batch"))),
    column("job_id", "", |row| match &row.job_id {
        Some(job_id) => Cell::to(job_id, row.links.get("job")),
        None => Cell::None,
    }),
    column("job_record_id", "", |row| Cell::maybe(&row.job_record_id)),
    column("link", "", |row| best(&row.links).cloned().map_or(Cell::None, Cell::Text)),
];

/// Columns of batches.
pub(crate) const BATCHES: &[Column<BatchRow>] = &[
    column("batch_id", "batch", |row| Cell::to(&row.batch_id, best(&row.links))),
    column("project", "project", |row| Cell::Text(row.project.clone())),
    column("job_type", "type", |row| Cell::Text(row.job_type.clone())),
    column("status", "status", |row| Cell::Text(row.status.clone())),
    column("total_items", "items", |row| Cell::maybe_count(row.total_items)),
    column("failed_items", "failed", |row| Cell::maybe_count(row.failed_items)),
    column("failed_share", "share", |row| row.failed_share.map_or(Cell::None, Cell::Share)),
    column("skipped_items", "skipped", |row| Cell::maybe_count(row.skipped_items)),
    column("groups", "groups", |row| Cell::Count(row.groups)),
    column("created_at", "created", |row| row.created_at.map_or(Cell::None, Cell::Age)),
    column("observations", "", |row| Cell::Count(row.observations)),
    column("directory_id", "", |row| Cell::maybe(&row.directory_id)),
    column("error_message", "", |row| Cell::maybe(&row.error_message)),
    column("completed_at", "", |row| Cell::maybe_time(row.completed_at)),
    column("last_seen", "", |row| Cell::Age(row.last_seen)),
    column("listed_at", "", |row| Cell::maybe_time(row.listed_at)),
    column("gone_at", "", |row| Cell::maybe_time(row.gone_at)),
    column("link", "", |row| best(&row.links).cloned().map_or(Cell::None, Cell::Text)),
];

/// Columns of skip reasons.
pub(crate) const SKIPPED: &[Column<SkipRow>] = &[
    column("skip_reason", "reason", |row| Cell::maybe(&row.skip_reason)),
    column("matters", "", |row| Cell::Flag(row.matters)),
    column("meaning", "action", |row| match row.matters {
        true => Cell::Word("action needed", Tone::Warn),
        false => Cell::Word("ignored", Tone::Plain),
    }),
    column("items", "items", |row| Cell::Count(row.items)),
    column("open_items", "open", |row| Cell::Count(row.open_items)),
    column("first_seen", "first", |row| Cell::Age(row.first_seen)),
    column("last_seen", "last", |row| Cell::Age(row.last_seen)),
];

/// Columns of items without a result.
pub(crate) const MISSING: &[Column<MissingRow>] = &[
    column("lack", "why", |row| lack(row.lack)),
    column("items", "items", |row| Cell::maybe_count(row.items)),
    column("item_name", "name", |row| Cell::maybe(&row.item_name)),
    column("batch_id", "batch", |row| Cell::to(&row.batch_id, row.links.get("batch"))),
    column("since", "since", |row| Cell::Age(row.since)),
    column("text", "error", |row| Cell::maybe(&row.text)),
    column("item_id", "", |row| Cell::maybe(&row.item_id)),
    column("state", "state", |row| row.state.map_or(Cell::None, item_state)),
    column("project", "", |row| Cell::Text(row.project.clone())),
    column("group_id", "", |row| Cell::maybe(&row.group_id)),
    column("link", "", |row| best(&row.links).cloned().map_or(Cell::None, Cell::Text)),
];

fn lack(lack: Lack) -> Cell {
    match lack {
        Lack::NotShown => Cell::Word("not shown", Tone::Warn),
        Lack::Failed => Cell::Word("failed", Tone::Bad),
        lack => Cell::Word(lack.as_str(), Tone::Plain),
    }
}

/// A column; a shorter way to write one.
pub(crate) const fn column<R>(name: &'static str, label: &'static str, cell: fn(&R) -> Cell) -> Column<R> {
    Column { name, label, cell }
}

/// The link that leads closest to the failure: a page of our console, else LlamaCloud's record of the job, of its batch,
/// its page.
pub(crate) fn best(links: &Links) -> Option<&String> {
    // Where our console is configured, LlamaCloud's page has another name.
    let has_console = links.contains_key(VENDOR_PAGE);
    links.get(PAGE).filter(|_| has_console).or_else(|| records(links))
}

fn records(links: &Links) -> Option<&String> {
    ["job", "batch", PAGE].iter().find_map(|name| links.get(*name)).or_else(|| links.values().next())
}

/// The page of a group, else what leads closest to the failure of its sample.
fn page_of(row: &GroupRow) -> Option<&String> {
    row.links.get(PAGE).or_else(|| best(&row.sample.as_ref()?.links))
}

pub(crate) fn state(state: GroupState) -> Cell {
    let tone = match state {
        GroupState::New | GroupState::Regressed | GroupState::Escalating => Tone::Bad,
        GroupState::Ongoing => Tone::Warn,
        GroupState::Resolved => Tone::Good,
    };
    Cell::Word(state.as_str(), tone)
}

pub(crate) fn item_state(state: ItemState) -> Cell {
    let tone = match state {
        ItemState::Open => Tone::Bad,
        ItemState::Retrying => Tone::Warn,
        ItemState::Recovered => Tone::Good,
        ItemState::Dismissed | ItemState::Ignored => Tone::Plain,
    };
    Cell::Word(state.as_str(), tone)
}

/// The message of a failed item, the reason of a skipped one.
fn why(row: &ItemRow) -> Cell {
    match (row.status, &row.skip_reason, &row.error_message) {
        (Kind::Skipped, Some(reason), Some(message)) => Cell::Text(format!("{reason}: {message}")),
        (Kind::Skipped, Some(reason), None) => Cell::Text(reason.clone()),
        (_, _, message) => Cell::maybe(message),
    }
}

/// Failures in the window against as many hours before it: "+25 %", "same", "from 0".
fn change(row: &GroupRow) -> Cell {
    let (Some(now), Some(before)) = (row.failures_in_window, row.failures_before_window) else {
        return Cell::None;
    };
    match (now, before) {
        (0, 0) => Cell::None,
        (_, 0) => Cell::Text("from 0".to_owned()),
        (now, before) => {
            let percent = ((now as f64 / before as f64 - 1.0) * 100.0).round();
            Cell::Text(if percent == 0.0 { "same".to_owned() } else { format!("{percent:+.0} %") })
        }
    }
}

/// What people did about it, in one word each.
fn marks(row: &GroupRow) -> Cell {
    let marks = [
        (row.acked, "acked"),
        (row.silenced_until.is_some(), "silenced"),
        (row.retry_outlook.is_some(), "retried"),
        (row.note.is_some(), "note"),
        (row.assigned.is_some(), "assigned"),
    ];
    let set: Vec<&str> = marks.iter().filter(|(set, _)| *set).map(|(_, mark)| *mark).collect();
    match set.is_empty() {
        true => Cell::None,
        false => Cell::Text(set.join(" ")),
    }
}

fn sample(row: &GroupRow, field: fn(&SampleRow) -> Option<String>) -> Cell {
    let value = row.sample.as_ref().and_then(field);
    value.map_or(Cell::None, Cell::Text)
}
