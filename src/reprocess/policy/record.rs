//! What first retries of a group have come to lately: how much of its wording is a lasting cause, if any is.
//!
//! One wording may stand for passing and for lasting causes. The first step that fails for that stops the group like any other;
//! from then on a step is measured against what the group has shown, so that its other documents get their turn.

use crate::reprocess::policy::ramp::Ramp;

/// First retries of a group that ended, the newest ones; without those that went in a storm and those of the step under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Recovered.
    pub recovered: u32,
    /// Failed, the same or differently.
    pub failed: u32,
}

/// Fewer recoveries than this may be luck.
const ENOUGH: u32 = 3;
/// Canaries may fail one after the other until chance alone would do that less often than this.
const CHANCE: f64 = 0.10;

impl Record {
    /// So many of the newest first retries count: what a group was like a thousand retries ago says little.
    pub const NEWEST: u32 = 40;

    /// How many first retries of the step under way have ended: they are judged, so they are not what it is judged by.
    pub const fn leaves_out(ramp: &Ramp) -> u32 {
        ramp.recovered + ramp.failed
    }

    /// The share that usually recovers, a little on the safe side; none if too little is known, or if fewer recover than fail:
    /// a recovery that costs more than two retries on average is a person's to decide.
    fn usual(self) -> Option<f64> {
        let (recovered, decided) = (f64::from(self.recovered), f64::from(self.recovered + self.failed));
        (self.recovered >= ENOUGH && self.recovered >= self.failed).then(|| (recovered + 2.0) / (decided + 2.0))
    }

    /// The share of a step's items that has to recover, where `wanted` is asked of a group that is not known to be mixed.
    pub fn pass_share(self, wanted: f64) -> f64 {
        wanted * self.usual().unwrap_or(1.0)
    }

    /// How many canaries may fail in a row before the group rests: one, if nearly all of them usually recover.
    pub fn canaries(self) -> u32 {
        let lost = self.usual().map_or(0.0, |usual| 1.0 - usual);
        (1..)
            .find(|canaries| lost.powi(*canaries) < CHANCE)
            .and_then(|canaries| u32::try_from(canaries).ok())
            .unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_measured_against_what_it_has_shown() {
        let record = |recovered, failed| Record { recovered, failed };
        for (record, share, canaries) in [
            (record(0, 0), 0.8, 1),
            (record(2, 2), 0.8, 1),
            (record(40, 0), 0.8, 1),
            (record(38, 2), 0.762, 1),
            (record(28, 12), 0.571, 2),
            (record(20, 20), 0.419, 4),
            (record(19, 21), 0.8, 1),
        ] {
            assert!((record.pass_share(0.8) - share).abs() < 0.001, "{record:?}: {}", record.pass_share(0.8));
            assert_eq!(record.canaries(), canaries, "{record:?}");
        }
    }
}
