//! What root, who asks, can read and write, and the service, which runs as the owner of the ledger's folder, cannot.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::credentials::Credentials;
use crate::file_owner::{folder_of, name_of};
use crate::service::doctor::CheckResult;

/// What is needed of a file, or of a folder, as the last digit of its mode.
const READ: u32 = 0o4;
const WRITE_IN: u32 = 0o3;
const PASS: u32 = 0o1;

/// The configuration at `file`, the secret files that it names, and the folders of its channels; empty if the service can
/// use all of them, runs as root, or has no folder yet. Secrets in the credentials folder are systemd's to hand over.
pub(crate) fn examine(config: &Config, file: &Path) -> Vec<CheckResult> {
    let Ok(folder) = std::fs::metadata(folder_of(&config.ledger.path)) else { return Vec::new() };
    let service = folder.uid();
    if service == 0 {
        return Vec::new();
    }
    let secrets = Credentials::default().files(config).into_iter().map(|path| (path, READ, "read"));
    let folders = config.channel.iter().filter_map(|channel| Some((channel.dir.clone()?, WRITE_IN, "write in")));
    let templates = config.channel.iter().filter_map(|channel| Some((channel.body_template.clone()?, READ, "read")));
    let needed: Vec<(PathBuf, u32, &str)> =
        std::iter::once((file.to_owned(), READ, "read")).chain(secrets).chain(templates).chain(folders).collect();
    needed.into_iter().filter_map(|(path, bits, what)| closed_to(service, &path, bits, what)).collect()
}

fn closed_to(service: u32, path: &Path, bits: u32, what: &str) -> Option<CheckResult> {
    // A link is as open as what it leads to; what is missing is said by others.
    let path = std::fs::canonicalize(path).ok()?;
    let on_the_way: Vec<&Path> = path.ancestors().skip(1).collect();
    let closed = on_the_way.into_iter().rev().map(|folder| (folder, PASS)).chain([(path.as_path(), bits)]);
    let (place, has) = closed.filter_map(|(place, bits)| refuses(service, place, bits)).next()?;
    let (name, service) = (path.display().to_string(), name_of(service));
    let says = format!("{} is owned by {}: a service of {service} cannot {what} {name}", place.display(), name_of(has));
    let advice =
        if place == path { format!("chown {service}: {name}") } else { format!("move it where {service} can go") };
    Some(CheckResult::fail("permission", &name, says, advice))
}

/// The place and its owner, if the service's user may not do this. A permission of its group is taken for the service's.
fn refuses(service: u32, place: &Path, bits: u32) -> Option<(&Path, u32)> {
    let found = std::fs::metadata(place).ok()?;
    let allows = |shift: u32| (found.mode() >> shift) & bits == bits;
    let may = if found.uid() == service { allows(6) } else { allows(3) || allows(0) };
    (!may).then(|| (place, found.uid()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;
    use crate::config::channel::ChannelConfig;
    use crate::config::project::ProjectConfig;

    #[test]
    fn a_secret_and_a_folder_that_only_root_may_use_are_reported() {
        // Only root can make what it looks like.
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let place = |name: &str| dir.path().join(name);
        std::fs::create_dir(place("out")).unwrap();
        std::fs::create_dir(place("state")).unwrap();
        std::fs::write(place("key"), "k").unwrap();
        std::fs::write(place("config.toml"), "").unwrap();
        let mut config = Config::default();
        config.ledger.path = place("state/ledger.db");
        config.project = vec![ProjectConfig { api_key_file: Some(place("key")), ..ProjectConfig::default() }];
        config.channel = vec![ChannelConfig { dir: Some(place("out")), ..ChannelConfig::default() }];
        let set = |name: &str, mode| std::fs::set_permissions(place(name), PermissionsExt::from_mode(mode)).unwrap();
        let warnings = || {
            let found = examine(&config, &place("config.toml"));
            found.into_iter().map(|found| (found.subject, found.advice.unwrap())).collect::<Vec<_>>()
        };
        for (name, mode) in [("", 0o755), ("out", 0o755), ("key", 0o600), ("config.toml", 0o644)] {
            set(name, mode);
        }
        assert_eq!(warnings(), [], "the service is root's");
        chown(place("state"), Some(4242), Some(4242)).unwrap();
        let [key, out] = ["key", "out"].map(|name| place(name).display().to_string());
        let warning = |name: &String| (name.clone(), format!("chown 4242: {name}"));
        assert_eq!(warnings(), [warning(&key), warning(&out)]);
        set("key", 0o640);
        chown(place("out"), Some(4242), None).unwrap();
        assert_eq!(warnings(), [], "its group may be the service's");
        set("", 0o700);
        assert_eq!(warnings().len(), 3, "no way leads there");
    }
}
