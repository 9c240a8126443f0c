//! What a scan hands to the ledger: observations as listed, with their place and their hashes.
//!
//! Hashes are made here, outside the writer's thread, because that thread is what a first scan waits for.

use crate::grouping::group_change::GroupChange;

use crate::grouping::id::GroupId;
use crate::ledger::hash::hash;
use crate::ledger::time::millis;
use crate::model::batch::{Counted, LastListing};
use crate::model::item::Observation;
use crate::scan::store::compact_row::Packed;

/// Where and when observations were listed; the same for a whole page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListingContext {
    /// The project's key.
    pub project_key: i64,
    /// The batch's key.
    pub batch_key: i64,
    /// Time of the scan, in milliseconds.
    pub seen_at: i64,
    /// What happened until then is baseline: it failed before the project's first scan.
    pub baseline_until: i64,
}

/// One observation as listed.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// Where it was listed.
    pub place: ListingContext,
    /// What was listed.
    pub observation: Packed,
    /// Position of its group in [`IngestWork::groups`].
    pub group: u32,
    pub(crate) identity: i64,
    pub(crate) content: i64,
    pub(crate) message: i64,
}

impl Sighting {
    /// Hashes an observation. Its group is set when it is grouped.
    pub fn new(place: ListingContext, o: &Observation) -> Sighting {
        let identity = hash(&[
            &place.batch_key.to_le_bytes(),
            o.kind.as_str().as_bytes(),
            optional(o.job_id.as_deref()),
            optional(o.job_record_id.as_deref()),
        ]);
        let message = hash(&[optional(o.message.as_deref())]);
        let time = |at: Option<_>| at.map_or(i64::MIN, millis).to_le_bytes();
        let content = hash(&[
            &message.to_le_bytes(),
            optional(o.skip_reason.as_deref()),
            &time(o.started_at),
            &time(o.completed_at),
            &time(o.effective_at),
        ]);
        // What was seen without its name reads differently once the name is known.
        let content = if o.item_name.is_empty() { !content } else { content };
        Sighting { place, observation: Packed::new(o), group: 0, identity, content, message }
    }

    /// Bytes that it takes in memory, about.
    pub fn bytes(&self) -> usize {
        size_of::<Sighting>() + self.observation.text_bytes()
    }
}

/// The end of one batch's listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// Where and when.
    pub place: ListingContext,
    /// Both listings were read to their ends: something may be concluded from absence.
    pub complete: bool,
    /// What the listing came to, to recognise an unchanged batch by; none if it must be listed again anyway.
    pub listing: Option<LastListing>,
    /// The items that the listing counted, where the batch itself does not say.
    pub counted: Option<Counted>,
}

/// What one transaction takes in: group changes first, then sightings, then the ends of listings.
#[derive(Debug, Default)]
pub struct IngestWork {
    /// New and changed groups since the last transaction.
    pub changes: Vec<GroupChange>,
    /// The groups that sightings point at.
    pub groups: Vec<GroupId>,
    /// Observations, best sorted by item id: neighbours in the index then share pages.
    pub sightings: Vec<Sighting>,
    /// Batches whose listing ended with these sightings.
    pub finished: Vec<Finish>,
}

fn optional(text: Option<&str>) -> &[u8] {
    // No text from the API can be this single byte, so none and the empty text differ.
    text.map_or(&[0xff], str::as_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::item::Kind;

    #[test]
    fn hashes_never_change_between_versions() {
        assert_eq!(hash(&[b"a", b""]), hash(&[b"a", b""]));
        assert_ne!(hash(&[b"ab", b""]), hash(&[b"a", b"b"]));
        let place = ListingContext { project_key: 1, batch_key: 2, seen_at: 3, baseline_until: 0 };
        let observation = Observation {
            item_id: "i".to_owned(),
            item_name: String::new(),
            kind: Kind::Failed,
            message: Some("m".to_owned()),
            skip_reason: None,
            job_id: Some("j".to_owned()),
            job_record_id: None,
            started_at: None,
            completed_at: None,
            effective_at: None,
        };
        let sighting = Sighting::new(place, &observation);
        assert_eq!((sighting.identity, sighting.message), (7_991_685_231_015_262_876, -3_976_059_480_086_744_512));
    }
}
