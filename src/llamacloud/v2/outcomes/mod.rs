//! What became of the jobs of one batch: each of them is seen, and nothing is concluded of one that is not.
//!
//! The jobs that a batch makes are created while it runs, so one page of a list of that time may show them all.
//! Those that it does not show (pages may be small, a batch may refer to earlier work) are asked for by id.

pub(crate) mod chunks;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::{Ask, Client, Make};
use crate::llamacloud::paging::end_of_list::ListProgress;
use crate::llamacloud::paging::listing::{self, ListResult, Style};
use crate::llamacloud::v2::V2;
use crate::llamacloud::v2::job::{Job, Jobs, Made, Product};
use crate::llamacloud::v2::outcomes::chunks::add;
use crate::llamacloud::v2::server_capabilities::ServerCapabilities;
use crate::model::batch::Batch;
use crate::model::item::ItemStatus;

/// The time of a batch is taken a little wider, should its clock and that of its jobs differ.
const SLACK: SignedDuration = SignedDuration::from_mins(1);

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    /// The jobs, each once.
    pub(crate) jobs: Vec<Job>,
    /// How the lists went.
    pub(crate) listed: ListResult,
    /// Whether some job may still end in another way than is known now.
    pub(crate) may_change: bool,
    /// Whether that is so only because jobs have a status that this version does not know.
    pub(crate) only_odd: bool,
    /// Jobs with such a status that a list of failed ones showed.
    reported_failed: HashSet<String>,
}

impl Outcomes {
    fn has_failed(&self, job: &Job) -> bool {
        job.has_failed() || self.reported_failed.contains(&job.id)
    }

    /// The jobs that failed.
    pub(crate) fn into_failed(mut self) -> Vec<Job> {
        let mut jobs = std::mem::take(&mut self.jobs);
        jobs.retain(|job| self.has_failed(job));
        jobs
    }

    /// Notes the jobs with a status that this version does not know.
    pub(crate) fn log_odd_jobs(&self, listed: &mut ListResult) {
        let mut odd = self.jobs.iter().filter(|job| is_odd(job) && !self.has_failed(job));
        let Some(first) = odd.next() else { return };
        listed.odd = 1 + odd.count() as u64;
        listed.why_odd = Some(format!("job {} has the status {}", first.id, first.status));
    }

    /// Decides whether anything may still change.
    fn settle(&mut self) {
        let unsure: Vec<&Job> = self.jobs.iter().filter(|job| job.is_open() && !self.has_failed(job)).collect();
        self.may_change = !unsure.is_empty();
        self.only_odd = self.may_change && unsure.iter().all(|job| is_odd(job));
    }
}

fn is_odd(job: &Job) -> bool {
    matches!(job.status(), ItemStatus::Unknown(_))
}

/// Reads the outcomes of these jobs of a batch.
pub(crate) async fn read(
    v2: &V2,
    client: &Client,
    limit: usize,
    batch: &Batch,
    jobs: &HashMap<String, Made>,
) -> Result<Outcomes, CloudError> {
    let mut outcomes =
        Outcomes { listed: ListResult { complete: true, ..ListResult::default() }, ..Outcomes::default() };
    for product in [Product::Parse, Product::Extract] {
        let ids = jobs.iter().filter(|(_, made)| made.product == product).map(|(id, _)| id.as_str());
        let rest = ids.collect();
        let before = outcomes.jobs.len();
        let reading = OutcomeReader {
            client,
            limit,
            capabilities: &v2.capabilities,
            product,
            rest,
            outcomes: &mut outcomes,
            before,
        };
        reading.read(window(batch)).await?;
    }
    outcomes.settle();
    Ok(outcomes)
}

/// The reading of one product's jobs.
struct OutcomeReader<'a> {
    client: &'a Client,
    limit: usize,
    capabilities: &'a ServerCapabilities,
    product: Product,
    /// The jobs that no list has shown yet.
    rest: HashSet<&'a str>,
    outcomes: &'a mut Outcomes,
    /// Jobs that were found of the product before.
    before: usize,
}

impl OutcomeReader<'_> {
    async fn read(mut self, window: Option<(Timestamp, Timestamp)>) -> Result<(), CloudError> {
        let fits_page = self.rest.len() <= self.capabilities.page(self.client, self.limit);
        if let Some((from, until)) =
            window.filter(|_| fits_page && self.capabilities.bound.queries(self.rest.len()) > 1)
        {
            self.look_at_window(from, until).await?;
        }
        self.ask_for_rest().await?;
        self.ask_for_odd().await
    }

    /// Looks at the first page of the jobs that were made while the batch ran.
    async fn look_at_window(&mut self, from: Timestamp, until: Timestamp) -> Result<(), CloudError> {
        let path = self.product.path();
        let ask = Ask::path(&path)
            .with("created_at_on_or_after", from.to_string())
            .with("created_at_on_or_before", until.to_string());
        let (rest, jobs) = (&mut self.rest, &mut self.outcomes.jobs);
        let mut rows = 0;
        let mut page = |shown: Vec<Job>| {
            rows = shown.len();
            jobs.extend(shown.into_iter().filter(|job| rest.remove(job.id.as_str())));
            ControlFlow::Break(())
        };
        // Where pages may not be so large, ids are asked for at once.
        let style = Style { insists: false, ..Style::of(Make::V2, self.limit) };
        match listing::read(self.client, &ask, style, &Jobs, ListProgress::by_token(), &mut page).await {
            // Whether it was read to its end does not matter: what it did not show is asked for.
            Ok(listed) => {
                self.outcomes.listed.requests += listed.requests;
                if !listed.complete && (1..self.limit).contains(&rows) {
                    self.capabilities.note_page(rows);
                }
            }
            Err(CloudError::Refused { .. } | CloudError::TooLarge { .. }) => self.outcomes.listed.requests += 1,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Asks for the jobs that are left by their ids. Those that are still not shown are missing.
    async fn ask_for_rest(&mut self) -> Result<(), CloudError> {
        let mut ids: Vec<&str> = self.rest.iter().copied().collect();
        ids.sort_unstable();
        let (rest, jobs) = (&mut self.rest, &mut self.outcomes.jobs);
        let each = |job: Job| {
            if rest.remove(job.id.as_str()) {
                jobs.push(job);
            }
        };
        let listed = self.capabilities.bound.jobs(self.client, self.product, &ids, &[], each).await?;
        add(&mut self.outcomes.listed, &listed);
        self.outcomes.listed.missing += self.rest.len() as u64;
        Ok(())
    }

    /// Whether jobs with a status of the future have failed is asked of the server's own filter: to lose a failure would be worse.
    async fn ask_for_odd(&mut self) -> Result<(), CloudError> {
        let of_product = &self.outcomes.jobs[self.before..];
        let ids: Vec<String> = of_product.iter().filter(|job| is_odd(job)).map(|job| job.id.clone()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let reported_failed = &mut self.outcomes.reported_failed;
        // A word that says something else is believed, for a filter may be ignored.
        let each = |job: Job| {
            if job.has_failed() || is_odd(&job) {
                reported_failed.insert(job.id);
            }
        };
        let listed =
            self.capabilities.bound.jobs(self.client, self.product, &ids, &[("status", "FAILED")], each).await?;
        add(&mut self.outcomes.listed, &listed);
        Ok(())
    }
}

/// When the jobs of a finished batch were created.
fn window(batch: &Batch) -> Option<(Timestamp, Timestamp)> {
    let from = batch.created_at?.checked_sub(SLACK).ok()?;
    Some((from, batch.updated_at?.checked_add(SLACK).ok()?))
}
