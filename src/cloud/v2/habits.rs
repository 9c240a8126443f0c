//! What the server was found to do, learnt while asking it and forgotten with the process.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::chunks::QueryBound;
use super::job::Product;

/// What the server was found to do. All of it decides what is asked next, and nothing of it what is believed.
#[derive(Debug, Default)]
pub(super) struct Habits {
    /// How long its queries may be.
    pub(super) bound: QueryBound,
    /// Rows of its largest pages, if they are fewer than were asked for; else 0.
    page: AtomicUsize,
    /// It takes no `expand` in lists.
    plain: AtomicBool,
    /// The parsings before its extractions carry no names.
    unnamed: AtomicBool,
    /// Jobs have statuses that this version does not know.
    odd: AtomicBool,
    /// So many jobs have failed in the project that the list of all of them is dear.
    crowded: [AtomicBool; 2],
}

fn place(product: Product) -> usize {
    usize::from(product == Product::Extract)
}

impl Habits {
    /// Rows that a page holds where `limit` are asked for.
    pub(super) fn page(&self, limit: usize) -> usize {
        match self.page.load(Ordering::Relaxed) {
            0 => limit,
            page => page.min(limit),
        }
    }

    pub(super) fn note_page(&self, rows: usize) {
        self.page.store(rows, Ordering::Relaxed);
    }

    pub(super) fn is_plain(&self) -> bool {
        self.plain.load(Ordering::Relaxed)
    }

    pub(super) fn note_plain(&self) {
        self.plain.store(true, Ordering::Relaxed);
    }

    /// Whether the names of extracted files may stand on the parsings before.
    pub(super) fn parsings_may_name(&self) -> bool {
        !self.is_plain() && !self.unnamed.load(Ordering::Relaxed)
    }

    pub(super) fn note_unnamed(&self) {
        self.unnamed.store(true, Ordering::Relaxed);
    }

    /// Whether jobs may be open in a way that no list of open ones shows.
    pub(super) fn may_be_odd(&self) -> bool {
        self.odd.load(Ordering::Relaxed)
    }

    pub(super) fn note_odd(&self) {
        self.odd.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_crowded(&self, product: Product) -> bool {
        self.crowded[place(product)].load(Ordering::Relaxed)
    }

    pub(super) fn note_crowded(&self, product: Product) {
        self.crowded[place(product)].store(true, Ordering::Relaxed);
    }
}
