//! Lengths of time in milliseconds, as times are counted in the ledger.

/// An hour.
pub(crate) const HOUR: i64 = 3_600_000;

/// A day.
pub(crate) const DAY: i64 = 24 * HOUR;
