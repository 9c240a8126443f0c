//! `/incidents` and `/n/ID`: groups that began to fail together.

use serde::Serialize;

use crate::console::desk::{Desk, Paging, ROWS, offset, page_of};
use crate::console::error::PageError;
use crate::console::pages::Pairs;
use crate::console::words::encoded;
use crate::report::detail::IncidentDetail;
use crate::report::filter::Filter;
use crate::report::rows::{GroupRow, IncidentRow};
use crate::report::store::{groups, incident, incidents};
use crate::triage::digest::incident::IncidentState;

/// The actions on the open groups of an incident, in the order of the page.
const ACTS: [(&str, &str); 3] = [("ack", "Acknowledge"), ("silence", "Silence"), ("assign", "Assign")];

#[derive(Serialize)]
struct Incidents {
    incidents: Vec<IncidentRow>,
    paging: Paging,
}

#[derive(Serialize)]
struct Page {
    incident: IncidentDetail,
    groups: Vec<GroupRow>,
    /// Name, label and address of each action; empty where no group is open.
    acts: Vec<(&'static str, &'static str, String)>,
}

/// Makes the list.
///
/// # Errors
/// The ledger cannot be read.
pub(crate) fn list(desk: &Desk<'_>, query: &Pairs) -> Result<String, PageError> {
    let page = page_of(query);
    let all = incidents(&desk.view(&Filter::default())?)?;
    let (first, count) = (usize::try_from(offset(page)).unwrap_or(usize::MAX), all.len() as u64);
    let shown: Vec<IncidentRow> =
        all.into_iter().skip(first).take(usize::try_from(ROWS).unwrap_or(usize::MAX)).collect();
    let paging = Paging::new(page, shown.len() as u64, Some(count), &[]);
    desk.render("incidents.html", "Incidents", "Incidents", &Incidents { incidents: shown, paging })
}

/// Makes the page of one.
///
/// # Errors
/// There is no such incident, or the ledger cannot be read.
pub(crate) fn show(desk: &Desk<'_>, id: &str) -> Result<String, PageError> {
    let incident = incident(&desk.view(&Filter::default())?, id)?;
    let group = incident.incident.groups.clone();
    let groups = groups(&desk.view(&Filter { group, ..Filter::default() })?)?.rows;
    let open: String = groups
        .iter()
        .filter(|group| group.open_items > 0)
        .map(|group| format!("&id={}", encoded(&group.group_id)))
        .collect();
    let acts = if open.is_empty() { &[][..] } else { &ACTS };
    let acts = acts.iter().map(|(name, label)| (*name, *label, format!("act={name}{open}"))).collect();
    let title = format!("Incident {}", incident.incident.incident_id);
    desk.render("incident.html", &title, "Incidents", &Page { incident, groups, acts })
}

/// The incidents that are open, newest first.
///
/// # Errors
/// The ledger cannot be read.
pub(crate) fn open(desk: &Desk<'_>) -> Result<Vec<IncidentRow>, PageError> {
    let state = vec![IncidentState::Open.as_str().to_owned()];
    Ok(incidents(&desk.view(&Filter { state, ..Filter::default() })?)?)
}
