//! `serve`: the service.

use crate::cli::Global;
use crate::exit::Exit;
use crate::service::{opening, serve};

/// Serves until SIGTERM; SIGHUP reads the configuration again.
pub(super) async fn run(global: Global) -> anyhow::Result<Exit> {
    let worker = opening::open(|| super::setup(&global)).await?;
    serve::serve(worker, || super::setup(&global)).await?;
    Ok(Exit::Done)
}
