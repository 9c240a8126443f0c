//! Failing disks and files: a clear message, the right exit code, nothing overwritten, no data lost after recovery.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use llama_triage::internals::simulator::{Failure, Options, Random, ScriptedCause, World, WorldBuilder};

use crate::site::Site;

/// A batch now, and a large one that is not made yet.
pub(crate) fn world() -> World {
    let long = "the reader stopped at an object that it does not know ".repeat(20);
    let now = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(2);
    let mut world =
        WorldBuilder::at(now).batch("b1").items(20, "early", ScriptedCause::Permanent(Failure::text("it broke")));
    world = world.batch("b2").made_ago(jiff::SignedDuration::from_mins(-10));
    for number in 0..2_000 {
        world = world.item(&format!("late-{number}")).fails(&format!("{long}{number}"));
    }
    world.build()
}

pub(crate) fn make_the_large_batch(site: &Site) {
    site.cloud.world().advance(jiff::SignedDuration::from_mins(30));
}

pub(crate) fn ledger_in(site: &Site, folder: &Path) -> PathBuf {
    let path = folder.join("ledger.db");
    let text = std::fs::read_to_string(site.path("config.toml")).unwrap();
    let moved = text.replacen(&format!("{:?}", site.path("ledger.db")), &format!("{path:?}"), 1);
    std::fs::write(site.path("config.toml"), moved).unwrap();
    path
}

pub(crate) fn items(ledger: &Path) -> i64 {
    let ledger = rusqlite::Connection::open(ledger).unwrap();
    ledger.query_row("SELECT count(*) FROM item", [], |row| row.get(0)).unwrap()
}

fn stderr(run: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(run.get_output().stderr.clone()).unwrap()
}

/// A small file system in memory; only root can make one.
pub(crate) struct SmallDisk(pub(crate) PathBuf);

impl SmallDisk {
    pub(crate) fn mount(folder: &Path, size: &str) -> Option<SmallDisk> {
        std::fs::create_dir_all(folder).unwrap();
        let size = format!("size={size}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "none"]).arg(folder).stderr(std::process::Stdio::null());
        // Without the right to mount, or without `mount`, the test has nothing to stand on.
        let mounted = mount.status();
        mounted.is_ok_and(|status| status.success()).then(|| SmallDisk(folder.to_owned()))
    }

    pub(crate) fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _left_to_the_end_of_the_machine = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_reported_and_costs_nothing_that_was_there() {
    let site = Site::new(world(), Options::default(), "").await;
    let Some(disk) = SmallDisk::mount(&site.path("disk"), "1200k") else {
        eprintln!("not root: the full disk is left to `a_file_that_may_not_grow_…`");
        return;
    };
    let ledger = ledger_in(&site, &disk.0);
    site.command(&["scan"]).assert().success();
    make_the_large_batch(&site);
    let run = site.command(&["scan"]).assert().code(1);
    assert!(stderr(&run).contains("disk under the ledger is full: free space"), "{}", stderr(&run));
    site.command(&["ledger", "check"]).assert().success();
    assert!(items(&ledger) >= 20);
    // Not even room for SQLite's index of an empty log.
    let filled = std::fs::File::create(disk.0.join("full")).unwrap();
    while (&filled).write_all(&[1; 4096]).is_ok() {}
    assert!(!disk.0.join("ledger.db-wal").exists());
    site.command(&["report", "groups"]).assert().success();
    site.command(&["report", "items"]).assert().success();
    disk.remount("size=64m");
    site.command(&["scan"]).assert().success();
    assert_eq!(items(&ledger), 2_020);
    site.command(&["ledger", "check"]).assert().success();
}

/// What a quota does, and what can be tried without being root.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_may_not_grow_is_reported_and_costs_nothing_that_was_there() {
    let site = Site::new(world(), Options::default(), "").await;
    site.command(&["scan"]).assert().success();
    make_the_large_batch(&site);
    let limited = "trap '' XFSZ; ulimit -f 1500; exec \"$@\"";
    let run = assert_cmd::Command::new("sh")
        .env_clear()
        .args(["-c", limited, "sh", env!("CARGO_BIN_EXE_llama-triage"), "scan", "--config"])
        .arg(site.path("config.toml"))
        .assert()
        .code(1);
    let said = stderr(&run);
    assert!(said.contains("free space") || said.contains("file size limits"), "{said}");
    site.command(&["ledger", "check"]).assert().success();
    assert!(items(&site.path("ledger.db")) >= 20);
    site.command(&["scan"]).assert().success();
    assert_eq!(items(&site.path("ledger.db")), 2_020);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_file_system_can_be_asked_and_not_scanned() {
    let site = Site::new(world(), Options::default(), "").await;
    let Some(disk) = SmallDisk::mount(&site.path("disk"), "8m") else {
        eprintln!("not root: a read-only file system cannot be made");
        return;
    };
    let ledger = ledger_in(&site, &disk.0);
    site.command(&["scan"]).assert().success();
    disk.remount("ro");
    let run = site.command(&["scan"]).assert().code(4);
    assert!(stderr(&run).contains("Read-only file system"), "{}", stderr(&run));
    site.command(&["report", "items", "--ledger"]).arg(&ledger).assert().success();
    let run = site.command(&["group", "note", "g-1", "seen"]).assert().code(4);
    assert!(stderr(&run).contains("Read-only file system"), "{}", stderr(&run));
    site.command(&["ledger", "check"]).assert().success();
    disk.remount("rw");
    site.command(&["scan"]).assert().success();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_may_not_be_written_is_named() {
    let site = Site::new(world(), Options::default(), "").await;
    let folder = site.path("closed");
    std::fs::create_dir(&folder).unwrap();
    ledger_in(&site, &folder.join("inner"));
    // Root may write anywhere, so for root a file stands where the folder must be.
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(folder.join("inner"), "in the way").is_ok() {
        assert_eq!(std::fs::read_to_string(folder.join("inner")).unwrap(), "in the way");
    }
    let run = site.command(&["scan"]).assert().code(4);
    assert!(stderr(&run).contains("closed/inner"), "{}", stderr(&run));
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_write_ahead_log_costs_only_a_scan() {
    let site = Site::new(world(), Options::default(), "").await;
    site.command(&["scan"]).assert().success();
    let ledger = site.path("ledger.db");
    make_the_large_batch(&site);
    // A reader that stays keeps the log from being folded into the ledger when the scan ends.
    let reader = site.ledger();
    let _seen: i64 = reader.query_row("SELECT count(*) FROM item", [], |row| row.get(0)).unwrap();
    site.command(&["scan"]).assert().success();
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(&ledger, copy.path().join("ledger.db")).unwrap();
    drop(reader);
    let old = ledger_in(&site, copy.path());
    let before = items(&old);
    assert!((20..2_020).contains(&before), "the log was not lost: {before}");
    site.command(&["ledger", "check"]).assert().success();
    site.command(&["scan"]).assert().success();
    assert_eq!(items(&old), 2_020);
    site.command(&["ledger", "check"]).assert().success();
}

#[tokio::test(flavor = "multi_thread")]
async fn flipped_bits_are_reported_without_a_panic() {
    let site = Site::new(world(), Options::default(), "").await;
    make_the_large_batch(&site);
    site.command(&["scan"]).assert().success();
    let ledger = site.path("ledger.db");
    let whole = std::fs::read(&ledger).unwrap();
    let mut random = Random::new(3);
    let all_items = || site.command(&["report", "items", "--limit", "0", "--format", "csv"]).output().unwrap();
    let right = all_items().stdout;
    let clear = || {
        for rest in ["-wal", "-shm"] {
            let _was_not_there = std::fs::remove_file(format!("{}{rest}", ledger.display()));
        }
    };
    for round in 0..8 {
        let mut damaged = whole.clone();
        // A page's header decides more than a text in its middle.
        let page = random.between(0, whole.len() as u64 / 4096 - 1) as usize * 4096;
        damaged[page..page + 16].fill(0xa5);
        std::fs::write(&ledger, &damaged).unwrap();
        let answer = all_items();
        assert!(answer.status.code() == Some(4) || answer.stdout == right, "round {round}: a wrong answer");
        clear();
        for _ in 0..20 {
            let place = random.between(0, whole.len() as u64 - 1) as usize;
            damaged[place] ^= 1 << (random.draw() % 8);
        }
        for command in [&["ledger", "check"][..], &["report", "groups"], &["scan"]] {
            std::fs::write(&ledger, &damaged).unwrap();
            let run = site.command(command).assert();
            let (code, said) = (run.get_output().status.code(), stderr(&run));
            assert!(!said.contains("panicked"), "round {round}, {command:?}: {said}");
            assert!(matches!(code, Some(0 | 1 | 4)), "round {round}, {command:?}: {code:?} {said}");
            if code == Some(4) {
                assert!(said.contains("damaged") && said.contains("ledger backup"), "{command:?}: {said}");
            } else {
                assert_ne!((command[0], code), ("ledger", Some(0)), "round {round}: the check found nothing");
            }
            clear();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_ledger_or_a_newer_one_is_refused_and_left_alone() {
    let site = Site::new(world(), Options::default(), "").await;
    site.command(&["scan"]).assert().success();
    let ledger = site.path("ledger.db");
    let newer = rusqlite::Connection::open(&ledger).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    for content in [std::fs::read(&ledger).unwrap(), b"This is my thesis. ".repeat(1000)] {
        std::fs::write(&ledger, &content).unwrap();
        for command in [&["scan"][..], &["cycle"], &["serve"], &["report"], &["ledger", "check"]] {
            let run = site.command(command).timeout(std::time::Duration::from_secs(60)).assert().code(4);
            let said = stderr(&run);
            assert!(said.contains("install the newer") || said.contains("not a ledger"), "{command:?}: {said}");
        }
        assert!(std::fs::read(&ledger).unwrap() == content, "the file was changed");
    }
}

/// Reports never migrate; whoever writes does, and keeps all that was there.
#[tokio::test(flavor = "multi_thread")]
async fn ledgers_of_older_programs_are_taken_over_by_a_scan_and_not_touched_by_a_report() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ledgers");
    let dumps = std::fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path());
    for dump in dumps.filter(|path| path.extension().is_some_and(|extension| extension == "sql")) {
        let site = Site::new(world(), Options::default(), "").await;
        let ledger = site.path("ledger.db");
        let old = rusqlite::Connection::open(&ledger).unwrap();
        old.execute_batch(&std::fs::read_to_string(&dump).unwrap()).unwrap();
        drop(old);
        let (before, known) = (std::fs::read(&ledger).unwrap(), items(&ledger));
        for command in [&["report"][..], &["report", "groups"], &["ledger", "check"]] {
            let run = site.command(command).assert().code(4);
            assert!(stderr(&run).contains("older"), "{}, {command:?}: {}", dump.display(), stderr(&run));
        }
        assert!(std::fs::read(&ledger).unwrap() == before, "a report changed {}", dump.display());
        site.command(&["scan"]).assert().success();
        assert_eq!(items(&ledger), known + 20, "{}", dump.display());
        site.command(&["ledger", "check"]).assert().success();
        site.command(&["report", "groups"]).assert().success();
    }
}
