//! Wrong tokens are counted, so that they cannot be tried out.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// The time that wrong tokens are counted for.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// Wrong tokens from one address within it.
const MOST_OF_ONE: usize = 10;

/// Wrong tokens from all.
const MOST: usize = 300;

/// Wrong tokens of late.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    wrong: VecDeque<(Timestamp, String)>,
}

impl Attempts {
    /// Whether this address may try another token.
    pub(crate) fn may_try(&mut self, address: &str, now: Timestamp) -> bool {
        // A clock that was set back must not lock anyone out for longer.
        self.wrong.retain(|(at, _)| now.duration_since(*at).abs() < WINDOW);
        let of_one = self.wrong.iter().filter(|(_, from)| from == address).count();
        of_one < MOST_OF_ONE && self.wrong.len() < MOST
    }

    /// Notes a wrong token.
    pub(crate) fn fail(&mut self, address: &str, now: Timestamp) {
        self.wrong.push_back((now, address.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_wrong_tokens_are_taken_from_one_and_not_many_from_all() {
        let now: Timestamp = "2026-11-30T18:00:00Z".parse().unwrap();
        let mut attempts = Attempts::default();
        for _ in 0..MOST_OF_ONE {
            assert!(attempts.may_try("a", now));
            attempts.fail("a", now);
        }
        assert!(!attempts.may_try("a", now) && attempts.may_try("b", now));
        assert!(attempts.may_try("a", now + WINDOW));
        for at in 0..MOST {
            attempts.fail(&at.to_string(), now + WINDOW);
        }
        assert!(!attempts.may_try("c", now + WINDOW));
    }
}
