//! The notes that retries leave on parse jobs, read from the list of jobs: those of this ledger, and those of other copies of it.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::{Ask, Client};
use crate::llamacloud::paging::listing::ListResult;
use crate::llamacloud::resubmit::{Known, Look, Made};
use crate::llamacloud::v2::job::{self, Job, Product};

/// A job may be shown so much later than it was made.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// Jobs without a note that are asked for one in a search, at most; the next search goes on.
const MOST_ASKED: usize = 100;

/// What is known of notes; all of it can be learnt again.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    read: Mutex<Read>,
    /// Jobs that carry no note, asked one by one.
    without: Mutex<HashSet<String>>,
}

/// What the list of jobs has shown.
#[derive(Debug, Default)]
struct Read {
    /// It was read from here on.
    since: Option<Timestamp>,
    /// When the newest job that it showed was made.
    until: Option<Timestamp>,
    /// The jobs that retries have made, by item.
    made: HashMap<String, Vec<Made>>,
    shows_notes: Option<bool>,
}

impl Notes {
    /// Looks for a job that a retry has made of an item since it failed, and that the ledger does not know as its own.
    ///
    /// The list is read from that failure on, and later only what came since.
    pub(crate) async fn look(
        &self,
        client: &Client,
        limit: usize,
        item_id: &str,
        known: &Known,
    ) -> Result<Look, CloudError> {
        let mut read = self.read.lock().await;
        let reaches_back = read.since.is_some_and(|since| since <= known.failed_at);
        let from = match read.until.filter(|_| reaches_back) {
            Some(until) => until - OVERLAP,
            None => known.failed_at,
        };
        let path = Product::Parse.path();
        let ask = Ask::path(&path).with("created_at_on_or_after", from.to_string());
        match job::list(client, &ask, limit, |job| read.see(job, &known.batches)).await {
            Ok(listed) => whole(listed, Product::Parse)?,
            Err(error) if error.is_not_found() => read.shows_notes = Some(false),
            Err(error) => return Err(error),
        }
        if !reaches_back {
            read.since = Some(from);
        }
        let made = read.made.get(item_id).and_then(|made| newest(made, &known.batches));
        let made = made.filter(|made| made.created_at.is_none_or(|at| at > known.failed_at));
        Ok(Look { made, shows_notes: read.shows_notes, ..Look::default() })
    }

    /// Asks the jobs of a list that shows no notes one by one, those of `jobs` that were not asked before, and hands over those
    /// that carry one. False if some are left to ask.
    pub(crate) async fn ask(
        &self,
        client: &Client,
        jobs: Vec<String>,
        mut noted: impl FnMut(Job) + Send,
    ) -> Result<bool, CloudError> {
        let mut without = self.without.lock().await;
        let mut unasked = jobs.into_iter().filter(|id| !without.contains(id)).collect::<Vec<_>>();
        let is_all = unasked.len() <= MOST_ASKED;
        unasked.truncate(MOST_ASKED);
        for id in unasked {
            match job::get(client, Product::Parse, &id).await? {
                Some(job) if job.intent_id.is_some() => noted(job),
                Some(_) | None => drop(without.insert(id)),
            }
        }
        Ok(is_all)
    }
}

impl Read {
    fn see(&mut self, job: Job, known: &HashSet<String>) {
        self.until = self.until.max(job.created_at);
        if job.intent_id.is_none() {
            if known.contains(&job.id) {
                self.shows_notes.get_or_insert(false);
            }
            return;
        }
        self.shows_notes = Some(true);
        let Some(item_id) = job.item_id else { return };
        let made = self.made.entry(item_id).or_default();
        if made.iter().all(|one| one.job_id != job.id) {
            made.push(Made { job_id: job.id, created_at: job.created_at });
        }
    }
}

/// For each item, the newest job that a retry has made of it since `from`, of those that are not known; and when the newest job
/// of the list was made.
pub(crate) async fn unknown(
    client: &Client,
    limit: usize,
    from: Timestamp,
    known: &HashSet<String>,
) -> Result<(Vec<(String, Made)>, Option<Timestamp>), CloudError> {
    let mut read = Read::default();
    let path = Product::Parse.path();
    let ask = Ask::path(&path).with("created_at_on_or_after", from.to_string());
    match job::list(client, &ask, limit, |job| read.see(job, known)).await {
        Ok(listed) => whole(listed, Product::Parse)?,
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error),
    }
    let made = read.made.into_iter().filter_map(|(item_id, made)| Some((item_id, newest(&made, known)?)));
    Ok((made.collect(), read.until))
}

fn newest(made: &[Made], known: &HashSet<String>) -> Option<Made> {
    made.iter().filter(|made| !known.contains(&made.job_id)).max_by_key(|made| made.created_at).cloned()
}

/// A list that was not read to its end proves nothing.
pub(crate) fn whole(listed: ListResult, product: Product) -> Result<(), CloudError> {
    if listed.complete && listed.unreadable == 0 {
        return Ok(());
    }
    let problem = listed.why_incomplete.or(listed.why_unreadable);
    Err(CloudError::Decode {
        path: format!("/{}", product.path().join("/")),
        at: "items".to_owned(),
        problem: problem.unwrap_or_else(|| "not read to the end".to_owned()),
    })
}
