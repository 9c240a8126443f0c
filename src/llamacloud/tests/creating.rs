//! Resubmitting through API v1 beta: one POST, and a clear word about what became of it.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use serde_json::{Value, json};

use crate::config::project::ProjectConfig;
use crate::llamacloud::error::{CloudError, CreateError};
use crate::llamacloud::resubmit::Resubmission;
use crate::llamacloud::settings::RetryPace;
use crate::llamacloud::tests::fake::{FakeCloud, RecordedCall, connect, ok, project, slice, status, text};
use crate::llamacloud::tests::reading::a_batch;
use crate::model::batch_api::BatchApi;

fn request() -> Resubmission {
    Resubmission {
        api: BatchApi::V1Beta,
        intent_id: "intent-1".to_owned(),
        job_type: "parse".to_owned(),
        item_ids: vec!["dfl-1".to_owned(), "dfl-2".to_owned()],
        job_config: json!({"job_name": "parse_raw_file_job"}),
        directory_id: None,
        job_id: None,
        before: None,
    }
}

#[tokio::test]
async fn a_resubmission_is_posted_once_with_its_items_and_configuration() {
    let fake = FakeCloud::start(|_, _| text(201, "application/json", r#"{"id":"bjb-9","status":"pending"}"#)).await;
    assert_eq!(fake.cloud().create_batch(&request()).await.unwrap(), "bjb-9");
    let calls = fake.calls();
    assert_eq!((calls.len(), calls[0].method.as_str()), (1, "POST"));
    assert_eq!(calls[0].path, "/api/v1/beta/batch-processing");
    assert_eq!(
        calls[0].body,
        json!({"item_ids": ["dfl-1", "dfl-2"], "job_config": {"job_name": "parse_raw_file_job"}})
    );
}

#[tokio::test]
async fn only_a_clear_refusal_is_a_refusal_and_nothing_is_posted_twice() {
    for (code, body, refused) in [
        (400, "{}", true),
        (401, "{}", true),
        (402, "{}", true),
        (403, "{}", true),
        (404, "{}", true),
        (413, "{}", true),
        (422, r#"{"detail":[{"loc":["body"],"msg":"bad id"}]}"#, true),
        (429, "{}", true),
        (408, "{}", false),
        (409, "{}", false),
        (410, "{}", false),
        (500, "{}", false),
        (503, "{}", false),
        (307, "{}", false),
        (201, "{}", false),
        (201, r#"{"id":"bjb"#, false),
        (201, "<html>", false),
    ] {
        let fake = FakeCloud::start(move |_, _| text(code, "application/json", body)).await;
        let error = fake.cloud().create_batch(&request()).await.unwrap_err();
        match &error {
            CreateError::Rejected { status, .. } => assert_eq!((refused, *status), (true, code)),
            CreateError::Unclear { status, .. } => assert_eq!((refused, *status), (false, Some(code))),
            CreateError::NotSent(_) => panic!("{code}: {error}"),
        }
        assert_eq!(fake.calls().len(), 1, "{code}");
        assert!(code != 422 || error.to_string().contains("body: bad id"), "{error}");
    }
}

#[tokio::test]
async fn a_refusal_for_haste_says_how_long_to_wait() {
    let fake = FakeCloud::start(|_, _| {
        Response::builder().status(429).header("retry-after", "7").body(Body::empty()).unwrap()
    })
    .await;
    match fake.cloud().create_batch(&request()).await.unwrap_err() {
        CreateError::Rejected { retry_after, .. } => assert_eq!(retry_after, Some(Duration::from_secs(7))),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn no_connection_means_not_sent_and_no_answer_means_unclear() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut silent = project(&format!("http://{}", listener.local_addr().unwrap()));
    silent.request_timeout = Duration::from_millis(50);
    let error = connect(silent.clone(), RetryPace::hurried()).create_batch(&request()).await.unwrap_err();
    assert!(matches!(error, CreateError::Unclear { status: None, .. }), "{error}");
    drop(listener);
    let error = connect(silent, RetryPace::hurried()).create_batch(&request()).await.unwrap_err();
    assert!(matches!(error, CreateError::NotSent(_)), "{error}");
}

#[tokio::test]
async fn a_lost_answer_is_found_again_by_items_alone() {
    let batch = |id: &str, kind: &str, total: Value, at: &str| json!({"id": id, "job_type": kind, "status": "running", "total_items": total, "created_at": at});
    let fake = FakeCloud::start(move |call, _| match call.path.as_str() {
        "/api/v1/beta/batch-processing" => {
            let all = [
                batch("bjb-5", "parse", json!(2), "2026-11-23T12:00:00Z"),
                batch("bjb-4", "extract", json!(2), "2026-11-23T12:00:00Z"),
                batch("bjb-3", "parse", json!(3), "2026-11-23T12:00:00Z"),
                batch("bjb-2", "parse", json!(0), "2026-11-23T12:00:00Z"),
                batch("bjb-1", "parse", json!(2), "2026-11-23T09:00:00Z"),
            ];
            ok(&slice(call, &all))
        }
        "/api/v1/beta/batch-processing/bjb-5/items" => ok(&slice(
            call,
            &[json!({"item_id": "dfl-1", "status": "pending"}), json!({"item_id": "dfl-2", "status": "pending"})],
        )),
        "/api/v1/beta/batch-processing/bjb-2/items" => ok(&json!({})),
        _ => status(404, "no"),
    })
    .await;
    let since = "2026-11-23T11:00:00Z".parse().unwrap();
    let others = ["bjb-4".to_owned()].into();
    let found = fake.cloud().find_batches(&request(), since, &others).await.unwrap();
    assert!(found.complete);
    let ids: Vec<_> = found
        .found
        .iter()
        .map(|one| (one.batch.batch_id.as_str(), one.item_ids.as_ref().map(std::collections::BTreeSet::len)))
        .collect();
    assert_eq!(ids, [("bjb-5", Some(2)), ("bjb-2", Some(0)), ("bjb-1", None)]);
}

#[tokio::test]
async fn a_configuration_is_learnt_from_the_first_source_that_has_one() {
    let fake = FakeCloud::start(|call, _| match call.path.as_str() {
        "/api/v1/parsing/job/j-1/parameters" => ok(&json!({"tier": "fast"})),
        "/api/v1/parsing/job/j-shut/parameters" => status(403, "no"),
        "/api/v1/beta/batch-processing/bjb-1/items" => {
            assert_eq!(call.query("status"), Some("completed"));
            ok(&json!({"items": [{"item_id": "dfl-ok", "status": "completed"}]}))
        }
        "/api/v1/beta/batch-processing/items/dfl-ok/processing-results" => ok(&json!({"processing_results": [
            {"processed_at": "2026-11-01", "job_config": {"tier": "old"}},
            {"processed_at": "2026-11-02", "job_config": {"tier": "new"}}]})),
        _ => status(404, "gone"),
    })
    .await;
    let cloud = fake.cloud();
    let batch = a_batch(None);
    let learn = |job: &'static str| cloud.learn_job_config(&batch, "dfl-1", Some(job));
    assert_eq!(learn("j-1").await.unwrap(), Some(json!({"parameters": {"tier": "fast"}})));
    assert_eq!(learn("j-gone").await.unwrap(), Some(json!({"tier": "new"})));
    assert_eq!(learn("j-shut").await.unwrap(), Some(json!({"tier": "new"})), "one closed door hides no other");
}

#[tokio::test]
async fn a_job_config_that_cannot_be_learnt_is_reported_with_the_first_reason() {
    let fake = FakeCloud::start(|call, _| match call.path.as_str() {
        "/api/v1/parsing/job/j-shut/parameters" => status(403, "no"),
        _ => status(404, "gone"),
    })
    .await;
    let learnt = fake.cloud().learn_job_config(&a_batch(None), "dfl-1", Some("j-shut")).await;
    assert!(matches!(learnt, Err(CloudError::Forbidden { .. })), "{learnt:?}");
}

#[tokio::test]
async fn only_a_result_of_after_the_failure_counts() {
    let fake = FakeCloud::start(|_, _| {
        ok(&json!({"processing_results": [
            {"processed_at": "2026-11-02T10:00:00", "job_config": {"tier": "fast"}},
            {"job_config": {"tier": "fast"}}]}))
    })
    .await;
    let cloud = fake.cloud();
    for (since, proven) in [("2026-11-02T10:00:00Z", true), ("2026-11-02T10:00:01Z", false)] {
        let found = cloud.has_result(BatchApi::V1Beta, "parse", "dfl-1", since.parse().unwrap()).await;
        assert_eq!(found.unwrap(), proven, "{since}");
    }
}

#[tokio::test]
async fn a_job_record_has_code_and_cause() {
    let fake = FakeCloud::start(|call, _| match call.path.as_str() {
        "/api/v1/parsing/job/j-1" => ok(
            &json!({"id": "j-1", "status": "ERROR", "error_code": "PDF_IS_BROKEN", "error_message": "sk-abcdefgh1234"}),
        ),
        "/api/v1/extraction/jobs/0c1d2e3f-0000-4000-8000-00000000000a" => {
            ok(&json!({"id": "j-2", "status": "ERROR", "error": "too deep"}))
        }
        "/api/v2/parse/pjb-3" => ok(&json!({"job": {"id": "pjb-3", "status": "FAILED", "error_message": "late"}})),
        _ => status(404, "gone"),
    })
    .await;
    let organization = "0c1d2e3f-0000-4000-8000-000000000002".to_owned();
    let project = ProjectConfig { organization_id: Some(organization), ..fake.project() };
    let cloud = connect(project, RetryPace::hurried());
    let one = cloud.job_record("parse", "j-1").await.unwrap().unwrap();
    assert_eq!((one.error_code.as_deref(), one.error_message.as_deref()), (Some("PDF_IS_BROKEN"), Some("sk-***")));
    let two = cloud.job_record("extract", "0c1d2e3f-0000-4000-8000-00000000000a").await.unwrap().unwrap();
    assert_eq!(two.error_message.as_deref(), Some("too deep"));
    let scoped = |call: &RecordedCall| call.query("organization_id").is_some();
    let calls = fake.calls();
    assert!(scoped(&calls[0]) && !scoped(&calls[1]), "extraction jobs take no organization");
    // Their address wants a uuid.
    assert_eq!(cloud.job_record("extract", "j-2").await.unwrap(), None);
    assert_eq!(cloud.job_record("classify", "clf-2").await.unwrap(), None);
    assert_eq!(fake.calls().len(), calls.len());
    let three = cloud.job_record("parse", "pjb-3").await.unwrap().unwrap();
    assert_eq!(three.error_message.as_deref(), Some("late"));
    assert_eq!(cloud.job_record("parse", "j-4").await.unwrap(), None);
}

#[tokio::test]
async fn a_probe_finds_which_api_answers() {
    let fake = FakeCloud::start(|call, _| match call.path.as_str() {
        "/api/v2/batches" => ok(&json!({"items": [{"id": "bat-1", "project_id": "prj-1"}]})),
        _ => status(404, "gone"),
    })
    .await;
    let probe = fake.cloud().probe().await;
    assert_eq!(probe.api, "v1-beta");
    assert!(probe.v1_beta.unwrap_err().is_gone());
    assert_eq!(probe.v2.unwrap().as_deref(), Some("prj-1"));
}
