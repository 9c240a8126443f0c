//! Names for the failed items of a batch.
//!
//! Parse jobs carry them, extract jobs do not. The directory knows them all; where its pages are small, the parsings that
//! went before failed extractions are asked first, for one query names a hundred of them.

use std::collections::{HashMap, HashSet};

use super::super::client::Client;
use super::super::{Listed, page};
use super::V2;
use super::files::Names;
use super::job::{Job, Product};
use crate::core::item::Observation;

/// Where names may be found.
pub(super) struct Place<'a> {
    pub(super) directory_id: Option<&'a str>,
    /// Files that the directory holds, about.
    pub(super) files: u64,
    /// The parsings before failed extractions, by item.
    pub(super) parsings: HashMap<String, String>,
}

/// Gives names to those that have none yet. An item without a name is better than none, so trouble here is no trouble.
pub(super) async fn give(
    v2: &V2,
    client: &Client,
    limit: usize,
    place: &Place<'_>,
    failed: &mut [Observation],
    listed: &mut Listed,
) {
    for observation in failed.iter() {
        listed.fingerprint = listed.fingerprint.wrapping_add(page::key(&observation.item_id));
    }
    listed.rows = failed.len() as u64;
    let nameless: HashSet<&str> =
        failed.iter().filter(|item| item.item_name.is_empty()).map(|item| item.item_id.as_str()).collect();
    let Some(directory_id) = place.directory_id.filter(|_| !nameless.is_empty()) else {
        return;
    };
    let files = usize::try_from(place.files).unwrap_or(usize::MAX);
    let directory_pages = v2.habits.directory_pages(client, limit, files);
    let directory = v2.files.directory(directory_id);
    let mut known = directory.lock().await;
    let unknown: Vec<&str> = nameless.iter().copied().filter(|id| !known.contains_key(id)).collect();
    known.extend(of_parsings(v2, client, limit, place, &unknown, directory_pages).await);
    let ended = known.look_up(client, limit, &v2.habits, (directory_id, files), &nameless).await;
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

/// The names that the parsings before these items carry, if asking for those is cheaper than asking the directory.
async fn of_parsings(
    v2: &V2,
    client: &Client,
    limit: usize,
    place: &Place<'_>,
    unknown: &[&str],
    directory_pages: usize,
) -> Names {
    let by_parsing: HashMap<&str, &str> =
        unknown.iter().filter_map(|id| Some((place.parsings.get(*id)?.as_str(), *id))).collect();
    let pages = by_parsing.len().div_ceil(v2.habits.page(client, limit).max(1));
    let queries = v2.habits.bound.queries(by_parsing.len()).max(pages);
    let of_directory = directory_pages.min(unknown.len());
    let mut names = Names::new();
    if by_parsing.is_empty() || !v2.habits.parsings_may_name() || queries >= of_directory {
        return names;
    }
    let mut ids: Vec<&str> = by_parsing.keys().copied().collect();
    ids.sort_unstable();
    let each = |job: Job| {
        let named = by_parsing.get(job.id.as_str()).zip(job.name);
        names.extend(named.map(|(item_id, name)| ((*item_id).to_owned(), name)));
    };
    let listed = v2.habits.bound.jobs(client, Product::Parse, &ids, &[], each).await;
    match listed {
        Ok(_) if names.is_empty() => v2.habits.note_unnamed(),
        Ok(_) => {}
        // The directory is asked all the same.
        Err(error) => tracing::debug!(%error, "could not ask parse jobs for names"),
    }
    names
}
