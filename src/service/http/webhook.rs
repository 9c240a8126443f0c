//! `POST /webhooks/llamacloud`: LlamaCloud reports that work has ended, so that the next scan starts early.
//!
//! Events are hints only: they may be lost, late, duplicated or out of order,
//! so the scan reads the API as usual, plus the batch that an event names. Off unless a secret is configured.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Router, routing::post};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::service::http::webhook_queue::WebhookQueue;

/// Where events are posted to.
pub(crate) const PATH: &str = "/webhooks/llamacloud";

/// The largest event; those of a batch or job hold ids, states and times.
const LARGEST: usize = 64 << 10;

/// `sha256=` and the hexadecimal HMAC-SHA256 of the body, by the names of the vendor's client library.
const SIGNATURE: &str = "LC-Signature";

#[derive(Clone)]
struct WebhookReceiver {
    secret: SecretString,
    hints: Arc<WebhookQueue>,
    /// Events without a good signature since the last one that had one.
    refused: Arc<AtomicU64>,
}

/// The route, for events that are signed with `secret`.
pub(crate) fn router(secret: SecretString, hints: Arc<WebhookQueue>) -> Router {
    Router::new().route(PATH, post(receive)).layer(DefaultBodyLimit::max(LARGEST)).with_state(WebhookReceiver {
        secret,
        hints,
        refused: Arc::default(),
    })
}

impl WebhookReceiver {
    /// Logs the first rejected event only: a flood of events must not fill the log.
    fn refuse(&self) {
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        let said = "rejected a webhook event: LC-Signature missing or invalid";
        if refused == 1 {
            tracing::warn!("{said}; further ones are logged at level debug");
        } else {
            tracing::debug!(refused, "{said}");
        }
    }
}

async fn receive(
    State(receiver): State<WebhookReceiver>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    if !signature.is_some_and(|signature| is_signed(&body, signature, receiver.secret.expose_secret())) {
        receiver.refuse();
        return (StatusCode::UNAUTHORIZED, "LC-Signature is missing or invalid\n");
    }
    receiver.refused.store(0, Ordering::Relaxed);
    let event = WebhookEvent::read(&body);
    if !event.may_have_ended() {
        return (StatusCode::OK, "noted\n");
    }
    let is_new = receiver.hints.give(&event.event_id, event.batch_id());
    tracing::debug!(event.id = event.event_id, event.kind = event.event_type, is_new, "LlamaCloud sent an event");
    (StatusCode::OK, if is_new { "scan scheduled\n" } else { "duplicate event\n" })
}

/// Compares in constant time.
fn is_signed(body: &[u8], signature: &str, secret: &str) -> bool {
    let Some(given) = signature.trim().strip_prefix("sha256=").and_then(|digits| hex::decode(digits).ok()) else {
        return false;
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    mac.verify_slice(&given).is_ok()
}

/// What is read of an event; the rest of it is asked of the API.
#[derive(Debug, Default, Deserialize)]
struct WebhookEvent {
    #[serde(default)]
    event_id: String,
    #[serde(default)]
    event_type: String,
    #[serde(default)]
    data: Value,
}

/// The longest id that is asked for; real ones are a prefix and a uuid.
const LONGEST_ID: usize = 64;

impl WebhookEvent {
    /// An event that cannot be parsed counts too, because it was signed. Its body then serves as its id.
    fn read(body: &[u8]) -> WebhookEvent {
        // By default the sender wraps the whole event into one JSON string.
        let inner = serde_json::from_slice::<String>(body);
        let body = inner.as_ref().map_or(body, |text| text.as_bytes());
        let mut event: WebhookEvent = serde_json::from_slice(body).unwrap_or_default();
        if let Some(Ok(inner)) = event.data.as_str().map(serde_json::from_str) {
            event.data = inner;
        }
        if event.event_id.is_empty() {
            event.event_id = hex::encode(Sha256::digest(body));
        }
        event
    }

    /// Whether something may have ended: the beginning of work is no news. Words of the future are.
    fn may_have_ended(&self) -> bool {
        let state = self.event_type.rsplit('.').next().unwrap_or_default();
        !matches!(state, "pending" | "running")
    }

    /// The batch that has ended, if its id looks like one. A job's id leads nowhere: no job says which batch it is of.
    fn batch_id(&self) -> Option<&str> {
        let is_of_batch = self.event_type.starts_with("batch.");
        let named = ["id", "batch_id"].iter().find_map(|key| self.data.get(key)?.as_str());
        let looks_like_one = |id: &&str| {
            let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
            is_of_batch && plain && (1..=LONGEST_ID).contains(&id.len())
        };
        named.filter(looks_like_one)
    }
}

/// Entry points for the fuzzer (`fuzz/`), compiled in its builds only.
#[cfg(fuzzing)]
pub mod fuzz {
    use super::*;

    /// The signature of a body.
    pub fn signature(body: &[u8], secret: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(body);
        format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
    }

    /// Whether an event is good, after all of it that is read was read.
    pub fn is_taken(body: &[u8], signature: &str, secret: &str) -> bool {
        let event = WebhookEvent::read(body);
        let hints = WebhookQueue::default();
        assert!(!event.may_have_ended() || hints.give(&event.event_id, event.batch_id()));
        is_signed(body, signature, secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // From RFC 4231, test case 2.
    const SIGNED: &str = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    const BODY: &[u8] = b"what do ya want for nothing?";

    #[test]
    fn only_the_signature_of_the_very_body_with_the_secret_is_good() {
        assert!(is_signed(BODY, SIGNED, "Jefe"));
        assert!(is_signed(BODY, &SIGNED.to_uppercase().replace("SHA256", "sha256"), "Jefe"));
        assert!(!is_signed(BODY, SIGNED, "jefe"));
        assert!(!is_signed(b"what do ya want for nothing", SIGNED, "Jefe"));
        for bad in ["", "sha256=", &SIGNED[7..], &SIGNED[..70], "sha256=zz", "sha256=é", "sha1=5bdcc146"] {
            assert!(!is_signed(BODY, bad, "Jefe"), "{bad}");
        }
    }

    #[test]
    fn the_end_of_work_is_news_and_its_beginning_is_not() {
        let event =
            |kind: &str| WebhookEvent::read(format!(r#"{{"event_id":"e","event_type":"{kind}","data":7}}"#).as_bytes());
        for news in ["batch.success", "parse.error", "extract.partial_success", "batch.cancelled", "unmapped_event"] {
            assert!(event(news).may_have_ended(), "{news}");
        }
        assert!(!event("batch.running").may_have_ended() && !event("parse.pending").may_have_ended());
        let wrapped = WebhookEvent::read(br#""{\"event_id\":\"e\",\"event_type\":\"batch.running\"}""#);
        assert!(wrapped.event_id == "e" && !wrapped.may_have_ended(), "as it comes by default: JSON in a string");
        let named = |kind: &str, data: &str| {
            let body = format!(r#"{{"event_type":"{kind}","data":{data}}}"#);
            WebhookEvent::read(body.as_bytes()).batch_id().map(str::to_owned)
        };
        for data in [r#"{"id":"bat-1"}"#, r#"{"batch_id":"bat-1"}"#, r#""{\"id\":\"bat-1\"}""#] {
            assert_eq!(named("batch.success", data).as_deref(), Some("bat-1"), "{data}");
        }
        let long = format!(r#"{{"id":"bat-{}"}}"#, "0".repeat(61));
        for odd in [r#"{"id":"../bat-1"}"#, r#"{"id":"é"}"#, r#"{"id":""}"#, r#"{"id":7}"#, "7", "[]", "null", &long] {
            assert_eq!(named("batch.success", odd), None, "{odd}");
        }
        assert_eq!(named("parse.error", r#"{"id":"pjb-1"}"#), None);
        assert_eq!(WebhookEvent::read(b"not json").event_id, WebhookEvent::read(b"not json").event_id);
        assert_ne!(WebhookEvent::read(b"not json").event_id, WebhookEvent::read(b"nor this").event_id);
    }
}
