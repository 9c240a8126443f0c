//! The signals that ask a process to stop, and the grace that work under way gets then.

use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long a cycle under way may go on after SIGTERM; well within systemd's `TimeoutStopSec`.
const GRACE: Duration = Duration::from_secs(20);

/// SIGTERM and SIGINT. From when it is made, neither ends the process.
pub(crate) struct Stopping {
    terminate: Signal,
    interrupt: Signal,
}

impl Stopping {
    /// Begins to listen.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn new() -> anyhow::Result<Stopping> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Stopping { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Waits for a stop.
    pub(crate) async fn shutdown_requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits for a stop, cancels `stop` for the cycle under way, and gives it the grace to end.
    pub(crate) async fn finish_late(&mut self, stop: &CancellationToken) {
        self.shutdown_requested().await;
        stop.cancel();
        info!("stopping: the running cycle has {} s to finish", GRACE.as_secs());
        tokio::time::sleep(GRACE).await;
        warn!("stopped during a cycle; the next start continues from the ledger");
    }
}
