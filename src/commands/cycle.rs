//! `cycle`: scan, triage, reprocess, digest and deliver, once. What a systemd timer calls.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::service::worker::{Setup, Worker};

/// How long a single cycle waits for its channels; what is not through then is tried again by the next one.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs one cycle; exit 1 if anything of it could not be done.
pub(super) async fn run(setup: Setup) -> anyhow::Result<Exit> {
    let mut worker = Worker::open(setup).await?;
    let now = worker.now().await?;
    let outcome = worker.cycle(now, PATIENCE, &CancellationToken::new()).await?;
    // A monitor that is down makes no cycle a failed one: it will tell people by itself that nothing arrived.
    if let Some(heartbeat) = &worker.setup.heartbeat
        && let Err(error) = heartbeat.ping(outcome.is_complete(), &outcome.to_string()).await
    {
        anstream::eprintln!("llama-triage: {error:#}");
    }
    worker.ledger.close().await?;
    anstream::println!("{outcome}");
    for scan in outcome.scans.iter().filter(|scan| !scan.complete) {
        let error = scan.error.as_deref().unwrap_or("it could not be read completely");
        anstream::eprintln!("llama-triage: {}: {error}", scan.project);
    }
    for error in outcome.deliveries.errors.iter().chain(&outcome.retries.errors) {
        anstream::eprintln!("llama-triage: {error}");
    }
    Ok(if outcome.is_complete() { Exit::Done } else { Exit::Failed })
}
