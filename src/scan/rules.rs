//! Rules of a scan: which batches are looked at, when a job list may stop early, what evidence proves.
//!
//! Which batches must be *listed* is decided in `model::batch`; requests and SQL are left to the edges.

use std::ops::ControlFlow;

use jiff::Timestamp;

use crate::model::batch::Batch;
use crate::model::item::ItemStatus;

/// Whether a batch no one knows yet is looked at.
///
/// Made inside the look-back window, or still changing, or ended inside it: a batch that ran for longer than the window
/// has failures that no one has seen. A batch without times is looked at.
pub(crate) fn in_window(batch: &Batch, since: Timestamp) -> bool {
    let made = batch.created_at.is_none_or(|at| at >= since);
    let ended = batch.completed_at.is_some_and(|at| at >= since);
    made || ended || !batch.status.is_terminal()
}

/// Follows the order of a job list while it is read, and says when the rest of it cannot hold news.
///
/// The API documents no order. As long as every batch was made no later than the one before, the list is taken to be
/// newest first; one exception and the list is read to its end.
#[derive(Debug)]
pub(crate) struct ListOrder {
    newest_first: bool,
    oldest: Option<Timestamp>,
    /// Batches that must be seen before stopping: unfinished, or never completely listed.
    awaited: usize,
    /// Whether the list may stop at all: it was read to its end before, and recently.
    may_stop: bool,
}

/// What the list's reader found out about one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchEvidence {
    /// Known, terminal and unchanged since its last complete listing.
    pub settled: bool,
    /// One of the awaited batches.
    pub awaited: bool,
}

impl ListOrder {
    /// The start of a list. `awaited` batches must be seen before it may stop; `may_stop`: it was read to its end lately.
    pub(crate) fn new(awaited: usize, may_stop: bool) -> ListOrder {
        ListOrder { newest_first: true, oldest: None, awaited, may_stop }
    }

    /// Takes one page in; `Break` if nothing after it can be news.
    ///
    /// It stops after a whole page of settled batches, in proved order, with every awaited batch seen: what is left was
    /// made earlier than batches that are known and settled, so it was in the list when that was last read to its end.
    pub(crate) fn page(&mut self, page: &[(Option<Timestamp>, BatchEvidence)]) -> ControlFlow<()> {
        for (created_at, seen) in page {
            self.newest_first &= match (created_at, self.oldest) {
                (Some(at), Some(oldest)) => *at <= oldest,
                (Some(_), None) => true,
                (None, _) => false,
            };
            self.oldest = *created_at;
            self.awaited -= usize::from(seen.awaited && self.awaited > 0);
        }
        let settled = !page.is_empty() && page.iter().all(|(_, seen)| seen.settled);
        if self.may_stop && self.newest_first && self.awaited == 0 && settled {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// What follows from an item's present status, after it was missing from its batch's failed and skipped items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conclusion {
    /// It completed: recovered.
    Recovered,
    /// It stays open, and its batch is listed again: the status may still change, or the listing missed it.
    AskAgain,
    /// It stays open; asking again brings nothing until the batch changes.
    StaysOpen,
}

/// Only a success is evidence of recovery.
///
/// A cancelled item stays open: someone stopped it, the document is still not done. So does one that is no longer in
/// its batch, and one whose status is a word of the future.
pub(crate) fn conclude(status: Option<&ItemStatus>) -> Conclusion {
    match status {
        Some(ItemStatus::Completed) => Conclusion::Recovered,
        Some(ItemStatus::Pending | ItemStatus::Processing | ItemStatus::Failed | ItemStatus::Skipped) => {
            Conclusion::AskAgain
        }
        Some(ItemStatus::Cancelled | ItemStatus::Unknown(_)) | None => Conclusion::StaysOpen,
    }
}

/// An open item's newest failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenFailure {
    /// Its event time.
    pub at: i64,
    /// The batch it was in.
    pub batch_key: i64,
    /// The directory that batch was made from, if it was made from one.
    pub directory_id: Option<String>,
}

/// Open failures of a project: some of them, and from which time on there may be others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenFailures {
    seen: Vec<OpenFailure>,
    unseen_from: Option<i64>,
}

impl OpenFailures {
    /// One that is known.
    pub(crate) fn add(&mut self, failure: OpenFailure) {
        self.seen.push(failure);
    }

    /// There may be others at this event time and later.
    pub(crate) fn unseen_from(&mut self, at: i64) {
        self.unseen_from = Some(self.unseen_from.map_or(at, |known| known.min(at)));
    }

    /// Whether a batch made at this time may hold the success of one of them: it failed before, in another batch, of the
    /// same directory if this one was made from one. True where the answer is not known: to look costs a few requests, and
    /// not to look would lose a recovery.
    pub(crate) fn may_be_answered(&self, made_at: i64, batch_key: i64, directory_id: Option<&str>) -> bool {
        let answers = |failure: &OpenFailure| {
            failure.at < made_at
                && failure.batch_key != batch_key
                && directory_id.is_none_or(|directory| failure.directory_id.as_deref() == Some(directory))
        };
        self.unseen_from.is_some_and(|at| at < made_at) || self.seen.iter().any(answers)
    }
}

/// Larger batches are not read just to find completed items: no search by item exists, so it costs a request per 1,000 items.
pub(crate) const SEARCHABLE_ITEMS: u64 = 20_000;

/// Whether a batch may hold completed items that answer failures of earlier batches, and can be read for them.
///
/// A count that contradicts itself (more failed and skipped than items) leaves nothing completed.
pub(crate) fn may_answer(batch: &Batch) -> bool {
    let total = batch.total_items.unwrap_or(0);
    let unwell = batch.failed_items.unwrap_or(0).saturating_add(batch.skipped_items.unwrap_or(0));
    batch.status.is_terminal() && batch.created_at.is_some() && total > unwell && total <= SEARCHABLE_ITEMS
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLED: BatchEvidence = BatchEvidence { settled: true, awaited: false };
    const NEWS: BatchEvidence = BatchEvidence { settled: false, awaited: false };

    fn at(second: i64) -> Option<Timestamp> {
        Timestamp::from_second(second).ok()
    }

    #[test]
    fn a_list_stops_only_in_proved_order_and_after_a_settled_page() {
        let mut order = ListOrder::new(0, true);
        assert!(order.page(&[(at(9), NEWS), (at(8), SETTLED)]).is_continue());
        assert!(order.page(&[(at(7), SETTLED), (at(7), SETTLED)]).is_break());

        let mut order = ListOrder::new(0, true);
        assert!(order.page(&[(at(7), SETTLED), (at(8), SETTLED)]).is_continue());
        assert!(order.page(&[(at(6), SETTLED)]).is_continue(), "the order was broken once");

        let mut order = ListOrder::new(0, true);
        assert!(order.page(&[(None, SETTLED)]).is_continue(), "no time proves no order");
    }

    #[test]
    fn a_list_is_read_until_every_awaited_batch_was_seen() {
        let mut order = ListOrder::new(1, true);
        assert!(order.page(&[(at(9), SETTLED)]).is_continue());
        assert!(order.page(&[(at(8), BatchEvidence { settled: true, awaited: true })]).is_break());
    }

    #[test]
    fn a_list_that_was_not_read_to_its_end_lately_never_stops() {
        let mut order = ListOrder::new(0, false);
        assert!(order.page(&[(at(9), SETTLED)]).is_continue());
    }

    #[test]
    fn only_a_success_recovers() {
        assert_eq!(conclude(Some(&ItemStatus::Completed)), Conclusion::Recovered);
        assert_eq!(conclude(Some(&ItemStatus::Pending)), Conclusion::AskAgain);
        assert_eq!(conclude(Some(&ItemStatus::Failed)), Conclusion::AskAgain);
        assert_eq!(conclude(Some(&ItemStatus::Cancelled)), Conclusion::StaysOpen);
        assert_eq!(conclude(Some(&ItemStatus::Unknown("odd".to_owned()))), Conclusion::StaysOpen);
        assert_eq!(conclude(None), Conclusion::StaysOpen);
    }
}
