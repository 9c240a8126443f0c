//! An observation on its way into the ledger, as small as it can be: tens of thousands wait for one transaction, and the
//! more that do, the more index pages they share.

use crate::ledger::time::millis;
use crate::model::item::{ItemState, Kind, Observation};

/// The length that stands for "no text".
const NONE: u32 = u32::MAX;

/// The time that stands for "not said".
const NEVER: i64 = i64::MIN;

/// One observation, its texts in one allocation and its times as the ledger keeps them.
#[derive(Clone, Debug)]
pub struct Packed {
    kind: Kind,
    /// Item id, item name, message, skip reason, job id, job record id, one after the other.
    texts: Box<str>,
    lengths: [u32; 6],
    /// Began, ended, effective at.
    times: [i64; 3],
}

impl Packed {
    /// Packs an observation.
    pub fn new(observation: &Observation) -> Packed {
        let o = observation;
        let parts = [
            Some(o.item_id.as_str()),
            Some(o.item_name.as_str()),
            o.message.as_deref(),
            o.skip_reason.as_deref(),
            o.job_id.as_deref(),
            o.job_record_id.as_deref(),
        ];
        let length = |text: &str| u32::try_from(text.len()).expect("a page of the API is far smaller than 4 GiB");
        Packed {
            kind: o.kind,
            texts: parts.map(Option::unwrap_or_default).concat().into_boxed_str(),
            lengths: parts.map(|part| part.map_or(NONE, length)),
            times: [o.started_at, o.completed_at, o.effective_at].map(|at| at.map_or(NEVER, millis)),
        }
    }

    /// The item's id.
    pub fn item_id(&self) -> &str {
        self.text(0).unwrap_or_default()
    }

    /// The item's name; empty if it is not known yet.
    pub fn item_name(&self) -> &str {
        self.text(1).unwrap_or_default()
    }

    /// What kind of problem it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The error message, if there is one.
    pub fn message(&self) -> Option<&str> {
        self.text(2)
    }

    /// The skip reason, if there is one.
    pub fn skip_reason(&self) -> Option<&str> {
        self.text(3)
    }

    /// The underlying job, if one was started.
    pub fn job_id(&self) -> Option<&str> {
        self.text(4)
    }

    /// The record of this state.
    pub fn job_record_id(&self) -> Option<&str> {
        self.text(5)
    }

    /// When work on it began, in milliseconds.
    pub fn started_at(&self) -> Option<i64> {
        self.time(0)
    }

    /// When it ended, in milliseconds.
    pub fn completed_at(&self) -> Option<i64> {
        self.time(1)
    }

    /// The API's `effective_at`, in milliseconds.
    pub fn effective_at(&self) -> Option<i64> {
        self.time(2)
    }

    /// The state an item gets by this observation.
    pub fn opens(&self) -> ItemState {
        self.kind.opens(self.skip_reason())
    }

    /// Bytes of its texts.
    pub fn text_bytes(&self) -> usize {
        self.texts.len()
    }

    fn time(&self, position: usize) -> Option<i64> {
        Some(self.times[position]).filter(|at| *at != NEVER)
    }

    fn text(&self, position: usize) -> Option<&str> {
        let length = self.lengths[position];
        if length == NONE {
            return None;
        }
        let begin = self.lengths[..position].iter().filter(|length| **length != NONE).sum::<u32>() as usize;
        self.texts.get(begin..begin + length as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn what_was_packed_reads_the_same_and_none_is_not_empty() {
        let mut observation = Observation {
            item_id: "dfl-1".to_owned(),
            item_name: String::new(),
            kind: Kind::Skipped,
            message: Some("zu groß: 5 €".to_owned()),
            skip_reason: Some(String::new()),
            job_id: None,
            job_record_id: Some("r".to_owned()),
            started_at: None,
            completed_at: Some(Timestamp::UNIX_EPOCH),
            effective_at: None,
        };
        let packed = Packed::new(&observation);
        assert_eq!((packed.item_id(), packed.item_name(), packed.kind()), ("dfl-1", "", Kind::Skipped));
        assert_eq!((packed.message(), packed.skip_reason()), (Some("zu groß: 5 €"), Some("")));
        assert_eq!((packed.job_id(), packed.job_record_id()), (None, Some("r")));
        assert_eq!((packed.started_at(), packed.completed_at(), packed.effective_at()), (None, Some(0), None));
        assert_eq!(packed.opens(), ItemState::Open);
        observation.skip_reason = Some("already_processed".to_owned());
        assert_eq!(Packed::new(&observation).opens(), ItemState::Ignored);
    }
}
