//! Names of items: the display names of a directory's files, read once per directory and kept.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::{Ask, Client, Make};
use crate::llamacloud::paging::end_of_list::ListProgress;
use crate::llamacloud::paging::listing::{self, Style};
use crate::llamacloud::paging::page::parse;
use crate::llamacloud::paging::row_reader::RowReader;
use crate::llamacloud::v2::server_capabilities::ServerCapabilities;
use crate::llamacloud::wire::WireText;

pub(crate) type Names = HashMap<String, String>;

/// Directories kept, at most; beyond that all are forgotten and read again when needed.
const MOST_DIRECTORIES: usize = 64;

/// For so many names a page is asked for where it is not known how many a page holds: it may hold them all.
const WORTH_A_TRIAL: usize = 3;

/// The names of files by directory. Who looks into one keeps others from asking for the same meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Files(Mutex<HashMap<String, Arc<tokio::sync::Mutex<KnownFileNames>>>>);

impl Files {
    /// What is known of a directory.
    pub(crate) fn directory(&self, directory_id: &str) -> Arc<tokio::sync::Mutex<KnownFileNames>> {
        let mut directories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if directories.len() >= MOST_DIRECTORIES && !directories.contains_key(directory_id) {
            directories.clear();
        }
        Arc::clone(directories.entry(directory_id.to_owned()).or_default())
    }
}

/// The names that are known of one directory's files.
#[derive(Debug, Default)]
pub(crate) struct KnownFileNames(Names);

impl KnownFileNames {
    pub(crate) fn contains_key(&self, item_id: &str) -> bool {
        self.0.contains_key(item_id)
    }

    pub(crate) fn get(&self, item_id: &str) -> Option<&String> {
        self.0.get(item_id)
    }

    pub(crate) fn extend(&mut self, names: Names) {
        self.0.extend(names);
    }

    /// Asks for the names of those of these items that are not known, in a directory that holds about `files` files.
    /// Gives up, and returns false, where that turns out to take more than `worth` further requests.
    pub(crate) async fn look_up(
        &mut self,
        client: &Client,
        limit: usize,
        capabilities: &ServerCapabilities,
        (directory_id, files): (&str, usize),
        item_ids: &HashSet<&str>,
        worth: usize,
    ) -> Result<bool, CloudError> {
        let missing = item_ids.iter().copied().filter(|id| !self.contains_key(id));
        let mut looking = NameSearch::new(missing, files, worth);
        let ended = looking.look(client, limit, capabilities, directory_id).await;
        self.extend(looking.names);
        ended.map(|()| !looking.gave_up)
    }
}

/// The search for names in one directory: its list for as long as that is cheaper than asking for the rest one by one.
struct NameSearch<'a> {
    missing: HashSet<&'a str>,
    names: Names,
    /// How many files the directory holds, about.
    files: usize,
    seen: usize,
    largest: usize,
    /// Pages read beyond what it should hold.
    beyond: usize,
    /// Further requests that are worth it.
    worth: usize,
    gave_up: bool,
}

impl<'a> NameSearch<'a> {
    fn new(missing: impl Iterator<Item = &'a str>, files: usize, worth: usize) -> NameSearch<'a> {
        let (missing, names) = (missing.collect(), Names::new());
        NameSearch { missing, names, files, seen: 0, largest: 0, beyond: 0, worth, gave_up: false }
    }

    async fn look(
        &mut self,
        client: &Client,
        limit: usize,
        capabilities: &ServerCapabilities,
        directory_id: &str,
    ) -> Result<(), CloudError> {
        let pages = capabilities.directory_pages(client, limit, self.files);
        let enough = if capabilities.files_page(client, limit).is_some() { pages } else { pages.min(WORTH_A_TRIAL) };
        if self.missing.is_empty()
            || self.missing.len() >= enough && self.list(client, limit, capabilities, directory_id).await?
        {
            return Ok(());
        }
        self.gave_up |= self.missing.len() > self.worth;
        if self.gave_up {
            return Ok(());
        }
        for item_id in self.missing.drain() {
            let name = file(client, directory_id, item_id, |file| file.display_name.map(WireText::into_masked)).await;
            match name {
                Ok(name) => self.names.extend(name.map(|name| (item_id.to_owned(), name))),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads the list; true if nothing can be found beyond it.
    async fn list(
        &mut self,
        client: &Client,
        limit: usize,
        capabilities: &ServerCapabilities,
        directory_id: &str,
    ) -> Result<bool, CloudError> {
        let path = path(directory_id);
        let ask = Ask::path(&path);
        let style = Style::of(Make::Files, limit);
        let mut page = |files: Vec<(String, String)>| self.page(files);
        match listing::read(client, &ask, style, &NamedFiles, ListProgress::by_token(), &mut page).await {
            Ok(listed) => {
                let holds_more = !listed.complete || self.seen > self.largest;
                if holds_more && self.largest < client.bounded(Make::Files, limit) {
                    capabilities.note_files_page(self.largest);
                }
                Ok(listed.complete)
            }
            // A directory that is gone leaves its items without names, no more.
            Err(error) if error.is_not_found() => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn page(&mut self, files: Vec<(String, String)>) -> ControlFlow<()> {
        self.seen += files.len();
        self.largest = self.largest.max(files.len());
        for (id, name) in files {
            self.missing.remove(id.as_str());
            self.names.insert(id, name);
        }
        self.beyond += usize::from(self.seen > self.files);
        let pages_left = self.files.saturating_sub(self.seen).div_ceil(self.largest.max(1));
        let one_by_one_is_cheaper = self.missing.len() < pages_left.max(self.beyond);
        self.gave_up |= !self.missing.is_empty() && !one_by_one_is_cheaper && pages_left > self.worth;
        if self.missing.is_empty() || one_by_one_is_cheaper || self.gave_up {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct WireFile<'a> {
    #[serde(borrow)]
    id: Option<WireText<'a>>,
    #[serde(borrow)]
    display_name: Option<WireText<'a>>,
    #[serde(borrow)]
    file_id: Option<WireText<'a>>,
    #[serde(borrow)]
    deleted_at: Option<WireText<'a>>,
}

pub(crate) struct NamedFiles;

impl RowReader for NamedFiles {
    type Wire<'a> = WireFile<'a>;
    type Row = (String, String);
    const TEXTS: &'static [&'static str] = &["display_name"];

    fn id<'w>(&self, wire: &'w WireFile<'_>) -> &'w str {
        wire.id.as_ref().map_or("", WireText::as_str)
    }

    fn row(&self, wire: WireFile<'_>) -> Option<(String, String)> {
        Some((wire.id?.into_id(), wire.display_name?.into_masked()))
    }
}

fn path(directory_id: &str) -> [&str; 6] {
    ["api", "v1", "beta", "directories", directory_id, "files"]
}

/// What one file of a directory says.
async fn file<T>(
    client: &Client,
    directory_id: &str,
    item_id: &str,
    read: impl Fn(WireFile<'_>) -> Option<T>,
) -> Result<Option<T>, CloudError> {
    let path = [&path(directory_id)[..], &[item_id]].concat();
    let shown = format!("/{}", path.join("/"));
    client.get(&Ask::path(&path), |text| Ok(read(parse(text, &shown)?))).await
}

/// The id of the file behind an item, which parse jobs ask for.
pub(crate) async fn file_id(client: &Client, directory_id: &str, item_id: &str) -> Result<String, CloudError> {
    let id = |file: WireFile<'_>| file.file_id.filter(|_| file.deleted_at.is_none()).and_then(WireText::into_some_id);
    // A file that was never stored, or that was deleted, cannot be parsed again.
    file(client, directory_id, item_id, id).await?.ok_or_else(|| CloudError::NotFound {
        path: format!("/{}/{item_id}", path(directory_id).join("/")),
        status: 404,
        detail: String::new(),
    })
}
