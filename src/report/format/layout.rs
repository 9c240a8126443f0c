//! How an answer should look: zone, width, colour. Decided by the command, which knows the terminal.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::model::text::length;
use crate::report::filter::TimeRange;

/// How an answer should look.
#[derive(Clone, Debug)]
pub(crate) struct AnswerLayout {
    /// The zone times are shown in where people read them; programs get UTC.
    pub zone: TimeZone,
    /// When the report is made.
    pub now: Timestamp,
    /// Whether ages are shown rather than times, where an age says more.
    pub relative: bool,
    /// Columns of the terminal; none where lines may be as long as they like.
    pub width: Option<u16>,
    /// Whether escape codes for colour may be written.
    pub colour: bool,
    /// Whether OSC 8 links may be written.
    pub links: bool,
    /// Whether column names are written.
    pub header: bool,
    /// The columns asked for; none for the usual ones.
    pub columns: Option<Vec<String>>,
    /// Quote CSV cells that a spreadsheet would evaluate.
    pub csv_safe: bool,
}

impl Default for AnswerLayout {
    /// Plain text in UTC of any width.
    fn default() -> AnswerLayout {
        AnswerLayout {
            zone: TimeZone::UTC,
            now: Timestamp::UNIX_EPOCH,
            relative: false,
            width: None,
            colour: false,
            links: false,
            header: true,
            columns: None,
            csv_safe: true,
        }
    }
}

impl AnswerLayout {
    /// A time for people, to the minute, in their zone.
    pub(crate) fn time(&self, at: Timestamp) -> String {
        let at = at.to_zoned_datetime(self.zone.clone());
        at.strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// A time for people with its zone.
    pub(crate) fn time_and_zone(&self, at: Timestamp) -> String {
        let at = at.to_zoned_datetime(self.zone.clone());
        at.strftime("%Y-%m-%d %H:%M %Z").to_string()
    }
}

/// "1 item", "2,000 items".
pub(crate) fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(count))
}

/// "in the last 24 h", or from when to when, with the zone.
pub(crate) fn window(window: &TimeRange, look: &AnswerLayout) -> String {
    let hours = age(window.since, window.until).div_ceil(3600);
    match window.until == look.now {
        true if hours <= 72 => format!("in the last {hours} h"),
        true => format!("in the last {}", length(hours * 3600)),
        false => format!("from {} to {}", look.time(window.since), look.time_and_zone(window.until)),
    }
}

/// How long before `now` something was; nothing is in the future.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", length(age(at, now)))
}

/// Seconds from `at` to `now`; zero if `at` is later.
pub(crate) fn age(at: Timestamp, now: Timestamp) -> u64 {
    let age = now.duration_since(at).max(SignedDuration::ZERO);
    age.as_secs().unsigned_abs()
}

/// Hours put together so that their bars fit beside the rest of a line of this width.
pub(crate) fn fit_width(values: &[u64], width: Option<u16>) -> Vec<u64> {
    let together = match width {
        Some(..100) => 3,
        Some(..130) => 2,
        _ => 1,
    };
    values.chunks(together).map(|chunk| chunk.iter().sum()).collect()
}

/// Bars of eight heights; none of them for zero, so that one failure is seen.
pub(crate) fn sparkline(values: &[u64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().max().unwrap_or_default().max(1);
    let bar = |value: u64| match value {
        0 => '·',
        value => {
            let step = (value * 8).div_ceil(most).clamp(1, 8) - 1;
            BARS[usize::try_from(step).unwrap_or_default()]
        }
    };
    values.iter().map(|value| bar(*value)).collect()
}

/// A count with thin gaps every three digits: "1,234,567".
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_failure_is_seen_beside_many() {
        assert_eq!(sparkline(&[0, 1, 1000, 500]), "·▁█▄");
        assert_eq!(sparkline(&[]), "");
    }

    #[test]
    fn digits_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped).join(" "), "0 999 1,000 1,234,567");
    }
}
