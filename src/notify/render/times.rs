//! Times as people read them: absolute, in the digest's zone, with the zone named.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::text::local;
use crate::triage::digest::model::Window;

/// The zone people read times in.
pub(crate) struct DisplayZone {
    zone: TimeZone,
    name: String,
}

impl DisplayZone {
    /// A zone by its IANA name; UTC, and said so, if this machine does not know the name.
    pub(crate) fn new(name: &str) -> DisplayZone {
        match TimeZone::get(name) {
            Ok(zone) => DisplayZone { zone, name: name.to_owned() },
            Err(_) => DisplayZone { zone: TimeZone::UTC, name: "UTC".to_owned() },
        }
    }

    /// `2026-08-23 09:00 CEST`
    pub(crate) fn full(&self, at: Timestamp) -> String {
        local(at, &self.zone)
    }

    /// `20260823`, the day in this zone: what a day's thread of mails is named by.
    pub(crate) fn day(&self, at: Timestamp) -> String {
        self.format(at, "%Y%m%d")
    }

    /// A window with its zone: `2026-08-23 08:45 to 09:00 CEST (Europe/Berlin)`.
    pub(crate) fn span(&self, window: &Window) -> String {
        let range = self.range(window.from, window.to);
        // "UTC (UTC)" would say it twice.
        if self.format(window.to, "%Z") == self.name { range } else { format!("{range} ({})", self.name) }
    }

    /// Two times with what they share said once: `2026-08-23 08:45 to 09:00 CEST`.
    pub(crate) fn range(&self, from: Timestamp, to: Timestamp) -> String {
        if self.full(from) == self.full(to) {
            return self.full(to);
        }
        let one_day = self.day(from) == self.day(to);
        let one_offset = self.format(from, "%Z") == self.format(to, "%Z");
        let front = if one_offset { self.format(from, "%Y-%m-%d %H:%M") } else { self.full(from) };
        let back = if one_day && one_offset { self.format(to, "%H:%M %Z") } else { self.full(to) };
        format!("{front} to {back}")
    }

    /// As [`DisplayZone::full`], and the time of day alone on the day of `now`: `09:00`.
    pub(crate) fn short(&self, at: Timestamp, now: Timestamp) -> String {
        if self.day(at) == self.day(now) { self.format(at, "%H:%M") } else { self.full(at) }
    }

    fn format(&self, at: Timestamp, pattern: &str) -> String {
        at.to_zoned_datetime(self.zone.clone()).strftime(pattern).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: &str, to: &str) -> String {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        DisplayZone::new("Europe/Berlin").span(&Window { from, to })
    }

    #[test]
    fn a_span_says_once_what_both_ends_share() {
        for (from, to, shown) in [
            ("2026-08-23T06:45:00Z", "2026-08-23T07:00:00Z", "2026-08-23 08:45 to 09:00 CEST (Europe/Berlin)"),
            (
                "2026-08-22T07:00:00Z",
                "2026-08-23T07:00:00Z",
                "2026-08-22 09:00 to 2026-08-23 09:00 CEST (Europe/Berlin)",
            ),
            (
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:30:00Z",
                "2026-10-25 02:30 CEST to 2026-10-25 02:30 CET (Europe/Berlin)",
            ),
        ] {
            assert_eq!(span(from, to), shown);
        }
    }

    #[test]
    fn what_was_seen_once_has_one_time() {
        let at = "2026-08-23T06:45:10Z".parse().unwrap();
        assert_eq!(
            DisplayZone::new("Europe/Berlin").range(at, "2026-08-23T06:45:50Z".parse().unwrap()),
            "2026-08-23 08:45 CEST"
        );
    }

    #[test]
    fn an_unknown_zone_falls_back_to_utc_by_name() {
        let clock = DisplayZone::new("Mars/Olympus");
        assert_eq!(clock.name, "UTC");
        assert_eq!(clock.full("2026-08-23T07:00:00Z".parse().unwrap()), "2026-08-23 07:00 UTC");
    }
}
