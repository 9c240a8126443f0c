//! Times as people type them: `24h`, `7d`, `today`, `2026-11-02`, `2026-11-02T14:30`, RFC 3339.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Why a time cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot understand the time {0:?}: write 90m, 24h, 7d (that long ago), today, yesterday, 2026-11-02, 2026-11-02T14:30 or 2026-11-02T14:30:00Z"
)]
pub(crate) struct NotATime(String);

/// Reads a time; words and dates without an offset are taken in `zone`.
///
/// Days and weeks are calendar days: `1d` over the night of a clock change is 23 or 25 hours.
///
/// # Errors
/// Anything that is none of the forms above.
pub(crate) fn parse(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, NotATime> {
    let text = text.trim();
    let today = now.to_zoned_datetime(zone.clone()).date();
    let start = |date: Date| Some(date.to_zoned_datetime(zone.clone()).ok()?.timestamp());
    let found = match text {
        "now" => Some(now),
        "today" => start(today),
        "yesterday" => today.yesterday().ok().and_then(start),
        _ => None.or_else(|| text.parse::<Timestamp>().ok()).or_else(|| ago(text, now, zone)).or_else(|| {
            let local = text.parse::<DateTime>().ok()?;
            Some(local.to_zoned_datetime(zone.clone()).ok()?.timestamp())
        }),
    };
    found.ok_or_else(|| NotATime(text.to_owned()))
}

fn ago(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let span: Span = text.strip_suffix(" ago").unwrap_or(text).parse().ok()?;
    if span.is_negative() {
        return None;
    }
    let then = now.to_zoned_datetime(zone.clone()).checked_sub(span).ok()?;
    Some(then.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_understood() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now: Timestamp = "2026-03-29T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("now", "2026-03-29T12:00:00Z"),
            ("24h", "2026-03-28T12:00:00Z"),
            ("90m", "2026-03-29T10:30:00Z"),
            ("1h 30m", "2026-03-29T10:30:00Z"),
            ("2h ago", "2026-03-29T10:00:00Z"),
            // The clocks went forward that night: a calendar day back is 23 hours back.
            ("1d", "2026-03-28T13:00:00Z"),
            ("1w", "2026-03-22T13:00:00Z"),
            ("today", "2026-03-28T23:00:00Z"),
            ("yesterday", "2026-03-27T23:00:00Z"),
            ("2026-03-01", "2026-02-28T23:00:00Z"),
            ("2026-03-01T14:30", "2026-03-01T13:30:00Z"),
            ("2026-03-01 14:30", "2026-03-01T13:30:00Z"),
            ("2026-03-01T14:30:00Z", "2026-03-01T14:30:00Z"),
            ("2026-03-01T14:30:00+01:00", "2026-03-01T13:30:00Z"),
        ] {
            assert_eq!(parse(text, now, &zone).map(|t| t.to_string()), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn nonsense_is_named() {
        for text in ["", "soon", "-3h", "25:00", "7"] {
            assert!(parse(text, Timestamp::UNIX_EPOCH, &TimeZone::UTC).is_err(), "{text}");
        }
    }
}
