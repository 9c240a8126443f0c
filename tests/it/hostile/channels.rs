//! What each channel would send, read by what its readers use: a MIME parser, a JSON parser, the rules of each chat.

use std::collections::BTreeSet;

use llama_triage::internals::model::is_steering;
use mail_parser::{MessageParser, MimeHeaders};
use serde_json::Value;

use super::formats::assert_page_is_inert;

/// Every header that a mail may have.
const HEADERS: [&str; 17] = [
    "auto-submitted",
    "content-type",
    "date",
    "feedback-id",
    "from",
    "in-reply-to",
    "list-id",
    "message-id",
    "mime-version",
    "precedence",
    "references",
    "subject",
    "to",
    "x-auto-response-suppress",
    "x-triage-digest",
    "x-triage-reason",
    "x-triage-counts",
];

/// Asserts that what a channel would send is what we wrote, with texts in it.
pub(crate) fn is_harmless(channel: &str, round: usize, sent: &[u8]) {
    if channel == "email" {
        return mail(round, sent);
    }
    assert!(sent.iter().all(|byte| *byte >= b' ' || *byte == b'\n'), "{channel}, round {round}: a raw control");
    // A pager gets several events, the others one message.
    let payloads = serde_json::Deserializer::from_slice(sent).into_iter::<Value>();
    for payload in payloads {
        let payload = payload.unwrap_or_else(|error| panic!("{channel}: {error}"));
        each_text(&payload, &mut |text| {
            // A webhook is for programs: it gives texts as they are, escaped by JSON.
            let steering = text.chars().find(|c| *c != '\n' && channel != "webhook" && is_steering(*c));
            assert_eq!(steering, None, "{channel}, round {round}: {text:?}");
            if channel == "slack" {
                slack(text);
            }
        });
        if channel == "teams" {
            card(&payload);
        }
    }
}

fn mail(round: usize, sent: &[u8]) {
    let mail = MessageParser::default().parse(sent).unwrap();
    let names: Vec<String> = mail.headers().iter().map(|header| header.name().to_ascii_lowercase()).collect();
    let unique: BTreeSet<&String> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "a header comes twice: {names:?}");
    let strange: Vec<_> = names.iter().filter(|name| !HEADERS.contains(&name.as_str())).collect();
    assert!(strange.is_empty(), "round {round}: {strange:?}");
    let to: Vec<&str> = mail.to().unwrap().iter().filter_map(|to| to.address()).collect();
    assert_eq!((to, mail.bcc().is_none(), mail.cc().is_none()), (vec!["oncall@example.com"], true, true));
    let types: Vec<_> = mail.parts.iter().map(|part| part.content_type().unwrap().subtype().unwrap()).collect();
    assert_eq!(types, ["alternative", "plain", "html"], "round {round}");
    assert!(!mail.subject().unwrap().chars().any(is_steering), "{:?}", mail.subject());
    let plain = mail.body_text(0).unwrap();
    assert_eq!(plain.chars().find(|c| !"\r\n".contains(*c) && is_steering(*c)), None, "round {round}");
    let page = mail.body_html(0).unwrap();
    super::keep(&format!("digest-{round:03}.html"), &page);
    assert_page_is_inert(&format!("digest {round}"), &page);
    // RFC 5322 2.1.1: no line is longer than 998.
    assert!(sent.split(|byte| *byte == b'\n').all(|line| line.len() <= 999));
}

/// A mention, a command or a link of Slack begins with a raw `<`; only our own links may.
fn slack(text: &str) {
    for (at, _) in text.match_indices('<') {
        let rest = &text[at..];
        assert!(rest.strip_prefix('<').is_some_and(is_own), "{text:?}");
    }
}

/// A `TextRun` knows no markdown, no function and no mention, unlike a `TextBlock`; so texts may only be in those.
///
/// <https://adaptivecards.io/explorer/TextRun.html>
fn card(value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(card),
        Value::Object(fields) => {
            assert!(!fields.contains_key("text") || fields["type"] == "TextRun", "{value}");
            assert!(fields.get("entities").is_none(), "{value}");
            if let Some(address) = fields.get("url").and_then(Value::as_str) {
                assert!(is_own(address), "{address}");
            }
            fields.values().for_each(card);
        }
        _ => {}
    }
}

fn is_own(address: &str) -> bool {
    address.starts_with("http://127.0.0.1:") || address.starts_with("https://cloud.llamaindex.ai/")
}

fn each_text(value: &Value, check: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => check(text),
        Value::Array(values) => values.iter().for_each(|value| each_text(value, check)),
        Value::Object(fields) => fields.values().for_each(|value| each_text(value, check)),
        _ => {}
    }
}
