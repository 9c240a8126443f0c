//! Quiet hours: the part of each local day in which only paging news is sent.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use crate::model::schedule::cron::ScheduleError;
use crate::model::schedule::time_of_day;

/// From a local time to another, across midnight if the end is the earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    from: Time,
    to: Time,
}

impl QuietHours {
    /// Reads "22:00-07:00".
    ///
    /// # Errors
    /// Anything else, and two equal times; the message says what is allowed.
    pub fn parse(text: &str) -> Result<QuietHours, ScheduleError> {
        let (from, to) = text.split_once('-').ok_or_else(|| {
            ScheduleError(format!("\"{text}\" are no valid hours: write start and end, such as \"22:00-07:00\""))
        })?;
        let (from, to) = (time_of_day(from.trim())?, time_of_day(to.trim())?);
        if from == to {
            return Err(ScheduleError(format!("the hours \"{text}\" are empty: from and to must differ")));
        }
        Ok(QuietHours { from, to })
    }

    /// Whether `now` lies in them: the beginning does, the end does not.
    ///
    /// What the wall clock shows decides, so a day with 23 or 25 hours needs no care.
    pub fn contain(&self, now: Timestamp, zone: &TimeZone) -> bool {
        let shown = zone.to_datetime(now).time();
        if self.from < self.to { self.from <= shown && shown < self.to } else { self.from <= shown || shown < self.to }
    }

    /// Whether hours that contain this time began on the day before.
    pub(crate) fn began_yesterday(&self, shown: Time) -> bool {
        self.from > self.to && shown < self.to
    }

    /// When they end next after `now`; none where the calendar ends.
    pub fn end(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let today = zone.to_datetime(now).date();
        let days = [Some(today), today.tomorrow().ok()];
        let ends = days.into_iter().flatten().filter_map(|day| zone.to_timestamp(day.to_datetime(self.to)).ok());
        ends.into_iter().find(|at| *at > now)
    }
}
