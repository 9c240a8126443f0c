//! A retry of one file through API v2: which job is its own, and what a job is whose id does not say it.

use std::collections::HashSet;

use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::llamacloud::resubmit::{Known, Look, Made, Resubmission};
use crate::llamacloud::tests::fake::{FakeCloud, RecordedCall, keep, ok, status};
use crate::llamacloud::tests::statuses;
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

/// The item failed just before; no retry of it is known.
fn known() -> Known {
    Known { failed_at: "2026-11-23T10:59:00Z".parse().unwrap(), batches: HashSet::new() }
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
    let before = cloud.list_prior_jobs(&request, &known(), posted()).await.unwrap().before;
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
    assert!(cloud.list_prior_jobs(&request("extract", "ext-old", SAVED), &known(), posted()).await.is_err());
    let blind = cloud.find_batches(&request("extract", "ext-old", SAVED), posted(), &HashSet::new()).await.unwrap();
    assert!(!blind.complete && blind.found.is_empty());
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
    let before = cloud.list_prior_jobs(&request, &known(), posted()).await.unwrap().before;
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
        cloud.list_items(&batch, Kind::Failed, &mut |page| keep(&mut rows, page)).await.unwrap();
        assert_eq!((rows[0].item_id.as_str(), rows[0].job_id.as_deref()), ("dfl-1", Some(MADE)));
        let statuses = statuses(&cloud, &batch).await;
        assert_eq!(statuses["dfl-1"], ItemStatus::Failed);
    }
}

/// A cloud whose list of parse jobs has these rows; each job itself says of what retry it is, as `noted` says.
async fn parses(rows: Vec<Value>, noted: fn(&str) -> Value) -> FakeCloud {
    FakeCloud::start(move |call, _| match call.path.as_str() {
        "/api/v2/parse" => ok(&json!({ "items": rows })),
        path => {
            let id = path.trim_start_matches("/api/v2/parse/");
            ok(&json!({"job": {"id": id, "status": "PENDING", "user_metadata": noted(id)}}))
        }
    })
    .await
}

fn parse(id: &str, minute: u32, intent: Option<&str>) -> Value {
    let note = intent.map(|intent| json!({"triage_intent": intent, "triage_item": "dfl-1"}));
    json!({"id": id, "status": "COMPLETED", "user_metadata": note, "created_at": format!("2026-11-23T10:{minute}:00Z")})
}

#[tokio::test]
async fn a_retry_of_the_same_failure_that_the_ledger_does_not_know_is_found_before_a_post() {
    let rows = vec![parse("pjb-late", 59, Some("i-3")), parse("pjb-old", 30, Some("i-1")), parse("pjb-x", 58, None)];
    let fake = parses(rows, |_| Value::Null).await;
    let look = async |failed_at: &str, own: &[&str]| {
        let batches = own.iter().map(|id| (*id).to_owned()).collect();
        let known = Known { failed_at: failed_at.parse().unwrap(), batches };
        let found = fake.cloud_v2().list_prior_jobs(&request("parse", "pjb-0", SAVED), &known, posted()).await.unwrap();
        (found.made.map(|made| made.job_id), found.shows_notes)
    };
    let late = Some("pjb-late".to_owned());
    assert_eq!(look("2026-11-23T10:45:00Z", &[]).await, (late.clone(), Some(true)));
    assert_eq!(fake.calls()[0].query("created_at_on_or_after"), Some("2026-11-23T10:45:00Z"));
    assert_eq!(look("2026-11-23T10:45:00Z", &["pjb-late"]).await, (None, Some(true)), "it is known");
    assert_eq!(look("2026-11-23T10:59:30Z", &[]).await, (None, Some(true)), "that was before the failure");
    assert_eq!(look("2026-11-23T10:20:00Z", &["pjb-late"]).await.0.as_deref(), Some("pjb-old"));
}

#[tokio::test]
async fn the_job_list_is_read_from_the_failure_on_once_and_then_from_where_it_ended() {
    let fake = parses(vec![parse("pjb-1", 50, Some("i-1"))], |_| Value::Null).await;
    let cloud = fake.cloud_v2();
    let failed = ["2026-11-23T09:00:00Z", "2026-11-23T09:30:00Z", "2026-11-23T08:00:00Z"];
    for failed_at in failed {
        let known = Known { failed_at: failed_at.parse().unwrap(), batches: HashSet::new() };
        let look = cloud.list_prior_jobs(&request("parse", "pjb-0", SAVED), &known, posted()).await.unwrap();
        assert_eq!(look.made.unwrap().job_id, "pjb-1", "{failed_at}");
    }
    let asked: Vec<_> =
        fake.calls().iter().map(|call| call.query("created_at_on_or_after").unwrap().to_owned()).collect();
    assert_eq!(asked, [failed[0], "2026-11-23T10:45:00Z", failed[2]]);
}

#[tokio::test]
async fn a_list_that_leaves_out_the_note_of_a_known_retry_shows_no_notes() {
    let fake = parses(vec![parse("pjb-1", 50, None), parse("pjb-2", 51, None)], |_| Value::Null).await;
    let look = async |own: &str| {
        let known = Known { batches: HashSet::from([own.to_owned()]), ..known() };
        fake.cloud_v2().list_prior_jobs(&request("parse", "pjb-0", SAVED), &known, posted()).await.unwrap()
    };
    assert_eq!(look("pjb-1").await, Look { shows_notes: Some(false), ..Look::default() });
    assert_eq!(look("pjb-9").await, Look::default(), "there is none to tell by");
}

#[tokio::test]
async fn an_extraction_of_the_same_input_since_the_failure_is_found_before_a_post() {
    let at = "2026-11-23T10:59:30Z";
    for (job, expected) in [
        (extraction("ext-1", at, SAVED.into()), Some("ext-1")),
        (extraction("ext-1", "2026-11-23T10:58:00Z", SAVED.into()), None),
        (extraction("ext-1", at, OTHER.into()), None),
        (json!({"id": "ext-1", "status": "FAILED", "configuration_id": SAVED, "created_at": at}), None),
    ] {
        let mut shown = json!({ "items": [job] });
        shown["items"][0]["file_input"] = "dfl-1".into();
        let fake = FakeCloud::start(move |call, _| match call.path.as_str() {
            "/api/v2/extract" => ok(&shown),
            _ => status(404, "no"),
        })
        .await;
        let request = Resubmission { job_id: None, ..request("extract", "", SAVED) };
        let look = fake.cloud_v2().list_prior_jobs(&request, &known(), posted()).await.unwrap();
        assert_eq!(look.made.map(|made: Made| made.job_id).as_deref(), expected);
        assert_eq!(look.before.unwrap().jobs.len(), 1);
    }
}

#[tokio::test]
async fn a_job_is_not_missing_where_the_list_shows_no_notes_until_each_new_job_was_asked() {
    let rows: Vec<Value> = (0..150).map(|n| parse(&format!("pjb-{n}"), 59, None)).collect();
    let noted: fn(&str) -> Value = |id| match id {
        "pjb-149" => json!({"triage_intent": "intent-1", "triage_item": "dfl-1"}),
        _ => Value::Null,
    };
    let fake = parses(rows, noted).await;
    let cloud = fake.cloud_v2();
    let find = async || cloud.find_batches(&request("parse", "pjb-0", SAVED), posted(), &HashSet::new()).await.unwrap();
    let first = find().await;
    assert_eq!((first.found.len(), first.complete), (0, false), "50 jobs are left to ask");
    let second = find().await;
    assert_eq!((second.found[0].batch.batch_id.as_str(), second.complete), ("pjb-149", true));
    assert_eq!(fake.calls().len(), 2 + 150, "each is asked once");

    // One note in the list says that the list shows them.
    let fake = parses(vec![parse("pjb-1", 59, Some("i-9")), parse("pjb-2", 59, None)], |_| Value::Null).await;
    let found = fake.cloud_v2().find_batches(&request("parse", "pjb-0", SAVED), posted(), &HashSet::new()).await;
    assert_eq!((found.unwrap().complete, fake.calls().len()), (true, 1));
}
