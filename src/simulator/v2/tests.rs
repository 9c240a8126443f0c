//! The v2 calls, asked over real TCP.

use serde_json::json;

use crate::simulator::http::server::SimulatedCloud;
use crate::simulator::http::tests::{get, post};
use crate::simulator::options::Options;
use crate::simulator::world::builder::{WorldBuilder, directory_id, item_id, v2_batch_id};
use crate::simulator::world::cause::{Failure, ScriptedCause};
use crate::simulator::world::model::JobType;
use crate::simulator::world::state::World;

async fn cloud(world: World) -> SimulatedCloud {
    SimulatedCloud::start(world, Options::default()).await.expect("a free port is found")
}

fn mixed_world() -> World {
    let failing = Failure::text("short").with_job_message("the long story");
    let builder = WorldBuilder::new().batch("b1").from_directory();
    let builder = builder.item("good").item("bad").cause(ScriptedCause::Permanent(failing));
    builder.item("busy").fails_until(2, "busy").item("big").skipped("size_limit_exceeded").build()
}

#[tokio::test]
async fn results_name_jobs_and_the_jobs_show_the_failures() {
    let cloud = cloud(mixed_world()).await;
    let path = format!("/api/v2/batches/{}", v2_batch_id("b1"));
    assert!(get(&cloud, &path).await.1["results"].is_null());
    let (_, batch) = get(&cloud, &format!("{path}?expand=results")).await;
    assert_eq!((&batch["status"], batch["results"].as_array().map(Vec::len)), (&json!("COMPLETED"), Some(4)));
    assert!(batch["results"][3]["job_reference"].is_null() && batch["results"][3]["error_message"].is_string());
    let jobs = batch["results"].as_array().unwrap().iter().filter_map(|result| result["job_reference"]["id"].as_str());
    let query: String = jobs.map(|id| format!("&job_ids={id}")).collect();
    let (_, failed) = get(&cloud, &format!("/api/v2/parse?status=FAILED{query}")).await;
    let messages: Vec<_> = failed["items"].as_array().unwrap().iter().map(|job| &job["error_message"]).collect();
    assert_eq!(messages.len(), 2);
    assert!(messages.contains(&&json!("the long story")));
    assert_eq!(cloud.world().truth().served_failures().count(), 3);
}

#[tokio::test]
async fn batches_are_listed_by_cursor_and_window() {
    let builder = WorldBuilder::new().batch("b1").item("i1").batch("b2").item("i2");
    let world = builder.batch("b3").made_ago(jiff::SignedDuration::from_hours(9)).item("i3").build();
    let cloud = cloud(world).await;
    let path = "/api/v2/batches?page_size=1&created_at_on_or_after=2026-03-02T06:00:00Z";
    let (_, first) = get(&cloud, path).await;
    let token = first["next_page_token"].as_str().unwrap().to_owned();
    let (_, second) = get(&cloud, &format!("{path}&page_token={token}")).await;
    assert_ne!(first["items"][0]["id"], second["items"][0]["id"]);
    assert!(second["next_page_token"].is_null());
    assert_eq!(get(&cloud, "/api/v2/batches?page_token=x").await.0, 422);
}

#[tokio::test]
async fn one_file_is_parsed_again_with_its_metadata() {
    let cloud = cloud(mixed_world()).await;
    let path = format!("/api/v1/beta/directories/{}/files/{}", directory_id("default"), item_id("busy"));
    let (_, file) = get(&cloud, &path).await;
    let mut body = json!({"file_id": file["file_id"], "configuration_id": "cfg-PARSE_FAST", "tier": "configured",
            "version": "configured", "user_metadata": {"intent": "n1"}});
    assert_eq!(post(&cloud, "/api/v2/parse", &body).await.0, 404, "a preset is for batches");
    body = json!({"file_id": file["file_id"], "tier": "fast", "version": "latest", "user_metadata": {"intent": "n1"}});
    let (status, job) = post(&cloud, "/api/v2/parse", &body).await;
    assert_eq!((status, &job["user_metadata"]["intent"]), (200, &json!("n1")));
    cloud.world().settle();
    let (_, after) = get(&cloud, &format!("/api/v2/parse/{}?expand=usage", job["id"].as_str().unwrap())).await;
    assert_eq!((&after["job"]["status"], &after["job"]["usage"]["credits"]), (&json!("COMPLETED"), &json!(1)));
    let (_, listed) = get(&cloud, "/api/v2/parse?page_size=1").await;
    assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["user_metadata"]), (&job["id"], &job["user_metadata"]));
    assert_eq!(get(&cloud, "/api/v2/batches").await.1["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_cached_parse_is_free_unless_the_cache_is_refused() {
    let cloud = cloud(mixed_world()).await;
    let file = cloud.world().item(&item_id("good")).unwrap().file_id.clone();
    let mut body = json!({"file_id": file, "tier": "agentic", "version": "latest"});
    let mut costs = Vec::new();
    for fresh in [false, false, true] {
        body["disable_cache"] = fresh.into();
        let before = cloud.world().truth().credits_billed;
        post(&cloud, "/api/v2/parse", &body).await;
        let mut world = cloud.world();
        world.settle();
        costs.push(world.truth().credits_billed - before);
    }
    assert_eq!(costs, [10, 0, 10]);
}

#[tokio::test]
async fn an_extraction_from_a_finished_parsing_pays_no_parsing() {
    let builder = WorldBuilder::new().batch("b1").job_type(JobType::Extract);
    let cloud = cloud(builder.item("i1").fails_until(2, "schema engine restarted").build()).await;
    let (_, failed) = get(&cloud, "/api/v2/extract?status=FAILED&expand=extract_metadata").await;
    let parsing = failed["items"][0]["extract_metadata"]["parse_job_id"].as_str().unwrap().to_owned();
    let (_, parsed) = get(&cloud, &format!("/api/v2/parse/{parsing}")).await;
    assert_eq!(parsed["job"]["status"], "COMPLETED");
    let body = json!({"file_input": parsing, "configuration_id": "cfg-EXTRACT_AGENTIC"});
    assert_eq!(post(&cloud, "/api/v2/extract", &body).await.0, 200);
    cloud.world().settle();
    assert_eq!(cloud.world().truth().credits_billed, 5);
}

#[tokio::test]
async fn a_batch_over_a_directory_is_made_and_cancelled() {
    let cloud = cloud(mixed_world()).await;
    let config = json!({"job": {"type": "parse_v2", "configuration_id": "cfg-PARSE_FAST"}});
    let body = json!({"source_directory_id": directory_id("default"), "config": config});
    let (status, batch) = post(&cloud, "/api/v2/batches", &body).await;
    assert_eq!((status, &batch["config"], &batch["status"]), (201, &config, &json!("PENDING")));
    let path = format!("/api/v2/batches/{}/cancel", batch["id"].as_str().unwrap());
    assert_eq!(post(&cloud, &path, &json!({})).await.1["status"], "CANCELLED");
    assert_eq!(post(&cloud, &path, &json!({})).await.0, 409);
}

#[tokio::test]
async fn bad_pages_show_inside_a_completed_parse() {
    let cloud = cloud(WorldBuilder::new().batch("b1").item("i1").pages(3).bad_pages(&[2]).build()).await;
    let job = cloud.world().batches()[0].runs[0].job.clone().unwrap();
    let (_, parse) = get(&cloud, &format!("/api/v2/parse/pjb-{job}?expand=markdown")).await;
    assert_eq!(parse["job"]["status"], "COMPLETED");
    let good: Vec<_> =
        parse["markdown"]["pages"].as_array().unwrap().iter().map(|page| page["success"] == true).collect();
    assert_eq!(good, [true, false, true]);
}

#[tokio::test]
async fn v1_can_be_gone_while_v2_answers() {
    let cloud = cloud(mixed_world()).await;
    cloud.change_options(|options| options.v1_gone = Some(410));
    assert_eq!(get(&cloud, "/api/v1/beta/batch-processing").await.0, 410);
    assert_eq!(get(&cloud, "/api/v2/batches").await.0, 200);
}

#[tokio::test]
async fn files_are_found_in_real_and_in_invented_directories() {
    let builder = WorldBuilder::new().batch("b1").from_directory().item("i1").batch("b2").item("i2");
    let cloud = cloud(builder.build()).await;
    for batch in ["b1", "b2"] {
        let (_, batch) = get(&cloud, &format!("/api/v2/batches/{}?expand=results", v2_batch_id(batch))).await;
        let file = batch["results"][0]["source_directory_file_id"].as_str().unwrap();
        let directory = batch["source_directory_id"].as_str().unwrap();
        let (_, files) = get(&cloud, &format!("/api/v1/beta/directories/{directory}/files")).await;
        assert!(files["items"].as_array().unwrap().iter().any(|entry| entry["id"] == file), "{files}");
    }
    assert_eq!(get(&cloud, "/api/v1/beta/directories/dir-none/files").await.0, 404);
}
