//! `serve` on a host whose clock is set back and forward by hours while it runs, and which is suspended.
//!
//! The clock is libfaketime's, put in front of the real one; Debian has it in the package libfaketime.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::simulator::{Date, Endpoint, Options, World, WorldBuilder};

use crate::serve::{Serving, command, terminate, wait_for};
use crate::site::{Site, files};

pub(crate) const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// A clock that a test sets, in minutes from the real one. What counts time only goes on, as on a real host.
pub(crate) struct Clock(PathBuf);

impl Clock {
    pub(crate) fn of(site: &Site) -> Clock {
        let clock = Clock(site.path("clock"));
        clock.set(0);
        clock
    }

    pub(crate) fn set(&self, minutes: i64) {
        // Never half a file: the service reads it all the time.
        let new = self.0.with_extension("new");
        std::fs::write(&new, format!("{:+}", minutes * 60)).unwrap();
        std::fs::rename(&new, &self.0).unwrap();
    }

    pub(crate) fn drive(&self, command: &mut Command) -> Child {
        command
            .env("LD_PRELOAD", LIBRARY)
            .env("FAKETIME_TIMESTAMP_FILE", &self.0)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .spawn()
            .unwrap()
    }
}

/// One failure now, and others after hours.
fn world() -> World {
    let hours = |n| SignedDuration::from_hours(n);
    let builder = WorldBuilder::at(Timestamp::now()).batch("b1").item("i1").fails("it broke");
    let builder = builder.batch("b2").item("i2").takes(hours(1)).fails("the roof is on fire");
    builder.batch("b3").item("i3").takes(hours(27)).fails("seven dwarfs have left").build()
}

pub(crate) fn scans(site: &Site) -> u64 {
    site.cloud.world().truth().requests_to(Endpoint::ListBatches)
}

/// Digests by whether they are the daily one.
fn digests(site: &Site, daily: bool) -> usize {
    site.texts(&format!("SELECT digest_id FROM digest WHERE scheduled = {}", i64::from(daily))).len()
}

pub(crate) fn is_announced(site: &Site, text: &str) -> bool {
    files(&site.path("out"), ".eml").iter().any(|mail| std::fs::read_to_string(mail).unwrap().contains(text))
}

fn signal(child: &Serving, name: &str) {
    let sent = Command::new("kill").arg(name).arg(child.0.id().to_string()).status().unwrap();
    assert!(sent.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_and_forward_and_a_suspended_host_lose_no_news_and_repeat_none() {
    if !Path::new(LIBRARY).exists() {
        eprintln!("NOT CHECKED: there is no {LIBRARY}; Debian's package libfaketime has it");
        return;
    }
    let daily =
        TimeZone::UTC.to_datetime(Timestamp::now() + SignedDuration::from_hours(2)).strftime("%H:%M").to_string();
    let more = format!(
        "[[channel]]\nname = \"folder\"\nkind = \"file\"\ndir = \"{{dir}}/out\"\n\
         [schedule]\nscan = \"2s\"\ndigest = \"{daily}\"\ntimezone = \"UTC\"\n"
    );
    // No one says what time it is: the host's clock is believed.
    let site = Site::new(world(), Options { date: Date::Unreadable, ..Options::default() }, &more).await;
    let clock = Clock::of(&site);
    let mut service = Serving(clock.drive(&mut command(&site, "serve")));
    wait_for("the first digest", || is_announced(&site, "it broke"));
    let daily_before = digests(&site, true);

    clock.set(-5 * 60);
    let before = scans(&site);
    wait_for("scans after the clock was set back", || scans(&site) >= before + 2);
    site.cloud.world().advance(SignedDuration::from_mins(61));
    clock.set(-4 * 60);
    wait_for("news after the clock was set back", || is_announced(&site, "roof"));
    assert_eq!(digests(&site, true), daily_before, "a daily digest came again because the clock was set back");

    // Forward over two days' digests: what was missed is reported once.
    site.cloud.world().advance(SignedDuration::from_hours(27));
    clock.set(27 * 60);
    wait_for("news after the clock was set forward", || is_announced(&site, "dwarfs"));
    wait_for("the daily digest", || digests(&site, true) > daily_before);
    let before = scans(&site);
    wait_for("more scans", || scans(&site) >= before + 2);
    assert_eq!(digests(&site, true), daily_before + 1);

    // A suspended host: nothing runs, what counts time stands still, and the wall clock is a day later when it wakes.
    signal(&service, "-STOP");
    clock.set(51 * 60);
    site.cloud.world().advance(SignedDuration::from_hours(24));
    let before = scans(&site);
    signal(&service, "-CONT");
    wait_for("scans after the host woke up", || scans(&site) >= before + 3);
    wait_for("the daily digest of the day after", || digests(&site, true) == daily_before + 2);

    clock.set(51 * 60);
    assert!(terminate(&mut service).success());
    let unscheduled = digests(&site, false);
    let mut again = Serving(clock.drive(&mut command(&site, "serve")));
    let before = scans(&site);
    wait_for("scans after a restart", || scans(&site) >= before + 2);
    assert!(terminate(&mut again).success());
    assert_eq!((digests(&site, true), digests(&site, false)), (daily_before + 2, unscheduled), "old news told again");
    site.command(&["ledger", "check"]).assert().success();
}

/// A digest schedule, its zone, and when cycles run (UTC), with the number of digests that there must be by then.
/// The first one is the inventory, and nothing new fails: each later one is a daily one.
type Night = (&'static str, &'static str, &'static [(&'static str, usize)]);

const NIGHTS: [Night; 4] = [
    // 02:30 does not come on the 29th: it is reported at 03:30 summer time, once. After five days of downtime, once.
    (
        "02:30",
        "Europe/Berlin",
        &[
            ("2026-03-28 01:31", 1),
            ("2026-03-29 01:29", 1),
            ("2026-03-29 01:31", 2),
            ("2026-03-29 02:31", 2),
            ("2026-03-30 00:29", 2),
            ("2026-03-30 00:31", 3),
            ("2026-04-04 12:00", 4),
            ("2026-04-04 12:05", 4),
        ],
    ),
    // 02:30 comes twice on the 25th, and is reported the first time only.
    (
        "02:30",
        "Europe/Berlin",
        &[
            ("2026-10-24 00:31", 1),
            ("2026-10-25 00:29", 1),
            ("2026-10-25 00:31", 2),
            ("2026-10-25 01:31", 2),
            ("2026-10-26 01:29", 2),
            ("2026-10-26 01:31", 3),
        ],
    ),
    // The southern half of the world, where the hour goes the other way in the same month.
    (
        "02:30",
        "Australia/Sydney",
        &[("2026-10-02 16:31", 1), ("2026-10-03 16:29", 1), ("2026-10-03 16:31", 2), ("2026-10-04 15:31", 3)],
    ),
    // A leap day.
    (
        "30 8 29 2 *",
        "UTC",
        &[("2028-02-27 12:00", 1), ("2028-02-28 23:59", 1), ("2028-02-29 08:31", 2), ("2028-03-01 08:31", 2)],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn daily_digests_come_once_a_day_through_clock_changes_and_a_leap_day() {
    if !Path::new(LIBRARY).exists() {
        eprintln!("NOT CHECKED: there is no {LIBRARY}; Debian's package libfaketime has it");
        return;
    }
    for (schedule, zone, cycles) in NIGHTS {
        let time = |text: &str| format!("{}:00Z", text.replace(' ', "T")).parse::<Timestamp>().unwrap();
        let world = WorldBuilder::at(time(cycles[0].0) - SignedDuration::from_mins(30));
        let world = world.batch("b1").item("i1").fails("it broke").build();
        let more = format!(
            "look-back = \"60d\"\n[[channel]]\nname = \"folder\"\nkind = \"file\"\ndir = \"{{dir}}/out\"\n\
             [schedule]\ndigest = \"{schedule}\"\ntimezone = \"{zone}\"\n"
        );
        let site = Site::new(world, Options { date: Date::World, ..Options::default() }, &more).await;
        for (at, expected) in cycles {
            site.cloud.world().advance_to(time(at));
            let mut cycle = site.command(&["-q", "cycle"]);
            cycle.env("LD_PRELOAD", LIBRARY).env("FAKETIME", format!("@{at}:00")).env("TZ", "UTC").assert().success();
            let told = digests(&site, true) + digests(&site, false);
            assert_eq!(told, *expected, "{schedule} in {zone}, {at}");
        }
    }
}
