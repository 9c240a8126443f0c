mod baseline;
pub(crate) mod channels;
#[cfg(test)]
pub(crate) mod growth;
mod incidents;
use std::collections::BTreeMap;

use crate::config::Config;
use crate::ledger::tests::seed::{Seed, t};
use crate::model::group_state::GroupState;
use crate::model::schedule::quiet::QuietHours;
use crate::triage::digest::channel_filter::Only;
use crate::triage::digest::model::Reason;
use crate::triage::settings::Route;

use super::*;

/// A ledger whose inventory was reported: empty, at minute 0.
fn world() -> (Seed, TriageSettings) {
    let mut seed = Seed::new();
    let mut settings = plain();
    settings.routes = vec![route("oncall", Only::default())];
    seed.scan(t(-60));
    seed.write(|tx| crate::ledger::meta::set_meta(tx, "baseline_digest", "none")).unwrap();
    seed.batch("b", "completed");
    (seed, settings)
}

fn plain() -> TriageSettings {
    let rules = crate::classify::rules::decide::Rules::parse("").unwrap();
    TriageSettings::new(&Config::default(), &rules, BTreeMap::new()).unwrap()
}

fn route(name: &str, only: Only) -> Route {
    Route { name: name.into(), only, pager: false }
}

fn at(seed: &mut Seed, settings: &TriageSettings, minutes: i64) -> Option<Digest> {
    seed.scan(t(minutes));
    seed.write(|tx| triage_in(tx, settings, &TriageRequest::at(t(minutes)))).unwrap()
}

/// "g new", one for each change.
fn changes(digest: &Option<Digest>) -> Vec<String> {
    let entries = digest.iter().flat_map(|digest| &digest.changes);
    entries.map(|entry| format!("{} {}", entry.group_id, entry.reason.as_str())).collect()
}

/// What a digest says of itself.
fn texts(digest: &Digest) -> Vec<String> {
    digest.remarks.iter().map(|remark| remark.text.clone()).collect()
}

#[test]
fn a_group_is_new_once_then_resolved_then_regressed() {
    let (mut seed, settings) = world();
    seed.fail("g", "b", 3, t(1));
    let first = at(&mut seed, &settings, 2);
    assert_eq!(changes(&first), ["g new"]);
    assert_eq!(first.as_ref().unwrap().digest_id, "D-20260601-01");
    assert_eq!(at(&mut seed, &settings, 30), None);
    seed.recover("g", t(40));
    // An end alone is not worth a mail; it comes with the next news.
    assert_eq!(at(&mut seed, &settings, 41), None);
    seed.fail("other", "b", 1, t(50));
    let second = at(&mut seed, &settings, 51);
    assert_eq!(changes(&second), ["other new", "g resolved"]);
    assert_eq!(second.unwrap().changes[1].why.as_deref(), Some("recovered 2026-06-01 10:40 UTC (by bjb-later)"));
    seed.fail("g", "b", 1, t(80));
    let third = at(&mut seed, &settings, 81);
    assert_eq!(changes(&third), ["g regressed"]);
    let entry = &third.unwrap().changes[0];
    assert_eq!((entry.episode, entry.state), (2, GroupState::Regressed));
    assert_eq!(at(&mut seed, &settings, 200), None);
}

#[test]
fn nothing_ends_by_a_time_that_is_in_doubt() {
    let (mut seed, settings) = world();
    seed.fail("g", "b", 1, t(1));
    at(&mut seed, &settings, 2);
    let year = 365 * 24 * 60;
    for (certain, open) in [(10, 1), (year, 0)] {
        let request = TriageRequest { certain: t(certain), ..TriageRequest::at(t(year)) };
        let told = seed.write(|tx| triage_in(tx, &settings, &request)).unwrap();
        assert_eq!(told.is_some(), open == 0, "a daily digest is due by the later time only");
        let sql = "SELECT count(*) FROM episode WHERE closed_at IS NULL";
        let found: i64 = seed.connection.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(found, open);
    }
}

#[test]
fn a_failure_seen_late_does_not_regress_what_ended_after_it() {
    let (mut seed, settings) = world();
    seed.fail("g", "b", 1, t(1));
    at(&mut seed, &settings, 2);
    seed.recover("g", t(40));
    seed.fail("other", "b", 1, t(41));
    assert_eq!(changes(&at(&mut seed, &settings, 42)), ["other new", "g resolved"]);
    seed.fail("g", "b", 1, t(30));
    let late = at(&mut seed, &settings, 60);
    assert_eq!(changes(&late), ["g more_items"]);
    assert_eq!(late.unwrap().changes[0].episode, 1);
}

#[test]
fn a_new_group_waits_for_its_batch_but_not_longer_than_ten_minutes() {
    let (mut seed, settings) = world();
    seed.batch("running", "running");
    seed.fail("g", "running", 1, t(1));
    assert_eq!(at(&mut seed, &settings, 2), None);
    assert_eq!(changes(&at(&mut seed, &settings, 11)), ["g new"]);
    seed.fail("h", "running", 1, t(30));
    assert_eq!(at(&mut seed, &settings, 31), None);
    seed.batch("running", "completed");
    assert_eq!(changes(&at(&mut seed, &settings, 32)), ["h new"]);
}

#[test]
fn news_within_a_quarter_of_an_hour_is_joined() {
    let (mut seed, settings) = world();
    seed.fail("g", "b", 1, t(1));
    assert!(at(&mut seed, &settings, 2).is_some());
    seed.fail("h", "b", 1, t(3));
    assert_eq!(at(&mut seed, &settings, 4), None);
    seed.fail("i", "b", 1, t(9));
    assert_eq!(changes(&at(&mut seed, &settings, 17)), ["h new", "i new"]);
}

#[test]
fn the_first_run_sends_one_inventory_and_no_new_failures() {
    let mut seed = Seed::new();
    let mut settings = plain();
    settings.routes = vec![route("oncall", Only::default())];
    seed.batch("b", "completed");
    for group in 0..30 {
        seed.fail(&format!("g{group:02}"), "b", 1 + group, t(-500));
    }
    seed.scan(t(0));
    let first = at(&mut seed, &settings, 0).unwrap();
    assert!(first.baseline && first.changes.iter().all(|entry| entry.reason == Reason::Baseline));
    assert_eq!((first.changes.len(), first.left_out.groups, first.totals.open_groups), (20, 10, 30));
    assert_eq!(first.changes[0].group_id, "g29");
    assert_eq!(at(&mut seed, &settings, 5), None);
    // The inventory does not use up the pause between digests.
    seed.fail("later", "b", 1, t(6));
    assert_eq!(changes(&at(&mut seed, &settings, 7)), ["later new"]);
}

#[test]
fn the_inventory_waits_for_a_complete_scan() {
    let mut seed = Seed::new();
    let settings = plain();
    seed.batch("b", "completed");
    seed.fail("g", "b", 1, t(-500));
    seed.run(
        "INSERT INTO scan (project_key, started_at, finished_at, complete) VALUES (1, ?1, ?1, 0)",
        [t(0).as_millisecond()],
    );
    let look = |seed: &mut Seed, m| seed.write(|tx| triage_in(tx, &settings, &TriageRequest::at(t(m)))).unwrap();
    assert_eq!(look(&mut seed, 1), None);
    assert!(look(&mut seed, 16).unwrap().baseline);
}

#[test]
fn quiet_hours_hold_digests_and_send_them_once_they_end() {
    let (mut seed, mut settings) = world();
    // 10:00 to 12:00 UTC is minute 0 to 120.
    settings.quiet = Some(QuietHours::parse("10:00-12:00").unwrap());
    seed.fail("g", "b", 1, t(1));
    seed.fail("gone", "b", 1, t(2));
    assert_eq!(at(&mut seed, &settings, 5), None);
    seed.recover("gone", t(30));
    seed.fail("login", "b", 1, t(40));
    seed.set_class("login", "account");
    assert_eq!(changes(&at(&mut seed, &settings, 41)), ["login new"]);
    assert_eq!(at(&mut seed, &settings, 60), None);
    let end = at(&mut seed, &settings, 120);
    assert_eq!(changes(&end), ["g new"]);
    let end = end.unwrap();
    let remarks = texts(&end).join(" ");
    assert!(!remarks.contains("login"), "{remarks}");
    // What was reported in between was a part only, so this one covers the night.
    assert_eq!((end.window.from, end.totals.new_items), (t(-60), 3));
}

#[test]
fn the_daily_digest_repeats_what_is_open_and_is_sent_once() {
    let (mut seed, settings) = world();
    seed.fail("g", "b", 2, t(1));
    at(&mut seed, &settings, 2);
    seed.fail("g", "b", 1, t(60));
    // 09:00 UTC of the next day is minute 1380; the group was reported 23 hours ago and has one more item.
    let daily = at(&mut seed, &settings, 1380).unwrap();
    assert!(daily.scheduled);
    assert_eq!(changes(&Some(daily)), ["g more_items"]);
    assert_eq!(at(&mut seed, &settings, 1385), None);
    let next = at(&mut seed, &settings, 1380 + 1440).unwrap();
    assert!(next.changes.is_empty());
    assert_eq!(next.still_open[0].reason, Reason::Reminder);
    assert_eq!(next.next_digest_at, Some(t(1380 + 2880)));
    seed.recover("g", t(3000));
    assert_eq!(changes(&at(&mut seed, &settings, 1380 + 2880)), ["g resolved"]);
    assert_eq!(at(&mut seed, &settings, 1380 + 3 * 1440), None);
}

#[test]
fn a_pager_gets_worker_faults_and_their_end() {
    let (mut seed, mut settings) = world();
    settings.routes = vec![Route { pager: true, ..route("pager", Only::default()) }];
    seed.fail("g", "b", 1, t(1));
    assert_eq!(changes(&at(&mut seed, &settings, 2)), ["g new"]);
    assert_eq!(seed.number("SELECT count(*) FROM delivery WHERE channel = ?1", "pager"), 0, "it pages nobody");
    seed.write(|tx| fault::raise(tx, "scan:prod", "cannot be read", t(20))).unwrap();
    assert_eq!(at(&mut seed, &settings, 21).unwrap().totals.faults, 1);
    seed.write(|tx| fault::clear(tx, "scan:prod", t(60))).unwrap();
    let daily = at(&mut seed, &settings, 1380).unwrap();
    assert_eq!((daily.totals.faults, daily.faults[0].ended), (0, true), "a trouble that is over counts no more");
    assert_eq!(
        seed.number("SELECT count(*) FROM delivery WHERE channel = ?1", "pager"),
        2,
        "the end at once, and not again"
    );
}

#[test]
fn times_are_reported_in_the_readers_zone() {
    let (mut seed, mut settings) = world();
    settings.zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    seed.fail("g", "b", 1, t(1));
    at(&mut seed, &settings, 2);
    seed.recover("g", t(40));
    at(&mut seed, &settings, 41);
    seed.fail("g", "b", 1, t(60));
    let back = at(&mut seed, &settings, 61).unwrap();
    let why = "regressed; last time: recovered 2026-06-01 12:40 CEST (by bjb-later)";
    assert_eq!(back.changes[0].why.as_deref(), Some(why));
    // The daily one was due at 09:00 Berlin time, which is minute 1260; an hour and a half is late.
    let daily = at(&mut seed, &settings, 1350).unwrap();
    assert_eq!(daily.remarks[0].text, "This digest was due 2026-06-02 09:00 CEST and is late.");
    assert!(daily.remarks[1].text.contains("from 2026-06-01 13:01 CEST to 2026-06-02 10:30 CEST"));
    let punctual = at(&mut seed, &settings, 1260 + 1440 + 50).unwrap();
    assert!(!punctual.remarks.iter().any(|remark| remark.text.contains("late")), "{:?}", punctual.remarks);
}

#[test]
fn each_channel_gets_what_it_asked_for_even_if_it_is_not_among_the_largest() {
    let (mut seed, mut settings) = world();
    settings.groups = 1;
    settings.routes.push(route("small", Only { groups: vec!["small".into()], ..Only::default() }));
    settings.routes.push(route("none", Only { groups: vec!["other".into()], ..Only::default() }));
    seed.fail("large", "b", 9, t(1));
    seed.fail("small", "b", 1, t(1));
    let digest = at(&mut seed, &settings, 2).unwrap();
    assert_eq!((digest.changes.len(), digest.left_out.groups), (1, 1));
    let content = seed.text("SELECT content FROM delivery WHERE channel = ?1", "small");
    let small = digest_store::deserialize(&content).unwrap();
    assert_eq!(changes(&Some(small.clone())), ["small new"]);
    assert_eq!(small.changes[0].samples[0].item_id, "small-1");
    assert_eq!(seed.number("SELECT count(*) FROM delivery WHERE channel = ?1", "none"), 0);
}

#[test]
fn escalation_is_reported_with_its_arithmetic_and_only_once() {
    let (mut seed, settings) = world();
    seed.fail("g", "b", 3, t(1));
    at(&mut seed, &settings, 2);
    seed.fail("g", "b", 9, t(20));
    let told = at(&mut seed, &settings, 21);
    assert_eq!(changes(&told), ["g escalated"]);
    let entry = told.unwrap().changes.remove(0);
    assert_eq!(entry.why.as_deref(), Some("12 open items, 3 at the last digest; alert at 10"));
    assert_eq!((entry.state, entry.new_items), (GroupState::Escalating, 9));
    assert_eq!(at(&mut seed, &settings, 60), None);
}

#[test]
fn the_calm_before_an_escalation_fires_again_begins_below_its_limit() {
    let (mut seed, settings) = world();
    seed.fail("g", "b", 3, t(1));
    at(&mut seed, &settings, 2);
    seed.fail("g", "b", 27, t(20));
    assert_eq!(changes(&at(&mut seed, &settings, 21)), ["g escalated"]);
    // Thirty are open for two days; then all but five recover, and an hour later there are twelve again.
    for hours in 1..48 {
        at(&mut seed, &settings, 21 + 60 * hours);
    }
    seed.run("UPDATE item SET state = 'recovered', recovered_at = 0 WHERE item_key > 5", []);
    seed.run("UPDATE error_group SET open_items = 5", []);
    seed.run("UPDATE announcement SET open_items = 5", []);
    at(&mut seed, &settings, 2900);
    seed.fail("g", "b", 7, t(2960));
    assert_eq!(at(&mut seed, &settings, 2961), None, "a day below the limit had not passed");
}

#[test]
fn a_dry_run_changes_nothing() {
    let (mut seed, settings) = world();
    seed.fail("g", "b", 3, t(1));
    let tx = seed.connection.transaction().unwrap();
    assert!(triage_in(&tx, &settings, &TriageRequest::at(t(2))).unwrap().is_some());
    drop(tx);
    assert_eq!(seed.number("SELECT count(*) FROM digest WHERE digest_id <> ?1", ""), 0);
    assert_eq!(changes(&at(&mut seed, &settings, 2)), ["g new"]);
}

#[test]
fn a_digest_with_running_retries_is_followed_by_their_outcome() {
    let (mut seed, settings) = world();
    seed.fail("g", "b", 1, t(1));
    at(&mut seed, &settings, 2);
    for n in 3..6 {
        seed.retried("g", n, "running", "h", 0);
    }
    seed.run("UPDATE attempt SET finished_at = NULL", []);
    let retries = |seed: &mut Seed, group: &str, minute| {
        seed.fail(group, "b", 1, t(minute));
        let digest = at(seed, &settings, minute + 1).unwrap();
        digest.retries.map(|told| (told.attempts, told.running, told.recovered, told.failed_same))
    };
    assert_eq!(retries(&mut seed, "h", 30), Some((3, 3, 0, 0)));
    seed.run(
        "UPDATE attempt SET outcome = 'recovered', finished_at = ?1 WHERE attempt_id = 'i3'",
        [t(40).as_millisecond()],
    );
    seed.run(
        "UPDATE attempt SET outcome = 'failed_same', finished_at = ?1 WHERE attempt_id = 'i4'",
        [t(41).as_millisecond()],
    );
    assert_eq!(retries(&mut seed, "i", 50), Some((3, 1, 1, 1)));
    assert_eq!(retries(&mut seed, "j", 70), Some((1, 1, 0, 0)), "what was told has been told");
}

#[test]
fn each_batch_that_fails_as_a_whole_is_news_however_many_did_before() {
    let (mut seed, settings) = world();
    seed.fail("lost", "b", 0, t(1));
    let lose = |seed: &Seed, batch: &str, minutes: i64| {
        seed.batch(batch, "failed");
        seed.run("UPDATE batch SET total_items = 900 WHERE batch_id = ?1", [batch]);
        seed.fail_item(batch, "lost", batch, t(minutes));
    };
    lose(&seed, "bjb-1", 1);
    assert_eq!(at(&mut seed, &settings, 2).unwrap().changes[0].reason, Reason::New);
    lose(&seed, "bjb-2", 40);
    lose(&seed, "bjb-3", 41);
    let news = at(&mut seed, &settings, 42).expect("each is news").changes.remove(0);
    let why = "2 batches failed as a whole since the last digest, with 1800 items";
    assert_eq!((news.reason, news.why.as_deref()), (Reason::Escalated, Some(why)));
    assert_eq!(at(&mut seed, &settings, 60), None, "once");
}

#[test]
fn a_lasting_fault_is_reported_once_a_day_and_not_at_every_request() {
    let (mut seed, settings) = world();
    seed.write(|tx| fault::raise(tx, "scan:prod", "cannot be read", t(1))).unwrap();
    let mut told = |minutes: i64, by_hand: bool| {
        seed.scan(t(minutes));
        let request = TriageRequest { by_hand, ..TriageRequest::at(t(minutes)) };
        let digest = seed.write(|tx| triage_in(tx, &settings, &request)).unwrap();
        digest.map_or(0, |digest| digest.faults.len())
    };
    assert_eq!([told(2, true), told(3, true), told(4, true)], [1, 0, 0]);
    assert_eq!([told(1380, false), told(1381, true)], [1, 0]);
}

#[test]
fn a_digest_by_a_clock_in_doubt_says_so() {
    let (mut seed, settings) = world();
    seed.fail("g", "b", 3, t(1));
    let mut remarks = |certain: i64, group: &str| {
        seed.fail(group, "b", 1, t(2));
        let request = TriageRequest { by_hand: true, certain: t(certain), ..TriageRequest::at(t(20)) };
        texts(&seed.write(|tx| triage_in(tx, &settings, &request)).unwrap().unwrap())
    };
    assert_eq!(remarks(2, "g"), [CLOCK_IN_DOUBT]);
    assert_eq!(remarks(20, "h"), [""; 0]);
}
