//! What each fault becomes: an error that says what to do, never a leaked key, never an endless wait.

use std::ops::ControlFlow;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use serde_json::json;

use crate::llamacloud::Cloud;
use crate::llamacloud::error::CloudError;
use crate::llamacloud::settings::RetryPace;
use crate::llamacloud::tests::fake::{FakeCloud, connect, ok, project, status, text};

async fn list(cloud: &Cloud) -> Result<u64, CloudError> {
    let listed = cloud.list_batches(cloud.apis()[0], None, &mut |_| ControlFlow::Continue(())).await?;
    Ok(listed.rows)
}

async fn error_for(answer: impl Fn() -> Response + Send + Sync + 'static) -> (CloudError, usize) {
    let fake = FakeCloud::start(move |_, _| answer()).await;
    let error = list(&fake.cloud()).await.unwrap_err();
    (error, fake.calls().len())
}

#[tokio::test]
async fn each_status_says_what_to_do_and_whether_it_is_worth_trying_again() {
    for (code, says, tries, transient, stops) in [
        (400, "rejected the request", 1, false, false),
        (401, "API key", 1, false, true),
        (402, "credits", 1, false, true),
        (403, "project-id", 1, false, true),
        (404, "api = \"v2\"", 1, false, true),
        (410, "api = \"v2\"", 1, false, true),
        // The second try is with a smaller page, in case its size was refused.
        (422, "rejected the request", 2, false, false),
        (429, "requests-per-second", 5, true, false),
        (500, "is failing (500)", 5, true, false),
        (503, "is failing (503)", 5, true, false),
    ] {
        let (error, calls) = error_for(move || status(code, "because llx-abcdefgh12")).await;
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(says), "{code}: {shown}");
        assert!(!shown.contains("abcdefgh12") && !shown.contains('\n'), "{shown}");
        assert_eq!((calls, error.is_transient(), error.stops_scan()), (tries, transient, stops), "{code}");
        assert_eq!(error.is_gone(), matches!(code, 404 | 410));
    }
}

#[tokio::test]
async fn a_passing_fault_is_waited_out() {
    let fake = FakeCloud::start(|_, before| match before {
        0 => status(503, "busy"),
        1 => text(200, "application/json", r#"{"items":[{"id":"bjb-1","#),
        2 => Response::builder().status(429).header("retry-after-ms", "3").body(Body::empty()).unwrap(),
        3 => ok(&json!({"items": [{"id": "bjb-1"}]})),
        _ => ok(&json!({"items": []})),
    })
    .await;
    assert_eq!(list(&fake.cloud()).await.unwrap(), 1);
    assert_eq!(fake.calls().len(), 5);
}

#[tokio::test]
async fn a_wish_beyond_the_bound_ends_the_request_at_once() {
    let (error, calls) =
        error_for(|| Response::builder().status(429).header("retry-after", "3600").body(Body::empty()).unwrap()).await;
    assert_eq!(calls, 1);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert!(error.to_string().contains("wait 3600 s"));
}

#[tokio::test]
async fn a_dead_api_costs_a_scan_its_budget_and_no_more() {
    let fake = FakeCloud::start(|_, _| status(500, "dead")).await;
    let cloud = fake.cloud();
    for _ in 0..40 {
        list(&cloud).await.unwrap_err();
    }
    let calls = fake.calls().len();
    assert!((60..=70).contains(&calls), "{calls}");
    cloud.begin_scan();
    list(&cloud).await.unwrap_err();
    assert_eq!(fake.calls().len(), calls + 5);
}

#[tokio::test]
async fn answers_that_are_no_json_name_the_likely_cause() {
    let (error, calls) = error_for(|| text(200, "text/html", "\n<!doctype html><html>")).await;
    assert!(error.to_string().contains("HTML instead of JSON: base-url"), "{error}");
    assert_eq!(calls, 1);
    let (error, _) = error_for(|| text(200, "text/plain", "It works!")).await;
    assert!(error.to_string().contains("`It works!`"), "{error}");
    let (error, calls) = error_for(|| text(200, "application/json", "{\"items\":[")).await;
    assert!(matches!(error, CloudError::CutShort { .. }), "{error}");
    assert_eq!(calls, 5);
    let (error, _) = error_for(|| ok(&json!({"items": {"a": 1}}))).await;
    assert!(matches!(&error, CloudError::Decode { at, .. } if at == "items"), "{error:?}");
}

#[tokio::test]
async fn redirects_are_not_followed_with_the_key() {
    let (error, calls) = error_for(|| {
        Response::builder()
            .status(307)
            .header("location", "https://login.example.com/?ticket=verysecret")
            .body(Body::empty())
            .unwrap()
    })
    .await;
    assert_eq!(calls, 1);
    assert!(error.stops_scan() && error.to_string().contains("https://login.example.com/"));
    assert!(!error.to_string().contains("verysecret"));
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let (error, _) = error_for(|| text(200, "application/json", vec![b' '; 70 << 20])).await;
    assert!(matches!(error, CloudError::TooLarge { limit_mib: 64, .. }), "{error}");
}

#[tokio::test]
async fn a_missing_server_is_reported_with_its_address() {
    let unused = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let cloud = connect(project(&format!("http://{unused}")), RetryPace::hurried());
    let error = list(&cloud).await.unwrap_err();
    assert!(error.to_string().contains(&format!("cannot reach {unused}: connection refused")), "{error}");
    assert!(error.is_transient());
    // A name that no resolver takes, so that none is asked.
    let cloud = connect(project(&format!("http://{}", "x".repeat(70))), RetryPace::hurried());
    let error = list(&cloud).await.unwrap_err();
    assert!(error.to_string().contains("cannot be resolved"), "{error}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_reported_as_such() {
    let fake = FakeCloud::start(|_, _| ok(&json!({}))).await;
    let cloud = connect(project(&fake.url.replace("http:", "https:")), RetryPace::hurried());
    let error = list(&cloud).await.unwrap_err();
    assert!(error.to_string().contains("no secure connection"), "{error}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_left_after_the_request_timeout() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = project(&format!("http://{}", listener.local_addr().unwrap()));
    settings.request_timeout = Duration::from_millis(50);
    let pace = RetryPace { retries: 0, ..RetryPace::hurried() };
    let error = list(&connect(settings, pace)).await.unwrap_err();
    assert!(error.to_string().contains("no answer within request-timeout"), "{error}");
}

#[tokio::test]
async fn a_row_that_the_server_cannot_write_costs_no_other_row() {
    let fake = FakeCloud::start(|call, _| {
        let (limit, offset) = (call.number("limit").unwrap(), call.number("offset").unwrap());
        match call.path.ends_with("/items") {
            true if (offset..offset + limit).contains(&123) => status(500, "oops"),
            true => {
                let rows: Vec<_> = (offset..(offset + limit).min(300)).collect();
                ok(&json!({"items": rows.iter().map(|n| json!({"item_id": n.to_string(), "status": "failed"})).collect::<Vec<_>>()}))
            }
            false => ok(&json!({"items": [{"id": "bjb-1", "status": "completed"}]})),
        }
    })
    .await;
    let cloud = fake.cloud();
    let mut batches = Vec::new();
    let mut first = |page| {
        batches.extend::<Vec<_>>(page);
        ControlFlow::Break(())
    };
    cloud.list_batches(cloud.apis()[0], None, &mut first).await.unwrap();
    let mut ids = Vec::new();
    let mut page = |rows: Vec<crate::model::item::Observation>| -> crate::llamacloud::Taken {
        ids.extend(rows.into_iter().map(|row| row.item_id));
        Box::pin(std::future::ready(()))
    };
    let kind = crate::model::item::Kind::Failed;
    let listed = cloud.list_items(&batches[0], kind, &mut page).await.unwrap();
    assert_eq!((listed.complete, listed.rows, listed.unreadable), (true, 299, 1), "{listed:?}");
    assert!(ids.len() == 299 && !ids.contains(&"123".to_owned()));
    assert!(listed.why_unreadable.unwrap().contains("a single row"));
    assert!(fake.calls().len() < 60, "{}", fake.calls().len());
}

#[tokio::test]
async fn a_list_of_items_that_never_ends_is_given_up_after_far_more_rows_than_the_batch_counts() {
    let fake = FakeCloud::start(|call, _| {
        let (limit, offset) = (call.number("limit").unwrap(), call.number("offset").unwrap());
        let row = |n: usize| json!({"item_id": n.to_string(), "status": "failed"});
        ok(&json!({"items": (offset..offset + limit).map(row).collect::<Vec<_>>()}))
    })
    .await;
    let batch = r#"{"items":[{"id":"bjb-1","status":"completed","total_items":5}]}"#;
    let batch = FakeCloud::start(move |_, _| text(200, "application/json", batch)).await;
    let mut batches = Vec::new();
    let mut first = |page| {
        batches.extend::<Vec<_>>(page);
        ControlFlow::Break(())
    };
    let cloud = batch.cloud();
    cloud.list_batches(cloud.apis()[0], None, &mut first).await.unwrap();
    let mut page =
        |_: Vec<crate::model::item::Observation>| -> crate::llamacloud::Taken { Box::pin(std::future::ready(())) };
    let kind = crate::model::item::Kind::Failed;
    let listed = fake.cloud().list_items(&batches[0], kind, &mut page).await.unwrap();
    assert_eq!((listed.complete, listed.rows), (false, 101_000));
    assert!(listed.why_incomplete.unwrap().contains("had not ended after 101000 rows"));
}
