//! A digest as JSON: the body of the generic webhook and the `.json` file.
//!
//! Its fields are a contract; outside text is data here and stays as it is.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::model::fault::Fault;
use crate::model::text::cut_middle;
use crate::notify::render::links::page;
use crate::notify::render::view::open_link;
use crate::notify::render::words;
use crate::triage::digest::build::incident_reason;
use crate::triage::digest::incident::IncidentEntry;
use crate::triage::digest::model::{Digest, GroupEntry, LeftOut, Reason, RetrySummary, Silenced, Totals, Window};
use crate::triage::digest::size_limit::{Tier, fit};

/// The most bytes of a body: what common receivers accept.
pub(crate) const MOST_BYTES: usize = 256_000;
/// Groups and projects of an incident that are named.
const NAMED: usize = 200;
/// Faults and remarks listed; `totals.faults` is complete.
const LISTED: usize = 20;

#[derive(Serialize)]
struct WebhookBody<'a> {
    schema_version: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    digest_id: &'a str,
    global_id: String,
    ledger_id: &'a str,
    instance: String,
    created_at: jiff::Timestamp,
    zone: &'a str,
    headline: String,
    reasons: Vec<&'static str>,
    page: bool,
    scheduled: bool,
    baseline: bool,
    window: Window,
    ledger_as_of: Option<jiff::Timestamp>,
    next_digest_at: Option<jiff::Timestamp>,
    totals: Totals,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    links: BTreeMap<&'static str, String>,
    incidents: Vec<IncidentBody>,
    groups: Vec<GroupBody<'a>>,
    still_open: Vec<GroupBody<'a>>,
    truncated: LeftOut,
    faults: Vec<Fault>,
    retries: Option<RetrySummary>,
    silenced: Silenced,
    budget: Option<String>,
    remarks: Vec<String>,
}

/// A group with its links.
#[derive(Serialize)]
struct GroupBody<'a> {
    #[serde(flatten)]
    entry: &'a GroupEntry,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    links: BTreeMap<&'static str, String>,
}

/// An incident with its links.
#[derive(Serialize)]
struct IncidentBody {
    #[serde(flatten)]
    entry: IncidentEntry,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    links: BTreeMap<&'static str, String>,
}

/// No tier drops the first incident, so its texts are cut.
fn incident(digest: &Digest, entry: &IncidentEntry) -> IncidentBody {
    let first = |names: &[String]| names.iter().take(NAMED).map(|name| cut_middle(name, 60).into_owned()).collect();
    let entry = IncidentEntry {
        incident_id: cut(&entry.incident_id),
        projects: first(&entry.projects),
        groups: first(&entry.groups),
        classes: entry.classes.iter().map(|(class, items)| (cut(class), *items)).collect(),
        why: cut(&entry.why),
        assigned: entry.assigned.as_deref().map(cut),
        alert_scope: None,
        ..entry.clone()
    };
    IncidentBody { links: links(page(digest.public_url.as_deref(), "n", &entry.incident_id)), entry }
}

fn group<'a>(digest: &Digest, entry: &'a GroupEntry) -> GroupBody<'a> {
    GroupBody { entry, links: links(page(digest.public_url.as_deref(), "g", &entry.group_id)) }
}

fn links(console: Option<String>) -> BTreeMap<&'static str, String> {
    console.map(|console| ("console", console)).into_iter().collect()
}

/// The largest body that obeys [`MOST_BYTES`], beginning at a tier, with the tier it has.
pub(crate) fn render(digest: &Digest, largest: Tier) -> (String, Tier) {
    let mut tier = largest;
    loop {
        let body = body(&fit(digest, tier));
        match tier.smaller() {
            Some(smaller) if body.len() > MOST_BYTES => tier = smaller,
            _ => return (body, tier),
        }
    }
}

/// Why there is a digest at all: each reason once, most urgent first.
pub(crate) fn reasons(digest: &Digest) -> Vec<&'static str> {
    let mut reasons: Vec<Reason> = Vec::new();
    let mut add = |reason| {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    };
    if digest.baseline {
        add(Reason::Baseline);
    }
    digest.incidents.iter().filter_map(|entry| incident_reason(entry.reason)).for_each(&mut add);
    digest.changes.iter().for_each(|entry| add(entry.reason));
    if !digest.faults.is_empty() {
        add(Reason::WorkerFault);
    }
    if reasons.is_empty() {
        let quiet = digest.totals.is_all_clear();
        reasons.push(if quiet { Reason::Heartbeat } else { Reason::Reminder });
    }
    reasons.into_iter().map(Reason::as_str).collect()
}

/// What no tier drops is cut instead, so that the smallest tier always fits.
fn cut(text: &str) -> String {
    cut_middle(text, 500).into_owned()
}

fn cut_fault(fault: &Fault) -> Fault {
    Fault { fault: cut(&fault.fault), text: cut(&fault.text), alert_scope: None, ..fault.clone() }
}

fn body(digest: &Digest) -> String {
    serde_json::to_string(&view(digest)).expect("string keys and finite numbers only")
}

/// The same as a value for templates, in which `links` is always there.
pub(crate) fn value(digest: &Digest) -> Value {
    let mut body = serde_json::to_value(view(digest)).expect("string keys and finite numbers only");
    let add_links = |entry: &mut Value| {
        if entry["links"].is_null() {
            entry["links"] = Value::Object(serde_json::Map::new());
        }
    };
    add_links(&mut body);
    for list in ["groups", "still_open"] {
        body[list].as_array_mut().into_iter().flatten().for_each(add_links);
    }
    body
}

fn view(digest: &Digest) -> WebhookBody<'_> {
    WebhookBody {
        schema_version: digest.schema_version,
        kind: "digest",
        digest_id: &digest.digest_id,
        global_id: digest.global_id(),
        ledger_id: &digest.ledger_id,
        instance: cut(&digest.instance),
        created_at: digest.created_at,
        zone: &digest.zone,
        headline: words::headline(digest),
        reasons: reasons(digest),
        page: digest.changes.iter().any(words::is_page),
        scheduled: digest.scheduled,
        baseline: digest.baseline,
        window: digest.window,
        ledger_as_of: digest.ledger_as_of,
        next_digest_at: digest.next_digest_at,
        totals: digest.totals,
        links: links(open_link(digest)),
        incidents: digest.incidents.iter().take(LISTED).map(|entry| incident(digest, entry)).collect(),
        groups: digest.changes.iter().map(|entry| group(digest, entry)).collect(),
        still_open: digest.still_open.iter().map(|entry| group(digest, entry)).collect(),
        truncated: digest.left_out,
        faults: digest.faults.iter().take(LISTED).map(cut_fault).collect(),
        retries: digest.retries,
        silenced: digest.silenced,
        budget: digest.budget.as_deref().map(cut),
        remarks: words::remarks(digest).iter().take(LISTED).map(|remark| cut(remark)).collect(),
    }
}
