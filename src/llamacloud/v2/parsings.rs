//! The parsings that went before extractions: they carry the names of files, and extractions do not.

use std::collections::HashMap;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::Client;
use crate::llamacloud::v2::files::Names;
use crate::llamacloud::v2::job::{Job, Product};
use crate::llamacloud::v2::server_capabilities::ServerCapabilities;

/// Asks for them on behalf of one batch.
pub(crate) struct Parsings<'a> {
    pub(crate) capabilities: &'a ServerCapabilities,
    pub(crate) client: &'a Client,
    pub(crate) limit: usize,
    /// Files that the directory holds, about.
    pub(crate) files: usize,
}

impl Parsings<'_> {
    /// The names that the parsings of these items carry, if asking for those is cheaper than asking the directory.
    pub(crate) async fn names(&self, parsings: &HashMap<String, String>, items: &[&str]) -> Names {
        let by_parsing: HashMap<&str, &str> =
            items.iter().filter_map(|id| Some((parsings.get(*id)?.as_str(), *id))).collect();
        let of_directory = self.capabilities.directory_pages(self.client, self.limit, self.files).min(items.len());
        let mut names = Names::new();
        if by_parsing.is_empty()
            || !self.capabilities.parsings_may_name()
            || self.queries(by_parsing.len()) >= of_directory
        {
            return names;
        }
        let mut ids: Vec<&str> = by_parsing.keys().copied().collect();
        ids.sort_unstable();
        let each = |job: Job| {
            let named = by_parsing.get(job.id.as_str()).zip(job.name);
            names.extend(named.map(|(item_id, name)| ((*item_id).to_owned(), name)));
        };
        match self.capabilities.bound.jobs(self.client, Product::Parse, &ids, &[], each).await {
            Ok(_) if names.is_empty() => self.capabilities.note_unnamed(),
            Ok(_) => {}
            // The directory is asked all the same.
            Err(error) => tracing::debug!(%error, "could not ask parse jobs for names"),
        }
        names
    }

    /// Requests that it takes to learn the names of so many extractions whose parsings are not known; endless if they tell none.
    pub(crate) fn cost(&self, extractions: usize) -> usize {
        match extractions {
            0 => usize::MAX,
            _ if !self.capabilities.parsings_may_name() => usize::MAX,
            extractions => 2 * self.queries(extractions),
        }
    }

    /// The parsings before these extractions, of which the items are given; by item.
    pub(crate) async fn before(&self, extractions: &HashMap<&str, &str>) -> HashMap<String, String> {
        let mut ids: Vec<&str> = extractions.keys().copied().collect();
        ids.sort_unstable();
        let mut found = HashMap::new();
        let each = |job: Job| {
            let item = extractions.get(job.id.as_str()).map(|item| (*item).to_owned());
            found.extend(item.zip(job.parse_job_id));
        };
        let expanded = [("expand", "extract_metadata")];
        if let Err(error) = self.capabilities.bound.jobs(self.client, Product::Extract, &ids, &expanded, each).await {
            if matches!(error, CloudError::Refused { .. }) {
                self.capabilities.note_unnamed();
            }
            tracing::debug!(%error, "could not ask extract jobs for the parsings before them");
        }
        found
    }

    fn queries(&self, jobs: usize) -> usize {
        let pages = jobs.div_ceil(self.capabilities.page(self.client, self.limit).max(1));
        self.capabilities.bound.queries(jobs).max(pages)
    }
}
