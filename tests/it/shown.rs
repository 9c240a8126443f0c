//! Output matches reality: links, and dry runs compared with the digest that follows.

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::notify::text;
use llama_triage::internals::simulator::{Options, believable_account};
use llama_triage::internals::triage::deserialize;

use crate::site::{Site, binary};

const FOLDER: &str = "[[channel]]\nname = \"folder\"\nkind = \"file\"\ndir = \"{dir}/out\"\n";

/// An account of the last two days, scanned by the binary.
async fn scanned() -> Site {
    let now = Timestamp::now();
    let site = Site::new(believable_account(7, now - SignedDuration::from_hours(48)), Options::default(), FOLDER).await;
    site.cloud.world().advance_to(now);
    site.command(&["scan"]).assert().success();
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_without_a_configuration_links_to_where_the_ledger_was_read_from() {
    let site = scanned().await;
    let ledger = site.path("ledger.db").display().to_string();
    let asked = ["--ledger", &ledger, "report", "items", "--kind", "skipped", "--limit", "3", "--format", "json"];
    let out = binary().args(asked).assert().success().get_output().stdout.clone();
    let answer: serde_json::Value = serde_json::from_slice(&out).unwrap();
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3, "{answer}");
    assert!(answer["matching"].as_u64().unwrap() > 3, "{answer}");
    for row in rows {
        let link = row["links"]["items"].as_str().unwrap();
        assert!(link.starts_with(&site.cloud.url()) && link.ends_with("/items?status=skipped"), "{link}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_what_now_sends() {
    let site = scanned().await;
    let run = |words: &[&str]| {
        let out = site.command(words).assert().success().get_output().stdout.clone();
        String::from_utf8(out).unwrap()
    };
    let dry = run(&["digest", "--dry-run", "--now"]);
    let sent = run(&["digest", "--now"]);
    let stored = site.texts("SELECT model FROM digest");
    assert_eq!(stored.len(), 1, "the dry run decided nothing: {sent}");
    let digest = text::render(&deserialize(&stored[0]).unwrap());
    // Only a minute may lie between the two.
    assert_eq!(without_times(&dry), without_times(&(digest.clone() + "\n")));
    assert!(dry.lines().next().is_some_and(|headline| sent.contains(headline)), "{sent}");
    let after = run(&["digest", "--dry-run"]);
    assert!(after.starts_with("Nothing new to send. The next scheduled digest is due "), "{after}");
    assert_eq!(after.lines().count(), 1, "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_by_hand_says_that_it_sent_what_waited() {
    let site = scanned().await;
    let out = site.path("out");
    std::fs::write(&out, "in the way").unwrap();
    site.command(&["digest", "--now"]).assert().failure();
    std::fs::remove_file(&out).unwrap();
    let ledger = rusqlite::Connection::open(site.path("ledger.db")).unwrap();
    ledger.execute("UPDATE delivery SET not_before = 0", ()).unwrap();
    drop(ledger);
    let said = site.command(&["digest"]).assert().success().get_output().stdout.clone();
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("Sent 1 pending delivery.\nNothing new to send."), "{said}");
    assert!(out.is_dir(), "{said}");
}

fn without_times(text: &str) -> String {
    regex::Regex::new(r"(\d{4}-\d\d-\d\d )?\d\d:\d\d").unwrap().replace_all(text, "TIME").into_owned()
}
