//! PagerDuty Events v2: one alert for each paging incident, and for each episode of another paging group, resolved when it ends.
//!
//! An ack is mirrored once; Events v2 has no way to take it back.
//! Every event has its key, so that sending one again changes nothing. Worker faults are alerts too.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};

use crate::config::channel::Region;
use crate::model::fault::Fault;
use crate::model::group_state::GroupState;
use crate::model::text::{count, cut_end};
use crate::notify::channels::http::{Http, HttpResponse, Plaintext};
use crate::notify::delivery::{DeliveryFacts, Receipt};
use crate::notify::error::NotifyError;
use crate::notify::http_answer::BodyFormat;
use crate::notify::render::incident_words;
use crate::notify::render::links::{first_page, page, safe_link};
use crate::notify::render::sample_view::sample_links;
use crate::notify::render::times::DisplayZone;
use crate::notify::render::view::items_command;
use crate::notify::render::words::{self, short};
use crate::triage::digest::incident::{IncidentEntry, IncidentReason};
use crate::triage::digest::model::{Digest, GroupEntry};
use crate::triage::digest::size_limit::Tier;
use crate::triage::digest::test_digest::is_trial;

/// Where the events of an account go, by its service region.
pub(crate) fn address(region: Region) -> &'static str {
    match region {
        Region::Us => "https://events.pagerduty.com/v2/enqueue",
        Region::Eu => "https://events.eu.pagerduty.com/v2/enqueue",
    }
}

/// Characters of a summary (<https://developer.pagerduty.com/docs/ZG9jOjExMDI5NTgx-send-an-alert-event>).
pub(crate) const SUMMARY: usize = 1_024;
/// Characters of a dedup key.
pub(crate) const KEY: usize = 255;

/// Groups and projects of an incident that an event names.
const GROUPS: usize = 20;

/// A PagerDuty integration.
pub(crate) struct Pagerduty {
    pub(crate) http: Http,
    routing_key: SecretString,
}

impl Pagerduty {
    /// Checks the address and that the routing key has the right length.
    pub(crate) fn new(
        channel: &str,
        address: &SecretString,
        routing_key: SecretString,
        limit: Duration,
    ) -> Result<Pagerduty, NotifyError> {
        let key = routing_key.expose_secret().trim();
        if key.len() != 32 || !key.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(NotifyError::Settings(format!(
                "channel \"{channel}\": a routing key has 32 letters and digits; use the Integration Key of an Events API v2 integration"
            )));
        }
        Ok(Pagerduty {
            http: Http::new(channel, address, Plaintext::OnLoopback, limit)?,
            routing_key: SecretString::from(key),
        })
    }

    /// Sends each event that is not done yet. One that PagerDuty rejects does not hold up the others, or a page would
    /// wait behind it for good; any other failure stops them.
    pub(crate) async fn deliver(&self, digest: &Digest, facts: &DeliveryFacts) -> Result<Receipt, NotifyError> {
        let mut done = facts.done.clone();
        let (mut sent, mut refused) = (0, Vec::new());
        for event in events(digest, self.routing_key.expose_secret()) {
            let key = event.done_key();
            if done.contains(&key) {
                continue;
            }
            match self.send(&event).await {
                Ok(()) => {
                    done.push(key);
                    sent += 1;
                }
                Err(error) if error.is_of_content() || error.too_large() => refused.push((key, error)),
                Err(error) => return Err(error.after(done)),
            }
        }
        if done.is_empty()
            && let Some((_, error)) = refused.pop()
        {
            return Err(error);
        }
        let mut receipt = Receipt::new(format!("{} accepted", count(sent, "event", "events")), Tier::Full);
        receipt.refused = refused.iter().map(|(key, error)| format!("{key}: {error}")).collect();
        receipt.done = done;
        Ok(receipt)
    }

    async fn send(&self, event: &PagerDutyEvent) -> Result<(), NotifyError> {
        let body = serde_json::to_string(event).expect("string keys and no numbers");
        let answer = self.http.post(body, &[]).await.map_err(not_unclear)?;
        // Its words may repeat the event, which holds the routing key.
        let key = self.routing_key.expose_secret();
        let answer = HttpResponse { body: answer.body.replace(key, "[masked]"), ..answer };
        self.http.judge(&answer, BodyFormat::Read).map_err(not_unclear)
    }
}

/// Sending an event again changes nothing, so that a page need not be sparing with tries that may have arrived.
fn not_unclear(error: NotifyError) -> NotifyError {
    match error {
        NotifyError::Unclear { peer, why } => {
            NotifyError::Deferred { peer, why: format!("no answer: {why}"), retry_after: None }
        }
        other => other,
    }
}

/// One call to the Events API.
#[derive(Serialize)]
pub(crate) struct PagerDutyEvent {
    routing_key: String,
    event_action: &'static str,
    dedup_key: String,
    client: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<Payload>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Value>,
}

#[derive(Serialize)]
struct Payload {
    summary: String,
    source: String,
    severity: &'static str,
    timestamp: String,
    component: &'static str,
    group: String,
    class: String,
    custom_details: Value,
}

impl PagerDutyEvent {
    /// What [`NotifyError::done`] calls this event.
    fn done_key(&self) -> String {
        format!("{} {}", self.event_action, self.dedup_key)
    }
}

/// All events as the preview shows them, one a line.
pub(crate) fn preview(digest: &Digest) -> String {
    let lines = events(digest, "[routing key]")
        .iter()
        .map(|event| serde_json::to_string(event).expect("string keys and no numbers") + "\n")
        .collect::<String>();
    if lines.is_empty() {
        return "nothing in this digest opens, acknowledges or resolves an alert\n".to_owned();
    }
    lines
}

/// The events of a digest: resolves first, because people who were paged wait for them.
///
/// A made-up digest opens an alert and closes it at once, so that the whole way is tried and nothing stays open.
/// Only paging groups have alerts, so whoever builds the digest keeps `page` on the end of what had paged.
pub(crate) fn events(digest: &Digest, routing_key: &str) -> Vec<PagerDutyEvent> {
    if is_trial(digest) {
        let pair = |entry| [trigger_group(digest, entry, routing_key), resolve(routing_key, group_key(digest, entry))];
        return digest.changes.iter().flat_map(pair).collect();
    }
    let paging = || digest.changes.iter().filter(|entry| entry.page);
    let is_end = |entry: &GroupEntry| entry.state == GroupState::Resolved;
    let ends = paging().filter(|entry| is_end(entry)).map(|entry| resolve(routing_key, group_key(digest, entry)));
    let starts = paging().filter(|entry| !is_end(entry)).map(|entry| trigger_group(digest, entry, routing_key));
    let faults = digest.faults.iter().map(|fault| match fault.ended {
        true => resolve(routing_key, fault_key(digest, fault)),
        false => trigger_fault(digest, fault, routing_key),
    });
    let taken = digest.taken.iter().map(|entry| acknowledge(routing_key, group_key(digest, entry)));
    let incidents = digest.incidents.iter().filter_map(|entry| of_incident(digest, entry, routing_key));
    ends.chain(incidents).chain(starts).chain(taken).chain(faults).collect()
}

/// The event of an incident; none if it does not page, or nothing of it is news.
fn of_incident(digest: &Digest, entry: &IncidentEntry, routing_key: &str) -> Option<PagerDutyEvent> {
    let key = || incident_key(digest, entry);
    match entry.reason {
        _ if !entry.page => None,
        IncidentReason::New | IncidentReason::Escalated => Some(trigger_incident(digest, entry, routing_key)),
        IncidentReason::Resolved => Some(resolve(routing_key, key())),
        IncidentReason::Acked => Some(acknowledge(routing_key, key())),
        IncidentReason::Known => None,
    }
}

fn incident_key(digest: &Digest, entry: &IncidentEntry) -> String {
    key(digest, entry.alert_scope.as_deref(), &entry.incident_id)
}

fn group_key(digest: &Digest, entry: &GroupEntry) -> String {
    key(digest, entry.alert_scope.as_deref(), &format!("{}/{}", entry.group_id, entry.episode))
}

fn fault_key(digest: &Digest, fault: &Fault) -> String {
    key(digest, fault.alert_scope.as_deref(), &format!("fault/{}", fault.fault))
}

/// The scope is that under which the alert was opened, whatever the ledger is called since.
/// The end distinguishes alerts, so a long scope is cut and the end stays.
fn key(digest: &Digest, scope: Option<&str>, end: &str) -> String {
    let scope = cut_end(scope.unwrap_or_else(|| digest.alert_scope()), 60);
    short(&format!("llama-triage/{scope}/{}", short(end, 150)), KEY)
}

fn resolve(routing_key: &str, dedup_key: String) -> PagerDutyEvent {
    PagerDutyEvent {
        routing_key: routing_key.to_owned(),
        event_action: "resolve",
        dedup_key,
        client: "llama-triage",
        client_url: None,
        payload: None,
        links: Vec::new(),
    }
}

/// PagerDuty cannot undo an acknowledgement: a withdrawn or broken ack is not reported.
fn acknowledge(routing_key: &str, dedup_key: String) -> PagerDutyEvent {
    PagerDutyEvent { event_action: "acknowledge", ..resolve(routing_key, dedup_key) }
}

fn trigger_group(digest: &Digest, entry: &GroupEntry, routing_key: &str) -> PagerDutyEvent {
    let why = entry.why.iter().map(|why| format!("; {}", short(why, 200))).collect::<String>();
    let summary = format!(
        "{}: {} ({}{why})",
        words::capitalized(words::reason_word(entry.reason)),
        short(&entry.title, 300),
        words::group_counts(entry),
    );
    let sample = entry.samples.first();
    let details = json!({
        "group_id": short(&entry.group_id, 100),
        "digest_id": short(&digest.digest_id, 100),
        "decided_at": digest.created_at.to_string(),
        "class": short(&entry.class, 60),
        "cause": entry.cause.as_deref().map(|text| short(text, 300)),
        "note": entry.note.as_deref().map(|text| short(text, 500)),
        "assigned": entry.assigned.as_deref().map(|name| short(name, 100)),
        "message": sample.and_then(|s| s.error_message.as_deref()).map(|text| short(text, 300)),
        "sample_item": sample.map(|s| short(&s.item_name, 120)),
        "sample_job": sample.and_then(|s| s.job_id.as_deref()).map(|id| short(id, 100)),
        "first_seen": entry.first_seen.to_string(),
        "last_seen": entry.last_seen.to_string(),
        "details": format!("llama-triage report group {}", short(&entry.group_id, 100)),
        "see_all": items_command(entry),
    });
    let (open, with_key) = sample.map(|s| sample_links(s, digest.public_url.as_deref())).unwrap_or_default();
    let own = [("runbook", &entry.runbook), ("ticket", &entry.ticket)];
    let own = own.into_iter().filter_map(|(name, url)| Some((name.to_owned(), safe_link(url.as_deref()?)?.to_owned())));
    let with_key = with_key.into_iter().map(|(name, url)| (format!("{name} (needs the API key)"), url));
    let named = own.chain(open).chain(with_key).take(6);
    let links = named.map(|(name, url)| json!({ "href": url, "text": name })).collect();
    let severity = if is_trial(digest) { "info" } else { "critical" };
    let payload = payload(digest, summary, severity, &entry.last_seen.to_string(), details);
    PagerDutyEvent {
        payload: Some(Payload { class: short(&entry.class, 60), group: short(&entry.group_id, 100), ..payload }),
        event_action: "trigger",
        client_url: page(digest.public_url.as_deref(), "g", &entry.group_id),
        links,
        ..resolve(routing_key, group_key(digest, entry))
    }
}

fn trigger_incident(digest: &Digest, entry: &IncidentEntry, routing_key: &str) -> PagerDutyEvent {
    let line = incident_words::line(entry, digest, &DisplayZone::new(&digest.zone));
    let causes = incident_words::causes(&entry.classes);
    let incident_id = short(&entry.incident_id, 100);
    let details = json!({
        "incident_id": incident_id,
        "digest_id": short(&digest.digest_id, 100),
        "decided_at": digest.created_at.to_string(),
        "groups": entry.groups.iter().take(GROUPS).map(|id| short(id, 100)).collect::<Vec<_>>(),
        "projects": entry.projects.iter().take(GROUPS).map(|name| short(name, 100)).collect::<Vec<_>>(),
        "items": entry.items,
        "ended_items": entry.ended_items,
        "open_items": entry.open_items,
        "why": short(&entry.why, 400),
        "assigned": entry.assigned.as_deref().map(|name| short(name, 100)),
        "details": format!("llama-triage report incident {incident_id}"),
        "acknowledge": format!("llama-triage group ack {incident_id}"),
    });
    let summary = format!("Incident: {line} ({causes})");
    let payload = payload(digest, summary, "critical", &entry.started_at.to_string(), details);
    PagerDutyEvent {
        payload: Some(Payload { group: incident_id, ..payload }),
        event_action: "trigger",
        client_url: page(digest.public_url.as_deref(), "n", &entry.incident_id),
        ..resolve(routing_key, incident_key(digest, entry))
    }
}

fn trigger_fault(digest: &Digest, fault: &Fault, routing_key: &str) -> PagerDutyEvent {
    let summary = format!("llama-triage problem: {}", short(&fault.text, 400));
    let details = json!({ "fault": short(&fault.fault, 100), "digest_id": short(&digest.digest_id, 100) });
    PagerDutyEvent {
        payload: Some(payload(digest, summary, "error", &fault.since.to_string(), details)),
        event_action: "trigger",
        client_url: first_page(digest.public_url.as_deref()),
        ..resolve(routing_key, fault_key(digest, fault))
    }
}

fn payload(digest: &Digest, summary: String, severity: &'static str, at: &str, details: Value) -> Payload {
    let source = match short(&digest.instance, 60) {
        name if name.is_empty() => "llama-triage".to_owned(),
        name => format!("llama-triage {name}"),
    };
    Payload {
        summary: cut_end(&summary, SUMMARY).into_owned(),
        source,
        severity,
        timestamp: at.to_owned(),
        component: "llama-triage",
        group: String::new(),
        class: String::new(),
        custom_details: details,
    }
}
