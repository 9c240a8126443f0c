//! The answers that the API's description allows at its edges: fields left out, null, empty, of the widest kind.
//! None of them may cost a batch or a failure.

use std::ops::ControlFlow;

use serde_json::{Value, json};

use crate::llamacloud::Cloud;
use crate::llamacloud::tests::fake::{FakeCloud, keep, ok};
use crate::model::batch::Batch;
use crate::model::item::{Kind, Observation};

/// With only what is required, with null for all that may be, and with fields to come.
fn widened(required: &Value, optional: &[&str]) -> [Value; 3] {
    let mut with_null = required.clone();
    optional.iter().for_each(|name| with_null[*name] = Value::Null);
    let mut with_more = with_null.clone();
    with_more["a_field_to_come"] = json!({"of": ["any", {"shape": null}], "n": 1e300});
    [required.clone(), with_null, with_more]
}

async fn batches(cloud: &Cloud) -> Vec<Batch> {
    let mut all = Vec::new();
    let mut page = |batches| {
        all.extend(batches);
        ControlFlow::Continue(())
    };
    let listed = cloud.list_batches(cloud.apis()[0], None, &mut page).await.unwrap();
    assert_eq!((listed.complete, listed.unreadable), (true, 0));
    all
}

async fn failed(cloud: &Cloud, batch: &Batch) -> Vec<Observation> {
    let mut rows = Vec::new();
    let listed = cloud.list_items(batch, Kind::Failed, &mut |page| keep(&mut rows, page)).await.unwrap();
    assert_eq!((listed.complete, listed.unreadable), (true, 0), "{listed:?}");
    rows
}

#[tokio::test]
async fn a_v2_batch_and_its_jobs_are_read_in_every_shape() {
    let batch = json!({"id": "bat-1", "project_id": "prj-1", "source_directory_id": "dir-1", "status": "COMPLETED",
        "config": {"job": {"type": "extract_v2", "configuration_id": "cfg-1"}}});
    let result = json!({"source_directory_file_id": "dfl-1", "job_reference": {"type": "extract_v2", "id": "ext-1"}});
    let unmapped = json!({"source_directory_file_id": "dfl-2"});
    let job = json!({"id": "ext-1", "project_id": "prj-1", "file_input": "dfl-1", "status": "FAILED",
        "created_at": "2026-11-23T10:00:00+02:00", "updated_at": "2026-11-23T10:00:00"});
    let file =
        json!({"id": "dfl-1", "project_id": "prj-1", "directory_id": "dir-1", "unique_id": "", "display_name": ""});
    for shape in 0..3 {
        let one = |required: &Value, optional: &[&str]| widened(required, optional)[shape].clone();
        let batch = one(&batch, &["created_at", "updated_at", "results"]);
        let mut expanded = batch.clone();
        expanded["results"] =
            json!([one(&result, &["error_message"]), one(&unmapped, &["job_reference", "error_message"])]);
        let job = one(
            &job,
            &["error_message", "configuration_id", "configuration", "extract_result", "extract_metadata", "metadata"],
        );
        let file = one(&file, &["created_at", "updated_at", "file_id", "metadata", "deleted_at", "download_url"]);
        let fake = FakeCloud::start(move |call, _| match call.path.as_str() {
            "/api/v2/batches" => ok(&one_page(&batch, shape)),
            "/api/v2/extract" => ok(&one_page(&job, shape)),
            "/api/v1/beta/directories/dir-1/files" => ok(&one_page(&file, shape)),
            _ => ok(&expanded),
        })
        .await;
        let cloud = fake.cloud_v2();
        let batches = batches(&cloud).await;
        let rows = failed(&cloud, &batches[0]).await;
        let mut ids: Vec<&str> = rows.iter().map(|row| row.item_id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!((batches.len(), ids), (1, vec!["dfl-1", "dfl-2"]), "shape {shape}");
    }
}

fn one_page(row: &Value, shape: usize) -> Value {
    let page = json!({ "items": [row] });
    let mut page = widened(&page, &["next_page_token", "total_size"])[shape].clone();
    if shape == 2 {
        page["next_page_token"] = "".into();
    }
    page
}

#[tokio::test]
async fn a_v1_batch_and_its_items_are_read_in_every_shape() {
    let batch =
        json!({"id": "bjb-1", "project_id": "proj-1", "job_type": "classify", "status": "completed", "total_items": 0});
    let item = json!({"item_id": "dfl-1", "item_name": "", "status": "failed"});
    for shape in 0..3 {
        let times = ["created_at", "updated_at", "started_at", "completed_at", "job_record_id", "workflow_id"];
        let batch = widened(&batch, &[&times[..], &["directory_id", "error_message"]].concat())[shape].clone();
        let of_item = ["error_message", "skip_reason", "job_id", "job_record_id", "started_at", "completed_at"];
        let item = widened(&item, &of_item)[shape].clone();
        let fake = FakeCloud::start(move |call, _| match (call.number("offset"), call.path.ends_with("/items")) {
            (Some(1..), true) if shape == 0 => ok(&json!({})),
            (Some(1..), _) => ok(&json!({"items": []})),
            (_, true) => ok(&one_page(&item, shape)),
            _ => ok(&one_page(&batch, shape)),
        })
        .await;
        let cloud = fake.cloud();
        let batches = batches(&cloud).await;
        let rows = failed(&cloud, &batches[0]).await;
        assert_eq!((batches.len(), rows.len(), rows[0].item_id.as_str()), (1, 1, "dfl-1"), "shape {shape}");
    }
}
