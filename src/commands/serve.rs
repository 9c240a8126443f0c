//! `serve`: the service.

use crate::cli::Global;
use crate::exit::Exit;
use crate::service::{serve, startup};

/// Serves until SIGTERM; SIGHUP reads the configuration again.
pub(crate) async fn run(global: Global) -> anyhow::Result<Exit> {
    let worker = startup::open(|| crate::commands::setup(&global)).await?;
    serve::serve(worker, || crate::commands::setup(&global)).await?;
    Ok(Exit::Done)
}
