use crate::ledger::tests::seed::{Seed, t};
use crate::ledger::tests::steps::{self, Steps};
use crate::model::schedule::quiet::QuietHours;
use crate::notify::channels::pagerduty;
use crate::notify::render::words;
use crate::triage::digest::incident::{IncidentReason, IncidentState};
use crate::triage::tests::channels::paging_world;
use crate::triage::*;

/// A ledger with a mail and a pager, and a batch of so many items that completed within the first hour.
fn account(completed: u64) -> (Seed, TriageSettings) {
    let (seed, settings) = paging_world();
    work(&seed, "done", completed, (0, 60));
    (seed, settings)
}

/// A batch that completed so many items between two minutes.
fn work(seed: &Seed, batch: &str, completed: u64, (from, until): (i64, i64)) {
    seed.batch(batch, "completed");
    seed.run(
        "UPDATE batch SET total_items = ?2, processed_items = ?2, failed_items = 0, skipped_items = 0, started_at = ?3, completed_at = ?4
         WHERE batch_id = ?1",
        (batch, i64::try_from(completed).unwrap(), t(from).as_millisecond(), t(until).as_millisecond()),
    );
}

/// Groups `PREFIX0` to `PREFIXn` fail with so many items each, a minute apart.
fn outage(seed: &Seed, prefix: &str, groups: i64, items: u64, minute: i64) {
    (0..groups).for_each(|n| seed.fail(&format!("{prefix}{n}"), "b", items, t(minute + n)));
}

fn look(seed: &mut Seed, settings: &TriageSettings, minutes: i64) -> Option<Digest> {
    seed.scan(t(minutes));
    let digest = seed.write(|tx| triage_in(tx, settings, &TriageRequest::at(t(minutes)))).unwrap();
    seed.run("UPDATE delivery SET state = 'sent' WHERE state = 'pending'", []);
    digest
}

/// "n-… new open": each incident of a digest, without its id.
fn incidents(digest: &Option<Digest>) -> Vec<(IncidentReason, IncidentState, usize, u64)> {
    let entries = digest.iter().flat_map(|digest| &digest.incidents);
    entries.map(|entry| (entry.reason, entry.state, entry.groups.len(), entry.items)).collect()
}

/// What the pager was sent, an action and the end of its key for each event.
fn paged(seed: &Seed) -> Vec<String> {
    let mut statement =
        seed.connection.prepare("SELECT content FROM delivery WHERE channel = 'pager' ORDER BY created_at").unwrap();
    let contents = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let digests = contents.map(|text| digest_store::deserialize(&text.unwrap()).unwrap());
    let events = digests.flat_map(|digest| pagerduty::events(&digest, "key")).map(|event| {
        let event = serde_json::to_value(&event).unwrap();
        let key = event["dedup_key"].as_str().unwrap().rsplit("llama-triage/").next().unwrap();
        let end = key.split_once('/').unwrap().1;
        let subject = if end.starts_with("n-") { "incident" } else { end };
        format!("{} {subject}", event["event_action"].as_str().unwrap())
    });
    events.collect()
}

#[test]
fn groups_that_begin_together_are_one_incident_one_page_and_one_end() {
    let (mut seed, settings) = account(120);
    outage(&seed, "g", 5, 8, 10);
    let digest = look(&mut seed, &settings, 15);
    assert_eq!(incidents(&digest), [(IncidentReason::New, IncidentState::Open, 5, 40)]);
    let reported = digest.unwrap();
    let incident = &reported.incidents[0];
    // Within the least window of ten minutes the batch completed a sixth; what was seen of it by now counts.
    assert_eq!((incident.ended_items, incident.page, incident.started_at), (50, true, t(10)));
    assert!(reported.changes.iter().all(|entry| entry.incident_id.as_ref() == Some(&incident.incident_id)));
    assert_eq!(
        words::headline(&reported),
        "PAGE: likely one incident: 5 groups, 40 of 50 items failed since 10:10 in prod"
    );
    assert_eq!(look(&mut seed, &settings, 20), None);
    // Only work that began since, and completed, shows that it is over.
    assert_eq!(look(&mut seed, &settings, 50), None);
    work(&seed, "later", 30, (46, 58));
    let ended = look(&mut seed, &settings, 60);
    assert_eq!(incidents(&ended), [(IncidentReason::Resolved, IncidentState::Over, 5, 40)]);
    assert_eq!(paged(&seed), ["trigger incident", "resolve incident"]);
    seed.fail("other", "b", 1, t(80));
    let next = look(&mut seed, &settings, 95);
    assert_eq!(
        incidents(&next),
        [(IncidentReason::Resolved, IncidentState::Over, 5, 40)],
        "readers learn it with the next news"
    );
    seed.fail("another", "b", 1, t(120));
    assert_eq!(incidents(&look(&mut seed, &settings, 135)), []);
    let number = |sql: &str| seed.number(sql, "x");
    assert_eq!(number("SELECT count(*) FROM incident WHERE incident_id <> ?1"), 1);
    assert_eq!(number("SELECT ended_at FROM incident WHERE incident_id <> ?1"), t(14).as_millisecond());
}

#[test]
fn a_small_share_two_groups_and_broken_documents_are_none() {
    let (mut seed, settings) = account(60_000);
    outage(&seed, "g", 5, 8, 10);
    assert_eq!(incidents(&look(&mut seed, &settings, 15)), [], "a small share");
    let (mut seed, settings) = account(0);
    outage(&seed, "g", 2, 80, 10);
    assert_eq!(incidents(&look(&mut seed, &settings, 25)), [], "two groups");
    let (mut seed, settings) = account(0);
    outage(&seed, "g", 5, 8, 10);
    ["g0", "g1", "g2"].iter().for_each(|group| seed.set_class(group, "permanent-input"));
    assert_eq!(incidents(&look(&mut seed, &settings, 15)), [], "broken documents");
}

#[test]
fn an_incident_below_the_policy_pages_no_one_until_it_grows() {
    let (mut seed, settings) = account(0);
    outage(&seed, "g", 3, 3, 10);
    let first = look(&mut seed, &settings, 15);
    assert_eq!(incidents(&first), [(IncidentReason::New, IncidentState::Open, 3, 9)]);
    assert!(!first.unwrap().incidents[0].page && paged(&seed).is_empty());
    seed.fail("g0", "b", 12, t(17));
    let grown = look(&mut seed, &settings, 18);
    assert_eq!(incidents(&grown), [(IncidentReason::Escalated, IncidentState::Open, 3, 21)]);
    assert_eq!(paged(&seed), ["trigger incident"]);
    let mut never = settings.clone();
    never.page.incident_items = 0;
    outage(&seed, "h", 4, 30, 200);
    look(&mut seed, &never, 215);
    assert_eq!(paged(&seed), ["trigger incident"]);
}

#[test]
fn a_late_group_joins_and_a_later_cluster_is_another_incident() {
    let (mut seed, settings) = account(0);
    outage(&seed, "g", 3, 8, 10);
    look(&mut seed, &settings, 15);
    seed.fail("g1", "b", 4, t(30));
    seed.fail("late", "b", 3, t(35));
    let joined = look(&mut seed, &settings, 36);
    assert_eq!(incidents(&joined), [(IncidentReason::Known, IncidentState::Open, 4, 31)]);
    outage(&seed, "h", 3, 8, 50);
    let second = look(&mut seed, &settings, 65);
    assert_eq!(incidents(&second), [(IncidentReason::New, IncidentState::Open, 3, 24)]);
    assert_eq!(paged(&seed), ["trigger incident", "trigger incident"]);
}

#[test]
fn a_known_group_that_escalates_counts_as_one_that_begins() {
    let (mut seed, settings) = account(0);
    seed.fail("old", "b", 1, t(-200));
    look(&mut seed, &settings, -190);
    seed.fail("old", "b", 15, t(12));
    outage(&seed, "g", 2, 8, 10);
    let digest = look(&mut seed, &settings, 25);
    assert_eq!(incidents(&digest), [(IncidentReason::New, IncidentState::Open, 3, 31)]);
}

#[test]
fn acks_of_all_groups_acknowledge_the_page_and_silences_hold_it_back() {
    let (mut seed, settings) = account(0);
    outage(&seed, "g", 3, 10, 10);
    look(&mut seed, &settings, 15);
    seed.run(
        "INSERT INTO ack (group_key, episode, author, open_items, created_at) SELECT group_key, 1, 'ann', 10, ?1 FROM error_group",
        [t(16).as_millisecond()],
    );
    look(&mut seed, &settings, 17);
    assert_eq!(look(&mut seed, &settings, 18), None);
    assert_eq!(paged(&seed), ["trigger incident", "acknowledge incident"]);
    let (mut seed, settings) = account(0);
    seed.run(
        "INSERT INTO silence (matcher, author, reason, created_at, expires_at) VALUES ('{\"project\":\"prod\"}', 'ann', 'known', ?1, ?2)",
        [t(0).as_millisecond(), t(100).as_millisecond()],
    );
    outage(&seed, "g", 3, 10, 10);
    assert_eq!(look(&mut seed, &settings, 15), None);
    assert!(paged(&seed).is_empty());
}

#[test]
fn a_page_passes_quiet_hours_and_the_pause_between_digests() {
    let (mut seed, mut settings) = account(0);
    settings.quiet = Some(QuietHours::parse("10:00-12:00").unwrap());
    seed.batch("running", "running");
    (0..4).for_each(|n| seed.fail(&format!("g{n}"), "running", 6, t(10 + n)));
    seed.fail("plain", "running", 1, t(40));
    let digest = look(&mut seed, &settings, 15);
    assert_eq!(incidents(&digest), [(IncidentReason::New, IncidentState::Open, 4, 24)], "it waits for no batch");
    let (mut seed, mut settings) = account(0);
    settings.quiet = Some(QuietHours::parse("10:00-12:00").unwrap());
    settings.page.hours = Some(QuietHours::parse("08:00-10:00").unwrap());
    outage(&seed, "g", 4, 6, 10);
    assert_eq!(look(&mut seed, &settings, 15), None, "at this hour it is ordinary news");
}

#[test]
fn a_group_that_pages_alone_has_no_alert_beside_that_of_its_incident() {
    let (mut seed, settings) = account(0);
    outage(&seed, "g", 4, 6, 10);
    seed.set_class("g3", "account");
    look(&mut seed, &settings, 15);
    assert_eq!(paged(&seed), ["trigger incident"]);
    seed.fail("login", "b", 1, t(90));
    seed.set_class("login", "account");
    look(&mut seed, &settings, 91);
    assert_eq!(paged(&seed)[1..], ["trigger login/1"]);
}

#[test]
fn a_new_pager_opens_an_incident_that_is_open_and_the_old_one_s_end_is_sent_to_it() {
    let (mut seed, mut settings) = account(0);
    outage(&seed, "g", 4, 6, 10);
    look(&mut seed, &settings, 15);
    settings.routes[1].name = "second".into();
    look(&mut seed, &settings, 20);
    work(&seed, "later", 30, (21, 48));
    look(&mut seed, &settings, 50);
    let sent = |seed: &Seed| {
        let sql = "SELECT count(*) FROM delivery WHERE channel = ?1 AND content LIKE '%\"reason\":\"resolved\"%'";
        seed.number(sql, "second")
    };
    assert_eq!(sent(&seed), 1);
}

#[test]
fn what_failed_before_the_start_is_no_incident() {
    let (mut seed, settings) = account(0);
    seed.run("DELETE FROM meta WHERE name = 'baseline_digest'", []);
    outage(&seed, "g", 5, 8, -500);
    let first = look(&mut seed, &settings, 1);
    assert!(first.unwrap().baseline);
    assert_eq!(seed.number("SELECT count(*) FROM incident WHERE incident_id <> ?1", ""), 0);
}

/// The steps of two cycles while an incident of so many items is open, beside so many batches.
fn cycles(items: u64, batches: u64) -> Steps {
    let (mut seed, settings) = account(0);
    outage(&seed, "g", 3, 1, 10);
    (0..3).for_each(|n| seed.crowd(&format!("g{n}"), "b", items, t(10 + n)));
    seed.older_batches(batches);
    assert_eq!(look(&mut seed, &settings, 15).unwrap().incidents.len(), 1);
    steps::count(&mut seed.connection);
    let mut steps = Steps::new();
    // An hour later the last hour is empty, whose failures are counted for every open group.
    for minutes in [120, 125] {
        steps::take();
        look(&mut seed, &settings, minutes);
        for (sql, more) in steps::take() {
            *steps.entry(sql).or_default() += more;
        }
    }
    steps
}

#[test]
fn no_statement_of_a_cycle_grows_with_an_open_incident() {
    let mut grown = steps::grown(&cycles(900, 1), &cycles(3_600, 1));
    grown.extend(steps::grown(&cycles(1, 2_500), &cycles(1, 10_000)));
    grown.retain(|found| {
        !["SELECT count(*) FROM group_batch", "SELECT DISTINCT b.job_type"].iter().any(|sql| found.contains(sql))
    });
    assert_eq!(grown, Vec::<String>::new(), "{grown:#?}");
}
