//! Why a delivery did not work, and whether trying again can help.
//!
//! No text here holds an address, key or password: what peers say is masked and cut on the way in.

use std::path::PathBuf;
use std::time::Duration;

use crate::core::digest::fit::Tier;
use crate::core::redact::mask_secrets;
use crate::notify::words::short;

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
    /// The peer asks to come back later.
    #[error("deferred by {peer}: {why}")]
    Deferred {
        /// Host and port, never a path.
        peer: String,
        /// What the peer said.
        why: String,
        /// When it asks to come back, if it says so.
        retry_after: Option<Duration>,
    },
    /// The peer will never take this as things are.
    #[error("refused by {peer}: {why}; {todo}")]
    Refused {
        /// Host and port, never a path.
        peer: String,
        /// What the peer said.
        why: String,
        /// What a person should do.
        todo: &'static str,
        /// It dislikes this digest rather than the channel: another one may be taken.
        of_content: bool,
    },
    /// The peer takes no message of this size.
    #[error("too large for {peer}: {why}")]
    TooLarge {
        /// Host and port, never a path.
        peer: String,
        /// What the peer said.
        why: String,
        /// How large the refused rendering was.
        tier: Tier,
    },
    /// Some recipients or events are done, the rest failed.
    #[error("{} of this delivery done, then {source}", done.len())]
    Partly {
        /// What need not be sent again: hand it back in [`super::DeliveryFacts::done`].
        done: Vec<String>,
        /// What stopped the rest.
        source: Box<NotifyError>,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}; check that the folder exists, is writable and has space", path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
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
            NotifyError::Partly { source, .. } => source.is_transient(),
        }
    }

    /// Whether the peer refused what was sent rather than who sends it: the next digest must not repeat it.
    pub fn is_of_content(&self) -> bool {
        match self {
            NotifyError::Refused { of_content, .. } => *of_content,
            NotifyError::Partly { source, .. } => source.is_of_content(),
            _ => false,
        }
    }

    /// When the peer asked to come back, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            NotifyError::Deferred { retry_after, .. } => *retry_after,
            NotifyError::Partly { source, .. } => source.retry_after(),
            _ => None,
        }
    }

    /// Whether a smaller rendering may be taken.
    pub fn too_large(&self) -> bool {
        self.refused_tier().is_some()
    }

    /// The tier to try next after [`Self::too_large`]; none if there is no smaller one.
    pub fn next_tier(&self) -> Option<u8> {
        Some(self.refused_tier()?.smaller()?.number())
    }

    /// Whether the digest may have arrived all the same: the next try is then `uncertain`.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            NotifyError::Unclear { .. } => true,
            NotifyError::Partly { source, .. } => source.may_have_arrived(),
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
    pub(super) fn after(self, done: Vec<String>) -> NotifyError {
        if done.is_empty() {
            return self;
        }
        NotifyError::Partly { done, source: Box::new(self) }
    }

    /// The error with the tier that was refused, which only the renderer knows.
    pub(super) fn at_tier(self, tier: Tier) -> NotifyError {
        match self {
            NotifyError::TooLarge { peer, why, .. } => NotifyError::TooLarge { peer, why, tier },
            other => other,
        }
    }

    fn refused_tier(&self) -> Option<Tier> {
        match self {
            NotifyError::TooLarge { tier, .. } => Some(*tier),
            NotifyError::Partly { source, .. } => source.refused_tier(),
            _ => None,
        }
    }
}

/// What a peer said, fit for a log line: one line, secrets masked, at most 300 characters.
pub(super) fn said(text: &str) -> String {
    short(&mask_secrets(text), 300)
}

/// An address fit for a log line: `o…@example.com`.
pub fn mask_recipient(address: &str) -> String {
    let (user, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let first: String = user.chars().take(1).collect();
    short(&format!("{first}…@{domain}"), 100)
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
    fn a_too_large_rendering_names_the_next_tier_until_there_is_none() {
        let large = |tier| NotifyError::TooLarge { peer: "x".into(), why: "413".into(), tier };
        assert_eq!(large(Tier::Full).next_tier(), Some(1));
        assert_eq!(large(Tier::TotalsOnly).next_tier(), None);
        assert!(!large(Tier::Full).is_transient() && large(Tier::TotalsOnly).too_large());
    }

    #[test]
    fn recipients_are_masked_for_logs() {
        assert_eq!(mask_recipient("oncall@example.com"), "o…@example.com");
        assert_eq!(mask_recipient("nonsense"), "n…@");
    }
}
