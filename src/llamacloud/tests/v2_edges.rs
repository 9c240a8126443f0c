//! API v2 where its description allows more than one would think: cancelled batches, jobs told by their type alone,
//! jobs that no list shows, files that were deleted, names that are dear.

use serde_json::{Value, json};

use crate::llamacloud::Cloud;
use crate::llamacloud::error::CreateError;
use crate::llamacloud::paging::listing::ListResult;
use crate::llamacloud::resubmit::Resubmission;
use crate::llamacloud::tests::fake::{FakeCloud, RecordedCall, keep, ok, status};
use crate::llamacloud::tests::statuses;
use crate::model::batch_api::BatchApi;
use crate::model::item::{ItemStatus, Kind, Observation};

fn batch(kind: &str, status: &str, results: Value) -> Value {
    json!({"id": "bat-1", "project_id": "prj-1", "source_directory_id": "dir-1", "status": status,
        "config": {"job": {"type": kind, "configuration_id": "cfg-1"}},
        "created_at": "2026-11-23T10:00:00Z", "updated_at": "2026-11-23T11:00:00Z", "results": results})
}

fn file(n: usize, kind: &str, job_id: &str) -> Value {
    json!({"source_directory_file_id": format!("dfl-{n}"), "job_reference": {"type": kind, "id": job_id}})
}

fn by_ids(call: &RecordedCall, jobs: &[Value]) -> Value {
    let asked: Vec<&str> = call.query.iter().filter(|(name, _)| name == "job_ids").map(|(_, id)| &id[..]).collect();
    let shown: Vec<&Value> = jobs.iter().filter(|job| asked.contains(&job["id"].as_str().unwrap())).collect();
    json!({ "items": shown })
}

async fn failed(cloud: &Cloud) -> (Vec<Observation>, ListResult) {
    let batch = cloud.batch("bat-1").await.unwrap().unwrap();
    let mut rows = Vec::new();
    let listed = cloud.list_items(&batch, Kind::Failed, &mut |page| keep(&mut rows, page)).await.unwrap();
    rows.sort_by(|a, b| a.item_id.cmp(&b.item_id));
    (rows, listed)
}

#[tokio::test]
async fn a_file_that_a_cancelled_batch_never_began_is_no_failure() {
    let results = json!([
        {"source_directory_file_id": "dfl-1", "job_reference": null},
        {"source_directory_file_id": "dfl-2", "job_reference": null, "error_message": "no room for a job"},
        file(3, "parse_v2", "pjb-3"),
    ]);
    let fake = FakeCloud::start(move |call, _| match call.path.as_str() {
        "/api/v2/batches/bat-1" => ok(&batch("parse_v2", "CANCELLED", results.clone())),
        "/api/v2/parse" => ok(&json!({"items": [{"id": "pjb-3", "status": "FAILED", "error_message": "broken"}]})),
        _ => ok(&json!({"items": []})),
    })
    .await;
    let (rows, _) = failed(&fake.cloud_v2()).await;
    let recorded: Vec<_> = rows.iter().map(|row| (row.item_id.as_str(), row.kind, row.message.as_deref())).collect();
    let failed = |id, message| (id, Kind::Failed, Some(message));
    assert_eq!(
        recorded,
        [("dfl-1", Kind::Cancelled, None), failed("dfl-2", "no room for a job"), failed("dfl-3", "broken")]
    );
    let cloud = fake.cloud_v2();
    let batch = cloud.batch("bat-1").await.unwrap().unwrap();
    let statuses = statuses(&cloud, &batch).await;
    assert_eq!((&statuses["dfl-1"], &statuses["dfl-2"]), (&ItemStatus::Cancelled, &ItemStatus::Failed));
}

#[tokio::test]
async fn a_server_that_takes_few_ids_in_one_query_is_asked_with_as_few() {
    let id = |n: usize| format!("pjb-{n:08}-27c1-4a5e-8f00-1c1f8d0f2a11");
    let results: Vec<Value> = (0..90).map(|n| file(n, "parse_v2", &id(n))).collect();
    let jobs: Vec<Value> = (0..90).map(|n| json!({"id": id(n), "status": "FAILED"})).collect();
    for (most, refusal) in [(50, 422), (20, 414), (1, 400)] {
        let (results, jobs) = (results.clone(), jobs.clone());
        let fake = FakeCloud::start(move |call, _| match call.path.as_str() {
            "/api/v2/batches/bat-1" => ok(&batch("parse_v2", "COMPLETED", json!(results))),
            "/api/v2/parse" if call.query.iter().filter(|(name, _)| name == "job_ids").count() > most => {
                status(refusal, "too many")
            }
            "/api/v2/parse" => ok(&by_ids(call, &jobs)),
            _ => ok(&json!({"items": []})),
        })
        .await;
        let (rows, listed) = failed(&fake.cloud_v2()).await;
        assert_eq!((rows.len(), listed.complete), (90, true), "{most} {refusal}");
        let refused = fake.calls().len() - listed.requests as usize;
        assert!(refused <= 8, "{refused} beside {}", listed.requests);
    }
}

#[tokio::test]
async fn the_type_of_a_reference_decides_which_product_to_ask() {
    let id = "27c1aaaa-0000-4a5e-8f00-1c1f8d0f2a11";
    let fake = FakeCloud::start(move |call, _| match call.path.as_str() {
        "/api/v2/batches/bat-1" => ok(&batch("extract_v2", "COMPLETED", json!([file(1, "extract_v2", id)]))),
        "/api/v2/extract" => ok(&by_ids(call, &[json!({"id": id, "status": "FAILED", "error_message": "no"})])),
        path if path == format!("/api/v2/extract/{id}") => {
            ok(&json!({"id": id, "status": "FAILED", "error_message": "why"}))
        }
        _ => ok(&json!({"items": []})),
    })
    .await;
    let cloud = fake.cloud_v2();
    let (rows, listed) = failed(&cloud).await;
    assert_eq!((rows.len(), rows[0].message.as_deref(), listed.missing), (1, Some("no"), 0));
    let record = cloud.job_record("extract", id).await.unwrap().unwrap();
    assert_eq!(record.error_message.as_deref(), Some("why"));
}

#[tokio::test]
async fn a_job_that_no_list_shows_is_missing_and_not_taken_for_completed() {
    let results = json!([file(1, "parse_v2", "pjb-1"), file(2, "parse_v2", "pjb-2")]);
    let fake = FakeCloud::start(move |call, _| match call.path.as_str() {
        "/api/v2/batches/bat-1" => ok(&batch("parse_v2", "COMPLETED", results.clone())),
        _ => ok(&by_ids(call, &[json!({"id": "pjb-1", "status": "COMPLETED"})])),
    })
    .await;
    let (rows, listed) = failed(&fake.cloud_v2()).await;
    assert_eq!((rows.len(), listed.missing, listed.complete), (0, 1, true));
}

fn request(job_type: &str, job_config: Value) -> Resubmission {
    Resubmission {
        api: BatchApi::V2,
        intent_id: "intent-1".to_owned(),
        job_type: job_type.to_owned(),
        item_ids: vec!["dfl-1".to_owned()],
        job_config,
        directory_id: Some("dir-1".to_owned()),
        job_id: None,
        before: None,
    }
}

#[tokio::test]
async fn a_deleted_file_is_not_parsed_again() {
    let fake = FakeCloud::start(|call, _| match call.method.as_str() {
        "GET" => ok(&json!({"id": "dfl-1", "file_id": "file-1", "deleted_at": "2026-11-23T10:00:00Z"})),
        _ => status(500, "never asked"),
    })
    .await;
    let refused = fake.cloud_v2().create_batch(&request("parse", json!({"configuration_id": "cfg-1"}))).await;
    assert!(matches!(refused, Err(CreateError::NotSent(error)) if error.is_not_found()));
    assert!(fake.calls().iter().all(|call| call.method == "GET"));
}

#[tokio::test]
async fn a_refusal_of_something_unknown_says_what_the_server_said() {
    let fake = FakeCloud::start(|call, _| match call.method.as_str() {
        "GET" => ok(&json!({"id": "dfl-1", "file_id": "file-1", "deleted_at": null})),
        _ => status(404, "Source file not found in storage"),
    })
    .await;
    let refused = fake.cloud_v2().create_batch(&request("parse", json!({"configuration_id": "cfg-1"}))).await;
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("(404)") && said.ends_with(": Source file not found in storage"), "{said}");
}

#[tokio::test]
async fn a_request_holds_what_the_description_requires_and_nothing_that_it_does_not_know() {
    let fake = FakeCloud::start(|call, _| match call.method.as_str() {
        "GET" => ok(&json!({"id": "dfl-1", "file_id": "file-1", "deleted_at": null})),
        _ => ok(&json!({"id": "new"})),
    })
    .await;
    let cloud = fake.cloud_v2();
    let saved = json!({"configuration_id": "cfg-1", "disable_cache": true});
    cloud.create_batch(&request("parse", saved.clone())).await.unwrap();
    cloud.create_batch(&request("extract", saved)).await.unwrap();
    let own = json!({"configuration": {"data_schema": {}}, "disable_cache": true});
    cloud.create_batch(&request("extract", own)).await.unwrap();
    let sent: Vec<Value> =
        fake.calls().into_iter().filter(|call| call.method == "POST").map(|call| call.body).collect();
    let noted = json!({"triage_intent": "intent-1", "triage_item": "dfl-1"});
    assert_eq!(
        sent[0],
        json!({"configuration_id": "cfg-1", "tier": "configured", "version": "configured", "disable_cache": true,
            "file_id": "file-1", "user_metadata": noted})
    );
    assert_eq!(sent[1], json!({"configuration_id": "cfg-1", "file_input": "dfl-1"}));
    assert_eq!(sent[2], json!({"configuration": {"data_schema": {}, "disable_cache": true}, "file_input": "dfl-1"}));
}

/// A directory of 1,000 files in pages of 100, and a batch over it of which these files failed.
async fn with_small_pages(failing: &'static [usize]) -> (FakeCloud, Vec<Observation>, ListResult) {
    let job_id = |n: usize| format!("ext-{n:08}");
    let results: Vec<Value> = (0..1000).map(|n| file(n, "extract_v2", &job_id(n))).collect();
    let job = move |n: usize| {
        let status = if failing.contains(&n) { "FAILED" } else { "COMPLETED" };
        json!({"id": job_id(n), "status": status, "created_at": "2026-11-23T10:30:00Z"})
    };
    let jobs: Vec<Value> = (0..1000).map(job).collect();
    let files: Vec<Value> =
        (0..1000).map(|n| json!({"id": format!("dfl-{n}"), "display_name": format!("{n}.pdf")})).collect();
    let fake = FakeCloud::start(move |call, _| match call.path.as_str() {
        "/api/v2/batches/bat-1" => ok(&batch("extract_v2", "COMPLETED", json!(results))),
        _ if call.number("page_size").is_some_and(|size| size > 100) => status(422, "at most 100"),
        "/api/v2/extract" => {
            let all = by_ids(call, &jobs)["items"].as_array().cloned().filter(|found| !found.is_empty());
            let status = |job: &Value| call.query("status").is_none_or(|status| job["status"] == status);
            let all: Vec<Value> = all.unwrap_or_else(|| jobs.clone()).into_iter().filter(status).collect();
            ok(&page(call, &all))
        }
        "/api/v1/beta/directories/dir-1/files" => ok(&page(call, &files)),
        path => match path.rsplit_once("dfl-").and_then(|(_, n)| n.parse::<usize>().ok()) {
            Some(n) => ok(&files[n]),
            None => status(404, "no"),
        },
    })
    .await;
    let (rows, listed) = failed(&fake.cloud_v2()).await;
    (fake, rows, listed)
}

fn page(call: &RecordedCall, all: &[Value]) -> Value {
    let from = call.number("page_token").unwrap_or(0);
    let until = all.len().min(from + call.number("page_size").unwrap_or(50));
    json!({"items": all[from..until], "next_page_token": (until < all.len()).then(|| until.to_string())})
}

#[tokio::test]
async fn where_pages_are_small_a_few_names_are_asked_for_one_by_one_and_a_refused_size_is_not_tried_again() {
    let (fake, rows, listed) = with_small_pages(&[10, 400, 900]).await;
    let named: Vec<_> = rows.iter().map(|row| row.item_name.as_str()).collect();
    assert_eq!((named, listed.complete), (vec!["10.pdf", "400.pdf", "900.pdf"], true));
    let calls = fake.calls();
    let of_files = calls.iter().filter(|call| call.path.contains("/files"));
    assert_eq!(of_files.count(), 4, "a page, for it could have held them, and three files");
    let large = calls.iter().filter(|call| call.number("page_size").is_some_and(|size| size > 100));
    assert_eq!(large.count(), 2, "one for all lists of jobs and batches, one for files");
}

#[tokio::test]
async fn a_directory_is_read_no_further_than_its_names_are_wanted() {
    let (fake, rows, _) = with_small_pages(&[3, 250, 251]).await;
    assert!(rows.iter().all(|row| row.item_name.ends_with(".pdf")), "{rows:?}");
    let few = fake.calls().iter().filter(|call| call.path.contains("/files")).count();
    let (fake, rows, _) = with_small_pages(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 110, 120]).await;
    assert!(rows.iter().all(|row| row.item_name.ends_with(".pdf")));
    assert_eq!(
        (few, fake.calls().iter().filter(|call| call.path.contains("/files")).count()),
        (4, 4),
        "a large page is tried once"
    );
}

#[tokio::test]
async fn batches_that_are_read_at_once_ask_for_their_directory_once() {
    let fake = FakeCloud::start(|call, _| match call.path.as_str() {
        "/api/v2/batches/bat-1" => ok(&batch("extract_v2", "COMPLETED", json!([file(1, "extract_v2", "ext-1")]))),
        "/api/v2/extract" => ok(&json!({"items": [{"id": "ext-1", "status": "FAILED"}]})),
        _ => ok(&json!({"items": [{"id": "dfl-1", "display_name": "one.pdf"}]})),
    })
    .await;
    let cloud = fake.cloud_v2();
    let ((one, _), (other, _)) = tokio::join!(failed(&cloud), failed(&cloud));
    assert_eq!((&one[0].item_name[..], &other[0].item_name[..]), ("one.pdf", "one.pdf"));
    assert_eq!(fake.calls().iter().filter(|call| call.path.ends_with("/files")).count(), 1);
}
