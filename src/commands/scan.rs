//! `scan`: one scan of all projects, then exit.

use jiff::Timestamp;

use crate::exit::Exit;
use crate::service::worker::{Setup, Worker};
use crate::{complain, say};

/// Scans and says what it brought; exit 1 if a project could not be read completely.
pub(super) async fn run(setup: Setup) -> anyhow::Result<Exit> {
    let mut worker = Worker::open(setup).await?;
    let summaries = worker.scan(Timestamp::now()).await?;
    let mut exit = Exit::Done;
    for summary in &summaries {
        say!("{summary}");
        if let Some(error) = &summary.error {
            complain!("{}: {error}", summary.project);
            exit = Exit::Failed;
        }
    }
    worker.ledger.close().await?;
    Ok(exit)
}
