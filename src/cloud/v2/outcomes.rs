//! What became of the jobs of one batch, by as few requests as possible.
//!
//! The jobs that a batch makes are created while it runs, so a list of that time shows nearly all of them, a page at a time.
//! Those that it does not show (a batch may refer to earlier work) are asked for by id.
//! Where its pages are full of other work, asking for ids costs less; where they are small, only the failed ones are asked for.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};

use super::super::client::{Ask, Client};
use super::super::{CloudError, Listed};
use super::chunks::{QueryBound, add};
use super::job::{self, Job, Product};
use super::troubles::Made;
use crate::core::batch::Batch;
use crate::core::item::ItemStatus;

/// The time of a batch is taken a little wider, should its clock and that of its jobs differ.
const SLACK: SignedDuration = SignedDuration::from_mins(1);

/// So few jobs fit into one query whatever the server's bound is, and their answers into one page.
const FEW: usize = 100;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    /// The jobs that were shown, each once; completed ones may be missing if not all were asked for.
    pub(super) jobs: Vec<Job>,
    /// How the lists went.
    pub(super) listed: Listed,
    /// Whether some job may still end in another way than is known now.
    pub(super) may_change: bool,
    /// Jobs that a list of failed ones showed: they failed, whatever word they use.
    told_failed: HashSet<String>,
}

impl Outcomes {
    fn take(&mut self, other: Outcomes) {
        self.jobs.extend(other.jobs);
        self.told_failed.extend(other.told_failed);
        self.may_change |= other.may_change;
        add(&mut self.listed, &other.listed);
    }

    /// The jobs that failed.
    pub(super) fn into_failed(mut self) -> Vec<Job> {
        self.jobs.retain(|job| job.has_failed() || self.told_failed.contains(&job.id));
        self.jobs
    }
}

/// Reads the outcomes of these jobs of a batch. With `all`, the completed ones are shown, too.
pub(super) async fn read(
    client: &Client,
    limit: usize,
    bound: &QueryBound,
    batch: &Batch,
    jobs: &HashMap<String, Made>,
    all: bool,
) -> Result<Outcomes, CloudError> {
    let mut outcomes = Outcomes { listed: Listed { complete: true, ..Listed::default() }, ..Outcomes::default() };
    for product in [Product::Parse, Product::Extract] {
        let ids = jobs.iter().filter(|(_, made)| made.product == product).map(|(id, _)| id.as_str());
        let mut of_product = Outcomes { listed: Listed { complete: true, ..Listed::default() }, ..Outcomes::default() };
        let mut reading = Reading { client, limit, bound, product, rest: ids.collect(), outcomes: &mut of_product };
        reading.read(batch, all).await?;
        outcomes.take(of_product);
    }
    outcomes.may_change |= outcomes.jobs.iter().any(|job| job.is_open() && !outcomes.told_failed.contains(&job.id));
    Ok(outcomes)
}

/// The reading of one product's jobs.
struct Reading<'a> {
    client: &'a Client,
    limit: usize,
    bound: &'a QueryBound,
    product: Product,
    /// Jobs that no list has shown yet.
    rest: HashSet<&'a str>,
    outcomes: &'a mut Outcomes,
}

impl Reading<'_> {
    async fn read(&mut self, batch: &Batch, all: bool) -> Result<(), CloudError> {
        let pages_are_small = match window(batch) {
            Some(window) if self.rest.len() > FEW => self.list_window(window).await?,
            _ => false,
        };
        if all || self.rest.len() <= FEW || !pages_are_small {
            self.ask_for_rest(None).await?;
            self.outcomes.listed.missing += self.rest.len() as u64;
        } else {
            self.ask_for_rest(Some("FAILED")).await?;
            self.look_for_open().await?;
        }
        self.ask_for_unknown().await
    }

    /// Whether jobs with a status of the future have failed is asked of the server's own filter: to lose a failure would be worse.
    async fn ask_for_unknown(&mut self) -> Result<(), CloudError> {
        let is_unknown = |job: &Job| matches!(job.status(), ItemStatus::Unknown(_));
        let ids: Vec<String> =
            self.outcomes.jobs.iter().filter(|job| is_unknown(job)).map(|job| job.id.clone()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let told_failed = &mut self.outcomes.told_failed;
        let each = |job: Job| {
            told_failed.insert(job.id);
        };
        let listed = self.bound.jobs(self.client, self.product, &ids, Some("FAILED"), each).await?;
        add(&mut self.outcomes.listed, &listed);
        Ok(())
    }

    /// Lists the jobs of the batch's time for as long as that is cheaper than asking for the rest by id.
    /// Returns whether the server makes its pages smaller than asked for.
    async fn list_window(&mut self, (from, until): (Timestamp, Timestamp)) -> Result<bool, CloudError> {
        let path = self.product.path();
        let ask = Ask::path(&path)
            .with("created_at_on_or_after", from.to_string())
            .with("created_at_on_or_before", until.to_string());
        let (rest, jobs, bound, limit) = (&mut self.rest, &mut self.outcomes.jobs, self.bound, self.limit);
        let open_statuses = self.product.open_statuses().len();
        let mut largest = 0;
        let mut page = |shown: Vec<Job>| {
            let before = rest.len();
            largest = largest.max(shown.len());
            jobs.extend(shown.into_iter().filter(|job| rest.remove(job.id.as_str())));
            let found = before - rest.len();
            // Where pages are small, the other way asks for open jobs, too.
            let instead = bound.queries(rest.len()) + if largest < limit { open_statuses } else { 0 };
            let worth_it = rest.len() <= found * instead;
            if rest.is_empty() || !worth_it { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let listed = job::read_pages(self.client, &ask, self.limit, &mut page).await;
        match listed {
            // Whether it was read to its end does not matter otherwise: what it did not show is asked for.
            Ok(listed) => {
                self.outcomes.listed.requests += listed.requests;
                Ok(!listed.complete && largest < self.limit)
            }
            Err(CloudError::Refused { .. } | CloudError::TooLarge { .. }) => {
                self.outcomes.listed.requests += 1;
                Ok(true)
            }
            Err(error) => Err(error),
        }
    }

    /// Asks for the jobs that are left by their ids: those of `status`, or all.
    async fn ask_for_rest(&mut self, status: Option<&'static str>) -> Result<(), CloudError> {
        let mut ids: Vec<&str> = self.rest.iter().copied().collect();
        ids.sort_unstable();
        let (rest, outcomes) = (&mut self.rest, &mut *self.outcomes);
        let each = |job: Job| {
            if rest.remove(job.id.as_str()) {
                if status.is_some() {
                    outcomes.told_failed.insert(job.id.clone());
                }
                outcomes.jobs.push(job);
            }
        };
        let listed = self.bound.jobs(self.client, self.product, &ids, status, each).await?;
        add(&mut self.outcomes.listed, &listed);
        Ok(())
    }

    /// Whether any job that is left has not ended: a page of those of the whole project that are at work or wait.
    async fn look_for_open(&mut self) -> Result<(), CloudError> {
        let path = self.product.path();
        let statuses = if self.rest.is_empty() { &[] } else { self.product.open_statuses() };
        for status in statuses {
            let ask = Ask::path(&path).with("status", *status);
            let mut hit = false;
            let mut page = |shown: Vec<Job>| {
                hit |= shown.iter().any(|job| self.rest.contains(job.id.as_str()));
                ControlFlow::Break(())
            };
            let listed = job::read_pages(self.client, &ask, self.limit, &mut page).await?;
            self.outcomes.listed.requests += listed.requests;
            // What is on further pages is not known; the next scan looks again.
            if hit || !listed.complete {
                self.outcomes.may_change = true;
                break;
            }
        }
        Ok(())
    }
}

/// When the jobs of a finished batch were created.
fn window(batch: &Batch) -> Option<(Timestamp, Timestamp)> {
    let from = batch.created_at?.checked_sub(SLACK).ok()?;
    Some((from, batch.updated_at?.checked_add(SLACK).ok()?))
}
