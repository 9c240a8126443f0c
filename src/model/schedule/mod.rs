//! When something is due: intervals, times of day and cron lines, read in a time zone.
//!
//! Pure: `now` and the last run are arguments. Who calls it, and how often, is `service/scheduler`'s business.
//! Local times are turned into instants one by one, so daylight saving is right by construction:
//! a time of day that a zone skips happens right after the gap, one that it repeats happens once.

pub(crate) mod cron;
pub(crate) mod overdue;
pub(crate) mod quiet;
pub(crate) mod send_window;
#[cfg(test)]
mod tests;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::model::schedule::cron::{Cron, ScheduleError};

/// How far ahead and back a cron line is searched: 29 February can be eight years away.
const HORIZON_DAYS: u32 = 8 * 366;

/// After this time a run counts as late.
const PUNCTUAL: SignedDuration = SignedDuration::from_mins(1);

/// When something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Never.
    Off,
    /// At every whole multiple of this since 1970-01-01 UTC, so that all hosts agree.
    Every(SignedDuration),
    /// At these local times each day, in order.
    At(Vec<Time>),
    /// As a cron line says.
    Cron(Box<Cron>),
}

/// A run that should begin now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueRun {
    /// The instant it was due; together with the job's name it is what a run is recorded under.
    pub due_at: Timestamp,
    /// It begins more than a minute late, or runs before it were missed.
    pub late: bool,
}

impl Schedule {
    /// Reads "5m", "09:00, 17:30", a cron line of 5 or 6 fields, or "off".
    ///
    /// # Errors
    /// Anything else; the message says what is allowed.
    pub fn parse(text: &str) -> Result<Schedule, ScheduleError> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("off") {
            return Ok(Schedule::Off);
        }
        if text.split_whitespace().count() >= 5 && !text.contains(':') {
            return Cron::parse(text).map(|cron| Schedule::Cron(Box::new(cron)));
        }
        if text.contains(':') {
            return times_of_day(text).map(Schedule::At);
        }
        interval(text).map(Schedule::Every)
    }

    /// What should run now, given when it last was due; none if nothing.
    ///
    /// Something that never ran is due at once. However many runs were missed, one is due: the newest of them.
    /// A last run that lies ahead means that the clock was set back a little: nothing is due until it has come by again.
    pub fn due(&self, now: Timestamp, zone: &TimeZone, last: Option<Timestamp>) -> Option<DueRun> {
        let Some(last) = last else {
            let due_at = match self {
                Schedule::Off => return None,
                Schedule::Every(_) => self.newest(now, zone).unwrap_or(now),
                Schedule::At(_) | Schedule::Cron(_) => now,
            };
            return Some(DueRun { due_at, late: false });
        };
        if last > now {
            return None;
        }
        let first = self.next(last, zone).filter(|first| *first <= now)?;
        let due_at = self.newest(now, zone).unwrap_or(first);
        Some(DueRun { due_at, late: due_at > first || now - due_at > PUNCTUAL })
    }

    /// The first instant after `after`; none for "off" and for dates that never come.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if let Schedule::Every(pace) = self {
            return multiple(after, *pace, 1);
        }
        let mut date = zone.to_datetime(after).date();
        for _ in 0..HORIZON_DAYS {
            let found = self.instants_on(date, zone).into_iter().find(|at| *at > after);
            if found.is_some() {
                return found;
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// The newest instant at or before `now`.
    fn newest(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if let Schedule::Every(pace) = self {
            return multiple(now, *pace, 0);
        }
        let mut date = zone.to_datetime(now).date();
        for _ in 0..HORIZON_DAYS {
            let found = self.instants_on(date, zone).into_iter().rfind(|at| *at <= now);
            if found.is_some() {
                return found;
            }
            date = date.yesterday().ok()?;
        }
        None
    }

    /// All instants of one local day, in order, each once.
    fn instants_on(&self, date: jiff::civil::Date, zone: &TimeZone) -> Vec<Timestamp> {
        let mut instants: Vec<Timestamp> = match self {
            Schedule::Off | Schedule::Every(_) => Vec::new(),
            Schedule::At(times) => {
                times.iter().filter_map(|time| zone.to_timestamp(date.to_datetime(*time)).ok()).collect()
            }
            Schedule::Cron(cron) => cron.instants_on(date, zone),
        };
        instants.sort_unstable();
        instants.dedup();
        instants
    }
}

/// `at` rounded down to a multiple of `pace`, plus `more` paces.
fn multiple(at: Timestamp, pace: SignedDuration, more: i64) -> Option<Timestamp> {
    let whole = at.as_second().div_euclid(pace.as_secs()) + more;
    Timestamp::from_second(whole.checked_mul(pace.as_secs())?).ok()
}

fn interval(text: &str) -> Result<SignedDuration, ScheduleError> {
    let allowed = || {
        ScheduleError(format!(
            "\"{text}\" is no schedule: write an interval (\"5m\"), times of day (\"09:00, 17:30\"), \
             a cron line (\"0 9 * * mon-fri\") or \"off\""
        ))
    };
    let pace: SignedDuration = text.parse().map_err(|_| allowed())?;
    if pace < SignedDuration::from_secs(1) || pace > SignedDuration::from_hours(24 * 366) {
        return Err(ScheduleError(format!("the interval \"{text}\" must be between 1s and 366 days")));
    }
    Ok(SignedDuration::from_secs(pace.as_secs()))
}

fn times_of_day(text: &str) -> Result<Vec<Time>, ScheduleError> {
    let mut times = text.split(',').map(|word| time_of_day(word.trim())).collect::<Result<Vec<_>, _>>()?;
    times.sort_unstable();
    times.dedup();
    Ok(times)
}

/// A local time as "9:05" or "23:59".
fn time_of_day(word: &str) -> Result<Time, ScheduleError> {
    let wrong = || {
        ScheduleError(format!(
            "\"{word}\" is no time of day: write hours and minutes from 00:00 to 23:59, such as \"09:00\""
        ))
    };
    let (hour, minute) = word.split_once(':').ok_or_else(wrong)?;
    let number = |digits: &str| {
        let plain = (1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse::<i8>().ok()).flatten()
    };
    let hour = number(hour).ok_or_else(wrong)?;
    let minute = number(minute).filter(|_| minute.len() == 2).ok_or_else(wrong)?;
    Time::new(hour, minute, 0, 0).map_err(|_| wrong())
}
