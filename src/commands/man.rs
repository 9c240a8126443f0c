//! `man DIR`: writes the manual pages, one for the program and one for each command.

use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::Cli;
use crate::config::load;
use crate::exit::Exit;

/// Writes `llama-triage.1` and `llama-triage-COMMAND.1` into `folder`, which is made if it is missing.
pub(crate) fn run(folder: &Path) -> anyhow::Result<Exit> {
    let cannot = || format!("cannot write the manual pages into {}", folder.display());
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder).with_context(cannot)?;
    std::fs::write(folder.join("llama-triage.1"), front_page().with_context(cannot)?).with_context(cannot)?;
    Ok(Exit::Done)
}

/// The program's own page: what the command line's help has no place for stands at its end.
fn front_page() -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    // The help's last lines are sections here.
    let man = Man::new(Cli::command().after_help(""));
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    man.render_subcommands_section(&mut page)?;
    page.extend(section("EXIT STATUS", EXIT_STATUS));
    page.extend(section("ENVIRONMENT", ENVIRONMENT));
    let [here, host] = load::PLACES;
    page.extend(section("FILES", &[(here, "The configuration, if this file exists."), (host, FILES)]));
    man.render_version_section(&mut page)?;
    Ok(page)
}

const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "Success, also when the result is empty."),
    ("1", "Something failed."),
    ("2", "The command line was wrong."),
    ("3", "No such id."),
    ("4", "The ledger is missing, unreadable or newer than the program."),
    ("5", "The last complete scan is older than --require-fresh allows."),
    ("10", "The condition of --fail-if holds."),
    ("78", "The configuration has mistakes; systemd does not restart the service for this one."),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    ("LLAMA_TRIAGE_CONFIG", "The configuration file, as --config."),
    ("LLAMA_TRIAGE_LEDGER", "The ledger, as --ledger."),
    ("LLAMA_CLOUD_API_KEY", "The API key, if neither a file nor a systemd credential provides one."),
    ("NO_COLOR", "Switches colours off."),
];

const FILES: &str = "Otherwise this one. Beside it, credentials/ holds a file for each secret, readable by root only.";

fn section(title: &str, entries: &[(&str, &str)]) -> Vec<u8> {
    let escape = |text: &str| text.replace('\\', "\\e").replace('-', "\\-");
    let entries = entries.iter().map(|(word, text)| format!(".TP\n\\fB{}\\fR\n{}\n", escape(word), escape(text)));
    format!(".SH \"{title}\"\n{}", entries.collect::<String>()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_the_program_and_for_each_command() {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path()).unwrap();
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let page = dir.path().join(format!("llama-triage-{}.1", command.get_name()));
            assert!(page.exists(), "{}", page.display());
        }
    }

    #[test]
    fn the_front_page_names_every_exit_code_and_variable() {
        let page = String::from_utf8(front_page().unwrap()).unwrap();
        let help = Cli::command().get_after_help().unwrap().to_string();
        for (code, _) in EXIT_STATUS {
            assert!(page.contains(&format!("\\fB{code}\\fR")) && help.contains(&format!("{code} ")), "{code}");
        }
        for argument in Cli::command().get_arguments().filter_map(|argument| argument.get_env()) {
            assert!(page.contains(&*argument.to_string_lossy()), "{argument:?}");
        }
        assert!(!page.contains("EXTRA"), "{page}");
    }
}
