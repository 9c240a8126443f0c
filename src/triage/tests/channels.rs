use std::collections::BTreeMap;

use crate::config::Config;
use crate::ledger::tests::seed::{Seed, t};
use crate::model::group_state::GroupState;
use crate::model::schedule::quiet::QuietHours;
use crate::triage::digest::channel_filter::Only;
use crate::triage::digest::remark::Remark;
use crate::triage::settings::{Route, TriageSettings};
use crate::triage::tests::texts;
use crate::triage::*;

/// A ledger whose inventory was reported, with a mail and a pager.
pub(crate) fn paging_world() -> (Seed, TriageSettings) {
    let mut seed = Seed::new();
    let rules = crate::classify::rules::decide::Rules::parse("").unwrap();
    let mut settings = TriageSettings::new(&Config::default(), &rules, BTreeMap::new()).unwrap();
    settings.routes = vec![route("mail", false), route("pager", true)];
    seed.scan(t(-60));
    seed.write(|tx| crate::ledger::meta::set_meta(tx, "baseline_digest", "none")).unwrap();
    seed.batch("b", "completed");
    (seed, settings)
}

fn route(name: &str, pager: bool) -> Route {
    Route { name: name.into(), only: Only::default(), pager }
}

fn look(seed: &mut Seed, settings: &TriageSettings, minutes: i64) -> Option<Digest> {
    seed.scan(t(minutes));
    seed.write(|tx| triage_in(tx, settings, &TriageRequest::at(t(minutes)))).unwrap()
}

fn all_sent(seed: &Seed) {
    seed.run("UPDATE delivery SET state = 'sent' WHERE state = 'pending'", []);
}

fn contents(seed: &Seed, channel: &str) -> Vec<Digest> {
    let sql =
        "SELECT content FROM delivery WHERE channel = ?1 AND state <> 'superseded' ORDER BY created_at, delivery_id";
    let mut statement = seed.connection.prepare(sql).unwrap();
    let rows = statement.query_map([channel], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|text| digest_store::deserialize(&text.unwrap()).unwrap()).collect()
}

/// What a channel was sent, a line for each message: news, `=` what is only listed, `!` faults.
pub(crate) fn sent_to(seed: &Seed, channel: &str) -> Vec<String> {
    let said = contents(seed, channel).into_iter().map(|digest| {
        let changes = digest.changes.iter().map(|e| format!("{} {}/{}", e.state.as_str(), e.group_id, e.episode));
        let listed = digest.still_open.iter().map(|e| format!("={}", e.group_id));
        let faults = digest.faults.iter().map(|f| format!("!{}{}", f.fault, if f.ended { " over" } else { "" }));
        changes.chain(listed).chain(faults).collect::<Vec<_>>().join(", ")
    });
    said.collect()
}

pub(crate) fn paged(seed: &Seed) -> Vec<String> {
    sent_to(seed, "pager")
}

fn page(seed: &Seed, group: &str, minutes: i64) {
    seed.fail(group, "b", 1, t(minutes));
    seed.set_class(group, "account");
}

/// Mail and pager know of a paging group and of a plain one.
fn with_open() -> (Seed, TriageSettings) {
    let (mut seed, settings) = paging_world();
    page(&seed, "login", 1);
    seed.fail("plain", "b", 3, t(1));
    look(&mut seed, &settings, 2).unwrap();
    all_sent(&seed);
    (seed, settings)
}

#[test]
fn undelivered_digests_of_a_renamed_channel_are_sent_under_its_new_name() {
    let (mut seed, mut settings) = paging_world();
    page(&seed, "login", 1);
    seed.fail("plain", "b", 3, t(1));
    look(&mut seed, &settings, 2).unwrap();
    // Neither took it: one waits, one may have arrived. Both get other names.
    seed.run("UPDATE delivery SET uncertain = 1, done = '[\"x\"]' WHERE channel = 'pager'", []);
    settings.routes = vec![route("post", false), route("oncall", true)];
    let told = look(&mut seed, &settings, 5).unwrap();
    assert_eq!(sent_to(&seed, "post"), ["new login/1, new plain/1"]);
    assert_eq!(sent_to(&seed, "oncall"), ["new login/1"]);
    let content = contents(&seed, "post").remove(0);
    let said = texts(&content).join(" ");
    assert!(said.contains("Channel mail was removed from the configuration"), "{said}");
    assert_eq!(content.included, ["D-20260601-01"]);
    let states = "SELECT count(*) FROM delivery WHERE digest_id <> ?1 AND state = 'superseded'";
    assert_eq!(seed.number(states, &told.digest_id), 2);
    all_sent(&seed);
    assert_eq!(look(&mut seed, &settings, 6), None);
    // The new pager ends what the old one opened, under the key that it was opened with.
    seed.recover("login", t(10));
    look(&mut seed, &settings, 11).unwrap();
    assert_eq!(sent_to(&seed, "oncall").last().unwrap(), "resolved login/1");
    let scopes: Vec<_> = contents(&seed, "oncall").iter().map(|digest| digest.changes[0].alert_scope.clone()).collect();
    assert!(scopes[0].is_some() && scopes[0] == scopes[1], "{scopes:?}");
}

#[test]
fn undelivered_digests_of_a_removed_channel_are_sent_to_those_that_lack_them() {
    let (mut seed, mut settings) = paging_world();
    settings.routes.push(route("chat", false));
    look(&mut seed, &settings, 0);
    page(&seed, "login", 1);
    look(&mut seed, &settings, 2).unwrap();
    seed.run("UPDATE delivery SET state = 'sent' WHERE channel = 'chat'", []);
    // Chat has the news already; no other pager exists, so the channels for people get the pager's news.
    settings.routes = vec![route("chat", false)];
    assert_eq!(look(&mut seed, &settings, 3), None);
    assert_eq!(sent_to(&seed, "chat"), ["new login/1"]);
    assert_eq!(seed.number("SELECT count(*) FROM delivery WHERE state <> ?1", "superseded"), 1);
    seed.fail("plain", "b", 1, t(20));
    let said = texts(&look(&mut seed, &settings, 21).unwrap()).join(" ");
    assert!(said.contains("Channel mail was removed from the configuration 2026-06-01 10:03 UTC."), "{said}");
    assert!(said.contains("llama-triage cannot resolve the alert it opened: resolve it there"), "{said}");
    assert_eq!(seed.number("SELECT count(*) FROM audit WHERE action = ?1", "channel-removed"), 2);
}

#[test]
fn an_undelivered_page_passes_quiet_hours_and_other_digests_wait() {
    let (mut seed, mut settings) = paging_world();
    seed.fail("plain", "b", 3, t(1));
    look(&mut seed, &settings, 2).unwrap();
    page(&seed, "login", 3);
    settings.quiet = Some(QuietHours::parse("10:00-11:00").unwrap());
    look(&mut seed, &settings, 4).unwrap();
    settings.routes = vec![route("post", false), route("oncall", true)];
    look(&mut seed, &settings, 5).unwrap();
    assert_eq!(sent_to(&seed, "oncall"), ["new login/1"]);
    // The mail's page took the older news along, as it would have under its own name.
    assert_eq!(sent_to(&seed, "post"), ["new login/1, new plain/1"]);
    let (mut seed, mut settings) = paging_world();
    seed.fail("plain", "b", 3, t(1));
    look(&mut seed, &settings, 2).unwrap();
    settings.quiet = Some(QuietHours::parse("10:00-11:00").unwrap());
    settings.routes = vec![route("post", false)];
    assert_eq!(look(&mut seed, &settings, 5), None);
    look(&mut seed, &settings, 61).unwrap();
    assert_eq!(sent_to(&seed, "post"), ["new plain/1"]);
}

#[test]
fn a_page_that_only_readers_were_to_get_passes_quiet_hours_under_a_new_name() {
    let (mut seed, mut settings) = paging_world();
    settings.routes = vec![route("mail", false)];
    seed.fail("plain", "b", 3, t(1));
    page(&seed, "login", 1);
    look(&mut seed, &settings, 2).unwrap();
    settings.quiet = Some(QuietHours::parse("10:00-11:00").unwrap());
    settings.routes = vec![route("post", false)];
    look(&mut seed, &settings, 5).unwrap();
    assert_eq!(sent_to(&seed, "post"), ["new login/1, new plain/1"]);
    let pages = "SELECT count(*) FROM delivery WHERE channel = ?1 AND page = 1 AND state = 'pending'";
    assert_eq!(seed.number(pages, "post"), 1);
}

#[test]
fn what_a_new_channel_is_not_shown_is_counted_once() {
    let (mut seed, mut settings) = paging_world();
    (0..30).for_each(|n| seed.fail(&format!("g{n:02}"), "b", 2, t(1)));
    look(&mut seed, &settings, 2).unwrap();
    settings.routes = vec![route("post", false)];
    look(&mut seed, &settings, 3).unwrap();
    let first = contents(&seed, "post").remove(0);
    assert_eq!((first.changes.len(), first.left_out.groups, first.left_out.items), (20, 10, 20));
}

#[test]
fn a_channel_that_is_gone_needs_no_repair() {
    let (mut seed, mut settings) = with_open();
    seed.run("UPDATE delivery SET state = 'dead' WHERE channel = 'mail'", []);
    seed.write(|tx| fault::raise(tx, "delivery:mail", "did not take it", t(3))).unwrap();
    let dead = |seed: &Seed| crate::service::store_health::read(&seed.connection).unwrap().dead_channels;
    assert_eq!(dead(&seed), ["mail"]);
    settings.routes.remove(0);
    look(&mut seed, &settings, 4);
    assert_eq!((dead(&seed).len(), fault::active_with_prefix(&seed.connection, "delivery:").unwrap().len()), (0, 0));
}

#[test]
fn a_filter_that_no_successor_passes_drops_nothing() {
    let (mut seed, mut settings) = paging_world();
    seed.fail("plain", "b", 3, t(1));
    look(&mut seed, &settings, 2).unwrap();
    let only = Only { classes: vec!["account".into()], ..Only::default() };
    settings.routes = vec![Route { only, ..route("chat", false) }];
    look(&mut seed, &settings, 5).unwrap();
    assert_eq!(sent_to(&seed, "chat"), ["new plain/1"]);
}

#[test]
fn a_try_that_is_under_way_is_waited_for() {
    let (mut seed, mut settings) = paging_world();
    seed.fail("plain", "b", 3, t(1));
    look(&mut seed, &settings, 2).unwrap();
    seed.run("UPDATE delivery SET state = 'sending', lease_until = ?1", [t(17).as_millisecond()]);
    settings.routes = vec![route("post", false)];
    look(&mut seed, &settings, 3);
    assert_eq!(sent_to(&seed, "post"), ["=plain"], "it is new, and lists what is open");
    all_sent(&seed);
    look(&mut seed, &settings, 18);
    assert_eq!(sent_to(&seed, "post").len(), 1, "it has the news meanwhile");
    assert_eq!(seed.number("SELECT count(*) FROM delivery WHERE state = ?1", "sending"), 0);
}

#[test]
fn the_first_message_of_a_new_channel_lists_what_is_open() {
    let (mut seed, mut settings) = with_open();
    settings.routes.push(route("chat", false));
    let only = Only { states: vec![GroupState::New], ..Only::default() };
    settings.routes.push(Route { only, ..route("news", false) });
    look(&mut seed, &settings, 5).unwrap();
    assert_eq!(sent_to(&seed, "chat"), ["=login, =plain"]);
    let first = contents(&seed, "chat").remove(0);
    assert!(first.remarks[0].text.starts_with("This channel is new:"), "{:?}", first.remarks);
    assert_eq!(first.still_open[1].samples.len(), 3);
    assert!(first.baseline, "its headline is that of an inventory, not that nothing is new");
    assert_eq!((sent_to(&seed, "mail").len(), sent_to(&seed, "news").len()), (1, 0));
    all_sent(&seed);
    // It uses up no pause, and the others read of the new channel with the next news.
    seed.fail("other", "b", 1, t(17));
    let next = look(&mut seed, &settings, 18).unwrap();
    assert_eq!(sent_to(&seed, "chat").last().unwrap(), "new other/1");
    assert!(
        next.remarks.contains(&Remark::channels("Channel chat was added 2026-06-01 10:05 UTC.")),
        "{:?}",
        next.remarks
    );
    all_sent(&seed);
    seed.fail("third", "b", 1, t(40));
    assert!(look(&mut seed, &settings, 41).unwrap().remarks.is_empty(), "once");
}

#[test]
fn a_new_pager_opens_what_is_open_and_not_known_of() {
    let (mut seed, mut settings) = with_open();
    page(&seed, "quota", 20);
    page(&seed, "acked", 20);
    seed.write(|tx| fault::raise(tx, "scan:prod", "cannot be read", t(20))).unwrap();
    look(&mut seed, &settings, 21).unwrap();
    all_sent(&seed);
    seed.run(
        "INSERT INTO ack (group_key, episode, author, open_items, created_at)
         SELECT group_key, 1, 'ann', 1, ?1 FROM error_group WHERE group_id = 'acked'",
        [t(22).as_millisecond()],
    );
    look(&mut seed, &settings, 23);
    all_sent(&seed);
    settings.quiet = Some(QuietHours::parse("10:00-12:00").unwrap());
    settings.routes.push(route("second", true));
    look(&mut seed, &settings, 25).unwrap();
    assert_eq!(sent_to(&seed, "second"), ["ongoing login/1, ongoing quota/1"], "worker faults wait for the morning");
    all_sent(&seed);
    assert_eq!(look(&mut seed, &settings, 26), None);
    look(&mut seed, &settings, 121).unwrap();
    assert_eq!(sent_to(&seed, "second").last().unwrap(), "!scan:prod");
    all_sent(&seed);
    seed.recover("login", t(122));
    look(&mut seed, &settings, 123).unwrap();
    assert_eq!(sent_to(&seed, "second").last().unwrap(), "resolved login/1");
    assert_eq!(paged(&seed).last().unwrap(), "resolved login/1");
}

#[test]
fn a_new_ledger_sends_nothing_and_a_new_channel_with_nothing_open_gets_nothing() {
    let (mut seed, mut settings) = paging_world();
    assert_eq!(look(&mut seed, &settings, 0), None);
    seed.fail("plain", "b", 1, t(1));
    assert!(look(&mut seed, &settings, 2).unwrap().remarks.is_empty());
    all_sent(&seed);
    seed.recover("plain", t(3));
    look(&mut seed, &settings, 4);
    settings.routes.push(route("chat", false));
    assert_eq!(look(&mut seed, &settings, 5), None);
    seed.fail("next", "b", 1, t(20));
    look(&mut seed, &settings, 21).unwrap();
    assert_eq!(sent_to(&seed, "chat"), ["new next/1, resolved plain/1"]);
}

#[test]
fn what_a_digest_says_beside_its_news_survives_that_all_readers_are_renamed() {
    let (mut seed, mut settings) = with_open();
    settings.routes.remove(1);
    // It lists open groups without news; no channel gets it before the next rename.
    seed.scan(t(30));
    seed.write(|tx| triage_in(tx, &settings, &TriageRequest { by_hand: true, ..TriageRequest::at(t(30)) }))
        .unwrap()
        .unwrap();
    for (minutes, name) in [(31, "post"), (32, "letters"), (33, "paper")] {
        settings.routes = vec![route(name, false)];
        look(&mut seed, &settings, minutes).unwrap();
    }
    let said = contents(&seed, "paper").pop().unwrap().remarks;
    let left = "llama-triage cannot resolve the alert it opened: resolve it there";
    assert_eq!(said.iter().filter(|remark| remark.text.contains(left)).count(), 1, "{said:?}");
    all_sent(&seed);
    settings.routes.push(route("chat", false));
    look(&mut seed, &settings, 40).unwrap();
    all_sent(&seed);
    settings.routes.remove(0);
    assert_eq!(look(&mut seed, &settings, 41), None, "what arrived is owed to nobody");
}
