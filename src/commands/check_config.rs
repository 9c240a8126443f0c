//! `check-config`: names every mistake at once; touches no network.

use std::path::{Path, PathBuf};

use crate::cli::Global;
use crate::config::project::Api;
use crate::config::{doubts, load};
use crate::core::text::count;
use crate::credentials::Credentials;
use crate::exit::Exit;
use crate::service::worker::Setup;

/// Checks the file, then that every secret it needs can be read and every client can be made.
pub(super) fn run(global: &Global, file_only: bool) -> anyhow::Result<Exit> {
    let config = super::configuration(global)?;
    let path = absolute(&load::find(global.config.as_deref())?);
    if file_only {
        anstream::println!("{}: ok", path.display());
        return Ok(Exit::Done);
    }
    let setup = Setup::new(config, &Credentials::from_environment_or_beside(&path))?;
    anstream::println!(
        "{}: ok, {} and {}, ledger {}",
        path.display(),
        count(setup.projects.len() as u64, "project", "projects"),
        count(setup.channels.len() as u64, "channel", "channels"),
        absolute(&setup.config.ledger.path).display(),
    );
    for project in &setup.config.project {
        anstream::println!(
            "project {}: {} of {}; `llama-triage doctor` asks {}",
            project.name,
            match project.api {
                Api::Auto => "the APIs that answer, v2 or v1-beta or both,".to_owned(),
                api => format!("API {}", api.word()),
            },
            project.base_url,
            if project.api == Api::Auto { "which do" } else { "whether it answers" },
        );
    }
    for channel in &setup.config.channel {
        if let Some(dir) = &channel.dir {
            anstream::println!("channel {}: writes to {}", channel.name, dir.display());
        }
    }
    for (key, doubt) in doubts(&setup.config) {
        anstream::println!("note: {key}: {doubt}");
    }
    Ok(Exit::Done)
}

/// Where a path leads, whatever the working directory is.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
