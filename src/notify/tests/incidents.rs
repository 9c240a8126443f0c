//! Incidents as every channel shows them.

use crate::notify::channels::{pagerduty, slack, teams};
use crate::notify::render::words::{headline, subject};
use crate::notify::render::{html, json, text};
use crate::notify::tests::mail::facts;
use crate::notify::tests::sample::{at, busy};
use crate::triage::digest::incident::{IncidentEntry, IncidentReason, IncidentState};
use crate::triage::digest::model::{Digest, GroupEntry, Reason};
use crate::triage::digest::size_limit::Tier;

fn incident(reason: IncidentReason) -> IncidentEntry {
    let is_over = reason == IncidentReason::Resolved;
    IncidentEntry {
        incident_id: "n-0123456789".into(),
        reason,
        state: if is_over { IncidentState::Over } else { IncidentState::Open },
        page: true,
        started_at: at("2026-08-23T06:33:00Z"),
        ended_at: is_over.then(|| at("2026-08-23T06:51:00Z")),
        projects: vec!["archive".into(), "invoices".into()],
        groups: (0..5).map(|n| format!("g-{n}")).collect(),
        items: 147,
        ended_items: 270,
        share: 0.5444,
        open_items: 140,
        classes: [("transient".to_owned(), 120), ("unknown".to_owned(), 27)].into(),
        why: "5 groups began within 4 min".into(),
        acked: false,
        assigned: None,
        alert_scope: None,
    }
}

/// A digest with an incident of five groups, and one group beside it.
fn digest(reason: IncidentReason) -> Digest {
    let base = GroupEntry { reason: Reason::New, page: false, ..busy().changes[0].clone() };
    let member = |n| GroupEntry {
        group_id: format!("g-{n}"),
        title: format!("member {n} of it"),
        incident_id: Some("n-0123456789".into()),
        ..base.clone()
    };
    let beside = GroupEntry { group_id: "g-beside".into(), title: "beside it".into(), ..base.clone() };
    let mut digest = Digest { incidents: vec![incident(reason)], faults: Vec::new(), ..busy() };
    digest.changes = (0..5).map(member).chain([beside]).collect();
    digest.still_open.clear();
    digest
}

#[test]
fn an_incident_is_one_headline_one_subject_and_one_block() {
    let reported = digest(IncidentReason::New);
    let line = "5 groups, 147 of 270 items failed since 08:33 in archive, invoices";
    assert_eq!(headline(&reported), format!("PAGE: likely one incident: {line}"));
    assert_eq!(subject(&reported), "[triage prod] PAGE: incident: 147 of 270 items failed in 5 groups");
    let shown = text::render(&reported);
    assert_eq!(shown.matches(line).count(), 2, "headline and block: {shown}");
    for part in
        ["54 % of what ended in that time: 120 temporary, 27 cause unclear", "llama-triage group ack n-0123456789"]
    {
        assert!(shown.contains(part), "{shown}");
    }
    let of_members = |shown: &str| (0..5).map(|n| shown.matches(&format!("member {n} of it")).count()).max();
    let cards = [slack::render(&reported, &facts()).0, teams::render(&reported, &facts()).0, html::page(&reported)];
    for shown in std::iter::once(&shown).chain(&cards) {
        assert!(shown.contains(line) && shown.contains("beside it"), "{shown}");
        assert!(shown.contains("llama-triage group ack n-0123456789"), "{shown}");
        assert_eq!(of_members(shown), Some(1), "each group once: {shown}");
    }
}

#[test]
fn the_end_of_an_incident_says_how_long_it_was() {
    let mut reported = digest(IncidentReason::Resolved);
    reported.changes.clear();
    let line = "5 groups, 147 of 270 items failed from 08:33 to 08:51 (18 min) in archive, invoices";
    assert_eq!(headline(&reported), format!("Incident resolved: {line}"));
    let shown = text::render(&reported);
    assert!(shown.contains(&format!("INCIDENT RESOLVED: {line}")) && !shown.contains("group ack"), "{shown}");
}

#[test]
fn pagerduty_gets_one_event_for_an_incident_under_its_own_key() {
    let actions = |reason| {
        let events = pagerduty::events(&digest(reason), "key");
        let events = events.iter().map(|event| serde_json::to_value(event).unwrap());
        events.map(|event| format!("{} {}", event["event_action"], event["dedup_key"])).collect::<Vec<_>>()
    };
    let key = "\"llama-triage/3f9c2ab14d5e6f70/n-0123456789\"";
    assert_eq!(actions(IncidentReason::New), [format!("\"trigger\" {key}")]);
    assert_eq!(actions(IncidentReason::Escalated), [format!("\"trigger\" {key}")]);
    assert_eq!(actions(IncidentReason::Acked), [format!("\"acknowledge\" {key}")]);
    assert_eq!(actions(IncidentReason::Resolved), [format!("\"resolve\" {key}")]);
    assert_eq!(actions(IncidentReason::Known), [""; 0]);
}

#[test]
fn webhooks_list_incidents_and_say_which_groups_are_of_them() {
    let (body, _) = json::render(&digest(IncidentReason::New), Tier::Full);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let listed = &body["incidents"][0];
    assert_eq!(
        (&listed["incident_id"], &listed["state"], &listed["items"]),
        (&"n-0123456789".into(), &"open".into(), &147.into())
    );
    assert_eq!(body["groups"][0]["incident_id"], "n-0123456789");
    assert_eq!(body["reasons"][0], "new");
}

#[test]
fn an_incident_of_many_groups_fits_into_a_mail() {
    let mut reported = digest(IncidentReason::New);
    let member = reported.changes[0].clone();
    reported.changes = (0..200).map(|n| GroupEntry { group_id: format!("g-{n}"), ..member.clone() }).collect();
    let (page, _, _) = html::render(&reported, Tier::Full);
    assert!(page.len() <= html::MOST_BYTES, "{}", page.len());
    assert!(slack::render(&reported, &facts()).0.contains("n-0123456789"));
}
