//! `/`: what needs a person now, then what is open.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::console::desk::Desk;
use crate::console::error::PageError;
use crate::console::pages::{chart, incidents};
use crate::console::words::encoded;
use crate::model::group_state::GroupState;
use crate::notify::store_delivery::dead_channels;
use crate::report::filter::Filter;
use crate::report::format::layout::{counted, grouped};
use crate::report::rows::IncidentRow;
use crate::report::store::{groups, summary};
use crate::report::summary::SummaryRow;
use crate::reprocess::plans::draft::Draft;
use crate::reprocess::store::named::short;
use crate::reprocess::store::plan;

/// Hours that the chart shows.
const HOURS: i64 = 72;

/// Something that needs a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Need {
    what: String,
    detail: Option<String>,
    link: Option<String>,
    since: Option<Timestamp>,
    /// What retries can be resumed of: a group or a project; none where nothing is held.
    resume: Option<String>,
}

impl Need {
    fn new(what: String) -> Need {
        Need { what, detail: None, link: None, since: None, resume: None }
    }
}

#[derive(Serialize)]
struct Home {
    needs: Vec<Need>,
    /// Those that are open.
    incidents: Vec<IncidentRow>,
    summary: SummaryRow,
    open_groups: u64,
    chart: String,
}

/// Makes the page.
///
/// # Errors
/// The ledger cannot be read.
pub(crate) fn show(desk: &Desk<'_>) -> Result<String, PageError> {
    let since = desk.now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(desk.now);
    let filter = Filter { since: Some(since), ..Filter::default() };
    let view = desk.view(&filter)?;
    let summary = summary(&view, desk.console.setup().budget)?;
    let incidents = incidents::open(desk)?;
    let mut needs = of_incidents(desk, &incidents);
    needs.extend(paging(desk)?);
    needs.extend(decisions(&summary));
    for plan in plan::unapplied(view.connection, desk.now)? {
        let items = Draft::of(&plan)?.items;
        if items > 0 {
            let what = format!("Plan {}: {} to approve", short(&plan.plan_id), counted(items.into(), "item"));
            needs.push(Need {
                detail: Some(format!("by {}", plan.actor)),
                link: Some(format!("/p/{}", encoded(&plan.plan_id))),
                since: Some(plan.created_at),
                ..Need::new(what)
            });
        }
    }
    needs.extend(dead_channels(view.connection)?.into_iter().map(|channel| Need {
        detail: Some(
            "The newest digest could not be delivered: see `llama-triage report deliveries --failed`".to_owned(),
        ),
        ..Need::new(format!("Channel {channel} is dead"))
    }));
    needs.extend(summary.faults.iter().map(|fault| Need {
        detail: Some(fault.text.clone()),
        since: Some(fault.since),
        ..Need::new("llama-triage problem".to_owned())
    }));
    let open_groups = summary.groups.open() + summary.groups.given_up;
    let page = Home { needs, incidents, open_groups, chart: chart(desk, Filter::default(), HOURS)?, summary };
    desk.render("home.html", "Now", "Now", &page)
}

/// Open incidents that page and that no one has acknowledged.
fn of_incidents(desk: &Desk<'_>, incidents: &[IncidentRow]) -> Vec<Need> {
    let policy = &desk.console.setup().page;
    let pages = |incident: &&IncidentRow| !incident.acked && policy.incident(incident.items, incident.share).is_ok();
    let need = |incident: &IncidentRow| Need {
        detail: Some(format!(
            "{} of {} items failed in {}",
            grouped(incident.items),
            grouped(incident.ended_items),
            incident.projects.join(", ")
        )),
        link: Some(format!("/n/{}", encoded(&incident.incident_id))),
        since: Some(incident.started_at),
        ..Need::new(format!("PAGE: likely one incident of {}", counted(incident.groups.len() as u64, "group")))
    };
    incidents.iter().filter(pages).map(need).collect()
}

/// Open groups of a class that pages and that no one has acknowledged or silenced.
fn paging(desk: &Desk<'_>) -> Result<Vec<Need>, PageError> {
    let class: Vec<String> = desk.console.setup().page.classes.iter().cloned().collect();
    if class.is_empty() {
        return Ok(Vec::new());
    }
    let open = [GroupState::New, GroupState::Regressed, GroupState::Escalating, GroupState::Ongoing];
    let state = open.map(|state| state.as_str().to_owned()).to_vec();
    let filter = Filter { class, state, limit: Some(10), ..Filter::default() };
    let rows = groups(&desk.view(&filter)?)?.rows;
    let unknown = rows.into_iter().filter(|group| !group.acked && group.silenced_until.is_none());
    Ok(unknown
        .map(|group| Need {
            detail: Some(format!("{} open items of class {}", grouped(group.open_items), group.class)),
            link: Some(format!("/g/{}", encoded(&group.group_id))),
            since: Some(group.first_seen),
            ..Need::new(format!("PAGE: {}", group.title))
        })
        .collect())
}

/// What holds retries until a person says more.
fn decisions(summary: &SummaryRow) -> Vec<Need> {
    let waits = summary.holds.iter().filter(|hold| hold.until.is_none());
    waits
        .map(|hold| {
            let what = match hold.state.as_str() {
                "needs-decision" => format!("Retries of {} need a decision", hold.scope),
                state => format!("Retries of {} are held ({state})", hold.scope),
            };
            let project = hold.scope.strip_prefix("project:");
            Need {
                detail: hold.why.clone(),
                link: project.is_none().then(|| format!("/g/{}", encoded(&hold.scope))),
                resume: Some(encoded(project.unwrap_or(&hold.scope))),
                ..Need::new(what)
            }
        })
        .collect()
}
