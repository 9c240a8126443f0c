//! API v2: batches by cursor, failures on the jobs, one file resubmitted.

use std::collections::HashSet;
use std::ops::ControlFlow;

use axum::response::Response;
use serde_json::{Value, json};

use crate::config::project::{Api, ProjectConfig};
use crate::llamacloud::error::CreateError;
use crate::llamacloud::paging::listing::ListResult;
use crate::llamacloud::resubmit::Resubmission;
use crate::llamacloud::settings::RetryPace;
use crate::llamacloud::tests::fake::{FakeCloud, RecordedCall, connect, keep, ok, status};
use crate::llamacloud::tests::statuses;
use crate::model::batch::{Batch, BatchStatus, Counted};
use crate::model::batch_api::BatchApi;
use crate::model::item::{ItemStatus, Kind, Observation};

const FILES: usize = 1000;

fn job_id(n: usize) -> String {
    format!("pjb-{n:08}-27c1-4a5e-8f00-1c1f8d0f2a11")
}

fn a_batch(status: &str) -> Value {
    json!({"id": "bat-1", "project_id": "prj-1", "source_directory_id": "dir-1", "status": status,
        "config": {"job": {"type": "parse_v2", "configuration_id": "cfg-1"}},
        "created_at": "2026-11-23T10:00:00Z", "updated_at": "2026-11-23T11:00:00Z", "results": null})
}

fn results() -> Value {
    let mut results: Vec<Value> = (0..FILES)
        .map(|n| json!({"source_directory_file_id": format!("dfl-{n}"), "job_reference": {"type": "parse_v2", "id": job_id(n)}, "error_message": null}))
        .collect();
    results[7]["job_reference"] = Value::Null;
    results[7]["error_message"] = "no job for this file".into();
    results[8]["job_reference"] = Value::Null;
    results[9] = json!({"source_directory_file_id": 9});
    json!(results)
}

/// Every tenth job fails, the eleventh was cancelled, one is of a word to come.
fn job(id: &str) -> Value {
    let n: usize = id[4..12].parse().unwrap();
    let status = match n % 10 {
        0 => "FAILED",
        1 => "CANCELLED",
        _ => "COMPLETED",
    };
    json!({"id": id, "project_id": "prj-1", "status": status, "error_message": "key llx-abcdefgh12 bad",
        "user_metadata": [], "updated_at": "2026-11-23T10:30:00Z"})
}

fn answer(call: &RecordedCall) -> Response {
    match call.path.as_str() {
        "/api/v2/batches" => ok(&json!({"items": [a_batch("COMPLETED")], "next_page_token": "", "total_size": null})),
        "/api/v2/batches/bat-1" => {
            let mut batch = a_batch("COMPLETED");
            if call.query("expand") == Some("results") {
                batch["results"] = results();
            }
            ok(&batch)
        }
        "/api/v2/parse" => {
            let asked = call.query.iter().filter(|(name, _)| name == "job_ids");
            let mut jobs: Vec<Value> = asked.map(|(_, id)| job(id)).collect();
            if jobs.is_empty() {
                jobs = (0..FILES).map(|n| job(&job_id(n))).collect();
            }
            jobs.retain(|job| call.query("status").is_none_or(|status| job["status"] == status));
            ok(&json!({ "items": jobs }))
        }
        "/api/v1/beta/directories/dir-1/files" => {
            let from = call.number("page_token").unwrap_or(0);
            let files: Vec<Value> = (from..from + 500)
                .map(|n| json!({"id": format!("dfl-{n}"), "display_name": format!("{n}.pdf")}))
                .collect();
            ok(&json!({"items": files, "next_page_token": (from == 0).then_some("500")}))
        }
        _ => status(404, "no such thing"),
    }
}

async fn batches(fake: &crate::llamacloud::Cloud) -> Vec<Batch> {
    let mut all = Vec::new();
    let since = "2026-11-20T00:00:00Z".parse().unwrap();
    let listed = fake
        .list_batches(fake.apis()[0], Some(since), &mut |page| {
            all.extend(page);
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
    assert!(listed.complete);
    all
}

async fn failed(cloud: &crate::llamacloud::Cloud, batch: &Batch) -> (Vec<Observation>, ListResult) {
    let mut rows = Vec::new();
    let listed = cloud.list_items(batch, Kind::Failed, &mut |page| keep(&mut rows, page)).await.unwrap();
    (rows, listed)
}

#[tokio::test]
async fn the_failures_of_a_finished_batch_are_its_files_without_a_job_and_its_failed_jobs() {
    let fake = FakeCloud::start(|call, _| answer(call)).await;
    let cloud = fake.cloud_v2();
    let batch = batches(&cloud).await.remove(0);
    assert_eq!(
        (batch.status.clone(), batch.job_type.as_str(), batch.failed_items),
        (BatchStatus::Completed, "parse", None)
    );
    assert_eq!(fake.calls()[0].query("created_at_on_or_after"), Some("2026-11-19T23:55:00Z"));

    let (mut rows, listed) = failed(&cloud, &batch).await;
    assert!(listed.complete);
    assert_eq!((rows.len(), listed.rows, listed.unreadable), (202, 202, 1));
    assert_eq!(rows.iter().filter(|row| row.kind == Kind::Cancelled).count(), 100);
    rows.retain(|row| row.kind == Kind::Failed);
    rows.sort_by(|a, b| a.item_id.cmp(&b.item_id));
    assert_eq!((rows[0].item_id.as_str(), rows[0].item_name.as_str()), ("dfl-0", "0.pdf"));
    assert_eq!(rows[0].message.as_deref(), Some("key llx-*** bad"));
    assert_eq!(rows[0].job_id.as_deref(), Some(job_id(0).as_str()));
    let unmapped: Vec<_> = rows.iter().filter(|row| row.job_id.is_none()).collect();
    assert_eq!(unmapped[0].message.as_deref(), Some("no job for this file"));
    assert_eq!((unmapped[1].message.as_deref(), unmapped[1].item_name.as_str()), (None, "8.pdf"));
    assert_eq!(unmapped[0].completed_at, batch.completed_at);
    // None of its jobs can fail any more, so it need not be read again.
    assert_eq!(listed.counted, Some(Counted { total: 1000, failed: 102 }));
    assert!(batch.is_settled_by(listed.counted));
}

#[tokio::test]
async fn a_batch_that_failed_as_a_whole_names_no_items_and_a_running_one_costs_nothing() {
    let fake = FakeCloud::start(|_, _| ok(&a_batch("FAILED"))).await;
    let cloud = fake.cloud_v2();
    let mut batch = cloud.batch("bat-1").await.unwrap().unwrap();
    let (rows, listed) = failed(&cloud, &batch).await;
    assert_eq!((rows.len(), listed.complete, listed.counted), (0, true, Some(Counted { total: 0, failed: 0 })));
    batch.status = BatchStatus::Throttled;
    let before = fake.calls().len();
    let (rows, listed) = failed(&cloud, &batch).await;
    assert_eq!((rows.len(), listed.complete, fake.calls().len()), (0, true, before));
}

#[tokio::test]
async fn the_statuses_of_items_are_those_of_their_jobs() {
    let fake = FakeCloud::start(|call, _| answer(call)).await;
    let cloud = fake.cloud_v2();
    let batch = cloud.batch("bat-1").await.unwrap().unwrap();
    let found = statuses(&cloud, &batch).await;
    assert!(!found.contains_key("dfl-none"), "{found:?}");
    assert_eq!(found["dfl-0"], ItemStatus::Failed);
    assert_eq!(found["dfl-1"], ItemStatus::Cancelled);
    assert_eq!(found["dfl-2"], ItemStatus::Completed);
    assert_eq!(found["dfl-7"], ItemStatus::Failed);
}

fn request(job_type: &str, job_id: &str) -> Resubmission {
    Resubmission {
        api: BatchApi::V2,
        intent_id: "intent-1".to_owned(),
        job_type: job_type.to_owned(),
        item_ids: vec!["dfl-1".to_owned()],
        job_config: json!({"configuration_id": "cfg-1"}),
        directory_id: Some("dir-1".to_owned()),
        job_id: Some(job_id.to_owned()),
        before: None,
    }
}

#[tokio::test]
async fn a_file_is_parsed_again_with_its_file_id_and_found_by_its_note() {
    let again = json!({"id": "pjb-new", "status": "FAILED", "error_message": "again", "name": "n.pdf",
        "created_at": "2026-11-23T12:00:00Z", "user_metadata": {"triage_intent": "intent-1", "triage_item": "dfl-1"}});
    let fake = FakeCloud::start(move |call, _| match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/api/v1/beta/directories/dir-1/files/dfl-1") => ok(&json!({"id": "dfl-1", "file_id": "file-1"})),
        ("POST", "/api/v2/parse") => ok(&again),
        ("GET", "/api/v2/parse/pjb-new") => ok(&json!({ "job": again })),
        ("GET", "/api/v2/parse") => {
            ok(&json!({"items": [again, {"id": "pjb-x", "user_metadata": {"triage_intent": "other"}}]}))
        }
        _ => status(404, "no"),
    })
    .await;
    let cloud = fake.cloud_v2();
    let request = request("parse", "pjb-old");
    let id = cloud.create_batch(&request).await.unwrap();
    let post = fake.calls().into_iter().find(|call| call.method == "POST").unwrap();
    assert_eq!(
        post.body,
        json!({"configuration_id": "cfg-1", "file_id": "file-1", "tier": "configured", "version": "configured",
            "user_metadata": {"triage_intent": "intent-1", "triage_item": "dfl-1"}})
    );
    let tier = Resubmission { job_config: json!({"tier": "agentic"}), ..request.clone() };
    cloud.create_batch(&tier).await.unwrap();
    assert_eq!(fake.calls().last().unwrap().body["version"], "latest", "a tier needs a version");
    let batch = cloud.batch(&id).await.unwrap().unwrap();
    assert_eq!((batch.status.clone(), batch.failed_items), (BatchStatus::Completed, Some(1)));
    // Another process, which did not create it, sees the item, too.
    let (rows, _) = failed(&fake.cloud_v2(), &batch).await;
    assert_eq!((rows[0].item_id.as_str(), rows[0].message.as_deref()), ("dfl-1", Some("again")));

    let found = cloud.find_batches(&request, "2026-11-23T11:00:00Z".parse().unwrap(), &HashSet::new()).await.unwrap();
    assert!(found.complete);
    assert_eq!(found.found.len(), 1);
    assert_eq!(found.found[0].batch.batch_id, "pjb-new");
}

#[tokio::test]
async fn an_extraction_is_made_from_the_parse_that_had_succeeded() {
    let fake = FakeCloud::start(|call, _| match (call.method.as_str(), call.path.as_str()) {
        ("GET", "/api/v2/extract/ext-old") => {
            ok(&json!({"id": "ext-old", "status": "FAILED", "extract_metadata": {"parse_job_id": "pjb-step"}}))
        }
        ("GET", "/api/v2/parse/pjb-step") => ok(&json!({"job": {"id": "pjb-step", "status": "COMPLETED"}})),
        ("POST", "/api/v2/extract") => ok(&json!({"id": "ext-new", "status": "PENDING", "file_input": "pjb-step"})),
        ("GET", "/api/v2/extract/ext-new") => {
            ok(&json!({"id": "ext-new", "status": "FAILED", "file_input": "pjb-step", "error_message": "no"}))
        }
        _ => status(404, "no"),
    })
    .await;
    let cloud = fake.cloud_v2();
    let request = request("extract", "ext-old");
    let id = cloud.create_batch(&request).await.unwrap();
    let post = fake.calls().into_iter().find(|call| call.method == "POST").unwrap();
    assert_eq!(post.body, json!({"configuration_id": "cfg-1", "file_input": "pjb-step"}));
    let batch = cloud.batch(&id).await.unwrap().unwrap();
    assert_eq!(failed(&cloud, &batch).await.0[0].item_id, "dfl-1");
}

#[tokio::test]
async fn what_v2_cannot_resubmit_is_not_sent() {
    let fake = FakeCloud::start(|_, _| status(500, "never asked")).await;
    let cloud = fake.cloud_v2();
    assert_eq!(BatchApi::V2.items_per_request(), Some(1));
    let mut two = request("parse", "pjb-old");
    two.item_ids.push("dfl-2".to_owned());
    let mut whole = request("parse", "pjb-old");
    whole.item_ids = vec!["bat-1".to_owned()];
    for bad in [two, whole, request("classify", "x")] {
        assert!(matches!(cloud.create_batch(&bad).await, Err(CreateError::NotSent(_))));
    }
    assert!(fake.calls().is_empty());
}

#[tokio::test]
async fn why_an_extraction_failed_may_stand_on_the_parsing_before_it() {
    let fake = FakeCloud::start(|call, _| match call.path.as_str() {
        "/api/v2/extract/ext-1" => ok(&json!({"id": "ext-1", "status": "FAILED", "error_message": "no extraction",
            "extract_metadata": {"parse_job_id": "pjb-1"}})),
        "/api/v2/parse/pjb-1" => {
            ok(&json!({"job": {"id": "pjb-1", "status": "FAILED", "error_message": "the file is locked"}}))
        }
        "/api/v2/extract/ext-2" => ok(&json!({"id": "ext-2", "status": "FAILED", "error_message": "no schema",
            "extract_metadata": {"parse_job_id": "pjb-2"}})),
        "/api/v2/parse/pjb-2" => ok(&json!({"job": {"id": "pjb-2", "status": "COMPLETED"}})),
        _ => status(503, "not now"),
    })
    .await;
    let cloud = fake.cloud_v2();
    for (job_id, wanted) in [("ext-1", "the file is locked"), ("ext-2", "no schema")] {
        let record = cloud.job_record("extract", job_id).await.unwrap().unwrap();
        assert_eq!(record.error_message.as_deref(), Some(wanted));
    }
    let before = fake.calls().len();
    assert!(cloud.job_record("extract", "ext-3").await.unwrap_err().is_transient());
    assert_eq!(fake.calls().len(), before + 1, "a single try");
}

#[tokio::test]
async fn files_that_became_one_job_fail_and_end_together() {
    let fake = FakeCloud::start(|call, _| match call.path.as_str() {
        "/api/v2/batches/bat-1" => {
            let mut batch = a_batch("COMPLETED");
            let file = |n: usize| json!({"source_directory_file_id": format!("dfl-{n}"), "job_reference": {"type": "parse_v2", "id": job_id(10)}});
            batch["results"] = json!([file(1), file(2)]);
            ok(&batch)
        }
        _ => answer(call),
    })
    .await;
    let cloud = fake.cloud_v2();
    let batch = cloud.batch("bat-1").await.unwrap().unwrap();
    let (rows, listed) = failed(&cloud, &batch).await;
    let mut items: Vec<_> = rows.iter().map(|row| row.item_id.as_str()).collect();
    items.sort_unstable();
    assert_eq!((items, listed.counted), (vec!["dfl-1", "dfl-2"], Some(Counted { total: 2, failed: 2 })));
    assert_eq!(statuses(&cloud, &batch).await.len(), 2);
}

#[tokio::test]
async fn pages_that_cannot_be_read_cost_no_failure_that_is_known() {
    let fake = FakeCloud::start(|call, _| match call.path.as_str() {
        "/api/v2/batches/bat-1" => {
            let mut batch = a_batch("COMPLETED");
            let file = |n: usize| json!({"source_directory_file_id": format!("dfl-{n}"), "job_reference": {"type": "parse_v2", "id": job_id(n)}});
            batch["results"] = json!([file(10), file(2), file(3), file(4), file(5), file(6)]);
            ok(&batch)
        }
        path if path.ends_with(&job_id(2)) => ok(&json!({"markdown": {"pages": [{"success": false, "error": "blank"}]}})),
        path if path.contains("/parse/") => ok(&json!({"markdown": {"pages": [{"success": "no"}]}})),
        _ => answer(call),
    })
    .await;
    let curious = connect(ProjectConfig { api: Api::V2, page_failures: true, ..fake.project() }, RetryPace::hurried());
    let batch = curious.batch("bat-1").await.unwrap().unwrap();
    let (rows, listed) = failed(&curious, &batch).await;
    assert!(rows.iter().any(|row| row.item_id == "dfl-10"), "{rows:?}");
    assert!((3..=4).contains(&listed.unreadable) && !listed.complete, "{listed:?}");
    assert!(listed.why_incomplete.unwrap().starts_with("the pages of pjb-"));
}

#[tokio::test]
async fn failed_pages_of_a_completed_parse_count_only_where_a_project_asks_for_them() {
    let fake = FakeCloud::start(|call, _| match call.path.as_str() {
        "/api/v2/batches/bat-1" => {
            let mut batch = a_batch("COMPLETED");
            batch["results"] = json!([{"source_directory_file_id": "dfl-2", "job_reference": {"type": "parse_v2", "id": job_id(2)}},
                {"source_directory_file_id": "dfl-3", "job_reference": {"type": "parse_v2", "id": job_id(3)}}]);
            ok(&batch)
        }
        "/api/v2/parse" => answer(call),
        path if path.ends_with(&job_id(2)) => ok(&json!({"job": {"id": job_id(2)}, "markdown": {"pages": [
            {"page_number": 1, "success": true, "markdown": "# one"},
            {"page_number": 2, "success": false, "error": "nothing legible"},
            {"page_number": 9, "success": false, "error": "too dark"}]}})),
        path if path.ends_with(&job_id(3)) => ok(&json!({"job": {"id": job_id(3)}, "markdown": null})),
        _ => answer(call),
    })
    .await;
    let batch = fake.cloud_v2().batch("bat-1").await.unwrap().unwrap();
    assert!(failed(&fake.cloud_v2(), &batch).await.0.is_empty());
    assert!(!fake.calls().iter().any(|call| call.query("expand") == Some("markdown")));

    let curious = ProjectConfig { api: Api::V2, page_failures: true, ..fake.project() };
    let (rows, listed) = failed(&connect(curious, RetryPace::hurried()), &batch).await;
    let told = "2 of 3 pages failed although the parse completed; page 2: nothing legible";
    assert_eq!((rows.len(), rows[0].item_id.as_str(), rows[0].message.as_deref()), (1, "dfl-2", Some(told)));
    assert_eq!(listed.counted, Some(Counted { total: 2, failed: 1 }));
}
