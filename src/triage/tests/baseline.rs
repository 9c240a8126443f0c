use crate::ledger::tests::seed::{Seed, t};
use crate::triage::digest::channel_filter::Only;
use crate::triage::settings::{Route, TriageSettings};
use crate::triage::tests::channels::{paged, paging_world, sent_to};
use crate::triage::*;

/// A new ledger whose two old items answered 401, with a mail and a pager.
fn installed() -> (Seed, TriageSettings) {
    let (mut seed, settings) = paging_world();
    seed.write(|tx| tx.execute("DELETE FROM meta WHERE name = 'baseline_digest'", []).map(drop)).unwrap();
    seed.run("DELETE FROM scan", []);
    seed.run("UPDATE project SET first_seen = ?1", [t(0).as_millisecond()]);
    old(&seed, "hook", 2, 0);
    (seed, settings)
}

/// Items that failed before their project was first scanned, of a class that pages; seen in this minute.
fn old(seed: &Seed, group: &str, n: u64, seen: i64) {
    seed.fail(group, "b", n, t(-500));
    let row = "UPDATE observation SET first_seen = ?1 WHERE first_seen = event_at AND event_at = ?2";
    seed.run(row, [t(seen).as_millisecond(), t(-500).as_millisecond()]);
    seed.run("UPDATE item SET baseline = 1 WHERE last_seen <= ?1", [t(0).as_millisecond()]);
    seed.set_class(group, "account");
}

fn look(seed: &mut Seed, settings: &TriageSettings, minutes: i64) -> Option<Digest> {
    seed.scan(t(minutes));
    let digest = seed.write(|tx| triage_in(tx, settings, &TriageRequest::at(t(minutes)))).unwrap();
    seed.run("UPDATE delivery SET state = 'sent'", []);
    digest
}

fn reasons(digest: &Option<Digest>) -> Vec<String> {
    let entries = digest.iter().flat_map(|digest| &digest.changes);
    entries.map(|e| format!("{} {}{}", e.group_id, e.reason.as_str(), if e.page { " PAGE" } else { "" })).collect()
}

#[test]
fn installing_pages_no_one_until_something_fails_anew() {
    let (mut seed, mut settings) = installed();
    settings.quiet = Some(crate::model::schedule::quiet::QuietHours::parse("10:30-11:30").unwrap());
    let first = look(&mut seed, &settings, 1);
    assert_eq!(reasons(&first), ["hook baseline"]);
    assert!(first.unwrap().baseline && paged(&seed).is_empty());
    // The same old items, a day later and day after day, and by other rules.
    seed.write(|tx| crate::ledger::meta::set_meta(tx, "turned_paging", r#"["hook"]"#)).unwrap();
    for minutes in [20, 1380, 1381, 2820] {
        assert!(reasons(&look(&mut seed, &settings, minutes)).is_empty(), "{minutes}");
    }
    assert!(paged(&seed).is_empty());
    // A new failure pages, through quiet hours and on every channel.
    seed.fail("hook", "b", 1, t(2930));
    assert_eq!(reasons(&look(&mut seed, &settings, 2931)), ["hook new PAGE"]);
    assert_eq!(paged(&seed), ["new hook/1"]);
    assert!(reasons(&look(&mut seed, &settings, 2940)).is_empty());
}

#[test]
fn what_fails_while_the_first_scan_runs_is_inventory_too() {
    let (mut seed, settings) = installed();
    seed.fail("hook", "b", 1, t(1));
    assert_eq!(reasons(&look(&mut seed, &settings, 2)), ["hook baseline"]);
    assert!(reasons(&look(&mut seed, &settings, 1380)).is_empty());
    assert!(paged(&seed).is_empty());
    seed.fail_item("hook-1", "hook", "b", t(1390));
    seed.run("UPDATE item SET baseline = 0 WHERE item_id = 'hook-1'", []);
    assert_eq!(reasons(&look(&mut seed, &settings, 1391)), ["hook new PAGE"]);
}

#[test]
fn old_failures_that_are_found_later_are_inventory_and_no_growth() {
    let (mut seed, settings) = installed();
    look(&mut seed, &settings, 1);
    // A project that is watched since, or a longer look-back: a group of its own, and more of one that people know.
    seed.run("INSERT INTO project (project_key, name, first_seen) VALUES (2, 'later', ?1)", [t(60).as_millisecond()]);
    old(&seed, "quota", 40, 61);
    old(&seed, "hook", 200, 61);
    assert!(reasons(&look(&mut seed, &settings, 61)).is_empty(), "its first scan is awaited");
    seed.run(
        "INSERT INTO scan (project_key, started_at, finished_at, complete) VALUES (2, ?1, ?1, 1)",
        [t(62).as_millisecond()],
    );
    let later = look(&mut seed, &settings, 63);
    assert_eq!(reasons(&later), ["quota baseline"]);
    assert!(later.unwrap().remarks.iter().any(|remark| remark.text.contains("before their project was first scanned")));
    assert!(paged(&seed).is_empty());
    seed.fail("quota", "b", 1, t(70));
    assert_eq!(reasons(&look(&mut seed, &settings, 71)), ["quota new PAGE"]);
}

#[test]
fn a_filter_never_turns_an_inventory_into_a_page() {
    let (mut seed, mut settings) = installed();
    let only = Only { classes: vec!["account".into()], ..Only::default() };
    settings.routes = vec![Route { name: "pager".into(), only, pager: true }];
    look(&mut seed, &settings, 1);
    assert!(sent_to(&seed, "pager").is_empty() && paged(&seed).is_empty());
}

#[test]
fn a_failure_of_the_first_hour_sends_no_page_and_a_later_one_does() {
    let (mut seed, settings) = installed();
    seed.write(|tx| fault::raise(tx, "clock", "the clock is ahead", t(0))).unwrap();
    assert_eq!(look(&mut seed, &settings, 1).unwrap().faults.len(), 1, "people read of it");
    assert!(paged(&seed).is_empty(), "{:?}", paged(&seed));
    seed.write(|tx| fault::raise(tx, "scan:prod", "cannot be read", t(100))).unwrap();
    look(&mut seed, &settings, 120).unwrap();
    assert_eq!(paged(&seed), ["!scan:prod"]);
}
