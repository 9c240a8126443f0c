//! The liveness state that the watchdog, `/healthz` and the metrics read.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Shared signs of life of the worker.
///
/// Durations are measured by a monotonic clock that stops while the host is suspended:
/// the wall clock may jump by hours.
#[derive(Debug)]
pub(crate) struct Liveness {
    born: Instant,
    /// Milliseconds since `born`, and one; 0 is "never".
    last_tick: AtomicU64,
    /// The same; 0 while idle.
    busy_since: AtomicU64,
    /// Milliseconds since 1970; 0 is "never".
    last_cycle: AtomicI64,
    cycles_done: AtomicU64,
    cycles_failed: AtomicU64,
    /// Why the worker is blocked.
    blockage: Mutex<Option<Blockage>>,
}

#[derive(Debug)]
struct Blockage {
    since: Instant,
    why: String,
    /// How long it may last before it is reported.
    grace: Duration,
    alarmed: bool,
}

/// A tick older than this, while the worker is idle, means that the scheduler is dead.
const TICK_LIMIT: Duration = Duration::from_secs(60);

/// A lock that lasts as long is reported: a backup may lock a ledger for a moment.
pub(crate) const LOCK_LIMIT: Duration = Duration::from_secs(60);

/// A cycle longer than this means that the worker hangs: every request and delivery in it has a far shorter limit.
const CYCLE_LIMIT: Duration = Duration::from_secs(2 * 3600);

impl Default for Liveness {
    fn default() -> Liveness {
        Liveness {
            born: Instant::now(),
            last_tick: AtomicU64::default(),
            busy_since: AtomicU64::default(),
            last_cycle: AtomicI64::default(),
            cycles_done: AtomicU64::default(),
            cycles_failed: AtomicU64::default(),
            blockage: Mutex::default(),
        }
    }
}

impl Liveness {
    /// A tick arrived.
    pub(crate) fn tick(&self, now: Instant) {
        self.last_tick.store(self.age(now), Ordering::Relaxed);
    }

    /// A tick arrived, but the ledger is unavailable: the loop is alive, and a restart would not help.
    ///
    /// It is reported once it has lasted for `grace`. Says whether that is news.
    pub(crate) fn set_blocked(&self, now: Instant, why: String, grace: Duration) -> bool {
        self.tick(now);
        let mut blockage = self.blockage();
        let is_new = blockage.as_ref().is_none_or(|blockage| blockage.why != why);
        let blockage = blockage.get_or_insert(Blockage { since: now, why: String::new(), grace, alarmed: false });
        (blockage.why, blockage.grace) = (why, grace);
        is_new
    }

    /// The fault is over; says how long it lasted, if there was one.
    pub(crate) fn clear_blocked(&self, now: Instant) -> Option<Duration> {
        self.blockage().take().map(|blockage| now.saturating_duration_since(blockage.since))
    }

    /// Whether the fault is a lock, of which any other write shows that it is over.
    pub(crate) fn waits_for_lock(&self) -> bool {
        self.blockage().as_ref().is_some_and(|blockage| !blockage.grace.is_zero())
    }

    /// What keeps the worker from working for long enough to be reported.
    pub(crate) fn blocked_by(&self, now: Instant) -> Option<String> {
        self.blockage().as_ref().and_then(|blockage| blockage.mark_reported(now))
    }

    /// The same, once for each fault.
    pub(crate) fn alarm(&self, now: Instant) -> Option<String> {
        let mut blockage = self.blockage();
        let blockage = blockage.as_mut().filter(|blockage| !blockage.alarmed)?;
        let reported = blockage.mark_reported(now);
        blockage.alarmed = reported.is_some();
        reported
    }

    fn blockage(&self) -> MutexGuard<'_, Option<Blockage>> {
        self.blockage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A cycle, or other work that may take longer than the time between two ticks, begins.
    pub(crate) fn begin(&self, now: Instant) {
        self.busy_since.store(self.age(now), Ordering::Relaxed);
    }

    /// Work that is no cycle ended: retries and deliveries between cycles.
    pub(crate) fn rest(&self, now: Instant) {
        self.busy_since.store(0, Ordering::Relaxed);
        self.tick(now);
    }

    /// A cycle ended, well or not; `ended_at` is what it is reported.
    pub(crate) fn end(&self, now: Instant, ended_at: Timestamp, well: bool) {
        self.rest(now);
        self.last_cycle.store(ended_at.as_millisecond(), Ordering::Relaxed);
        let counter = if well { &self.cycles_done } else { &self.cycles_failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// When the last cycle ended; none before the first.
    pub(crate) fn last_cycle(&self) -> Option<Timestamp> {
        match self.last_cycle.load(Ordering::Relaxed) {
            0 => None,
            ms => Timestamp::from_millisecond(ms).ok(),
        }
    }

    /// Cycles since the start: those that did all their work, and those that did not.
    pub(crate) fn cycles(&self) -> (u64, u64) {
        (self.cycles_done.load(Ordering::Relaxed), self.cycles_failed.load(Ordering::Relaxed))
    }

    /// What is wrong with the loop, if anything; only a restart helps.
    pub(crate) fn complaint(&self, now: Instant) -> Option<String> {
        if let Some(busy) = self.since(&self.busy_since, now) {
            return (busy > CYCLE_LIMIT)
                .then(|| format!("a cycle, or work between cycles, has been running for {} min", busy.as_secs() / 60));
        }
        let silent = self.since(&self.last_tick, now)?;
        (silent > TICK_LIMIT).then(|| format!("the scheduler has been silent for {} s", silent.as_secs()))
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

impl Blockage {
    fn mark_reported(&self, now: Instant) -> Option<String> {
        let lasted = now.saturating_duration_since(self.since);
        (lasted >= self.grace).then(|| format!("no progress for {} s: {}", lasted.as_secs(), self.why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_scheduler_and_a_hanging_cycle_are_distinguished() {
        let pulse = Liveness::default();
        let start = pulse.born;
        let after = |minutes: u64| start + Duration::from_secs(minutes * 60);
        assert_eq!(pulse.complaint(start), None);
        pulse.tick(start);
        assert_eq!(pulse.complaint(after(1)), None);
        assert!(pulse.complaint(after(2)).unwrap().contains("scheduler has been silent for 120 s"));
        pulse.begin(after(2));
        assert_eq!(pulse.complaint(after(100)), None);
        assert_eq!(
            pulse.complaint(after(200)).unwrap(),
            "a cycle, or work between cycles, has been running for 198 min"
        );
        pulse.end(after(200), "2026-03-01T00:00:00Z".parse().unwrap(), true);
        assert_eq!(pulse.complaint(after(200)), None);
        assert_eq!(pulse.cycles(), (1, 0));
    }

    #[test]
    fn a_locked_ledger_is_reported_after_a_minute_and_is_no_silence() {
        let pulse = Liveness::default();
        let after = |seconds: u64| pulse.born + Duration::from_secs(seconds);
        for seconds in (0..180).step_by(10) {
            pulse.set_blocked(after(seconds), "database is locked".to_owned(), LOCK_LIMIT);
            assert_eq!(pulse.complaint(after(seconds)), None, "a restart would not help");
            assert_eq!(pulse.blocked_by(after(seconds)).is_some(), seconds >= 60);
        }
        assert_eq!(pulse.blocked_by(after(170)).unwrap(), "no progress for 170 s: database is locked");
        assert!(pulse.waits_for_lock());
        assert!(pulse.alarm(after(170)).is_some() && pulse.alarm(after(171)).is_none(), "one alarm is enough");
        assert_eq!(pulse.clear_blocked(after(180)), Some(Duration::from_secs(180)));
        assert_eq!((pulse.clear_blocked(after(180)), pulse.blocked_by(after(999))), (None, None));
        pulse.set_blocked(after(200), "the disk is full".to_owned(), Duration::ZERO);
        assert!(pulse.blocked_by(after(200)).is_some(), "that does not pass in a moment");
        assert!(!pulse.waits_for_lock(), "a small write says nothing about room for a large one");
    }

    #[test]
    fn work_between_cycles_is_neither_silence_nor_a_cycle() {
        let pulse = Liveness::default();
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
