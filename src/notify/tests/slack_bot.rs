//! A Slack bot against a peer that answers as Slack's methods do, errors and limits included.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::config::channel::{ChannelConfig as Config, ChannelKind};
use crate::notify::Channel;
use crate::notify::delivery::{ChannelSecrets, DeliveryFacts};
use crate::notify::tests::mail::facts;
use crate::notify::tests::sample::{at, busy};
use crate::triage::digest::model::Digest;

const TOKEN: &str = "xoxb-of-a-test-0000000000";

/// A workspace with one channel.
#[derive(Clone, Default)]
struct Slack {
    url: String,
    /// What was called, with which body.
    calls: Arc<Mutex<Vec<(String, Value)>>>,
    /// The call that gets this answer instead, once.
    fault: Arc<Mutex<Option<(usize, StatusCode, Value)>>>,
}

impl Slack {
    async fn start() -> Slack {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let slack = Slack { url: format!("http://{}/api/", listener.local_addr().unwrap()), ..Slack::default() };
        let app = Router::new().route("/api/{method}", post(answer)).with_state(slack.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        slack
    }

    fn channel(&self, token: &str, room: &str) -> Channel {
        let config = Config {
            name: "c".into(),
            kind: ChannelKind::Slack,
            slack_channel: Some(room.into()),
            url: Some(self.url.clone()),
            ..Config::default()
        };
        let secrets = ChannelSecrets { bot_token: Some(SecretString::from(token)), ..ChannelSecrets::default() };
        Channel::with_limit(&config, secrets, Duration::from_millis(700)).unwrap()
    }

    fn calls(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    fn fails_at(&self, call: usize, status: StatusCode, body: Value) {
        *self.fault.lock().unwrap() = Some((call, status, body));
    }
}

async fn answer(
    State(slack): State<Slack>,
    Path(method): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let mut calls = slack.calls.lock().unwrap();
    let number = calls.len();
    let ts = |number: usize| format!("1787468400.{number:06}");
    let is_message = |ts: &Value| {
        calls
            .iter()
            .enumerate()
            .any(|(at, (method, _))| method == "chat.postMessage" && *ts == self::json!(format!("1787468400.{at:06}")))
    };
    let refused = |error: &str| json!({ "ok": false, "error": error });
    let blocks = body["blocks"].as_array().map_or(0, Vec::len);
    let said = match method.as_str() {
        _ if headers.get("authorization").is_none_or(|value| value != &format!("Bearer {TOKEN}")) => {
            refused("invalid_auth")
        }
        "auth.test" => json!({ "ok": true, "user": "triage" }),
        "chat.postMessage" | "chat.update" if body["channel"] != "C0123456789" => refused("channel_not_found"),
        _ if body["text"].as_str().is_none_or(str::is_empty) || blocks > 50 => refused("invalid_blocks"),
        "chat.postMessage" if body.get("thread_ts").is_some_and(|ts| !is_message(ts)) => refused("thread_not_found"),
        "chat.update" if !is_message(&body["ts"]) => refused("message_not_found"),
        "chat.postMessage" | "chat.update" => json!({ "ok": true, "channel": "C0123456789", "ts": ts(number) }),
        _ => refused("unknown_method"),
    };
    let fault = slack.fault.lock().unwrap().take_if(|(call, ..)| *call == number);
    calls.push((method, body));
    match fault {
        Some((_, status, body)) => (status, Json(body)),
        None => (StatusCode::OK, Json(said)),
    }
}

fn methods(calls: &[(String, Value)]) -> Vec<&str> {
    calls.iter().map(|(method, _)| method.as_str()).collect()
}

#[tokio::test]
async fn the_digests_of_a_day_are_one_thread_with_an_edited_head() {
    let slack = Slack::start().await;
    let channel = slack.channel(TOKEN, "C0123456789");
    let first = channel.deliver(&busy(), &facts()).await.unwrap();
    let calls = slack.calls.lock().unwrap().clone();
    assert_eq!(methods(&calls), ["chat.postMessage", "chat.postMessage", "chat.update"]);
    assert!(calls[0].1.get("thread_ts").is_none());
    assert_eq!(calls[1].1["thread_ts"], "1787468400.000000");
    assert_eq!(calls[1].1["reply_broadcast"], true, "it pages");

    let quiet = Digest { changes: Vec::new(), ..busy() };
    let again = DeliveryFacts { thread: first.thread.clone(), ..facts() };
    let second = channel.deliver(&quiet, &again).await.unwrap();
    let calls = slack.calls.lock().unwrap().clone();
    assert_eq!(methods(&calls[3..]), ["chat.postMessage", "chat.update"]);
    assert_eq!(
        (&calls[3].1["thread_ts"], &calls[3].1["reply_broadcast"]),
        (&json!("1787468400.000000"), &json!(false))
    );
    assert_eq!(calls[4].1["ts"], "1787468400.000000");
    assert_eq!(second.thread, first.thread);

    let tomorrow = Digest { created_at: at("2026-08-24T07:00:00Z"), ..busy() };
    let other = channel.deliver(&tomorrow, &again).await.unwrap();
    assert_ne!(other.thread, first.thread);
}

#[tokio::test]
async fn a_thread_that_was_begun_is_continued_by_the_next_try() {
    let slack = Slack::start().await;
    let channel = slack.channel(TOKEN, "C0123456789");
    slack.fails_at(1, StatusCode::SERVICE_UNAVAILABLE, json!({}));
    let error = channel.deliver(&busy(), &facts()).await.unwrap_err();
    assert!(error.is_transient());
    assert_eq!(error.done(), ["head 1787468400.000000"]);
    let again = DeliveryFacts { done: error.done().to_vec(), ..facts() };
    channel.deliver(&busy(), &again).await.unwrap();
    assert_eq!(methods(&slack.calls()), ["chat.postMessage", "chat.postMessage", "chat.postMessage", "chat.update"]);
}

#[tokio::test]
async fn a_head_that_cannot_be_edited_does_not_send_the_news_twice() {
    let slack = Slack::start().await;
    slack.fails_at(2, StatusCode::OK, json!({ "ok": false, "error": "cant_update_message" }));
    slack.channel(TOKEN, "C0123456789").deliver(&busy(), &facts()).await.unwrap();
}

#[tokio::test]
async fn each_refusal_of_slack_says_what_to_do() {
    let slack = Slack::start().await;
    let said = async |token: &str, room: &str| {
        let error = slack.channel(token, room).deliver(&busy(), &facts()).await.unwrap_err();
        assert!(!error.is_transient(), "{error}");
        error.to_string()
    };
    assert!(said("xoxb-wrong", "C0123456789").await.contains("check the bot token"));
    assert!(said(TOKEN, "C999").await.contains("check slack-channel, and invite"));
    assert!(slack.channel("xoxb-wrong", "C1").check(facts().now).await.is_err());
    assert!(slack.channel(TOKEN, "C1").check(facts().now).await.unwrap().contains("token OK"));
    slack.calls();
    slack.fails_at(0, StatusCode::TOO_MANY_REQUESTS, json!({ "ok": false, "error": "ratelimited" }));
    let error = slack.channel(TOKEN, "C0123456789").deliver(&busy(), &facts()).await.unwrap_err();
    assert!(error.is_transient() && error.done().is_empty(), "{error}");
    let config =
        Config { name: "c".into(), kind: ChannelKind::Slack, slack_channel: Some("C1".into()), ..Config::default() };
    let missing = Channel::new(&config, ChannelSecrets::default()).unwrap_err().to_string();
    assert!(missing.contains("slack-token-c"), "{missing}");
}
