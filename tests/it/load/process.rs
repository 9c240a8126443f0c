//! The service under a clock that runs faster, and what it takes of the machine.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::LIBRARY;

/// A running `serve`.
pub(super) struct Service(Child);

/// What the service took at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// Minutes of the day that had passed.
    pub(super) minute: i64,
    /// Which process it was, counted from 1.
    pub(super) life: usize,
    /// Its own memory, without files that are mapped, in KiB.
    pub(super) memory: u64,
    pub(super) descriptors: usize,
    /// The write-ahead log in KiB.
    pub(super) log: u64,
}

impl Service {
    /// Starts it at this simulated time.
    pub(super) fn start(config: &Path, now: Timestamp, speed: u32) -> Service {
        let began = TimeZone::UTC.to_datetime(now).strftime("@%Y-%m-%d %H:%M:%S").to_string();
        let child = Command::new(env!("CARGO_BIN_EXE_llama-triage"))
            .env_clear()
            .env("LD_PRELOAD", LIBRARY)
            .env("FAKETIME", format!("{began} x{speed}"))
            .env("TZ", "UTC")
            .args(["-q", "serve", "--config"])
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Service(child.unwrap())
    }

    /// Asserts that it is still running, and looks at it.
    pub(super) fn sample(&mut self, minute: i64, life: usize, ledger: &Path) -> Sample {
        assert!(self.0.try_wait().unwrap().is_none(), "the service ended by itself in minute {minute}");
        let process = PathBuf::from(format!("/proc/{}", self.0.id()));
        let status = std::fs::read_to_string(process.join("status")).unwrap();
        let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let log = std::fs::metadata(format!("{}-wal", ledger.display()));
        Sample {
            minute,
            life,
            memory: memory.trim().trim_end_matches(" kB").parse().unwrap(),
            descriptors: std::fs::read_dir(process.join("fd")).unwrap().count(),
            log: log.map_or(0, |log| log.len() / 1024),
        }
    }

    /// SIGTERM, which must end well, or SIGKILL.
    pub(super) fn end(mut self, gently: bool) {
        if !gently {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
            return;
        }
        let sent = Command::new("kill").arg("-TERM").arg(self.0.id().to_string()).status().unwrap();
        assert!(sent.success());
        assert!(self.0.wait().unwrap().success(), "SIGTERM did not end it well");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
    }
}
