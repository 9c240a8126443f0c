//! One scan of every project: list batches, list failed and skipped items of those that may hold news, group and record
//! them, look at open items that are no longer listed, and record batches that are overdue.
//!
//! Each project is a task, so that one that fails or crawls never delays another; all of them hand their pages to one
//! intake, which holds the grouper and writes transactions. `rules` decides which batches matter, a [`BatchSource`] makes the
//! requests, `store` holds the SQL.

pub(crate) mod apis;
pub(crate) mod batch_failure;
pub(crate) mod causes;
pub(crate) mod evidence;
pub(crate) mod gap;
pub(crate) mod intake;
pub(crate) mod job_list;
pub(crate) mod listing;
pub(crate) mod outstanding;
pub(crate) mod project;
pub(crate) mod rules;
pub(crate) mod set_aside;
pub(crate) mod source;
pub(crate) mod store;
pub(crate) mod summary;
#[cfg(test)]
mod tests;
pub(crate) mod unread;
pub(crate) mod whole_batch;

use std::collections::HashMap;
use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::grouping::grouper::Grouper;
use crate::grouping::store_group;
use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;

use crate::scan::intake::Classify;
use crate::scan::project::unless_panicked;
use crate::scan::source::{BatchSource, Watched};
use crate::scan::summary::ScanSummary;

/// Pages on their way from the projects to the intake; each holds up to 1,000 observations.
const PAGES_UNDER_WAY: usize = 4;

/// The grouper as the ledger knows it: at start, and after a scan that could not write.
pub async fn restore_grouper(ledger: &Ledger) -> Result<Grouper, LedgerError> {
    ledger.read(store_group::restore).await
}

/// Scans every project and returns what each scan did, in the order given.
///
/// Batches that are `named` for a project are asked for by id, however old they are, and read again even if nothing of them
/// could have changed.
/// Trouble with a project is part of its summary, never an error here.
/// If the returned future is dropped, the grouper may be ahead of the ledger: restore it before the next scan.
///
/// # Errors
/// The ledger cannot be written. What was committed before stays, and the grouper is brought back to it.
pub async fn scan<S: BatchSource>(
    ledger: &Ledger,
    projects: &[Watched<S>],
    named: &HashMap<String, Vec<String>>,
    grouper: &mut Grouper,
    classify: &Classify<'_>,
    now: Timestamp,
) -> Result<Vec<ScanSummary>, LedgerError> {
    let (pages, received) = mpsc::channel(PAGES_UNDER_WAY);
    let mut tasks = JoinSet::new();
    for (position, project) in projects.iter().cloned().enumerate() {
        let (ledger, pages) = (ledger.clone(), pages.clone());
        let named = named.get(&project.name).cloned().unwrap_or_default();
        let span = tracing::info_span!("scan", project = project.name);
        let scanned = async move {
            let began = Instant::now();
            let summary = project::scan(&ledger, &project, named, pages, now).await;
            (position, summary.map(|summary| ScanSummary { took: began.elapsed(), ..summary }))
        };
        tasks.spawn(scanned.instrument(span));
    }
    drop(pages);
    let taken_in = intake::run(ledger, received, grouper, classify, now).await;
    let summaries = collect(tasks).await;
    match taken_in.and(summaries) {
        Ok(summaries) => {
            ledger.release_memory().await?;
            Ok(summaries)
        }
        Err(error) => {
            *grouper = restore_grouper(ledger).await?;
            Err(error)
        }
    }
}

type ProjectOutcome = (usize, Result<ScanSummary, LedgerError>);

async fn collect(mut tasks: JoinSet<ProjectOutcome>) -> Result<Vec<ScanSummary>, LedgerError> {
    let mut summaries = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        let (position, summary) = unless_panicked(joined);
        summaries.push((position, summary?));
    }
    summaries.sort_by_key(|(position, _)| *position);
    Ok(summaries.into_iter().map(|(_, summary)| summary).collect())
}
