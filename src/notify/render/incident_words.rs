//! An incident in words.

use std::collections::BTreeMap;

use crate::model::text::{count, cut_middle, one_line};
use crate::notify::render::times::DisplayZone;
use crate::triage::digest::incident::{IncidentEntry, IncidentReason, IncidentState};
use crate::triage::digest::model::Digest;

/// Projects named; more are counted.
const PROJECTS: usize = 3;

/// "Likely one incident: 5 groups, 147 of 270 items failed since 14:33 in invoices, archive".
pub(crate) fn headline(entry: &IncidentEntry, digest: &Digest, clock: &DisplayZone) -> String {
    let line = line(entry, digest, clock);
    match (entry.reason, entry.state) {
        (IncidentReason::Resolved, _) => format!("Incident resolved: {line}"),
        (_, IncidentState::Over) => format!("Likely one incident, over by now: {line}"),
        (_, IncidentState::Open) if entry.page => format!("PAGE: likely one incident: {line}"),
        (_, IncidentState::Open) => format!("Likely one incident: {line}"),
    }
}

/// The word shown beside an incident.
pub(crate) fn word(entry: &IncidentEntry) -> &'static str {
    match (entry.reason, entry.state) {
        (IncidentReason::Resolved, _) => "incident resolved",
        (_, IncidentState::Over) => "past incident",
        (_, IncidentState::Open) => "incident",
    }
}

/// "5 groups, 147 of 270 items failed since 14:33 in invoices, archive"; of one that is over "from 14:33 to 14:51 (18 min)".
pub(crate) fn line(entry: &IncidentEntry, digest: &Digest, clock: &DisplayZone) -> String {
    let started = clock.short(entry.started_at, digest.created_at);
    let time = match entry.ended_at {
        None => format!("since {started}"),
        Some(at) => {
            let minutes = (at - entry.started_at).as_mins().max(1);
            let length = match minutes {
                ..120 => format!("{minutes} min"),
                _ => format!("{} h {} min", minutes / 60, minutes % 60),
            };
            format!("from {started} to {} ({length})", clock.short(at, digest.created_at))
        }
    };
    let groups = count(entry.groups.len() as u64, "group", "groups");
    format!("{groups}, {} of {} items failed {time}{}", entry.items, entry.ended_items, place(entry))
}

fn place(entry: &IncidentEntry) -> String {
    let named: Vec<String> = entry.projects.iter().take(PROJECTS).map(|name| shown(name)).collect();
    let more = entry.projects.len().saturating_sub(PROJECTS);
    match (named.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(" in {}", named.join(", ")),
        (false, more) => format!(" in {} and {more} more", named.join(", ")),
    }
}

/// The share in whole percent, rounded down.
pub(crate) fn percent(entry: &IncidentEntry) -> u64 {
    entry.items.saturating_mul(100).checked_div(entry.ended_items).unwrap_or(0)
}

/// "120 temporary, 27 cause unclear": most items first.
pub(crate) fn causes(classes: &BTreeMap<String, u64>) -> String {
    let mut sorted: Vec<(&String, &u64)> = classes.iter().collect();
    sorted.sort_by_key(|(class, items)| (std::cmp::Reverse(**items), (*class).clone()));
    sorted.into_iter().map(|(class, items)| format!("{items} {}", class_word(class))).collect::<Vec<_>>().join(", ")
}

/// A class in few words; a class that this version does not know in its own.
pub(crate) fn class_word(class: &str) -> String {
    let word = match class {
        "permanent-input" => "problem with the files",
        "config" => "settings refused",
        "account" => "key, credits or quota rejected",
        "throttled" => "rate limit",
        "transient" => "temporary",
        "cancelled" => "cancelled",
        "done" => "done before",
        "unknown" => "cause unclear",
        other => return shown(other),
    };
    word.to_owned()
}

/// Outside text on one line, cut in its middle.
fn shown(text: &str) -> String {
    cut_middle(one_line(text).trim(), 40).into_owned()
}
