//! `completions SHELL`: prints a completion script.

use std::io::Write;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Exit;

/// Prints the script of one shell to stdout.
pub(super) fn run(shell: Shell) -> anyhow::Result<Exit> {
    // The generator panics on a write error, so it writes into memory and a closed pipe is an error like any other.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "llama-triage", &mut script);
    std::io::stdout().lock().write_all(&script).context("cannot write the completions")?;
    Ok(Exit::Done)
}
