//! What the built binary sends to make work: every create call, as the API types it.

use std::io::Write;

use jiff::Timestamp;
use llama_triage::internals::simulator::{Endpoint, JobType, Options, Post, WorldBuilder, default_config, item_id};
use serde_json::{Value, json};

use crate::site::Site;

const SAVED: &str = "cfg-7c9e6679-7425-40de-944b-e07fc1f90ae7";

/// A configuration that classify jobs of v1 are retried with: the API gives none that may be sent again.
const CLASSIFY: &str = r#"
[[reprocess.job-config]]
job-type = "classify"
[reprocess.job-config.config]
id = "0193be3a-89c8-4ebe-8ea3-3b0b1a2c1b33"
status = "PENDING"
user_id = "user-1"
project_id = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
rules = [{ type = "invoice", description = "asks for money by a date" }]
"#;

/// What one retry by hand of an item that failed in such a batch sends.
async fn sent(api: &'static str, job_type: JobType, config: Option<Value>, more: &str) -> Vec<Post> {
    let mut builder = WorldBuilder::at(Timestamp::now()).batch("b").job_type(job_type);
    if let Some(config) = config {
        builder = builder.config(config);
    }
    let world = builder.item("i0").fails_until(2, "the service is busy, try again later").build();
    let site = Site::with_api(api, world, Options::default(), more).await;
    site.command(&["scan"]).assert().success();
    let plan = site.command(&["reprocess", "plan", "--format", "json", "--item", &item_id("i0")]).assert().success();
    let plan: Value = serde_json::from_slice(&plan.get_output().stdout).unwrap();
    assert_eq!(plan["items"], 1, "{plan}");
    let plan_id = plan["plan_id"].as_str().unwrap();
    site.command(&["reprocess", "apply", plan_id, "--reason", "it is over", "--yes"]).assert().success();
    let posts = site.cloud.world().truth().posts.clone();
    assert_eq!(posts.len(), 1);
    posts
}

fn path(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::CreateBatch => "/api/v1/beta/batch-processing",
        Endpoint::V2CreateParse => "/api/v2/parse",
        Endpoint::V2CreateExtract => "/api/v2/extract",
        other => panic!("{other:?} is not sent"),
    }
}

/// `REQUESTS_OUT` names a file that gets them, for checks against the API's description and its SDK (`ci/requests.sh`).
#[tokio::test(flavor = "multi_thread")]
async fn every_create_call_is_taken_by_a_cloud_that_checks_types() {
    let saved = json!({"job": {"type": "parse_v2", "configuration_id": SAVED}});
    let preset = json!({"job": {"type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC"}});
    let mut posts = Vec::new();
    for (api, job_type, config, more) in [
        ("v1-beta", JobType::Parse, Some(default_config()), ""),
        ("v1-beta", JobType::Classify, None, CLASSIFY),
        ("v2", JobType::Parse, Some(saved), ""),
        ("v2", JobType::Parse, Some(preset), ""),
        ("v2", JobType::Extract, None, ""),
    ] {
        posts.extend(sent(api, job_type, config, more).await);
    }
    let answers: Vec<u16> = posts.iter().map(|post| post.status).collect();
    assert_eq!(answers, [201, 201, 200, 200, 200]);
    assert_eq!(posts[2].body["configuration_id"], SAVED);
    // Only batches are known to take the names of presets.
    let fields = ["configuration_id", "tier", "version"].map(|field| &posts[3].body[field]);
    assert_eq!(fields, [&Value::Null, &json!("agentic"), &json!("latest")]);
    if let Some(file) = std::env::var_os("REQUESTS_OUT") {
        let sent: Vec<Value> =
            posts.iter().map(|post| json!({"path": path(post.endpoint), "body": post.body})).collect();
        std::fs::File::create(file).unwrap().write_all(json!(sent).to_string().as_bytes()).unwrap();
    }
}
