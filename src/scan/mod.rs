//! One scan of every project: list batches, list failed and skipped items of those that may hold news, group and record
//! them, and look at open items that are no longer listed.
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
pub(crate) mod project;
pub(crate) mod rules;
pub(crate) mod set_aside;
pub(crate) mod source;
pub(crate) mod store;
#[cfg(test)]
mod tests;
pub(crate) mod unread;
pub(crate) mod whole_batch;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tracing::Instrument;

use crate::grouping::grouper::{Grouper, Subject};
use crate::grouping::store_group;
use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::model::classified::Classified;

use crate::scan::apis::ApiFound;
use crate::scan::set_aside::SetAside;
use crate::scan::source::BatchSource;

/// Decides the class of a new group.
pub(crate) type Classify<'a> = dyn Fn(&Subject<'_>) -> Classified + Send + Sync + 'a;

/// Pages on their way from the projects to the intake; each holds up to 1,000 observations.
const PAGES_UNDER_WAY: usize = 4;

/// A project to scan.
pub struct Watched<S> {
    /// Its name in the configuration.
    pub name: String,
    /// Where its batches and items are listed.
    pub source: Arc<S>,
    /// Batches made longer ago are not looked at, unless they still matter.
    pub look_back: Duration,
    /// Batches listed at once, at most.
    pub concurrency: usize,
}

impl<S> Clone for Watched<S> {
    fn clone(&self) -> Self {
        Watched {
            name: self.name.clone(),
            source: Arc::clone(&self.source),
            look_back: self.look_back,
            concurrency: self.concurrency,
        }
    }
}

/// What one project's scan did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanSummary {
    /// The project.
    pub project: String,
    /// Everything that could hold news was read.
    pub complete: bool,
    /// Batches seen in the job list.
    pub batches_listed: u64,
    /// Batches whose items were listed.
    pub batches_read: u64,
    /// Rows listed.
    pub items_listed: u64,
    /// Observations that were not known before.
    pub items_new: u64,
    /// Open items that turned out to have completed.
    pub recovered: u64,
    /// Rows that could not be understood.
    pub unreadable: u64,
    /// Why the first of them could not be understood, where that is known.
    pub why_unreadable: Option<String>,
    /// Requests made.
    pub requests: u64,
    /// What was found of the batch APIs.
    pub apis: Vec<ApiFound>,
    /// The first thing that made it incomplete.
    pub error: Option<String>,
    /// What was left out of it because it cannot be read; the rest is complete all the same.
    pub set_aside: Vec<SetAside>,
    /// What cannot be read any more, with its dates.
    pub lost: Vec<SetAside>,
    /// What is being found out about things that cannot be read.
    unread: set_aside::UnreadFindings,
    /// The API refused us (401, 402, 403): nothing more was asked, and it must be reported at once.
    pub refused: bool,
}

impl ScanSummary {
    /// Notes what made the scan incomplete; the first reason stays.
    fn fails(&mut self, reason: String, refused: bool) {
        self.complete = false;
        self.refused |= refused;
        self.error.get_or_insert(reason);
    }
}

impl fmt::Display for ScanSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScanSummary {
            project,
            batches_listed,
            batches_read,
            items_listed,
            items_new,
            recovered,
            unreadable,
            why_unreadable,
            requests,
            ..
        } = self;
        write!(f, "{project}: ")?;
        if !self.complete {
            let error = self.error.as_deref().unwrap_or("the scan was incomplete");
            write!(f, "FAILED to read everything: {error}; ")?;
        }
        write!(f, "{items_new} new, {recovered} recovered; listed {batches_listed} batches, read {batches_read}")?;
        write!(f, " with {items_listed} failed and skipped items in {requests} requests")?;
        if *unreadable > 0 {
            let why = why_unreadable.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
            write!(f, "; {unreadable} row{} could not be read{why}", if *unreadable == 1 { "" } else { "s" })?;
        }
        for SetAside { text, .. } in self.set_aside.iter().chain(&self.lost) {
            write!(f, "\n  not read: {text}")?;
        }
        Ok(())
    }
}

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
        let scanned = async move { (position, project::scan(&ledger, &project, named, pages, now).await) };
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

/// A panic in a task is a defect: it goes on here, and never passes for a quiet account.
fn unless_panicked<T>(joined: Result<T, JoinError>) -> T {
    joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
