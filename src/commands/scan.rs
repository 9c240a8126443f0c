//! `scan`: one scan of all projects, then exit.

use crate::exit::Exit;
use crate::progress;
use crate::service::setup::Setup;
use crate::service::worker::Worker;
use crate::{complain, say};

/// Scans and says what it brought; exit 1 if a project could not be read completely.
///
/// Which batch APIs a project has is said when that is news, and with `verbose` always.
pub(crate) async fn run(setup: Setup, verbose: bool) -> anyhow::Result<Exit> {
    let mut worker = Worker::open(setup).await?;
    let now = worker.now().await?;
    // Log lines and a bar would overwrite each other.
    let bar = (!verbose).then(progress::show);
    let summaries = worker.scan(now).await?;
    drop(bar);
    let mut exit = Exit::Done;
    for summary in &summaries {
        say!("{summary}");
        if verbose || summary.apis.iter().any(|found| found.is_news) {
            let apis: Vec<String> = summary.apis.iter().map(ToString::to_string).collect();
            say!("{}: {}", summary.project, apis.join("; "));
        }
        if let Some(error) = &summary.error {
            complain!("{}: {error}", summary.project);
            exit = Exit::Failed;
        }
    }
    worker.ledger.close().await?;
    Ok(exit)
}
