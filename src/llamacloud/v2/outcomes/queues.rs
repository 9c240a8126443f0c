//! Which jobs of a project had not ended when it was last asked, shared by the batches that are read one after the other.
//!
//! A batch that has finished got all of its jobs before. Those that no list of open jobs shows that was asked for since have
//! ended, so one such list serves every batch that was known to have finished by then.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::llamacloud::v2::job::Product;

/// The jobs of a project that had not ended.
#[derive(Debug)]
pub(crate) struct Queue {
    /// How often batches had been shown before it was asked for: it says nothing of a batch that was shown later.
    pub(crate) as_of: u64,
    /// All of them, by id.
    pub(crate) open: HashSet<String>,
}

/// The queues of each product, and how often batches were shown.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    shown: AtomicU64,
    parse: Mutex<Option<Queue>>,
    extract: Mutex<Option<Queue>>,
}

impl Queues {
    /// Notes that batches were shown, before anyone acts on them.
    pub(crate) fn note_batches(&self) {
        self.shown.fetch_add(1, Ordering::SeqCst);
    }

    /// How often batches were shown so far.
    pub(crate) fn batches_shown(&self) -> u64 {
        self.shown.load(Ordering::SeqCst)
    }

    /// The queue of a product. Who holds it keeps others from asking for the same meanwhile.
    pub(crate) fn queue(&self, product: Product) -> &Mutex<Option<Queue>> {
        match product {
            Product::Parse => &self.parse,
            Product::Extract => &self.extract,
        }
    }
}
