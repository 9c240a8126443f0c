//! One incident for people.

use crate::model::links::PAGE;
use crate::model::text::length;
use crate::model::text::one_line;
use crate::report::detail::{IncidentDetail, IncidentMember};
use crate::report::format::columns::Section;
use crate::report::format::columns::lists::column;
use crate::report::format::layout::{AnswerLayout, age, grouped};
use crate::report::format::sheet::{Cell, Column, Sheet, Tone};

const MEMBERS: &[Column<IncidentMember>] = &[
    column("group_id", "group", |row| Cell::Text(row.group_id.clone())),
    column("began_at", "since", |row| Cell::Time(row.began_at)),
    column("escalated", "how", |row| match row.escalated {
        true => Cell::Word("escalated", Tone::Warn),
        false => Cell::Word("began", Tone::Plain),
    }),
    column("items", "items", |row| Cell::Count(row.items)),
    column("open_items", "open", |row| Cell::Count(row.open_items)),
    column("class", "class", |row| Cell::Text(row.class.clone())),
    column("title", "error", |row| Cell::Text(row.title.clone())),
];

/// The incident and its groups.
pub(crate) fn sections(detail: &IncidentDetail, look: &AnswerLayout) -> Vec<Section> {
    let incident = &detail.incident;
    let time = match incident.ended_at {
        None => format!("since {}", look.time_and_zone(incident.started_at)),
        Some(at) => format!(
            "{} to {} ({})",
            look.time(incident.started_at),
            look.time_and_zone(at),
            length(age(incident.started_at, at).max(60))
        ),
    };
    let mut facts = vec![
        ("incident", one_line(&incident.incident_id).into_owned()),
        ("state", incident.state.as_str().to_owned()),
        ("time", time),
        (
            "items",
            format!(
                "{} of {} failed ({:.0} %)",
                grouped(incident.items),
                grouped(incident.ended_items),
                (incident.share * 100.0).floor()
            ),
        ),
        ("open", grouped(incident.open_items)),
        ("projects", one_line(&incident.projects.join(", ")).into_owned()),
        ("why", detail.why.clone()),
        ("acknowledged", if incident.acked { "yes" } else { "no" }.to_owned()),
    ];
    facts.extend(incident.assigned.iter().map(|name| ("assigned to", one_line(name).into_owned())));
    facts.extend(incident.links.get(PAGE).map(|link| ("link", one_line(link).into_owned())));
    vec![Section::Facts(facts), Section::Sheet(Sheet::titled("groups", &detail.members, MEMBERS))]
}
