//! Whether the schedules, the time zone, the quiet hours and the limit of overdue work can be read.

use jiff::tz::TimeZone;

use crate::config::Config;
use crate::config::channel::{ChannelConfig, ChannelKind, SendMode};
use crate::model::schedule::Schedule;
use crate::model::schedule::quiet::QuietHours;

/// Says what is wrong with `[schedule]`.
pub(crate) fn check(config: &Config, say: &mut impl FnMut(String, &str)) {
    let schedule = &config.schedule;
    for (key, text) in [("scan", &schedule.scan), ("digest", &schedule.digest)] {
        if let Err(error) = Schedule::parse(text) {
            say(format!("schedule.{key}"), &error.to_string());
        }
    }
    if Schedule::parse(&schedule.scan) == Ok(Schedule::Off) {
        say("schedule.scan".to_owned(), "must not be \"off\": without scans no failure is detected");
    }
    if let Some(text) = unknown_zone(&schedule.timezone) {
        say("schedule.timezone".to_owned(), &text);
    }
    if let Some(Err(error)) = schedule.quiet_hours.as_deref().map(QuietHours::parse) {
        say("schedule.quiet-hours".to_owned(), &error.to_string());
    }
    for (index, channel) in config.channel.iter().enumerate() {
        check_channel(channel, &schedule.digest, |key, text| say(format!("channel[{index}].{key}"), text));
    }
    if let Err(error) = schedule.overdue_limit() {
        say("schedule.overdue".to_owned(), &error);
    }
}

fn check_channel(channel: &ChannelConfig, digest: &str, mut say: impl FnMut(&str, &str)) {
    if let Some(Err(error)) = channel.hours.as_deref().map(QuietHours::parse) {
        say("hours", &error.to_string());
    }
    if let Some(text) = channel.timezone.as_deref().and_then(unknown_zone) {
        say("timezone", &text);
    }
    if channel.send == Some(SendMode::Daily) {
        if channel.kind == ChannelKind::Pagerduty {
            say("send", "an incident cannot wait for the daily digest: leave it out");
        } else if Schedule::parse(digest) == Ok(Schedule::Off) {
            say("send", "\"daily\" needs schedule.digest: without it nothing would be sent");
        }
    }
}

/// What is wrong with the name of a zone; none if it is known.
fn unknown_zone(name: &str) -> Option<String> {
    let text = || format!("unknown zone `{name}`: use an IANA name such as \"Europe/Berlin\"");
    TimeZone::get(name).is_err().then(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(change: impl FnOnce(&mut Config)) -> Vec<String> {
        let mut config = Config::default();
        change(&mut config);
        let mut keys = Vec::new();
        check(&config, &mut |key, _| keys.push(key));
        keys
    }

    #[test]
    fn every_time_that_cannot_be_read_is_reported_and_the_defaults_can() {
        assert!(keys(|_| {}).is_empty());
        assert_eq!(keys(|c| c.schedule.scan = "often".to_owned()), ["schedule.scan"]);
        assert_eq!(keys(|c| c.schedule.scan = "off".to_owned()), ["schedule.scan"]);
        assert_eq!(keys(|c| c.schedule.digest = "25:00".to_owned()), ["schedule.digest"]);
        assert_eq!(keys(|c| c.schedule.timezone = "Europe/Atlantis".to_owned()), ["schedule.timezone"]);
        assert_eq!(keys(|c| c.schedule.quiet_hours = Some("22:00".to_owned())), ["schedule.quiet-hours"]);
        assert_eq!(keys(|c| c.schedule.overdue = "5m".to_owned()), ["schedule.overdue"]);
    }

    #[test]
    fn the_hours_of_a_channel_can_be_read_and_come() {
        let with = |change: fn(&mut ChannelConfig)| {
            keys(|config| {
                let mut channel = ChannelConfig::default();
                change(&mut channel);
                config.channel.push(channel);
            })
        };
        assert!(with(|c| c.hours = Some("22:00-06:00".to_owned())).is_empty());
        assert_eq!(with(|c| c.hours = Some("8-18".to_owned())), ["channel[0].hours"]);
        assert_eq!(with(|c| c.timezone = Some("Mars/Olympus".to_owned())), ["channel[0].timezone"]);
        assert!(with(|c| c.send = Some(SendMode::Daily)).is_empty());
        assert_eq!(with(|c| (c.send, c.kind) = (Some(SendMode::Daily), ChannelKind::Pagerduty)), ["channel[0].send"]);
        let off = |config: &mut Config| {
            config.schedule.digest = "off".to_owned();
            config.channel.push(ChannelConfig { send: Some(SendMode::Daily), ..ChannelConfig::default() });
        };
        assert_eq!(keys(off), ["channel[0].send"]);
    }
}
