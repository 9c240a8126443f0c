//! Reprocessing as the worker does it: in each cycle, between cycles, and at a user's word.

use std::time::Instant;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::ledger::Ledger;
use crate::reprocess::{Reprocess, Summary};
use crate::scan::summary::ScanSummary;
use crate::service::setup::Setup;
use crate::service::worker::Worker;

impl Setup {
    /// Reprocessing over a ledger, with these projects, rules and settings.
    pub fn reprocessing<'w>(&'w self, ledger: &'w Ledger, now: Timestamp) -> Reprocess<'w> {
        Reprocess::new(ledger, &self.projects, &self.rules, &self.config.reprocess, now)
    }
}

impl Worker {
    /// One step of reprocessing.
    ///
    /// # Errors
    /// The ledger refuses.
    pub async fn reprocess(&self, now: Timestamp, stop: &CancellationToken) -> anyhow::Result<Summary> {
        self.setup.reprocessing(&self.ledger, now).after(&[], stop).step().await
    }

    /// What cannot wait for the next cycle: plans that people approved, and POSTs of unclear outcome.
    ///
    /// # Errors
    /// The ledger refuses.
    pub async fn reprocess_between(&mut self, now: Timestamp, stop: &CancellationToken) -> anyhow::Result<Summary> {
        let began = Instant::now();
        let Some(scans) = self.scan_before_plans(now, stop).await? else { return Ok(Summary::default()) };
        let now = now.checked_add(began.elapsed()).unwrap_or(now);
        self.setup.reprocessing(&self.ledger, now).after(&scans, stop).step_between().await
    }

    /// Executes what people approved, at once.
    ///
    /// # Errors
    /// The ledger refuses.
    pub async fn reprocess_by_hand(&mut self, now: Timestamp, stop: &CancellationToken) -> anyhow::Result<Summary> {
        let began = Instant::now();
        let Some(scans) = self.scan_before_plans(now, stop).await? else { return Ok(Summary::default()) };
        let now = now.checked_add(began.elapsed()).unwrap_or(now);
        self.setup.reprocessing(&self.ledger, now).after(&scans, stop).step_by_hand().await
    }

    /// Scans the projects of plans that are to be executed: what another process retried since the last scan is not paid for
    /// again. None if a stop came first.
    async fn scan_before_plans(
        &mut self,
        now: Timestamp,
        stop: &CancellationToken,
    ) -> anyhow::Result<Option<Vec<ScanSummary>>> {
        let projects = self.setup.reprocessing(&self.ledger, now).projects_of_plans().await?;
        if projects.is_empty() {
            return Ok(Some(Vec::new()));
        }
        stop.run_until_cancelled(self.scan_only(&projects, now)).await.transpose()
    }
}
