//! `serve`: the service.

use crate::cli::Global;
use crate::exit::Exit;
use crate::service::serve;
use crate::service::worker::Worker;

/// Serves until SIGTERM; SIGHUP reads the configuration again.
pub(super) async fn run(global: Global) -> anyhow::Result<Exit> {
    let worker = Worker::open(super::setup(&global)?).await?;
    serve::serve(worker, || super::setup(&global)).await?;
    Ok(Exit::Done)
}
