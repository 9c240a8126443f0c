//! `man DIR`: writes the manual pages, one for the program and one for each command.

use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;

use crate::cli::Cli;
use crate::exit::Exit;

/// Writes `llama-triage.1` and `llama-triage-COMMAND.1` into `folder`, which is made if it is missing.
pub(super) fn run(folder: &Path) -> anyhow::Result<Exit> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("cannot write the manual pages into {}", folder.display()))?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_the_program_and_for_each_command() {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path()).unwrap();
        let page = std::fs::read_to_string(dir.path().join("llama-triage.1")).unwrap();
        assert!(page.contains("EXIT STATUS") || page.contains("Exit codes"), "{page}");
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let page = dir.path().join(format!("llama-triage-{}.1", command.get_name()));
            assert!(page.exists(), "{}", page.display());
        }
    }
}
