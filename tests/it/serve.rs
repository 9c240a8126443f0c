//! `serve`: works on schedule, never twice at once, and stops cleanly.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use llama_triage::demo::{Endpoint, Options, WorldBuilder};

use crate::site::{Site, files};

/// Waits for `what` to become true; fails the test when it does not within a minute.
fn wait_for(what: &str, mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !check() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A running service; killed when the test fails.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
    }
}

fn serve(site: &Site) -> Serving {
    let child = Command::new(env!("CARGO_BIN_EXE_llama-triage"))
        .env_clear()
        .arg("--config")
        .arg(site.path("config.toml"))
        .arg("serve")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Serving(child)
}

fn terminate(serving: &mut Serving) -> std::process::ExitStatus {
    let sent = Command::new("kill").arg("-TERM").arg(serving.0.id().to_string()).status().unwrap();
    assert!(sent.success());
    serving.0.wait().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_scans_tells_once_and_stops_on_sigterm() {
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
