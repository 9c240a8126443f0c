//! Remarks of a digest about itself, and which channels they apply to.

use serde::{Deserialize, Serialize};

/// A sentence about a digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "StoredRemark")]
pub struct Remark {
    /// What it is about.
    pub about: About,
    /// The sentence, ready to read.
    pub text: String,
}

/// What a remark is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The digest; as true for every channel.
    Digest,
    /// Channels that were added or removed; as true for every channel, and worth a message.
    Channels,
    /// The channel that gets it, or what it had waited for.
    ThisChannel,
}

impl Remark {
    pub(crate) fn digest(text: impl Into<String>) -> Remark {
        Remark { about: About::Digest, text: text.into() }
    }

    pub(crate) fn channels(text: impl Into<String>) -> Remark {
        Remark { about: About::Channels, text: text.into() }
    }

    pub(crate) fn this_channel(text: impl Into<String>) -> Remark {
        Remark { about: About::ThisChannel, text: text.into() }
    }
}

/// Digests of earlier versions hold the sentence alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredRemark {
    Sentence(String),
    Remark { about: About, text: String },
}

impl From<StoredRemark> for Remark {
    fn from(stored: StoredRemark) -> Remark {
        match stored {
            StoredRemark::Sentence(text) => Remark { about: about(&text), text },
            StoredRemark::Remark { about, text } => Remark { about, text },
        }
    }
}

/// What a sentence is about, by the words of the versions that stored nothing else.
fn about(sentence: &str) -> About {
    let of_one = ["This channel ", "Includes ", "Earlier digests did not reach this channel"];
    if of_one.iter().any(|start| sentence.starts_with(start)) || sentence.ends_with("is in this message.") {
        return About::ThisChannel;
    }
    if sentence.starts_with("Channel ") { About::Channels } else { About::Digest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_is_read_as_it_was_stored() {
        for remark in [Remark::digest("a"), Remark::channels("b"), Remark::this_channel("Channel c went.")] {
            let stored = serde_json::to_string(&remark).unwrap();
            assert_eq!(serde_json::from_str::<Remark>(&stored).unwrap(), remark);
        }
    }

    #[test]
    fn remarks_of_earlier_versions_are_recognised_by_their_sentence() {
        let old = |text: &str| serde_json::from_value::<Remark>(text.into()).unwrap().about;
        assert_eq!(old("Gap of 3 h in which the worker was not running."), About::Digest);
        assert_eq!(old("Channel chat was added 2026-06-01 10:05 UTC."), About::Channels);
        for of_one in [
            "This channel is new: this message is an inventory of what is open.",
            "Includes D-20260601-01, which could not be delivered in time.",
            "Earlier digests did not reach this channel; this one includes their news.",
            "Channel chat was removed from the configuration; what it had not received is in this message.",
        ] {
            assert_eq!(old(of_one), About::ThisChannel, "{of_one}");
        }
    }
}
