//! `console`: the web console without the service, for a timer host, a restored copy, or any other ledger.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use crate::actions::act::ActError;
use crate::cli::{ConsoleArgs, Global};
use crate::config::load::ConfigError;
use crate::console::http::{index, router};
use crate::console::{Access, Console, ConsoleSetup};
use crate::credentials::Credentials;
use crate::exit::Exit;
use crate::ledger::Ledger;
use crate::report::store::ReadTransaction;
use crate::say;
use crate::scan::apis::restore_apis;
use crate::service::http::listener::{self, ListenerState, Listening, Times};
use crate::service::setup::Setup;
use crate::service::shutdown::Stopping;

/// Serves the console until SIGTERM or SIGINT.
pub(crate) async fn run(global: &Global, args: &ConsoleArgs) -> anyhow::Result<Exit> {
    let mut stopping = Stopping::new()?;
    let (router, access_checks) = consoles(global).await?;
    let (listening, shown) = bind(&args.listen, access_checks).await?;
    say!("The console is at {shown} (stop it with Ctrl-C).");
    let (state, stop) = (ListenerState::default(), CancellationToken::new());
    tokio::select! {
        () = listener::run(listening, router, Times::default(), &state, stop.clone()) => {}
        () = stopping.shutdown_requested() => stop.cancel(),
    }
    if let Some(path) = args.listen.strip_prefix(UNIX) {
        let _gone_already = std::fs::remove_file(path);
    }
    Ok(Exit::Done)
}

const UNIX: &str = "unix:";

/// The check whether the console may listen on an address.
type Check = Box<dyn Fn(SocketAddr) -> Result<(), ConfigError> + Send>;

/// The consoles of all ledgers; read-only without a configuration.
async fn consoles(global: &Global) -> anyhow::Result<(Router, Check)> {
    match crate::commands::setup(global) {
        Ok(setup) if global.ledger.len() < 2 => configured(&setup, &crate::commands::credentials(global)?).await,
        Err(error) if global.ledger.is_empty() || !is_missing(&error) => Err(error),
        _ => read_only(&global.ledger),
    }
}

fn is_missing(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(ConfigError::NotFound(_)))
}

async fn configured(setup: &Setup, credentials: &Credentials) -> anyhow::Result<(Router, Check)> {
    let path = setup.config.ledger.path.clone();
    let ledger = Ledger::open_shared(&path).await?;
    restore_apis(&ledger, &setup.projects).await?;
    let (access, checks) = (setup.access_without_service(credentials)?, setup.access_without_service(credentials)?);
    let console = Console::new(path, String::new(), access, setup.for_console(), Some(ledger))?;
    Ok((router(Arc::new(console)), Box::new(move |address| checks.refuse_open_address(address.ip()))))
}

fn read_only(ledgers: &[PathBuf]) -> anyhow::Result<(Router, Check)> {
    let mut found = Vec::new();
    for (at, path) in ledgers.iter().enumerate() {
        drop(ReadTransaction::open(path)?);
        let base = if ledgers.len() == 1 { String::new() } else { format!("/ledger/{}", at + 1) };
        let console =
            Console::new(path.clone(), base, Access::read_only(), ConsoleSetup::without_configuration(), None)?;
        found.push(Arc::new(console));
    }
    let check: Check = Box::new(|address| Access::read_only().refuse_open_address(address.ip()));
    let router = match found.as_slice() {
        [console] => router(Arc::clone(console)),
        several => index(several),
    };
    Ok((router, check))
}

async fn bind(address: &str, check: Check) -> anyhow::Result<(Listening, String)> {
    if let Some(path) = address.strip_prefix(UNIX) {
        let listener = UnixListener::bind(path).with_context(|| format!("cannot listen on {path}"))?;
        // Access to the socket file grants actions.
        std::fs::set_permissions(Path::new(path), std::fs::Permissions::from_mode(0o660))?;
        return Ok((Listening::Unix(listener), address.to_owned()));
    }
    let parsed: SocketAddr = address.parse().map_err(|_| {
        ActError::Refused(format!("--listen {address:?} is neither IP:PORT nor unix:PATH, such as 127.0.0.1:9181"))
    })?;
    check(parsed)?;
    let listener = TcpListener::bind(parsed).await.with_context(|| format!("cannot listen on {parsed}"))?;
    let bound = listener.local_addr()?;
    Ok((Listening::Tcp(listener), format!("http://{bound}/")))
}
