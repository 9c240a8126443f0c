//! What people read, as snapshots of one busy morning.

use crate::notify::channels::{pagerduty, slack, teams};
use crate::notify::render::words::{headline, subject};
use crate::notify::render::{html, json, text};
use crate::notify::tests::mail::facts;
use crate::notify::tests::sample::{busy, still_open};
use crate::triage::digest::model::{Digest, Reason, Totals};
use crate::triage::digest::test_digest::trial;

fn pretty(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

#[test]
fn text() {
    insta::assert_snapshot!(text::render(&busy()));
}

#[test]
fn html() {
    insta::assert_snapshot!(html::page(&busy()));
}

#[test]
fn slack() {
    insta::assert_snapshot!(pretty(&slack::render(&busy(), &facts()).0));
}

#[test]
fn teams() {
    insta::assert_snapshot!(pretty(&teams::render(&busy(), &facts()).0));
}

#[test]
fn pagerduty() {
    let events: Vec<String> = pagerduty::preview(&busy()).lines().map(pretty).collect();
    insta::assert_snapshot!(events.join("\n"));
}

#[test]
fn webhook() {
    insta::assert_snapshot!(pretty(&json::render(&busy(), facts().tier).0));
}

#[test]
fn a_test_message_says_that_it_is_one() {
    let digest = trial("", "UTC", crate::notify::tests::sample::at("2026-08-23T07:00:00Z"));
    insta::assert_snapshot!(text::render(&digest));
}

#[test]
fn a_test_of_pagerduty_opens_an_alert_and_closes_it_at_once() {
    let digest = trial("", "UTC", crate::notify::tests::sample::at("2026-08-23T07:00:00Z"));
    let events: Vec<serde_json::Value> =
        pagerduty::events(&digest, "key").iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    let actions: Vec<&str> = events.iter().filter_map(|event| event["event_action"].as_str()).collect();
    assert_eq!(actions, ["trigger", "resolve"]);
    assert_eq!(events[0]["dedup_key"], events[1]["dedup_key"]);
    assert_eq!(events[0]["payload"]["severity"], "info");
}

#[test]
fn each_occasion_has_its_own_subject_and_headline() {
    let quiet = Digest {
        changes: Vec::new(),
        totals: Totals::default(),
        instance: String::new(),
        digest_id: "D-1".into(),
        faults: Vec::new(),
        ..busy()
    };
    let open = Totals { open_items: 7, open_groups: 2, ..Totals::default() };
    let nothing_new = Digest { totals: open, ..quiet.clone() };
    let mut reminder = nothing_new.clone();
    reminder.changes = vec![still_open("g-1", "Password needed", 7)];
    reminder.totals.other = 1;
    let mut grown = reminder.clone();
    grown.changes[0].reason = Reason::MoreItems;
    // Also of a group that pages when it is news.
    grown.changes[0].page = true;
    let baseline = Digest { baseline: true, ..nothing_new.clone() };
    // The inventory could not be delivered, and news came meanwhile.
    let mut late_baseline = baseline.clone();
    late_baseline.changes = vec![still_open("g-1", "Password needed", 7)];
    late_baseline.changes[0].reason = Reason::New;
    late_baseline.totals.new = 1;
    let mut resolved = quiet.clone();
    resolved.changes = vec![still_open("g-1", "Password needed", 0)];
    resolved.changes[0].reason = Reason::Resolved;
    resolved.totals.resolved = 1;
    let mut trouble = quiet.clone();
    trouble.faults = busy().faults;
    trouble.totals.faults = 1;
    for (digest, subject_line, headline_line) in [
        (&quiet, "[triage] all quiet - nothing open (D-1)", "All quiet: nothing is open"),
        (&nothing_new, "[triage] nothing new - 7 items open (D-1)", "Nothing new: 7 items open in 2 groups"),
        (&reminder, "[triage] reminder: still open - 7 items open (D-1)", "Still open: Password needed (7 items open)"),
        (&grown, "[triage] 1 known - 7 items open (D-1)", "1 open group has new failures: 7 items open in 2 groups"),
        (&baseline, "[triage] first inventory - 7 items open (D-1)", "First inventory: 7 items open in 2 groups"),
        (&late_baseline, "[triage] 1 new - 7 items open (D-1)", "New: Password needed (7 items open)"),
        (&resolved, "[triage] 1 resolved - 0 items open (D-1)", "Resolved: Password needed"),
        (&trouble, "[triage] 1 fault - 0 items open (D-1)", "llama-triage problem: project \"archive\" cannot be read"),
    ] {
        assert_eq!(subject(digest), subject_line);
        assert!(headline(digest).starts_with(headline_line), "{}", headline(digest));
    }
}

#[test]
fn empty_sections_vanish() {
    let quiet = Digest {
        changes: Vec::new(),
        still_open: Vec::new(),
        faults: Vec::new(),
        retries: None,
        budget: None,
        next_digest_at: None,
        remarks: Vec::new(),
        included: Vec::new(),
        left_out: Default::default(),
        silenced: Default::default(),
        totals: Totals::default(),
        ..busy()
    };
    let shown = text::render(&quiet);
    let page = html::page(&quiet);
    for word in ["Still open", "Retries", "Budget", "Silences", "Next digest", "Not listed", "TROUBLE"] {
        assert!(!shown.contains(word) && !page.contains(word), "{word}");
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn with_a_public_address_every_channel_leads_to_the_console() {
    let digest = Digest { public_url: Some("https://triage.example.com".into()), ..busy() };
    let group = &digest.changes[0];
    let (page, item) = (
        format!("https://triage.example.com/g/{}", group.group_id),
        format!("https://triage.example.com/i/{}", group.samples[0].item_id),
    );
    let open = format!("https://triage.example.com/d/{}", digest.digest_id);
    let mail = html::page(&digest);
    for link in [&page, &item, &open] {
        assert!(mail.contains(&format!("href=\"{link}\"")), "{link}");
    }
    assert!(mail.contains("line-height:46px") && mail.contains(">Open</a>"), "a button that a thumb can hit");
    assert!(text::render(&digest).contains(&format!("Open: {page}")));
    let slack = slack::render(&digest, &facts()).0;
    assert!(slack.contains(&format!("\"url\":\"{open}\"")) && slack.contains(&format!("<{page}|open>")), "{slack}");
    let teams = teams::render(&digest, &facts()).0;
    assert!(teams.contains("Action.OpenUrl") && teams.contains(&open) && teams.contains(&page), "{teams}");
    let first = pagerduty::preview(&digest);
    assert!(first.contains("\"client_url\":\"https://triage.example.com/g/"), "{first}");
    let body: serde_json::Value = serde_json::from_str(&json::render(&digest, facts().tier).0).unwrap();
    assert_eq!((&body["links"]["console"], &body["groups"][0]["links"]["console"]), (&open.into(), &page.into()));
    let only = Digest { changes: vec![group.clone()], ..digest };
    let body: serde_json::Value = serde_json::from_str(&json::render(&only, facts().tier).0).unwrap();
    assert_eq!(body["links"]["console"], body["groups"][0]["links"]["console"], "of one group it leads to the group");
}

#[test]
fn an_address_that_could_break_out_is_no_link() {
    let digest = Digest { public_url: Some("javascript:alert(1)//".into()), ..busy() };
    assert!(!html::page(&digest).contains("javascript:") && !text::render(&digest).contains("Open:"));
}

#[test]
fn addresses_of_the_api_are_called_what_they_are_and_left_out_where_the_console_shows_the_record() {
    let mut digest = busy();
    let api = "https://api.cloud.llamaindex.ai/api/v1/parsing/job/j1/details";
    let links = [("job", api), ("console", "https://cloud.llamaindex.ai/project/p/parse")];
    let links = links.map(|(name, url)| (name.to_owned(), url.to_owned()));
    digest.changes[0].samples[0].links = links.into();
    digest.changes[0].samples[0].job_id = Some("j1".into());
    let shown = |digest: &Digest| {
        let teams = teams::render(digest, &facts()).0;
        [html::page(digest), text::render(digest), slack::render(digest, &facts()).0, teams, pagerduty::preview(digest)]
    };
    for page in shown(&digest) {
        assert!(page.contains(api) && page.to_lowercase().contains("the api key"), "{page}");
    }
    let item = &digest.changes[0].samples[0].item_id;
    assert!(text::render(&digest).contains(&format!("llama-triage report record {item}")));
    let in_console = Digest { public_url: Some("https://triage.example.com".into()), ..digest };
    for page in shown(&in_console) {
        assert!(!page.contains(api) && !page.contains("report record"), "{page}");
    }
}

#[test]
fn every_channel_says_whom_a_group_is_assigned_to() {
    let mut digest = busy();
    let first = &mut digest.changes[0];
    (first.assigned, first.ticket) = (Some("Bo <b>".into()), Some("https://tickets.example/4711".into()));
    digest.still_open[0].assigned = Some("Cy".into());
    let text = text::render(&digest);
    assert!(
        text.contains("Assigned to Bo <b>: https://tickets.example/4711") && text.contains("Assigned to Cy"),
        "{text}"
    );
    let mail = html::page(&digest);
    assert!(mail.contains("<a href=\"https://tickets.example/4711\">Assigned to Bo &lt;b&gt;</a>"), "{mail}");
    let slack = slack::render(&digest, &facts()).0;
    assert!(slack.contains("<https://tickets.example/4711|Assigned to Bo &lt;b&gt;>"), "{slack}");
    assert!(teams::render(&digest, &facts()).0.contains("Assigned to Bo <b>"));
    assert!(pagerduty::preview(&digest).contains("\"assigned\":\"Bo <b>\""));
    let body: serde_json::Value = serde_json::from_str(&json::render(&digest, facts().tier).0).unwrap();
    assert_eq!(body["groups"][0]["ticket"], "https://tickets.example/4711");
}
