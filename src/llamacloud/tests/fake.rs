//! A server that answers as a closure says, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use serde_json::{Value, json};

use crate::config::project::{Api, ProjectConfig};
use crate::llamacloud::http::client::Transport;
use crate::llamacloud::settings::{CloudSettings, RetryPace};
use crate::llamacloud::{Cloud, Taken};

/// One request as it came in.
#[derive(Clone, Debug)]
pub(crate) struct RecordedCall {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl RecordedCall {
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.iter();
        pairs.find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.query(name)?.parse().ok()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.headers.iter();
        pairs.find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// The server. It ends with the test's runtime.
pub(crate) struct FakeCloud {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<RecordedCall>>>,
}

impl FakeCloud {
    /// Starts it. `answer` gets each call and how many came before it.
    pub(crate) async fn start(answer: impl Fn(&RecordedCall, usize) -> Response + Send + Sync + 'static) -> FakeCloud {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&calls), Arc::new(answer));
        let app = Router::new().fallback(move |request: Request| {
            let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
            async move {
                let call = read(request).await;
                let before = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(call.clone());
                    seen.len() - 1
                };
                answer(&call, before)
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        FakeCloud { url, calls }
    }

    pub(crate) fn calls(&self) -> Vec<RecordedCall> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn cloud(&self) -> Cloud {
        connect(self.project(), RetryPace::hurried())
    }

    pub(crate) fn cloud_v2(&self) -> Cloud {
        let project = ProjectConfig { api: Api::V2, ..self.project() };
        connect(project, RetryPace::hurried())
    }

    pub(crate) fn project(&self) -> ProjectConfig {
        project(&self.url)
    }
}

pub(crate) fn project(url: &str) -> ProjectConfig {
    ProjectConfig {
        name: "test".to_owned(),
        base_url: url.to_owned(),
        api: Api::V1Beta,
        requests_per_second: 1_000_000.try_into().unwrap(),
        ..ProjectConfig::default()
    }
}

pub(crate) fn connect(project: ProjectConfig, pace: RetryPace) -> Cloud {
    let settings = CloudSettings { project, key: "llx-test-key-1".into() };
    Cloud::connect_at(settings, &Transport::new().unwrap(), pace).unwrap()
}

async fn read(request: Request) -> RecordedCall {
    let (parts, body) = request.into_parts();
    let url = reqwest::Url::parse(&format!("http://x{}", parts.uri)).unwrap();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    RecordedCall {
        method: parts.method.to_string(),
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers: parts
            .headers
            .iter()
            .map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into()))
            .collect(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }
}

/// A JSON answer.
pub(crate) fn ok(body: &Value) -> Response {
    text(200, "application/json", body.to_string())
}

pub(crate) fn text(status: u16, kind: &str, body: impl Into<Body>) -> Response {
    Response::builder().status(status).header("content-type", kind).body(body.into()).unwrap()
}

pub(crate) fn status(status: u16, detail: &str) -> Response {
    text(status, "application/json", json!({ "detail": detail }).to_string())
}

/// The page of `all` that a call asks for by `limit` and `offset`.
pub(crate) fn slice(call: &RecordedCall, all: &[Value]) -> Value {
    let offset = call.number("offset").unwrap_or(0).min(all.len());
    let limit = call.number("limit").unwrap_or(50);
    let end = (offset + limit).min(all.len());
    json!({ "items": all[offset..end] })
}

/// Takes a page and is never behind.
pub(crate) fn keep<T>(rows: &mut impl Extend<T>, page: impl IntoIterator<Item = T>) -> Taken {
    rows.extend(page);
    Box::pin(std::future::ready(()))
}
