//! Reprocessing: follows what was posted, reconciles unclear outcomes, posts what a person approved or the policy chose.
//!
//! `policy` decides, `plans` and `intents` act, `store` keeps state. What must hold here is the order: an intent and its
//! claims are on disk before the one POST, its answer is on disk before the next.

pub(crate) mod account;
pub(crate) mod auto;
pub(crate) mod budget_line;
pub(crate) mod facts;
pub(crate) mod fault_reports;
pub(crate) mod intents;
pub(crate) mod order;
pub(crate) mod plans;
pub(crate) mod policy;
pub(crate) mod protocol;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Instant;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::classify::rules::decide::Rules;
use crate::config::reprocess;
use crate::ledger::Ledger;
use crate::llamacloud::Cloud;
use crate::model::text::count;
use crate::scan::source::Watched;
use crate::scan::summary::ScanSummary;

/// What reprocessing works with.
pub struct Reprocess<'w> {
    ledger: &'w Ledger,
    projects: &'w [Watched<Cloud>],
    rules: &'w Rules,
    config: &'w reprocess::ReprocessConfig,
    began: Instant,
    /// Projects whose last scan was incomplete: they get no automatic retries, because what is under way there is not known.
    half_seen: BTreeSet<String>,
    /// Projects of which the last scan read nothing, and why: nothing of them is posted, because what others retried is not known.
    unread: BTreeMap<String, String>,
}

/// What one step of reprocessing did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Items submitted.
    pub submitted: u32,
    /// Items that were submitted already, and not by this ledger: their batch is followed, and nothing is sent.
    pub adopted: u32,
    /// Attempts that recovered their item.
    pub recovered: u32,
    /// Attempts that ended without that.
    pub failed: u32,
    /// Intents of which it is not known whether a batch exists.
    pub unknown: u32,
    /// Items that would be retried now, where the mode is `plan`.
    pub would_retry: u64,
    /// What those are thought to cost, in credits; 0 if no price is known.
    pub would_cost: f64,
    /// The digest's line about budgets and holds.
    pub budget: Option<String>,
    /// What went wrong, in a line each.
    pub errors: Vec<String>,
}

impl<'w> Reprocess<'w> {
    /// Reprocessing over an open ledger.
    pub fn new(
        ledger: &'w Ledger,
        projects: &'w [Watched<Cloud>],
        rules: &'w Rules,
        config: &'w reprocess::ReprocessConfig,
    ) -> Reprocess<'w> {
        Reprocess {
            ledger,
            projects,
            rules,
            config,
            began: Instant::now(),
            half_seen: BTreeSet::new(),
            unread: BTreeMap::new(),
        }
    }

    /// The same, after these scans of this cycle.
    #[must_use]
    pub fn after(mut self, scans: &[ScanSummary]) -> Reprocess<'w> {
        for scan in scans.iter().filter(|scan| !scan.complete) {
            self.half_seen.insert(scan.project.clone());
            if scan.batches_listed == 0 {
                let error = scan.error.clone().unwrap_or_default();
                self.unread.insert(scan.project.clone(), error);
            }
        }
        self
    }

    /// Follows attempts, reconciles intents of unclear outcome, then posts approved plans and automatic retries.
    /// Needs the ledger's lock.
    ///
    /// A stop is heeded between two POSTs, never within one.
    ///
    /// # Errors
    /// The ledger refuses. Errors of the API are in the summary.
    pub async fn step(&self, now: Timestamp, stop: &CancellationToken) -> anyhow::Result<Summary> {
        let mut summary = Summary::default();
        self.recover(now).await?;
        self.reconcile(now, stop, &mut summary).await?;
        self.follow(now, stop, &mut summary).await?;
        self.execute_approved(now, stop, &mut summary).await?;
        self.automatic(now, stop, &mut summary).await?;
        self.tell_orphans(now).await?;
        self.tell_unheard(now).await?;
        summary.budget = self.budget_line(&summary, now).await?;
        Ok(summary)
    }

    /// Reconciles intents of unclear outcome, then posts approved plans. Nothing is retried automatically.
    ///
    /// # Errors
    /// The ledger refuses. Errors of the API are in the summary.
    pub(crate) async fn step_by_hand(&self, now: Timestamp, stop: &CancellationToken) -> anyhow::Result<Summary> {
        let mut summary = Summary::default();
        self.recover(now).await?;
        self.reconcile(now, stop, &mut summary).await?;
        self.execute_approved(now, stop, &mut summary).await?;
        Ok(summary)
    }

    /// The time it is by now, when it was `now` at the beginning: a POST is never stamped earlier than it was sent.
    fn by_now(&self, now: Timestamp) -> Timestamp {
        now.checked_add(self.began.elapsed()).unwrap_or(now)
    }

    fn project(&self, name: &str) -> Option<&Watched<Cloud>> {
        self.projects.iter().find(|project| project.name == name)
    }
}

impl Summary {
    /// Whether there is nothing to report.
    pub fn is_quiet(&self) -> bool {
        *self == Summary { budget: self.budget.clone(), ..Summary::default() }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let submitted = count(self.submitted.into(), "item submitted", "items submitted");
        let recovered = count(self.recovered.into(), "retry recovered", "retries recovered");
        write!(f, "{submitted}, {recovered}, {} did not", self.failed)?;
        if self.adopted > 0 {
            write!(f, ", {} submitted already by another copy of this ledger", self.adopted)?;
        }
        if self.would_retry > 0 {
            write!(f, ", {} would be retried", self.would_retry)?;
        }
        if self.unknown > 0 {
            write!(f, ", {} of unclear outcome", self.unknown)?;
        }
        Ok(())
    }
}
