//! The service's external surfaces: listener, files, and command output.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::{Sender, channel};

use llama_triage::internals::simulator::{Endpoint, Options, World, WorldBuilder};

use crate::disk::SmallDisk;
use crate::serve::{Serving, command, terminate, wait_for};
use crate::site::{Site, binary, files};

fn world() -> World {
    WorldBuilder::at(jiff::Timestamp::now()).batch("b1").item("i1").fails("it broke").build()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn stdout(run: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(run.get_output().stdout.clone()).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn more_idle_connections_than_files_hold_up_no_scan() {
    let port = free_port();
    let more = format!("[schedule]\nscan = \"1s\"\n[service]\nlisten = \"127.0.0.1:{port}\"\n");
    let site = Site::new(world(), Options::default(), &more).await;
    let mut limited = std::process::Command::new("sh");
    limited.env_clear().args([
        "-c",
        "ulimit -n 100; exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_llama-triage"),
        "serve",
        "--config",
    ]);
    let mut child = Serving(limited.arg(site.path("config.toml")).stderr(Stdio::null()).spawn().unwrap());
    wait_for("the listener", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let idle: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    let scans = || site.cloud.world().truth().requests_to(Endpoint::ListBatches);
    let before = scans();
    wait_for("scans beside them", || scans() >= before + 2);
    let healthz = reqwest::get(format!("http://127.0.0.1:{port}/healthz")).await.unwrap();
    assert_eq!(healthz.status(), 200);
    let said: serde_json::Value = serde_json::from_str(&healthz.text().await.unwrap()).unwrap();
    let listener = &said["listener"];
    assert!(listener["connections"].as_u64() <= listener["connections_max"].as_u64(), "{said}");
    assert!(listener["connections_ended_early"].as_u64() > Some(200), "{said}");
    assert!(said["disk_free_bytes"].as_u64() > Some(0), "{said}");
    drop(idle);
    assert!(terminate(&mut child).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_takes_an_ipv6_address() {
    let Ok(free) = TcpListener::bind("[::1]:0") else {
        eprintln!("this host has no IPv6 loopback");
        return;
    };
    let port = free.local_addr().unwrap().port();
    drop(free);
    let site = Site::new(world(), Options::default(), &format!("[service]\nlisten = \"[::1]:{port}\"\n")).await;
    let mut child = Serving(command(&site, "serve").spawn().unwrap());
    wait_for("the listener", || TcpStream::connect(("::1", port)).is_ok());
    assert!(reqwest::get(format!("http://[::1]:{port}/metrics")).await.unwrap().status().is_success());
    assert!(terminate(&mut child).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_keeps_its_ledger_to_itself_and_notices_when_it_is_replaced() {
    let site = Site::new(world(), Options::default(), "[schedule]\nscan = \"1s\"\n").await;
    let mut child = Serving(command(&site, "serve").stderr(Stdio::piped()).spawn().unwrap());
    let scans = || site.cloud.world().truth().requests_to(Endpoint::ListBatches);
    wait_for("two scans", || scans() >= 2);
    std::fs::remove_file(site.path("ledger.db.lock")).unwrap();
    let link = site.path("link.db");
    std::os::unix::fs::symlink(site.path("ledger.db"), &link).unwrap();
    for name in [site.path("ledger.db"), link] {
        let run = site.command(&["scan", "--ledger"]).arg(&name).assert().code(1);
        let said = String::from_utf8(run.get_output().stderr.clone()).unwrap();
        assert!(said.contains("another llama-triage"), "{}: {said}", name.display());
    }
    site.command(&["ledger", "backup"]).arg(site.path("copy.db")).assert().success();
    std::fs::rename(site.path("copy.db"), site.path("ledger.db")).unwrap();
    let mut said = String::new();
    child.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("was replaced or removed while in use"), "{said}");
    site.command(&["ledger", "check"]).assert().success();
    site.command(&["scan"]).assert().success();
    assert_eq!(site.texts("SELECT item_id FROM item").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_have_their_modes_whatever_the_umask() {
    for umask in ["0", "0777"] {
        let site = Site::new(
            world(),
            Options::default(),
            "[[channel]]\nname = \"f\"\nkind = \"file\"\ndir = \"{dir}/a/out\"\n",
        )
        .await;
        std::fs::create_dir_all(site.path("a/out")).unwrap();
        assert_cmd::Command::new("sh")
            .env_clear()
            .args([
                "-c",
                &format!("umask {umask}; exec \"$@\""),
                "sh",
                env!("CARGO_BIN_EXE_llama-triage"),
                "cycle",
                "--config",
            ])
            .arg(site.path("config.toml"))
            .assert()
            .success();
        for name in ["ledger.db", "ledger.db.lock"] {
            assert_eq!(mode(&site.path(name)), 0o600, "{name}, umask {umask}");
        }
        let digests = files(&site.path("a/out"), "");
        assert_eq!(digests.len(), 3, "{digests:?}");
        for digest in digests {
            assert_eq!(mode(&digest), 0o640, "{}, umask {umask}", digest.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_written_is_a_failure_and_no_panic() {
    let site = Site::new(world(), Options::default(), "").await;
    site.command(&["scan"]).assert().success();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let group = site.texts("SELECT group_id FROM error_group").remove(0);
    for args in [
        &["check-config"][..],
        &["check-config", "--file-only"],
        &["doctor"],
        &["doctor", "--format", "json"],
        &["ledger", "check"],
        &["ledger", "prune"],
        &["scan"],
        &["cycle"],
        &["report", "groups"],
        &["group", "note", &group, "seen"],
        &["reprocess", "status"],
        &["digest", "--dry-run"],
        &["--help"],
        &["completions", "bash"],
    ] {
        let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_llama-triage"));
        run.env_clear().arg("--config").arg(site.path("config.toml")).args(args).stdout(full());
        let output = run.stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("No space left") || args[0] == "--help", "{args:?}: {said}");
    }
    let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_llama-triage"));
    let status = run.env_clear().args(["check-config", "--config", "/nowhere"]).stderr(full()).status().unwrap();
    assert_eq!(status.code(), Some(78), "its own code although nothing can be said");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut run = command(&site, "check-config");
    assert_eq!(run.stdout(writer).status().unwrap().code(), Some(0), "a reader that has gone is no failure");
}

/// A receiver that reports a POST, and answers it only when it may.
fn slow_receiver(came: Sender<Sender<()>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).is_ok() && !line.trim().is_empty() {
                length =
                    line.to_lowercase().strip_prefix("content-length:").map_or(length, |n| n.trim().parse().unwrap());
                line.clear();
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            let (answer, may_answer) = channel();
            came.send(answer).unwrap();
            may_answer.recv().unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_that_is_stopped_waits_for_the_answer_of_a_post_under_way() {
    let (came, posts) = channel();
    let port = slow_receiver(came);
    let more = format!("[[channel]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/x\"\n");
    let site = Site::new(world(), Options::default(), &more).await;
    let mut child =
        Serving(command(&site, "cycle").arg("-vv").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let answer = posts.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
    let asked = std::process::Command::new("kill").arg("-TERM").arg(child.0.id().to_string()).status().unwrap();
    assert!(asked.success());
    let mut log = BufReader::new(child.0.stderr.take().unwrap()).lines();
    log.find(|line| line.as_ref().unwrap().contains("the running cycle has")).expect("it takes the signal").unwrap();
    answer.send(()).unwrap();
    assert!(child.0.wait().unwrap().success());
    let mut said = String::new();
    child.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("stopped early"), "{said}");
    assert_eq!(site.texts("SELECT state FROM delivery"), ["sent"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_proxy_comes_between_peers_on_this_machine() {
    let (came, posts) = channel();
    let port = slow_receiver(came);
    std::thread::spawn(move || posts.iter().for_each(|answer: Sender<()>| answer.send(()).unwrap()));
    let more = format!(
        "[service]\nheartbeat-url = \"http://localhost:{port}/beat\"\n[[channel]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/x\"\n"
    );
    let site = Site::new(world(), Options::default(), &more).await;
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"] {
        let run = site.command(&["cycle"]).env(variable, "http://127.0.0.1:1").assert().success();
        let said = String::from_utf8(run.get_output().stderr.clone()).unwrap();
        assert_eq!(said, "", "{variable}");
        let doctor = stdout(&site.command(&["doctor"]).env(variable, "http://127.0.0.1:1").assert());
        assert!(!doctor.contains("FAIL"), "{variable}: {doctor}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_runs_low_is_reported_before_it_is_full() {
    let more = "[[channel]]\nname = \"f\"\nkind = \"file\"\ndir = \"{dir}/out\"\n";
    let site = Site::new(world(), Options::default(), more).await;
    let Some(disk) = SmallDisk::mount(&site.path("disk"), "32m") else {
        eprintln!("not root: a small disk cannot be made");
        return;
    };
    crate::disk::ledger_in(&site, &disk.0);
    let faults = || {
        let ledger = rusqlite::Connection::open(disk.0.join("ledger.db")).unwrap();
        let count = "SELECT count(*) FROM worker_fault WHERE ended_at IS NULL";
        ledger.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    site.command(&["cycle"]).assert().success();
    assert_eq!(faults(), 0);
    let free = rustix::fs::statvfs(&disk.0).map(|volume| volume.f_bavail * volume.f_frsize).unwrap();
    let filler = usize::try_from(free - (5 << 19)).unwrap();
    std::fs::write(disk.0.join("filler"), vec![7; filler]).unwrap();
    site.command(&["cycle"]).assert().success();
    assert_eq!(faults(), 1);
    let newest = files(&site.path("out"), ".eml").pop().unwrap();
    let mail = std::fs::read_to_string(newest).unwrap().replace("=\r\n", "").replace("\r\n", " ");
    assert!(mail.contains("MiB free, less than 3 MiB"), "{mail}");
    let doctor = stdout(&site.command(&["doctor"]).assert());
    assert!(doctor.contains("warning below 3 MiB"), "{doctor}");
    std::fs::remove_file(disk.0.join("filler")).unwrap();
    site.command(&["cycle"]).assert().success();
    assert_eq!(faults(), 0);
}

#[test]
fn one_function_of_a_statement_is_stopped_too() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger.db");
    drop(llama_triage::internals::ledger::writer(&ledger).unwrap());
    let statement = "SELECT instr(printf('%.*c', 8000000, 'a'), printf('%.*c', 4000000, 'a') || 'b')";
    let run = binary().args(["report", "sql", statement, "--ledger"]).arg(&ledger).assert().code(1);
    let said = String::from_utf8(run.get_output().stderr.clone()).unwrap();
    assert!(said.contains("stopped after 10 s"), "{said}");
}

#[test]
fn a_statement_gets_so_much_memory_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger.db");
    drop(llama_triage::internals::ledger::writer(&ledger).unwrap());
    let statement = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 1000000)
        SELECT count(*) FROM (SELECT DISTINCT randomblob(100000) FROM n)";
    let run = binary().args(["report", "sql", statement, "--ledger"]).arg(&ledger).assert().code(1);
    let said = String::from_utf8(run.get_output().stderr.clone()).unwrap();
    assert!(said.contains("memory than 256 MiB"), "{said}");
}
