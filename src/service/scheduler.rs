//! The heartbeat that wakes the worker: the only file that names `tokio-cron-scheduler`.
//!
//! That library overlaps a job with itself, forgets missed runs, freezes time zones at start and does not wait when it
//! shuts down (measured). So it gets exactly one job, a UTC tick, whose closure only drops a token into a channel of
//! one: a full channel is the skip. What is due at a tick is decided by `core::schedule`, so missed work is done once,
//! and nothing overlaps because one worker takes the tokens.

use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};

/// A running heartbeat. Dropping it does not stop it; call [`Heartbeat::stop`].
pub struct Heartbeat {
    scheduler: JobScheduler,
    /// One token for each tick that was not still waiting.
    pub ticks: mpsc::Receiver<()>,
}

/// Starts a heartbeat with a tick every `every`, which is rounded to whole seconds between 1 and 59.
///
/// The first tick is there at once, so that a start catches up without waiting.
///
/// # Errors
/// The scheduler cannot be started.
pub async fn start(every: Duration) -> anyhow::Result<Heartbeat> {
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
    .context("cannot make the heartbeat job")?;
    let scheduler = JobScheduler::new().await.context("cannot make the scheduler")?;
    scheduler.add(job).await.context("cannot add the heartbeat job")?;
    scheduler.start().await.context("cannot start the scheduler")?;
    Ok(Heartbeat { scheduler, ticks })
}

impl Heartbeat {
    /// Stops the ticks. A tick under way is harmless: it only fills a channel that nobody reads.
    ///
    /// # Errors
    /// The scheduler refuses.
    pub async fn stop(mut self) -> anyhow::Result<()> {
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
            tokio::time::timeout(Duration::from_secs(5), heartbeat.ticks.recv()).await.unwrap().unwrap();
        }
        assert!(heartbeat.ticks.len() <= 1);
        heartbeat.stop().await.unwrap();
    }
}
