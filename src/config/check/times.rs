//! Whether the schedules, the time zone, the quiet hours and the limit of overdue work can be read.

use jiff::tz::TimeZone;

use crate::config::Config;
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
    if TimeZone::get(&schedule.timezone).is_err() {
        let text = format!("unknown zone `{}`: use an IANA name such as \"Europe/Berlin\"", schedule.timezone);
        say("schedule.timezone".to_owned(), &text);
    }
    if let Some(Err(error)) = schedule.quiet_hours.as_deref().map(QuietHours::parse) {
        say("schedule.quiet-hours".to_owned(), &error.to_string());
    }
    if let Err(error) = schedule.overdue_limit() {
        say("schedule.overdue".to_owned(), &error);
    }
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
}
