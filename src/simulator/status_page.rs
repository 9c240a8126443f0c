//! A simulated status page on a loopback port, as Statuspage answers: its open incidents, to whoever asks.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running page; it stops when dropped.
pub struct SimulatedStatusPage {
    state: Arc<Mutex<PageState>>,
    address: SocketAddr,
    serving: JoinHandle<io::Result<()>>,
}

/// What it answers.
#[derive(Default)]
struct PageState {
    incidents: Vec<Value>,
    /// Waits so long before it answers.
    delay: Duration,
    requests: u64,
}

impl SimulatedStatusPage {
    /// Serves a page without incidents; must be called within a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(PageState::default()));
        let shared = Arc::clone(&state);
        let unresolved = get(move || async move {
            let (body, delay) = {
                let mut state = lock(&shared);
                state.requests += 1;
                (json!({"page": {"id": "simulated"}, "incidents": state.incidents}), state.delay)
            };
            tokio::time::sleep(delay).await;
            (StatusCode::OK, axum::Json(body))
        });
        let router = Router::new().route("/api/v2/incidents/unresolved.json", unresolved);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { state, address, serving })
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Opens an incident with the status `investigating`.
    pub fn open(&self, title: &str, since: Timestamp) {
        let incident = json!({
            "name": title, "status": "investigating", "impact": "minor",
            "created_at": since, "started_at": since, "updated_at": since, "resolved_at": null,
        });
        lock(&self.state).incidents.push(incident);
    }

    /// Ends all incidents.
    pub fn resolve_all(&self) {
        lock(&self.state).incidents.clear();
    }

    /// Answers only after this time.
    pub fn answer_after(&self, delay: Duration) {
        lock(&self.state).delay = delay;
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        lock(&self.state).requests
    }
}

impl Drop for SimulatedStatusPage {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(state: &Mutex<PageState>) -> MutexGuard<'_, PageState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
