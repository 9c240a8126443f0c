//! One file for each command: it reads its arguments, calls a room, and prints the answer.

pub(crate) mod check_config;
pub(crate) mod completions;
pub(crate) mod console;
pub(crate) mod cycle;
pub(crate) mod demo;
pub(crate) mod digest;
pub(crate) mod doctor;
pub(crate) mod group;
pub(crate) mod grouping;
pub(crate) mod input;
pub(crate) mod ledger;
pub(crate) mod man;
pub(crate) mod notify;
pub(crate) mod output;
pub(crate) mod report;
pub(crate) mod reprocess;
pub(crate) mod rules;
pub(crate) mod scan;
pub(crate) mod serve;
#[cfg(test)]
pub(crate) mod tests;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::actions::act;
use crate::cli::{Cli, ColorWhen, Command, Global};
use crate::commands::ledger::restore;
use crate::complain;
use crate::config::{Config, load};
use crate::credentials::Credentials;
use crate::exit::{self, Exit};
use crate::ledger::Ledger;
use crate::ledger::time::known_time;
use crate::report::question::Question;
use crate::report::store;
use crate::service::setup::Setup;
use crate::telemetry::{self, Role};

/// Parses the command line, runs one command, and ends with its exit code.
pub async fn run_program() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => return output::say_usage(&said),
    };
    let exit = match run(cli).await {
        Ok(done) => done,
        Err(error) => {
            if !is_broken_pipe(&error) {
                complain!("{error:#}");
            }
            exit::from_error(&error)
        }
    };
    output::final_exit_code(exit).into()
}

/// Whether the reader closed the pipe, as `head` does: not an error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// Runs one command line.
///
/// # Errors
/// Whatever the command could not do; [`crate::exit::from_error`] gives the exit code.
async fn run(cli: Cli) -> anyhow::Result<Exit> {
    let global = &cli.global;
    if !matches!(cli.command, Command::Cycle | Command::Serve) {
        let role = if matches!(cli.command, Command::Console(_)) { Role::Service } else { Role::Command };
        start_logging(global, role);
    }
    if global.ledger.len() > 1 && !matches!(cli.command, Command::Report(_) | Command::Console(_)) {
        complain!("only `report` and `console` accept several --ledger; give one");
        return Ok(Exit::Usage);
    }
    match cli.command {
        Command::Demo(args) => demo::run(args).await,
        Command::Scan => scan::run(setup(global)?, global.verbose > 0).await,
        // Installed before anything else, logging included: a stop signal must not kill these commands at their start.
        Command::Cycle => cycle::run(global).await,
        Command::Serve => serve::run(global).await,
        Command::Console(args) => console::run(global, &args).await,
        Command::CheckConfig { file_only } => check_config::run(global, file_only),
        Command::Digest(args) => notify::run_digest(&setup(global)?, &args).await,
        Command::Notify(command) => notify::run_notify(&setup(global)?, command).await,
        Command::Group(command) => {
            let ledger = Ledger::open_shared(&ledger_path(global)?).await?;
            let config = optional_configuration(global)?.unwrap_or_default();
            let zone = TimeZone::get(&config.schedule.timezone)?;
            let done = group::run(command, &ledger, person_beside(&ledger).await?, &zone).await;
            ledger.close().await?;
            done
        }
        Command::Reprocess(command) => reprocess::run(command, setup(global)?, person()).await,
        Command::Breaker(command) => {
            let ledger = Ledger::open_shared(&ledger_path(global)?).await?;
            reprocess::run_breaker(command, &ledger, person_beside(&ledger).await?).await
        }
        Command::Ledger(command) => ledger_command(global, command).await,
        Command::Grouping(command) => grouping::run(command),
        Command::Rules(command) => rules::run(command, optional_configuration(global)?.as_ref()),
        Command::Doctor(args) => doctor::run(global, &args).await,
        Command::Completions { shell } => completions::run(shell),
        Command::Man { dir } => man::run(&dir),
        Command::Report(args) if args.query == Question::Record => report::record::run(&args, &setup(global)?).await,
        Command::Report(args) => Ok(report(global, &args)),
    }
}

/// Logging starts before the configuration is checked, so its own `[log]` is read leniently here.
fn start_logging(global: &Global, role: Role) {
    let configured =
        load::find(global.config.as_deref()).ok().and_then(|path| load::read(&path).ok()).map(|config| config.log);
    let configured = configured.unwrap_or_default();
    let verbosity = i8::try_from(global.verbose).unwrap_or(i8::MAX) - i8::try_from(global.quiet).unwrap_or(i8::MAX);
    telemetry::start(role, global.log_format.unwrap_or(configured.format), configured.level.as_deref(), verbosity);
}

/// The configuration, with `--ledger` put over its path.
fn configuration(global: &Global) -> Result<Config, load::ConfigError> {
    let path = load::find(global.config.as_deref())?;
    let mut config = load::read(&path)?;
    match global.ledger.first() {
        Some(ledger) => config.ledger.path.clone_from(ledger),
        None => load::refuse_ledger_at_old_path(&path, &config)?,
    }
    Ok(config)
}

/// Answers a question. A configuration is used if there is one, and only needed if `--ledger` is missing.
fn report(global: &Global, args: &crate::commands::report::args::ReportArgs) -> Exit {
    let config = match configuration(global) {
        Ok(config) => Some(config),
        Err(_) if !global.ledger.is_empty() && global.config.is_none() => None,
        Err(error) => {
            complain!("{:#}", anyhow::Error::new(error));
            return Exit::Config;
        }
    };
    let configured = config.as_ref().map(|config| vec![config.ledger.path.clone()]);
    let ledgers = if global.ledger.is_empty() { configured.unwrap_or_default() } else { global.ledger.clone() };
    let choice = match global.color {
        ColorWhen::Auto => anstream::ColorChoice::Auto,
        ColorWhen::Always => anstream::ColorChoice::Always,
        ColorWhen::Never => anstream::ColorChoice::Never,
    };
    let surroundings = report::Surroundings {
        ledgers: &ledgers,
        config: config.as_ref(),
        next_digest_at: None,
        now: Timestamp::now(),
        terminal: crate::commands::report::terminal::Terminal::stdout(choice),
    };
    if args.query == Question::Sql
        && let Err(error) = store::limit_memory()
    {
        complain!("{error}");
        return Exit::Failed;
    }
    // Standard error is not locked: the time limit of a statement must be able to print.
    let outcome = report::run(args, &surroundings, &mut std::io::stdout().lock(), &mut std::io::stderr());
    if let Some(message) = outcome.message() {
        complain!("{message}");
    }
    Exit::from(&outcome)
}

/// The ledger to work on: `--ledger`, else the configuration's.
fn ledger_path(global: &Global) -> Result<PathBuf, load::ConfigError> {
    match global.ledger.first() {
        Some(path) => Ok(path.clone()),
        None => configuration(global).map(|config| config.ledger.path),
    }
}

async fn ledger_command(global: &Global, command: ledger::LedgerCommand) -> anyhow::Result<Exit> {
    let path = ledger_path(global)?;
    match command {
        ledger::LedgerCommand::Check => ledger::check(&path),
        ledger::LedgerCommand::Backup { file } => ledger::backup(&path, &file),
        ledger::LedgerCommand::Restore { file } => restore::run(&file, &path, &person()),
        ledger::LedgerCommand::Prune => {
            let keep = optional_configuration(global)?.unwrap_or_default().ledger;
            ledger::prune_old(&path, keep.keep, keep.keep_digests, Timestamp::now()).await
        }
        ledger::LedgerCommand::Regroup => ledger::regroup(&path, person()).await,
    }
}

/// The user who runs the command, for the audit log.
fn person() -> act::Person {
    let named = |variable: &&str| std::env::var(variable).ok().filter(|name| !name.is_empty());
    let name = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(named);
    act::Person {
        name: name.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw())),
        now: Timestamp::now(),
    }
}

/// The same beside a worker, which may have found that this host's clock is wrong.
async fn person_beside(ledger: &Ledger) -> anyhow::Result<act::Person> {
    let person = person();
    Ok(act::Person { now: known_time::beside(ledger, person.now).await?, ..person })
}

/// The configuration if there is one; a bad one is an error all the same.
fn optional_configuration(global: &Global) -> Result<Option<Config>, load::ConfigError> {
    match configuration(global) {
        Err(load::ConfigError::NotFound(_)) => Ok(None),
        found => found.map(Some),
    }
}

fn setup(global: &Global) -> anyhow::Result<Setup> {
    Setup::new(configuration(global)?, &credentials(global)?)
}

/// Where the secrets of the configuration are.
fn credentials(global: &Global) -> Result<Credentials, load::ConfigError> {
    Ok(Credentials::from_environment_or_beside(&load::find(global.config.as_deref())?))
}

/// A path as a user would type it: relative to the working directory if it is below it.
fn short(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}
