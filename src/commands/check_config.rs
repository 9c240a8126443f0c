//! `check-config`: reports every mistake at once; makes no network requests.

use std::path::{Path, PathBuf};

use crate::cli::Global;
use crate::config::check::warnings::warnings;
use crate::config::load;
use crate::config::project::Api;
use crate::credentials::Credentials;
use crate::exit::Exit;
use crate::model::text::count;
use crate::say;
use crate::service::setup::Setup;

/// Checks the file, then that every secret can be read and every client can be built.
pub(crate) fn run(global: &Global, file_only: bool) -> anyhow::Result<Exit> {
    let config = crate::commands::configuration(global)?;
    let path = absolute(&load::find(global.config.as_deref())?);
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
        absolute(&setup.config.ledger.path).display(),
    );
    for project in &setup.config.project {
        say!(
            "project {}: {} of {}; `llama-triage doctor` checks {}",
            project.name,
            match project.api {
                Api::Auto => "API v2, v1-beta or both (detected)".to_owned(),
                api => format!("API {}", api.word()),
            },
            project.base_url,
            if project.api == Api::Auto { "which answer" } else { "whether it answers" },
        );
    }
    for channel in &setup.config.channel {
        if let Some(dir) = &channel.dir {
            say!("channel {}: writes to {}", channel.name, dir.display());
        }
    }
    for (key, doubt) in warnings(&setup.config) {
        say!("note: {key}: {doubt}");
    }
    for exposed in credentials.exposed(&setup.config, &path) {
        say!("note: {}: {}: {}", exposed.path.display(), exposed.says, exposed.advice);
    }
    Ok(Exit::Done)
}

/// The absolute form of a path.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
