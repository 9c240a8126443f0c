//! Evidence of recovery: the present status of items that vanished from a listing, and newer batches that completed them.
//!
//! The API has no search by item, so a batch's whole item list is read: one request per 1,000 items, at most once per
//! appearance of a batch, and never for an account in which nothing changed.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;

use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::model::batch::Batch;
use crate::model::item::ItemStatus;
use crate::scan::rules::{Conclusion, SEARCHABLE_ITEMS, conclude, may_answer};
use crate::scan::source::BatchSource;
use crate::scan::store::batch;
use crate::scan::store::evidence::{self, VanishedItem};
use crate::scan::store::ingest_record::Finish;
use crate::scan::store::project::StartedScan;
use crate::scan::summary::{BatchRead, ScanSummary};

/// Requests that one scan of a project may spend on newer batches; the rest waits for the next scan with news.
const SEARCH_REQUESTS: u64 = 30;

/// Looks at open items that are missing from a complete listing of their batch, and recovers those that completed.
pub(crate) async fn check_missing_items<S: BatchSource>(
    ledger: &Ledger,
    source: &S,
    batch: &Batch,
    mut finish: Finish,
    vanished: Vec<VanishedItem>,
    read: &mut BatchRead,
) -> Result<(), LedgerError> {
    if !batch.status.is_terminal() && batch.total_items.is_none_or(|n| n > SEARCHABLE_ITEMS) {
        // Too expensive for every scan: it is queried once, after the batch has ended.
        return Ok(());
    }
    let mut wanted: HashMap<String, i64> = vanished.into_iter().map(|v| (v.item_id, v.item_key)).collect();
    // What was recorded in place of the batch is over now that its items are listed.
    let mut recovered: Vec<i64> = wanted.remove(&batch.batch_id).into_iter().collect();
    if wanted.is_empty() {
        return conclude_with(ledger, finish, batch, recovered, read).await;
    }
    let mut ask_again = false;
    let listed = source
        .list_statuses(batch, &mut |page| {
            for (item_id, status) in page {
                let Some(item_key) = wanted.remove(&item_id) else {
                    continue;
                };
                match conclude(Some(&status)) {
                    Conclusion::Recovered => recovered.push(item_key),
                    Conclusion::AskAgain => ask_again = true,
                    Conclusion::StaysOpen => {}
                }
            }
            if wanted.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await;
    match listed {
        Ok(listed) => ask_again |= !listed.complete && !wanted.is_empty(),
        // Gone meanwhile: the job list will not show it again, and nothing is known of its items.
        Err(error) if error.is_not_found() => {
            return note_missing_batch(ledger, finish.place.project_key, batch, finish.place.seen_at).await;
        }
        Err(error) => {
            read.fails("cannot read items that are no longer listed", &error);
            ask_again = true;
        }
    }
    if ask_again {
        finish.listing = None;
    }
    conclude_with(ledger, finish, batch, recovered, read).await
}

async fn conclude_with(
    ledger: &Ledger,
    finish: Finish,
    batch: &Batch,
    recovered: Vec<i64>,
    read: &mut BatchRead,
) -> Result<(), LedgerError> {
    let batch_id = batch.batch_id.clone();
    read.recovered += ledger.write(move |tx| evidence::conclude_listing(tx, &finish, &batch_id, &recovered)).await?;
    Ok(())
}

/// Reads newer batches for completed items that answer open failures of earlier ones.
pub(crate) async fn search<S: BatchSource>(
    ledger: &Ledger,
    source: &S,
    begun: &StartedScan,
    counts: &mut ScanSummary,
) -> Result<(), LedgerError> {
    let project_key = begun.project_key;
    let candidates = ledger.read(move |connection| batch::unsearched(connection, project_key)).await?;
    let at = begun.at;
    let leave_out = |candidates| ledger.write(move |tx| evidence::leave_out_unawaited(tx, project_key, at, candidates));
    if candidates.is_empty() {
        return Ok(());
    }
    let is_served = |batch: &Batch| source.serves(source.api_of(&batch.batch_id));
    let mut awaited = leave_out(candidates).await?;
    awaited.retain(|(batch, _)| may_answer(batch) && is_served(batch));
    let mut awaited = VecDeque::from(awaited);
    let started_with = source.requests();
    while source.requests() - started_with < SEARCH_REQUESTS
        && let Some((batch, mut answering)) = awaited.pop_front()
    {
        answering.seen_at = begun.at;
        let mut completed = Vec::new();
        let mut odd = 0;
        let listed = source
            .list_statuses(&batch, &mut |page| {
                for (item_id, status) in page {
                    match status {
                        ItemStatus::Completed => completed.push(item_id),
                        ItemStatus::Unknown(_) => odd += 1,
                        _ => {}
                    }
                }
                ControlFlow::Continue(())
            })
            .await;
        match listed {
            Ok(listed) if listed.complete => {
                // Rows without a meaning may be completed items: the batch is read again in the next scan.
                let not_understood = listed.unreadable + odd;
                counts.unreadable += not_understood;
                let write = move |tx: &crate::ledger::Transaction<'_>| {
                    evidence::recover_completed(tx, &answering, &completed, not_understood == 0)
                };
                let recovered = ledger.write(write).await?;
                counts.recovered += recovered;
                if recovered > 0 {
                    awaited = leave_out(awaited.into()).await?.into();
                }
            }
            // Its failed items were read; only a recovery may be reported later.
            Ok(_) => {}
            Err(error) if error.is_not_found() => note_missing_batch(ledger, project_key, &batch, begun.at).await?,
            Err(error) if error.stops_scan() && !error.is_forbidden() => {
                counts.fails(format!("batch {}: could not read its completed items: {error}", batch.batch_id), true);
                break;
            }
            Err(error) => {
                let own = error.is_about_what_was_asked() || error.is_forbidden();
                counts.cannot_read(&batch.batch_id, format!("could not read its completed items: {error}"), own);
            }
        }
    }
    Ok(())
}

async fn note_missing_batch(ledger: &Ledger, project_key: i64, batch: &Batch, at: i64) -> Result<(), LedgerError> {
    let batch_id = batch.batch_id.clone();
    ledger.write(move |tx| batch::mark_gone(tx, project_key, &batch_id, at)).await
}
