//! `serve`: one worker that takes ticks, runs what is due, and stops cleanly.
//!
//! One task owns the work, so cycles never overlap. A tick does at most one cycle and one round of deliveries;
//! what was missed while the worker was down or busy is done once, late, and never in a burst.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::console::Console;
use crate::console::http::router;
use crate::ledger::error::LedgerError;
use crate::measures::MEASURES;
use crate::model::schedule::DueRun;
use crate::model::text::count;
use crate::notify::heartbeat;
use crate::service::cycle::CycleOutcome;
use crate::service::http::webhook_queue::{WebhookQueue, join_names};
use crate::service::http::{self, Observed, webhook};
use crate::service::liveness::{LOCK_LIMIT, Liveness};
use crate::service::scheduler;
use crate::service::setup::Setup;
use crate::service::shutdown::Stopping;
use crate::service::worker::Worker;

/// How often the worker looks whether something is due; delivery retries wait at least this long.
const TICK: Duration = Duration::from_secs(5);

/// How long a cycle waits for slow channels; they go on in the background.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs until `stopping` is cancelled.
///
/// # Errors
/// The listener or the scheduler cannot be started, or the ledger's thread has ended.
pub(crate) async fn serve(
    mut worker: Worker,
    mut stopping: Stopping,
    reload: impl Fn() -> anyhow::Result<Setup>,
) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let stop = CancellationToken::new();
    let pulse = Arc::new(Liveness::default());
    let hints = Arc::new(WebhookQueue::default());
    let mut console = None;
    if let Some(address) = worker.setup.config.service.listen {
        let secret = worker.setup.webhook_secret.clone();
        let takes_events = secret.is_some();
        let events = secret.map(|secret| webhook::router(secret, Arc::clone(&hints))).unwrap_or_default();
        let low_disk = worker.setup.config.ledger.low_disk;
        let observed = Observed::new(worker.ledger.clone(), Arc::clone(&pulse), low_disk);
        console = open_console(&worker)?;
        let more = console.iter().fold(events, |more, console| more.merge(router(Arc::clone(console))));
        let bound = http::listen(address, observed, more, stop.clone()).await?;
        info!(address = %bound, takes_events, "answering /healthz and /metrics on {bound}");
        if console.is_some() {
            info!("console listening on http://{bound}/");
        }
    }
    let mut ticks = scheduler::start(TICK).await?;
    let watchdog = tokio::spawn(feed_watchdog(Arc::clone(&pulse), stop.clone()));
    let (mut log, mut hidden) = (None, None);
    notify_systemd(&[NotifyState::Ready]);
    let (ledger, projects) = (worker.ledger.path().display(), worker.setup.projects.len());
    info!(%ledger, projects, "serving {} from {ledger}", count(projects as u64, "project", "projects"));
    loop {
        tokio::select! {
            () = stopping.shutdown_requested() => break,
            _ = hangup.recv() => {
                take_over(&mut worker, console.as_deref(), reload());
                continue;
            }
            tick = ticks.tick() => tick?,
        }
        pulse.tick(Instant::now());
        if worker.ledger.is_replaced() {
            return Err(worker.ledger.close_replaced().await.into());
        }
        match worker.ledger.log_file() {
            Ok(found) if log.is_some() && found != log => return Err(shut_down(worker).await),
            Ok(found) => (log, hidden) = (found, None),
            // The open files still work, so the ledger is safe; but no one else can read it, and the next start would fail.
            Err(error) if hidden == Some(error.kind()) => {}
            Err(error) => {
                hidden = Some(error.kind());
                let folder = worker.ledger.path().display();
                warn!(
                    "cannot read {folder}-wal: {error}; check the permissions of the ledger's folder, or a restart will fail"
                );
            }
        }
        let now = worker.now().await;
        let Some(now) = run_unless_blocked(now, &worker, &pulse).await? else { continue };
        let Some(due) = run_unless_blocked(worker.take_due_cycle(now).await, &worker, &pulse).await? else { continue };
        if pulse.waits_for_lock() && worker.ledger.write(|_| Ok(())).await.is_ok() {
            report_unblocked(&pulse);
        }
        let due = match due {
            None if hints.are_due(now) => {
                let begun = worker.take_cycle_now(now).await;
                let Some(hinted) = run_unless_blocked(begun, &worker, &pulse).await? else { continue };
                hinted
            }
            due => due,
        };
        match due {
            Some(due) => {
                join_names(&mut worker.named, hints.take(now));
                let begun = Instant::now();
                pulse.begin(begun);
                let outcome = tokio::select! {
                    outcome = worker.cycle(now, PATIENCE, &stop) => outcome,
                    () = stopping.finish_late(&stop) => break,
                };
                conclude(&worker, due, outcome, &pulse, (now, begun.elapsed())).await?;
            }
            None => {
                // A slow API must not look like a loop that hangs: a plan that people approved may be many requests.
                pulse.begin(Instant::now());
                tokio::select! {
                    done = between(&mut worker, now, &stop) => done?,
                    () = stopping.finish_late(&stop) => break,
                }
                pulse.rest(Instant::now());
            }
        }
        if stop.is_cancelled() {
            break;
        }
    }
    notify_systemd(&[NotifyState::Stopping]);
    stop.cancel();
    ticks.stop().await?;
    watchdog.await.context("the watchdog task failed")?;
    worker.ledger.close().await?;
    info!("stopped");
    Ok(())
}

/// The console, if it is configured.
fn open_console(worker: &Worker) -> anyhow::Result<Option<Arc<Console>>> {
    let setup = &worker.setup;
    if !setup.config.console.enabled {
        return Ok(None);
    }
    let (path, writer) = (worker.ledger.path().to_owned(), Some(worker.ledger.clone()));
    let console = Console::new(path, String::new(), setup.console_access()?, setup.for_console(), writer)?;
    Ok(Some(Arc::new(console)))
}

/// Closes a ledger whose write-ahead log was taken away under it. What was in the log gets into the ledger by that;
/// a process that continued would write to a file that others cannot see, and damage the ledger once another log exists.
async fn shut_down(worker: Worker) -> anyhow::Error {
    let path = worker.ledger.path().display().to_string();
    let closed = worker.ledger.close().await;
    let lost = anyhow!(
        "{path}-wal was removed or replaced while it was in use: never remove a ledger's -wal or -shm file; nothing is lost if it was only removed: verify with `llama-triage ledger check`; the next start continues"
    );
    closed.err().map_or(lost, |error| anyhow!("{path}-wal was removed or replaced while it was in use: {error}"))
}

/// Reports the outcome of a cycle to systemd, `/healthz` and the monitor.
async fn conclude(
    worker: &Worker,
    due: DueRun,
    outcome: anyhow::Result<CycleOutcome>,
    pulse: &Liveness,
    (began_at, took): (Timestamp, Duration),
) -> anyhow::Result<()> {
    let (complete, line) = match &outcome {
        Ok(outcome) => (outcome.is_complete(), outcome.to_string()),
        Err(error) => (false, format!("{error:#}")),
    };
    MEASURES.add_cycle(took);
    pulse.end(Instant::now(), began_at.saturating_add(took).unwrap_or(began_at), complete);
    match &outcome {
        Ok(outcome) if complete => {
            let (duration_ms, digest) = (millis(took), outcome.digest_id.as_deref());
            let observations = outcome.observations();
            info!(late = due.late, duration_ms, observations, digest.id = digest, "{line}");
            outcome.retries.errors.iter().for_each(|error| warn!("{error}"));
        }
        Ok(outcome) => warn_incomplete(outcome, &line, took),
        Err(error) if is_fatal(error) => {}
        Err(error) => {
            pulse.set_blocked(Instant::now(), format!("the cycle failed: {line}"), grace(error));
            error!(duration_ms = millis(took), "the cycle failed: {line}");
        }
    }
    notify_systemd(&[NotifyState::Status(&line)]);
    // A cycle that a stop cut short is no failure that a monitor should page for.
    let stopped = outcome.as_ref().is_ok_and(|outcome| outcome.stopped);
    if !stopped {
        let (monitor, now) = (worker.setup.heartbeat.as_ref(), Timestamp::now());
        let pinged = heartbeat::ping(monitor, &worker.ledger, complete, &line, now).await;
        if let Some(Some(error)) = run_unless_blocked(pinged.map_err(Into::into), worker, pulse).await? {
            warn!("{error}");
        }
    }
    match outcome {
        Err(error) if is_fatal(&error) => Err(error),
        Err(_) => Ok(()),
        Ok(_) => {
            if run_unless_blocked(worker.end_cycle(due, line).await, worker, pulse).await?.is_some() {
                report_unblocked(pulse);
            }
            Ok(())
        }
    }
}

/// Clears the blocked state after a successful write to the ledger.
fn report_unblocked(pulse: &Liveness) {
    if let Some(lasted) = pulse.clear_blocked(Instant::now()) {
        info!("the ledger can be written again, after {} s", lasted.as_secs());
    }
}

/// Pings the monitor, if there is one, of a ledger that cannot be written.
pub(crate) async fn ping_monitor(setup: &Setup, complete: bool, line: &str) {
    if let Some(heartbeat) = &setup.heartbeat
        && let Err(error) = heartbeat.ping(complete, line).await
    {
        warn!("{error}");
    }
}

/// None if the ledger is locked or full: that is said, nothing is lost, and the next tick tries again.
async fn run_unless_blocked<T>(
    done: anyhow::Result<T>,
    worker: &Worker,
    pulse: &Liveness,
) -> anyhow::Result<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(error) if has_ledger_cause(&error, LedgerError::is_recoverable) => {
            let why = format!("{error:#}");
            notify_systemd(&[NotifyState::Status(&format!("waiting for the ledger: {why}"))]);
            if pulse.set_blocked(Instant::now(), why.clone(), grace(&error)) {
                error!("the ledger is unavailable, retrying every few seconds: {why}");
            }
            if let Some(alarm) = pulse.alarm(Instant::now()) {
                ping_monitor(&worker.setup, false, &alarm).await;
            }
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// How long a fault may last before it is reported: locks come and go.
fn grace(error: &anyhow::Error) -> Duration {
    if has_ledger_cause(error, LedgerError::is_transient) { LOCK_LIMIT } else { Duration::ZERO }
}

/// Whether this is said of an error of the ledger that is behind `error`.
pub(crate) fn has_ledger_cause(error: &anyhow::Error, is: impl Fn(&LedgerError) -> bool) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<LedgerError>().is_some_and(&is))
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

fn warn_incomplete(outcome: &CycleOutcome, line: &str, took: Duration) {
    let digest = outcome.digest_id.as_deref();
    warn!(duration_ms = millis(took), observations = outcome.observations(), digest.id = digest, "{line}");
    // Scans and deliveries have logged their own errors.
    outcome.retries.errors.iter().for_each(|error| warn!("{error}"));
}

/// Does what cannot wait for the next cycle.
async fn between(worker: &mut Worker, now: Timestamp, stop: &CancellationToken) -> anyhow::Result<()> {
    if worker.clock.is_certain(now) < now {
        return deliver(worker, now).await;
    }
    match worker.reprocess_between(now, stop).await {
        Ok(summary) if summary.is_quiet() => {}
        Ok(summary) => {
            info!("{summary}");
            summary.errors.iter().for_each(|error| warn!("{error}"));
        }
        Err(error) if is_fatal(&error) => return Err(error),
        Err(error) => error!("cannot execute the approved plan: {error:#}"),
    }
    deliver(worker, now).await
}

/// Sends what is due between cycles, such as a second try.
async fn deliver(worker: &Worker, now: Timestamp) -> anyhow::Result<()> {
    match worker.deliver(now, PATIENCE).await {
        Ok(_) => Ok(()),
        Err(error) if is_fatal(&error) => Err(error),
        Err(error) => {
            error!("cannot deliver digests: {error:#}");
            Ok(())
        }
    }
}

/// Reloads the configuration; keeps the old one if the new one is invalid.
fn take_over(worker: &mut Worker, console: Option<&Console>, setup: anyhow::Result<Setup>) {
    match setup.and_then(|setup| worker.reconfigure(setup)) {
        Ok(()) => {
            if let Some(console) = console {
                console.reconfigure(worker.setup.for_console());
            }
            info!("configuration reloaded");
        }
        Err(error) => error!("configuration not reloaded, the old one stays active: {error:#}"),
    }
}

/// Whether the process must end: the ledger's thread has ended, and only a restart helps.
fn is_fatal(error: &anyhow::Error) -> bool {
    has_ledger_cause(error, |error| matches!(error, LedgerError::Closed))
}

/// Feeds systemd's watchdog, if there is one, while the loop lives. A ledger that another process locks, or a full disk,
/// does not stop the watchdog pings: a restart would not help.
async fn feed_watchdog(pulse: Arc<Liveness>, stop: CancellationToken) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let mut every = tokio::time::interval(limit / 3);
    while stop.run_until_cancelled(every.tick()).await.is_some() {
        match pulse.complaint(Instant::now()) {
            None => notify_systemd(&[NotifyState::Watchdog]),
            Some(complaint) => error!("not notifying the watchdog: {complaint}"),
        }
    }
}

pub(crate) fn notify_systemd(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "cannot notify systemd");
    }
}
