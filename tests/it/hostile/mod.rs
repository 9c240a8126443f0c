//! Nasty texts of every kind, as messages, names and skip reasons, through every channel and every format of a report.
//!
//! With `HOSTILE_PAGES=DIR` the HTML of all digests and reports is kept there, and a copy of the ledger, for a real browser
//! (`ci/hostile.sh`, `ci/browser.sh`).

mod channels;
mod formats;

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::commands::first_try;
use llama_triage::internals::notify::store_delivery;
use llama_triage::internals::simulator::{Options, ScriptedCause, World, WorldBuilder};
use llama_triage::internals::triage::{self, TriageRequest};

use crate::site::Site;

/// Texts of one batch, so that each gets its place in a digest.
const TOGETHER: usize = 16;

/// Every channel with its own rendering. Nothing is sent: what waits is rendered and forgotten.
const CHANNELS: &str = "\
[[channel]]\nname = \"email\"\nkind = \"email\"\nfrom = \"triage@example.com\"\nto = [\"oncall@example.com\"]\nsmtp-host = \"127.0.0.1\"\nsmtp-tls = \"none\"
[[channel]]\nname = \"slack\"\nkind = \"slack\"\nurl = \"https://127.0.0.1:9/\"
[[channel]]\nname = \"teams\"\nkind = \"teams\"\nurl = \"https://127.0.0.1:9/\"
[[channel]]\nname = \"pagerduty\"\nkind = \"pagerduty\"\nrouting-key-file = \"{dir}/routing-key\"
[[channel]]\nname = \"webhook\"\nkind = \"webhook\"\nurl = \"https://127.0.0.1:9/\"
[digest]\nmin-gap = \"0s\"\nper-day = 100000\ngroup-wait = \"0s\"
";

/// The corpus, and a line of a megabyte.
fn texts() -> Vec<String> {
    let corpus = include_str!("../../fixtures/hostile.jsonl");
    let mut texts: Vec<String> = corpus.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(texts.len() > 400);
    texts.push("<b>".repeat(350_000));
    texts
}

/// A batch every minute, with each text as a message, as a name and as a reason.
fn world(texts: &[String], start: Timestamp) -> World {
    let mut world = WorldBuilder::at(start);
    for (round, some) in texts.chunks(TOGETHER).enumerate() {
        let made = SignedDuration::from_mins(-(i64::try_from(round).unwrap() + 1));
        world = world.batch(&format!("b{round}")).made_ago(made);
        for (number, text) in some.iter().enumerate() {
            // The code at its end makes it a group of its own.
            let message = format!("{text} CASE_{round:03}_{number}");
            world = world.item(&format!("m-{round}-{number}")).named(text).fails(&message);
            let cause = ScriptedCause::Skipped { reason: Some(text.clone()), message: Some(text.clone()) };
            world = world.item(&format!("s-{round}-{number}")).named(text).cause(cause);
        }
    }
    world.build()
}

fn keep(name: &str, page: &str) {
    if let Some(folder) = std::env::var_os("HOSTILE_PAGES").map(PathBuf::from) {
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), page).unwrap();
    }
}

/// Every eighth text, so that `cargo test` stays quick; the kinds stand together in the corpus.
#[tokio::test(flavor = "multi_thread")]
async fn some_nasty_texts_stay_texts_in_every_channel_and_every_report() {
    stay_texts(texts().into_iter().step_by(8).collect()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: cargo test --test it hostile -- --ignored"]
async fn nasty_texts_stay_texts_in_every_channel_and_every_report() {
    stay_texts(texts()).await;
}

async fn stay_texts(texts: Vec<String>) {
    let start = Timestamp::now() - SignedDuration::from_hours(3);
    let site = Site::new(world(&texts, start), Options::default(), "").await;
    std::fs::write(site.path("routing-key"), "0123456789abcdef0123456789abcdef").unwrap();
    site.configure(CHANNELS);
    let mut worker = site.worker().await;
    // What was there before the first scan is reported in one line: nothing yet.
    worker.scan(start).await.unwrap();
    let mut digests = 0;
    for round in 0..texts.len().div_ceil(TOGETHER) {
        let now = start + SignedDuration::from_mins(i64::try_from(round).unwrap() + 2);
        site.cloud.world().advance_to(now);
        assert!(worker.scan(now).await.unwrap()[0].complete);
        triage::triage(&worker.ledger, &worker.setup.triage, TriageRequest::at(now)).await.unwrap();
        let waiting = worker.ledger.read(|ledger| store_delivery::next_content(ledger, "email")).await.unwrap();
        let mut digest = waiting.unwrap_or_else(|| panic!("nothing is told in round {round}"));
        // So that the pager takes all of them.
        digest.changes.iter_mut().for_each(|entry| entry.page = true);
        for channel in &worker.setup.channels {
            let sent = channel.preview(&digest, &first_try(&digest, &channel.name, now)).unwrap();
            channels::is_harmless(&channel.name, round, &sent);
            digests += 1;
        }
        let all_sent = "UPDATE delivery SET state = 'sent'";
        rusqlite::Connection::open(site.path("ledger.db")).unwrap().execute(all_sent, []).unwrap();
    }
    assert_eq!(digests, 5 * texts.len().div_ceil(TOGETHER));
    worker.ledger.close().await.unwrap();
    formats::are_harmless(&site, texts.len());
    if let Some(folder) = std::env::var_os("HOSTILE_PAGES").map(PathBuf::from) {
        let copy = folder.join("ledger.db").display().to_string();
        site.command(&["ledger", "backup", &copy]).assert().success();
    }
}
