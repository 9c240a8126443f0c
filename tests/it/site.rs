//! A site as a user has it: a folder with a configuration, keys and a ledger, watching a simulated LlamaCloud.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use jiff::Timestamp;
use llama_triage::internals::config::load;
use llama_triage::internals::credentials::Credentials;
use llama_triage::internals::service::{Setup, Worker};
use llama_triage::internals::simulator::{Options, SimulatedCloud, World};
use rusqlite::Connection;
use tempfile::TempDir;

/// A folder with everything the binary needs, and the cloud it watches.
pub(crate) struct Site {
    /// The simulated LlamaCloud.
    pub(crate) cloud: SimulatedCloud,
    dir: TempDir,
    api: &'static str,
}

impl Site {
    /// Starts the cloud with `world` and writes a configuration for all its projects; `more` is put at its end.
    pub(crate) async fn new(world: World, options: Options, more: &str) -> Site {
        Site::with_api("v1-beta", world, options, more).await
    }

    /// The same, with projects that speak this API.
    pub(crate) async fn with_api(api: &'static str, world: World, options: Options, more: &str) -> Site {
        let cloud = SimulatedCloud::start(world, options).await.unwrap();
        let site = Site { cloud, dir: tempfile::tempdir().unwrap(), api };
        site.configure(more);
        site
    }

    /// Writes the configuration again, with `more` at its end. `{dir}` in it is this folder.
    pub(crate) fn configure(&self, more: &str) {
        let dir = self.dir.path().display().to_string();
        let mut text = format!("[ledger]\npath = \"{dir}/ledger.db\"\n");
        for project in self.cloud.world().projects() {
            let key = self.path(&format!("key-{}", project.name));
            std::fs::write(&key, &project.api_key).unwrap();
            text.push_str(&format!(
                "[[project]]\nname = \"{}\"\nbase-url = \"{}\"\napi-key-file = \"{}\"\napi = \"{}\"\nrequests-per-second = 1000\n",
                project.name,
                self.cloud.url(),
                key.display(),
                self.api,
            ));
        }
        text.push_str(&more.replace("{dir}", &dir));
        std::fs::write(self.path("config.toml"), text).unwrap();
    }

    /// The time of the simulated LlamaCloud.
    pub(crate) fn now(&self) -> Timestamp {
        self.cloud.world().now()
    }

    /// A file in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The same for API v2.
    pub(crate) fn configure_v2(&self, more: &str) {
        self.configure(more);
        let text = std::fs::read_to_string(self.path("config.toml")).unwrap();
        std::fs::write(self.path("config.toml"), text.replace("\"v1-beta\"", "\"v2\"")).unwrap();
    }

    /// A worker inside this process.
    pub(crate) async fn worker(&self) -> Worker {
        let config = load::read(&self.path("config.toml")).unwrap();
        Worker::open(Setup::new(config, &Credentials::default()).unwrap()).await.unwrap()
    }

    /// The built binary with this configuration.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = binary();
        command.current_dir(self.dir.path()).arg("--config").arg(self.path("config.toml")).args(args);
        command
    }

    /// The ledger, read-only.
    pub(crate) fn ledger(&self) -> Connection {
        Connection::open_with_flags(self.path("ledger.db"), rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
    }

    /// All rows of a query with one text column.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        let ledger = self.ledger();
        let mut statement = ledger.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }
}

/// The built binary in a clean environment.
pub(crate) fn binary() -> Command {
    let mut command = Command::cargo_bin("llama-triage").unwrap();
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", "/nonexistent");
    command
}

/// Files below `dir` with this ending, sorted.
pub(crate) fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.display().to_string().ends_with(ending))
        .collect();
    found.sort();
    found
}
