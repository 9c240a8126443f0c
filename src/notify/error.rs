//! Why a delivery did not work, and whether trying again can help.
//!
//! No text here holds an address, key or password: what peers say is masked and cut on the way in.

use std::path::PathBuf;
use std::time::Duration;

use crate::notify::delivery::DeliveryFacts;
use crate::notify::render::words::short;
use crate::secrets::mask;
use crate::triage::digest::size_limit::{Tier, after_refusal};

/// What to do when the shortest rendering is too large.
const NOTHING_SMALLER: &str = "no smaller one is tried: raise its message size limit";

/// Why a delivery did not work. Each text says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The channel cannot be used as it is configured.
    #[error("{0}")]
    Settings(String),
    /// No connection; nothing was sent.
    #[error("cannot reach {peer}: {why}")]
    Unreachable {
        /// Host and port, never a path.
        peer: String,
        /// What the network said.
        why: String,
    },
    /// The connection broke or went silent after the digest was handed over: it may have arrived.
    #[error("{peer} did not answer after it got the digest, which may have arrived: {why}")]
    Unclear {
        /// Host and port, never a path.
        peer: String,
        /// What the network said.
        why: String,
    },
    /// The peer asks to try again later.
    #[error("deferred by {peer}: {why}")]
    Deferred {
        /// Host and port, never a path.
        peer: String,
        /// What the peer said.
        why: String,
        /// When it asks to try again, if it says so.
        retry_after: Option<Duration>,
    },
    /// The peer will never take this as things are.
    #[error("refused by {peer}: {why}; {todo}")]
    Refused {
        /// Host and port, never a path.
        peer: String,
        /// What the peer said.
        why: String,
        /// What a user should do.
        todo: &'static str,
        /// It rejects this digest rather than the channel: another one may be taken.
        of_content: bool,
    },
    /// The peer takes no message of this size.
    #[error("too large for {peer}: {why}; {}", if next.is_some() { "sending a smaller one" } else { NOTHING_SMALLER })]
    TooLarge {
        /// Host and port, never a path.
        peer: String,
        /// What the peer said.
        why: String,
        /// The rendering to try next; none if none is left.
        next: Option<Tier>,
    },
    /// Some recipients or events are done, the rest failed.
    #[error("{} of this delivery done, then {cause}", done.len())]
    Partly {
        /// What need not be sent again: hand it back in [`crate::notify::delivery::DeliveryFacts::done`].
        done: Vec<String>,
        /// What stopped the rest.
        cause: Box<NotifyError>,
    },
    /// A file could not be written.
    #[error("cannot write {}: {why}; check that the folder exists, is writable and has space", path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
}

impl NotifyError {
    /// Whether trying the same again later can help.
    pub fn is_transient(&self) -> bool {
        match self {
            NotifyError::Unreachable { .. }
            | NotifyError::Unclear { .. }
            | NotifyError::Deferred { .. }
            | NotifyError::File { .. } => true,
            NotifyError::Settings(_) | NotifyError::Refused { .. } | NotifyError::TooLarge { .. } => false,
            NotifyError::Partly { cause, .. } => cause.is_transient(),
        }
    }

    /// Whether the peer refused what was sent rather than who sends it: the next digest must not repeat it.
    pub fn is_of_content(&self) -> bool {
        match self {
            NotifyError::Refused { of_content, .. } => *of_content,
            NotifyError::Partly { cause, .. } => cause.is_of_content(),
            _ => false,
        }
    }

    /// When the peer asked to try again, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            NotifyError::Deferred { retry_after, .. } => *retry_after,
            NotifyError::Partly { cause, .. } => cause.retry_after(),
            _ => None,
        }
    }

    /// Whether a smaller rendering may be taken.
    pub fn too_large(&self) -> bool {
        match self {
            NotifyError::TooLarge { .. } => true,
            NotifyError::Partly { cause, .. } => cause.too_large(),
            _ => false,
        }
    }

    /// The tier to try next after [`Self::too_large`]; none if there is no smaller one.
    pub fn next_tier(&self) -> Option<u8> {
        match self {
            NotifyError::TooLarge { next, .. } => next.map(Tier::number),
            NotifyError::Partly { cause, .. } => cause.next_tier(),
            _ => None,
        }
    }

    /// Whether the digest may have arrived all the same: the next try is then `uncertain`.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            NotifyError::Unclear { .. } => true,
            NotifyError::Partly { cause, .. } => cause.may_have_arrived(),
            _ => false,
        }
    }

    /// Recipients or events that are done in spite of the error.
    pub fn done(&self) -> &[String] {
        match self {
            NotifyError::Partly { done, .. } => done,
            _ => &[],
        }
    }

    /// The error with what was done before it; itself if that is nothing.
    pub(crate) fn after(self, done: Vec<String>) -> NotifyError {
        if done.is_empty() {
            return self;
        }
        NotifyError::Partly { done, cause: Box::new(self) }
    }

    /// The error with what to try instead, if it is the size: the first try of `facts` is shortened once, by `size`.
    ///
    /// Only the renderer knows which tier was refused and how large others are.
    pub(crate) fn shortened(self, facts: &DeliveryFacts, refused: Tier, size: impl Fn(Tier) -> usize) -> NotifyError {
        match self {
            NotifyError::TooLarge { peer, why, .. } if facts.tier == Tier::Full => {
                NotifyError::TooLarge { peer, why, next: after_refusal(refused, size) }
            }
            other => other,
        }
    }
}

/// What a peer said, fit for a log line: one line, secrets masked, at most 300 characters.
pub(crate) fn peer_text(text: &str) -> String {
    short(&mask(text), 300)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deferred() -> NotifyError {
        NotifyError::Deferred {
            peer: "mail:25".into(),
            why: "451 greylisted".into(),
            retry_after: Some(Duration::from_secs(7)),
        }
    }

    #[test]
    fn partial_progress_keeps_the_nature_of_what_stopped_it() {
        assert!(deferred().after(Vec::new()).done().is_empty());
        let partly = deferred().after(vec!["a@x".into()]);
        assert!(partly.is_transient() && !partly.too_large() && !partly.may_have_arrived());
        assert_eq!(partly.retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(partly.done(), ["a@x"]);
        assert_eq!(partly.to_string(), "1 of this delivery done, then deferred by mail:25: 451 greylisted");
    }

    #[test]
    fn only_the_first_refusal_of_a_size_names_something_smaller() {
        let large = || NotifyError::TooLarge { peer: "x".into(), why: "413".into(), next: None };
        let facts = |tier| DeliveryFacts {
            delivery_id: String::new(),
            now: jiff::Timestamp::UNIX_EPOCH,
            uncertain: false,
            tier,
            done: Vec::new(),
            thread: None,
        };
        let size = |tier: Tier| if tier == Tier::TotalsOnly { 1 } else { 9 };
        let first = large().shortened(&facts(Tier::Full), Tier::Full, size);
        assert_eq!((first.next_tier(), first.too_large(), first.is_transient()), (Some(4), true, false));
        assert!(first.to_string().ends_with("413; sending a smaller one"));
        let second = large().shortened(&facts(Tier::TotalsOnly), Tier::TotalsOnly, size);
        assert_eq!((second.next_tier(), second.too_large()), (None, true));
        assert!(second.to_string().contains("no smaller one is tried"), "{second}");
    }

    #[test]
    fn recipients_are_masked_for_logs() {}
}
