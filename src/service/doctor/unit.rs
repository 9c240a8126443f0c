//! The systemd unit: whether it runs and starts at boot, and whether it may write where the configuration says.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::config::Config;
use crate::service::doctor::CheckResult;

/// Where the units' configurations are; a file elsewhere is none of theirs.
const HOME: &str = "/etc/llama-triage";

/// What is asked about each unit.
const PROPERTIES: &str = "--property=Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,\
                          User,ProtectSystem,StateDirectory,ReadWritePaths,Environment";

/// The unit that reads the configuration at `file`, where there is systemd.
pub(crate) async fn examine(file: &Path, config: &Config) -> Vec<CheckResult> {
    if !Path::new("/run/systemd/system").exists() {
        return vec![CheckResult::ok("unit", "", "this host does not run systemd")];
    }
    let asked = tokio::process::Command::new("systemctl")
        .arg("show")
        .args(units_of(file))
        .arg(PROPERTIES)
        .stdin(Stdio::null())
        .output()
        .await;
    match asked {
        Ok(answer) if answer.status.success() => {
            let shown = String::from_utf8_lossy(&answer.stdout);
            let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
            let fence = Fence::read(&shown).filter(|_| file.parent() == Some(Path::new(HOME)));
            let limits = fence.into_iter().flat_map(|fence| fence.examine(config, &passwd));
            std::iter::once(judge(&shown)).chain(limits).collect()
        }
        Ok(answer) => {
            let says = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
            vec![CheckResult::warn("unit", "", says, "run as root: systemctl status llama-triage")]
        }
        Err(error) => {
            let says = format!("systemctl: {error}");
            vec![CheckResult::warn("unit", "", says, "run: systemctl status llama-triage")]
        }
    }
}

/// `NAME.toml` beside `config.toml` is the file of an instance of its own.
fn units_of(file: &Path) -> Vec<String> {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    if file.parent() == Some(Path::new(HOME)) && name != "config" {
        return vec![format!("llama-triage@{name}.service")];
    }
    ["llama-triage.service", "llama-triage-cycle.timer"].map(str::to_owned).into()
}

fn get<'s>(block: &'s str, key: &str) -> &'s str {
    block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default()
}

/// Judges what `systemctl show` printed: a block of `key=value` lines for each unit.
fn judge(shown: &str) -> CheckResult {
    let mut best: Option<CheckResult> = None;
    for block in shown.split("\n\n") {
        let (name, active, enabled) = (get(block, "Id"), get(block, "ActiveState"), get(block, "UnitFileState"));
        let says = format!("{active}, {enabled}");
        let start = format!("systemctl enable --now {name}");
        let finding = match (get(block, "LoadState"), active, enabled) {
            ("not-found", ..) => continue,
            (_, "failed", _) => CheckResult::fail("unit", name, says, format!("journalctl -u {name}; then {start}")),
            _ if get(block, "NeedDaemonReload") == "yes" => {
                CheckResult::warn("unit", name, "changed since systemd loaded it", "systemctl daemon-reload")
            }
            (_, "active" | "reloading", "enabled") => return CheckResult::ok("unit", name, says),
            _ => CheckResult::warn("unit", name, says, start),
        };
        let worse = best.as_ref().is_none_or(|best| finding.verdict > best.verdict);
        if worse {
            best = Some(finding);
        }
    }
    best.unwrap_or_else(|| {
        CheckResult::warn("unit", "", "llama-triage.service is not installed", "see docs/install.md")
    })
}

/// What the unit may do: a user who runs this command may do more, and would see nothing wrong.
#[derive(Debug, PartialEq, Eq)]
struct Fence {
    unit: String,
    user: String,
    /// Folders that it may write to; none if it may write everywhere.
    writable: Option<Vec<PathBuf>>,
    /// The ledger that the unit names, whatever the file says.
    ledger: Option<PathBuf>,
}

impl Fence {
    fn read(shown: &str) -> Option<Fence> {
        let block =
            shown.split("\n\n").find(|block| get(block, "LoadState") == "loaded" && block.contains("\nUser="))?;
        let state = get(block, "StateDirectory").split_whitespace().map(|name| Path::new("/var/lib").join(name));
        let more =
            get(block, "ReadWritePaths").split_whitespace().map(|path| path.trim_start_matches(['-', '+']).into());
        let ledger =
            get(block, "Environment").split_whitespace().find_map(|set| set.strip_prefix("LLAMA_TRIAGE_LEDGER="));
        Some(Fence {
            unit: get(block, "Id").to_owned(),
            user: get(block, "User").to_owned(),
            writable: (get(block, "ProtectSystem") == "strict").then(|| state.chain(more).collect()),
            ledger: ledger.map(PathBuf::from),
        })
    }

    fn examine(&self, config: &Config, passwd: &str) -> Vec<CheckResult> {
        let mut findings = Vec::new();
        let ledger = self.ledger.as_ref().unwrap_or(&config.ledger.path);
        if *ledger != config.ledger.path {
            let says = format!("the unit uses the ledger {}; this configuration names another one", ledger.display());
            let advice = format!("write path = {ledger:?} below [ledger]");
            findings.push(CheckResult::warn("ledger", &config.ledger.path.display().to_string(), says, advice));
        }
        let folders = config.channel.iter().filter_map(|channel| channel.dir.as_deref());
        for folder in ledger.parent().into_iter().chain(folders) {
            findings.extend(self.shuts_out(folder));
        }
        let folders = config.channel.iter().filter_map(|channel| channel.dir.as_deref());
        if let Some(uid) = uid_of(&self.user, passwd) {
            findings
                .extend([ledger.as_path()].into_iter().chain(folders).filter_map(|path| self.foreign_owner(path, uid)));
        }
        findings
    }

    fn shuts_out(&self, folder: &Path) -> Option<CheckResult> {
        let writable = self.writable.as_ref()?;
        let name = folder.display().to_string();
        let advice = format!("systemctl edit {}, and write: [Service] ReadWritePaths={name}", self.unit);
        let says = format!("{} may not write there (ProtectSystem=strict)", self.unit);
        (!writable.iter().any(|allowed| folder.starts_with(allowed)))
            .then(|| CheckResult::fail("unit", &name, says, advice))
    }

    /// systemd gives the state directory as a whole to the user when it starts, but only if the folder itself is another's.
    fn foreign_owner(&self, path: &Path, uid: u32) -> Option<CheckResult> {
        let owner = |path: &Path| std::fs::metadata(path).ok().map(|found| found.uid());
        let is_foreign = |path: &Path| owner(path).is_some_and(|owner| owner != uid);
        let given = self.writable.iter().flatten().any(|allowed| path.starts_with(allowed) && is_foreign(allowed));
        let name = path.display().to_string();
        let says = format!("not owned by {}, the user of {}", self.user, self.unit);
        let advice = format!("chown -R {}: {name}", self.user);
        (is_foreign(path) && !given).then(|| CheckResult::fail("unit", &name, says, advice))
    }
}

fn uid_of(user: &str, passwd: &str) -> Option<u32> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(user))?;
    line.split(':').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::channel::ChannelConfig;
    use crate::service::doctor::CheckStatus;

    fn shown(load: &str, active: &str, enabled: &str, reload: &str) -> String {
        format!(
            "Id=llama-triage.service\nLoadState={load}\nActiveState={active}\nUnitFileState={enabled}\nNeedDaemonReload={reload}\n\n\
             Id=llama-triage-cycle.timer\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\nNeedDaemonReload=no\n"
        )
    }

    #[test]
    fn the_unit_is_fine_only_if_it_runs_and_starts_at_boot() {
        let verdict = |shown: String| judge(&shown).verdict;
        assert_eq!(verdict(shown("loaded", "active", "enabled", "no")), CheckStatus::Ok);
        assert_eq!(verdict(shown("loaded", "active", "disabled", "no")), CheckStatus::Warn);
        assert_eq!(verdict(shown("loaded", "active", "enabled", "yes")), CheckStatus::Warn);
        assert_eq!(verdict(shown("loaded", "failed", "enabled", "no")), CheckStatus::Fail);
        assert_eq!(verdict(shown("not-found", "inactive", "", "no")), CheckStatus::Warn);
    }

    #[test]
    fn an_instances_file_is_judged_by_its_own_unit() {
        assert_eq!(units_of(Path::new("/etc/llama-triage/blue.toml")), ["llama-triage@blue.service"]);
        for other in ["/etc/llama-triage/config.toml", "config/llama-triage.toml", "/home/me/blue.toml"] {
            assert_eq!(units_of(Path::new(other))[0], "llama-triage.service", "{other}");
        }
    }

    fn fence(home: &Path) -> Fence {
        let shown = format!(
            "User=somebody\nEnvironment=A=b LLAMA_TRIAGE_LEDGER={0}/ledger.db\nReadWritePaths=-{0}\nProtectSystem=strict\n\
             StateDirectory=llama-triage/blue\nId=llama-triage@blue.service\nLoadState=loaded\n",
            home.display()
        );
        Fence::read(&format!("\n{shown}")).unwrap()
    }

    #[test]
    fn what_the_unit_may_not_write_is_reported_although_root_may() {
        let dir = tempfile::tempdir().unwrap();
        let fence = fence(dir.path());
        let mut config = Config::default();
        let place = |path: &Path| ChannelConfig { dir: Some(path.to_owned()), ..ChannelConfig::default() };
        config.ledger.path = dir.path().join("ledger.db");
        config.channel = vec![place(&dir.path().join("out")), place(Path::new("/var/lib/llama-triage/blue/out"))];
        assert_eq!(fence.examine(&config, ""), []);
        config.channel.push(place(Path::new("/var/lib/llama-triage/blues")));
        let results = fence.examine(&config, "");
        assert_eq!((results.len(), results[0].verdict), (1, CheckStatus::Fail), "{results:?}");
        assert!(
            results[0].advice.as_ref().unwrap().contains("ReadWritePaths=/var/lib/llama-triage/blues"),
            "{results:?}"
        );
    }

    #[test]
    fn a_ledger_that_commands_manually_would_miss_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let results = fence(dir.path()).examine(&Config::default(), "");
        assert_eq!(
            (results.len(), results[0].check, results[0].verdict),
            (1, "ledger", CheckStatus::Warn),
            "{results:?}"
        );
    }

    #[test]
    fn a_ledger_of_another_user_is_reported_unless_systemd_will_hand_it_over() {
        let dir = tempfile::tempdir().unwrap();
        let fence = Fence { writable: Some(vec!["/".into()]), ..fence(dir.path()) };
        let mut config = Config::default();
        config.ledger.path = dir.path().join("ledger.db");
        std::fs::write(&config.ledger.path, "").unwrap();
        let (file, root) =
            (std::fs::metadata(&config.ledger.path).unwrap().uid(), std::fs::metadata("/").unwrap().uid());
        let results = |uid: u32| fence.examine(&config, &format!("root:x:99999:\nsomebody:x:{uid}:1::/:/bin/sh\n"));
        assert_eq!(results(file), []);
        let fence_of_one = Fence { writable: None, ..fence_of(&fence) };
        let told_of_one = fence_of_one.examine(&config, "somebody:x:4242:1::/:/bin/sh\n");
        assert!(told_of_one[0].advice.as_ref().unwrap().starts_with("chown -R somebody:"), "{told_of_one:?}");
        if root != 4242 {
            assert_eq!(results(4242), [], "the folder itself is another's: systemd hands all of it over");
        }
    }

    fn fence_of(fence: &Fence) -> Fence {
        Fence { unit: fence.unit.clone(), user: fence.user.clone(), writable: None, ledger: fence.ledger.clone() }
    }
}
