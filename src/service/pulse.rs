//! The signs of life that the watchdog, `/healthz` and the metrics look at.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// Shared signs of life of the worker. All times are milliseconds since 1970; 0 is "never".
#[derive(Debug, Default)]
pub struct Pulse {
    last_tick: AtomicI64,
    busy_since: AtomicI64,
    last_cycle: AtomicI64,
    cycles_done: AtomicU64,
    cycles_failed: AtomicU64,
}

/// A tick older than this, while the worker is idle, means that the scheduler is dead.
const TICK_LIMIT: Duration = Duration::from_secs(60);

/// A cycle longer than this means that the worker hangs: every request and delivery in it has a far shorter limit.
const CYCLE_LIMIT: Duration = Duration::from_secs(2 * 3600);

impl Pulse {
    /// A tick arrived.
    pub fn tick(&self, now: Timestamp) {
        self.last_tick.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// A cycle begins.
    pub fn begin(&self, now: Timestamp) {
        self.busy_since.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// A cycle ended, well or not.
    pub fn end(&self, now: Timestamp, well: bool) {
        self.busy_since.store(0, Ordering::Relaxed);
        self.last_tick.store(now.as_millisecond(), Ordering::Relaxed);
        self.last_cycle.store(now.as_millisecond(), Ordering::Relaxed);
        let counter = if well { &self.cycles_done } else { &self.cycles_failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// When the last cycle ended; none before the first.
    pub fn last_cycle(&self) -> Option<Timestamp> {
        at(&self.last_cycle)
    }

    /// Cycles since the start: those that did all their work, and those that did not.
    pub fn cycles(&self) -> (u64, u64) {
        (self.cycles_done.load(Ordering::Relaxed), self.cycles_failed.load(Ordering::Relaxed))
    }

    /// What is wrong with the loop, if anything.
    pub fn complaint(&self, now: Timestamp) -> Option<String> {
        let older = |since: Timestamp, limit: Duration| now.duration_since(since).unsigned_abs() > limit;
        if let Some(since) = at(&self.busy_since) {
            return older(since, CYCLE_LIMIT).then(|| format!("a cycle has been running since {since}"));
        }
        match at(&self.last_tick) {
            Some(tick) if older(tick, TICK_LIMIT) => {
                Some(format!("the scheduler has been silent, or the ledger locked, since {tick}"))
            }
            _ => None,
        }
    }
}

fn at(cell: &AtomicI64) -> Option<Timestamp> {
    match cell.load(Ordering::Relaxed) {
        0 => None,
        ms => Timestamp::from_millisecond(ms).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn a_silent_scheduler_and_a_hanging_cycle_are_told_apart() {
        let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let after = |minutes| start + SignedDuration::from_mins(minutes);
        let pulse = Pulse::default();
        assert_eq!(pulse.complaint(start), None);
        pulse.tick(start);
        assert_eq!(pulse.complaint(after(1)), None);
        assert!(pulse.complaint(after(2)).unwrap().contains("scheduler"));
        pulse.begin(after(2));
        assert_eq!(pulse.complaint(after(100)), None);
        assert!(pulse.complaint(after(200)).unwrap().contains("cycle"));
        pulse.end(after(200), true);
        assert_eq!(pulse.complaint(after(200)), None);
        assert_eq!(pulse.cycles(), (1, 0));
    }
}
