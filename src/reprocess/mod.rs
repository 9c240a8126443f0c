//! Reprocessing: follows what was posted, reconciles unclear outcomes, posts what a person approved or the policy chose.
//!
//! `policy` decides, `plans` and `intents` act, `store` keeps state. What must hold here is the order: an intent and its
//! claims are on disk before the one POST, its answer is on disk before the next. All of it fails if the ledger refuses; errors of
//! the API are in the summary.

pub(crate) mod account;
pub(crate) mod auto;
pub(crate) mod facts;
pub(crate) mod intents;
pub(crate) mod job_configs;
pub(crate) mod plans;
pub(crate) mod policy;
pub(crate) mod protocol;
pub(crate) mod reports;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Instant;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::classify::rules::decide::Rules;
use crate::config::reprocess::ReprocessConfig;
use crate::ledger::Ledger;
use crate::llamacloud::Cloud;
use crate::model::text::count;
use crate::scan::source::Watched;
use crate::scan::summary::ScanSummary;

/// One step of reprocessing, with what it works with. Needs the ledger's lock where anything is posted.
pub struct Reprocess<'w> {
    ledger: &'w Ledger,
    projects: &'w [Watched<Cloud>],
    rules: &'w Rules,
    config: &'w ReprocessConfig,
    now: Timestamp,
    began: Instant,
    /// A stop is heeded between two POSTs, never within one.
    stop: CancellationToken,
    /// Projects whose last scan was incomplete: they get no automatic retries, because what is under way there is not known.
    half_seen: BTreeSet<String>,
    /// Projects of which the last scan read nothing, and why: nothing of them is posted, because what others retried is not known.
    unread: BTreeMap<String, String>,
    summary: Summary,
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
    /// Reprocessing over an open ledger, at `now`.
    pub fn new(
        ledger: &'w Ledger,
        projects: &'w [Watched<Cloud>],
        rules: &'w Rules,
        config: &'w ReprocessConfig,
        now: Timestamp,
    ) -> Reprocess<'w> {
        Reprocess {
            ledger,
            projects,
            rules,
            config,
            now,
            began: Instant::now(),
            stop: CancellationToken::new(),
            half_seen: BTreeSet::new(),
            unread: BTreeMap::new(),
            summary: Summary::default(),
        }
    }

    /// The same, after these scans of this cycle, until it is stopped.
    #[must_use]
    pub fn after(mut self, scans: &[ScanSummary], stop: &CancellationToken) -> Reprocess<'w> {
        for scan in scans.iter().filter(|scan| !scan.complete) {
            self.half_seen.insert(scan.project.clone());
            if scan.batches_listed == 0 {
                let error = scan.error.clone().unwrap_or_default();
                self.unread.insert(scan.project.clone(), error);
            }
        }
        self.stop = stop.clone();
        self
    }

    /// What a cycle does: follows attempts, reconciles intents of unclear outcome, then posts approved plans and automatic retries.
    ///
    /// # Errors
    /// The ledger refuses. Errors of the API are in the summary.
    pub async fn step(mut self) -> anyhow::Result<Summary> {
        self.recover().await?;
        self.reconcile().await?;
        self.follow().await?;
        self.execute_approved().await?;
        self.automatic().await?;
        self.report_lost().await?;
        self.summary.budget = self.budget_line().await?;
        Ok(self.summary)
    }

    /// At a person's word: reconciles intents of unclear outcome, then posts approved plans. Nothing is retried automatically.
    pub(crate) async fn step_by_hand(mut self) -> anyhow::Result<Summary> {
        self.recover().await?;
        self.reconcile().await?;
        self.execute_approved().await?;
        Ok(self.summary)
    }

    /// Between two cycles: looks for what is of unclear outcome every two minutes, and executes approved plans.
    pub(crate) async fn step_between(mut self) -> anyhow::Result<Summary> {
        if self.is_unclear_for_long().await? {
            self.reconcile().await?;
        }
        self.execute_approved().await?;
        Ok(self.summary)
    }

    /// The time it is by now: a POST is never stamped earlier than it was sent.
    fn by_now(&self) -> Timestamp {
        self.now.checked_add(self.began.elapsed()).unwrap_or(self.now)
    }

    fn project(&self, name: &str) -> Option<&'w Watched<Cloud>> {
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
        let more = [
            (u64::from(self.adopted), "submitted already by another copy of this ledger"),
            (self.would_retry, "would be retried"),
            (self.unknown.into(), "of unclear outcome"),
        ];
        more.iter().filter(|(items, _)| *items > 0).try_for_each(|(items, what)| write!(f, ", {items} {what}"))
    }
}
