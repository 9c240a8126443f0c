//! The service's own listener: `/healthz` for load balancers and people, `/metrics` for Prometheus, and the way to `webhook`.

pub(crate) mod listener;
pub(crate) mod metrics;
pub(crate) mod process;
pub(crate) mod webhook;
pub(crate) mod webhook_queue;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, routing::get};
use jiff::Timestamp;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::measures::MEASURES;
use crate::service::disk_space::Space;
use crate::service::http::listener::{ListenerState, ListenerView, Listening, Times};
use crate::service::liveness::Liveness;
use crate::service::store_health::{self, Health};

/// How long a health check waits for the ledger.
const LEDGER_LIMIT: Duration = Duration::from_secs(5);

/// How long one look at the ledger serves all who ask: scans wait for the same reader.
const HEALTH_CACHE_TIME: Duration = Duration::from_secs(1);

/// What the handlers look at.
#[derive(Clone)]
pub(crate) struct Observed {
    ledger: Ledger,
    pulse: Arc<Liveness>,
    least_free: u64,
    listener: Arc<ListenerState>,
    /// What the ledger said last.
    looked: Arc<Mutex<Option<(Instant, Health)>>>,
}

/// Binds `address` and answers until `stop`, on the routes of `more` as well.
///
/// # Errors
/// The address cannot be bound.
pub(crate) async fn listen(
    address: SocketAddr,
    observed: Observed,
    more: Router,
    stop: CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} ([service] listen)"))?;
    let bound = listener.local_addr().context("cannot read the bound address")?;
    let state = Arc::clone(&observed.listener);
    let router =
        Router::new().route("/healthz", get(healthz)).route("/metrics", get(scrape)).with_state(observed).merge(more);
    tokio::spawn(async move { listener::run(Listening::Tcp(listener), router, Times::default(), &state, stop).await });
    Ok(bound)
}

/// The answer of `/healthz`.
#[derive(Debug, Serialize)]
struct HealthResponse {
    status: &'static str,
    problems: Vec<String>,
    last_cycle: Option<Timestamp>,
    last_complete_scan: Vec<(String, Option<Timestamp>)>,
    dead_channels: Vec<String>,
    worker_faults: u64,
    disk_free_bytes: Option<u64>,
    listener: ListenerView,
}

impl Observed {
    /// What handlers look at: the ledger, the worker's signs of life, and the least space that should be free beside the
    /// ledger, in bytes (`ledger.low-disk`).
    pub(crate) fn new(ledger: Ledger, pulse: Arc<Liveness>, least_free: u64) -> Observed {
        Observed { ledger, pulse, least_free, listener: Arc::default(), looked: Arc::default() }
    }

    /// What the ledger says, or said a moment ago.
    async fn health(&self) -> Result<Health, LedgerError> {
        let mut looked = self.looked.lock().await;
        if let Some((at, health)) = looked.as_ref()
            && at.elapsed() < HEALTH_CACHE_TIME
        {
            return Ok(health.clone());
        }
        let health = self.ledger.read(store_health::read).await?;
        *looked = Some((Instant::now(), health.clone()));
        Ok(health)
    }

    /// What is wrong now, and what the ledger says; no ledger answer is itself a problem.
    pub(crate) async fn look(&self) -> (Vec<String>, Option<Health>) {
        let now = Instant::now();
        let mut problems: Vec<String> =
            self.pulse.complaint(now).into_iter().chain(self.pulse.blocked_by(now)).collect();
        let answer = tokio::time::timeout(LEDGER_LIMIT, self.health()).await;
        let health = match answer {
            Ok(Ok(health)) => Some(health),
            Ok(Err(error)) => {
                problems.push(error.to_string());
                None
            }
            Err(_) => {
                problems.push("the ledger does not answer".to_owned());
                None
            }
        };
        (problems, health)
    }
}

async fn healthz(State(observed): State<Observed>) -> Response {
    let (mut problems, health) = observed.look().await;
    let health = health.unwrap_or_default();
    problems.extend(health.dead_channels.iter().map(|channel| format!("channel {channel} is dead")));
    problems.extend(health.scan_faults);
    let disk = Space::measure(observed.ledger.path()).ok();
    problems.extend(disk.and_then(|disk| disk.problem(observed.least_free)));
    problems.extend(observed.listener.problem());
    let well = problems.is_empty();
    let answer = HealthResponse {
        status: if well { "ok" } else { "failing" },
        problems,
        last_cycle: observed.pulse.last_cycle(),
        last_complete_scan: health.last_complete_scan,
        dead_channels: health.dead_channels,
        worker_faults: health.faults,
        disk_free_bytes: disk.map(|disk| disk.free),
        listener: observed.listener.view(),
    };
    (if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(answer)).into_response()
}

async fn scrape(State(observed): State<Observed>) -> Response {
    match read_metrics(&observed).await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn read_metrics(observed: &Observed) -> anyhow::Result<String> {
    let health = observed.health().await?;
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let path = observed.ledger.path();
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let bytes = size(path) + size(Path::new(&log));
    Ok(metrics::scrape(&health, &observed.pulse, &MEASURES, bytes)?)
}
