//! What the answer to an HTTP request means: first its status, then `Retry-After`, then its words.
//!
//! One place for all receivers. Words may say more than a status of success or refusal does; they never overrule one
//! that asks for patience: `too_many_requests` in the body of a 429 is no complaint about a size.

use std::time::Duration;

use serde_json::{Map, Value};

/// An answer, as far as it was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HttpAnswer<'a> {
    /// The status of its first line.
    pub status: u16,
    /// What `Retry-After` says, if it can be read.
    pub retry_after: Option<Duration>,
    /// The body, possibly cut.
    pub body: &'a str,
    /// Whether the body came to its end, or was cut by the reader alone.
    pub complete: bool,
}

/// What a receiver's bodies are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFormat {
    /// Ignored: the status alone decides.
    Ignored,
    /// They may report failures despite a success status.
    Read,
}

/// What an answer means for what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseVerdict {
    /// It arrived.
    Delivered,
    /// Not now.
    Later,
    /// A web page stands where the receiver's answer should be: a proxy, a log-in or maintenance is in between.
    WebPage,
    /// No message of this size.
    TooLarge,
    /// It may have arrived: the answer broke off where it would say so.
    Unclear,
    /// Not as things are.
    Refused(RefusalCause),
}

/// Why a receiver refuses a message, by its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalCause {
    /// The address redirects.
    Moved,
    /// A proxy in between wants a log-in.
    Proxy,
    /// It does not take the address or the secret.
    Secret,
    /// The address no longer exists.
    Gone,
    /// It takes the request and says that it failed.
    Receiver,
    /// The receiver rejects the content.
    Content,
}

/// What an answer means.
pub(crate) fn judge(answer: &HttpAnswer<'_>, body: BodyFormat) -> ResponseVerdict {
    let words = match body {
        BodyFormat::Ignored => Words::Fine,
        BodyFormat::Read => read(answer.body),
    };
    match answer.status {
        200..=299 => accepted(words, answer.complete || body == BodyFormat::Ignored),
        408 | 425 | 429 | 500..=599 => ResponseVerdict::Later,
        // A response with `Retry-After` is never a permanent refusal, whatever its status.
        _ if answer.retry_after.is_some() => ResponseVerdict::Later,
        413 => ResponseVerdict::TooLarge,
        300..=399 => ResponseVerdict::Refused(RefusalCause::Moved),
        407 => ResponseVerdict::Refused(RefusalCause::Proxy),
        401 | 403 => ResponseVerdict::Refused(RefusalCause::Secret),
        404 | 410 => ResponseVerdict::Refused(RefusalCause::Gone),
        _ => match words {
            Words::Later => ResponseVerdict::Later,
            Words::TooLarge => ResponseVerdict::TooLarge,
            Words::Failed(RefusalCause::Secret) => ResponseVerdict::Refused(RefusalCause::Secret),
            _ => ResponseVerdict::Refused(RefusalCause::Content),
        },
    }
}

fn accepted(words: Words, complete: bool) -> ResponseVerdict {
    match words {
        Words::Fine if complete => ResponseVerdict::Delivered,
        Words::Fine => ResponseVerdict::Unclear,
        Words::Later => ResponseVerdict::Later,
        Words::WebPage => ResponseVerdict::WebPage,
        Words::TooLarge => ResponseVerdict::TooLarge,
        Words::Status(status) => {
            judge(&HttpAnswer { status, retry_after: None, body: "", complete: true }, BodyFormat::Ignored)
        }
        Words::Failed(cause) => ResponseVerdict::Refused(cause),
    }
}

/// What a body says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    Fine,
    WebPage,
    Later,
    TooLarge,
    /// The status that someone behind the receiver gave.
    Status(u16),
    Failed(RefusalCause),
}

fn read(body: &str) -> Words {
    let text = body.trim_start_matches('\u{feff}').trim();
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => words_of_json(&fields),
        Ok(Value::String(text)) => words_of_text(&text),
        Ok(_) => Words::Fine,
        Err(_) => words_of_text(text),
    }
}

/// `{"ok":true}`, `{"success":true}`, `{"status":"success"}` and the ways in which they are not.
fn words_of_json(fields: &Map<String, Value>) -> Words {
    let status = ["status", "statusCode", "status_code"].iter().find_map(|key| fields.get(*key)?.as_u64());
    if let Some(status) = status.and_then(|status| u16::try_from(status).ok()).filter(|s| (400..600).contains(s)) {
        return Words::Status(status);
    }
    let denied = ["ok", "success"].iter().any(|key| fields.get(*key) == Some(&Value::Bool(false)));
    let word = ["status", "result"].iter().find_map(|key| fields.get(*key)?.as_str()).unwrap_or_default();
    let has_error = ["error", "errors"].iter().any(|key| fields.get(*key).is_some_and(is_something));
    if !denied && !has_error && reason(word).is_none() {
        return Words::Fine;
    }
    let said: Vec<String> = ["error", "errors", "message", "msg", "status", "result"]
        .iter()
        .filter_map(|key| fields.get(*key).map(Value::to_string))
        .collect();
    reason(&said.join(" ")).unwrap_or(Words::Failed(RefusalCause::Receiver))
}

/// Neither null, false, 0 nor empty.
fn is_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

fn words_of_text(text: &str) -> Words {
    let head = text.get(..200).unwrap_or(text).to_ascii_lowercase();
    if head.starts_with("<!doctype html") || head.starts_with("<html") || head.contains("<html") {
        return Words::WebPage;
    }
    reason(text).unwrap_or(Words::Fine)
}

/// Why something failed, in the words of Slack and its likes, Teams, PagerDuty and Healthchecks; none if it did not.
fn reason(text: &str) -> Option<Words> {
    const LATER: [&str; 9] = [
        "rate limit",
        "rate_limit",
        "ratelimit",
        "too_many_requests",
        "too many requests",
        "throttle",
        "rollup_error",
        "try again",
        "unavailable",
    ];
    const TOO_LARGE: [&str; 4] = ["too_long", "too_many", "invalid_blocks", "too large"];
    const SECRET: [&str; 5] = ["routing_key", "routing key", "invalid key", "invalid_token", "unauthorized"];
    const CONTENT: [&str; 4] = ["invalid_payload", "no_text", "invalid event", "bad request"];
    const FAILED: [&str; 7] = ["error", "fail", "invalid", "not found", "denied", "rejected", "not enabled"];
    let text = text.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if let Some(status) = status_in(&text) {
        return Some(Words::Status(status));
    }
    if any(&LATER) {
        return Some(Words::Later);
    }
    if any(&TOO_LARGE) {
        return Some(Words::TooLarge);
    }
    if any(&SECRET) {
        return Some(Words::Failed(RefusalCause::Secret));
    }
    if any(&CONTENT) {
        return Some(Words::Failed(RefusalCause::Content));
    }
    (any(&FAILED) || is_error_name(text.trim())).then_some(Words::Failed(RefusalCause::Receiver))
}

/// The status of "Microsoft Teams endpoint returned HTTP error 429 with …"; only 4xx and 5xx count.
fn status_in(text: &str) -> Option<u16> {
    let rest = text.split("http error").nth(1)?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|status| (400..600).contains(status))
}

/// The name of one of Slack's errors, such as `no_service`, `channel_is_archived` or `action_prohibited`.
fn is_error_name(text: &str) -> bool {
    const PARTS: [&str; 12] = [
        "no",
        "not",
        "archived",
        "prohibited",
        "disabled",
        "revoked",
        "inactive",
        "expired",
        "restricted",
        "missing",
        "blocked",
        "deleted",
    ];
    let is_name = text.contains('_') && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    is_name && text.split('_').any(|part| PARTS.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, body: &str) -> ResponseVerdict {
        judge(&HttpAnswer { status, retry_after: None, body, complete: true }, BodyFormat::Read)
    }

    #[test]
    fn a_status_that_asks_for_patience_is_judged_before_its_words() {
        for body in ["too_many_requests", "too_many_attachments", "msg_too_long", "invalid_blocks", "no_service"] {
            assert_eq!(verdict(429, body), ResponseVerdict::Later, "{body}");
            assert_eq!(verdict(503, body), ResponseVerdict::Later, "{body}");
        }
        assert_eq!(verdict(400, "too_many_attachments"), ResponseVerdict::TooLarge);
        assert_eq!(verdict(413, "ok"), ResponseVerdict::TooLarge);
    }

    #[test]
    fn a_response_with_retry_after_is_not_a_refusal() {
        for status in [301, 400, 403, 404, 413, 429, 503] {
            let answer = HttpAnswer { status, retry_after: Some(Duration::from_secs(9)), body: "", complete: true };
            assert_eq!(judge(&answer, BodyFormat::Read), ResponseVerdict::Later, "{status}");
        }
    }

    #[test]
    fn a_success_without_an_error_is_delivered_whoever_the_receiver_is() {
        for body in [
            "ok",
            "",
            "1",
            "OK",
            "accepted",
            r#"{"ok":true}"#,
            r#"{"success":true}"#,
            r#"{"ok":true,"error":null,"errors":[]}"#,
            r#"{"result":"success","msg":""}"#,
            r#"{"status":"success","message":"Event processed","dedup_key":"llama-triage/error/1"}"#,
            r#"{"status":200,"error":""}"#,
        ] {
            assert_eq!(verdict(200, body), ResponseVerdict::Delivered, "{body}");
            assert_eq!(verdict(202, body), ResponseVerdict::Delivered, "{body}");
        }
    }

    #[test]
    fn a_success_with_an_error_is_none() {
        let receiver = ResponseVerdict::Refused(RefusalCause::Receiver);
        for (body, expected) in [
            ("no_service", receiver),
            ("channel_is_archived", receiver),
            ("action_prohibited", receiver),
            ("OK (not found)", receiver),
            ("OK (rate limited)", ResponseVerdict::Later),
            ("rate_limited", ResponseVerdict::Later),
            ("invalid_blocks", ResponseVerdict::TooLarge),
            ("invalid_payload", ResponseVerdict::Refused(RefusalCause::Content)),
            (r#"{"success":false,"error":"Invalid integration id or token provided."}"#, receiver),
            (r#"{"ok":false,"error":"ratelimited"}"#, ResponseVerdict::Later),
            (r#"{"ok":false}"#, receiver),
            (r#"{"error":{"code":"WorkflowTriggerIsNotEnabled"}}"#, receiver),
            (
                r#"{"status":"throttle exceeded","message":"Requests for this service are arriving too quickly."}"#,
                ResponseVerdict::Later,
            ),
            (r#"{"status":429}"#, ResponseVerdict::Later),
            ("Microsoft Teams endpoint returned HTTP error 429 with ContextId x", ResponseVerdict::Later),
            ("Microsoft Teams endpoint returned HTTP error 413", ResponseVerdict::TooLarge),
            ("<!DOCTYPE html><html><h1>Back soon</h1></html>", ResponseVerdict::WebPage),
            ("<?xml version=\"1.0\"?>\n<html><title>Log in</title>", ResponseVerdict::WebPage),
        ] {
            assert_eq!(verdict(200, body), expected, "{body}");
        }
    }

    #[test]
    fn a_refusal_says_what_it_is_about() {
        for (status, body, cause) in [
            (302, "", RefusalCause::Moved),
            (407, "", RefusalCause::Proxy),
            (403, "action_prohibited", RefusalCause::Secret),
            (404, "channel_not_found", RefusalCause::Gone),
            (410, "channel_is_archived", RefusalCause::Gone),
            (400, r#"{"status":"invalid event","errors":["'payload.summary' is missing"]}"#, RefusalCause::Content),
            (
                400,
                r#"{"status":"invalid event","errors":["Length of 'routing_key' is incorrect"]}"#,
                RefusalCause::Secret,
            ),
            (422, "", RefusalCause::Content),
        ] {
            assert_eq!(verdict(status, body), ResponseVerdict::Refused(cause), "{status} {body}");
        }
    }

    #[test]
    fn a_body_that_means_nothing_is_not_read() {
        for (status, body, expected) in [
            (200, "error", ResponseVerdict::Delivered),
            (200, "<html>", ResponseVerdict::Delivered),
            (400, "too_many", ResponseVerdict::Refused(RefusalCause::Content)),
        ] {
            let answer = HttpAnswer { status, retry_after: None, body, complete: false };
            assert_eq!(judge(&answer, BodyFormat::Ignored), expected, "{status} {body}");
        }
        let broken = HttpAnswer { status: 200, retry_after: None, body: "o", complete: false };
        assert_eq!(judge(&broken, BodyFormat::Read), ResponseVerdict::Unclear);
    }
}
