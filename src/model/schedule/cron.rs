//! Cron lines: minute, hour, day of month, month, day of week, and seconds in front if there are six fields.
//!
//! Numbers, names (`mon`, `jan`), `*`, lists, ranges and steps. As in Vixie cron, a day matches if either day field
//! does, when both are restricted. A line whose hour is `*` or a step runs in both hours that a zone repeats;
//! one with fixed hours runs once.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

/// What is wrong with a schedule, as a sentence that says what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScheduleError(pub String);

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// A cron line, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    seconds: Field,
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

/// The values a field allows, as bits, and whether it was written as `*` or `*/n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    values: u64,
    star: bool,
}

impl Field {
    fn holds(self, value: i8) -> bool {
        u32::try_from(value).is_ok_and(|bit| self.values >> bit & 1 == 1)
    }

    fn each(self) -> impl Iterator<Item = i8> {
        (0..60).filter(move |value| self.holds(*value))
    }
}

impl Cron {
    /// Reads a line of 5 or 6 fields.
    pub(crate) fn parse(line: &str) -> Result<Cron, ScheduleError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (seconds, rest) = match words.len() {
            5 => ("0", &words[..]),
            6 => (words[0], &words[1..]),
            n => {
                return Err(ScheduleError(format!(
                    "the cron line \"{line}\" has {n} fields: write 5 (minute hour day month weekday) or 6 (second first)"
                )));
            }
        };
        let mut weekdays = field("day of week", rest[4], 0, 7, &DAYS)?;
        weekdays.values |= weekdays.values >> 7 & 1;
        let cron = Cron {
            seconds: field("second", seconds, 0, 59, &[])?,
            minutes: field("minute", rest[0], 0, 59, &[])?,
            hours: field("hour", rest[1], 0, 23, &[])?,
            days: field("day of month", rest[2], 1, 31, &[])?,
            months: field("month", rest[3], 1, 12, &MONTHS)?,
            weekdays,
        };
        cron.refuse_impossible_date(line)
    }

    /// All instants of one local day, perhaps out of order or twice around a clock change.
    pub(crate) fn instants_on(&self, date: Date, zone: &TimeZone) -> Vec<Timestamp> {
        if !self.takes_day(date) {
            return Vec::new();
        }
        let mut instants = Vec::new();
        for hour in self.hours.each() {
            for minute in self.minutes.each() {
                for second in self.seconds.each() {
                    if let Ok(time) = Time::new(hour, minute, second, 0) {
                        self.push_instants(&mut instants, date, time, zone);
                    }
                }
            }
        }
        instants
    }

    fn push_instants(&self, into: &mut Vec<Timestamp>, date: Date, time: Time, zone: &TimeZone) {
        let local = zone.to_ambiguous_timestamp(date.to_datetime(time));
        let repeated = self.hours.star && matches!(local.offset(), AmbiguousOffset::Fold { .. });
        into.extend(local.compatible());
        if repeated {
            into.extend(local.later());
        }
    }

    fn takes_day(&self, date: Date) -> bool {
        let day = self.days.holds(date.day());
        let weekday = self.weekdays.holds(date.weekday().to_sunday_zero_offset());
        let either = !self.days.star && !self.weekdays.star;
        self.months.holds(date.month()) && if either { day || weekday } else { day && weekday }
    }

    /// "0 9 31 2 *" would wait for ever.
    fn refuse_impossible_date(self, line: &str) -> Result<Cron, ScheduleError> {
        let longest = |month: i8| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let possible =
            !self.weekdays.star || self.months.each().any(|month| (1..=longest(month)).any(|day| self.days.holds(day)));
        if possible {
            Ok(self)
        } else {
            Err(ScheduleError(format!("the cron line \"{line}\" names a date that never comes")))
        }
    }
}

fn field(name: &str, text: &str, low: u32, high: u32, names: &[&str]) -> Result<Field, ScheduleError> {
    let wrong = |part: &str| {
        ScheduleError(format!(
            "\"{part}\" is no {name} of a cron line: write {low} to {high}{}, \"*\", a list \"1,2\", a range \"1-5\" or a step \"*/5\"",
            if names.is_empty() { String::new() } else { format!(" or {}", names.join(" ")) }
        ))
    };
    let mut values = 0;
    for part in text.split(',') {
        values |= part_values(part, low, high, names).ok_or_else(|| wrong(part))?;
    }
    Ok(Field { values, star: text == "*" || text.starts_with("*/") })
}

fn part_values(part: &str, low: u32, high: u32, names: &[&str]) -> Option<u64> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, step.parse::<usize>().ok().filter(|step| *step > 0)?),
        None => (part, 1),
    };
    let value = |word: &str| -> Option<u32> {
        let named = names.iter().position(|n| word.eq_ignore_ascii_case(n));
        let number = match named {
            Some(place) => low.min(1) + u32::try_from(place).ok()?,
            None => word.parse().ok()?,
        };
        (low..=high).contains(&number).then_some(number)
    };
    let (first, last) = match range.split_once('-') {
        _ if range == "*" => (low, high),
        Some((first, last)) => (value(first)?, value(last)?),
        None if part.contains('/') => (value(range)?, high),
        None => (value(range)?, value(range)?),
    };
    (first <= last).then(|| (first..=last).step_by(step).fold(0, |bits, n| bits | 1 << n))
}
