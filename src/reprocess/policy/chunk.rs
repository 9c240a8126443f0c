//! The items of one POST, and the hash that freezes them.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::class::Class;
use crate::reprocess::policy::exclusion::Exclusion;

/// Items of one group that go in one POST: they share job type and parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chunk {
    /// The group.
    pub group_id: String,
    /// `parse` or `classify`.
    pub job_type: String,
    /// Hash of the parameters.
    pub config_hash: String,
    /// Whether these items were tried before; then `invalidate_cache` is set, because failures were cached once.
    pub second_try: bool,
    /// Whether it is one document that stands for its group; `None` when a person chose the items.
    pub probe: Option<bool>,
    /// Sorted.
    pub item_ids: Vec<String>,
    /// The class of each, in the same order; none in a plan that an older version froze.
    pub classes: Vec<Class>,
    /// Estimated credits of the items whose cost is known.
    pub credits: f64,
    /// Items whose cost is not known.
    pub unpriced: u32,
}

/// An item that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded {
    /// The item.
    pub item_id: String,
    /// Why.
    pub exclusion: Exclusion,
}

/// Hash of a set of item ids, in any order: what a plan freezes and what reconciliation compares.
pub(crate) fn set_hash<'a>(item_ids: impl IntoIterator<Item = &'a str>) -> String {
    let mut ids: Vec<&str> = item_ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    let mut hasher = Sha256::new();
    for id in ids {
        hasher.update(id.as_bytes());
        hasher.update([0]);
    }
    hex::encode(hasher.finalize())
}
