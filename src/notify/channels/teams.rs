//! A digest as a Microsoft Teams message: one adaptive card, and what the answers mean.
//!
//! Outside text stands in text runs, which know no Markdown; only our own words stand in text blocks.
//! A workflow may take the post and fail later unseen, so Teams must not be the only way to pages.

use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};

use crate::notify::channels::http::{Http, Plaintext};
use crate::notify::delivery::{DeliveryFacts, Receipt};
use crate::notify::error::NotifyError;
use crate::notify::http_answer::BodyFormat;
use crate::notify::render::sample_view::SampleView;
use crate::notify::render::view::{DigestView, GroupView, IncidentView};
use crate::notify::render::words::short;
use crate::triage::digest::model::Digest;
use crate::triage::digest::size_limit::{Tier, fit};

/// Bytes as Teams counts them, after its own encoding; it takes 28,672, and 21 KB were seen to fail
/// (<https://github.com/MicrosoftDocs/msteams-docs/issues/11274>).
pub(crate) const MOST_BYTES: usize = 18_000;
/// The largest tier: 10 groups.
const LARGEST: Tier = Tier::Groups10Samples1;

/// Faults and remarks listed; more are counted.
const FAULTS: usize = 3;
const REMARKS: usize = 2;

/// A Teams workflow address.
pub(crate) struct Teams {
    pub(crate) http: Http,
}

impl Teams {
    pub(crate) fn new(channel: &str, address: &SecretString, limit: Duration) -> Result<Teams, NotifyError> {
        let http = Http::new(channel, address, Plaintext::OnLoopback, limit)?;
        Ok(Teams { http })
    }

    /// Posts the card. 200 and 202 are also given for failures, whose status is then in the words of the body.
    pub(crate) async fn deliver(&self, digest: &Digest, facts: &DeliveryFacts) -> Result<Receipt, NotifyError> {
        let (body, tier) = render(digest, facts);
        let answer = self.http.post(body, &[]).await?;
        let size = |tier| render(digest, &DeliveryFacts { tier, ..facts.clone() }).0.len();
        self.http.judge(&answer, BodyFormat::Read).map_err(|error| error.shortened(facts, tier, size))?;
        Ok(Receipt::new(format!("HTTP {}", answer.status), tier))
    }
}

/// The largest card that obeys the limit, beginning at a tier, with the tier it has.
///
/// Before any group is dropped, groups are reported in two lines each.
pub(crate) fn render(digest: &Digest, facts: &DeliveryFacts) -> (String, Tier) {
    let mut tier = facts.tier.max(LARGEST);
    loop {
        let view = DigestView::new(&fit(digest, tier));
        let in_full = message(&view, facts.uncertain, describe).to_string();
        if weight(&in_full) <= MOST_BYTES {
            return (in_full, tier);
        }
        let brief = message(&view, facts.uncertain, describe_briefly).to_string();
        match tier.smaller() {
            Some(smaller) if weight(&brief) > MOST_BYTES => tier = smaller,
            _ => return (brief, tier),
        }
    }
}

/// The size if everything beyond ASCII is written as `\uXXXX`.
pub(crate) fn weight(json: &str) -> usize {
    json.chars().map(|c| if c.is_ascii() { 1 } else { 6 * c.len_utf16() }).sum()
}

fn message(view: &DigestView, uncertain: bool, describe: fn(&GroupView) -> Value) -> Value {
    let mut body = Vec::new();
    if uncertain {
        let text = format!("Possible repeat of {}: an earlier try was not answered.", view.digest_id);
        body.push(rich(vec![TextRun::plain(&text)]));
    }
    body.push(rich(vec![TextRun::heading(&short(&view.headline, 200))]));
    body.push(summary(view));
    body.extend(view.faults.iter().take(FAULTS).map(|fault| {
        let word = format!("{} ", fault.word.to_uppercase());
        let since = format!(" since {}", fault.since);
        rich(vec![
            TextRun::colored(&word, if fault.ended { "Good" } else { "Attention" }),
            TextRun::plain(&short(&fault.text, 160)),
            TextRun::subtle(&since),
        ])
    }));
    body.extend(view.unlisted_faults(FAULTS).map(|text| rich(vec![TextRun::plain(&text)])));
    body.extend(view.incidents.iter().map(describe_incident));
    body.extend(view.groups.iter().map(describe));
    if !view.still_open.is_empty() {
        body.push(still_open(view));
    }
    body.extend(view.left_out.iter().map(|text| rich(vec![TextRun::bold(text)])));
    body.push(foot(view));
    let mut card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "msteams": { "width": "Full" },
        "body": body,
    });
    if let Some(url) = &view.open_link {
        card["actions"] = json!([{ "type": "Action.OpenUrl", "title": "Open", "url": url }]);
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": card,
        }],
    })
}

fn summary(view: &DigestView) -> Value {
    let facts: Vec<String> = view.tiles.iter().map(|tile| format!("{} {}", tile.count, tile.word)).collect();
    let mut runs = vec![TextRun::bold(&facts.join(" · "))];
    if !view.totals.is_empty() {
        runs.push(TextRun::subtle(&format!(" ({})", view.totals)));
    }
    runs.push(TextRun::subtle(&format!(" · decided {}", view.decided)));
    rich(runs)
}

fn describe(group: &GroupView) -> Value {
    let word = format!("{}{} ", group.word.to_uppercase(), if group.page { " PAGE" } else { "" });
    let mut blocks = vec![
        rich(vec![TextRun::colored(&word, color(group.tone)), TextRun::bold(&group.title)]),
        rich(vec![TextRun::plain(&format!("{} · {} · {}", group.counts, group.class, group.place))]),
    ];
    let details = [("", &group.why), ("Cause: ", &group.cause), ("Note: ", &group.note), ("", &group.acked)];
    for (label, text) in details {
        blocks.extend(text.iter().map(|t| rich(vec![TextRun::plain(&format!("{label}{}", short(t, 200)))])));
    }
    blocks.extend(group.assigned.iter().map(|assigned| match &group.ticket_link {
        Some(url) => rich(vec![TextRun::link(assigned, url)]),
        None => rich(vec![TextRun::plain(assigned)]),
    }));
    if let Some(bars) = &group.bars {
        blocks.push(rich(vec![TextRun::subtle(&format!("24 h: {}", bars.caption))]));
    }
    blocks.extend(group.samples.iter().map(show));
    let mut last = vec![TextRun::subtle(&group.command)];
    last.extend(group.open_link.iter().map(|url| TextRun::link(" open", url)));
    last.extend(group.runbook_link.iter().map(|url| TextRun::link(" runbook", url)));
    blocks.push(rich(last));
    json!({ "type": "Container", "separator": true, "items": blocks })
}

/// An incident with a line for each group.
fn describe_incident(incident: &IncidentView) -> Value {
    let word = format!("{}{} ", incident.word.to_uppercase(), if incident.page { " PAGE" } else { "" });
    let mut blocks = vec![
        rich(vec![TextRun::colored(&word, color(incident.tone)), TextRun::bold(&short(&incident.line, 250))]),
        rich(vec![TextRun::plain(&format!("{} · {}", incident.causes, incident.open))]),
        rich(vec![TextRun::subtle(&short(&incident.why, 250))]),
    ];
    blocks.extend(incident.assigned.iter().map(|assigned| rich(vec![TextRun::plain(assigned)])));
    let mut ways = vec![TextRun::subtle(&incident.command)];
    ways.extend(incident.ack_command.iter().map(|command| TextRun::subtle(&format!(" · {command}"))));
    ways.extend(incident.open_link.iter().map(|url| TextRun::link(" open", url)));
    blocks.push(rich(ways));
    blocks.extend(incident.groups.iter().map(|group| {
        let word = format!("{} ", group.word.to_uppercase());
        let title = short(&group.title, 110);
        let title = group.open_link.as_ref().map_or_else(|| TextRun::plain(&title), |url| TextRun::link(&title, url));
        rich(vec![TextRun::bold(&word), title, TextRun::plain(&format!(" · {} open", group.open_items))])
    }));
    blocks.extend(incident.more.iter().map(|more| rich(vec![TextRun::plain(more)])));
    json!({ "type": "Container", "separator": true, "items": blocks })
}

fn describe_briefly(group: &GroupView) -> Value {
    let word = format!("{}{} ", group.word.to_uppercase(), if group.page { " PAGE" } else { "" });
    let facts = match &group.why {
        Some(why) => format!("{} · {}", group.counts, short(why, 90)),
        None => group.counts.clone(),
    };
    let mut last = vec![TextRun::plain(&facts)];
    last.extend(group.open_link.iter().map(|url| TextRun::link(" open", url)));
    last.push(TextRun::subtle(&format!(" {}", group.group_id)));
    let title = rich(vec![TextRun::colored(&word, color(group.tone)), TextRun::bold(&short(&group.title, 110))]);
    json!({ "type": "Container", "separator": true, "items": [title, rich(last)] })
}

fn show(sample: &SampleView) -> Value {
    let name = |url: &String| TextRun::link(&sample.item_name, url);
    let mut runs = vec![sample.open_link.as_ref().map_or_else(|| TextRun::plain(&sample.item_name), name)];
    if let Some(message) = &sample.message {
        runs.push(TextRun::subtle(&format!(": {}", short(message, 200))));
    }
    for (label, links) in [("", &sample.links), (" needs the API key:", &sample.api_links)] {
        let links = links.iter().take(2).map(|(name, url)| TextRun::link(&format!(" {name}"), url));
        let links: Vec<TextRun> = links.collect();
        runs.extend((!label.is_empty() && !links.is_empty()).then(|| TextRun::subtle(label)));
        runs.extend(links);
    }
    rich(runs)
}

fn still_open(view: &DigestView) -> Value {
    let mut items = vec![rich(vec![TextRun::bold("Still open")])];
    items.extend(view.still_open.iter().map(|group| {
        let text = format!("{} {} ({})", group.open_items, short(&group.title, 90), group.group_id);
        rich(vec![TextRun::plain(&text)])
    }));
    json!({ "type": "Container", "separator": true, "items": items })
}

fn foot(view: &DigestView) -> Value {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(view.retries.clone());
    lines.extend(view.silenced.clone());
    lines.extend(view.budget.iter().map(|text| format!("Budget: {}", short(text, 120))));
    lines.extend(view.remarks.iter().take(REMARKS).map(|text| short(text, 120)));
    lines.extend(view.unlisted_remarks(REMARKS));
    lines.push(format!("Period {}", view.window));
    lines.push(format!("Data as of {}", view.ledger_as_of));
    lines.extend(view.next_digest.iter().map(|at| format!("Next digest {at}")));
    lines.push(format!("{} {}", view.digest_id, view.instance));
    let items: Vec<Value> = lines.iter().map(|line| rich(vec![TextRun::subtle(line)])).collect();
    json!({ "type": "Container", "separator": true, "items": items })
}

fn color(tone: &str) -> &'static str {
    match tone {
        "resolved" => "Good",
        "regressed" => "Warning",
        "other" => "Default",
        _ => "Attention",
    }
}

fn rich(runs: Vec<TextRun>) -> Value {
    json!({ "type": "RichTextBlock", "inlines": runs })
}

/// A piece of text that is shown as it is.
#[derive(Serialize, Default)]
struct TextRun {
    #[serde(rename = "type")]
    kind: &'static str,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    color: Option<&'static str>,
    #[serde(rename = "isSubtle", skip_serializing_if = "std::ops::Not::not")]
    is_subtle: bool,
    #[serde(rename = "selectAction", skip_serializing_if = "Option::is_none")]
    select_action: Option<Value>,
}

impl TextRun {
    fn plain(text: &str) -> TextRun {
        TextRun { kind: "TextRun", text: text.to_owned(), ..TextRun::default() }
    }

    fn bold(text: &str) -> TextRun {
        TextRun { weight: Some("Bolder"), ..TextRun::plain(text) }
    }

    fn heading(text: &str) -> TextRun {
        TextRun { size: Some("Large"), ..TextRun::bold(text) }
    }

    fn colored(text: &str, color: &'static str) -> TextRun {
        TextRun { color: Some(color), ..TextRun::bold(text) }
    }

    fn subtle(text: &str) -> TextRun {
        TextRun { is_subtle: true, ..TextRun::plain(text) }
    }

    fn link(text: &str, url: &str) -> TextRun {
        let open = json!({ "type": "Action.OpenUrl", "url": url });
        TextRun { select_action: Some(open), ..TextRun::plain(text) }
    }
}
