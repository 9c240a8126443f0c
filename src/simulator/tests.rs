//! The calls that the vendor's SDKs make beside those that this product needs.

use serde_json::{Value, json};

use crate::simulator::http::server::SimulatedCloud;
use crate::simulator::http::tests::{get, post};
use crate::simulator::options::{ClockMode, Options};
use crate::simulator::world::builder::{DEFAULT_KEY, WorldBuilder, v2_batch_id};
use crate::simulator::world::model::JobType;

async fn cloud() -> SimulatedCloud {
    let world = WorldBuilder::new().batch("b1").item("i1").fails("broken").build();
    SimulatedCloud::start(world, Options::default()).await.unwrap()
}

/// A request with this method and body, of this content type.
async fn send(cloud: &SimulatedCloud, method: &str, path: &str, kind: &str, body: &str) -> (u16, Value) {
    let request = reqwest::Client::new()
        .request(method.parse().unwrap(), format!("{}{path}", cloud.url()))
        .bearer_auth(DEFAULT_KEY)
        .header("content-type", kind)
        .body(body.to_owned());
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// Uploads a file as the SDKs do.
async fn upload(cloud: &SimulatedCloud, path: &str, fields: &[(&str, &str)], file: &str) -> (u16, Value) {
    let mut form = format!(
        "--line\r\nContent-Disposition: form-data; name=\"{file}\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n"
    );
    for (name, value) in fields {
        form += &format!("--line\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    send(cloud, "POST", path, "multipart/form-data; boundary=line", &(form + "--line--\r\n")).await
}

#[tokio::test]
async fn a_file_is_uploaded_found_put_into_a_directory_processed_and_deleted() {
    let cloud = cloud().await;
    let (status, file) = upload(&cloud, "/api/v1/beta/files", &[("purpose", "parse")], "file").await;
    assert_eq!((status, &file["name"]), (200, &json!("a.pdf")));
    let id = file["id"].as_str().unwrap();
    let (_, found) = post(&cloud, "/api/v1/beta/files/query", &json!({"filter": {"file_name": "a.pdf"}})).await;
    assert_eq!(found["items"][0]["id"], id);
    let (_, directory) = post(&cloud, "/api/v1/beta/directories", &json!({"name": "inbox"})).await;
    let place = format!("/api/v1/beta/directories/{}", directory["id"].as_str().unwrap());
    let (_, entry) = post(&cloud, &format!("{place}/files"), &json!({"file_id": id, "unique_id": "mine"})).await;
    assert_eq!((&entry["unique_id"], &entry["file_id"]), (&json!("mine"), &json!(id)));
    let config = json!({"job": {"type": "parse_v2", "configuration_id": "cfg-PARSE_AGENTIC"}});
    let body = json!({"source_directory_id": directory["id"], "config": config});
    let (status, batch) = post(&cloud, "/api/v2/batches", &body).await;
    assert_eq!(status, 201);
    cloud.world().settle();
    let batch = format!("/api/v2/batches/{}?expand=results", batch["id"].as_str().unwrap());
    let results = get(&cloud, &batch).await.1["results"].clone();
    assert_eq!(results[0]["source_directory_file_id"], entry["id"]);
    let file_path = format!("/api/v1/beta/files/{id}");
    assert_eq!(send(&cloud, "DELETE", &file_path, "", "").await, (204, Value::Null));
    assert_eq!(get(&cloud, &file_path).await.0, 404);
    assert_eq!(get(&cloud, &format!("{place}/files")).await.1["items"], json!([]));
    assert_eq!(send(&cloud, "DELETE", &place, "", "").await.0, 204);
    assert_eq!(get(&cloud, &place).await.0, 404);
}

#[tokio::test]
async fn single_jobs_of_all_products_are_made_cancelled_and_deleted() {
    let cloud = cloud().await;
    let file = cloud.world().items()[0].file_id.clone();
    let rules = json!({"rules": [{"type": "invoice", "description": "asks for money"}]});
    for (path, body) in [
        ("/api/v2/parse", json!({"tier": "fast", "version": "latest", "file_id": file, "output_options": {}})),
        ("/api/v2/extract", json!({"file_input": file, "configuration": {"data_schema": {"type": "object"}}})),
        ("/api/v2/classify", json!({"file_input": file, "configuration": rules})),
    ] {
        let (status, job) = post(&cloud, path, &body).await;
        assert_eq!(status, 200, "{path}: {job}");
        let own = format!("{path}/{}", job["id"].as_str().unwrap());
        let listed = get(&cloud, path).await.1["items"].clone();
        assert!(listed.as_array().unwrap().iter().any(|other| other["id"] == job["id"]), "{listed}");
        let (status, cancelled) = post(&cloud, &format!("{own}/cancel"), &json!({})).await;
        assert_eq!((status, &cancelled["status"]), (200, &json!("CANCELLED")), "{path}");
        assert_eq!(post(&cloud, &format!("{own}/cancel"), &json!({})).await.0, 409, "{path}");
        assert_eq!(send(&cloud, "DELETE", &own, "", "").await.0, 200, "{path}");
        assert_eq!(get(&cloud, &own).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn what_the_real_service_would_refuse_is_refused() {
    let cloud = cloud().await;
    let file = cloud.world().items()[0].file_id.clone();
    for (path, body) in [
        ("/api/v2/classify", json!({"file_input": file, "configuration": {"rules": []}})),
        ("/api/v2/classify", json!({"configuration": {"rules": [{"type": "a", "description": "b"}]}})),
        ("/api/v2/extract", json!({"file_input": file, "configuration": {}})),
        ("/api/v2/parse", json!({"tier": "fast", "version": "latest"})),
        ("/api/v2/parse", json!({"tier": "fast", "version": "latest", "file_id": file, "page_ranges": 3})),
        ("/api/v2/parse", json!({"tier": "fast", "version": "latest", "file_id": file, "pages": 3})),
        ("/api/v1/beta/configurations", json!({"name": "x", "parameters": {}})),
        ("/api/v1/beta/directories", json!({"type": "user"})),
    ] {
        assert_eq!(post(&cloud, path, &body).await.0, 422, "{path} {body}");
    }
    assert_eq!(upload(&cloud, "/api/v1/beta/files", &[], "file").await.0, 422, "it has no purpose");
    assert_eq!(send(&cloud, "DELETE", "/api/v2/batches", "", "").await.0, 405);
    assert_eq!(get(&cloud, "/api/v1/unknown").await.0, 404);
}

#[tokio::test]
async fn sorting_is_no_batch_of_v2_and_has_jobs_of_its_own() {
    let world = WorldBuilder::new().batch("b1").job_type(JobType::Classify).item("i1").fails("no rule fits").build();
    let cloud = SimulatedCloud::start(world, Options::default()).await.unwrap();
    assert_eq!(get(&cloud, "/api/v2/batches").await.1["items"], json!([]));
    assert_eq!(get(&cloud, &format!("/api/v2/batches/{}", v2_batch_id("b1"))).await.0, 404);
    assert_eq!(get(&cloud, "/api/v2/parse").await.1["items"], json!([]));
    let jobs = get(&cloud, "/api/v2/classify?status=FAILED").await.1["items"].clone();
    assert_eq!(jobs[0]["error_message"], "no rule fits");
}

#[tokio::test]
async fn older_clients_sort_several_documents_in_one_job() {
    let world = WorldBuilder::new().batch("b1").item("i1").succeeds().item("i2").succeeds().build();
    let cloud = SimulatedCloud::start(world, Options::default()).await.unwrap();
    let files: Vec<String> = cloud.world().items().iter().map(|item| item.file_id.clone()).collect();
    let path = "/api/v1/classifier/jobs";
    let rules = json!([{"type": "invoice", "description": "asks for money"}]);
    assert_eq!(post(&cloud, path, &json!({"file_ids": [], "rules": rules})).await.0, 422);
    assert_eq!(post(&cloud, path, &json!({"file_ids": files, "rules": []})).await.0, 422);
    let (status, job) = post(&cloud, path, &json!({"file_ids": files, "rules": rules})).await;
    assert_eq!((status, &job["status"], &job["rules"]), (200, &json!("PENDING"), &rules), "{job}");
    cloud.world().advance(jiff::SignedDuration::from_hours(5));
    assert_eq!(get(&cloud, path).await.1["items"][0]["id"], job["id"]);
    let own = format!("{path}/{}", job["id"].as_str().unwrap());
    assert_eq!(get(&cloud, &own).await.1["status"], "SUCCESS");
    let results = get(&cloud, &format!("{own}/results")).await.1;
    assert_eq!(
        (results["items"].as_array().unwrap().len(), &results["items"][0]["result"]["type"]),
        (2, &json!("invoice"))
    );
    assert_eq!(get(&cloud, &format!("{path}/none")).await.0, 404);
}

#[tokio::test]
async fn a_clock_runs_from_the_moment_at_which_it_was_set_to() {
    let cloud = cloud().await;
    let began = cloud.world().now();
    cloud.world().advance(jiff::SignedDuration::from_hours(46));
    cloud.change_options(|options| options.clock = ClockMode::Running(1_000));
    let waited = std::time::Instant::now();
    while cloud.world().now() <= began + jiff::SignedDuration::from_hours(46) {
        assert!(waited.elapsed() < std::time::Duration::from_secs(30), "it stands still");
        get(&cloud, "/api/v2/batches").await;
    }
    cloud.change_options(|options| options.clock = ClockMode::Host);
    get(&cloud, "/api/v2/batches").await;
    let behind = jiff::Timestamp::now().duration_since(cloud.world().now());
    assert!(behind.as_secs() < 60, "{behind}");
}
