//! Work without a result: batches that have not ended for far longer than usual, items that are counted and not shown, and items
//! that two running batches process at once.
//!
//! What is overdue is read from the ledger alone, after a scan has recorded what the batch list shows: a batch may be stuck
//! however little is heard of it.

pub(crate) mod compare;
pub(crate) mod duplicates;
pub(crate) mod missing;
pub(crate) mod overdue;
pub(crate) mod store_outstanding;

use std::collections::HashMap;

use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::ledger::error::LedgerError;
use crate::ledger::{Connection, Ledger};
use crate::model::schedule::overdue::{OverdueLimit, SHORTEST_LIMIT};
use crate::model::time::DAY;
use crate::scan::intake::{IntakeMessage, Outlet};
use crate::scan::outstanding::overdue::{FinishedBatch, RunningBatch, usual_time};
use crate::scan::store::ingest_record::ListingContext;
use crate::scan::store::project::StartedScan;

/// Records batches of a project as overdue, once each, and closes those whose work has ended, and what is missing no longer.
///
/// # Errors
/// The ledger's.
pub(crate) async fn record(
    ledger: &Ledger,
    begun: &StartedScan,
    limit: OverdueLimit,
    pages: &mpsc::Sender<IntakeMessage>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let (project_key, at) = (begun.project_key, begun.at);
    let ended = ledger.read(move |connection| store_outstanding::ended(connection, project_key, at - DAY, at)).await?;
    if !ended.is_empty() {
        ledger.write(move |tx| store_outstanding::close(tx, &ended, at)).await?;
    }
    let (running, finished) = ledger.read(move |connection| running(connection, project_key, at)).await?;
    for batch in running {
        let usual = finished.get(&batch.job_type).and_then(|finished| usual_time(finished, batch.items));
        let Some(overdue) = batch.overdue(limit, usual, now) else { continue };
        let place = ListingContext {
            project_key,
            batch_key: batch.batch_key,
            seen_at: at,
            baseline_until: begun.baseline_until,
        };
        Outlet::new(&batch.job_type, place, pages).push(vec![overdue]).await;
    }
    Ok(())
}

type ByJobType = HashMap<String, Vec<FinishedBatch>>;

/// Batches that may be overdue, and how long those of their job types took.
fn running(connection: &Connection, project_key: i64, at: i64) -> Result<(Vec<RunningBatch>, ByJobType), LedgerError> {
    let made_before = at.saturating_sub(i64::try_from(SHORTEST_LIMIT.as_millis()).unwrap_or(i64::MAX));
    let running = store_outstanding::unrecorded(connection, project_key, made_before)?;
    let mut finished = ByJobType::new();
    for batch in &running {
        if !finished.contains_key(&batch.job_type) {
            let of_type = store_outstanding::finished(connection, project_key, &batch.job_type)?;
            finished.insert(batch.job_type.clone(), of_type);
        }
    }
    Ok((running, finished))
}
