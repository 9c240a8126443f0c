//! Reprocessing: follows what was posted, finds out what is unclear, posts what a person approved.
//!
//! The rules are in `core::reprocess`, the POST in `cloud`, all state in `ledger`. What must hold here is the order:
//! an intent and its claims are on disk before the one POST, its answer is on disk before the next.

mod auto;
mod budget_line;
mod cancel;
mod draft;
mod elsewhere;
mod execute;
mod facts;
mod follow;
mod gate;
mod job_config;
mod order;
mod orphan;
mod outlook;
mod post;
mod reconcile;
mod tell;
mod trials;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Instant;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::cloud::Cloud;
use crate::config::project::Api;
use crate::config::{Config, reprocess};
use crate::core::rules::Rules;
use crate::core::text::count;
use crate::ledger::Ledger;
use crate::service::scan::{ScanSummary, Watched};
use crate::service::worker::{Setup, Worker};

pub use cancel::cancel;
pub use draft::{Draft, DraftChunk, Excluded, Request};
pub use orphan::{GiveUp, give_up};
pub use outlook::{GroupOutlook, Hold};

/// What reprocessing works with.
pub struct Reprocess<'w> {
    ledger: &'w Ledger,
    projects: &'w [Watched<Cloud>],
    rules: &'w Rules,
    config: &'w reprocess::Reprocess,
    all: &'w Config,
    began: Instant,
    /// Projects whose last scan was incomplete: nothing of them is retried by itself, for who knows what is under way there.
    half_seen: BTreeSet<String>,
}

/// What one step of reprocessing did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Items submitted.
    pub submitted: u32,
    /// Attempts that recovered their item.
    pub recovered: u32,
    /// Attempts that ended without that.
    pub failed: u32,
    /// Intents of which nobody knows whether a batch exists.
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
    pub fn new(ledger: &'w Ledger, setup: &'w Setup) -> Reprocess<'w> {
        Reprocess {
            ledger,
            projects: &setup.projects,
            rules: &setup.rules,
            config: &setup.config.reprocess,
            all: &setup.config,
            began: Instant::now(),
            half_seen: BTreeSet::new(),
        }
    }

    /// The same, after these scans of this cycle.
    #[must_use]
    pub fn after(mut self, scans: &[ScanSummary]) -> Reprocess<'w> {
        self.half_seen.extend(scans.iter().filter(|scan| !scan.complete).map(|scan| scan.project.clone()));
        self
    }

    /// Follows attempts, reconciles intents of unclear outcome, then posts what people approved and what is retried by itself.
    /// Needs the ledger's lock.
    ///
    /// A stop is heeded between two POSTs, never within one.
    ///
    /// # Errors
    /// The ledger refuses. Trouble with the API is in the summary.
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

    /// Posts what people approved, after finding out what is unclear. Nothing goes by itself, for nothing was scanned before.
    ///
    /// # Errors
    /// The ledger refuses. Trouble with the API is in the summary.
    pub async fn step_by_hand(&self, now: Timestamp, stop: &CancellationToken) -> anyhow::Result<Summary> {
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

    fn api(&self, name: &str) -> Api {
        self.all.project.iter().find(|project| project.name == name).map(|project| project.api).unwrap_or_default()
    }
}

impl Summary {
    /// Whether there is nothing to say.
    pub fn is_quiet(&self) -> bool {
        *self == Summary { budget: self.budget.clone(), ..Summary::default() }
    }
}

impl Worker {
    /// One step of reprocessing.
    ///
    /// # Errors
    /// The ledger refuses.
    pub async fn reprocess(&self, now: Timestamp, stop: &CancellationToken) -> anyhow::Result<Summary> {
        Reprocess::new(&self.ledger, &self.setup).step(now, stop).await
    }

    /// What cannot wait for the next cycle: plans that people approved, and POSTs of unclear outcome.
    ///
    /// # Errors
    /// The ledger refuses.
    pub async fn reprocess_between(&self, now: Timestamp, stop: &CancellationToken) -> anyhow::Result<Summary> {
        let mut summary = Summary::default();
        Reprocess::new(&self.ledger, &self.setup).between(now, stop, &mut summary).await?;
        Ok(summary)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let submitted = count(self.submitted.into(), "item submitted", "items submitted");
        let recovered = count(self.recovered.into(), "retry recovered", "retries recovered");
        write!(f, "{submitted}, {recovered}, {} did not", self.failed)?;
        if self.would_retry > 0 {
            write!(f, ", {} would be retried", self.would_retry)?;
        }
        if self.unknown > 0 {
            write!(f, ", {} of unclear outcome", self.unknown)?;
        }
        Ok(())
    }
}
