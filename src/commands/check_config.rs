//! `check-config`: names every mistake at once; touches no network.

use crate::cli::Global;
use crate::config::{doubts, load};
use crate::core::text::count;
use crate::credentials::Credentials;
use crate::exit::Exit;
use crate::say;
use crate::service::worker::Setup;

/// Checks the file, then that every secret it needs can be read and every client can be made.
pub(super) fn run(global: &Global, file_only: bool) -> anyhow::Result<Exit> {
    let config = super::configuration(global)?;
    let path = load::find(global.config.as_deref())?;
    if file_only {
        say!("{}: ok", path.display());
        return Ok(Exit::Done);
    }
    let credentials = Credentials::from_environment_or_beside(&path);
    let setup = Setup::new(config, &credentials)?;
    say!(
        "{}: ok, {} and {}, ledger {}",
        path.display(),
        count(setup.projects.len() as u64, "project", "projects"),
        count(setup.channels.len() as u64, "channel", "channels"),
        setup.config.ledger.path.display(),
    );
    for project in &setup.config.project {
        say!(
            "project {}: API {} of {}; `llama-triage doctor` asks whether it answers",
            project.name,
            project.api.word(),
            project.base_url,
        );
    }
    for (key, doubt) in doubts(&setup.config) {
        say!("note: {key}: {doubt}");
    }
    for exposed in credentials.exposed(&setup.config, &path) {
        say!("note: {}: {}: {}", exposed.path.display(), exposed.says, exposed.advice);
    }
    Ok(Exit::Done)
}
