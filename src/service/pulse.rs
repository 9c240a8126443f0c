//! The signs of life that the watchdog, `/healthz` and the metrics look at.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Shared signs of life of the worker.
///
/// How long something takes is measured by a clock that only goes on and stands still while the host is suspended:
/// the clock on the wall may be set by hours at any moment.
#[derive(Debug)]
pub struct Pulse {
    born: Instant,
    /// Milliseconds since `born`, and one; 0 is "never".
    last_tick: AtomicU64,
    /// The same; 0 while idle.
    busy_since: AtomicU64,
    /// Milliseconds since 1970; 0 is "never".
    last_cycle: AtomicI64,
    cycles_done: AtomicU64,
    cycles_failed: AtomicU64,
}

/// A tick older than this, while the worker is idle, means that the scheduler is dead.
const TICK_LIMIT: Duration = Duration::from_secs(60);

/// A cycle longer than this means that the worker hangs: every request and delivery in it has a far shorter limit.
const CYCLE_LIMIT: Duration = Duration::from_secs(2 * 3600);

impl Default for Pulse {
    fn default() -> Pulse {
        Pulse {
            born: Instant::now(),
            last_tick: AtomicU64::default(),
            busy_since: AtomicU64::default(),
            last_cycle: AtomicI64::default(),
            cycles_done: AtomicU64::default(),
            cycles_failed: AtomicU64::default(),
        }
    }
}

impl Pulse {
    /// A tick arrived.
    pub fn tick(&self, now: Instant) {
        self.last_tick.store(self.age(now), Ordering::Relaxed);
    }

    /// A cycle, or other work that may take longer than the time between two ticks, begins.
    pub fn begin(&self, now: Instant) {
        self.busy_since.store(self.age(now), Ordering::Relaxed);
    }

    /// Work that is no cycle ended: retries and deliveries between cycles.
    pub fn rest(&self, now: Instant) {
        self.busy_since.store(0, Ordering::Relaxed);
        self.tick(now);
    }

    /// A cycle ended, well or not; `ended_at` is what people are told.
    pub fn end(&self, now: Instant, ended_at: Timestamp, well: bool) {
        self.rest(now);
        self.last_cycle.store(ended_at.as_millisecond(), Ordering::Relaxed);
        let counter = if well { &self.cycles_done } else { &self.cycles_failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// When the last cycle ended; none before the first.
    pub fn last_cycle(&self) -> Option<Timestamp> {
        match self.last_cycle.load(Ordering::Relaxed) {
            0 => None,
            ms => Timestamp::from_millisecond(ms).ok(),
        }
    }

    /// Cycles since the start: those that did all their work, and those that did not.
    pub fn cycles(&self) -> (u64, u64) {
        (self.cycles_done.load(Ordering::Relaxed), self.cycles_failed.load(Ordering::Relaxed))
    }

    /// What is wrong with the loop, if anything.
    pub fn complaint(&self, now: Instant) -> Option<String> {
        if let Some(busy) = self.since(&self.busy_since, now) {
            return (busy > CYCLE_LIMIT).then(|| {
                format!("one cycle, or the work between two, has been running for {} min", busy.as_secs() / 60)
            });
        }
        let silent = self.since(&self.last_tick, now)?;
        (silent > TICK_LIMIT)
            .then(|| format!("the scheduler has been silent, or the ledger locked, for {} s", silent.as_secs()))
    }

    fn age(&self, now: Instant) -> u64 {
        u64::try_from(now.duration_since(self.born).as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    fn since(&self, sign: &AtomicU64, now: Instant) -> Option<Duration> {
        match sign.load(Ordering::Relaxed) {
            0 => None,
            then => Some(Duration::from_millis(self.age(now).saturating_sub(then))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_scheduler_and_a_hanging_cycle_are_told_apart() {
        let pulse = Pulse::default();
        let start = pulse.born;
        let after = |minutes: u64| start + Duration::from_secs(minutes * 60);
        assert_eq!(pulse.complaint(start), None);
        pulse.tick(start);
        assert_eq!(pulse.complaint(after(1)), None);
        assert!(
            pulse.complaint(after(2)).unwrap().contains("scheduler has been silent, or the ledger locked, for 120 s")
        );
        pulse.begin(after(2));
        assert_eq!(pulse.complaint(after(100)), None);
        assert_eq!(
            pulse.complaint(after(200)).unwrap(),
            "one cycle, or the work between two, has been running for 198 min"
        );
        pulse.end(after(200), "2026-03-01T00:00:00Z".parse().unwrap(), true);
        assert_eq!(pulse.complaint(after(200)), None);
        assert_eq!(pulse.cycles(), (1, 0));
    }

    #[test]
    fn work_between_cycles_is_neither_silence_nor_a_cycle() {
        let pulse = Pulse::default();
        let after = |minutes: u64| pulse.born + Duration::from_secs(minutes * 60);
        pulse.tick(after(0));
        pulse.begin(after(0));
        assert_eq!(pulse.complaint(after(30)), None, "an approved plan may take its time");
        pulse.rest(after(30));
        assert_eq!(pulse.complaint(after(31)), None);
        assert!(pulse.complaint(after(32)).unwrap().contains("silent"));
        assert_eq!((pulse.cycles(), pulse.last_cycle()), ((0, 0), None));
    }
}
