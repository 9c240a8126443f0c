//! The command line: names, flags and help. What commands do is in `commands`.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::config::project::Api;

use crate::commands::group::GroupCommand;
use crate::commands::grouping::GroupingCommand;
use crate::commands::ledger::LedgerCommand;
use crate::commands::notify::{DigestArgs, NotifyCommand};
use crate::commands::report::args::ReportArgs;
use crate::commands::reprocess::{BreakerCommand, ReprocessCommand};
use crate::commands::rules::RulesCommand;
use crate::config::LogFormat;

/// Watches LlamaCloud batch jobs and tells on-call engineers what failed and what they do not know yet.
#[derive(Debug, Parser)]
#[command(name = "llama-triage", version, max_term_width = 100)]
#[command(
    after_help = "Try it without a key: llama-triage demo\nExit codes: 0 done, 1 failed, 2 usage, 3 id not found, 4 ledger missing or unreadable, 5 stale, 10 --fail-if matched, 78 configuration"
)]
pub struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The configuration file [default: config/llama-triage.toml, then /etc/llama-triage/config.toml]
    #[arg(long, global = true, value_name = "FILE", env = "LLAMA_TRIAGE_CONFIG")]
    pub config: Option<PathBuf>,
    /// The ledger; goes before the configuration's path, and is all that `report` needs, which takes several of them
    #[arg(long, global = true, value_name = "FILE", env = "LLAMA_TRIAGE_LEDGER")]
    pub ledger: Vec<PathBuf>,
    /// How log lines on stderr look
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// More log lines; twice for all of them
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Fewer log lines
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub quiet: u8,
    /// Colour of answers
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: ColorWhen,
}

/// When answers are coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the whole product against a simulated LlamaCloud: no key, no network, no configuration
    Demo(DemoArgs),
    /// Read all projects once and record what failed and what was skipped
    Scan,
    /// Scan, triage, digest and deliver, once (what a timer calls)
    Cycle,
    /// The service: cycles on schedule until SIGTERM
    Serve,
    /// Answer questions from the ledger
    Report(Box<ReportArgs>),
    /// Decide what people do not know yet, and tell them
    Digest(DigestArgs),
    /// Acknowledge, silence, note, dismiss, merge or rename groups
    #[command(subcommand)]
    Group(GroupCommand),
    /// Retry failed items by hand: plan, apply, status, cancel
    #[command(subcommand)]
    Reprocess(ReprocessCommand),
    /// Resume held retries
    #[command(subcommand)]
    Breaker(BreakerCommand),
    /// Try a channel
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// Check, back up, prune or regroup the ledger
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Try how messages are grouped
    #[command(subcommand)]
    Grouping(GroupingCommand),
    /// Try how messages are classified
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Check the configuration without touching the network
    CheckConfig {
        /// Only the file: secrets are not looked for (what a reload of the unit checks first)
        #[arg(long)]
        file_only: bool,
    },
    /// Check everything the service needs, network included, and say what to do
    Doctor(DoctorArgs),
    /// Print a completion script
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder
    Man {
        /// The folder; it is made if it is missing
        dir: PathBuf,
    },
}

/// `doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// How the answer looks
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: DoctorFormat,
}

/// How `doctor` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// A line for each check.
    Text,
    /// One JSON document.
    Json,
}

/// `demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The folder for the ledger and the digests [default: llama-triage-demo]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Fewer simulated hours
    #[arg(long)]
    pub fast: bool,
    /// The API through which the simulated account is read
    #[arg(long, value_enum, value_name = "API", default_value_t = Api::Auto)]
    pub api: Api,
    /// Keep the simulated LlamaCloud running, so that other commands can be pointed at it
    #[arg(long)]
    pub serve: bool,
    /// The port of the simulated LlamaCloud [default: a free one]
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// The seed of the simulated account
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
