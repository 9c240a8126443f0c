//! `serve`: works on schedule, never twice at once, and stops cleanly.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use llama_triage::internals::simulator::{Endpoint, Options, WorldBuilder};

use sha2::Sha256;

use crate::site::{Site, files};

/// Waits for `what` to become true; fails the test when it does not within a minute.
pub(crate) fn wait_for(what: &str, mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !check() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A running service; killed when the test fails.
pub(crate) struct Serving(pub(crate) Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
    }
}

fn serve(site: &Site) -> Serving {
    Serving(command(site, "serve").spawn().unwrap())
}

/// The built binary, silent and in a clean environment.
pub(crate) fn command(site: &Site, name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_llama-triage"));
    command.env_clear().arg("--config").arg(site.path("config.toml")).arg(name);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

pub(crate) fn terminate(serving: &mut Serving) -> std::process::ExitStatus {
    let sent = Command::new("kill").arg("-TERM").arg(serving.0.id().to_string()).status().unwrap();
    assert!(sent.success());
    serving.0.wait().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_scans_sends_one_digest_and_stops_on_sigterm() {
    let world = WorldBuilder::at(jiff::Timestamp::now()).batch("b1").item("i1").fails("it broke").build();
    let more = "[[channel]]\nname = \"folder\"\nkind = \"file\"\ndir = \"{dir}/out\"\n[schedule]\nscan = \"2s\"\n";
    let site = Site::new(world, Options::default(), more).await;
    let mut child = serve(&site);
    wait_for("the digest", || !files(&site.path("out"), ".eml").is_empty());
    wait_for("two more cycles", || site.cloud.world().truth().requests_to(Endpoint::ListBatches) >= 3);
    site.command(&["scan"]).assert().failure().code(1).stderr(predicates::str::contains("another llama-triage"));
    assert!(terminate(&mut child).success());
    assert_eq!(files(&site.path("out"), ".eml").len(), 1, "the same news was told twice");

    let mut again = serve(&site);
    let seen = site.cloud.world().truth().requests_to(Endpoint::ListBatches);
    wait_for("a cycle after the restart", || site.cloud.world().truth().requests_to(Endpoint::ListBatches) > seen);
    assert!(terminate(&mut again).success());
    assert_eq!(files(&site.path("out"), ".eml").len(), 1, "the restart told old news");
}

/// Each reads its configuration from a pipe, which shows when it has come that far and no further.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_before_the_configuration_is_read_ends_in_order() {
    let world = WorldBuilder::at(jiff::Timestamp::now()).batch("b1").item("i1").fails("it broke").build();
    let site = Site::new(world, Options::default(), "").await;
    let (pipe, file) = (site.path("pipe.toml"), site.path("config.toml"));
    let text = std::fs::read_to_string(&file).unwrap();
    for name in ["cycle", "serve"] {
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut process = Command::new(env!("CARGO_BIN_EXE_llama-triage"));
        process.env_clear().arg("--config").arg(&pipe).arg(name).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Serving(process.spawn().unwrap());
        let mut writer = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        let sent = Command::new("kill").arg("-TERM").arg(process.0.id().to_string()).status().unwrap();
        assert!(sent.success());
        std::fs::copy(&file, site.path("next.toml")).unwrap();
        std::fs::rename(site.path("next.toml"), &pipe).unwrap();
        // A process that is gone reads no more.
        let _gone = std::io::Write::write_all(&mut writer, text.as_bytes());
        drop(writer);
        assert_eq!(process.0.wait().unwrap().code(), Some(0), "{name}");
        std::fs::remove_file(&pipe).unwrap();
    }
}

fn signed(body: &str, secret: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_event_brings_the_next_scan_forward_and_nothing_else_does() {
    let world = WorldBuilder::at(jiff::Timestamp::now()).batch("b1").item("i1").fails("it broke").build();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let more = format!(
        "[schedule]\nscan = \"0 0 29 2 *\"\n[service]\nlisten = \"127.0.0.1:{port}\"\nwebhook-secret-file = \"{{dir}}/secret\"\n"
    );
    let site = Site::with_api("v2", world, Options::default(), "").await;
    std::fs::write(site.path("secret"), "between-us\n").unwrap();
    site.configure(&more);
    let mut child = serve(&site);
    let scans = || site.cloud.world().truth().requests_to(Endpoint::V2ListBatches);
    let asked_for = || site.cloud.world().truth().requests_to(Endpoint::V2GetBatch);
    let event = r#"{"event_id":"e-1","event_type":"batch.success","timestamp":1.5,"data":{"id":"bat-1"}}"#;
    let begun = r#"{"event_id":"e-2","event_type":"batch.running","data":"{}"}"#;
    let client = reqwest::Client::new();
    let healthz = format!("http://127.0.0.1:{port}/healthz");
    let answers = async || {
        while client.get(&healthz).send().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    let post = async |body: String, signature: &str| {
        let request = client.post(format!("http://127.0.0.1:{port}/webhooks/llamacloud")).body(body);
        request.header("LC-Signature", signature).send().await.unwrap().status().as_u16()
    };
    answers().await;
    wait_for("the cycle at the start", || scans() == 1);
    let ended = || site.texts("SELECT outcome FROM run WHERE outcome IS NOT NULL").len();
    wait_for("its end", || ended() == 1);
    let before = asked_for();
    assert_eq!(post(event.to_owned(), "").await, 401);
    assert_eq!(post(event.to_owned(), &signed(event, "a guess")).await, 401);
    assert_eq!(post(format!("{event} "), &signed(event, "between-us")).await, 401);
    assert_eq!(post("x".repeat(1 << 17), "sha256=00").await, 413);
    assert_eq!(post(begun.to_owned(), &signed(begun, "between-us")).await, 200);
    assert_eq!(scans(), 1);
    assert_eq!(post(event.to_owned(), &signed(event, "between-us")).await, 200);
    wait_for("the scan that the event asked for", || scans() == 2);
    wait_for("its end", || ended() == 2);
    assert_eq!(asked_for(), before + 1, "for the batch that the event names");
    assert_eq!(post(event.to_owned(), &signed(event, "between-us")).await, 200);
    assert!(terminate(&mut child).success());
    assert_eq!(scans(), 2, "a replay asks for nothing");

    site.configure(&more.lines().filter(|line| !line.contains("secret")).collect::<Vec<_>>().join("\n"));
    let mut child = serve(&site);
    answers().await;
    assert_eq!(post(event.to_owned(), &signed(event, "between-us")).await, 404, "off without a secret");
    assert!(terminate(&mut child).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_services_started_at_once_one_serves_and_one_says_why_not() {
    let world = WorldBuilder::at(jiff::Timestamp::now()).batch("b1").item("i1").fails("it broke").build();
    let site = Site::new(world, Options::default(), "[schedule]\nscan = \"2s\"\n").await;
    let mut two = [serve(&site), serve(&site)];
    let mut ended = None;
    wait_for("one of them to give up", || {
        let status = two.iter_mut().position(|one| one.0.try_wait().unwrap().is_some());
        ended = status;
        status.is_some()
    });
    let (loser, winner) = (ended.unwrap(), 1 - ended.unwrap());
    assert_eq!(two[loser].0.wait().unwrap().code(), Some(1));
    wait_for("two cycles of the other", || site.cloud.world().truth().requests_to(Endpoint::ListBatches) >= 2);
    // One scan may ask for the list twice, so two requests alone do not mean that anything is recorded.
    wait_for("the item", || !site.texts("SELECT item_id FROM item").is_empty());
    assert!(two[winner].0.try_wait().unwrap().is_none());
    assert!(terminate(&mut two[winner]).success());
    assert_eq!(site.texts("SELECT item_id FROM item").len(), 1);
}

/// Longer than a writer waits, so that the service has to live with a refusal.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_lock_by_another_process_does_not_stop_the_service() {
    let world = WorldBuilder::at(jiff::Timestamp::now()).batch("b1").item("i1").fails("it broke").build();
    let site = Site::new(world, Options::default(), "[schedule]\nscan = \"2s\"\n").await;
    let mut child = serve(&site);
    let done = "SELECT count(*) FROM run WHERE outcome IS NOT NULL";
    let cycles =
        || rusqlite::Connection::open(site.path("ledger.db")).and_then(|l| l.query_row(done, [], |row| row.get(0)));
    wait_for("a cycle", || cycles().is_ok_and(|count: i64| count > 0));
    let locker = rusqlite::Connection::open(site.path("ledger.db")).unwrap();
    locker.busy_timeout(Duration::from_secs(30)).unwrap();
    locker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let since = Instant::now();
    wait_for("the service to have been refused", || since.elapsed() > Duration::from_secs(13));
    assert!(child.0.try_wait().unwrap().is_none(), "the service gave up");
    let before: i64 = cycles().unwrap();
    locker.execute_batch("ROLLBACK").unwrap();
    wait_for("a cycle after that", || cycles().is_ok_and(|count: i64| count > before));
    assert!(terminate(&mut child).success());
}
