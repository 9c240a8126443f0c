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

/// Watches LlamaCloud batch jobs, groups their failures and notifies the engineer on call.
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
    /// Configuration file [default: config/llama-triage.toml, then /etc/llama-triage/config.toml]
    #[arg(long, global = true, value_name = "FILE", env = "LLAMA_TRIAGE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Ledger file; overrides ledger.path; repeatable for `report`, which needs no configuration then
    #[arg(long, global = true, value_name = "FILE", env = "LLAMA_TRIAGE_LEDGER")]
    pub ledger: Vec<PathBuf>,
    /// Format of log lines on stderr
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Log more; repeat for debug and trace
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Log less; repeat to switch logging off
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub quiet: u8,
    /// Colour of the output
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub color: ColorWhen,
}

/// When output is coloured.
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
    /// Run the whole product against a simulated LlamaCloud: no key, network or configuration needed
    Demo(DemoArgs),
    /// Scan all projects once and record failed and skipped items
    Scan,
    /// Run one cycle: scan, triage, reprocess, digest, deliver (for a timer)
    Cycle,
    /// Run the service: cycles on schedule until SIGTERM
    Serve,
    /// Serve the web console without the service; read-only without a configuration
    Console(ConsoleArgs),
    /// Query the ledger: groups, items, batches, retries, digests
    Report(Box<ReportArgs>),
    /// Create the digest that is due and deliver it
    Digest(DigestArgs),
    /// Acknowledge, silence, note, dismiss, merge or rename groups
    #[command(subcommand)]
    Group(GroupCommand),
    /// Retry failed items manually: plan, apply, status, resume, cancel
    #[command(subcommand)]
    Reprocess(ReprocessCommand),
    /// Resume held retries; renamed to `reprocess resume`
    #[command(subcommand, hide = true)]
    Breaker(BreakerCommand),
    /// Preview or test a channel
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// Check, back up, prune or regroup the ledger
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Test how messages are grouped
    #[command(subcommand)]
    Grouping(GroupingCommand),
    /// Test how messages are classified
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Check the configuration, without network access
    CheckConfig {
        /// Check the file only, without reading secrets (the unit's reload runs this first)
        #[arg(long)]
        file_only: bool,
    },
    /// Check everything the service needs, network included, with advice
    Doctor(DoctorArgs),
    /// Print a shell completion script
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages to a directory
    Man {
        /// Target directory; created if it is missing
        dir: PathBuf,
    },
}

/// `console`
#[derive(Debug, Args)]
pub struct ConsoleArgs {
    /// Address to listen on, or unix:PATH for a unix socket
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9181")]
    pub listen: String,
}

/// `doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Output format
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub format: DoctorFormat,
}

/// Output format of `doctor`.
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
    /// Directory for the ledger and the digests [default: llama-triage-demo]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Simulate fewer hours
    #[arg(long)]
    pub fast: bool,
    /// Batch API through which the simulated account is read
    #[arg(long, value_enum, value_name = "API", default_value_t = Api::Auto)]
    pub api: Api,
    /// Keep the simulated LlamaCloud running for other commands
    #[arg(long)]
    pub serve: bool,
    /// Port of the simulated LlamaCloud; 0 picks a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// Random seed of the simulated account
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
