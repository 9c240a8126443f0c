//! Hints that a scan now would find news: given by webhook events, taken by the worker's loop.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Events remembered by id, so that one sent again is no second hint; the sender tries three times within seconds.
const REMEMBERED: usize = 1_000;

/// The time between two takings: a batch of a thousand files may send a thousand events.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// The hints that were given and not taken.
#[derive(Debug, Default)]
pub struct Hints(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    seen: VecDeque<String>,
    waiting: bool,
    taken_at: Option<Timestamp>,
}

impl Hints {
    /// Gives a hint; false if this event has given one before.
    pub fn give(&self, event_id: &str) -> bool {
        let mut state = self.state();
        if state.seen.iter().any(|seen| seen == event_id) {
            return false;
        }
        if state.seen.len() >= REMEMBERED {
            state.seen.pop_front();
        }
        state.seen.push_back(event_id.to_owned());
        state.waiting = true;
        true
    }

    /// Takes the hints that wait; false if there are none, or if some were taken only just now: then they go on waiting.
    pub fn take(&self, now: Timestamp) -> bool {
        let mut state = self.state();
        let taken_lately = state.taken_at.is_some_and(|last| now.duration_since(last).abs() < PAUSE);
        if taken_lately || !state.waiting {
            return false;
        }
        state.waiting = false;
        state.taken_at = Some(now);
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_events_are_one_hint_and_a_replayed_one_is_none() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let hints = Hints::default();
        let later = |seconds| now + SignedDuration::from_secs(seconds);
        assert!(!hints.take(now));
        assert!(hints.give("a") && hints.give("b") && !hints.give("a"));
        assert!(hints.take(now));
        assert!(!hints.take(later(60)), "taken once");
        assert!(!hints.give("b") && !hints.take(later(60)), "a replay asks for nothing");
        assert!(hints.give("c") && !hints.take(later(29)), "too soon after the last one");
        assert!(hints.take(later(30)), "but not lost");
    }

    #[test]
    fn only_the_newest_events_are_remembered() {
        let hints = Hints::default();
        for n in 0..=REMEMBERED {
            assert!(hints.give(&n.to_string()));
        }
        assert!(!hints.give("1") && hints.give("0"));
    }
}
