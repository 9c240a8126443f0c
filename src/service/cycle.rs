//! One cycle: scan, reprocess, triage, digest, deliver. `now` is an argument, so that simulated days run the same code.

use std::fmt;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::ledger::{fault, run};
use crate::model::schedule::DueRun;
use crate::model::text::count;
use crate::notify::deliver::during_scan::{DeliveryHours, deliver_meanwhile};
use crate::notify::deliver::{self, DeliverySummary, Round};
use crate::scan::causes::{self, CauseSummary};
use crate::scan::store::project;
use crate::scan::summary::ScanSummary;
use crate::service::disk_space;
use crate::service::worker::Worker;
use crate::triage::settings::TriageRequest;
use crate::{reprocess, triage};

/// The name under which cycles are recorded in the `run` table.
const CYCLE: &str = "cycle";

/// Incomplete scans in a row that raise a worker fault; a refusal raises one at once.
const PATIENT_SCANS: u64 = 3;

/// What a cycle did.
#[derive(Debug, Default)]
pub struct CycleOutcome {
    /// For each project, what its scan brought.
    pub scans: Vec<ScanSummary>,
    /// The result of fetching job records for causes.
    pub causes: CauseSummary,
    /// The result of the retry step.
    pub retries: reprocess::Summary,
    /// The digest that was decided, if there was news.
    pub digest_id: Option<String>,
    /// Its headline.
    pub headline: Option<String>,
    /// The result of the deliveries.
    pub deliveries: DeliverySummary,
    /// A stop was asked for before everything was done.
    pub stopped: bool,
}

impl Worker {
    /// Claims the cycle that is due now: each due time is run once, also across restarts.
    pub async fn take_due_cycle(&self, now: Timestamp) -> anyhow::Result<Option<DueRun>> {
        let (schedule, zone) = (self.setup.triage.scan.clone(), self.setup.zone.clone());
        let last = self.ledger.read(|connection| run::last(connection, CYCLE)).await?;
        let Some(due) = schedule.due(now, &zone, last) else { return Ok(None) };
        let taken = self.ledger.write(move |tx| run::begin(tx, CYCLE, due.due_at, now)).await?;
        Ok(taken.then_some(due))
    }

    /// Claims a cycle that begins now although none is due.
    pub async fn take_cycle_now(&self, now: Timestamp) -> anyhow::Result<Option<DueRun>> {
        let taken = self.ledger.write(move |tx| run::begin(tx, CYCLE, now, now)).await?;
        Ok(taken.then_some(DueRun { due_at: now, late: false }))
    }

    /// Records how a taken cycle ended.
    pub async fn end_cycle(&self, due: DueRun, outcome: String) -> anyhow::Result<()> {
        Ok(self.ledger.write(move |tx| run::end(tx, CYCLE, due.due_at, &outcome)).await?)
    }

    /// Does one cycle and waits up to `patience` for the channels; slower ones go on in the background.
    ///
    /// # Errors
    /// The ledger cannot be written. Errors of a project or a channel are part of the outcome and are reported.
    #[tracing::instrument(name = "cycle", skip_all)]
    pub async fn cycle(
        &mut self,
        now: Timestamp,
        patience: Duration,
        stop: &CancellationToken,
    ) -> anyhow::Result<CycleOutcome> {
        let began = Instant::now();
        let certain = self.clock.is_certain(now);
        let (quiet, zone) = (self.setup.triage.quiet, self.setup.zone.clone());
        let meanwhile = deliver_meanwhile(&self.ledger, &self.setup.channels, DeliveryHours { now, quiet, zone });
        let Some(scans) = stop.run_until_cancelled(self.scan(now)).await else {
            return Ok(CycleOutcome { stopped: true, ..CycleOutcome::default() });
        };
        let scans = scans?;
        self.note_faults(&scans, now).await?;
        self.clock.note_fault(&self.ledger, now).await?;
        disk_space::note(&self.ledger, self.setup.config.ledger.low_disk, now).await?;
        let asking = causes::ask(&self.ledger, &self.setup.projects, &self.setup.rules, &mut self.asked, now);
        let causes = stop.run_until_cancelled(asking).await.transpose()?.unwrap_or_default();
        let after_scan = now.checked_add(began.elapsed()).unwrap_or(now);
        let retries = if certain < now {
            // An intent that is abandoned, released or posted by a wrong clock cannot be undone.
            reprocess::Summary::default()
        } else {
            self.setup.reprocessing(&self.ledger, after_scan).after(&scans, stop).step().await?
        };
        let (would_retry, budget) = (retries.would_retry, retries.budget.clone());
        let request = TriageRequest { would_retry, budget, certain, ..TriageRequest::at(now) };
        let digest = triage::triage(&self.ledger, &self.setup.triage, request).await?;
        drop(meanwhile);
        let sending = now.checked_add(began.elapsed()).unwrap_or(now);
        let deliveries = self.deliver(sending, patience).await?;
        let headline = digest.as_ref().map(crate::notify::render::words::headline);
        self.clock.end_cycle(&self.ledger, now).await?;
        Ok(CycleOutcome {
            scans,
            causes,
            retries,
            digest_id: digest.map(|d| d.digest_id),
            headline,
            deliveries,
            stopped: stop.is_cancelled(),
        })
    }

    /// Sends what is due in the outbox.
    pub async fn deliver(&self, now: Timestamp, patience: Duration) -> anyhow::Result<DeliverySummary> {
        let page_only = self.setup.triage.quiet.is_some_and(|quiet| quiet.contain(now, &self.setup.zone));
        deliver::deliver(&self.ledger, &self.setup.channels, Round { now, page_only, by_hand: false, patience }).await
    }

    /// Raises a worker fault for each project that cannot be read, and ends those of projects that can again.
    async fn note_faults(&self, scans: &[ScanSummary], now: Timestamp) -> anyhow::Result<()> {
        for scan in scans {
            let (name, error, refused) = (scan.project.clone(), scan.error.clone(), scan.refused);
            let complete = scan.complete;
            self.ledger
                .write(move |tx| {
                    // A refusal is another fault than an outage, and reported although the outage was.
                    let (outage, refusal) = (format!("scan:{name}"), format!("refused:{name}"));
                    if complete || refused {
                        fault::clear(tx, &outage, now)?;
                    }
                    if complete {
                        return fault::clear(tx, &refusal, now);
                    }
                    let in_a_row = project::incomplete_scans_in_a_row(tx, &name)?;
                    if refused || in_a_row >= PATIENT_SCANS {
                        let error = error.as_deref().unwrap_or("the scan was incomplete");
                        let key = if refused { &refusal } else { &outage };
                        fault::raise(tx, key, &format!("project {name} cannot be read: {error}"), now)?;
                    }
                    Ok(())
                })
                .await?;
        }
        Ok(())
    }
}

impl CycleOutcome {
    /// Observations that were not known before, of all projects.
    pub fn observations(&self) -> u64 {
        self.scans.iter().map(|scan| scan.items_new).sum()
    }

    /// Whether the cycle completed all its work.
    pub fn is_complete(&self) -> bool {
        !self.stopped
            && self.deliveries.waiting == 0
            && self.deliveries.dead == 0
            && self.scans.iter().all(|scan| scan.complete)
    }
}

impl fmt::Display for CycleOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scans = self.scans.iter().fold((0, 0), |(all, bad), scan| (all + 1, bad + u64::from(!scan.complete)));
        let (projects, incomplete) = scans;
        let observations = count(self.observations(), "new observation", "new observations");
        write!(f, "scanned {}, {observations}", count(projects, "project", "projects"))?;
        if incomplete > 0 {
            write!(f, ", {} incomplete", count(incomplete, "scan", "scans"))?;
        }
        write!(f, "{}", self.causes)?;
        if !self.retries.is_quiet() {
            write!(f, ", {}", self.retries)?;
        }
        match &self.digest_id {
            Some(id) => write!(f, ", digest {id}")?,
            None => write!(f, ", nothing new")?,
        }
        let unsent = self.deliveries.waiting + self.deliveries.dead;
        if unsent > 0 {
            write!(f, ", {} failed", count(unsent.into(), "delivery", "deliveries"))?;
        }
        if self.stopped {
            write!(f, ", stopped early")?;
        }
        Ok(())
    }
}
