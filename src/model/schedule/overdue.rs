//! After which time work that has not ended is overdue, as the configuration says it.

use jiff::SignedDuration;

/// No limit is shorter.
pub(crate) const SHORTEST_LIMIT: SignedDuration = SignedDuration::from_hours(6);

/// The limit where it is not known what is usual.
const LIMIT_OF_UNKNOWN: SignedDuration = SignedDuration::from_hours(24);

/// When work is overdue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OverdueLimit {
    /// After so many times what is usual.
    Times(f64),
    /// After this time.
    After(SignedDuration),
}

impl Default for OverdueLimit {
    fn default() -> Self {
        OverdueLimit::Times(10.0)
    }
}

impl OverdueLimit {
    /// The time after which work is overdue that usually takes `usual`; none: that is not known. At least six hours.
    pub(crate) fn limit(self, usual: Option<SignedDuration>) -> SignedDuration {
        let limit = match self {
            OverdueLimit::After(limit) => limit,
            OverdueLimit::Times(factor) => usual.map_or(LIMIT_OF_UNKNOWN, |usual| usual.mul_f64(factor)),
        };
        limit.max(SHORTEST_LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_follows_what_is_usual_and_is_never_short() {
        let minutes = SignedDuration::from_mins;
        let table = [
            (OverdueLimit::Times(10.0), Some(minutes(60)), 600),
            (OverdueLimit::Times(10.0), Some(minutes(1)), 360),
            (OverdueLimit::Times(2.5), Some(minutes(200)), 500),
            (OverdueLimit::Times(10.0), None, 1440),
            (OverdueLimit::After(minutes(500)), Some(minutes(1)), 500),
            (OverdueLimit::After(minutes(500)), None, 500),
            (OverdueLimit::After(minutes(5)), None, 360),
        ];
        for (overdue, usual, wanted) in table {
            assert_eq!(overdue.limit(usual), minutes(wanted), "{overdue:?} {usual:?}");
        }
    }
}
