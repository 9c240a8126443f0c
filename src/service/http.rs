//! The service's own listener: `/healthz` for load balancers and people, `/metrics` for Prometheus, and the way to `webhook`.

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
use tokio_util::sync::CancellationToken;

use super::metrics;
use super::pulse::Pulse;
use crate::ledger::health::{self, Health};
use crate::ledger::{Ledger, LedgerError};

/// How long a health check waits for the ledger.
const LEDGER_LIMIT: Duration = Duration::from_secs(5);

/// What the handlers look at.
#[derive(Clone)]
pub struct Observed {
    /// The ledger.
    pub ledger: Ledger,
    /// The worker's signs of life.
    pub pulse: Arc<Pulse>,
}

/// Binds `address` and answers until `stop`, on the routes of `more` as well.
///
/// # Errors
/// The address cannot be bound.
pub async fn listen(
    address: SocketAddr,
    observed: Observed,
    more: Router,
    stop: CancellationToken,
) -> anyhow::Result<SocketAddr> {
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} ([service] listen)"))?;
    let bound = listener.local_addr().context("cannot read the bound address")?;
    let router =
        Router::new().route("/healthz", get(healthz)).route("/metrics", get(scrape)).with_state(observed).merge(more);
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the health listener ended");
        }
    });
    Ok(bound)
}

/// The answer of `/healthz`.
#[derive(Debug, Serialize)]
struct Answer {
    status: &'static str,
    problems: Vec<String>,
    last_cycle: Option<Timestamp>,
    last_complete_scan: Vec<(String, Option<Timestamp>)>,
    dead_channels: Vec<String>,
    worker_faults: u64,
}

impl Observed {
    /// What is wrong now, and what the ledger says; no ledger answer is itself a problem.
    pub async fn look(&self) -> (Vec<String>, Option<Health>) {
        let now = Instant::now();
        let mut problems: Vec<String> =
            self.pulse.complaint(now).into_iter().chain(self.pulse.hindrance(now)).collect();
        let answer = tokio::time::timeout(LEDGER_LIMIT, self.ledger.read(health::read)).await;
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
    let well = problems.is_empty();
    let answer = Answer {
        status: if well { "ok" } else { "failing" },
        problems,
        last_cycle: observed.pulse.last_cycle(),
        last_complete_scan: health.last_complete_scan,
        dead_channels: health.dead_channels,
        worker_faults: health.faults,
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
    let health = observed.ledger.read(health::read).await.map_err(|error: LedgerError| anyhow::anyhow!(error))?;
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let path = observed.ledger.path();
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let bytes = size(path) + size(Path::new(&log));
    Ok(metrics::scrape(&health, &observed.pulse, bytes)?)
}
