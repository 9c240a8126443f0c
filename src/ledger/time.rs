//! Times as the ledger keeps them: integer milliseconds since 1970-01-01 UTC.

use jiff::Timestamp;

/// Milliseconds of an hour.
pub(crate) const HOUR: i64 = 3_600_000;

/// The stored form of a time.
pub(crate) fn millis(at: Timestamp) -> i64 {
    at.as_millisecond()
}

/// The stored form of a time that may be unknown.
pub(crate) fn optional_millis(at: Option<Timestamp>) -> Option<i64> {
    at.map(millis)
}

/// A stored time; a number beyond what a time can be becomes the nearest one.
pub(crate) fn timestamp(millis: i64) -> Timestamp {
    let fallback = if millis < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(millis).unwrap_or(fallback)
}

/// The hour bucket of a stored time: hours since 1970-01-01 UTC.
pub(crate) fn hour(millis: i64) -> i64 {
    millis.div_euclid(HOUR)
}
