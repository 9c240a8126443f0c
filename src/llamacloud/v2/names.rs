//! Names for the failed items of a batch.
//!
//! Parse jobs carry them, extract jobs do not. The directory knows them all; where its pages are small, the parsings that
//! went before failed extractions are asked, for one query names a hundred of them.

use std::collections::{HashMap, HashSet};

use crate::llamacloud::http::client::Client;
use crate::llamacloud::paging::listing::ListResult;
use crate::llamacloud::paging::row_reader;
use crate::llamacloud::v2::V2;
use crate::llamacloud::v2::files::{KnownFileNames, Names};
use crate::llamacloud::v2::parsings::Parsings;
use crate::model::item::Observation;

/// Where names may be found.
pub(crate) struct NameSource<'a> {
    pub(crate) directory_id: Option<&'a str>,
    /// Files that the directory holds, about.
    pub(crate) files: u64,
    /// The parsings before failed extractions, by item.
    pub(crate) parsings: HashMap<String, String>,
    /// The failed extractions: which item each was made of, by its id.
    pub(crate) extractions: HashMap<String, String>,
}

/// Gives names to those that have none yet. Errors are ignored: an item without a name is better than no item.
pub(crate) async fn give(
    v2: &V2,
    client: &Client,
    limit: usize,
    place: &NameSource<'_>,
    failed: &mut [Observation],
    listed: &mut ListResult,
) {
    for observation in failed.iter() {
        listed.fingerprint = listed.fingerprint.wrapping_add(row_reader::key(&observation.item_id));
    }
    listed.rows = failed.len() as u64;
    let nameless: HashSet<&str> =
        failed.iter().filter(|item| item.item_name.is_empty()).map(|item| item.item_id.as_str()).collect();
    let Some(directory_id) = place.directory_id.filter(|_| !nameless.is_empty()) else {
        return;
    };
    let files = usize::try_from(place.files).unwrap_or(usize::MAX);
    let directory = v2.files.directory(directory_id);
    let mut known = directory.lock().await;
    let parsings = Parsings { capabilities: &v2.capabilities, client, limit, files };
    let named = parsings.names(&place.parsings, &unknown(&known, &nameless)).await;
    known.extend(named);
    let missing: HashSet<&str> = unknown(&known, &nameless).into_iter().collect();
    let of_missing = place.extractions.iter().filter(|(_, item)| missing.contains(item.as_str()));
    let extractions: HashMap<&str, &str> = of_missing.map(|(job, item)| (job.as_str(), item.as_str())).collect();
    let worth = parsings.cost(extractions.len());
    let mut ended = known.look_up(client, limit, &v2.capabilities, (directory_id, files), &nameless, worth).await;
    if let Ok(false) = ended {
        let before = parsings.before(&extractions).await;
        let named = parsings.names(&before, &unknown(&known, &nameless)).await;
        known.extend(named);
        ended = known.look_up(client, limit, &v2.capabilities, (directory_id, files), &nameless, usize::MAX).await;
    }
    let mut names: Names = nameless.iter().filter_map(|id| Some(((*id).to_owned(), known.get(id)?.clone()))).collect();
    drop(known);
    for item in failed.iter_mut().filter(|item| item.item_name.is_empty()) {
        item.item_name = names.remove(&item.item_id).unwrap_or_default();
    }
    if let Err(error) = ended {
        // The next scan reads the batch again, and with it the names.
        listed.missing += 1;
        tracing::warn!(directory.id = directory_id, %error, "could not read the names of a directory's files");
    }
}

fn unknown<'a>(known: &KnownFileNames, nameless: &HashSet<&'a str>) -> Vec<&'a str> {
    nameless.iter().copied().filter(|id| !known.contains_key(id)).collect()
}
