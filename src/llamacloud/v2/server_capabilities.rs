//! What the server was found to do, learnt while asking it and forgotten with the process.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::llamacloud::http::client::{Client, Make};
use crate::llamacloud::v2::outcomes::chunks::QueryBound;

/// What the server was found to do. All of it decides what is asked next, and nothing of it what is believed.
#[derive(Debug, Default)]
pub(crate) struct ServerCapabilities {
    /// How long its queries may be.
    pub(crate) bound: QueryBound,
    /// Rows of its largest pages of jobs, if they are fewer than were asked for; else 0.
    page: AtomicUsize,
    /// The same of files.
    files_page: AtomicUsize,
    /// The parsings before its extractions carry no names, or its lists do not show which those are.
    unnamed: AtomicBool,
}

fn nonzero(rows: &AtomicUsize) -> Option<usize> {
    Some(rows.load(Ordering::Relaxed)).filter(|rows| *rows > 0)
}

impl ServerCapabilities {
    /// Jobs that a page holds where `limit` are asked for.
    pub(crate) fn page(&self, client: &Client, limit: usize) -> usize {
        client.bounded(Make::V2, limit).min(nonzero(&self.page).unwrap_or(limit))
    }

    pub(crate) fn note_page(&self, rows: usize) {
        self.page.store(rows, Ordering::Relaxed);
    }

    /// Files that a page holds, if that is known.
    pub(crate) fn files_page(&self, client: &Client, limit: usize) -> Option<usize> {
        let bounded = client.bounded(Make::Files, limit);
        nonzero(&self.files_page).map(|rows| rows.min(bounded)).or((bounded < limit).then_some(bounded))
    }

    /// Pages of a directory that holds so many files; one of files is taken to hold as many as one of jobs, if nothing
    /// else is known.
    pub(crate) fn directory_pages(&self, client: &Client, limit: usize, files: usize) -> usize {
        let rows = self.files_page(client, limit).unwrap_or_else(|| self.page(client, limit));
        files.div_ceil(rows.max(1))
    }

    pub(crate) fn note_files_page(&self, rows: usize) {
        self.files_page.store(rows, Ordering::Relaxed);
    }

    /// Whether the names of extracted files may stand on the parsings before.
    pub(crate) fn parsings_may_name(&self) -> bool {
        !self.unnamed.load(Ordering::Relaxed)
    }

    pub(crate) fn note_unnamed(&self) {
        self.unnamed.store(true, Ordering::Relaxed);
    }
}
