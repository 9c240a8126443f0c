//! `cycle`: scan, triage, reprocess, digest and deliver, once. What a systemd timer calls.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::cli::Global;
use crate::commands::{setup, start_logging};
use crate::exit::Exit;
use crate::notify::heartbeat;
use crate::service::shutdown::Stopping;
use crate::service::worker::Worker;
use crate::telemetry::Role;
use crate::{complain, say};

/// How long a single cycle waits for its channels; the next cycle retries what is not delivered by then.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs one cycle; exit 1 if anything of it could not be done. A stop ends it as it ends `serve`: what is being posted
/// gets its answer, the rest is left to the next cycle, and that is no failure.
pub(crate) async fn run(global: &Global) -> anyhow::Result<Exit> {
    let (mut stopping, stop) = (Stopping::new()?, CancellationToken::new());
    start_logging(global, Role::Command);
    let mut worker = Worker::open(setup(global)?).await?;
    let now = worker.now().await?;
    let outcome = tokio::select! {
        outcome = worker.cycle(now, PATIENCE, &stop) => Some(outcome?),
        () = stopping.finish_late(&stop) => None,
    };
    let Some(outcome) = outcome.filter(|outcome| !outcome.stopped) else {
        worker.ledger.close().await?;
        say!("stopped early; the next cycle continues");
        return Ok(Exit::Done);
    };
    // An unreachable monitor does not fail the cycle: the monitor alerts when no ping arrives.
    let (monitor, said) = (worker.setup.heartbeat.as_ref(), outcome.to_string());
    let pinged = heartbeat::ping(monitor, &worker.ledger, outcome.is_complete(), &said, now).await?;
    if let Some(error) = pinged {
        complain!("{error}");
    }
    worker.ledger.close().await?;
    say!("{outcome}");
    for scan in outcome.scans.iter().filter(|scan| !scan.complete) {
        let error = scan.error.as_deref().unwrap_or("the scan was incomplete");
        complain!("{}: {error}", scan.project);
    }
    for error in outcome.deliveries.errors.iter().chain(&outcome.retries.errors) {
        complain!("{error}");
    }
    Ok(if outcome.is_complete() { Exit::Done } else { Exit::Failed })
}
