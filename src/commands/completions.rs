//! `completions SHELL`: prints a completion script.

use std::io::Write;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Exit;

/// Prints the script of one shell to stdout.
pub(crate) fn run(shell: Shell) -> anyhow::Result<Exit> {
    // The generator panics on a write error, so it writes into memory and a closed pipe is an error like any other.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "llama-triage", &mut script);
    std::io::stdout().lock().write_all(&script).context("cannot write the completions")?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: &clap::Command) {
        for argument in command.get_arguments() {
            for value in argument.get_possible_values() {
                let help = value.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(!help.contains(['"', '$']), "{}: {}: {help}", command.get_name(), argument.get_id());
            }
        }
        command.get_subcommands().for_each(check);
    }

    /// The generator for fish puts these texts between double quotes and escapes only single ones (`clap_complete` 4.6).
    #[test]
    fn no_value_is_explained_in_what_fish_would_read_as_code() {
        check(&Cli::command());
    }
}
