//! What became of the jobs of one batch, by as few requests as possible.
//!
//! The jobs that a batch makes are created while it runs, so a list of that time shows nearly all of them, a page at a time.
//! Those that it does not show (a batch may refer to earlier work) are asked for by id.
//! Where its pages are full of other work, asking for ids costs less; where they are small, only those that are open and
//! those that failed are asked for. Which way is the cheapest is decided in [`cost`].

pub(crate) mod chunks;
pub(crate) mod cost;
pub(crate) mod queues;
pub(crate) mod status_queries;

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
use crate::llamacloud::v2::outcomes::cost::{ReadMethod, ReadProgress};
use crate::llamacloud::v2::outcomes::queues::Queues;
use crate::llamacloud::v2::server_capabilities::ServerCapabilities;
use crate::model::batch::Batch;
use crate::model::item::ItemStatus;

/// The time of a batch is taken a little wider, should its clock and that of its jobs differ.
const SLACK: SignedDuration = SignedDuration::from_mins(1);

/// So few jobs fit into one query whatever the server's bound is, and their answers into one page.
const FEW: usize = 100;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    /// The jobs that were shown, each once; completed ones may be missing if not all were asked for.
    pub(crate) jobs: Vec<Job>,
    /// How the lists went.
    pub(crate) listed: ListResult,
    /// Whether some job may still end in another way than is known now.
    pub(crate) may_change: bool,
    /// Whether that is so only because jobs have a status that this version does not know.
    pub(crate) only_odd: bool,
    /// Whether jobs that no list showed were taken to have ended well.
    pub(crate) unproven: bool,
    /// Jobs that a list of failed ones showed: they failed, whatever word they use.
    reported_failed: HashSet<String>,
}

impl Outcomes {
    fn new() -> Outcomes {
        Outcomes { listed: ListResult { complete: true, ..ListResult::default() }, ..Outcomes::default() }
    }

    fn take(&mut self, other: Outcomes) {
        self.jobs.extend(other.jobs);
        self.reported_failed.extend(other.reported_failed);
        self.may_change |= other.may_change;
        self.unproven |= other.unproven;
        add(&mut self.listed, &other.listed);
    }

    fn has_failed(&self, job: &Job) -> bool {
        job.has_failed() || self.reported_failed.contains(&job.id)
    }

    /// The jobs that failed.
    pub(crate) fn into_failed(mut self) -> Vec<Job> {
        let mut jobs = std::mem::take(&mut self.jobs);
        jobs.retain(|job| self.has_failed(job));
        jobs
    }

    /// Takes a job that a list of failed ones showed: it is newer than what was known of it. A word that says something
    /// else is believed, for a filter may be ignored.
    pub(crate) fn take_failed(&mut self, job: Job, is_new: bool) {
        if job.has_failed() || is_odd(&job) {
            self.reported_failed.insert(job.id.clone());
        }
        match self.jobs.iter_mut().find(|known| !is_new && known.id == job.id) {
            Some(known) => *known = job,
            None => self.jobs.push(job),
        }
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
        self.only_odd = !self.may_change && !unsure.is_empty() && unsure.iter().all(|job| is_odd(job));
        self.may_change |= !unsure.is_empty();
    }
}

pub(crate) fn note_odd(capabilities: &ServerCapabilities, shown: &[Job]) {
    if shown.iter().any(is_odd) {
        capabilities.note_odd();
    }
}

fn is_odd(job: &Job) -> bool {
    matches!(job.status(), ItemStatus::Unknown(_))
}

/// Reads the outcomes of these jobs of a batch. With `all`, the completed ones are shown, too.
pub(crate) async fn read(
    v2: &V2,
    client: &Client,
    limit: usize,
    batch: &Batch,
    jobs: &HashMap<String, Made>,
    all: bool,
) -> Result<Outcomes, CloudError> {
    let mut outcomes = Outcomes::new();
    let window = window(batch);
    for product in [Product::Parse, Product::Extract] {
        let ids = jobs.iter().filter(|(_, made)| made.product == product).map(|(id, _)| id.as_str());
        let mut of_product = Outcomes::new();
        let asked: HashSet<&str> = ids.collect();
        let reading = OutcomeReader {
            client,
            limit,
            capabilities: &v2.capabilities,
            queues: &v2.queues,
            product,
            all,
            rest: asked.clone(),
            asked,
            outcomes: &mut of_product,
            since: window.map(|(from, _)| from),
        };
        reading.read(window).await?;
        outcomes.take(of_product);
    }
    outcomes.settle();
    Ok(outcomes)
}

/// The reading of one product's jobs.
pub(crate) struct OutcomeReader<'a> {
    pub(crate) client: &'a Client,
    pub(crate) limit: usize,
    pub(crate) capabilities: &'a ServerCapabilities,
    pub(crate) queues: &'a Queues,
    pub(crate) product: Product,
    all: bool,
    /// All jobs.
    pub(crate) asked: HashSet<&'a str>,
    /// Those that no list has shown yet.
    pub(crate) rest: HashSet<&'a str>,
    pub(crate) outcomes: &'a mut Outcomes,
    /// When the batch began, unless its jobs are known to be older.
    pub(crate) since: Option<Timestamp>,
}

impl OutcomeReader<'_> {
    async fn read(mut self, window: Option<(Timestamp, Timestamp)>) -> Result<(), CloudError> {
        let mut way = match self.progress(self.page()).best() {
            ReadMethod::Window => match window.filter(|_| self.rest.len() > FEW) {
                Some((from, until)) => self.list_window(from, until).await?,
                None => ReadMethod::Ids,
            },
            other => other,
        };
        if way == ReadMethod::Ids && self.rest.len() > FEW && !self.capabilities.knows_page(self.client, self.limit) {
            way = self.read_first_page().await?;
        }
        match way {
            ReadMethod::Narrow if self.rest.len() > FEW => self.read_by_status().await?,
            _ => self.ask_for_rest().await?,
        }
        self.ask_for_odd().await
    }

    fn page(&self) -> usize {
        self.capabilities.page(self.client, self.limit)
    }

    fn progress(&self, found: usize) -> ReadProgress<'_> {
        ReadProgress {
            capabilities: self.capabilities,
            product: self.product,
            jobs: self.asked.len(),
            rest: self.rest.len(),
            failed: self.outcomes.jobs.iter().filter(|job| job.has_failed()).count(),
            found,
            page: self.page(),
            files_page: self.capabilities.files_page(self.client, self.limit),
            is_dated: self.since.is_some(),
            all: self.all,
        }
    }

    /// Lists the jobs of the batch's time for as long as that is the cheapest way, and returns the one to go on by.
    async fn list_window(&mut self, from: Timestamp, until: Timestamp) -> Result<ReadMethod, CloudError> {
        let path = self.product.path();
        let ask = Ask::path(&path)
            .with("created_at_on_or_after", from.to_string())
            .with("created_at_on_or_before", until.to_string());
        let progress = ReadProgress { capabilities: self.capabilities, ..self.progress(0) };
        let (rest, jobs) = (&mut self.rest, &mut self.outcomes.jobs);
        let (mut largest, mut pages) = (0, 0);
        let mut page = |shown: Vec<Job>| {
            let before = rest.len();
            (largest, pages) = (shown.len().max(largest), pages + 1);
            note_odd(self.capabilities, &shown);
            jobs.extend(shown.into_iter().filter(|job| rest.remove(job.id.as_str())));
            let failed = jobs.iter().filter(|job| job.has_failed()).count();
            let now = ReadProgress { rest: rest.len(), failed, found: before - rest.len(), page: largest, ..progress };
            match now.best() {
                ReadMethod::Window if now.rest > 0 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        };
        // Where pages may not be so large, another way is likely to be the cheaper one.
        let style = Style { insists: false, ..Style::of(Make::V2, self.limit) };
        match listing::read(self.client, &ask, style, &Jobs, ListProgress::by_token(), &mut page).await {
            // Whether it was read to its end does not matter otherwise: what it did not show is asked for.
            Ok(listed) => {
                self.outcomes.listed.requests += listed.requests;
                if largest < self.limit && (!listed.complete || pages > 1) {
                    self.capabilities.note_page(largest);
                }
                if self.rest.len() == self.asked.len() {
                    self.since = None;
                }
            }
            Err(CloudError::Refused { .. } | CloudError::TooLarge { .. }) => self.outcomes.listed.requests += 1,
            Err(error) => return Err(error),
        }
        Ok(self.progress(0).best_of_others())
    }

    /// Asks by one query, for one page of its answer: if there are more, it shows how many rows a page holds. Returns the way
    /// to go on by.
    async fn read_first_page(&mut self) -> Result<ReadMethod, CloudError> {
        let ids = sorted(&self.rest);
        let (rest, jobs) = (&mut self.rest, &mut self.outcomes.jobs);
        let mut rows = 0;
        let mut page = |shown: Vec<Job>| {
            rows = shown.len();
            note_odd(self.capabilities, &shown);
            jobs.extend(shown.into_iter().filter(|job| rest.remove(job.id.as_str())));
            ControlFlow::Break(())
        };
        let (listed, _) = self.capabilities.bound.first(self.client, self.product, &ids, &[], &mut page).await?;
        self.outcomes.listed.requests += listed.requests;
        if !listed.complete {
            self.capabilities.note_page(rows);
        }
        Ok(self.progress(0).best_of_others())
    }

    /// Asks for the jobs that are left by their ids. Those that are still not shown are missing.
    pub(crate) async fn ask_for_rest(&mut self) -> Result<(), CloudError> {
        let ids = sorted(&self.rest);
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
        let reported = &self.outcomes.reported_failed;
        let odd = self.outcomes.jobs.iter().filter(|job| is_odd(job) && !reported.contains(&job.id));
        let ids: Vec<String> = odd.map(|job| job.id.clone()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let reported_failed = &mut self.outcomes.reported_failed;
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

pub(crate) fn sorted<'a>(ids: &HashSet<&'a str>) -> Vec<&'a str> {
    let mut ids: Vec<&str> = ids.iter().copied().collect();
    ids.sort_unstable();
    ids
}

/// When the jobs of a finished batch were created.
fn window(batch: &Batch) -> Option<(Timestamp, Timestamp)> {
    let from = batch.created_at?.checked_sub(SLACK).ok()?;
    Some((from, batch.updated_at?.checked_add(SLACK).ok()?))
}
