//! Whether a list of batches is proved to come newest first: the API documents no order, so it is looked at.

use jiff::Timestamp;

use crate::model::batch::Batch;

/// So many steps down, and none up, are no accident: a random order shows them once in a million times.
const PROOF: u32 = 10;

/// What the pages read so far say about the order.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewestFirst {
    last: Option<Timestamp>,
    down: u32,
    broken: bool,
}

impl NewestFirst {
    /// Looks at the next page.
    pub(crate) fn see(&mut self, page: &[Batch]) {
        for batch in page {
            match (self.last, batch.created_at) {
                (_, None) => self.broken = true,
                (Some(last), Some(created)) if created > last => self.broken = true,
                (Some(last), Some(created)) if created < last => self.down += 1,
                _ => {}
            }
            self.last = batch.created_at.or(self.last);
        }
    }

    /// Whether newest-first is proved.
    pub(crate) fn is_proved(&self) -> bool {
        !self.broken && self.down >= PROOF
    }

    /// Whether every batch still to come was created before `since`.
    pub(crate) fn is_past(&self, since: Timestamp) -> bool {
        self.is_proved() && self.last.is_some_and(|last| last < since)
    }
}
