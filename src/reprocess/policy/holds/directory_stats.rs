//! Whether failures of a group lie with one sender: a directory of which no retry recovers while those of the others do.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::reprocess::policy::holds::delay::later;
use crate::reprocess::policy::limits::Limits;

/// What first retries of a group's documents from one directory came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Recovered.
    pub recovered: u32,
    /// Failed.
    pub failed: u32,
    /// When the newest of them ended.
    pub last: Timestamp,
}

/// The senders of a group, by directory.
pub type Senders = BTreeMap<String, Sender>;

/// Fewer failures than this say nothing about a sender.
const ENOUGH: u32 = 3;
/// Fewer recoveries of others than this are nothing to compare with.
const OTHERS: u32 = 5;
/// All of a sender's retries fail by chance less often than this.
const CHANCE: f64 = 0.01;

/// Until when documents of a directory wait, after which one of them tries for all; none if nothing speaks against it.
pub(crate) fn held_until(senders: &Senders, directory: &str, limits: &Limits) -> Option<Timestamp> {
    let sender = senders.get(directory).filter(|sender| sender.recovered == 0 && sender.failed >= ENOUGH)?;
    let others = senders.iter().filter(|(name, _)| *name != directory).map(|(_, other)| other);
    let (recovered, failed) = others.fold((0, 0), |sum, other| (sum.0 + other.recovered, sum.1 + other.failed));
    let lost = (f64::from(failed) + 1.0) / (f64::from(recovered + failed) + 2.0);
    let by_chance = lost.powi(i32::try_from(sender.failed).unwrap_or(i32::MAX));
    (recovered >= OTHERS && by_chance < CHANCE).then(|| later(sender.last, limits.longest_delay))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn a_sender_is_held_once_chance_explains_its_failures_no_longer() {
        let sender = |recovered, failed| Sender { recovered, failed, last: Timestamp::UNIX_EPOCH };
        let held = |one, other| {
            let senders = BTreeMap::from([("a".to_owned(), one), ("b".to_owned(), other)]);
            held_until(&senders, "a", &Limits::default())
        };
        let until = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24);
        assert_eq!(held(sender(0, 3), sender(20, 2)), Some(until));
        assert_eq!(held(sender(0, 2), sender(20, 0)), None, "two may be chance");
        assert_eq!(held(sender(1, 9), sender(20, 2)), None, "one recovered");
        assert_eq!(held(sender(0, 3), sender(12, 8)), None, "the others fail often, too");
        assert_eq!(held(sender(0, 6), sender(12, 8)), Some(until));
        assert_eq!(held(sender(0, 9), sender(4, 0)), None, "nothing to compare with");
    }
}
