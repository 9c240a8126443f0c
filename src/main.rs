//! The program: parse the command line, run one command, end with its exit code.

use std::process::ExitCode;

use clap::Parser;
use llama_triage::cli::Cli;
use llama_triage::commands::output;
use llama_triage::{commands, complain, exit};

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => return output::say_usage(&said),
    };
    let exit = match commands::run(cli).await {
        Ok(done) => done,
        Err(error) => {
            if !is_broken_pipe(&error) {
                complain!("{error:#}");
            }
            exit::of_error(&error)
        }
    };
    output::conclude(exit).into()
}

/// Whether the reader of our answer went away, as `head` does: nothing to complain about.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
