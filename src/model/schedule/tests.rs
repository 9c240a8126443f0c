use proptest::prelude::*;

use super::*;
use crate::model::schedule::quiet::QuietHours;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn schedule(text: &str) -> Schedule {
    Schedule::parse(text).unwrap()
}

#[test]
fn the_next_run_is_right_through_clock_changes_and_leap_days() {
    for (spec, after, expected) in [
        // 2026-03-29: 02:00 becomes 03:00 in Berlin. 09:00 is 08:00 UTC before and 07:00 UTC after.
        ("09:00", "2026-03-28T07:59:59Z", "2026-03-28T08:00:00Z"),
        ("09:00", "2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z"),
        ("02:30", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"),
        ("0 9 * * *", "2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z"),
        ("30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"),
        ("30 * * * *", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"),
        ("30 * * * *", "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z"),
        // 2026-10-25: 03:00 becomes 02:00. 02:30 comes twice; a time of day is reported once, the first time.
        ("09:00", "2026-10-24T07:00:00Z", "2026-10-25T08:00:00Z"),
        ("02:30", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"),
        ("02:30", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        ("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
        ("30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        ("*/15 * * * *", "2026-10-25T00:45:00Z", "2026-10-25T01:00:00Z"),
        // An interval does not know of zones.
        ("5m", "2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z"),
        ("90m", "2026-03-29T00:00:00Z", "2026-03-29T01:30:00Z"),
        // Leap days.
        ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-28T23:00:00Z"),
        ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-28T23:00:00Z"),
        // Lists, names, ranges, the either-day rule, seconds.
        ("17:30, 9:00", "2026-06-01T08:00:00Z", "2026-06-01T15:30:00Z"),
        ("0 9 * * mon-fri", "2026-06-05T08:00:00Z", "2026-06-08T07:00:00Z"),
        ("0 9 1 * 7", "2026-06-02T08:00:00Z", "2026-06-07T07:00:00Z"),
        ("15 0 9 * Jun *", "2026-05-02T08:00:00Z", "2026-06-01T07:00:15Z"),
    ] {
        let next = schedule(spec).next(at(after), &berlin());
        assert_eq!(next, Some(at(expected)), "{spec} after {after}");
    }
    assert_eq!(Schedule::Off.next(at("2026-01-01T00:00:00Z"), &berlin()), None);
}

#[test]
fn one_late_run_after_downtime_and_never_a_burst() {
    for (spec, last, now, expected) in [
        ("09:00", "2026-06-01T07:00:00Z", "2026-06-01T12:00:00Z", None),
        ("09:00", "2026-06-01T07:00:00Z", "2026-06-02T06:59:59Z", None),
        ("09:00", "2026-06-01T07:00:00Z", "2026-06-02T07:00:05Z", Some(("2026-06-02T07:00:00Z", false))),
        ("09:00", "2026-06-01T07:00:00Z", "2026-06-02T11:00:00Z", Some(("2026-06-02T07:00:00Z", true))),
        ("09:00", "2026-06-01T07:00:00Z", "2026-06-09T07:00:00Z", Some(("2026-06-09T07:00:00Z", true))),
        ("5m", "2026-06-01T07:00:00Z", "2026-06-01T19:03:00Z", Some(("2026-06-01T19:00:00Z", true))),
        ("5m", "2026-06-01T07:00:00Z", "2026-06-01T07:04:59Z", None),
        ("5m", "2026-06-01T07:00:00Z", "2026-06-01T07:05:10Z", Some(("2026-06-01T07:05:00Z", false))),
        // The clock was set back a little: what ran is not run again.
        ("09:00", "2026-06-01T07:00:00Z", "2026-06-01T06:30:00Z", None),
        ("off", "2026-06-01T07:00:00Z", "2027-06-01T06:30:00Z", None),
    ] {
        let due = schedule(spec).due(at(now), &berlin(), Some(at(last)));
        let expected = expected.map(|(due_at, late)| DueRun { due_at: at(due_at), late });
        assert_eq!(due, expected, "{spec}, last {last}, now {now}");
    }
}

#[test]
fn what_never_ran_is_due_at_once() {
    let now = at("2026-06-01T07:03:00Z");
    let due = |spec: &str| schedule(spec).due(now, &berlin(), None).map(|d| d.due_at);
    assert_eq!(due("5m"), Some(at("2026-06-01T07:00:00Z")));
    assert_eq!(due("09:00"), Some(now));
    assert_eq!(due("off"), None);
}

#[test]
fn a_wrong_schedule_says_what_is_allowed() {
    for (text, hint) in [
        ("often", "write an interval (\"5m\")"),
        ("", "write an interval"),
        ("0s", "between 1s and 366 days"),
        ("-5m", "between 1s and 366 days"),
        ("25:00", "from 00:00 to 23:59"),
        ("9:5", "from 00:00 to 23:59"),
        ("09:00,", "\"\" is no time of day"),
        ("60 9 * * *", "\"60\" is no minute of a cron line: write 0 to 59"),
        ("0 9 * * mon-foo", "is no day of week"),
        ("0 9 * * fri-mon", "is no day of week"),
        ("*/0 9 * * *", "is no minute"),
        ("0 9 31 2 *", "never comes"),
        ("0 0 9 * * * 2026", "has 7 fields"),
    ] {
        let error = Schedule::parse(text).unwrap_err().to_string();
        assert!(error.contains(hint), "{text}: {error}");
    }
}

#[test]
fn quiet_hours_follow_the_wall_clock() {
    let night = QuietHours::parse("22:00-07:00").unwrap();
    let noon = QuietHours::parse("12:00 - 13:30").unwrap();
    for (hours, now, quiet) in [
        (night, "2026-03-28T20:59:59Z", false),
        (night, "2026-03-28T21:00:00Z", true),
        (night, "2026-03-29T04:59:59Z", true),
        (night, "2026-03-29T05:00:00Z", false),
        (night, "2026-10-25T05:59:59Z", true),
        (night, "2026-10-25T06:00:00Z", false),
        (noon, "2026-06-01T10:00:00Z", true),
        (noon, "2026-06-01T11:30:00Z", false),
    ] {
        assert_eq!(hours.contain(at(now), &berlin()), quiet, "{now}");
    }
    for wrong in ["22:00", "22:00-22:00", "22-7", "22:00-24:00"] {
        assert!(QuietHours::parse(wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn the_next_run_is_later_and_due_exactly_then(
        second in 1_700_000_000_i64..1_900_000_000,
        spec in prop::sample::select(vec!["7m", "02:30, 09:00", "*/20 * * * *", "0 2 1 * sun", "13 3 29 2 *"]),
    ) {
        let (schedule, zone) = (schedule(spec), berlin());
        let now = Timestamp::from_second(second).unwrap();
        let next = schedule.next(now, &zone).unwrap();
        prop_assert!(next > now);
        let before = next - SignedDuration::from_secs(1);
        prop_assert!(before < now || schedule.due(before, &zone, Some(now)).is_none());
        prop_assert_eq!(schedule.due(next, &zone, Some(now)), Some(DueRun { due_at: next, late: false }));
        prop_assert_eq!(schedule.due(next, &zone, Some(next)), None);
    }
}
