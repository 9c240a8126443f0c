//! Which batches have not ended for far longer than such batches usually take.

use jiff::{SignedDuration, Timestamp};

use crate::model::batch::BatchStatus;
use crate::model::item::{Kind, Observation};
use crate::model::schedule::overdue::OverdueLimit;
use crate::model::text::{length, local};
use crate::scan::batch_failure::WHOLE_BATCH;

/// A batch whose work has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunningBatch {
    /// Its key.
    pub batch_key: i64,
    /// LlamaCloud's id.
    pub batch_id: String,
    /// What it does.
    pub job_type: String,
    /// Completed: it is through with its files, and jobs that it made have not ended.
    pub status: BatchStatus,
    /// All its items; none if that is not known.
    pub items: Option<u64>,
    /// When it was made; when it was first seen, if the API does not say.
    pub since: Timestamp,
}

/// How long a batch of some size took that completed, from when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FinishedBatch {
    /// All its items; none if that is not known.
    pub items: Option<u64>,
    /// From when it was made until it completed.
    pub took: SignedDuration,
}

/// Fewer finished batches say nothing about what is usual.
const FEW: usize = 5;

/// Batches are alike if none has more than so many times the items of the other.
const ALIKE: u64 = 4;

/// What such a batch usually takes: the median of those of its size; none if there are only few.
pub(crate) fn usual_time(finished: &[FinishedBatch], items: Option<u64>) -> Option<SignedDuration> {
    let is_alike = |other: &FinishedBatch| match (items, other.items) {
        (Some(items), Some(others)) => items <= others.saturating_mul(ALIKE) && others <= items.saturating_mul(ALIKE),
        _ => true,
    };
    let mut times: Vec<SignedDuration> =
        finished.iter().filter(|other| is_alike(other)).map(|other| other.took).collect();
    times.sort();
    (times.len() >= FEW).then(|| times[times.len() / 2])
}

impl RunningBatch {
    /// The batch as an overdue item, if it is overdue at `now`: such batches usually take `usual`.
    pub(crate) fn overdue(
        &self,
        overdue: OverdueLimit,
        usual: Option<SignedDuration>,
        now: Timestamp,
    ) -> Option<Observation> {
        let age = now.duration_since(self.since);
        let limit = overdue.limit(usual);
        (age >= limit).then(|| Observation {
            item_id: self.batch_id.clone(),
            item_name: WHOLE_BATCH.to_owned(),
            kind: Kind::Overdue,
            message: Some(self.describe(age, usual)),
            skip_reason: None,
            job_id: None,
            job_record_id: None,
            started_at: Some(self.since),
            completed_at: None,
            effective_at: self.since.checked_add(limit).ok(),
        })
    }

    fn describe(&self, age: SignedDuration, usual: Option<SignedDuration>) -> String {
        let since = local(self.since, &jiff::tz::TimeZone::UTC);
        let what = match self.status {
            BatchStatus::Completed => "the batch is completed, but not all of its jobs have ended".to_owned(),
            ref status => format!("the batch is still {}", status.as_str()),
        };
        let usual = match usual {
            Some(usual) => format!("such batches usually take {}", length(seconds(usual))),
            None => "too few such batches have ended to tell what is usual".to_owned(),
        };
        format!("{what}, {} after it was created ({since}); {usual}", length(seconds(age)))
    }
}

fn seconds(time: SignedDuration) -> u64 {
    time.as_secs().unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(hours: i64) -> Timestamp {
        "2026-03-02T08:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
    }

    fn finished(minutes: i64, items: u64) -> FinishedBatch {
        FinishedBatch { items: Some(items), took: SignedDuration::from_mins(minutes) }
    }

    fn running(status: BatchStatus) -> RunningBatch {
        RunningBatch {
            batch_key: 1,
            batch_id: "bjb-1".to_owned(),
            job_type: "parse".to_owned(),
            status,
            items: Some(50),
            since: time(0),
        }
    }

    #[test]
    fn what_is_usual_is_the_median_of_batches_of_that_size() {
        let mut known: Vec<_> = [10, 12, 14, 11, 600].map(|minutes| finished(minutes, 50)).to_vec();
        let minutes = SignedDuration::from_mins;
        assert_eq!(usual_time(&known, Some(50)), Some(minutes(12)), "one that was stuck changes little");
        assert_eq!(usual_time(&known, Some(200)), Some(minutes(12)));
        assert_eq!(usual_time(&known, Some(201)), None, "a large batch is none of them");
        assert_eq!(usual_time(&known, Some(12)), None);
        assert_eq!(usual_time(&known, None), Some(minutes(12)));
        known.extend([300, 310, 320, 330, 340].map(|minutes| finished(minutes, 1_000)));
        assert_eq!(usual_time(&known, Some(1_000)), Some(minutes(320)));
        assert_eq!(usual_time(&known[..4], Some(50)), None);
        assert_eq!(usual_time(&[], None), None);
    }

    #[test]
    fn a_batch_is_overdue_once_its_limit_has_passed_and_says_for_how_long() {
        let overdue = |hours, usual: Option<i64>| {
            let usual = usual.map(SignedDuration::from_mins);
            running(BatchStatus::Running).overdue(OverdueLimit::default(), usual, time(hours))
        };
        assert_eq!(overdue(5, Some(12)), None);
        let found = overdue(6, Some(12)).unwrap();
        let said = "the batch is still running, 6 h after it was created (2026-03-02 08:00 UTC); such batches usually take 12 min";
        assert_eq!(found.message.as_deref(), Some(said));
        assert_eq!((found.kind, found.item_id.as_str()), (Kind::Overdue, "bjb-1"));
        assert_eq!(found.effective_at, Some(time(6)), "since then, whenever it is noticed");
        assert_eq!(overdue(127, Some(60)).unwrap().effective_at, Some(time(10)));
        assert_eq!(overdue(9, Some(60)), None);
        assert_eq!(overdue(23, None), None);
        assert!(
            overdue(24, None)
                .unwrap()
                .message
                .unwrap()
                .ends_with("too few such batches have ended to tell what is usual")
        );
        let jobs = running(BatchStatus::Completed).overdue(OverdueLimit::default(), None, time(125)).unwrap();
        let said = "the batch is completed, but not all of its jobs have ended, 5 d 5 h after it was created";
        assert!(jobs.message.as_deref().unwrap().starts_with(said), "{jobs:?}");
    }
}
