//! Relative paths follow the folder of the configuration file, so that it means the same from everywhere.

use std::path::{Path, PathBuf};

use crate::config::Config;

impl Config {
    /// Makes every relative path one below this folder, which is the configuration's. Empty paths stay empty.
    pub fn follow(&mut self, folder: &Path) {
        for path in self.paths() {
            if path.is_relative() && !path.as_os_str().is_empty() {
                *path = plain(&folder.join(&*path));
            }
        }
    }

    /// Every path of the configuration that is set.
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let Config { ledger, service, console, project, channel, .. } = self;
        let mut paths = vec![&mut ledger.path];
        let secrets = [&mut service.heartbeat_url_file, &mut service.webhook_secret_file, &mut console.token_file];
        paths.extend(secrets.into_iter().flatten());
        paths.extend(project.iter_mut().flat_map(|project| &mut project.api_key_file));
        for channel in channel {
            let files = [
                &mut channel.smtp_password_file,
                &mut channel.url_file,
                &mut channel.secret_file,
                &mut channel.bearer_file,
                &mut channel.body_template,
                &mut channel.routing_key_file,
                &mut channel.dir,
            ];
            paths.extend(files.into_iter().flatten());
            if let Some(oauth2) = &mut channel.oauth2 {
                let files = [&mut oauth2.secret_file, &mut oauth2.refresh_token_file, &mut oauth2.key_file];
                paths.extend(files.into_iter().flatten());
            }
        }
        paths
    }
}

/// Without "." in it, which joining leaves; ".." stays, for what is before it may be a link.
fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

/// The folder of a configuration file, absolute and by one name, from wherever the file is named.
pub(crate) fn folder_of(file: &Path) -> PathBuf {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let folder = file.parent().map(Path::to_owned).unwrap_or_default();
    folder.canonicalize().unwrap_or(folder)
}

/// A ledger where earlier versions kept it, below the working directory, while there is none where it belongs now.
///
/// `written` is `ledger.path` as it stands in the file.
pub(crate) fn ledger_at_old_path(written: &Path, now: &Path) -> Option<PathBuf> {
    if written.is_absolute() || written.as_os_str().is_empty() || now.exists() {
        return None;
    }
    let before = plain(&std::path::absolute(written).ok()?);
    before.is_file().then_some(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    const TEXT: &str = "[ledger]\npath = \"./rel/l.db\"\n[service]\nheartbeat-url-file = \"rel/h\"\nwebhook-secret-file = \"rel/w\"\n\
        [console]\ntoken-file = \"rel/t\"\n\
        [[project]]\nname = \"p\"\napi-key-file = \"rel/k\"\n[[project]]\nname = \"q\"\napi-key-file = \"/abs/k\"\n\
        [[channel]]\nname = \"c\"\nkind = \"file\"\nsmtp-password-file = \"rel/s\"\nurl-file = \"../rel/u\"\n\
        secret-file = \"rel/x\"\nbearer-file = \"rel/b\"\nbody-template = \"rel/y\"\nrouting-key-file = \"rel/r\"\ndir = \"rel/d\"\n\
        oauth2 = { secret-file = \"rel/o\", refresh-token-file = \"rel/f\", key-file = \"rel/j\" }\n";

    /// Fields of configuration types that hold a path.
    fn fields() -> usize {
        let sources = [
            include_str!("mod.rs"),
            include_str!("channel.rs"),
            include_str!("project.rs"),
            include_str!("console.rs"),
        ];
        let is_path = |line: &&str| {
            let line = line.trim();
            line.starts_with("pub ") && (line.ends_with(": PathBuf,") || line.ends_with(": Option<PathBuf>,"))
        };
        sources.iter().flat_map(|source| source.lines()).filter(is_path).count()
    }

    #[test]
    fn every_relative_path_follows_the_folder_of_the_file() {
        let mut config = toml::from_str::<Config>(TEXT).unwrap();
        let keys = config.paths().len();
        assert_eq!(
            keys,
            fields() + 1,
            "a key of a path is missing in paths(), or here; one of two projects has an absolute one"
        );
        config.follow(Path::new("/etc/team"));
        let paths: Vec<String> = config.paths().iter().map(|path| path.display().to_string()).collect();
        assert_eq!(
            paths,
            [
                "/etc/team/rel/l.db",
                "/etc/team/rel/h",
                "/etc/team/rel/w",
                "/etc/team/rel/t",
                "/etc/team/rel/k",
                "/abs/k",
                "/etc/team/rel/s",
                "/etc/team/../rel/u",
                "/etc/team/rel/x",
                "/etc/team/rel/b",
                "/etc/team/rel/y",
                "/etc/team/rel/r",
                "/etc/team/rel/d",
                "/etc/team/rel/o",
                "/etc/team/rel/f",
                "/etc/team/rel/j",
            ]
        );
    }

    #[test]
    fn a_file_that_is_read_has_absolute_paths() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("llama-triage.toml");
        std::fs::write(&file, "[ledger]\npath = \"l.db\"\n[[project]]\nname = \"p\"\n").unwrap();
        assert_eq!(load::read(&file).unwrap().ledger.path, dir.path().join("l.db"));
    }
}
