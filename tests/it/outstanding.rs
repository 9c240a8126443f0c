//! Work without a result: what is overdue, cancelled, or counted and not shown is recorded and reported once, is no failure, and
//! ends when there is a result.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::service::Worker;
use llama_triage::internals::simulator::{
    BatchPace, Break, Options, ScriptedCause, Submission, World, WorldBuilder, batch_id, default_config, item_id,
    v2_batch_id,
};
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

/// One batch with two of its three failures unlisted.
fn short_list(now: Timestamp) -> World {
    let builder = WorldBuilder::at(now).batch("short").item("good").item("f1").fails("it broke");
    builder.item("f2").fails("it broke").unlisted().item("f3").fails("it broke").unlisted().build()
}

fn missing_text(site: &Site) -> Vec<String> {
    site.texts(
        "SELECT i.state || ': ' || m.text FROM item i JOIN observation o USING (observation_key)
         JOIN message m USING (message_key) WHERE i.kind = 'missing'",
    )
}

#[tokio::test]
async fn failures_that_are_counted_and_not_listed_are_reported_once_it_is_stable_until_they_appear() {
    let site = Site::new(short_list("2026-03-02T08:00:00Z".parse().unwrap()), Options::default(), "").await;
    let mut worker = site.worker().await;
    scan(&mut worker, &site).await;
    assert_eq!(missing_text(&site), [""; 0], "one bad answer proves nothing");
    scan(&mut worker, &site).await;
    let said = "LlamaCloud counts items of this batch that it does not show: 2 of 3 failed items not shown";
    assert_eq!(missing_text(&site), [format!("open: {said}")]);
    let summary = worker.scan(site.now()).await.unwrap().remove(0);
    assert_eq!(summary.requests, 1, "it is not read again before the whole list is");
    let report = report(&site, &["missing", "--batch", &batch_id("short")]);
    let rows = report["rows"].as_array().unwrap();
    let row = |lack: &str| rows.iter().find(|row| row["lack"] == lack).unwrap_or_else(|| panic!("no {lack}: {report}"));
    assert_eq!((rows.len(), &row("not_shown")["items"]), (2, &Value::from(2)));
    assert_eq!(row("failed")["item_id"], item_id("f1"));
    site.cloud.world().list_all();
    site.cloud.world().advance(hours(25));
    scan(&mut worker, &site).await;
    scan(&mut worker, &site).await;
    assert_eq!(missing_text(&site), [format!("recovered: {said}")]);
    assert_eq!(of_kind(&site, "failed").len(), 3);
    site.command(&["ledger", "check"]).assert().success();
}

#[tokio::test]
async fn items_that_neither_ended_nor_are_listed_are_missing_once_the_list_cannot_lag_behind() {
    let pace = BatchPace { start_delay: (10, 10), item: (1, 1), lanes: 1 };
    let builder = WorldBuilder::at("2026-03-02T08:00:00Z".parse().unwrap()).pace(pace).batch("b");
    let builder =
        builder.made_ago(SignedDuration::from_mins(10)).ends(SignedDuration::from_millis(10_500), Break::EndsShort);
    let world = builder.item("a").item("b").unlisted().item("c").unlisted().item("d").build();
    let site = Site::new(world, Options::default(), "").await;
    let mut worker = site.worker().await;
    for _ in 0..3 {
        scan(&mut worker, &site).await;
    }
    assert_eq!(missing_text(&site), [""; 0], "the list may lag behind for an hour");
    site.cloud.world().advance(SignedDuration::from_mins(61));
    scan(&mut worker, &site).await;
    scan(&mut worker, &site).await;
    let said = missing_text(&site);
    assert!(said.len() == 1 && said[0].ends_with("2 of 4 items not shown"), "{said:?}");
    assert_eq!(of_kind(&site, "failed"), [format!("{} open", item_id("d"))], "what is listed as waiting never began");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_items_are_recorded_are_no_news_and_get_their_result_from_a_later_batch_through_both_apis() {
    for api in ["v1-beta", "v2"] {
        let now = Timestamp::now();
        let pace = BatchPace { start_delay: (10, 10), item: (1, 1), lanes: 1 };
        let builder = WorldBuilder::at(now).pace(pace).batch("b").from_directory();
        let mut world = builder.item("a").takes(hours(90)).item("b").item("c").build();
        assert!(world.cancel(0));
        let site = Site::with_api(api, world, Options::default(), FILE).await;
        site.command(&["cycle"]).assert().success();
        let mut wanted = ["b", "c"].map(|name| format!("{} ignored", item_id(name)));
        wanted.sort();
        assert_eq!(of_kind(&site, "cancelled"), wanted, "{api}");
        assert_eq!(site.texts("SELECT class FROM error_group"), ["cancelled"]);
        assert_eq!(site.texts("SELECT digest_id FROM digest"), [""; 0], "someone did it: no one has to hear of it");
        let listed = |site: &Site| {
            let report = report(site, &["missing"]);
            let rows = report["rows"].as_array().unwrap().clone();
            rows.iter()
                .filter(|row| row["lack"] == "cancelled")
                .map(|row| row["item_id"].to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(listed(&site).len(), 2);
        {
            let mut world = site.cloud.world();
            let again = Submission::of_directory(0, 0, vec![1], default_config());
            let at = world.now() + SignedDuration::from_mins(1);
            world.submit_at(at, again);
            world.advance(hours(1));
        }
        let mut worker = site.worker().await;
        scan(&mut worker, &site).await;
        scan(&mut worker, &site).await;
        assert_eq!(listed(&site), [format!("\"{}\"", item_id("c"))], "{api}");
        site.command(&["ledger", "check"]).assert().success();
    }
}

#[tokio::test]
async fn a_failure_is_not_hidden_by_a_later_cancellation() {
    let pace = BatchPace { start_delay: (10, 10), item: (1, 1), lanes: 1 };
    let builder = WorldBuilder::new().pace(pace).batch("first").item("a").fails("it broke");
    let mut world = builder.batch("second").made_ago(SignedDuration::from_secs(1)).again("a").build();
    assert!(world.cancel(1));
    let site = Site::new(world, Options::default(), "").await;
    scan(&mut site.worker().await, &site).await;
    assert_eq!(site.texts("SELECT kind || ' ' || state FROM item"), ["failed open"]);
    assert_eq!(site.texts("SELECT kind FROM observation ORDER BY 1"), ["cancelled", "failed"]);
    site.command(&["ledger", "check"]).assert().success();
}
