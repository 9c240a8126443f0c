//! Whether the service as a whole is failing: a canary lost in a storm says nothing about its group.

/// What the account looks like over a short window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weather {
    /// Work goes through; a failure is the item's or the group's own.
    Calm,
    /// Much fails at once over several groups, or nearly everything.
    Storm,
    /// Too little was finished to say.
    #[default]
    Still,
}

/// Fewer finished items than this say nothing; the same 20 as the global breaker's.
const ENOUGH: u64 = 20;
/// Failing share that is a storm; the same 30 % as the global breaker's.
const STORM_SHARE: f64 = 0.30;
/// So many groups starting together have one cause, even without traffic to compare with.
const STORM_GROUPS: usize = 3;

/// The weather of the last 30 minutes.
///
/// `finished` counts items that reached any terminal state, `failed` those of them that failed with class transient, throttled or unknown
/// (a batch of protected PDFs is no storm), `new_groups` groups of those classes whose episode began in the window.
pub fn weather(finished: u64, failed: u64, new_groups: usize) -> Weather {
    #[expect(clippy::cast_precision_loss, reason = "counts of half an hour are far below 2^52")]
    let share = failed as f64 / finished.max(1) as f64;
    if new_groups >= STORM_GROUPS || (finished >= ENOUGH && share >= STORM_SHARE) {
        Weather::Storm
    } else if finished >= ENOUGH {
        Weather::Calm
    } else {
        Weather::Still
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weather_is_read_from_shares_and_groups() {
        assert_eq!(weather(100, 30, 0), Weather::Storm);
        assert_eq!(weather(100, 29, 2), Weather::Calm);
        assert_eq!(weather(19, 19, 2), Weather::Still);
        assert_eq!(weather(0, 0, 3), Weather::Storm);
    }
}
