//! The world's own rules, without HTTP.

use jiff::SignedDuration;
use serde_json::json;

use crate::simulator::http::server::SimulatedCloud;
use crate::simulator::options::{Options, UnknownItems};
use crate::simulator::world::builder::{DEFAULT_NOW, WorldBuilder, batch_id, default_config, item_id};
use crate::simulator::world::cause::{Failure, ScriptedCause};
use crate::simulator::world::model::{SimulatedBatchStatus, SimulatedItemStatus, StatusCounts, Submission};
use crate::simulator::world::state::{BatchPace, Outage};

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

#[test]
fn a_cancelled_batch_lets_running_items_end_and_no_others_start() {
    let pace = BatchPace { start_delay: (0, 0), item: (60, 60), lanes: 1 };
    let builder = WorldBuilder::new().pace(pace).batch("b1").made_ago(SignedDuration::from_secs(30));
    let mut world = builder.item("i1").item("i2").build();
    assert!(world.cancel(0));
    assert!(!world.cancel(0));
    world.settle();
    let states: Vec<SimulatedItemStatus> = world.batches()[0].runs.iter().map(|run| run.status).collect();
    assert_eq!(states, [SimulatedItemStatus::Completed, SimulatedItemStatus::Cancelled]);
    assert_eq!(world.batches()[0].status, SimulatedBatchStatus::Cancelled);
}

#[test]
fn an_outage_fails_what_ends_in_it_and_nothing_after() {
    let now: jiff::Timestamp = DEFAULT_NOW.parse().unwrap();
    let outage = Outage {
        name: "storm".into(),
        from: now - hours(2),
        until: now,
        share_percent: 100,
        failures: vec![Failure::text("down")],
    };
    let mut world = WorldBuilder::new().outage(outage).batch("b1").item("i1").build();
    assert_eq!(world.recoverable_failures(), [item_id("i1")]);
    world.submit(Submission::of_items(0, vec![0], json!({})));
    world.settle();
    assert!(world.open_failures().is_empty());
    assert_eq!(world.truth().failures.len(), 1);
}

#[test]
fn a_broken_batch_leaves_its_waiting_items_waiting() {
    let pace = BatchPace { start_delay: (60, 60), item: (1, 1), lanes: 1 };
    let builder = WorldBuilder::new().pace(pace).batch("b1").breaks(SignedDuration::from_secs(5), "lost its history");
    let world = builder.item("i1").build();
    let batch = world.batch(&batch_id("b1")).unwrap();
    assert_eq!((batch.status, batch.runs[0].status), (SimulatedBatchStatus::Failed, SimulatedItemStatus::Pending));
    assert_eq!(batch.error_message.as_deref(), Some("lost its history"));
}

#[test]
fn a_rate_limited_item_fails_in_a_large_batch_and_not_in_a_small_one() {
    let cause = ScriptedCause::RateLimited { most_at_once: 2, failure: Failure::text("slow down") };
    let mut world = WorldBuilder::new().batch("b1").items(3, "i", cause).build();
    assert_eq!(world.open_failures().len(), 3);
    world.submit(Submission::of_items(0, vec![0, 1], json!({})));
    world.settle();
    assert_eq!(world.open_failures(), [item_id("i-2")]);
}

#[test]
fn asking_for_fresh_work_pays_for_a_finished_item_again() {
    let mut world = WorldBuilder::new().batch("b1").item("i1").build();
    let mut config = default_config();
    config["parameters"]["invalidate_cache"] = true.into();
    world.submit(Submission::of_items(0, vec![0], config));
    world.settle();
    assert_eq!(world.paid_twice(), [item_id("i1")]);
}

#[tokio::test]
async fn unknown_items_fail_in_their_batch_when_set_to() {
    let world = WorldBuilder::new().batch("b1").item("i1").fails_until(2, "busy").item("gone").fails("no").build();
    let options = Options { unknown_items: UnknownItems::Fail, ..Options::default() };
    let cloud = SimulatedCloud::start(world, options).await.unwrap();
    cloud.world().delete_file(&item_id("gone"));
    let body = json!({"item_ids": [item_id("i1"), "dfl-none", item_id("gone")], "job_config": {}});
    let (status, batch) = crate::simulator::http::tests::post(&cloud, "/api/v1/beta/batch-processing", &body).await;
    assert_eq!((status, &batch["total_items"]), (201, &json!(3)));
    cloud.world().settle();
    assert_eq!(
        cloud.world().batches()[1].counts(),
        StatusCounts { completed: 1, failed: 2, ..StatusCounts::default() }
    );
}

#[tokio::test]
async fn a_project_without_credits_may_read_but_not_create() {
    let cloud =
        SimulatedCloud::start(WorldBuilder::new().credits(0).batch("b1").item("i1").build(), Options::default())
            .await
            .unwrap();
    let path = "/api/v1/beta/batch-processing";
    assert_eq!(crate::simulator::http::tests::get(&cloud, path).await.0, 200);
    let body = json!({"item_ids": [item_id("i1")], "job_config": {}});
    assert_eq!(crate::simulator::http::tests::post(&cloud, path, &body).await.0, 402);
}
