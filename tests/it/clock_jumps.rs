//! A host's clock that is wrong by an hour, a year or decades: nothing is ended, muted, lost or wrongly dated by it.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::simulator::{Date, FaultRule, InjectedFault, Options, World, WorldBuilder};

use crate::clock::{Clock, LIBRARY, is_announced, scans};
use crate::serve::{Serving, command, terminate, wait_for};
use crate::site::{Site, files};

const YEAR: i64 = 365 * 24 * 60;

/// Minutes from now to the first of January of this year.
fn to(year: i16) -> i64 {
    let then: Timestamp = format!("{year}-01-01T00:00:00Z").parse().unwrap();
    (then - Timestamp::now()).as_mins()
}

/// One failure now, and one after an hour.
fn world() -> World {
    let builder = WorldBuilder::at(Timestamp::now()).batch("b1").item("i1").fails("it broke");
    builder.batch("b2").item("i2").takes(SignedDuration::from_hours(1)).fails("the roof is on fire").build()
}

/// A site whose second channel is never reached.
async fn site(date: Date) -> Site {
    let more = "[digest]\nmin-gap = \"1s\"\n[schedule]\nscan = \"2s\"\ndigest = \"off\"\ntimezone = \"UTC\"\n\
        [[channel]]\nname = \"folder\"\nkind = \"file\"\ndir = \"{dir}/out\"\n\
        [[channel]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\n";
    Site::new(world(), Options { date, ..Options::default() }, more).await
}

fn is_missing() -> bool {
    let missing = !Path::new(LIBRARY).exists();
    if missing {
        eprintln!("NOT CHECKED: there is no {LIBRARY}; Debian's package libfaketime has it");
    }
    missing
}

fn count(site: &Site, sql: &str) -> i64 {
    site.ledger().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Open episodes, acks that hold, and whether the next try of the other channel is within a day.
fn open_state(site: &Site) -> (i64, i64, bool) {
    let tomorrow = (Timestamp::now() + SignedDuration::from_hours(24)).as_millisecond();
    (
        count(site, "SELECT count(*) FROM episode WHERE closed_at IS NULL"),
        count(site, "SELECT count(*) FROM ack WHERE ended_at IS NULL"),
        count(site, &format!("SELECT count(*) FROM delivery WHERE state = 'pending' AND not_before > {tomorrow}")) == 0,
    )
}

fn several_scans(site: &Site, when: &str) {
    let before = scans(site);
    wait_for(&format!("scans {when}"), || scans(site) >= before + 4);
}

/// How far the dates of mails are from now, at most.
fn mails_are_off_by(site: &Site) -> SignedDuration {
    let date = |mail: &std::path::PathBuf| {
        let text = std::fs::read_to_string(mail).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("Date: ")).unwrap().to_owned();
        jiff::fmt::rfc2822::parse(&line).unwrap().timestamp()
    };
    files(&site.path("out"), ".eml").iter().map(|mail| (Timestamp::now() - date(mail)).abs()).max().unwrap()
}

async fn acknowledge(site: &Site) {
    let group = site.texts("SELECT group_id FROM error_group").remove(0);
    site.command(&["group", "ack", &group]).assert().success();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_ends_and_dates_nothing_while_a_server_says_what_time_it_is() {
    if is_missing() {
        return;
    }
    let site = site(Date::Host).await;
    let clock = Clock::of(&site);
    let mut service = Serving(clock.drive(&mut command(&site, "serve")));
    wait_for("the first digest", || is_announced(&site, "it broke"));
    acknowledge(&site).await;
    let faults = || count(&site, "SELECT count(*) FROM worker_fault WHERE fault = 'clock' AND ended_at IS NULL");
    for (minutes, way) in [(YEAR, "ahead"), (to(2020), "behind"), (to(1971), "behind"), (60, "ahead")] {
        clock.set(minutes);
        wait_for("the clock to be noticed", || faults() == 1);
        several_scans(&site, "by a wrong clock");
        assert_eq!(open_state(&site), (1, 1, true), "{minutes} min off");
        assert!(is_announced(&site, "The clock of this host is"), "people are told that it is {way}");
        clock.set(0);
        wait_for("the clock to be right", || faults() == 0);
        assert_eq!(open_state(&site), (1, 1, true), "after {minutes} min off");
    }
    clock.set(YEAR);
    wait_for("the clock to be noticed", || faults() == 1);
    site.cloud.world().advance(SignedDuration::from_mins(61));
    wait_for("news while the clock is wrong", || is_announced(&site, "roof"));
    assert!(mails_are_off_by(&site) < SignedDuration::from_mins(10));
    assert!(terminate(&mut service).success());
    site.command(&["ledger", "check"]).assert().success();
}

#[tokio::test(flavor = "multi_thread")]
async fn times_written_by_an_unconfirmed_clock_are_corrected_with_it() {
    if is_missing() {
        return;
    }
    let site = site(Date::Unreadable).await;
    let clock = Clock::of(&site);
    let mut service = Serving(clock.drive(&mut command(&site, "serve")));
    wait_for("the first digest", || is_announced(&site, "it broke"));
    acknowledge(&site).await;
    clock.set(YEAR);
    wait_for("the episode to be given up by the wrong clock", || open_state(&site).0 == 0);
    clock.set(0);
    wait_for("what was given up to be open, acknowledged and on its way", || open_state(&site) == (1, 1, true));
    several_scans(&site, "after the clock was set right");
    assert_eq!(open_state(&site), (1, 1, true));
    let now = (Timestamp::now() + SignedDuration::from_mins(2)).as_millisecond();
    assert_eq!(count(&site, &format!("SELECT count(*) FROM run WHERE due_at > {now}")), 0);
    assert_eq!(count(&site, &format!("SELECT count(*) FROM scan WHERE started_at > {now}")), 0);
    site.cloud.world().advance(SignedDuration::from_mins(61));
    wait_for("news after the clock was set right", || is_announced(&site, "roof"));
    assert!(terminate(&mut service).success());
    site.command(&["ledger", "check"]).assert().success();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_cycle_by_a_wrong_clock_asks_a_server_or_ends_nothing() {
    if is_missing() {
        return;
    }
    let site = site(Date::Host).await;
    let by = |offset: &str, args: &[&str]| {
        let mut command = site.command(args);
        command.env("LD_PRELOAD", LIBRARY).env("FAKETIME", offset).output().unwrap()
    };
    by("+0d", &["cycle"]);
    acknowledge(&site).await;
    let group = site.texts("SELECT group_id FROM error_group").remove(0);
    for offset in ["+365d", "-365d", "-20000d"] {
        by(offset, &["cycle"]);
        let latest = count(&site, "SELECT max(started_at) FROM scan");
        let off = (latest - Timestamp::now().as_millisecond()).abs();
        assert!(off < 600_000, "{offset}: a scan is dated {off} ms off");
        assert_eq!(open_state(&site), (1, 1, true), "{offset}");
        // A person beside the worker has the same clock.
        by(offset, &["group", "note", &group, "seen"]);
        let typed = count(&site, "SELECT created_at FROM note ORDER BY note_id DESC LIMIT 1");
        let off = (typed - Timestamp::now().as_millisecond()).abs();
        assert!(off < 600_000, "{offset}: a note is dated {off} ms off");
    }
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Reset)]);
    for offset in ["+365d", "-365d"] {
        by(offset, &["cycle"]);
        let (open, acks, _) = open_state(&site);
        assert_eq!((open, acks), (1, 1), "{offset} and no server can be reached");
    }
    let kept = count(&site, "SELECT count(*) FROM scan");
    by("+2000d", &["ledger", "prune"]);
    assert_eq!(count(&site, "SELECT count(*) FROM scan"), kept, "a wrong clock forgot what is new");
}
