//! Names of groups: the public id and the handle used inside one process.

use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// Public id of a group: `g-` and ten hexadecimal digits, from the kind of item and the group's first form.
/// The same on every machine for the same first form; it never changes afterwards.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(String);

/// Hexadecimal digits after `g-`.
const DIGITS: usize = 10;

impl GroupId {
    /// The id for a kind label and the canonical text of a first form; `turn` distinguishes forms whose texts collide.
    pub(crate) fn new(kind: &str, canonical: &str, turn: u32) -> Self {
        let mut hash = Sha256::new();
        hash.update(kind.as_bytes());
        hash.update([0]);
        hash.update(canonical.as_bytes());
        if turn > 0 {
            hash.update(turn.to_be_bytes());
        }
        let mut id = String::from("g-");
        id.push_str(&hex::encode(hash.finalize())[..DIGITS]);
        Self(id)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The text is no group id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a group id: {0:?} (expected g- and ten hexadecimal digits)")]
pub struct ParseGroupIdError(String);

impl FromStr for GroupId {
    type Err = ParseGroupIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("g-").filter(|digits| digits.len() == DIGITS);
        match digits {
            Some(digits) if digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(ParseGroupIdError(text.to_owned())),
        }
    }
}

/// A group inside one process; copy it freely, but never store it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupHandle(pub(crate) u32);
