//! The server asked over real TCP, as a client would.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::simulator::faults::{FaultRule, InjectedFault};
use crate::simulator::http::endpoint::Endpoint;
use crate::simulator::http::server::SimulatedCloud;
use crate::simulator::options::{Options, Shift};
use crate::simulator::world::builder::large;
use crate::simulator::world::builder::{DEFAULT_KEY, WorldBuilder, batch_id, item_id, project_id};
use crate::simulator::world::cause::{Failure, ScriptedCause};
use crate::simulator::world::state::World;

/// Status and body of one request; an error when the connection ended early.
async fn send(cloud: &SimulatedCloud, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
    let url = cloud.url();
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {DEFAULT_KEY}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let early = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(early)?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let whole = length.and_then(|length| length.parse().ok()).is_none_or(|length: usize| body.len() >= length);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(early)?;
    if whole { Ok((status, body.to_owned())) } else { Err(early()) }
}

pub(crate) async fn get(cloud: &SimulatedCloud, path: &str) -> (u16, Value) {
    let (status, body) = send(cloud, "GET", path, "").await.expect("the server answers");
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

pub(crate) async fn post(cloud: &SimulatedCloud, path: &str, body: &Value) -> (u16, Value) {
    let (status, body) = send(cloud, "POST", path, &body.to_string()).await.expect("the server answers");
    (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
}

const BATCHES: &str = "/api/v1/beta/batch-processing";

fn small_world() -> World {
    let builder = WorldBuilder::new().batch("b1");
    builder
        .item("i1")
        .fails("timeout")
        .item("i2")
        .fails_until(2, "busy")
        .item("i3")
        .skipped("size_limit_exceeded")
        .build()
}

async fn cloud(world: World) -> SimulatedCloud {
    SimulatedCloud::start(world, Options::default()).await.expect("a free port is found")
}

#[tokio::test]
async fn failed_items_are_listed_and_counted_as_shown() {
    let cloud = cloud(small_world()).await;
    let (_, batches) = get(&cloud, BATCHES).await;
    assert_eq!(batches["items"][0]["failed_items"], 2);
    let (status, items) = get(&cloud, &format!("{BATCHES}/{}/items?status=failed", batch_id("b1"))).await;
    assert_eq!((status, items["items"].as_array().map(Vec::len)), (200, Some(2)));
    assert_eq!(cloud.world().truth().served_failures().count(), 2);
    assert_eq!(cloud.world().truth().requests_to(Endpoint::ListItems), 1);
}

#[tokio::test]
async fn a_resubmitted_item_runs_and_is_billed_once() {
    let cloud = cloud(small_world()).await;
    let body = json!({"item_ids": [item_id("i2")], "job_config": {"parameters": {"tier": "agentic"}}});
    let (status, batch) = post(&cloud, BATCHES, &body).await;
    assert_eq!((status, &batch["total_items"]), (201, &json!(1)));
    cloud.world().settle();
    let (_, after) = get(&cloud, &format!("{BATCHES}/{}", batch["id"].as_str().unwrap())).await;
    assert_eq!((&after["job"]["status"], &after["progress_percentage"]), (&json!("completed"), &json!(100.0)));
    assert_eq!(cloud.world().truth().credits_billed, 10);
    let (_, results) = get(&cloud, &format!("{BATCHES}/items/{}/processing-results", item_id("i2"))).await;
    assert_eq!(results["processing_results"][0]["job_config"]["parameters"]["tier"], "agentic");
}

#[tokio::test]
async fn bad_bodies_and_unknown_items_are_refused() {
    let cloud = cloud(small_world()).await;
    for body in [json!({}), json!({"item_ids": ["dfl-none"], "job_config": {}}), json!({"job_config": {}}), json!([])] {
        assert_eq!(post(&cloud, BATCHES, &body).await.0, 422, "{body}");
    }
    assert_eq!(cloud.world().truth().posts.len(), 4);
    assert_eq!(cloud.world().batches().len(), 1);
}

#[tokio::test]
async fn keys_and_projects_are_checked() {
    let world = WorldBuilder::new().batch("b1").item("i1").project("other", "llx-other").build();
    let cloud = cloud(world).await;
    assert_eq!(get(&cloud, &format!("{BATCHES}?project_id={}", project_id("default"))).await.0, 200);
    assert_eq!(get(&cloud, &format!("{BATCHES}?project_id={}", project_id("other"))).await.0, 403);
    assert_eq!(get(&cloud, &format!("{BATCHES}?project_id=")).await.0, 422);
    cloud.world().projects[0].api_key = "llx-new".into();
    assert_eq!(get(&cloud, BATCHES).await.0, 401);
}

#[tokio::test]
async fn transport_faults_end_connections_early() {
    let cloud = cloud(small_world()).await;
    for fault in [InjectedFault::Reset, InjectedFault::HalfBody] {
        cloud.set_faults(vec![FaultRule::new(fault).on(Endpoint::ListBatches).nth(1)]);
        assert!(send(&cloud, "GET", BATCHES, "").await.is_err());
        assert_eq!(get(&cloud, BATCHES).await.0, 200);
        assert_eq!(cloud.fault_hits(), [1]);
    }
}

#[tokio::test]
async fn a_slow_body_arrives_whole() {
    let cloud = cloud(small_world()).await;
    let pause = std::time::Duration::from_millis(30);
    cloud.set_faults(vec![FaultRule::new(InjectedFault::SlowBody(pause))]);
    let began = std::time::Instant::now();
    assert_eq!(get(&cloud, BATCHES).await.1["items"].as_array().map(Vec::len), Some(1));
    assert!(began.elapsed() >= pause);
}

#[tokio::test]
async fn an_accepted_post_without_a_reply_leaves_its_batch() {
    let cloud = cloud(small_world()).await;
    let body = json!({"item_ids": [item_id("i2")], "job_config": {}});
    cloud.set_faults(vec![FaultRule::new(InjectedFault::AcceptedThenReset).on(Endpoint::CreateBatch).nth(1)]);
    assert!(send(&cloud, "POST", BATCHES, &body.to_string()).await.is_err());
    assert!(cloud.world().truth().posts[0].reply_lost);
    cloud.set_faults(vec![FaultRule::new(InjectedFault::AcceptedTwice).on(Endpoint::CreateBatch)]);
    assert_eq!(post(&cloud, BATCHES, &body).await.0, 201);
    assert_eq!(cloud.world().truth().posts[1].created.len(), 2);
    cloud.world().settle();
    assert_eq!(cloud.world().paid_twice(), [item_id("i2")]);
    assert_eq!(cloud.world().batches().len(), 4);
}

#[tokio::test]
async fn a_broken_page_shows_nothing() {
    let cloud = cloud(small_world()).await;
    let path = format!("{BATCHES}/{}/items?status=failed", batch_id("b1"));
    cloud.set_faults(vec![FaultRule::new(InjectedFault::Html)]);
    assert!(get(&cloud, &path).await.1.is_string());
    assert_eq!(cloud.world().truth().served_failures().count(), 0);
    cloud.set_faults(vec![FaultRule::new(InjectedFault::Malformed(0))]);
    get(&cloud, &path).await;
    assert_eq!(cloud.world().truth().served_failures().count(), 1);
}

#[tokio::test]
async fn lists_move_while_they_are_read() {
    let builder = WorldBuilder::new().batch("b1").items(3, "done", ScriptedCause::Permanent(Failure::text("no")));
    let world = builder.item("late").takes(jiff::SignedDuration::from_hours(9)).build();
    let cloud = cloud(world).await;
    cloud.change_options(|options| options.paging.shift = Shift::NewFailure);
    let path = format!("{BATCHES}/{}/items?status=failed&limit=2", batch_id("b1"));
    let (_, first) = get(&cloud, &path).await;
    let (_, second) = get(&cloud, &format!("{path}&offset=2")).await;
    assert_eq!(first["items"][1], second["items"][0]);
}

#[tokio::test]
async fn generated_accounts_answer_pages() {
    let cloud = cloud(large(2, 150, 10, 1)).await;
    let (_, batches) = get(&cloud, BATCHES).await;
    let id = batches["items"][0]["id"].as_str().unwrap().to_owned();
    let (_, page) = get(&cloud, &format!("{BATCHES}/{id}/items?status=failed&limit=1000")).await;
    assert_eq!(page["items"].as_array().map(Vec::len), Some(150));
    assert_eq!(page["total_size"], Value::Null);
}

#[tokio::test]
async fn a_stopped_server_answers_no_more() {
    let cloud = cloud(small_world()).await;
    let url = cloud.url();
    cloud.shutdown().await;
    assert!(TcpStream::connect(url.trim_start_matches("http://")).await.is_err());
}
