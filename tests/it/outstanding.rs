//! Work without a result: it is recorded and reported once, is no failure, and ends when the work ends.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::service::Worker;
use llama_triage::internals::simulator::{Options, ScriptedCause, World, WorldBuilder, batch_id, v2_batch_id};
use serde_json::Value;

use crate::site::Site;

const FILE: &str = "[[channel]]\nname = \"f\"\nkind = \"file\"\ndir = \"{dir}/mail\"\n[digest]\ngroup-wait = \"0s\"\nmin-gap = \"1s\"\n";

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

/// Ten batches that ended within seconds, and one of the last hour whose only item takes `time`.
fn world(now: Timestamp, time: SignedDuration) -> World {
    let mut builder = WorldBuilder::at(now);
    for number in 0..10 {
        builder = builder.batch(&format!("done-{number}")).made_ago(hours(30)).item(&format!("d{number}"));
    }
    builder.batch("stuck").made_ago(hours(1)).item("s").takes(time).build()
}

/// Items of a kind with their state, as the ledger has them.
fn of_kind(site: &Site, kind: &str) -> Vec<String> {
    site.texts(&format!("SELECT item_id || ' ' || state FROM item WHERE kind = '{kind}' ORDER BY 1"))
}

async fn scan(worker: &mut Worker, site: &Site) {
    let summary = worker.scan(site.now()).await.unwrap().remove(0);
    assert!(summary.complete, "{summary:?}");
}

#[tokio::test]
async fn a_batch_that_does_not_end_is_overdue_until_it_ends_through_both_apis() {
    for (api, id) in [("v1-beta", batch_id("stuck")), ("v2", v2_batch_id("stuck"))] {
        let world = world("2026-03-02T08:00:00Z".parse().unwrap(), hours(120));
        let site = Site::with_api(api, world, Options::default(), "").await;
        let mut worker = site.worker().await;
        scan(&mut worker, &site).await;
        site.cloud.world().advance(hours(4));
        scan(&mut worker, &site).await;
        assert_eq!(of_kind(&site, "overdue"), [""; 0], "five hours may be long for it, but are not enough");
        site.cloud.world().advance(hours(1));
        for _ in 0..3 {
            scan(&mut worker, &site).await;
        }
        assert_eq!(of_kind(&site, "overdue"), [format!("{id} open")]);
        let said = site.texts("SELECT text FROM observation JOIN message USING (message_key)");
        assert_eq!(said.len(), 1, "it is recorded once: {said:?}");
        assert!(said[0].contains("6 h after it was created (2026-03-02 07:00 UTC)"), "{said:?}");
        assert!(said[0].contains("such batches usually take"), "{said:?}");
        assert_eq!(site.texts("SELECT kind || ' ' || title FROM error_group"), ["overdue Overdue batches: parse"]);
        site.cloud.world().advance(hours(130));
        scan(&mut worker, &site).await;
        scan(&mut worker, &site).await;
        assert_eq!(of_kind(&site, "overdue"), [format!("{id} recovered")], "{api}");
        assert_eq!(site.texts("SELECT item_id FROM item WHERE kind <> 'overdue'"), [""; 0]);
        site.command(&["ledger", "check"]).assert().success();
    }
}

/// What the built binary answers, as JSON.
fn report(site: &Site, args: &[&str]) -> Value {
    let run = site.command(&[&["report"], args, &["--format", "json"]].concat()).assert().success();
    serde_json::from_slice(&run.get_output().stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overdue_batch_is_reported_once_and_is_no_failed_item() {
    let now = Timestamp::now();
    let site = Site::new(world(now, hours(900)), Options::default(), FILE).await;
    let mut worker = site.worker().await;
    let stop = tokio_util::sync::CancellationToken::new();
    let patience = Duration::from_secs(5);
    worker.cycle(now, patience, &stop).await.unwrap();
    let mut digests = Vec::new();
    for after in [6, 7, 8] {
        let outcome = worker.cycle(now + hours(after), patience, &stop).await.unwrap();
        digests.extend(outcome.headline.filter(|said| !said.starts_with("Nothing new")));
    }
    assert_eq!(digests, ["New: Overdue batches: parse (1 batch)"], "but for the daily digest");
    drop(worker);
    let summary = &report(&site, &["summary"])["rows"][0];
    assert_eq!((&summary["batches"]["overdue"], &summary["items"]["open"]), (&Value::from(1), &Value::from(0)));
    let groups = report(&site, &["groups", "--kind", "overdue"]);
    assert_eq!(groups["rows"][0]["kind"], "overdue");
    let message = groups["rows"][0]["sample"]["error_message"].as_str().unwrap();
    assert!(message.starts_with("the batch is still running, 7 h after it was created"), "{message}");
    let refused = site.command(&["reprocess", "plan", "--item", &batch_id("stuck")]).assert().success();
    let said = String::from_utf8_lossy(&refused.get_output().stdout).into_owned();
    assert!(said.contains("stands for a whole batch"), "{said}");
}

#[tokio::test]
async fn what_is_usual_is_learnt_from_batches_of_that_size() {
    let now = "2026-03-02T08:00:00Z".parse().unwrap();
    let mut builder = WorldBuilder::at(now);
    for number in 0..10 {
        let name = format!("done-{number}");
        builder = builder.batch(&name).made_ago(hours(60)).item(&format!("d{number}")).takes(hours(2));
    }
    let large = builder.batch("large").made_ago(hours(19)).items(20, "l", ScriptedCause::NeverEnds);
    let world = large.batch("small").made_ago(hours(19)).item("s").takes(hours(99)).build();
    let site = Site::new(world, Options::default(), "").await;
    let mut worker = site.worker().await;
    scan(&mut worker, &site).await;
    assert_eq!(of_kind(&site, "overdue"), [""; 0], "ten times two hours");
    site.cloud.world().advance(hours(2));
    scan(&mut worker, &site).await;
    assert_eq!(of_kind(&site, "overdue"), [format!("{} open", batch_id("small"))]);
    site.cloud.world().advance(hours(5));
    scan(&mut worker, &site).await;
    assert_eq!(of_kind(&site, "overdue").len(), 2, "a day, where no batch like it is known");
}
