//! The HTTP client of one project: bearer, time limits, rate limit, concurrency bound, retries.
//!
//! It knows no endpoint and no wire type; those are in `v1_beta` and `v2`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Response, Url, redirect};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::llamacloud::error::{CloudError, CreateError};
use crate::llamacloud::http::retry::{RetryBudget, RetryDecision, verdict};
use crate::llamacloud::http::{answer, unreachable};
use crate::llamacloud::settings::{CloudSettings, RetryPace, base_url, bearer};
use crate::measures::{MEASURES, RateLimitOf};
use crate::model::host::is_loopback;
use crate::model::id::bare_project_id;
use crate::rate_limit::RateLimit;

/// Lists of one make: what one of them says of its largest page holds for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Make {
    /// Batches and items of v1, with `limit` and `offset`.
    V1,
    /// Batches and jobs of v2, with `page_size` and `page_token`.
    V2,
    /// Files of directories, with `page_size` and `page_token`.
    Files,
}

impl Make {
    /// The name of the parameter that says how many rows a page shall have.
    pub(crate) fn size(self) -> &'static str {
        match self {
            Make::V1 => "limit",
            Make::V2 | Make::Files => "page_size",
        }
    }
}

/// Time to make a connection, as in the vendor's clients.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What to ask for: path segments (encoded here) and query.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) path: &'a [&'a str],
    pub(crate) query: Vec<(&'static str, String)>,
    /// Whether a failed try is the last one: the answer is not worth more.
    pub(crate) once: bool,
    /// Whether the call takes no `project_id` and `organization_id`.
    pub(crate) unscoped: bool,
}

impl<'a> Ask<'a> {
    pub(crate) fn path(path: &'a [&'a str]) -> Ask<'a> {
        Ask { path, query: Vec::new(), once: false, unscoped: false }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Ask<'a> {
        self.query.push((name, value.into()));
        self
    }

    /// The same, tried once.
    pub(crate) fn once(mut self) -> Ask<'a> {
        self.once = true;
        self
    }
}

/// What the clients of all projects share: to read the system's CA certificates takes longer than all else at the start.
#[derive(Clone)]
pub struct Transport {
    reads: reqwest::Client,
    /// For servers on this machine, which no proxy can reach; made when the first project needs it.
    local_reads: Arc<OnceLock<reqwest::Client>>,
}

impl Transport {
    /// Builds the HTTP client; makes no request.
    ///
    /// # Errors
    /// The system has no CA certificates, or its proxy settings cannot be read.
    pub fn new() -> Result<Transport, CloudError> {
        Ok(Transport { reads: build(builder(false), "LlamaCloud")?, local_reads: Arc::default() })
    }

    fn reads(&self, is_local: bool) -> Result<reqwest::Client, CloudError> {
        if !is_local {
            return Ok(self.reads.clone());
        }
        if let Some(made) = self.local_reads.get() {
            return Ok(made.clone());
        }
        let made = build(builder(true), "LlamaCloud")?;
        Ok(self.local_reads.get_or_init(|| made).clone())
    }
}

/// The HTTP client of one project.
pub(crate) struct Client {
    reads: reqwest::Client,
    /// Whether the server is on this machine.
    is_local: bool,
    headers: HeaderMap,
    request_timeout: Duration,
    base: Url,
    host: String,
    scope: Vec<(&'static str, String)>,
    /// Its name in the configuration.
    project: String,
    rate: RateLimit,
    slots: Semaphore,
    pace: RetryPace,
    budget: RetryBudget,
    made: AtomicU64,
    /// Whether a request of this scan was answered well.
    answered: AtomicBool,
    /// The largest pages that the server takes.
    page_bounds: Mutex<HashMap<Make, usize>>,
}

/// A try that failed, and whether another may help.
struct FailedTry {
    error: CloudError,
    verdict: RetryDecision,
}

impl Client {
    pub(crate) fn new(settings: &CloudSettings, transport: &Transport, pace: RetryPace) -> Result<Client, CloudError> {
        let project = &settings.project;
        let base = base_url(&project.base_url)?;
        let host = host_of(&base);
        let is_local = base.host_str().is_some_and(is_loopback);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer(&settings.key)?);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        Ok(Client {
            reads: transport.reads(is_local)?,
            is_local,
            headers,
            request_timeout: project.request_timeout,
            scope: scope(project),
            project: project.name.clone(),
            rate: RateLimit::new(project.requests_per_second),
            slots: Semaphore::new(project.concurrency.get().min(Semaphore::MAX_PERMITS)),
            pace,
            budget: RetryBudget::new(),
            made: AtomicU64::new(0),
            answered: AtomicBool::new(false),
            page_bounds: Mutex::default(),
            base,
            host,
        })
    }

    /// The host that is asked, for messages.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Whether both have the same organization, or the same host and key.
    pub(crate) fn shares_account_with(&self, other: &Client) -> bool {
        let organization = |client: &Client| client.scope.iter().find(|(name, _)| *name == "organization_id").cloned();
        let same_key = self.headers.get(AUTHORIZATION) == other.headers.get(AUTHORIZATION);
        (same_key && self.host == other.host) || organization(self).is_some_and(|one| organization(other) == Some(one))
    }

    /// Tells one way of asking from another: a digest of the key, the host and the project.
    ///
    /// It is kept in the ledger, so it is short: no one makes a key of random characters of it.
    pub(crate) fn access_mark(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(self.headers.get(AUTHORIZATION).map_or(&[][..], HeaderValue::as_bytes));
        digest.update(&self.host);
        for (name, value) in &self.scope {
            digest.update(format!("\n{name}={value}"));
        }
        hex::encode(&digest.finalize()[..8])
    }

    /// Client and address for a request that needs no key.
    pub(crate) fn anonymous(&self) -> (&reqwest::Client, Url) {
        (&self.reads, self.base.clone())
    }

    /// Requests made so far, retries included.
    pub(crate) fn requests(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// What to ask for where `limit` rows are wanted: a size that was refused once would be refused by every list of that make.
    pub(crate) fn bounded(&self, make: Make, limit: usize) -> usize {
        let bounds = self.page_bounds.lock().unwrap_or_else(PoisonError::into_inner);
        bounds.get(&make).map_or(limit, |bound| limit.min(*bound))
    }

    /// Remembers the largest page that the server takes.
    pub(crate) fn note_bound(&self, make: Make, bound: usize) {
        let mut bounds = self.page_bounds.lock().unwrap_or_else(PoisonError::into_inner);
        bounds.insert(make, bound);
    }

    /// Whether a request has been answered well since the scan began.
    pub(crate) fn has_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Fills the retry budget again.
    pub(crate) fn begin_scan(&self) {
        self.answered.store(false, Ordering::Relaxed);
        self.budget.refill();
    }

    /// Gets and decodes, with retries. `decode` runs inside a try, so that a body that was cut short is asked for again.
    pub(crate) async fn get<T>(
        &self,
        ask: &Ask<'_>,
        decode: impl Fn(&str) -> Result<T, CloudError>,
    ) -> Result<T, CloudError> {
        let url = self.url(ask)?;
        let backoff = ExponentialBuilder::default()
            .with_min_delay(self.pace.first)
            .with_max_delay(self.pace.longest)
            .with_max_times(if ask.once { 0 } else { self.pace.retries })
            .with_jitter();
        (|| self.try_get(&url, &decode))
            .retry(backoff)
            .when(|failed: &FailedTry| match failed.verdict {
                RetryDecision::Final => false,
                // Coming back earlier than the server asked would only make it worse.
                RetryDecision::Again(wish) => wish.is_none_or(|w| w <= self.pace.longest_wish),
            })
            .adjust(|failed: &FailedTry, delay: Option<Duration>| {
                // None means that the tries are used up, and must stay None.
                let delay = delay.filter(|_| self.budget.take())?;
                match failed.verdict {
                    RetryDecision::Again(Some(wish)) => Some(wish),
                    _ => Some(delay),
                }
            })
            .notify(|failed: &FailedTry, delay: Duration| {
                if matches!(failed.error, CloudError::RateLimited { .. }) {
                    MEASURES.add_wait(&self.project, RateLimitOf::Server, delay);
                }
                tracing::debug!(error = %failed.error, delay_ms = delay.as_millis() as u64, "trying LlamaCloud again");
            })
            .await
            .map_err(|failed| failed.error)
    }

    async fn try_get<T>(&self, url: &Url, decode: &impl Fn(&str) -> Result<T, CloudError>) -> Result<T, FailedTry> {
        let _slot = self.acquire_permit().await;
        let transport = |error: reqwest::Error| FailedTry {
            error: unreachable::explain(&error, &self.host),
            verdict: verdict(None),
        };
        let sent = self.with_auth(self.reads.get(url.clone())).send().await;
        self.measure(&sent);
        let response = sent.map_err(transport)?;
        let (status, wish) = judge(&response);
        let answer = answer::read(response, &self.host).await;
        let decoded = answer.and_then(|text| decode(&text));
        self.answered.fetch_or(decoded.is_ok(), Ordering::Relaxed);
        decoded.map_err(|error| FailedTry {
            verdict: match (&error, wish) {
                (CloudError::CutShort { .. } | CloudError::Unreachable { .. }, _) if status < 400 => verdict(None),
                _ => wish,
            },
            error,
        })
    }

    /// Posts once: a request that costs money is never repeated here, whatever happens.
    pub(crate) async fn post_once<T>(
        &self,
        ask: &Ask<'_>,
        body: &serde_json::Value,
        decode: impl Fn(&str) -> Result<T, CloudError>,
    ) -> Result<T, CreateError> {
        let url = self.url(ask).map_err(CreateError::NotSent)?;
        let _slot = self.acquire_permit().await;
        let creates = self.creates().map_err(CreateError::NotSent)?;
        let sent = self.with_auth(creates.post(url).json(body)).send().await;
        self.measure(&sent);
        let response = sent.map_err(|error| {
            let surely_unsent = error.is_connect() || error.is_builder();
            let explained = unreachable::explain(&error, &self.host);
            if surely_unsent {
                CreateError::NotSent(explained)
            } else {
                CreateError::Unclear { status: None, instead: explained }
            }
        })?;
        let (status, _) = judge(&response);
        let answer = answer::read(response, &self.host).await;
        answer.and_then(|text| decode(&text)).map_err(|source| match source {
            source if is_definite(status) => {
                CreateError::Rejected { status, retry_after: source.retry_after(), source }
            }
            instead => CreateError::Unclear { status: Some(status), instead },
        })
    }

    /// A client for one request that costs money: no retries inside the library, and a fresh connection,
    /// for one from the pool that the server has just closed would leave the outcome unclear for no reason.
    /// It is made when it is needed, for few processes need one.
    fn creates(&self) -> Result<reqwest::Client, CloudError> {
        build(builder(self.is_local).retry(reqwest::retry::never()).pool_max_idle_per_host(0), &self.host)
    }

    fn measure(&self, sent: &reqwest::Result<Response>) {
        MEASURES.count_request(&self.project, sent.as_ref().ok().map(|response| response.status().as_u16()));
    }

    /// Puts what belongs to this project on a request.
    fn with_auth(&self, request: RequestBuilder) -> RequestBuilder {
        request.headers(self.headers.clone()).timeout(self.request_timeout)
    }

    async fn acquire_permit(&self) -> Option<tokio::sync::SemaphorePermit<'_>> {
        // The semaphore is never closed, so this is always Some.
        let slot = self.slots.acquire().await.ok();
        let began = Instant::now();
        self.rate.wait().await;
        MEASURES.add_wait(&self.project, RateLimitOf::Client, began.elapsed());
        self.made.fetch_add(1, Ordering::Relaxed);
        self.budget.request();
        slot
    }

    fn url(&self, ask: &Ask<'_>) -> Result<Url, CloudError> {
        // A segment of dots would climb to another endpoint; no id looks like that.
        if ask.path.iter().any(|s| matches!(*s, "" | "." | "..")) {
            let path = format!("/{}", ask.path.join("/"));
            return Err(CloudError::NotFound { path, status: 404, detail: String::new() });
        }
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(ask.path);
        }
        let scope = if ask.unscoped { &[] } else { self.scope.as_slice() };
        let query = ask.query.iter().chain(scope);
        let mut pairs = url.query_pairs_mut();
        for (name, value) in query {
            pairs.append_pair(name, value);
        }
        drop(pairs);
        if url.query() == Some("") {
            url.set_query(None);
        }
        Ok(url)
    }
}

/// Statuses after which nothing was created for sure.
///
/// Others are not: 408 may come after the work began, 409 may be about an earlier try, 3xx and 5xx of anything.
fn is_definite(status: u16) -> bool {
    matches!(status, 400..=404 | 413 | 422 | 429)
}

fn builder(is_local: bool) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder();
    let builder = if is_local { builder.no_proxy() } else { builder };
    builder
        .user_agent(concat!("llama-triage/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirect::Policy::none())
}

fn build(builder: reqwest::ClientBuilder, host: &str) -> Result<reqwest::Client, CloudError> {
    builder.build().map_err(|error| unreachable::explain(&error, host))
}

fn judge(response: &Response) -> (u16, RetryDecision) {
    let status = response.status().as_u16();
    (status, verdict(Some((status, response.headers()))))
}

/// `project_id`, as the bare uuid that the API takes, and `organization_id`.
/// Only if set: an empty value would select the project named "".
fn scope(project: &crate::config::project::ProjectConfig) -> Vec<(&'static str, String)> {
    let bare = project.project_id.as_deref().map(|id| bare_project_id(id.trim()));
    [("project_id", bare), ("organization_id", project.organization_id.as_deref())]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?.trim().to_owned())))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
