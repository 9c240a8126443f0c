//! Every rendering obeys its limits whatever the digest holds.

use proptest::prelude::*;
use serde_json::Value;

use crate::model::text::is_steering;
use crate::notify::Channel;
use crate::notify::channels::{pagerduty, slack, teams};
use crate::notify::delivery::{ChannelSecrets, DeliveryFacts};
use crate::notify::render::words::subject;
use crate::notify::render::{html, json, text};
use crate::notify::tests::mail::{email, facts};
use crate::notify::tests::sample::{busy, hostile};
use crate::triage::digest::model::{Digest, GroupEntry};
use crate::triage::digest::size_limit::Tier;

/// Text as it might come from outside: anything, with a taste for what breaks out of formats.
fn outside() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => any::<String>(),
        1 => Just("<!channel> <script>alert(1)</script> &amp; \"'><img src=x onerror=1>".to_owned()),
        1 => Just("\r\nBcc: x@y\r\n.\r\n\u{1b}[31m\u{202e}\u{0}".to_owned()),
        1 => Just("{{ 7*7 }}{% raw %}[a](javascript:1)|`*_~".to_owned()),
        1 => Just("日本語🦙".repeat(60)),
    ];
    (piece, 1_usize..4).prop_map(|(text, times)| text.repeat(times))
}

/// A digest and how it is to be rendered; a failure shows the text that it is made of, not megabytes of digest.
struct RenderCase {
    groups: usize,
    text: String,
    digest: Digest,
    facts: DeliveryFacts,
}

impl std::fmt::Debug for RenderCase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text: String = self.text.chars().take(200).collect();
        write!(f, "{} groups of {text:?}, tier {:?}", self.groups, self.facts.tier)
    }
}

fn digests() -> impl Strategy<Value = RenderCase> {
    let counts = prop_oneof![0_usize..4, 15_usize..30, Just(60_usize)];
    (counts, outside(), any::<bool>(), 0_u8..5).prop_map(|(groups, text, uncertain, tier)| {
        let facts = DeliveryFacts { uncertain, tier: Tier::from_number(tier), ..facts() };
        RenderCase { groups, digest: hostile(groups, &text), text, facts }
    })
}

/// What a rendering may leave out, it must say.
fn says_what_is_left_out(shown: &str, digest: &Digest, tier: Tier) {
    let kept = crate::triage::digest::size_limit::fit(digest, tier).left_out;
    if kept.groups > 0 {
        assert!(shown.contains(&format!("{} more group", kept.groups)), "{kept:?}");
    }
}

fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(values) => values.iter().for_each(|v| strings(v, found)),
        Value::Object(fields) => fields.values().for_each(|v| strings(v, found)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn html_stays_small_and_holds_no_foreign_tag(case in digests()) {
        let RenderCase { digest, facts, .. } = case;
        let (page, _, tier) = html::render(&digest, facts.tier);
        prop_assert!(page.len() <= html::MOST_BYTES, "{}", page.len());
        prop_assert!(page.contains(&digest.totals.open_items.to_string()));
        says_what_is_left_out(&page, &digest, tier);
        for forbidden in ["<script", "<img", "<!channel", "javascript:1\"", "href=\"javascript"] {
            prop_assert!(!page.contains(forbidden), "{forbidden}");
        }
        prop_assert!(!page.contains(|c| is_steering(c) && c != '\n'));
    }

    #[test]
    fn text_cannot_steer_a_terminal_and_has_the_totals(case in digests()) {
        let RenderCase { digest, facts, .. } = case;
        let fitted = html::render(&digest, facts.tier).1;
        let shown = text::render(&fitted);
        prop_assert!(!shown.contains(|c| is_steering(c) && c != '\n'));
        prop_assert!(shown.contains(&digest.totals.open_items.to_string()));
        prop_assert!(shown.len() <= 100_000, "{}", shown.len());
    }

    #[test]
    fn mail_headers_are_clean_and_the_subject_fits(case in digests()) {
        let RenderCase { digest, facts, .. } = case;
        prop_assert!(subject(&digest).chars().count() <= 78);
        prop_assert!(!subject(&digest).contains(is_steering));
        let channel = Channel::new(&email(25), ChannelSecrets::default()).unwrap();
        let mail = String::from_utf8(channel.preview(&digest, &facts).unwrap()).unwrap();
        prop_assert!(mail.is_ascii());
        prop_assert!(mail.split("\r\n").all(|l| l.len() <= 998 && !l.contains(['\r', '\n'])));
        prop_assert_eq!(mail.matches("\r\n--=_llama-triage-alternative").count(), 3);
        let head = mail.split_once("\r\n\r\n").unwrap().0;
        for line in head.split("\r\n").filter(|line| !line.starts_with(' ')) {
            let name = line.split(':').next().unwrap();
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') && name != "Bcc", "{line}");
        }
    }

    #[test]
    fn slack_obeys_every_limit(case in digests()) {
        let RenderCase { digest, facts, .. } = case;
        let (body, tier) = slack::render(&digest, &facts);
        let message: Value = serde_json::from_str(&body).unwrap();
        let blocks = message["blocks"].as_array().unwrap();
        prop_assert!(blocks.len() <= slack::BLOCKS);
        let mut all = 0;
        for block in blocks {
            let mut texts = Vec::new();
            let inner = if block["type"] == "context" { &block["elements"] } else { &block["text"] };
            strings(inner, &mut texts);
            let length = texts.iter().map(|t| t.chars().count()).max().unwrap_or(0);
            let most = if block["type"] == "header" { slack::HEADER } else { slack::SECTION };
            prop_assert!(length <= most, "{} in {}", length, block["type"]);
            prop_assert!(block["type"] == "divider" || length > 0);
            all += length;
        }
        prop_assert!(all <= slack::TEXT, "{all}");
        prop_assert!(message["text"].as_str().unwrap().chars().count() <= 4_000);
        prop_assert!(!body.contains("<!") && !body.contains("<@") && !body.contains("javascript:1>"));
        prop_assert!(body.contains(&digest.totals.open_items.to_string()));
        says_what_is_left_out(&body, &digest, tier);
    }

    #[test]
    fn teams_stays_under_what_teams_counts(case in digests()) {
        let RenderCase { digest, facts, .. } = case;
        let (body, tier) = teams::render(&digest, &facts);
        let message: Value = serde_json::from_str(&body).unwrap();
        prop_assert!(teams::weight(&body) <= teams::MOST_BYTES, "{}", teams::weight(&body));
        prop_assert!(!body.contains("\"TextBlock\""), "outside text only in runs without Markdown");
        prop_assert!(!body.contains("\"url\":\"javascript"));
        let open = digest.totals.open_items.to_string();
        prop_assert!(message.to_string().contains(&open));
        says_what_is_left_out(&body, &digest, tier);
    }

    #[test]
    fn webhook_bodies_are_json_with_whole_totals(case in digests()) {
        let RenderCase { digest, facts, .. } = case;
        let (body, tier) = json::render(&digest, facts.tier);
        prop_assert!(body.len() <= json::MOST_BYTES, "{}", body.len());
        let value: Value = serde_json::from_str(&body).unwrap();
        prop_assert_eq!(&value["totals"]["open_items"], &Value::from(digest.totals.open_items));
        let left_out = crate::triage::digest::size_limit::fit(&digest, tier).left_out;
        prop_assert_eq!(&value["truncated"]["groups"], &Value::from(left_out.groups));
    }

    #[test]
    fn pagerduty_events_obey_every_limit(case in digests()) {
        let RenderCase { digest, .. } = case;
        for event in pagerduty::events(&digest, "key") {
            let event = serde_json::to_value(&event).unwrap();
            prop_assert!(event["dedup_key"].as_str().unwrap().chars().count() <= pagerduty::KEY);
            let summary = event["payload"]["summary"].as_str().unwrap();
            prop_assert!((1..=pagerduty::SUMMARY).contains(&summary.chars().count()));
            prop_assert!(event.to_string().len() < 100_000);
        }
    }
}

#[test]
fn a_digest_that_fits_is_shown_whole() {
    let digest = busy();
    assert_eq!(html::render(&digest, Tier::Full).2, Tier::Full);
    assert_eq!(slack::render(&digest, &facts()).1, Tier::Full);
    assert_eq!(json::render(&digest, Tier::Full).1, Tier::Full);
    assert_eq!(teams::render(&digest, &facts()).1, Tier::Groups10Samples1);
}

#[test]
fn every_rendering_says_who_acknowledged_a_group() {
    let mut digest = busy();
    digest.changes[0].acked = Some("acknowledged by ann until 20 more items".to_owned());
    let said = "Acknowledged by ann until 20 more items";
    assert!(text::render(&digest).contains(said));
    assert!(html::render(&digest, Tier::Full).0.contains(said));
    assert!(slack::render(&digest, &facts()).0.contains(said));
    assert!(teams::render(&digest, &facts()).0.contains(said));
}

#[test]
fn a_page_that_is_too_large_lists_all_groups_and_shows_the_first_in_full() {
    let mut digest = busy();
    let mut entry = digest.changes[0].clone();
    entry.samples = vec![entry.samples[0].clone(); 3];
    let long = "x".repeat(299);
    (entry.note, entry.cause, entry.why) = (Some(long.clone()), Some(long.clone()), Some(long));
    digest.changes = (0..20).map(|n| GroupEntry { group_id: format!("g-{n:04}"), ..entry.clone() }).collect();
    let (page, fitted, tier) = html::render(&digest, Tier::Full);
    assert!(page.len() <= html::MOST_BYTES);
    assert_eq!((tier, fitted.changes.len()), (Tier::Groups20Samples1, 20));
    let in_full = page.matches("report group g-").count();
    assert!((10..20).contains(&in_full), "{in_full}");
    assert!((0..20).all(|n| page.contains(&format!("g-{n:04}"))));
    assert!(page.contains(&format!("The table above has {} more.", 20 - in_full)));
    let text = text::render(&fitted);
    assert_eq!(text.matches("Details: llama-triage report group g-").count(), 20);
}
