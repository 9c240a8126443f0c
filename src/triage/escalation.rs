//! Escalation: a group grows far beyond what is usual. Three rules, each with its arithmetic as a sentence.
//!
//! Batch traffic comes in bursts, so the failed share of a batch is the best signal; crossings of 10, 100, 1000 are
//! free of statistics; the last hour against the usual peak hour catches the rest.

use jiff::{SignedDuration, Timestamp};

/// The fewest items in an hour worth an escalation.
const LEAST_IN_HOUR: u64 = 10;
/// The usual peak is taken as at least this.
const LEAST_PEAK: u64 = 2;
/// How many times the usual peak: of a week known.
const TIMES_PEAK: u64 = 5;
/// How many times the peak: of a group younger than a week.
const TIMES_YOUNG_PEAK: u64 = 10;
/// The fewest finished items of a batch, and the fewest failed percent of them.
const LEAST_FINISHED: u64 = 20;
const LEAST_PERCENT: u64 = 20;
/// A rule fires again after this long below its limit.
const CALM: SignedDuration = SignedDuration::from_hours(24);

/// Which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum EscalationRule {
    /// The last hour against the usual peak hour.
    Hour,
    /// Open items cross a power of ten.
    Open,
    /// The share of one batch.
    Batch,
}

impl EscalationRule {
    /// The word in SQL.
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The numbers of a group that the rules look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupMeasures {
    /// Items that failed in the hour before now, by event time.
    pub last_hour: u64,
    /// The most observations in one hour of the seven days before that hour.
    pub peak_hour: u64,
    /// Whether the group is known for less than seven days.
    pub young: bool,
    /// Open items now.
    pub open: u64,
    /// Open items at the last report.
    pub open_announced: u64,
    /// The batch of the last day with the largest share.
    pub batch: Option<BatchShare>,
}

/// How much of one batch failed in this group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BatchShare {
    /// The batch.
    pub batch_id: String,
    /// Items of it in this group.
    pub failed: u64,
    /// Items of it that are finished, failed ones included.
    pub finished: u64,
}

/// A rule whose limit is reached.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reached {
    /// Which.
    pub rule: EscalationRule,
    /// The measured value.
    pub value: f64,
    /// The arithmetic, as a sentence fragment.
    pub why: String,
}

/// What is remembered of a rule that fired for a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EscalationMemory {
    /// Which.
    pub rule: EscalationRule,
    /// When it last fired.
    pub fired_at: Timestamp,
    /// The value that fired it.
    pub value: f64,
    /// When the limit was last seen reached.
    pub above_at: Timestamp,
}

/// Every rule whose limit is reached now.
pub(crate) fn reached(measures: &GroupMeasures) -> Vec<Reached> {
    [hour(measures), crossing(measures), share(measures)].into_iter().flatten().collect()
}

/// Whether a rule that fired is still above the limit at which it did: the calm that re-arms it has not begun.
///
/// The limit of open items is the power of ten that was crossed, whatever it was reported since.
pub(crate) fn is_above(memory: &EscalationMemory, measures: &GroupMeasures) -> bool {
    match memory.rule {
        EscalationRule::Hour => hour(measures).is_some(),
        EscalationRule::Batch => share(measures).is_some(),
        EscalationRule::Open => as_f64(measures.open) >= 10_f64.powf(memory.value.max(10.0).log10().floor()),
    }
}

/// Whether a reached rule is news: it never fired, or its value doubled, or it was below its limit for a day.
pub(crate) fn is_due(reached: &Reached, memory: Option<&EscalationMemory>, now: Timestamp) -> bool {
    memory.is_none_or(|memory| reached.value >= 2.0 * memory.value || now - memory.above_at >= CALM)
}

fn hour(m: &GroupMeasures) -> Option<Reached> {
    let times = if m.young { TIMES_YOUNG_PEAK } else { TIMES_PEAK };
    let peak = m.peak_hour.max(LEAST_PEAK);
    let limit = peak.saturating_mul(times).max(LEAST_IN_HOUR);
    (m.last_hour >= limit).then(|| Reached {
        rule: EscalationRule::Hour,
        value: as_f64(m.last_hour),
        why: format!("{} in the last hour, normally up to {peak}/h; alert at {limit}/h", m.last_hour),
    })
}

fn crossing(m: &GroupMeasures) -> Option<Reached> {
    let limit = 10_u64.checked_pow(m.open.checked_ilog10()?)?;
    (limit >= 10 && m.open_announced < limit).then(|| Reached {
        rule: EscalationRule::Open,
        value: as_f64(m.open),
        why: format!("{} open items, {} at the last digest; alert at {limit}", m.open, m.open_announced),
    })
}

fn share(m: &GroupMeasures) -> Option<Reached> {
    let batch = m.batch.as_ref()?;
    let failed = batch.failed.min(batch.finished);
    let enough =
        batch.finished >= LEAST_FINISHED && failed.saturating_mul(100) >= batch.finished.saturating_mul(LEAST_PERCENT);
    enough.then(|| {
        let percent = failed.saturating_mul(100) / batch.finished;
        Reached {
            rule: EscalationRule::Batch,
            value: as_f64(percent),
            why: format!(
                "{failed} of {} finished items of batch {} failed ({percent} %); alert at {LEAST_PERCENT} %",
                batch.finished, batch.batch_id
            ),
        }
    })
}

/// Exact below 2^53, which no count of items reaches.
fn as_f64(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(hours: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + hours * 3600).unwrap()
    }

    fn whys(measures: &GroupMeasures) -> Vec<String> {
        reached(measures).into_iter().map(|r| r.why).collect()
    }

    #[test]
    fn the_last_hour_is_compared_with_the_usual_peak() {
        let measures =
            |last_hour, peak_hour, young| GroupMeasures { last_hour, peak_hour, young, ..GroupMeasures::default() };
        assert_eq!(whys(&measures(47, 4, false)), ["47 in the last hour, normally up to 4/h; alert at 20/h"]);
        assert!(whys(&measures(19, 4, false)).is_empty());
        assert!(whys(&measures(9, 0, false)).is_empty());
        assert_eq!(whys(&measures(10, 0, false)).len(), 1);
        assert!(whys(&measures(19, 0, true)).is_empty());
        assert_eq!(whys(&measures(40, 4, true)).len(), 1);
    }

    #[test]
    fn open_items_count_at_each_power_of_ten() {
        let measures = |open_announced, open| GroupMeasures { open, open_announced, ..GroupMeasures::default() };
        assert_eq!(whys(&measures(3, 12)), ["12 open items, 3 at the last digest; alert at 10"]);
        assert_eq!(whys(&measures(50, 1000)), ["1000 open items, 50 at the last digest; alert at 1000"]);
        for (announced, open) in [(0, 9), (10, 99), (12, 11), (100, 99), (0, 0)] {
            assert!(whys(&measures(announced, open)).is_empty(), "{announced} {open}");
        }
    }

    #[test]
    fn a_fifth_of_a_batch_of_twenty_is_much() {
        let measures = |failed, finished| GroupMeasures {
            batch: Some(BatchShare { batch_id: "b".into(), failed, finished }),
            ..GroupMeasures::default()
        };
        assert_eq!(whys(&measures(4, 20)), ["4 of 20 finished items of batch b failed (20 %); alert at 20 %"]);
        for (failed, finished) in [(19, 19), (3, 20), (0, 0), (199, 1000)] {
            assert!(whys(&measures(failed, finished)).is_empty());
        }
    }

    #[test]
    fn open_items_are_calm_only_below_the_limit_they_crossed() {
        let memory = |value| EscalationMemory { rule: EscalationRule::Open, fired_at: t(0), value, above_at: t(0) };
        // It was reported at 60 items: no further crossing does not mean that it has calmed down.
        let announced = |open| GroupMeasures { open, open_announced: open, ..GroupMeasures::default() };
        for (value, open, above) in [
            (60.0, 60, true),
            (60.0, 10, true),
            (60.0, 9, false),
            (1000.0, 1000, true),
            (1000.0, 999, false),
            (12.0, 11, true),
        ] {
            assert_eq!(is_above(&memory(value), &announced(open)), above, "{value} {open}");
        }
    }

    #[test]
    fn a_rule_fires_again_only_at_the_double_or_after_a_calm_day() {
        let now_at = |value| Reached { rule: EscalationRule::Hour, value, why: String::new() };
        let memory = EscalationMemory { rule: EscalationRule::Hour, fired_at: t(0), value: 20.0, above_at: t(2) };
        assert!(is_due(&now_at(20.0), None, t(0)));
        assert!(!is_due(&now_at(39.0), Some(&memory), t(3)));
        assert!(is_due(&now_at(40.0), Some(&memory), t(3)));
        assert!(!is_due(&now_at(20.0), Some(&memory), t(25)));
        assert!(is_due(&now_at(20.0), Some(&memory), t(26)));
    }
}
