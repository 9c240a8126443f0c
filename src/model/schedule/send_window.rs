//! When a channel is sent to: hours of some days of the week, in a zone.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::model::schedule::quiet::QuietHours;

/// Hours of some days of the week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SendWindow {
    /// The hours; none is all day.
    pub(crate) hours: Option<QuietHours>,
    /// The days; none is every day. Hours across midnight belong to the day on which they begin.
    pub(crate) days: Vec<Weekday>,
    /// What wall clock and calendar are read in.
    pub(crate) zone: TimeZone,
}

impl SendWindow {
    /// Whether `now` lies in the window.
    pub(crate) fn contains(&self, now: Timestamp) -> bool {
        let local = self.zone.to_datetime(now);
        let (in_hours, began_yesterday) = match &self.hours {
            None => (true, false),
            Some(hours) => (hours.contain(now, &self.zone), hours.began_yesterday(local.time())),
        };
        let day = if began_yesterday { local.date().weekday().previous() } else { local.date().weekday() };
        in_hours && (self.days.is_empty() || self.days.contains(&day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(hours: &str, days: &[Weekday]) -> SendWindow {
        let hours = (!hours.is_empty()).then(|| QuietHours::parse(hours).unwrap());
        SendWindow { hours, days: days.to_vec(), zone: TimeZone::get("Europe/Berlin").unwrap() }
    }

    fn open(window: &SendWindow, at: &str) -> bool {
        window.contains(at.parse().unwrap())
    }

    #[test]
    fn hours_and_days_are_those_of_the_zone() {
        let days = [Weekday::Monday, Weekday::Tuesday, Weekday::Wednesday, Weekday::Thursday, Weekday::Friday];
        let office = window("08:00-18:00", &days);
        // 2026-08-21 is a Friday; Berlin is two hours ahead.
        for (at, expected) in [
            ("2026-08-21T05:59:59Z", false),
            ("2026-08-21T06:00:00Z", true),
            ("2026-08-21T15:59:59Z", true),
            ("2026-08-21T16:00:00Z", false),
            ("2026-08-22T10:00:00Z", false),
        ] {
            assert_eq!(open(&office, at), expected, "{at}");
        }
        assert!(open(&window("", &days), "2026-08-21T21:59:59Z"));
        assert!(!open(&window("", &days), "2026-08-21T22:00:00Z"), "it is Saturday in Berlin");
        assert!(open(&window("", &[]), "2026-08-22T10:00:00Z"));
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let friday_night = window("22:00-06:00", &[Weekday::Friday]);
        for (at, expected) in [
            ("2026-08-21T02:00:00Z", false),
            ("2026-08-21T20:00:00Z", true),
            ("2026-08-22T03:59:00Z", true),
            ("2026-08-22T04:00:00Z", false),
            ("2026-08-22T20:00:00Z", false),
        ] {
            assert_eq!(open(&friday_night, at), expected, "{at}");
        }
    }
}
