//! The shipped body templates, each against what its service documents: needed fields, limits, and no way out for text.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use secrecy::SecretString;
use serde_json::Value;
use strum::VariantArray as _;

use crate::config::channel::{ChannelConfig as Config, ChannelKind, Method, Recipe};
use crate::notify::Channel;
use crate::notify::delivery::{ChannelSecrets, DeliveryFacts};
use crate::notify::tests::http_peer::{HttpPeer, Say};
use crate::notify::tests::mail::facts;
use crate::notify::tests::sample::{at, busy, hostile};
use crate::triage::digest::model::Digest;
use crate::triage::digest::size_limit::Tier;
use crate::triage::digest::test_digest::trial;

const CONSOLE: &str = "https://triage.example.com";

fn config(recipe: Recipe) -> Config {
    let values = [("topic", "oncall"), ("chat_id", "-100123")];
    let values = values.into_iter().filter(|(name, _)| recipe.needed_values().contains(name));
    Config {
        name: "c".into(),
        kind: ChannelKind::Webhook,
        recipe: Some(recipe),
        template_values: values.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ..Config::default()
    }
}

fn channel(config: &Config, url: &str) -> Channel {
    let secrets = ChannelSecrets {
        url: Some(SecretString::from(url)),
        bearer: Some(SecretString::from("t0ken-of-a-test")),
        ..ChannelSecrets::default()
    };
    Channel::with_limit(config, secrets, Duration::from_millis(700)).unwrap()
}

fn shown(recipe: Recipe) -> Channel {
    channel(&config(recipe), "https://hooks.example.com/x")
}

fn body(channel: &Channel, digest: &Digest, tier: Tier) -> Value {
    let bytes = channel.preview(digest, &DeliveryFacts { tier, ..facts() }).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// A text of a field, within so many UTF-16 code units.
fn text(body: &Value, path: &str, most: usize) -> Result<String, String> {
    let text = body.pointer(path).and_then(Value::as_str).ok_or_else(|| format!("{path} is no text"))?;
    match text.encode_utf16().count() {
        0 => Err(format!("{path} is empty")),
        length if length > most => Err(format!("{path} has {length} of at most {most} characters")),
        _ => Ok(text.to_owned()),
    }
}

fn need(holds: bool, otherwise: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.to_owned()) }
}

/// What a service would answer with an error, by its documentation; none if it would take the body.
fn refusal(recipe: Recipe, body: &Value) -> Result<(), String> {
    match recipe {
        // https://discord.com/developers/docs/resources/webhook#execute-webhook
        Recipe::Discord => {
            outside_code(&text(body, "/content", 2_000)?)?;
            need(body["allowed_mentions"]["parse"] == Value::Array(Vec::new()), "mentions are allowed")
        }
        // https://developers.mattermost.com/integrate/webhooks/incoming/
        Recipe::Mattermost => outside_code(&text(body, "/text", 16_383)?),
        // https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages
        Recipe::GoogleChat => {
            need(body.to_string().len() <= 32_000, "more than 32,000 bytes")?;
            text(body, "/fallbackText", 1_000)?;
            text(body, "/cardsV2/0/card/header/title", 1_000)?;
            let shown = text(body, "/cardsV2/0/card/sections/0/widgets/0/textParagraph/text", 32_000)?;
            only_tags(&shown)?;
            let button = body.pointer("/cardsV2/0/card/sections/1/widgets/0/buttonList/buttons/0/onClick/openLink/url");
            need(button.is_none_or(|url| url.as_str().is_some_and(|url| url.starts_with(CONSOLE))), "a wrong button")
        }
        // https://docs.ntfy.sh/publish/#publish-as-json
        Recipe::Ntfy => {
            need(body["topic"] == "oncall", "no topic")?;
            text(body, "/title", 250)?;
            need(text(body, "/message", 4_096)?.len() <= 4_096, "the message would become an attachment")?;
            need(matches!(body["priority"].as_u64(), Some(1..=5)), "no priority from 1 to 5")?;
            need(body["tags"].as_array().is_some_and(|tags| tags.iter().all(Value::is_string)), "tags are no texts")?;
            need(
                body.get("click").is_none_or(|url| url.as_str().is_some_and(|url| url.starts_with(CONSOLE))),
                "click",
            )?;
            need(body.get("markdown").is_none(), "text would be read as Markdown")
        }
        // https://core.telegram.org/bots/api#sendmessage
        Recipe::Telegram => {
            text(body, "/text", 4_096)?;
            need(body["chat_id"] == "-100123", "no chat")?;
            need(body["link_preview_options"]["is_disabled"] == true, "links have a preview")?;
            need(body["disable_notification"].is_boolean(), "disable_notification is no boolean")?;
            need(body.get("parse_mode").is_none(), "text would be read as markup")
        }
        // https://developer.atlassian.com/cloud/incidentManagement/rest/api-group-integration-events/
        Recipe::JiraServiceManagement => {
            text(body, "/message", 130)?;
            text(body, "/alias", 512)?;
            text(body, "/description", 15_000)
                .or_else(|why| if why.contains("empty") { Ok(String::new()) } else { Err(why) })?;
            text(body, "/entity", 512)?;
            text(body, "/source", 100)?;
            need(matches!(body["priority"].as_str(), Some("P1" | "P2" | "P3" | "P4" | "P5")), "no priority")?;
            let short = |tag: &Value| tag.as_str().is_some_and(|tag| tag.chars().count() <= 50);
            need(body["tags"].as_array().is_some_and(|tags| tags.len() <= 20 && tags.iter().all(short)), "tags")?;
            let details = body["details"].as_object().ok_or("no details")?;
            need(details.values().all(Value::is_string), "a detail is no text")?;
            need(body["details"].to_string().len() <= 8_000, "details are too long")
        }
        // https://api-docs.incident.io/tag/Alert-Events-V2
        Recipe::Incident => {
            text(body, "/title", 250)?;
            need(body["status"] == "firing", "no status")?;
            text(body, "/deduplication_key", 255)?;
            need(body["metadata"]["groups"].is_array(), "metadata is not whole")?;
            need(
                body.get("source_url").is_none_or(|url| url.as_str().is_some_and(|url| url.starts_with(CONSOLE))),
                "url",
            )
        }
    }
}

static CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new("`[^`\n]*`").unwrap());
static LINK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r" (<https://triage\.example\.com/[^ <>]*>|\[open\]\(https://triage\.example\.com/[^ ()]*\))").unwrap()
});

/// Text of others stands in code, where it is neither markup nor a mention; what is left is ours.
fn outside_code(text: &str) -> Result<(), String> {
    let rest = CODE.replace_all(text, "");
    let rest = LINK.replace_all(&rest, "");
    let ours = |c: char| c.is_ascii_alphanumeric() || " \n:-,.…".contains(c);
    need(rest.chars().all(ours), &format!("text outside code: {rest:?}"))
}

/// No tag but those of the template.
fn only_tags(html: &str) -> Result<(), String> {
    let tags = Regex::new("<[^>]*>").unwrap();
    let ours =
        |tag: &str| ["<b>", "</b>", "<br>", "</a>"].contains(&tag) || tag.starts_with(&format!("<a href=\"{CONSOLE}/"));
    match tags.find_iter(html).find(|tag| !ours(tag.as_str())) {
        Some(tag) => Err(format!("a foreign tag: {}", tag.as_str())),
        None => need(!tags.replace_all(html, "").contains(['<', '>']), "half a tag"),
    }
}

/// Digests of every kind, each with and without a console.
fn digests() -> Vec<Digest> {
    let texts = [
        "@everyone @channel <users/all> <@123> <!channel> [a](https://evil.example) `code` ```x",
        "\"}],\"content\":\"x\" \\ {{ 7 * 7 }} {% raw %} </b><script>alert(1)</script>&amp;",
        "\r\nX: y\u{1b}[31m\u{202e}\u{0}\t",
        &"日本語🦙\"<&".repeat(300),
        "",
    ];
    let mut digests = vec![busy(), trial("", "UTC", at("2026-08-23T07:00:00Z"))];
    digests.push(Digest { changes: Vec::new(), still_open: Vec::new(), faults: Vec::new(), ..busy() });
    digests.extend(texts.iter().flat_map(|text| [1, 15, 60].map(|groups| hostile(groups, text))));
    let with_console = |digest: &Digest| Digest { public_url: Some(CONSOLE.into()), ..digest.clone() };
    digests.iter().flat_map(|digest| [digest.clone(), with_console(digest)]).collect()
}

#[test]
fn every_service_takes_the_body_of_its_recipe_whatever_the_digest_holds() {
    let digests = digests();
    for recipe in Recipe::VARIANTS {
        let channel = shown(*recipe);
        for digest in &digests {
            for tier in [Tier::Full, Tier::Groups10Samples1, Tier::TotalsOnly] {
                let body = body(&channel, digest, tier);
                let refused = refusal(*recipe, &body);
                assert!(refused.is_ok(), "{recipe:?}, {tier:?}: {refused:?} in {body:#}");
            }
        }
    }
}

#[test]
fn what_a_recipe_shows_of_a_busy_morning() {
    let digest = Digest { public_url: Some(CONSOLE.into()), ..busy() };
    let bodies: BTreeMap<&str, Value> =
        Recipe::VARIANTS.iter().map(|recipe| ((*recipe).into(), body(&shown(*recipe), &digest, Tier::Full))).collect();
    insta::assert_json_snapshot!(bodies);
}

#[tokio::test]
async fn a_recipe_is_sent_with_the_authorization_of_its_service_and_signed_as_ever() {
    for (recipe, authorization) in
        [(Recipe::JiraServiceManagement, "GenieKey t0ken-of-a-test"), (Recipe::Ntfy, "Bearer t0ken-of-a-test")]
    {
        let peer = HttpPeer::start(Say { status: 202, ..Say::default() }).await;
        channel(&config(recipe), &peer.url).deliver(&busy(), &facts()).await.unwrap();
        let (headers, body) = &peer.got()[0];
        assert_eq!(headers["authorization"], authorization);
        assert_eq!(headers["content-type"], "application/json");
        assert!(headers.contains_key("webhook-id"));
        refusal(recipe, &serde_json::from_str(body).unwrap()).unwrap();
    }
}

#[tokio::test]
async fn method_headers_and_content_type_are_the_configured_ones() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("body.j2");
    std::fs::write(&path, "{{ headline }} in {{ values.room }}").unwrap();
    let peer = HttpPeer::start(Say { status: 204, ..Say::default() }).await;
    let headers = [("Content-Type", "text/plain; charset=utf-8"), ("X-Api-Key", "{bearer}")];
    let config = Config {
        name: "c".into(),
        kind: ChannelKind::Webhook,
        method: Some(Method::Put),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body_template: Some(path),
        template_values: [("room".to_owned(), "b\"7".to_owned())].into(),
        ..Config::default()
    };
    channel(&config, &peer.url).deliver(&busy(), &facts()).await.unwrap();
    let (headers, body) = &peer.got()[0];
    assert_eq!(peer.methods(), ["PUT"]);
    assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(headers["x-api-key"], "t0ken-of-a-test");
    assert!(!headers.contains_key("authorization"));
    assert!(body.ends_with(" in b\"7") && !body.contains('\n'), "{body}");
}

#[tokio::test]
async fn a_template_that_is_empty_for_a_digest_sends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("body.j2");
    std::fs::write(&path, "{% if page %}[1]{% endif %}").unwrap();
    let peer = HttpPeer::start(Say { status: 200, ..Say::default() }).await;
    let config =
        Config { name: "c".into(), kind: ChannelKind::Webhook, body_template: Some(path), ..Config::default() };
    let channel = channel(&config, &peer.url);
    let quiet = Digest { changes: Vec::new(), ..busy() };
    let receipt = channel.deliver(&quiet, &facts()).await.unwrap();
    assert!(receipt.answer.contains("nothing to send") && peer.got().is_empty());
    channel.deliver(&busy(), &facts()).await.unwrap();
    assert_eq!(peer.got()[0].1, "[1]");
}

#[tokio::test]
async fn a_token_goes_to_no_other_host_without_tls_and_into_no_error() {
    let open = |url: &str| {
        let secrets = ChannelSecrets {
            url: Some(SecretString::from(url)),
            bearer: Some(SecretString::from("t0ken-of-a-test")),
            ..ChannelSecrets::default()
        };
        Channel::new(&Config { name: "c".into(), kind: ChannelKind::Webhook, ..Config::default() }, secrets)
    };
    assert!(open("http://hook.internal/x").is_err() && open("https://hook.internal/x").is_ok());
    let peer = HttpPeer::start(Say { status: 401, body: "no", ..Say::default() }).await;
    let error = open(&peer.url).unwrap().deliver(&busy(), &facts()).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("t0ken"), "{error}");
}
