//! Names of items: the display names of a directory's files, read once per directory and kept.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use super::super::CloudError;
use super::super::client::{Ask, Client};
use super::super::listing::{self, Style};
use super::super::page::{Rows, parse};
use super::super::paging::Paging;
use super::super::wire::Text;

type Names = HashMap<String, String>;

/// Directories kept, at most; beyond that all are forgotten and read again when needed.
const MOST_DIRECTORIES: usize = 64;

/// The names of files by directory.
#[derive(Debug, Default)]
pub(super) struct Files(Mutex<HashMap<String, Names>>);

impl Files {
    /// The names of these items; those that the directory does not show are missing.
    pub(super) async fn names(
        &self,
        client: &Client,
        limit: usize,
        directory_id: &str,
        item_ids: &HashSet<&str>,
    ) -> Result<Names, CloudError> {
        let known = |names: &Names| -> Names {
            item_ids.iter().filter_map(|id| Some(((*id).to_owned(), names.get(*id)?.clone()))).collect()
        };
        let found = self.lock().get(directory_id).map(known);
        if let Some(found) = found
            && found.len() == item_ids.len()
        {
            return Ok(found);
        }
        let names = list(client, limit, directory_id).await?;
        let found = known(&names);
        let mut directories = self.lock();
        if directories.len() >= MOST_DIRECTORIES {
            directories.clear();
        }
        directories.insert(directory_id.to_owned(), names);
        Ok(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Names>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
pub(super) struct WireFile<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    display_name: Option<Text<'a>>,
    #[serde(borrow)]
    file_id: Option<Text<'a>>,
}

pub(super) struct NamedFiles;

impl Rows for NamedFiles {
    type Wire<'a> = WireFile<'a>;
    type Row = (String, String);
    const TEXTS: &'static [&'static str] = &["display_name"];

    fn id<'w>(&self, wire: &'w WireFile<'_>) -> &'w str {
        wire.id.as_ref().map_or("", Text::as_str)
    }

    fn row(&self, wire: WireFile<'_>) -> Option<(String, String)> {
        Some((wire.id?.into_id(), wire.display_name?.into_masked()))
    }
}

fn path(directory_id: &str) -> [&str; 6] {
    ["api", "v1", "beta", "directories", directory_id, "files"]
}

async fn list(client: &Client, limit: usize, directory_id: &str) -> Result<Names, CloudError> {
    let mut names = Names::new();
    let mut page = |files: Vec<(String, String)>| {
        names.extend(files);
        ControlFlow::Continue(())
    };
    let path = path(directory_id);
    let style = Style::page_size(limit);
    let listed = listing::read(client, &Ask::path(&path), style, &NamedFiles, Paging::by_token(), &mut page).await;
    match listed {
        Ok(_) => Ok(names),
        // A directory that is gone leaves its items without names, no more.
        Err(error) if error.is_not_found() => Ok(names),
        Err(error) => Err(error),
    }
}

/// The id of the file behind an item, which parse jobs ask for.
pub(super) async fn file_id(client: &Client, directory_id: &str, item_id: &str) -> Result<String, CloudError> {
    let path = [&path(directory_id)[..], &[item_id]].concat();
    let shown = format!("/{}", path.join("/"));
    let ask = Ask::path(&path);
    let found = client.get(&ask, |text| {
        let file: WireFile<'_> = parse(text, &shown)?;
        Ok(file.file_id.and_then(Text::into_some_id))
    });
    // A file that was never stored, or whose source was deleted, cannot be parsed again.
    found.await?.ok_or(CloudError::NotFound { path: shown.clone(), status: 404 })
}
