//! When a channel is sent to, and in which zone it shows times.

use anyhow::Context;
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;

use crate::config::channel::{ChannelConfig, SendMode, Weekday};
use crate::config::schedule::ScheduleConfig;
use crate::model::schedule::Schedule;
use crate::model::schedule::quiet::QuietHours;
use crate::model::schedule::send_window::SendWindow;

/// The times of a channel; by default it is sent to at any time.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChannelHours {
    window: Option<SendWindow>,
    /// The digest of which days its news waits for, and in which zone that is due; none for news as it comes.
    daily: Option<(Schedule, TimeZone)>,
    /// The zone of its times, where it has its own.
    zone: Option<String>,
}

impl ChannelHours {
    /// The times of a configured channel.
    ///
    /// # Errors
    /// Hours, a zone or a schedule that cannot be read; `check-config` names these first.
    pub(crate) fn new(channel: &ChannelConfig, schedule: &ScheduleConfig) -> anyhow::Result<ChannelHours> {
        let name = channel.timezone.as_deref().unwrap_or(&schedule.timezone);
        let zone = TimeZone::get(name).context("timezone")?;
        let hours = channel.hours.as_deref().map(QuietHours::parse).transpose().context("hours")?;
        let days: Vec<civil::Weekday> = channel.days.iter().copied().map(weekday).collect();
        let daily = match channel.send.unwrap_or_default() {
            SendMode::Immediate => None,
            SendMode::Daily => {
                let digest = Schedule::parse(&schedule.digest).context("schedule.digest")?;
                Some((digest, TimeZone::get(&schedule.timezone).context("schedule.timezone")?))
            }
        };
        let is_any_time = hours.is_none() && days.is_empty();
        Ok(ChannelHours {
            window: (!is_any_time).then_some(SendWindow { hours, days, zone }),
            daily,
            zone: channel.timezone.clone(),
        })
    }

    /// Whether the channel is sent to now.
    pub(crate) fn are_open(&self, now: Timestamp) -> bool {
        self.window.as_ref().is_none_or(|window| window.contains(now))
    }

    /// Whether a delivery waits for the daily digest. `scheduled`: it is, or includes, one.
    pub(crate) fn wait_for_daily(&self, scheduled: bool, created_at: Timestamp, now: Timestamp) -> bool {
        // On a day without a daily digest, what waits is sent when one would have been due.
        let is_over =
            |(schedule, zone): &(Schedule, TimeZone)| schedule.next(created_at, zone).is_none_or(|at| at <= now);
        !scheduled && self.daily.as_ref().is_some_and(|daily| !is_over(daily))
    }

    /// The zone in which it shows times; none for that of the digest.
    pub(crate) fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }
}

fn weekday(day: Weekday) -> civil::Weekday {
    match day {
        Weekday::Mon => civil::Weekday::Monday,
        Weekday::Tue => civil::Weekday::Tuesday,
        Weekday::Wed => civil::Weekday::Wednesday,
        Weekday::Thu => civil::Weekday::Thursday,
        Weekday::Fri => civil::Weekday::Friday,
        Weekday::Sat => civil::Weekday::Saturday,
        Weekday::Sun => civil::Weekday::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(lines: &str) -> ChannelHours {
        let channel = toml::from_str(&format!("kind = \"file\"\n{lines}")).unwrap();
        let schedule = ScheduleConfig { timezone: "Europe/Berlin".to_owned(), ..ScheduleConfig::default() };
        ChannelHours::new(&channel, &schedule).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_channel_is_sent_to_at_any_time_unless_it_has_hours() {
        let (any, some) = (hours(""), hours("hours = \"08:00-18:00\"\ndays = [\"mon\", \"fri\"]"));
        let american = hours("hours = \"08:00-18:00\"\ntimezone = \"America/New_York\"");
        let night = at("2026-08-21T01:00:00Z");
        assert!(any.are_open(night) && !some.are_open(night) && any.zone().is_none());
        assert!(some.are_open(at("2026-08-21T06:00:00Z")) && !american.are_open(at("2026-08-21T06:00:00Z")));
        assert!(american.are_open(at("2026-08-21T12:00:00Z")));
        assert_eq!(american.zone(), Some("America/New_York"));
    }

    #[test]
    fn news_for_a_daily_channel_waits_for_the_digest_or_its_time() {
        let daily = hours("send = \"daily\"");
        let (made, next) = (at("2026-08-21T08:00:00Z"), at("2026-08-22T07:00:00Z"));
        assert!(daily.wait_for_daily(false, made, at("2026-08-22T06:59:59Z")));
        assert!(!daily.wait_for_daily(false, made, next), "09:00 in Berlin has come");
        assert!(!daily.wait_for_daily(true, made, made));
        assert!(!hours("").wait_for_daily(false, made, made));
    }
}
