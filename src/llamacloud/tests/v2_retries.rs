//! A retry of one file through API v2: which job is its own, and what a job is whose id does not say it.

use std::collections::HashSet;

use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::llamacloud::paging::listing::Depth;
use crate::llamacloud::resubmit::Resubmission;
use crate::llamacloud::tests::fake::{FakeCloud, RecordedCall, keep, ok, status};
use crate::model::batch::BatchStatus;
use crate::model::batch_api::BatchApi;
use crate::model::item::{ItemStatus, Kind};
use crate::model::prior_jobs::PriorJobs;

const SAVED: &str = "cfg-7c9e6679-7425-40de-944b-e07fc1f90ae7";
const OTHER: &str = "cfg-11111111-7425-40de-944b-e07fc1f90ae7";
const FAILED: &str = "0b0f0d5e-2c5f-4d0b-9a51-3d9d6a4f7c11";
const PARSED: &str = "22222222-2c5f-4d0b-9a51-3d9d6a4f7c11";
const MADE: &str = "33333333-2c5f-4d0b-9a51-3d9d6a4f7c11";

fn request(job_type: &str, job_id: &str, configuration: &str) -> Resubmission {
    Resubmission {
        api: BatchApi::V2,
        intent_id: "intent-1".to_owned(),
        job_type: job_type.to_owned(),
        item_ids: vec!["dfl-1".to_owned()],
        job_config: json!({ "configuration_id": configuration }),
        directory_id: Some("dir-1".to_owned()),
        job_id: Some(job_id.to_owned()),
        before: None,
    }
}

fn posted() -> Timestamp {
    "2026-11-23T11:00:00Z".parse().unwrap()
}

fn extraction(id: &str, created_at: &str, configuration: Value) -> Value {
    json!({"id": id, "project_id": "prj-1", "file_input": "pjb-step", "status": "COMPLETED",
        "configuration_id": configuration, "created_at": created_at, "updated_at": created_at})
}

/// Looks before a POST that meets `before`, and finds what `after` shows: ids, and whether each is surely the retry's.
async fn found(configuration: &str, before: Vec<Value>, after: Vec<Value>) -> Vec<(String, bool)> {
    let lists = [before, after];
    let fake = FakeCloud::start(move |call, n| match call.path.as_str() {
        "/api/v2/extract/ext-old" => {
            ok(&json!({"id": "ext-old", "status": "FAILED", "extract_metadata": {"parse_job_id": "pjb-step"}}))
        }
        "/api/v2/parse/pjb-step" => ok(&json!({"job": {"id": "pjb-step", "status": "COMPLETED"}})),
        "/api/v2/extract" => ok(&json!({ "items": lists[usize::from(n > 2)] })),
        _ => status(404, "no"),
    })
    .await;
    let cloud = fake.cloud_v2();
    let request = request("extract", "ext-old", configuration);
    let before = cloud.list_prior_jobs(&request, posted()).await.unwrap();
    assert_eq!(fake.calls().last().unwrap().query("file_input"), Some("pjb-step"));
    let request = Resubmission { before, ..request };
    let found = cloud.find_batches(&request, posted(), &HashSet::new()).await.unwrap();
    assert!(found.complete);
    found.found.into_iter().map(|one| (one.batch.batch_id, one.item_ids.is_some())).collect()
}

#[tokio::test]
async fn an_extraction_that_was_there_before_the_post_is_not_its_own() {
    let theirs = extraction("ext-theirs", "2026-11-23T10:58:20Z", SAVED.into());
    let ours = extraction("ext-ours", "2026-11-23T11:00:01Z", SAVED.into());
    assert_eq!(found(SAVED, vec![theirs.clone()], vec![theirs.clone()]).await, []);
    let both = found(SAVED, vec![theirs.clone()], vec![ours, theirs]).await;
    assert_eq!(both, [("ext-ours".to_owned(), true)]);
}

#[tokio::test]
async fn an_extraction_with_another_configuration_is_not_the_retrys_or_no_one_can_say() {
    let made = |configuration: Value| vec![extraction("ext-new", "2026-11-23T11:00:01Z", configuration)];
    let sure = |sure| vec![("ext-new".to_owned(), sure)];
    assert_eq!(found(SAVED, vec![], made(OTHER.into())).await, []);
    assert_eq!(found(SAVED, vec![], made(SAVED.into())).await, sure(true));
    // What shows none may be made with any, by anyone.
    assert_eq!(found(SAVED, vec![], made(Value::Null)).await, sure(false));
    // The server may write what it ships under another name.
    assert_eq!(found("cfg-EXTRACT_AGENTIC", vec![], made(OTHER.into())).await, sure(false));
    // Nor can clocks be trusted so far.
    let long_before = vec![extraction("ext-new", "2026-11-23T09:00:01Z", SAVED.into())];
    assert_eq!(found(SAVED, vec![], long_before).await, sure(false));
}

#[tokio::test]
async fn nothing_is_sent_where_it_is_not_known_what_was_there_before() {
    let fake = FakeCloud::start(|call, _| match call.path.as_str() {
        "/api/v2/extract" => ok(&json!({"items": [{"status": "COMPLETED"}]})),
        _ => status(404, "no"),
    })
    .await;
    let cloud = fake.cloud_v2();
    assert!(cloud.list_prior_jobs(&request("extract", "ext-old", SAVED), posted()).await.is_err());
    let blind = cloud.find_batches(&request("extract", "ext-old", SAVED), posted(), &HashSet::new()).await.unwrap();
    assert!(!blind.complete && blind.found.is_empty());
    assert_eq!(cloud.list_prior_jobs(&request("parse", "pjb-old", SAVED), posted()).await.unwrap(), None);
}

fn bare(call: &RecordedCall) -> Response {
    match (call.method.as_str(), call.path.as_str()) {
        ("GET", path) if path == format!("/api/v2/extract/{FAILED}") => {
            ok(&json!({"id": FAILED, "status": "FAILED", "extract_metadata": {"parse_job_id": PARSED}}))
        }
        ("GET", path) if path == format!("/api/v2/parse/{PARSED}") => {
            ok(&json!({"job": {"id": PARSED, "status": "COMPLETED"}}))
        }
        ("GET", path) if path == format!("/api/v2/extract/{MADE}") => {
            ok(&json!({"id": MADE, "status": "FAILED", "file_input": PARSED, "error_message": "no"}))
        }
        ("GET", "/api/v2/extract") => ok(&json!({"items": []})),
        ("POST", "/api/v2/extract") => ok(&json!({"id": MADE, "status": "PENDING", "file_input": PARSED})),
        _ => status(404, "no"),
    }
}

#[tokio::test]
async fn ids_without_a_prefix_are_of_the_product_that_they_were_made_by() {
    let fake = FakeCloud::start(|call, _| bare(call)).await;
    let cloud = fake.cloud_v2();
    let request = request("extract", FAILED, SAVED);
    let before = cloud.list_prior_jobs(&request, posted()).await.unwrap();
    assert_eq!(
        before.as_ref().map(|before: &PriorJobs| before.input.as_str()),
        Some(PARSED),
        "parsing is not paid again"
    );
    let id = cloud.create_batch(&Resubmission { before, ..request }).await.unwrap();
    assert_eq!((id.as_str(), &fake.calls().last().unwrap().body["file_input"]), (MADE, &json!(PARSED)));
    // Another process learns from the ledger what it is.
    let later = fake.cloud_v2();
    assert_eq!(later.batch(MADE).await.unwrap(), None);
    later.remember(MADE, "extract", "dfl-1");
    for cloud in [cloud, later] {
        let batch = cloud.batch(MADE).await.unwrap().unwrap();
        assert_eq!((batch.status.clone(), batch.job_type.as_str()), (BatchStatus::Completed, "extract"));
        let mut rows = Vec::new();
        cloud.list_items(&batch, Kind::Failed, Depth::News, &mut |page| keep(&mut rows, page)).await.unwrap();
        assert_eq!((rows[0].item_id.as_str(), rows[0].job_id.as_deref()), ("dfl-1", Some(MADE)));
        let statuses = cloud.statuses(&batch, &HashSet::from(["dfl-1".to_owned()])).await.unwrap();
        assert_eq!(statuses["dfl-1"], ItemStatus::Failed);
    }
}
