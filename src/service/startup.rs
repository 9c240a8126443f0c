//! The start of `serve`: waits while the ledger is locked or its disk is full.
//!
//! A service that ended instead would be started again a few times within minutes, and then no more: it would stay down
//! although the problem was over by the morning.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tracing::error;

use crate::ledger::error::LedgerError;
use crate::service::serve::{has_ledger_cause, notify_systemd, ping_monitor};
use crate::service::setup::Setup;
use crate::service::worker::Worker;

/// Between two tries; SQLite itself waits some seconds for a lock.
const PAUSE: Duration = Duration::from_secs(5);

/// A wait that lasts as long is reported to the monitor, once.
const PATIENCE: Duration = Duration::from_secs(60);

/// What systemd is asked to wait for the next sign of life: its own limit for a start would end the wait.
const NEXT_SIGN: Duration = Duration::from_secs(60);

/// Opens the worker as soon as the ledger lets it. The settings are read anew for each try.
///
/// # Errors
/// The settings are wrong, another llama-triage works on the ledger, or nothing but a user can make it usable.
pub(crate) async fn open(settings: impl Fn() -> anyhow::Result<Setup>) -> anyhow::Result<Worker> {
    let (mut said, mut alarmed, began) = (None, false, Instant::now());
    loop {
        let error = match Worker::open(settings()?).await {
            Err(error) if has_ledger_cause(&error, LedgerError::may_open_later) => format!("{error:#}"),
            opened => return opened,
        };
        let status = format!("waiting for the ledger: {error}");
        let micros = u32::try_from(NEXT_SIGN.as_micros()).unwrap_or(u32::MAX);
        notify_systemd(&[NotifyState::ExtendTimeoutUsec(micros), NotifyState::Status(&status)]);
        if said.as_ref() != Some(&error) {
            error!("{status}");
            said = Some(error);
        }
        if !alarmed && began.elapsed() >= PATIENCE {
            alarmed = true;
            ping_monitor(&settings()?, false, &status).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
