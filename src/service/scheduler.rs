//! The heartbeat that wakes the worker: the only file that names `tokio-cron-scheduler`.
//!
//! That library overlaps a job with itself, forgets missed runs, freezes time zones at start and does not wait when it
//! shuts down (measured). So it gets exactly one job, a UTC tick, whose closure only drops a token into a channel of
//! one: a full channel is the skip. What is due at a tick is decided by `model::schedule`, so missed work is done once,
//! and nothing overlaps because one worker takes the tokens.
//!
//! It also waits for the clock on the wall, and a clock that is set back by hours silences it for hours (measured).
//! A heartbeat that stops is therefore restarted.

use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};
use tracing::warn;

/// A running heartbeat. Dropping it does not stop it; call [`SchedulerHeartbeat::stop`].
pub(crate) struct SchedulerHeartbeat {
    scheduler: JobScheduler,
    every: Duration,
    /// One token for each tick that was not still waiting.
    ticks: mpsc::Receiver<()>,
}

/// Starts a heartbeat with a tick every `every`, which is rounded to whole seconds between 1 and 59.
///
/// The first tick is there at once, so that a start catches up without waiting.
///
/// # Errors
/// The scheduler cannot be started.
pub(crate) async fn start(every: Duration) -> anyhow::Result<SchedulerHeartbeat> {
    let (sender, ticks) = mpsc::channel(1);
    sender.try_send(()).context("cannot queue the first tick")?;
    let seconds = every.as_secs().clamp(1, 59);
    let job = Job::new_async(format!("*/{seconds} * * * * *"), move |_, _| {
        let sender = sender.clone();
        Box::pin(async move {
            // A full channel means that the worker is still busy: this tick is skipped.
            let _skipped = sender.try_send(());
        })
    })
    .context("cannot create the heartbeat job")?;
    let scheduler = JobScheduler::new().await.context("cannot create the scheduler")?;
    scheduler.add(job).await.context("cannot add the heartbeat job")?;
    scheduler.start().await.context("cannot start the scheduler")?;
    Ok(SchedulerHeartbeat { scheduler, every: Duration::from_secs(seconds), ticks })
}

impl SchedulerHeartbeat {
    /// Waits for the next tick. May be dropped while waiting; no tick is lost by that.
    ///
    /// # Errors
    /// A scheduler that fell silent cannot be replaced.
    pub(crate) async fn tick(&mut self) -> anyhow::Result<()> {
        // Twice the time and the half second that the library may be late.
        let patience = self.every * 2 + Duration::from_secs(1);
        if let Ok(Some(())) = tokio::time::timeout(patience, self.ticks.recv()).await {
            return Ok(());
        }
        warn!("the scheduler stopped ticking, perhaps because the clock was set back: restarting it");
        let mut silent = std::mem::replace(self, start(self.every).await?);
        silent.ticks.close();
        silent.scheduler.shutdown().await.context("cannot stop the stalled scheduler")?;
        // The new one has its first tick at once.
        self.ticks.recv().await.context("the new scheduler does not tick either")
    }

    /// Stops the ticks. A tick under way is harmless: it only fills a channel that no one reads.
    ///
    /// # Errors
    /// The scheduler refuses.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.ticks.close();
        self.scheduler.shutdown().await.context("cannot stop the scheduler")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ticks_come_and_never_pile_up() {
        let mut heartbeat = start(Duration::from_secs(1)).await.unwrap();
        for _ in 0..2 {
            tokio::time::timeout(Duration::from_secs(5), heartbeat.tick()).await.unwrap().unwrap();
        }
        assert!(heartbeat.ticks.len() <= 1);
        heartbeat.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_silent_scheduler_is_replaced() {
        let mut heartbeat = start(Duration::from_secs(1)).await.unwrap();
        heartbeat.scheduler.shutdown().await.unwrap();
        for _ in 0..4 {
            tokio::time::timeout(Duration::from_secs(8), heartbeat.tick()).await.unwrap().unwrap();
        }
        heartbeat.stop().await.unwrap();
    }
}
