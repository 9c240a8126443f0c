//! Files with secrets that more people can read than should.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::config::channel::ChannelKind;
use crate::credentials::{CONSOLE_TOKEN, Credentials, SecretUse, channel_secret_names, project_key_names};
use crate::model::redact::secret_forms::SHORTEST;

/// For others: to read a file, and to reach what is in a folder.
const READ: u32 = 0o004;
const REACH: u32 = 0o001;

/// A file, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub says: String,
    /// What to do.
    pub advice: String,
}

impl Credentials {
    /// Files with secrets, and the ledger, that every user of this host can read; secrets that are too short to be masked.
    /// `file` is the configuration, which may hold addresses that are secrets. Files that are missing are none.
    pub fn exposed(&self, config: &Config, file: &Path) -> Vec<Exposed> {
        let secrets = self.files(config);
        let mut open: Vec<(PathBuf, &str)> = secrets.iter().map(|path| (path.clone(), "a secret")).collect();
        if holds_secrets(config) {
            open.push((file.to_owned(), "an address that is a secret"));
        }
        open.push((config.ledger.path.clone(), "the ledger, with names and messages of customers' files"));
        open.retain(|(path, _)| can_be_read_by_all(path));
        let open = open.into_iter().map(|(path, what)| Exposed {
            says: format!("readable by every user of this host, and contains {what}"),
            advice: format!("chmod o-rwx {}", path.display()),
            path,
        });
        let short = secrets.iter().filter(|path| is_short(path)).map(|path| Exposed {
            path: path.clone(),
            says: format!(
                "the secret has fewer than {SHORTEST} bytes, so it cannot be masked where a server repeats it"
            ),
            advice: "choose a longer one".to_owned(),
        });
        open.chain(short).collect()
    }

    /// The files that secrets of this configuration come from, each once.
    pub(crate) fn files(&self, config: &Config) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = Vec::new();
        for project in &config.project {
            files.extend(self.locate(project.api_key_file.as_deref(), &project_key_names(project)));
        }
        for channel in &config.channel {
            for use_for in SecretUse::of(channel.kind) {
                let (file, name) = channel_secret_names(channel, *use_for);
                files.extend(self.locate(file, &[name]));
            }
        }
        let service = &config.service;
        files.extend(self.locate(service.heartbeat_url_file.as_deref(), &["heartbeat-url".to_owned()]));
        let webhook = ["llamacloud-webhook-secret".to_owned()];
        files.extend(self.locate(service.webhook_secret_file.as_deref(), &webhook));
        files.extend(self.locate(config.console.token_file.as_deref(), &[CONSOLE_TOKEN.to_owned()]));
        files.sort();
        files.dedup();
        files
    }
}

/// Whether the configuration itself holds an address that lets anyone post.
fn holds_secrets(config: &Config) -> bool {
    let chat = |kind| matches!(kind, ChannelKind::Slack | ChannelKind::Teams);
    config.service.heartbeat_url.is_some()
        || config.channel.iter().any(|channel| chat(channel.kind) && channel.url.is_some())
}

/// Whether the file is open to all, and every folder on the way to it.
fn can_be_read_by_all(path: &Path) -> bool {
    let Ok(path) = std::fs::canonicalize(path) else { return false };
    let allows = |path: &Path, bit| std::fs::metadata(path).is_ok_and(|found| found.mode() & bit != 0);
    allows(&path, READ) && path.ancestors().skip(1).all(|folder| allows(folder, REACH))
}

fn is_short(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| (1..SHORTEST).contains(&text.trim().len()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::project::ProjectConfig;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_secret_that_all_can_read_is_reported_unless_its_folder_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        set_mode(dir.path(), 0o755);
        let (key, tiny, file) = (dir.path().join("key"), dir.path().join("tiny"), dir.path().join("config.toml"));
        for (path, text) in [(&key, "llx-4f1c9-4f1c9\n"), (&tiny, "abc\n"), (&file, "")] {
            std::fs::write(path, text).unwrap();
            set_mode(path, 0o640);
        }
        let project = |name: &str, key: &Path| ProjectConfig {
            name: name.to_owned(),
            api_key_file: Some(key.to_owned()),
            ..ProjectConfig::default()
        };
        let mut config = Config { project: vec![project("a", &key), project("b", &key)], ..Config::default() };
        let told = |config: &Config| Credentials::default().exposed(config, &file);
        assert_eq!(told(&config), []);
        set_mode(&key, 0o644);
        let found = told(&config);
        assert_eq!(found.len(), 1, "once for two projects: {found:?}");
        assert!(found[0].path == key && found[0].says.contains("every user"), "{found:?}");
        set_mode(dir.path(), 0o700);
        assert_eq!(told(&config), [], "nobody gets there");
        set_mode(dir.path(), 0o755);
        set_mode(&key, 0o600);
        set_mode(&file, 0o644);
        assert_eq!(told(&config), [], "it holds no secret");
        config.service.heartbeat_url = Some("https://hc.example.com/ping/1f".to_owned());
        assert_eq!(told(&config)[0].path, file);
        config.service.heartbeat_url = None;
        config.project.push(project("c", &tiny));
        assert!(told(&config)[0].says.contains("fewer than 4 bytes"), "{:?}", told(&config));
    }

    #[test]
    fn a_ledger_that_all_can_read_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        set_mode(dir.path(), 0o755);
        let mut config = Config::default();
        config.ledger.path = dir.path().join("ledger.db");
        std::fs::write(&config.ledger.path, "").unwrap();
        set_mode(&config.ledger.path, 0o644);
        let found = Credentials::default().exposed(&config, Path::new("none"));
        assert!(found.len() == 1 && found[0].says.contains("the ledger"), "{found:?}");
    }
}
