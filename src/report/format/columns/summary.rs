//! The summary for people: facts first, then the groups that need a look.

use jiff::Timestamp;

use crate::model::batch_api::Presence;
use crate::model::text::one_line;
use crate::report::filter::Filter;
use crate::report::format::answer::Heading;
use crate::report::format::columns::lists::{GROUPS, column};
use crate::report::format::columns::{Section, tried};
use crate::report::format::command;
use crate::report::format::layout::{AnswerLayout, age, ago, counted, fit_width, grouped, sparkline, window};
use crate::report::format::sheet::{Cell, Column, Sheet};
use crate::report::question::Question;
use crate::report::summary::{ApiRow, FaultRow, SummaryRow};

/// The summary as one row of numbers, for programs.
pub(crate) const SUMMARY: &[Column<SummaryRow>] = &[
    column("ledger_id", "ledger id", |row| Cell::Text(row.ledger_id.clone())),
    column("items.open", "open", |row| Cell::Count(row.items.open)),
    column("items.retrying", "retrying", |row| Cell::Count(row.items.retrying)),
    column("items.recovered", "recovered", |row| Cell::Count(row.items.recovered)),
    column("items.dismissed", "dismissed", |row| Cell::Count(row.items.dismissed)),
    column("items.ignored", "ignored", |row| Cell::Count(row.items.ignored)),
    column("batches.overdue", "overdue batches", |row| Cell::Count(row.batches.overdue)),
    column("batches.missing", "batches with missing items", |row| Cell::Count(row.batches.missing)),
    column("groups.new", "new groups", |row| Cell::Count(row.groups.new)),
    column("groups.regressed", "regressed", |row| Cell::Count(row.groups.regressed)),
    column("groups.escalating", "escalating", |row| Cell::Count(row.groups.escalating)),
    column("groups.ongoing", "ongoing", |row| Cell::Count(row.groups.ongoing)),
    column("groups.resolved", "resolved", |row| Cell::Count(row.groups.resolved)),
    column("window.since", "since", |row| Cell::Time(row.window.since)),
    column("window.until", "until", |row| Cell::Time(row.window.until)),
    column("items_in_window", "in window", |row| Cell::Count(row.items_in_window)),
    column("recovered_in_window", "recovered", |row| Cell::Count(row.recovered_in_window)),
    column("faults", "faults", |row| Cell::Count(row.faults.len() as u64)),
    column("deliveries.pending", "pending", |row| Cell::Count(row.deliveries.pending)),
    column("deliveries.dead", "undeliverable", |row| Cell::Count(row.deliveries.dead)),
    column("spent.last_hour", "budget used 1 h", |row| Cell::Count(row.spent.last_hour)),
    column("spent.last_day", "budget used 24 h", |row| Cell::Count(row.spent.last_day)),
];

/// The summary's facts and tables.
pub(crate) fn sections(summary: &SummaryRow, heading: &Heading, look: &AnswerLayout) -> Vec<Section> {
    let mut facts: Vec<(&'static str, String)> = faults(summary, look).collect();
    facts.push(("open", open(summary)));
    if summary.batches.overdue > 0 {
        facts.push(("overdue", format!("{} not ended for far longer than usual", batches(summary.batches.overdue))));
    }
    if summary.batches.missing > 0 {
        facts.push((
            "missing",
            format!("{} with items that LlamaCloud does not show", batches(summary.batches.missing)),
        ));
    }
    let in_window = window(&summary.window, look);
    facts.push(("failed", format!("{} {in_window}", counted(summary.items_in_window, "item"))));
    facts.push((
        "by hour",
        format!(
            "{}  {} since {}; an item counts each time it fails",
            sparkline(&fit_width(&summary.hourly, look.width)),
            counted(summary.hourly.iter().sum(), "failure"),
            look.time_and_zone(first_hour(summary, look)),
        ),
    ));
    facts.push(("recovered", format!("{} {in_window}", counted(summary.recovered_in_window, "item"))));
    if summary.items.retrying > 0 {
        facts.push(("retrying", format!("{} of them, outcome pending", grouped(summary.items.retrying))));
    }
    facts.extend(worker(summary, look));
    let mut top = Sheet::titled("", &summary.top_groups, GROUPS);
    top.drop_columns(&["first_seen", "items_in_window", "change"]);
    top.empty = "no open items";
    let filter = Filter { since: None, until: None, ..heading.filter.clone() };
    let command = command::all_of(heading, Question::Groups, &[("--state", command::OPEN_GROUPS)], &filter);
    top.cut = command::cut(summary.top_groups.len() as u64, summary.groups.open(), &command);
    vec![Section::Facts(facts), Section::Sheet(top)]
}

fn batches(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "batch" } else { "batches" })
}

/// When the first of the clock hours begins: not 24 hours ago, for the last one has only begun.
fn first_hour(summary: &SummaryRow, look: &AnswerLayout) -> Timestamp {
    let hours = i64::try_from(summary.hourly.len()).unwrap_or(0);
    let first = look.now.as_second().div_euclid(3600) + 1 - hours;
    Timestamp::from_second(first * 3600).unwrap_or(look.now)
}

fn open(summary: &SummaryRow) -> String {
    let groups = &summary.groups;
    let parts = [
        (groups.new, "new"),
        (groups.regressed, "regressed"),
        (groups.escalating, "escalating"),
        (groups.ongoing, "ongoing"),
        (groups.given_up, "closed"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{} {word}", grouped(*count)))
        .collect();
    let of = match parts.is_empty() {
        true => String::new(),
        false => format!(": {}", parts.join(", ")),
    };
    format!(
        "{} in {}{of}",
        counted(summary.items.open + summary.items.retrying, "item"),
        counted(groups.open() + groups.given_up, "group")
    )
}

fn budget(summary: &SummaryRow) -> String {
    let spent = &summary.spent;
    let of = |limit: Option<u64>| limit.map_or_else(String::new, |limit| format!(" of {}", grouped(limit)));
    format!(
        "{}{} used in the last hour, {}{} in the last 24 h (retries that recovered are not counted)",
        grouped(spent.last_hour),
        of(spent.per_hour),
        grouped(spent.last_day),
        of(spent.per_day)
    )
}

/// A scan without an end: it runs, or its process is gone. No scan takes an hour unless something is wrong.
fn unfinished(started_at: Timestamp, now: Timestamp) -> String {
    const LONG: u64 = 3600;
    match age(started_at, now) > LONG {
        true => format!("not finished: started {}, probably interrupted", ago(started_at, now)),
        false => format!("running since {}", ago(started_at, now)),
    }
}

/// What is wrong with the worker itself: the first thing to know, because the rest may be old.
fn faults<'s>(summary: &'s SummaryRow, look: &'s AnswerLayout) -> impl Iterator<Item = (&'static str, String)> + 's {
    let said = |fault: &FaultRow| format!("{} (since {})", one_line(&fault.text), look.time_and_zone(fault.since));
    summary.faults.iter().map(move |fault| ("FAULT", said(fault)))
}

/// What the worker did: retries, scans, deliveries, digests, and what it holds back.
pub(crate) fn worker(summary: &SummaryRow, look: &AnswerLayout) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(retries) = &summary.retries {
        facts.push(("retries", format!("{} ({})", tried(retries), window(&summary.window, look))));
    }
    if summary.spent.last_day > 0 || summary.spent.per_day.is_some() {
        facts.push(("budget", budget(summary)));
    }
    for scan in &summary.scans {
        let mut line = format!("{}: ", one_line(&scan.project));
        line.push_str(&match (scan.complete, scan.finished_at) {
            (true, Some(at)) => format!("complete {}", ago(at, look.now)),
            (_, None) => unfinished(scan.started_at, look.now),
            (false, Some(at)) => format!("incomplete {}", ago(at, look.now)),
        });
        if let Some(error) = &scan.error {
            line.push_str(&format!(" ({})", one_line(error)));
        }
        if scan.unreadable > 0 {
            line.push_str(&format!(", {} could not be read", counted(scan.unreadable, "row")));
        }
        facts.push(("scan", line));
    }
    for of_project in summary.apis.chunk_by(|one, other| one.project == other.project) {
        let said = |row: &ApiRow| {
            let since = match row.presence {
                Presence::Absent => format!(" since {}", look.time_and_zone(row.since)),
                _ => String::new(),
            };
            format!("{} {}{since}", row.api, row.says)
        };
        let said: Vec<String> = of_project.iter().map(said).collect();
        let project = of_project.first().map_or("", |row| row.project.as_str());
        facts.push(("api", format!("{}: {}", one_line(project), said.join("; "))));
    }
    for hold in &summary.holds {
        let until = hold.until.filter(|until| look.now < *until);
        let until = until.map_or_else(String::new, |until| format!(" until {}", look.time_and_zone(until)));
        let why = hold.why.as_deref().map_or_else(String::new, |why| format!(": {}", one_line(why)));
        facts.push(("retries", format!("{} {}{until}{why}", one_line(&hold.scope), hold.state)));
    }
    if summary.deliveries.pending + summary.deliveries.dead > 0 {
        let counts = &summary.deliveries;
        facts.push((
            "deliveries",
            format!("{} waiting, {} undeliverable {}", counts.pending, counts.dead, window(&summary.window, look)),
        ));
    }
    let last = summary.last_digest.as_ref();
    let last = last.map(|digest| format!("{} {}", digest.digest_id, ago(digest.created_at, look.now)));
    let next = summary.next_digest_at.map(|at| format!("next {}", look.time_and_zone(at)));
    let digest: Vec<String> = last.into_iter().chain(next).collect();
    if !digest.is_empty() {
        facts.push(("digest", digest.join(", ")));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_that_never_ended_is_not_called_running_for_ever() {
        let now = Timestamp::from_second(1_780_000_000).unwrap();
        let said = |minutes| unfinished(now - jiff::SignedDuration::from_mins(minutes), now);
        assert_eq!(said(5), "running since 5 min ago");
        assert_eq!(said(60 * 50), "not finished: started 2 d 2 h ago, probably interrupted");
    }
}
