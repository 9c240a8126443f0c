//! Batches that may do the work of a retry.

use std::collections::BTreeSet;

use crate::model::batch::Batch;

/// A batch that may have come from a resubmission of unclear outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The batch.
    pub batch: Batch,
    /// Its items; none if they could not be listed to the end.
    pub item_ids: Option<BTreeSet<String>>,
    /// Whether LlamaCloud shows the id of the intent on work that this batch did, whatever other batches did.
    pub is_noted: bool,
}

/// What a search for such batches came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    /// The candidates, in the order of the list.
    pub found: Vec<Candidate>,
    /// Whether everything back to the time asked for was seen.
    pub complete: bool,
}
