//! Ledger failures while `serve` runs: the service keeps running, reports the problem, and continues.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use llama_triage::internals::simulator::{Endpoint, Options};
use rusqlite::Connection;

use crate::disk::{SmallDisk, items, ledger_in, make_the_large_batch, world};
use crate::serve::{Serving, command, terminate, wait_for};
use crate::site::Site;

/// A service that answers on a port, with what it says in a file.
struct Watched {
    site: Site,
    port: u16,
}

impl Watched {
    async fn new() -> Watched {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let more = format!("[schedule]\nscan = \"2s\"\n[service]\nlisten = \"127.0.0.1:{port}\"\n");
        Watched { site: Site::new(world(), Options::default(), &more).await, port }
    }

    fn serve(&self) -> Serving {
        let said = std::fs::File::options().create(true).append(true).open(self.site.path("said")).unwrap();
        Serving(command(&self.site, "serve").stderr(Stdio::from(said)).spawn().unwrap())
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.site.path("said")).unwrap_or_default()
    }

    /// The status and text of `/healthz`; none while no one answers.
    async fn health(&self) -> Option<(u16, String)> {
        let answer = reqwest::get(format!("http://127.0.0.1:{}/healthz", self.port)).await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    async fn wait_until(&self, what: &str, is: impl Fn(u16, &str) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(240);
        loop {
            let health = self.health().await;
            if health.as_ref().is_some_and(|(status, text)| is(*status, text)) {
                return;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}: {health:?}\n{}", self.said());
            tokio::task::yield_now().await;
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

fn holds(ledger: &Path, wanted: i64) -> bool {
    Connection::open(ledger)
        .and_then(|ledger| ledger.query_row("SELECT count(*) FROM item", [], |row| row.get(0)))
        .is_ok_and(|count: i64| count == wanted)
}

fn lock(ledger: &Path) -> Connection {
    let locker = Connection::open(ledger).unwrap();
    locker.busy_timeout(Duration::from_secs(30)).unwrap();
    locker.execute_batch("BEGIN EXCLUSIVE").unwrap();
    locker
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_under_a_service_stops_it_only_until_there_is_space() {
    let watched = Watched::new().await;
    let Some(disk) = SmallDisk::mount(&watched.site.path("disk"), "1200k") else {
        eprintln!("not root: a small disk cannot be made");
        return;
    };
    let ledger = ledger_in(&watched.site, &disk.0);
    let mut child = watched.serve();
    wait_for("the first items", || holds(&ledger, 20));
    make_the_large_batch(&watched.site);
    wait_for("the full disk to be told", || watched.said().contains("disk under the ledger is full: free space"));
    watched
        .wait_until("the complaint", |status, text| status == 503 && text.contains("disk under the ledger is full"))
        .await;
    watched.site.command(&["report", "items", "--ledger"]).arg(&ledger).assert().success();
    assert!(child.0.try_wait().unwrap().is_none(), "the service gave up: {}", watched.said());
    disk.remount("size=64m");
    wait_for("the rest", || holds(&ledger, 2_020));
    watched.wait_until("the all-clear", |status, _| status == 200).await;
    assert!(terminate(&mut child).success());
    watched.site.command(&["ledger", "check"]).assert().success();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_locked_at_the_start_is_waited_for() {
    let watched = Watched::new().await;
    watched.site.command(&["scan"]).assert().success();
    let ledger = watched.site.path("ledger.db");
    let locker = lock(&ledger);
    let mut child = watched.serve();
    wait_for("the service to say that it waits", || watched.said().contains("waiting for the ledger"));
    make_the_large_batch(&watched.site);
    let asked = watched.site.cloud.world().truth().requests_to(Endpoint::ListBatches);
    assert!(child.0.try_wait().unwrap().is_none(), "the service gave up");
    locker.execute_batch("ROLLBACK").unwrap();
    drop(locker);
    wait_for("a scan", || watched.site.cloud.world().truth().requests_to(Endpoint::ListBatches) > asked);
    wait_for("the rest", || holds(&ledger, 2_020));
    assert!(terminate(&mut child).success());
    assert_eq!(watched.said().matches("waiting for the ledger").count(), 1, "{}", watched.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_at_the_start_is_waited_for() {
    let watched = Watched::new().await;
    let Some(disk) = SmallDisk::mount(&watched.site.path("disk"), "16m") else {
        eprintln!("not root: a small disk cannot be made");
        return;
    };
    let ledger = ledger_in(&watched.site, &disk.0);
    watched.site.command(&["scan"]).assert().success();
    let filler = disk.0.join("filler");
    let full = std::io::copy(&mut std::io::repeat(0), &mut std::fs::File::create(&filler).unwrap());
    assert_eq!(full.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    let mut child = watched.serve();
    wait_for("the service to say that it waits", || watched.said().contains("waiting for the ledger"));
    make_the_large_batch(&watched.site);
    assert!(child.0.try_wait().unwrap().is_none(), "the service gave up");
    std::fs::remove_file(filler).unwrap();
    wait_for("the rest", || holds(&ledger, 2_020));
    assert!(terminate(&mut child).success());
    let said = watched.said();
    assert!(said.contains("No space left on device") || said.contains("is full: free space"), "{said}");
    watched.site.command(&["ledger", "check"]).assert().success();
}

/// As a nightly copy by another program does it, in real time.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo test --test it outage -- --ignored"]
async fn a_ledger_that_is_locked_for_minutes_is_reported_and_work_resumes_automatically() {
    let watched = Watched::new().await;
    let socket = watched.site.path("notify");
    let systemd = std::os::unix::net::UnixDatagram::bind(&socket).unwrap();
    let (tell, told_systemd) = std::sync::mpsc::channel();
    // As systemd does: whoever did not read would hold the service up once ten messages wait.
    std::thread::spawn(move || {
        let mut datagram = [0; 4096];
        while let Ok(length) = systemd.recv(&mut datagram) {
            if tell.send(String::from_utf8_lossy(&datagram[..length]).into_owned()).is_err() {
                break;
            }
        }
    });
    let said = std::fs::File::create(watched.site.path("said")).unwrap();
    let mut service = command(&watched.site, "serve");
    service.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "120000000").stderr(Stdio::from(said));
    let mut child = Serving(service.spawn().unwrap());
    let ledger = watched.site.path("ledger.db");
    wait_for("the first items", || holds(&ledger, 20));
    let (locker, since) = (lock(&ledger), Instant::now());
    make_the_large_batch(&watched.site);
    let ends = since + Duration::from_secs(170);
    watched.wait_until("the complaint", |status, text| status == 503 && text.contains("database is locked")).await;
    let told = since.elapsed();
    while Instant::now() < ends {
        std::thread::park_timeout(ends - Instant::now());
        assert!(child.0.try_wait().unwrap().is_none(), "the service gave up: {}", watched.said());
    }
    locker.execute_batch("ROLLBACK").unwrap();
    drop(locker);
    wait_for("the rest", || holds(&ledger, 2_020));
    watched.wait_until("the all-clear", |status, _| status == 200).await;
    let heard: Vec<String> = told_systemd.try_iter().collect();
    let fed = heard.iter().filter(|text| text.contains("WATCHDOG=1")).count();
    let waits = heard.iter().any(|text| text.contains("STATUS=waiting for the ledger"));
    eprintln!("told on /healthz after {told:?}; {fed} watchdog messages; said:\n{}", watched.said());
    assert!(fed >= 4 && waits, "{heard:?}");
    assert!(terminate(&mut child).success());
    watched.site.command(&["ledger", "check"]).assert().success();
}

#[tokio::test(flavor = "multi_thread")]
async fn removing_the_write_ahead_log_ends_the_service_without_data_loss() {
    let watched = Watched::new().await;
    let ledger = watched.site.path("ledger.db");
    let mut child = watched.serve();
    wait_for("the first items", || holds(&ledger, 20));
    make_the_large_batch(&watched.site);
    wait_for("the rest", || holds(&ledger, 2_020));
    wait_for("a quiet service", || {
        let done = "SELECT count(*) FROM run WHERE outcome IS NOT NULL";
        watched.site.ledger().query_row(done, [], |row| row.get(0)).is_ok_and(|count: i64| count >= 3)
    });
    std::fs::remove_file(watched.site.path("ledger.db-wal")).unwrap();
    std::fs::remove_file(watched.site.path("ledger.db-shm")).unwrap();
    wait_for("the service to end", || child.0.try_wait().unwrap().is_some());
    assert_eq!(child.0.wait().unwrap().code(), Some(1), "{}", watched.said());
    assert!(watched.said().contains("ledger.db-wal was removed or replaced while it was in use"), "{}", watched.said());
    watched.site.command(&["ledger", "check"]).assert().success();
    assert_eq!(items(&ledger), 2_020);
    let mut again = watched.serve();
    watched.wait_until("another cycle", |status, _| status == 200).await;
    assert!(terminate(&mut again).success());
    assert_eq!(items(&ledger), 2_020);
}

/// What a kernel does to a file system with errors, on one that is made to fail; only root can.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_system_that_becomes_read_only_is_reported_and_costs_nothing() {
    let watched = Watched::new().await;
    let Some(disk) = Ext4::mount(&watched.site.path("image"), &watched.site.path("disk")) else {
        eprintln!("no right to mount an image: a file system that fails cannot be made");
        return;
    };
    let ledger = ledger_in(&watched.site, &disk.0);
    let mut child = watched.serve();
    wait_for("the first items", || holds(&ledger, 20));
    make_the_large_batch(&watched.site);
    disk.fail();
    wait_for("the service to end", || child.0.try_wait().unwrap().is_some());
    assert_eq!(child.0.wait().unwrap().code(), Some(1));
    assert!(watched.said().contains("disk under the ledger failed"), "{}", watched.said());
    let again = watched.site.command(&["serve"]).timeout(Duration::from_secs(60)).assert().code(4);
    let said = String::from_utf8_lossy(&again.get_output().stderr).into_owned();
    assert!(said.contains("Read-only file system"), "{said}");
    watched.site.command(&["report", "items", "--ledger"]).arg(&ledger).assert().success();
}

/// A file system in a file.
struct Ext4(PathBuf);

impl Ext4 {
    fn mount(image: &Path, folder: &Path) -> Option<Ext4> {
        std::fs::create_dir_all(folder).unwrap();
        std::fs::File::create(image).unwrap().set_len(64 << 20).unwrap();
        let quiet = |command: &mut Command| {
            let ran = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
            ran.is_ok_and(|status| status.success())
        };
        let made = quiet(Command::new("mkfs.ext4").arg(image));
        (made && quiet(Command::new("mount").args(["-o", "loop"]).arg(image).arg(folder)))
            .then(|| Ext4(folder.to_owned()))
    }

    /// Nothing can be written any more, as after an error of the disk.
    fn fail(&self) {
        assert!(Command::new("mount").args(["-o", "remount,abort"]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        let _left_to_the_end_of_the_machine = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
