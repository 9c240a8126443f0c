//! One thing for people: a group, an item with its time line, a batch.

use crate::model::links::PAGE;
use crate::model::text::one_line;
use crate::report::detail::{BatchDetail, BatchHit, EpisodeRow, GroupDetail, GroupHit, ItemDetail, ItemEvent, Remark};
use crate::report::filter::Filter;
use crate::report::format::answer::Heading;
use crate::report::format::columns::lists::{ITEMS, best, column};
use crate::report::format::columns::{Section, tried};
use crate::report::format::layout::{AnswerLayout, ago, counted, grouped, sparkline};
use crate::report::format::sheet::{Cell, Choice, Column, Sheet, Tone};
use crate::report::format::{ReportError, command};
use crate::report::question::Question;
use crate::report::rows::{BatchRow, GroupRow};

const EVENTS: &[Column<ItemEvent>] = &[
    column("at", "when", |row| Cell::Time(row.at)),
    column("event", "what", |row| match row.event.as_str() {
        "failed" => Cell::Word("failed", Tone::Bad),
        "recovered" => Cell::Word("recovered", Tone::Good),
        word => Cell::Text(word.to_owned()),
    }),
    column("how", "how", how),
    column("text", "", |row| Cell::maybe(&row.text)),
    column("actor", "", |row| Cell::maybe(&row.actor)),
    column("group_id", "group", |row| Cell::maybe(&row.group_id)),
    column("batch_id", "batch", |row| Cell::maybe(&row.batch_id)),
    column("job_id", "", |row| Cell::maybe(&row.job_id)),
    column("job_record_id", "", |row| Cell::maybe(&row.job_record_id)),
    column("attempt_id", "", |row| Cell::maybe(&row.attempt_id)),
    column("digest_id", "digest", |row| Cell::maybe(&row.digest_id)),
    column("first_seen", "", |row| Cell::maybe_time(row.first_seen)),
    column("last_seen", "", |row| Cell::maybe_time(row.last_seen)),
];

/// What happened, and who did it where someone did.
fn how(event: &ItemEvent) -> Cell {
    match (&event.text, &event.actor) {
        (Some(text), Some(actor)) => Cell::Text(format!("{text} (by {actor})")),
        (None, Some(actor)) => Cell::Text(format!("by {actor}")),
        (text, None) => Cell::maybe(text),
    }
}

const EPISODES: &[Column<EpisodeRow>] = &[
    column("ordinal", "n", |row| Cell::Count(u64::from(row.ordinal))),
    column("opened_at", "opened", |row| Cell::Time(row.opened_at)),
    column("closed_at", "closed", |row| Cell::maybe_time(row.closed_at)),
    column("closed_how", "how", |row| Cell::maybe(&row.closed_how)),
    column("closed_by", "by", |row| Cell::maybe(&row.closed_by)),
    column("assigned", "assigned to", |row| Cell::maybe(&row.assigned)),
    column("ticket", "", |row| Cell::maybe(&row.ticket)),
];

const HIT: &[Column<BatchHit>] = &[
    column("batch_id", "batch", |row| Cell::Text(row.batch_id.clone())),
    column("project", "project", |row| Cell::Text(row.project.clone())),
    column("job_type", "type", |row| Cell::Text(row.job_type.clone())),
    column("failures", "failures", |row| Cell::Count(row.failures)),
    column("total_items", "of items", |row| Cell::maybe_count(row.total_items)),
    column("created_at", "created", |row| row.created_at.map_or(Cell::None, Cell::Age)),
];

const REMARKS: &[Column<Remark>] = &[
    column("at", "when", |row| Cell::Time(row.at)),
    column("what", "what", |row| Cell::Text(row.what.clone())),
    column("author", "who", |row| Cell::Text(row.author.clone())),
    column("text", "text", |row| Cell::maybe(&row.text)),
    column("until", "until", |row| Cell::maybe_time(row.until)),
    column("active", "holds", |row| Cell::Flag(row.active)),
];

const IN_BATCH: &[Column<GroupHit>] = &[
    column("group_id", "group", |row| Cell::Text(row.group_id.clone())),
    column("kind", "kind", |row| Cell::Word(row.kind.as_str(), Tone::Plain)),
    column("failures", "failures", |row| Cell::Count(row.failures)),
    column("class", "class", |row| Cell::Text(row.class.clone())),
    column("title", "error", |row| Cell::Text(row.title.clone())),
];

/// The events of items as one sheet; the item id goes first.
pub(crate) fn events(rows: &[(&ItemDetail, &ItemEvent)], choice: Choice<'_>) -> Result<Sheet, ReportError> {
    let ids = rows.iter().map(|(item, _)| Cell::Text(item.item.item_id.clone()));
    let events: Vec<ItemEvent> = rows.iter().map(|(_, event)| (*event).clone()).collect();
    let mut sheet = Sheet::new(&events, EVENTS, choice, "no events")?;
    if matches!(choice, Choice::All) {
        sheet.put_first("item_id", ids);
    }
    Ok(sheet)
}

/// `transient, 93 % (model: "no healthy backend"); of the newest 12 open items: 10 transient, 2 unknown`.
pub(crate) fn class(detail: &GroupDetail) -> String {
    let GroupRow { class, class_probability, classes, .. } = &detail.group;
    let percent = class_probability.map(|probability| format!(", {:.0} %", probability * 100.0)).unwrap_or_default();
    let words = detail.class_words.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
    let decided = match detail.rule.as_deref() {
        Some(rule @ ("model" | "set by hand")) => format!(" ({rule}{words})"),
        Some(rule @ ("text" | "code" | "status" | "skip-reason")) => format!(" (exact {rule}{words})"),
        Some(rule) => format!(" (rule {rule}{words})"),
        None => String::new(),
    };
    let mut counts: Vec<(&String, &u64)> = classes.iter().collect();
    counts.sort_by_key(|(_, items)| std::cmp::Reverse(**items));
    let items: u64 = counts.iter().map(|(_, items)| **items).sum();
    let counted: Vec<String> = counts.iter().map(|(class, items)| format!("{items} {class}")).collect();
    let mixed = if counted.len() > 1 {
        format!("; of the newest {items} open items: {}", counted.join(", "))
    } else {
        String::new()
    };
    one_line(&format!("{class}{percent}{decided}{mixed}")).into_owned()
}

/// All about one group.
pub(crate) fn group(detail: &GroupDetail, heading: &Heading, look: &AnswerLayout) -> Vec<Section> {
    let group = &detail.group;
    let mut facts = vec![
        ("group", format!("{} ({})", group.group_id, group.kind.as_str())),
        ("what", one_line(&group.title).into_owned()),
        ("state", group.state.as_str().to_owned()),
        ("class", class(detail)),
        (
            "items",
            format!(
                "{} open of {} in total, in {} batches",
                grouped(group.open_items),
                grouped(group.total_items),
                grouped(group.batches)
            ),
        ),
        ("first", format!("{}, {}", look.time_and_zone(group.first_seen), ago(group.first_seen, look.now))),
        ("last", format!("{}, {}", look.time_and_zone(group.last_seen), ago(group.last_seen, look.now))),
        ("last 24 h", sparkline(&group.hourly)),
    ];
    let optional = [
        ("cause", detail.cause.clone()),
        ("next retry", group.retry_outlook.clone()),
        ("assigned", assigned(group)),
        ("page", group.links.get(PAGE).cloned()),
        ("silenced", group.silenced_until.map(|until| format!("until {}", look.time_and_zone(until)))),
        ("merged in", Some(detail.merged.join(" ")).filter(|merged| !merged.is_empty())),
        ("retries", detail.retries.as_ref().map(tried)),
    ];
    let present = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
    facts.extend(present.map(|(name, value)| (name, one_line(&value).into_owned())));
    let messages: Vec<&str> = detail.messages.iter().map(|message| message.text.as_str()).collect();
    let mut items = Sheet::titled("items", &detail.samples, ITEMS);
    items.drop_columns(&["group_id"]);
    let all_of = |list: Question| command::all_of(heading, list, &[("--group", &group.group_id)], &Filter::default());
    items.cut = command::cut(detail.samples.len() as u64, detail.present_items, &all_of(Question::Items));
    let mut batches = Sheet::titled("batches", &detail.batches_hit, HIT);
    batches.cut = command::cut(detail.batches_hit.len() as u64, group.batches, &all_of(Question::Batches));
    vec![
        Section::Facts(facts),
        Section::Text("template", detail.template.clone()),
        Section::Text("messages (newest 5 that differ)", messages.join("\n")),
        Section::Sheet(items),
        Section::Sheet(batches),
        Section::Sheet(Sheet::titled("episodes", &detail.episodes, EPISODES)),
        Section::Sheet(Sheet::titled("acks, silences, notes", &detail.remarks, REMARKS)),
    ]
}

/// "to Ann Example", with the address of the ticket behind it.
fn assigned(group: &GroupRow) -> Option<String> {
    let ticket = group.ticket.as_ref().map_or_else(String::new, |ticket| format!(", {ticket}"));
    group.assigned.as_ref().map(|name| format!("to {name}{ticket}"))
}

/// One item and what happened to it.
pub(crate) fn item(detail: &ItemDetail, look: &AnswerLayout) -> Vec<Section> {
    let item = &detail.item;
    let mut facts = vec![
        ("item", one_line(&item.item_id).into_owned()),
        ("name", one_line(&item.item_name).into_owned()),
        ("state", item.state.as_str().to_owned()),
        ("project", one_line(&item.project).into_owned()),
        ("group", format!("{}  {}", item.group_id, one_line(&detail.group_title))),
        ("failed", format!("{}, {}", counted(item.failures, "time"), retried(item.attempts))),
        ("batch", one_line(&item.batch_id).into_owned()),
    ];
    let optional = [("cause", &detail.cause), ("job", &item.job_id), ("job record", &item.job_record_id)];
    let present = optional.into_iter().filter_map(|(name, id)| Some((name, id.as_ref()?)));
    facts.extend(present.map(|(name, id)| (name, one_line(id).into_owned())));
    if let Some(at) = detail.recovered_at {
        let by = detail.recovered_by.as_deref().unwrap_or("unknown");
        facts.push(("recovered", format!("{}, by {}", look.time_and_zone(at), one_line(by))));
    }
    facts.extend(item.links.iter().map(|(name, link)| ("link", one_line(&format!("{name}: {link}")).into_owned())));
    vec![Section::Facts(facts), Section::Sheet(Sheet::titled("event", &detail.timeline, EVENTS))]
}

/// How often an item was retried, in words.
fn retried(attempts: u64) -> String {
    match attempts {
        0 => "not retried".to_owned(),
        n => format!("retried {}", counted(n, "time")),
    }
}

/// Said of counts that cannot all be right.
fn contradiction(batch: &BatchRow) -> &'static str {
    let unwell = batch.failed_items.unwrap_or(0).saturating_add(batch.skipped_items.unwrap_or(0));
    match batch.total_items {
        Some(total) if unwell > total => " (LlamaCloud's counts contradict each other)",
        _ => "",
    }
}

/// One batch and the groups in it.
pub(crate) fn batch(detail: &BatchDetail, look: &AnswerLayout) -> Vec<Section> {
    let batch = &detail.batch;
    let count = |count: Option<u64>| count.map_or_else(|| "unknown".to_owned(), grouped);
    let mut facts = vec![
        ("batch", one_line(&batch.batch_id).into_owned()),
        ("project", one_line(&batch.project).into_owned()),
        ("type", one_line(&batch.job_type).into_owned()),
        ("status", one_line(&batch.status).into_owned()),
        (
            "items",
            format!(
                "{}, failed {}{}, skipped {}",
                count(batch.total_items),
                count(batch.failed_items),
                batch.failed_share.map_or_else(String::new, |share| format!(" ({:.1} %)", share * 100.0)),
                count(batch.skipped_items) + contradiction(batch)
            ),
        ),
    ];
    let times = [
        ("made", batch.created_at),
        ("ended", batch.completed_at),
        ("last seen", Some(batch.last_seen)),
        ("listed", batch.listed_at),
        ("gone", batch.gone_at),
    ];
    let times = times.into_iter().filter_map(|(name, at)| Some((name, at?)));
    facts.extend(times.map(|(name, at)| (name, look.time_and_zone(at))));
    if let Some(error) = &batch.error_message {
        facts.push(("error", one_line(error).into_owned()));
    }
    if let Some(link) = best(&batch.links) {
        facts.push(("link", one_line(link).into_owned()));
    }
    vec![Section::Facts(facts), Section::Sheet(Sheet::titled("groups in it", &detail.groups_in_it, IN_BATCH))]
}
