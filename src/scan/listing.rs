//! Listing one batch: its failed, skipped and cancelled items, and what is concluded when they were read to the end.

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::ledger::time::timestamp;
use crate::model::batch::{Batch, Flaw, ListingState};
use crate::model::item::{Kind, Observation};
use crate::scan::batch_failure::ListedOutcomes;
use crate::scan::evidence::check_missing_items;
use crate::scan::intake::{Committed, IntakeMessage, Outlet};
use crate::scan::outstanding::missing::{MissingItems, ShownItems};
use crate::scan::source::BatchSource;
use crate::scan::store::batch;
use crate::scan::store::ingest_record::{Finish, ListingContext};
use crate::scan::summary::{BatchRead, DueBatch};
use crate::scan::whole_batch;

/// Reads one batch and hands its rows to the intake. The turn to read goes to another batch once that is done, for then
/// there may be a long wait for the rows to be written.
///
/// # Errors
/// Only the ledger's; trouble with the API is in the result.
pub(crate) async fn read<S: BatchSource>(
    ledger: &Ledger,
    source: &S,
    due: &DueBatch,
    pages: &mpsc::Sender<IntakeMessage>,
    turn: OwnedSemaphorePermit,
) -> Result<BatchRead, LedgerError> {
    let DueBatch { batch, place } = due;
    let place = *place;
    let mut read = BatchRead { batch_id: batch.batch_id.clone(), ..BatchRead::default() };
    let mut pass = list_once(source, batch, place, pages, &mut read).await?;
    let mut shown = ListedOutcomes { same_message: read.same_message, ..ListedOutcomes::default() };
    let mut settled = batch.is_settled_by(read.counted);
    let mut without_result = 0;
    if let Some(pass) = pass {
        shown.unwell = pass.failed.count + pass.skipped.count;
        settled &= whole_batch::list_undone(source, due, pages, &mut shown, &mut read).await;
        without_result = shown.undone + list_cancelled(source, batch, place, pages, &mut read).await?;
    }
    let is_lagging = |missing: MissingItems| missing.is_only_unended() && !batch.fails_undone(timestamp(place.seen_at));
    settled &= !pass.is_some_and(|pass| is_lagging(pass.missing(batch, without_result)));
    let mut listing = batch.listed(settled);
    if pass.is_some_and(|pass| batch.status.is_terminal() && !pass.agrees_with(batch)) {
        // The counts and the listing differ: the counts lie, or the list moved while it was read. Two equal passes tell.
        let again = list_once(source, batch, place, pages, &mut read).await?;
        if pass != again {
            read.incomplete("its item list changed while it was read".to_owned());
            pass = None;
        }
    }
    if !read.refused || read.forbidden {
        whole_batch::record_whole_batch(due, pages, shown, &mut read).await?;
    }
    let complete = pass.is_some() && read.error.is_none();
    let missing = pass.map(|pass| pass.missing(batch, without_result)).filter(|missing| !is_lagging(*missing));
    let missing = missing.unwrap_or_default();
    let flaw = pass.and_then(|pass| pass.flaw(missing)).filter(|_| batch.is_settled_by(read.counted));
    if flaw.is_some() || read.only_odd {
        let (project_key, batch_id) = (place.project_key, batch.batch_id.clone());
        let before = ledger.read(move |connection| batch::listing(connection, project_key, &batch_id)).await?;
        listing = match flaw {
            Some(flaw) => {
                let listing = batch.listed_with(flaw, before.as_ref());
                let is_believed = flaw == Flaw::Unreadable && !listing.is_unsettled(place.seen_at);
                let rows = pass.map_or(0, |pass| pass.failed.unreadable + pass.skipped.unreadable);
                let why = || read.why_unreadable.clone().unwrap_or_else(|| "reason unknown".to_owned());
                read.lost_rows = is_believed.then(|| (rows, why()));
                if flaw == Flaw::FewerThanCounted && listing.state != ListingState::InDoubt {
                    Outlet::new(&batch.job_type, place, pages).push(vec![missing.observation(batch)]).await;
                }
                listing
            }
            None => batch.listed_odd(before.as_ref(), place.seen_at),
        };
    }
    read.gone = read.not_found && is_gone(source, batch, &mut read).await;
    if read.gone {
        let (project_key, batch_id) = (place.project_key, batch.batch_id.clone());
        ledger.write(move |tx| batch::mark_gone(tx, project_key, &batch_id, place.seen_at)).await?;
    }
    let finish = Finish {
        place,
        complete,
        // An unfinished batch is listed again whatever it looks like.
        listing: batch.status.is_terminal().then_some(listing),
        counted: read.counted,
    };
    let committed = commit(pages, finish.clone(), turn).await?;
    read.new = committed.new;
    if !committed.vanished.is_empty() && !read.gone {
        check_missing_items(ledger, source, batch, finish, committed.vanished, &mut read).await?;
    }
    Ok(read)
}

/// What one complete pass read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pass {
    failed: RowCounts,
    skipped: RowCounts,
}

/// The rows of one listing: how many, and which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct RowCounts {
    count: u64,
    unreadable: u64,
    missing: u64,
    fingerprint: u64,
}

impl Pass {
    /// What the batch counts and this does not show, beside so many items that it left undone.
    fn missing(self, batch: &Batch, undone: u64) -> MissingItems {
        let (failed, skipped) = (self.failed.count, self.skipped.count);
        MissingItems::new(batch, ShownItems { failed, skipped, undone, unknown: self.failed.missing })
    }

    fn flaw(self, missing: MissingItems) -> Option<Flaw> {
        if self.failed.unreadable + self.skipped.unreadable > 0 {
            return Some(Flaw::Unreadable);
        }
        (!missing.is_empty()).then_some(Flaw::FewerThanCounted)
    }

    fn agrees_with(self, batch: &Batch) -> bool {
        batch.failed_items.is_none_or(|n| n == self.failed.count)
            && batch.skipped_items.is_none_or(|n| n == self.skipped.count)
    }
}

/// Lists failed, then skipped items; none if one of the two could not be read to its end.
async fn list_once<S: BatchSource>(
    source: &S,
    batch: &Batch,
    place: ListingContext,
    pages: &mpsc::Sender<IntakeMessage>,
    read: &mut BatchRead,
) -> Result<Option<Pass>, LedgerError> {
    if batch.has_nothing_to_list() {
        read.unasked = true;
        return Ok(Some(Pass::default()));
    }
    let failed = list_kind(source, batch, Kind::Failed, place, pages, read).await?;
    if read.refused {
        return Ok(None);
    }
    let skipped = list_kind(source, batch, Kind::Skipped, place, pages, read).await?;
    Ok(failed.zip(skipped).map(|(failed, skipped)| Pass { failed, skipped }))
}

/// Lists what someone cancelled, where there may be something; returns how many items that are.
async fn list_cancelled<S: BatchSource>(
    source: &S,
    batch: &Batch,
    place: ListingContext,
    pages: &mpsc::Sender<IntakeMessage>,
    read: &mut BatchRead,
) -> Result<u64, LedgerError> {
    if read.refused || !batch.may_hold_cancelled() {
        return Ok(0);
    }
    let cancelled = list_kind(source, batch, Kind::Cancelled, place, pages, read).await?;
    Ok(cancelled.map_or(0, |rows| rows.count))
}

/// The rows of one kind; none if they could not be read to the end.
async fn list_kind<S: BatchSource>(
    source: &S,
    batch: &Batch,
    kind: Kind,
    place: ListingContext,
    pages: &mpsc::Sender<IntakeMessage>,
    read: &mut BatchRead,
) -> Result<Option<RowCounts>, LedgerError> {
    if batch.counts_no(kind) {
        return Ok(Some(RowCounts::default()));
    }
    let mut outlet = Outlet::new(&batch.job_type, place, pages);
    let mut same = false;
    let mut page = |page: Vec<Observation>| {
        let says_the_same = |item: &Observation| item.message.is_some() && item.message == batch.error_message;
        same = same || (batch.error_message.is_some() && page.iter().any(says_the_same));
        outlet.push(page)
    };
    let listed = source.list_items(batch, kind, &mut page).await;
    read.rows += outlet.rows;
    read.same_message |= same;
    match listed {
        Ok(listed) => {
            read.counted = listed.counted.or(read.counted);
            read.only_odd |= listed.only_odd;
            read.not_understood(batch, listed.unreadable + listed.odd, listed.why_unreadable.or(listed.why_odd));
            if let Some(why) = listed.why_incomplete.filter(|_| !listed.complete) {
                read.incomplete(format!("{} items: {why}", kind.as_str()));
            }
            let rows = RowCounts {
                count: listed.rows + listed.unreadable,
                unreadable: listed.unreadable,
                missing: listed.missing,
                fingerprint: listed.fingerprint,
            };
            Ok(listed.complete.then_some(rows))
        }
        Err(error) => {
            read.fails(&format!("could not list {} items", kind.as_str()), &error);
            Ok(None)
        }
    }
}

/// Whether the batch itself is gone, asked only after its listing failed.
async fn is_gone<S: BatchSource>(source: &S, batch: &Batch, read: &mut BatchRead) -> bool {
    if read.refused {
        return false;
    }
    let gone = matches!(source.batch(&batch.batch_id).await, Ok(None));
    if gone {
        // Nothing is wrong with the scan: there is nothing left to read.
        read.error = None;
    }
    gone
}

async fn commit(
    pages: &mpsc::Sender<IntakeMessage>,
    finish: Finish,
    turn: OwnedSemaphorePermit,
) -> Result<Committed, LedgerError> {
    let (reply, answered) = oneshot::channel();
    let sent = pages.send(IntakeMessage::Finish { finish, reply }).await;
    sent.map_err(|_| LedgerError::Closed)?;
    drop(turn);
    answered.await.map_err(|_| LedgerError::Closed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::batch::BatchStatus;

    #[test]
    fn a_listing_that_misses_outcomes_is_believed_only_the_second_time() {
        let batch = Batch {
            batch_id: "bat-1".to_owned(),
            project_id: None,
            directory_id: None,
            job_type: "parse".to_owned(),
            status: BatchStatus::Completed,
            total_items: None,
            processed_items: None,
            failed_items: None,
            skipped_items: None,
            error_message: None,
            created_at: None,
            updated_at: None,
            started_at: None,
            completed_at: None,
        };
        let all = RowCounts { count: 1, unreadable: 0, missing: 0, fingerprint: 7 };
        let some = RowCounts { missing: 1, ..all };
        let flaw = |failed| {
            let pass = Pass { failed, skipped: all };
            pass.flaw(pass.missing(&batch, 0))
        };
        assert_eq!(flaw(all), None);
        assert_eq!(flaw(some), Some(Flaw::FewerThanCounted));
    }
}
