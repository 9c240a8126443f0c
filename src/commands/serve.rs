//! `serve`: the service.

use crate::cli::Global;
use crate::commands::{setup, start_logging};
use crate::exit::Exit;
use crate::service::shutdown::Stopping;
use crate::service::{serve, startup};
use crate::telemetry::Role;

/// Serves until SIGTERM; SIGHUP reads the configuration again.
pub(crate) async fn run(global: &Global) -> anyhow::Result<Exit> {
    let mut stopping = Stopping::new()?;
    start_logging(global, Role::Service);
    let settings = || setup(global);
    let worker = tokio::select! {
        opened = startup::open(settings) => opened?,
        () = stopping.shutdown_requested() => return Ok(Exit::Done),
    };
    serve::serve(worker, stopping, settings).await?;
    Ok(Exit::Done)
}
