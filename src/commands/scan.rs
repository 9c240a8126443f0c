//! `scan`: one scan of all projects, then exit.

use crate::exit::Exit;
use crate::service::worker::{Setup, Worker};

/// Scans and says what it brought; exit 1 if a project could not be read completely.
pub(super) async fn run(setup: Setup) -> anyhow::Result<Exit> {
    let mut worker = Worker::open(setup).await?;
    let now = worker.now().await?;
    let summaries = worker.scan(now).await?;
    let mut exit = Exit::Done;
    for summary in &summaries {
        anstream::println!("{summary}");
        if let Some(error) = &summary.error {
            anstream::eprintln!("llama-triage: {}: {error}", summary.project);
            exit = Exit::Failed;
        }
    }
    worker.ledger.close().await?;
    Ok(exit)
}
