//! Hints that a scan now would find news: given by webhook events, taken by the worker's loop.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// Events remembered by id, so that one sent again is no second hint; the sender tries three times within seconds.
const REMEMBERED: usize = 1_000;

/// The least time between two scans for hints: a batch of a thousand files may send a thousand events.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// The same for hints that name a batch: there are few of them, and each brings news.
const SHORT_PAUSE: SignedDuration = SignedDuration::from_secs(10);

/// Batches that wait to be asked for, at most: more of them are left to the job list.
const MOST_NAMED: usize = 100;

/// The hints that were given and not taken.
#[derive(Debug, Default)]
pub(crate) struct WebhookQueue(Mutex<QueueState>);

#[derive(Debug, Default)]
struct QueueState {
    seen: VecDeque<String>,
    waiting: bool,
    named: Vec<String>,
    taken_at: Option<Timestamp>,
}

impl WebhookQueue {
    /// Gives a hint, and the batch that it names; false if this event has given one before.
    pub(crate) fn give(&self, event_id: &str, batch_id: Option<&str>) -> bool {
        let mut state = self.state();
        if state.seen.iter().any(|seen| seen == event_id) {
            return false;
        }
        if state.seen.len() >= REMEMBERED {
            state.seen.pop_front();
        }
        state.seen.push_back(event_id.to_owned());
        state.waiting = true;
        if let Some(batch_id) = batch_id
            && state.named.len() < MOST_NAMED
            && !state.named.iter().any(|named| named == batch_id)
        {
            state.named.push(batch_id.to_owned());
        }
        true
    }

    /// Whether hints are pending and the least time since the last scan for hints has passed.
    pub(crate) fn are_due(&self, now: Timestamp) -> bool {
        let state = self.state();
        let pause = if state.named.is_empty() { PAUSE } else { SHORT_PAUSE };
        state.waiting && state.taken_at.is_none_or(|last| now.duration_since(last).abs() >= pause)
    }

    /// Takes the hints that wait for a scan that begins now: the batches that they name.
    pub(crate) fn take(&self, now: Timestamp) -> Vec<String> {
        let mut state = self.state();
        if std::mem::take(&mut state.waiting) {
            state.taken_at = Some(now);
        }
        std::mem::take(&mut state.named)
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds the names of newer hints to those that a cycle which ended before its scan has left.
pub(crate) fn join_names(left: &mut Vec<String>, newer: Vec<String>) {
    for batch_id in newer {
        if left.len() < MOST_NAMED && !left.contains(&batch_id) {
            left.push(batch_id);
        }
    }
}

/// Which project is asked for which of the named batches: the one that knows it, else each of these `projects`.
pub(crate) fn by_project(
    named: Vec<String>,
    known: &HashMap<String, Vec<String>>,
    projects: &[&str],
) -> HashMap<String, Vec<String>> {
    let mut asked: HashMap<String, Vec<String>> = HashMap::new();
    for batch_id in named {
        let knowing = known.get(&batch_id).map(|names| names.iter().map(String::as_str).collect());
        for project in knowing.unwrap_or_else(|| projects.to_vec()) {
            asked.entry(project.to_owned()).or_default().push(batch_id.clone());
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + seconds).unwrap()
    }

    #[test]
    fn many_events_are_one_hint_and_a_replayed_one_is_none() {
        let hints = WebhookQueue::default();
        assert!(!hints.are_due(at(0)));
        assert!(hints.give("a", None) && hints.give("b", None) && !hints.give("a", None));
        assert!(hints.are_due(at(0)));
        assert!(hints.take(at(0)).is_empty() && !hints.are_due(at(60)), "taken once");
        assert!(!hints.give("b", None) && !hints.are_due(at(60)), "a replay asks for nothing");
        assert!(hints.give("c", None) && !hints.are_due(at(29)), "too soon after the last one");
        assert!(hints.are_due(at(30)), "but not lost");
    }

    #[test]
    fn a_burst_of_events_makes_few_scans_and_a_named_batch_waits_less() {
        let hints = WebhookQueue::default();
        let mut scans = 0;
        for second in 0..60 {
            (0..17).for_each(|n| assert!(hints.give(&format!("{second}-{n}"), None)));
            if hints.are_due(at(second)) {
                hints.take(at(second));
                scans += 1;
            }
        }
        assert_eq!(scans, 2, "for a thousand events in a minute");
        assert!(
            hints.give("b-1", Some("bat-1")) && hints.give("b-2", Some("bat-1")) && hints.give("b-3", Some("bat-2"))
        );
        assert!(!hints.are_due(at(39)) && hints.are_due(at(40)));
        assert_eq!(hints.take(at(40)), ["bat-1", "bat-2"]);
        (0..2 * MOST_NAMED).for_each(|n| assert!(hints.give(&format!("c-{n}"), Some(&format!("bat-{n}")))));
        assert_eq!(hints.take(at(41)).len(), MOST_NAMED, "a scheduled scan takes them along");
    }

    #[test]
    fn names_that_no_scan_has_used_are_kept_beside_newer_ones() {
        let mut left = vec!["bat-1".to_owned()];
        join_names(&mut left, vec!["bat-2".to_owned(), "bat-1".to_owned()]);
        assert_eq!(left, ["bat-1", "bat-2"]);
        join_names(&mut left, (0..2 * MOST_NAMED).map(|n| format!("more-{n}")).collect());
        assert_eq!(left.len(), MOST_NAMED);
    }

    #[test]
    fn only_the_newest_events_are_remembered() {
        let hints = WebhookQueue::default();
        for n in 0..=REMEMBERED {
            assert!(hints.give(&n.to_string(), None));
        }
        assert!(!hints.give("1", None) && hints.give("0", None));
    }

    #[test]
    fn the_project_that_knows_a_batch_is_asked_for_it_and_else_all_that_may() {
        let known = HashMap::from([("bat-1".to_owned(), vec!["b".to_owned()])]);
        let asked = by_project(vec!["bat-1".to_owned(), "bat-2".to_owned()], &known, &["a", "b"]);
        assert_eq!(asked["a"], ["bat-2"]);
        assert_eq!(asked["b"], ["bat-1", "bat-2"]);
    }
}
