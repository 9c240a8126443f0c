//! What is read from good and from odd answers.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use serde_json::{Value, json};

use crate::config::project::ProjectConfig;
use crate::llamacloud::error::CloudError;
use crate::llamacloud::paging::listing::ListResult;
use crate::llamacloud::paging::page;
use crate::llamacloud::paging::row_reader::Page;
use crate::llamacloud::tests::fake::{FakeCloud, keep, ok, slice, status};
use crate::llamacloud::v1_beta::item::FailedItems;
use crate::model::batch::{Batch, BatchStatus};
use crate::model::item::{ItemStatus, Kind, Observation};

fn decode(text: &str) -> Result<Page<Observation>, CloudError> {
    page::decode(&FailedItems { kind: Kind::Failed }, text, "/items")
}

fn only(text: &str) -> Observation {
    let mut page = decode(text).unwrap();
    assert_eq!(page.rows.len(), 1, "{:?}", page.why_unreadable);
    page.rows.remove(0)
}

#[test]
fn a_full_row_comes_out_whole_and_masked() {
    let row = only(
        r#"{"items":[{"item_id":"dfl-1","item_name":"a \"b\".pdf","status":"failed","error_message":"key llx-abcdefgh12 bad",
        "skip_reason":null,"job_id":"j","job_record_id":"r","started_at":"2026-11-23T10:00:00Z",
        "completed_at":"2026-11-23T10:01:00+00:00","effective_at":"2026-11-23T10:01:00","extra":{"x":[1]}}],"next_page_token":null,"total_size":1}"#,
    );
    assert_eq!(row.item_id, "dfl-1");
    assert_eq!(row.item_name, "a \"b\".pdf");
    assert_eq!(row.message.as_deref(), Some("key llx-*** bad"));
    assert_eq!(row.job_id.as_deref(), Some("j"));
    assert_eq!(row.effective_at, row.completed_at);
}

#[test]
fn odd_rows_keep_what_they_say() {
    let message = |text: &str| only(text).message;
    assert_eq!(message(r#"{"items":[{"item_id":"a"}]}"#), None);
    assert_eq!(message(r#"{"items":[{"item_id":"a","error_message":"  "}]}"#), None);
    for (value, read) in [
        (r#""\ud800x""#, "\u{fffd}x"),
        (r#""a\u0000b""#, "a\u{fffd}b"),
        ("\"a\tb\"", "a\tb"),
        (r#"{"code":1}"#, r#"{"code":1}"#),
        ("17", "17"),
        (r#""one","error_message":"two""#, "two"),
    ] {
        let text = format!(r#"{{"items":[{{"item_id":"a","status":"exploded","error_message":{value}}}]}}"#);
        assert_eq!(message(&text).as_deref(), Some(read), "{value}");
    }
}

#[test]
fn a_bad_row_loses_only_itself() {
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    for bad in [
        "{}",
        "null",
        "[]",
        "7",
        r#"{"item_id":null}"#,
        r#"{"item_id":5,"status":"failed"}"#,
        r#"{"item_id":""}"#,
        &format!(r#"{{"item_id":{deep}}}"#),
    ] {
        let text = format!(r#"{{"items":[{{"item_id":"a"}},{bad},{{"item_id":"b"}}]}}"#);
        let page = decode(&text).unwrap();
        let ids: Vec<_> = page.rows.iter().map(|r| r.item_id.as_str()).collect();
        assert_eq!(ids, ["a", "b"], "{bad:.50}");
        assert_eq!(page.unreadable_keys.len(), 1);
        let why = page.why_unreadable.unwrap();
        assert!(why.starts_with("items[1]: "), "{why}");
    }
}

#[test]
fn rows_of_another_status_are_not_of_the_listing() {
    let page = decode(
        r#"{"items":[{"item_id":"a","status":"completed"},{"item_id":"b","status":"FAILED"},{"item_id":"c","status":"skipped"}]}"#,
    );
    let page = page.unwrap();
    assert_eq!(page.rows.len(), 1);
    assert_eq!(page.other_keys.len(), 2);
}

#[test]
fn an_answer_that_is_no_page_is_an_error_that_says_where() {
    for (text, at) in
        [(r#"{"items":7}"#, "items"), (r#"{"detail":"nothing here"}"#, "items"), ("[]", "items"), ("7", ".")]
    {
        match decode(text) {
            Err(CloudError::Decode { at: found, .. }) => assert_eq!(found, at, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    for empty in ["{}", r#"{"items":null}"#, r#"{"items":[]}"#, r#"{"next_page_token":""}"#] {
        assert_eq!(decode(empty).unwrap().size(), 0, "{empty}");
    }
    for cut in ["", "nonsense", r#"{"items":[{"item_id":"a"#, r#"{"items":[]"#] {
        assert!(matches!(decode(cut), Err(CloudError::CutShort { .. })), "{cut}");
    }
}

pub(crate) fn a_batch(failed: Option<u64>) -> Batch {
    Batch {
        batch_id: "bjb-1".to_owned(),
        project_id: None,
        directory_id: None,
        job_type: "parse".to_owned(),
        status: BatchStatus::Completed,
        total_items: None,
        processed_items: None,
        failed_items: failed,
        skipped_items: None,
        error_message: None,
        created_at: None,
        updated_at: None,
        started_at: None,
        completed_at: None,
    }
}

fn items(count: usize) -> Vec<Value> {
    (0..count)
        .map(|n| json!({"item_id": format!("dfl-{n}"), "item_name": "x", "status": "failed", "error_message": "m"}))
        .collect()
}

async fn list(fake: &FakeCloud, batch: &Batch) -> (Vec<Observation>, ListResult) {
    let mut rows = Vec::new();
    let mut page = |page: Vec<Observation>| keep(&mut rows, page);
    let listed = fake.cloud().list_items(batch, Kind::Failed, &mut page).await;
    let listed = listed.unwrap();
    (rows, listed)
}

#[tokio::test]
async fn every_failed_item_is_listed_and_a_count_that_agrees_saves_a_request() {
    let fake = FakeCloud::start(|call, _| ok(&slice(call, &items(2500)))).await;
    let (rows, listed) = list(&fake, &a_batch(Some(2500))).await;
    assert_eq!((rows.len(), listed.requests, listed.complete), (2500, 3, true));
    let first = &fake.calls()[0];
    assert_eq!(first.path, "/api/v1/beta/batch-processing/bjb-1/items");
    assert_eq!(first.query("status"), Some("failed"));
    assert_eq!(first.query("limit"), Some("1000"));
    assert_eq!(first.query("project_id"), None);
    assert_eq!(first.header("authorization"), Some("Bearer llx-test-key-1"));
    assert!(first.header("user-agent").unwrap().starts_with("llama-triage/"));

    let (_, unsure) = list(&fake, &a_batch(None)).await;
    assert_eq!((unsure.requests, unsure.complete), (4, true));
    assert_eq!(unsure.fingerprint, listed.fingerprint);
}

#[tokio::test]
async fn ids_are_encoded_and_the_scope_is_sent_only_if_set() {
    let fake = FakeCloud::start(|_, _| status(404, "no")).await;
    let mut project = fake.project();
    project.project_id = Some("p 1".to_owned());
    project.organization_id = Some(String::new());
    let cloud = crate::llamacloud::tests::fake::connect(project, crate::llamacloud::settings::RetryPace::hurried());
    assert_eq!(cloud.batch("a/../b?c").await.unwrap(), None);
    assert_eq!(cloud.batch("..").await.unwrap(), None);
    let calls = fake.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].path, "/api/v1/beta/batch-processing/a%2F..%2Fb%3Fc");
    assert_eq!(calls[0].query, [("project_id".to_owned(), "p 1".to_owned())]);
    let bare = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
    let prefixed = ProjectConfig { project_id: Some(format!("prj-{bare}")), ..fake.project() };
    crate::llamacloud::tests::fake::connect(prefixed, crate::llamacloud::settings::RetryPace::hurried())
        .batch("b")
        .await
        .unwrap();
    assert_eq!(fake.calls()[1].query, [("project_id".to_owned(), bare.to_owned())], "as the API takes it");
}

#[tokio::test]
async fn batches_are_listed_until_the_caller_stops_or_the_time_asked_for_ends() {
    let all: Vec<Value> = (0..3000)
        .map(|n| {
            let day = jiff::Timestamp::from_second(1_795_000_000 - n * 3600).unwrap();
            json!({"id": format!("bjb-{n}"), "project_id": "p", "job_type": "parse", "status": "completed",
                "total_items": 3, "failed_items": 1, "created_at": day.to_string()})
        })
        .collect();
    let fake = FakeCloud::start(move |call, _| ok(&slice(call, &all))).await;
    let cloud = fake.cloud();
    let mut count = 0;
    let listed = cloud
        .list_batches(cloud.apis()[0], None, &mut |page| {
            count += page.len();
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
    assert_eq!((count, listed.requests, listed.complete), (3000, 4, true));

    let listed = cloud.list_batches(cloud.apis()[0], None, &mut |_| ControlFlow::Break(())).await.unwrap();
    assert_eq!((listed.rows, listed.requests, listed.complete), (1000, 1, false));
    assert_eq!(listed.why_incomplete, None);

    let since = jiff::Timestamp::from_second(1_795_000_000 - 1500 * 3600).unwrap();
    let listed = cloud.list_batches(cloud.apis()[0], Some(since), &mut |_| ControlFlow::Continue(())).await.unwrap();
    assert_eq!((listed.rows, listed.requests, listed.complete), (2000, 2, true));
}

#[tokio::test]
async fn one_batch_comes_out_of_its_envelope() {
    let fake = FakeCloud::start(|_, _| {
        ok(&json!({"job": {"id": "bjb-1", "status": "dispatched", "job_type": "parse", "total_items": 4,
            "error_message": "Bearer abcdefgh1234"}, "progress_percentage": 12.5}))
    })
    .await;
    let batch = fake.cloud().batch("bjb-1").await.unwrap().unwrap();
    assert_eq!(batch.status, BatchStatus::Dispatched);
    assert_eq!((batch.total_items, batch.failed_items), (Some(4), None));
    assert_eq!(batch.error_message.as_deref(), Some("Bearer ***"));
}

#[tokio::test]
async fn statuses_stop_when_the_reader_has_enough() {
    let fake = FakeCloud::start(|call, _| ok(&slice(call, &items(5000)))).await;
    let wanted: HashSet<String> = ["dfl-3".to_owned(), "dfl-1200".to_owned()].into();
    let mut found = HashMap::new();
    let mut each = |page: Vec<(String, ItemStatus)>| {
        found.extend(page.into_iter().filter(|(id, _)| wanted.contains(id)));
        if found.len() == wanted.len() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    fake.cloud().list_statuses(&a_batch(None), &mut each).await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found["dfl-3"], ItemStatus::Failed);
    assert_eq!(fake.calls().len(), 2);
}
