//! How to go on finding out what became of a batch's jobs: the way that is likely to take the fewest requests.

use crate::llamacloud::v2::job::Product;
use crate::llamacloud::v2::server_capabilities::ServerCapabilities;

/// Where pages hold so many rows, no batch is so large that asking for a part of its jobs would pay.
const LARGE: usize = 500;

/// The ways to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadMethod {
    /// Read on in the list of the jobs that were made while the batch ran.
    Window,
    /// Ask for those that are left by id, whatever became of them.
    Ids,
    /// Ask only for those that are open and those that failed.
    Narrow,
}

/// How the reading of one product's jobs stands.
#[derive(Clone, Copy)]
pub(crate) struct ReadProgress<'a> {
    pub(crate) capabilities: &'a ServerCapabilities,
    pub(crate) product: Product,
    /// Jobs of the batch, and of them those that no list has shown yet.
    pub(crate) jobs: usize,
    pub(crate) rest: usize,
    /// Those shown that failed.
    pub(crate) failed: usize,
    /// New ones on the last page of the list, or that its next page can hold at most.
    pub(crate) found: usize,
    /// Jobs that a page holds.
    pub(crate) page: usize,
    /// Files that a page of the directory holds, if that is known; else it is taken to hold as many as one of jobs.
    pub(crate) files_page: Option<usize>,
    /// Whether it is known since when its jobs can have failed.
    pub(crate) is_dated: bool,
    /// Whether the completed ones are wanted, too.
    pub(crate) all: bool,
}

impl ReadProgress<'_> {
    /// The cheapest way; of equals the one that tells most, but to begin with one query by id is sure where a list may
    /// disappoint.
    pub(crate) fn best(&self) -> ReadMethod {
        if self.rest == self.jobs && self.queries(self.rest, self.rest) == 1 {
            return ReadMethod::Ids;
        }
        let window = self.rest.checked_div(self.found).map_or(usize::MAX, |_| self.rest.div_ceil(self.found));
        let others = self.cost_by_status().map_or(self.ids(), |narrow| narrow.min(self.ids()));
        let names = self.names_of_directory();
        if window.saturating_add(names) <= others { ReadMethod::Window } else { self.best_of_others() }
    }

    /// The same where the list was read to its end, or is not to be had.
    pub(crate) fn best_of_others(&self) -> ReadMethod {
        match self.cost_by_status() {
            Some(narrow) if narrow < self.ids() => ReadMethod::Narrow,
            _ => ReadMethod::Ids,
        }
    }

    fn ids(&self) -> usize {
        self.queries(self.rest, self.rest) + self.names_of_directory()
    }

    /// None where pages are large: then it saves nothing, and tells less. None, too, where a job may be open under a
    /// status that this version does not know and so cannot ask for.
    fn cost_by_status(&self) -> Option<usize> {
        if self.all || self.page >= LARGE || self.capabilities.may_be_odd() {
            return None;
        }
        let (failed, among_rest) = self.failures();
        let is_endless = self.capabilities.is_crowded(self.product) && !self.is_dated;
        let feed = if is_endless { usize::MAX } else { self.pages(failed).max(1) };
        let asked = feed.min(self.queries(self.rest, among_rest));
        Some(self.product.open_statuses().len() + asked + self.names_of_parsings())
    }

    /// How many are likely to have failed, and how many of those that are left: as large a share as of those shown.
    fn failures(&self) -> (usize, usize) {
        let shown = (self.jobs - self.rest).max(1);
        let among_rest = (self.rest * self.failed).div_ceil(shown);
        (self.failed + among_rest, among_rest)
    }

    fn pages(&self, rows: usize) -> usize {
        rows.div_ceil(self.page.max(1))
    }

    /// Queries by id, of which so many rows come back.
    fn queries(&self, ids: usize, rows: usize) -> usize {
        self.capabilities.bound.queries(ids).max(self.pages(rows))
    }

    /// What the names of the failed ones take from the directory: extractions carry none.
    fn names_of_directory(&self) -> usize {
        let named = self.product == Product::Parse;
        if named { 0 } else { self.failures().0.min(self.jobs.div_ceil(self.files_page.unwrap_or(self.page).max(1))) }
    }

    /// What they take from the parsings that a list of failed extractions names.
    fn names_of_parsings(&self) -> usize {
        let (failed, _) = self.failures();
        match self.capabilities.parsings_may_name() {
            true => self.queries(failed, failed).min(self.names_of_directory()),
            false => self.names_of_directory(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(product: Product, page: usize, rest: usize, failed: usize, all: bool) -> ReadMethod {
        let capabilities = ServerCapabilities::default();
        let found = page.min(1000 - rest).max(1);
        ReadProgress {
            capabilities: &capabilities,
            product,
            jobs: 1000,
            rest,
            failed,
            found,
            page,
            files_page: None,
            is_dated: true,
            all,
        }
        .best()
    }

    #[test]
    fn the_cheapest_way_follows_from_the_size_of_pages_and_from_how_many_failed() {
        for (product, page, failed, wanted) in [
            (Product::Parse, 500, 25, ReadMethod::Window),
            (Product::Parse, 200, 10, ReadMethod::Narrow),
            (Product::Parse, 100, 5, ReadMethod::Narrow),
            (Product::Parse, 100, 0, ReadMethod::Narrow),
            (Product::Parse, 100, 100, ReadMethod::Window),
            (Product::Extract, 500, 25, ReadMethod::Window),
            (Product::Extract, 100, 5, ReadMethod::Narrow),
            (Product::Extract, 100, 100, ReadMethod::Window),
        ] {
            assert_eq!(best(product, page, 1000 - page, failed, false), wanted, "{product:?} {page} {failed}");
        }
        assert_ne!(best(Product::Parse, 100, 900, 5, true), ReadMethod::Narrow, "the completed ones are wanted, too");
        assert_eq!(best(Product::Parse, 100, 120, 5, false), ReadMethod::Window);
    }

    #[test]
    fn where_statuses_of_the_future_were_seen_nothing_is_taken_for_granted() {
        let capabilities = ServerCapabilities::default();
        let product = Product::Parse;
        let (page, files_page) = (100, None);
        let standing = ReadProgress {
            capabilities: &capabilities,
            product,
            jobs: 1000,
            rest: 900,
            failed: 5,
            found: 100,
            page,
            files_page,
            is_dated: true,
            all: false,
        };
        assert_eq!(standing.best(), ReadMethod::Narrow);
        capabilities.note_odd();
        assert_eq!((standing.best(), standing.best_of_others()), (ReadMethod::Window, ReadMethod::Ids));
    }

    #[test]
    fn a_batch_that_fits_into_one_query_is_asked_for_by_id() {
        let capabilities = ServerCapabilities::default();
        let (product, page, files_page) = (Product::Parse, 1000, None);
        let standing = ReadProgress {
            capabilities: &capabilities,
            product,
            jobs: 300,
            rest: 300,
            failed: 0,
            found: 1000,
            page,
            files_page,
            is_dated: true,
            all: false,
        };
        assert_eq!(standing.best(), ReadMethod::Ids);
        assert_eq!(ReadProgress { jobs: 400, rest: 400, ..standing }.best(), ReadMethod::Window);
    }

    #[test]
    fn a_list_full_of_other_work_is_left() {
        let capabilities = ServerCapabilities::default();
        let standing = ReadProgress {
            capabilities: &capabilities,
            product: Product::Parse,
            jobs: 1000,
            rest: 990,
            failed: 1,
            found: 10,
            page: 1000,
            files_page: None,
            is_dated: true,
            all: false,
        };
        assert_eq!(standing.best(), ReadMethod::Ids);
        assert_eq!(ReadProgress { found: 0, ..standing }.best(), ReadMethod::Ids);
    }
}
