//! Asking for many jobs by id: a query may only be so long, so the ids go in chunks.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::{Ask, Client};
use crate::llamacloud::paging::listing::ListResult;
use crate::llamacloud::v2::job::{self, Job, Product};

/// What most servers and proxies take, the rest of the request included; it holds 304 ids.
const LONG: usize = 15_300;
/// What all take (nginx and aiohttp stop at 8 KiB).
const SHORT: usize = 7_800;

/// Room for the path, the scope, the status and the page parameters.
const RESERVED: usize = 400;
/// `&job_ids=pjb-` and a uuid.
const USUAL_PAIR: usize = 49;

/// Rows of the smallest pages that are likely: as many ids as fill whole pages leave no page half empty.
const WHOLE_PAGE: usize = 100;

/// The length of queries that the server is known to take.
#[derive(Debug)]
pub(crate) struct QueryBound(AtomicUsize);

impl Default for QueryBound {
    fn default() -> Self {
        QueryBound(AtomicUsize::new(LONG))
    }
}

impl QueryBound {
    /// Hands over the jobs with these ids, of those that `query` leaves.
    pub(crate) async fn jobs(
        &self,
        client: &Client,
        product: Product,
        ids: &[&str],
        query: &[(&'static str, &'static str)],
        mut each: impl FnMut(Job) + Send,
    ) -> Result<ListResult, CloudError> {
        let mut total = ListResult { complete: true, ..ListResult::default() };
        let mut rest = ids;
        let mut most = usize::MAX;
        let mut page = |jobs: Vec<Job>| {
            jobs.into_iter().for_each(&mut each);
            ControlFlow::Continue(())
        };
        while !rest.is_empty() {
            let chunk = &rest[..rest.len().min(most)];
            let (listed, asked) = match self.chunk(client, product, chunk, query, &mut page).await {
                Err(CloudError::TooLarge { .. }) if chunk.len() > 1 => {
                    most = self.fitting(chunk).div_ceil(2);
                    continue;
                }
                // The job that alone is too large costs no other.
                Err(error @ CloudError::TooLarge { .. }) => {
                    let why = Some(format!("job {}: {error}", chunk[0]));
                    (
                        ListResult {
                            complete: true,
                            unreadable: 1,
                            why_unreadable: why,
                            requests: 1,
                            ..ListResult::default()
                        },
                        1,
                    )
                }
                listed => listed?,
            };
            add(&mut total, &listed);
            rest = &rest[asked..];
        }
        Ok(total)
    }

    /// The same of as many of the ids as one query takes; returns how many those were.
    async fn chunk(
        &self,
        client: &Client,
        product: Product,
        ids: &[&str],
        query: &[(&'static str, &'static str)],
        page: &mut (dyn FnMut(Vec<Job>) -> ControlFlow<()> + Send),
    ) -> Result<(ListResult, usize), CloudError> {
        loop {
            let bound = self.0.load(Ordering::Relaxed);
            let chunk = &ids[..fitting(ids, bound)];
            let path = product.path();
            let mut ask = Ask::path(&path);
            ask.query.extend(query.iter().map(|(name, value)| (*name, (*value).to_owned())));
            ask.query.extend(chunk.iter().map(|id| ("job_ids", (*id).to_owned())));
            match job::read_pages(client, &ask, chunk.len(), page).await {
                Err(error) if chunk.len() > 1 && shorter(bound) < bound && may_be_too_long(&error, query) => {
                    self.0.store(shorter(bound), Ordering::Relaxed);
                }
                listed => return Ok((listed?, chunk.len())),
            }
        }
    }

    /// How many of the ids the next query takes.
    fn fitting(&self, ids: &[&str]) -> usize {
        fitting(ids, self.0.load(Ordering::Relaxed)).min(ids.len())
    }

    /// How many queries it takes to ask for so many jobs.
    pub(crate) fn queries(&self, ids: usize) -> usize {
        let room = self.0.load(Ordering::Relaxed) - RESERVED;
        ids.div_ceil(whole_pages(room / USUAL_PAIR).max(1))
    }
}

/// Whether a query was refused that a server may take with fewer ids in it. A 422 may be about any of its parameters, and is
/// so where one is asked for that not every server knows.
fn may_be_too_long(error: &CloudError, query: &[(&'static str, &'static str)]) -> bool {
    match error {
        CloudError::Refused { status: 400 | 413 | 414 | 431, .. } => true,
        CloudError::Refused { status: 422, detail, .. } => {
            detail.contains("job_ids") || query.iter().all(|parameter| *parameter == ("status", "FAILED"))
        }
        _ => false,
    }
}

/// The bound to try after this one was too long; in the end it holds a single id.
fn shorter(bound: usize) -> usize {
    if bound > SHORT { SHORT } else { (bound / 2).max(RESERVED + USUAL_PAIR) }
}

/// As many as fill whole pages, where there are as many.
fn whole_pages(ids: usize) -> usize {
    if ids > WHOLE_PAGE { ids - ids % WHOLE_PAGE } else { ids }
}

/// How many of the ids are asked for in a query of `bound` bytes; at least one.
fn fitting(ids: &[&str], bound: usize) -> usize {
    let mut room = bound.saturating_sub(RESERVED);
    let fits = |id: &&&str| {
        let length = "&job_ids=".len() + 3 * id.len() - 2 * id.bytes().filter(u8::is_ascii_alphanumeric).count();
        let length = length - 2 * id.bytes().filter(|b| *b == b'-').count();
        let fits = length <= room;
        room = room.saturating_sub(length);
        fits
    };
    let fitting = ids.iter().take_while(fits).count();
    if fitting < ids.len() { whole_pages(fitting).max(1) } else { fitting.max(1) }
}

/// Adds what another listing of the same whole came to.
pub(crate) fn add(total: &mut ListResult, part: &ListResult) {
    total.unreadable += part.unreadable;
    total.missing += part.missing;
    total.requests += part.requests;
    total.complete &= part.complete;
    total.why_unreadable = total.why_unreadable.take().or_else(|| part.why_unreadable.clone());
    total.why_incomplete = total.why_incomplete.take().or_else(|| part.why_incomplete.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_jobs_fit_into_four_queries_of_whole_pages_and_none_is_lost() {
        let ids: Vec<String> = (0..1000).map(|n| format!("pjb-{n:08}-27c1-4a5e-8f00-1c1f8d0f2a11")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for (bound, wanted) in [(LONG, 4), (SHORT, 10)] {
            let (mut rest, mut queries, mut sent) = (&ids[..], 0, 0);
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at(fitting(rest, bound));
                assert!(chunk.iter().map(|id| id.len() + 9).sum::<usize>() < bound);
                (queries, sent, rest) = (queries + 1, sent + chunk.len(), after);
            }
            assert_eq!((queries, sent), (wanted, 1000));
            assert_eq!(QueryBound(AtomicUsize::new(bound)).queries(1000), wanted);
        }
    }

    #[test]
    fn an_id_longer_than_a_query_is_sent_alone() {
        let long = "ä".repeat(20_000);
        assert_eq!(fitting(&[&long, "pjb-1"], LONG), 1);
    }
}
