//! Asking only for the jobs that are open and those that failed: what is in neither list has ended well.

use std::collections::HashSet;
use std::ops::ControlFlow;

use jiff::Timestamp;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::Ask;
use crate::llamacloud::v2::job::{self, Job, Product};
use crate::llamacloud::v2::outcomes::chunks::add;
use crate::llamacloud::v2::outcomes::queues::Queue;
use crate::llamacloud::v2::outcomes::{OutcomeReader, note_odd, sorted};

/// What a list of open jobs shows.
struct Open {
    ids: Vec<String>,
    /// Whether these are all.
    complete: bool,
    /// Whether one of the jobs that are left is open.
    ours: bool,
}

impl OutcomeReader<'_> {
    /// Looks for those that are open and those that failed, in this order: a job that ends in between is seen failed.
    /// As what is not shown is taken to have ended well, the time of the batch is trusted only where the list of all failed
    /// jobs is too long: what failed before then is left to the proof.
    pub(crate) async fn read_by_status(&mut self) -> Result<(), CloudError> {
        if !self.find_open().await? {
            return self.ask_for_rest().await;
        }
        self.outcomes.unproven = true;
        let mut listed = !self.capabilities.is_crowded(self.product) && self.list_failed(None).await?;
        if !listed && self.since.is_some() {
            listed = self.list_failed(self.since).await?;
        }
        if !listed {
            self.ask_for_failed().await?;
        }
        // Seen in a list of failed ones only: what else there is of that kind, no list shows.
        if !self.capabilities.may_be_odd() {
            return Ok(());
        }
        self.outcomes.unproven = false;
        self.ask_for_rest().await
    }

    /// Whether any job that is left has not ended: may be known from the reading of another batch. Returns whether the server
    /// could say so.
    async fn find_open(&mut self) -> Result<bool, CloudError> {
        let shown = self.queues.batches_shown();
        let mut known = self.queues.queue(self.product).lock().await;
        if let Some(queue) = known.as_ref().filter(|queue| queue.as_of == shown) {
            self.outcomes.may_change |= self.rest.iter().any(|id| queue.open.contains(*id));
            return Ok(true);
        }
        *known = None;
        let mut whole = Some(HashSet::new());
        // In the order in which a job has them, lest one moves on unseen.
        for status in self.product.open_statuses() {
            let open = match self.open(status).await {
                Ok(open) => open,
                // A server that does not know this word has no such jobs.
                Err(CloudError::Refused { status: 422, .. }) if *status == "THROTTLED" => continue,
                Err(CloudError::Refused { .. } | CloudError::TooLarge { .. }) => return Ok(false),
                Err(error) => return Err(error),
            };
            if open.ours {
                self.outcomes.may_change = true;
                return Ok(true);
            }
            whole = whole.filter(|_| open.complete);
            if let Some(whole) = &mut whole {
                whole.extend(open.ids);
            }
        }
        *known = whole.map(|open| Queue { as_of: shown, open });
        Ok(true)
    }

    /// A page of those of the project with this status, and where that does not hold them all, ours by id.
    async fn open(&mut self, status: &'static str) -> Result<Open, CloudError> {
        let path = self.product.path();
        let ask = Ask::path(&path).with("status", status);
        let mut ids = Vec::new();
        let mut page = |shown: Vec<Job>| {
            ids.extend(shown.into_iter().filter(Job::is_open).map(|job| job.id));
            ControlFlow::Break(())
        };
        let complete = match job::read_pages(self.client, &ask, self.limit, &mut page).await {
            Ok(listed) => {
                self.outcomes.listed.requests += listed.requests;
                // A row that could not be read may be one of ours.
                listed.complete && listed.unreadable == 0
            }
            Err(CloudError::TooLarge { .. }) => false,
            Err(error) => return Err(error),
        };
        let mut ours = ids.iter().any(|id| self.rest.contains(id.as_str()));
        if !ours && !complete {
            let left = sorted(&self.rest);
            let each = |job: Job| ours |= job.is_open();
            let listed =
                self.capabilities.bound.jobs(self.client, self.product, &left, &[("status", status)], each).await?;
            self.outcomes.listed.requests += listed.requests;
            ours |= !listed.complete || listed.unreadable > 0;
        }
        Ok(Open { ids, complete, ours })
    }

    /// Lists the failed jobs of the project, made since then or as old as they may be, until a page is full of those of other
    /// batches. Returns whether it was read to its end.
    async fn list_failed(&mut self, since: Option<Timestamp>) -> Result<bool, CloudError> {
        let path = self.product.path();
        loop {
            let wanted = self.failed_query();
            let mut ask = Ask::path(&path);
            ask.query.extend(wanted.iter().map(|(name, value)| (*name, (*value).to_owned())));
            ask.query.extend(since.map(|since| ("created_at_on_or_after", since.to_string())));
            let (asked, rest, outcomes) = (&self.asked, &mut self.rest, &mut *self.outcomes);
            let mut page = |shown: Vec<Job>| {
                let all = shown.len();
                note_odd(self.capabilities, &shown);
                let ours: Vec<Job> = shown.into_iter().filter(|job| asked.contains(job.id.as_str())).collect();
                let mostly_ours = 2 * ours.len() > all;
                for job in ours {
                    let is_new = rest.remove(job.id.as_str());
                    outcomes.take_failed(job, is_new);
                }
                if mostly_ours { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            match job::read_pages(self.client, &ask, self.limit, &mut page).await {
                Ok(listed) => {
                    outcomes.listed.requests += listed.requests;
                    if !listed.complete && since.is_none() {
                        self.capabilities.note_crowded(self.product);
                    }
                    // A row that could not be read may be one of ours.
                    return Ok(listed.complete && listed.unreadable == 0);
                }
                Err(CloudError::Refused { status: 422, .. }) if wanted.len() > 1 => self.capabilities.note_plain(),
                Err(CloudError::Refused { .. } | CloudError::TooLarge { .. }) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks for the failed ones by id: of those that are left, and once more of those that no parsing is known of.
    async fn ask_for_failed(&mut self) -> Result<(), CloudError> {
        let mut ids = sorted(&self.rest);
        if self.product == Product::Extract && self.capabilities.parsings_may_name() {
            let bare = self.outcomes.jobs.iter().filter(|job| job.has_failed() && job.parse_job_id.is_none());
            ids.extend(bare.filter_map(|job| self.asked.get(job.id.as_str()).copied()));
        }
        loop {
            let wanted = self.failed_query();
            let (rest, outcomes) = (&mut self.rest, &mut *self.outcomes);
            let each = |job: Job| {
                let is_new = rest.remove(job.id.as_str());
                outcomes.take_failed(job, is_new);
            };
            match self.capabilities.bound.jobs(self.client, self.product, &ids, &wanted, each).await {
                Err(CloudError::Refused { status: 422, .. }) if wanted.len() > 1 => self.capabilities.note_plain(),
                listed => {
                    add(&mut self.outcomes.listed, &listed?);
                    return Ok(());
                }
            }
        }
    }

    /// What a list of failed jobs is asked with. Extractions shall name the parsings that went before them.
    fn failed_query(&self) -> Vec<(&'static str, &'static str)> {
        let mut query = vec![("status", "FAILED")];
        if self.product == Product::Extract && !self.capabilities.is_plain() {
            query.push(("expand", "extract_metadata"));
        }
        query
    }
}
