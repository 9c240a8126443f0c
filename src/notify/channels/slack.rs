//! A digest as a Slack message in blocks, and what Slack's answers mean.
//!
//! Limits are below the documented ones where those are known to fail earlier:
//! <https://github.com/slackapi/bolt-js/issues/2509> and issue 2867 for the sum of all text.

use std::time::Duration;

use secrecy::SecretString;
use serde::Serialize;

use crate::notify::channels::http::{Http, Plaintext};
use crate::notify::delivery::{DeliveryFacts, Receipt};
use crate::notify::error::NotifyError;
use crate::notify::http_answer::BodyFormat;
use crate::notify::render::view::{DigestView, GroupView, IncidentView};
use crate::notify::render::words::short;
use crate::triage::digest::model::Digest;
use crate::triage::digest::size_limit::{Tier, fit};

/// Blocks of a message; Slack takes 50.
pub(crate) const BLOCKS: usize = 40;
/// Characters of a section; Slack takes 3,000.
pub(crate) const SECTION: usize = 2_800;
/// Characters of a header.
pub(crate) const HEADER: usize = 150;
/// Characters of all blocks together; refused at some number above 11,000.
pub(crate) const TEXT: usize = 9_000;

/// Faults and remarks listed; more are counted.
const FAULTS: usize = 3;
const REMARKS: usize = 3;

/// A Slack incoming webhook.
pub(crate) struct Slack {
    pub(crate) http: Http,
}

impl Slack {
    pub(crate) fn new(channel: &str, address: &SecretString, limit: Duration) -> Result<Slack, NotifyError> {
        let http = Http::new(channel, address, Plaintext::OnLoopback, limit)?;
        Ok(Slack { http })
    }

    /// Posts the message. Slack says `ok` or the name of an error, its likes say the same in JSON.
    pub(crate) async fn deliver(&self, digest: &Digest, facts: &DeliveryFacts) -> Result<Receipt, NotifyError> {
        let (body, tier) = render(digest, facts);
        let answer = self.http.post(body, &[]).await?;
        let size = |tier| render(digest, &DeliveryFacts { tier, ..facts.clone() }).0.len();
        self.http.judge(&answer, BodyFormat::Read).map_err(|error| error.shortened(facts, tier, size))?;
        Ok(Receipt::new("ok".to_owned(), tier))
    }
}

#[derive(Serialize)]
struct SlackMessage {
    text: String,
    blocks: Vec<Block>,
    unfurl_links: bool,
    unfurl_media: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Header { text: SlackText },
    Section { text: SlackText },
    Context { elements: Vec<SlackText> },
    Divider {},
    Actions { elements: Vec<SlackButton> },
}

/// A button that opens an address.
#[derive(Serialize)]
#[serde(tag = "type", rename = "button")]
struct SlackButton {
    text: SlackText,
    url: String,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum SlackText {
    PlainText { text: String },
    // Verbatim: Slack makes no links of names and addresses in outside text.
    Mrkdwn { text: String, verbatim: bool },
}

/// The largest message that obeys every limit, beginning at a tier, with the tier it has.
pub(crate) fn render(digest: &Digest, facts: &DeliveryFacts) -> (String, Tier) {
    let mut tier = facts.tier;
    loop {
        let fitted = fit(digest, tier);
        let describe = if tier < Tier::Groups20Samples1 { describe } else { describe_briefly };
        let message = message(&DigestView::new(&fitted), facts.uncertain, describe);
        match tier.smaller() {
            Some(smaller) if !message.fits() => tier = smaller,
            _ => return (written(&message), tier),
        }
    }
}

fn written(message: &SlackMessage) -> String {
    serde_json::to_string(message).expect("string keys and no numbers")
}

impl SlackMessage {
    fn fits(&self) -> bool {
        self.blocks.len() <= BLOCKS && self.blocks.iter().map(Block::length).sum::<usize>() <= TEXT
    }
}

impl Block {
    fn length(&self) -> usize {
        match self {
            Block::Header { text } | Block::Section { text } => text.length(),
            Block::Context { elements } => elements.iter().map(SlackText::length).sum(),
            Block::Actions { elements } => elements.iter().map(|button| button.text.length()).sum(),
            Block::Divider {} => 0,
        }
    }
}

impl SlackText {
    fn length(&self) -> usize {
        let (SlackText::PlainText { text } | SlackText::Mrkdwn { text, .. }) = self;
        text.chars().count()
    }
}

fn message(view: &DigestView, uncertain: bool, describe: fn(&GroupView) -> String) -> SlackMessage {
    let repeat = format!("Possible repeat of {}: an earlier try was not answered.", view.digest_id);
    let mut blocks = Vec::new();
    if uncertain {
        blocks.push(section(escape(&repeat, 200)));
    }
    let headline = escape(&view.headline, HEADER);
    blocks.push(Block::Header { text: SlackText::PlainText { text: headline.clone() } });
    blocks.push(section(summary(view)));
    blocks.extend(view.open_link.iter().map(|url| {
        let text = SlackText::PlainText { text: "Open".to_owned() };
        Block::Actions { elements: vec![SlackButton { text, url: url.clone() }] }
    }));
    blocks.extend(faults(view).map(section));
    blocks.extend(view.incidents.iter().map(|incident| section(describe_incident(incident))));
    for group in &view.groups {
        blocks.push(section(describe(group)));
    }
    if !view.still_open.is_empty() {
        blocks.push(Block::Divider {});
        blocks.push(section(still_open(view)));
    }
    blocks.extend(view.left_out.iter().map(|text| section(escape(text, 300))));
    blocks.push(Block::Context { elements: vec![mrkdwn(foot(view))] });
    let first = if uncertain { format!("{repeat} ") } else { String::new() };
    SlackMessage {
        text: format!("{first}{headline} - {}", tiles(view).replace('*', "")),
        blocks,
        unfurl_links: false,
        unfurl_media: false,
    }
}

fn summary(view: &DigestView) -> String {
    let totals = if view.totals.is_empty() { String::new() } else { format!("{}\n", escape(&view.totals, 300)) };
    format!("{}\n{totals}Decided {}", tiles(view), view.decided)
}

fn tiles(view: &DigestView) -> String {
    let tiles: Vec<String> = view.tiles.iter().map(|tile| format!("*{}* {}", tile.count, tile.word)).collect();
    tiles.join(" · ")
}

fn faults(view: &DigestView) -> Option<String> {
    let lines: Vec<String> = view
        .faults
        .iter()
        .take(FAULTS)
        .map(|f| format!("*{}* {} (since {})", f.word.to_uppercase(), escape(&f.text, 300), f.since))
        .collect();
    let rest = view.unlisted_faults(FAULTS).map_or_else(String::new, |text| format!("\n{text}"));
    (!lines.is_empty()).then(|| format!("{}{rest}", lines.join("\n")))
}

fn describe(group: &GroupView) -> String {
    let page = if group.page { " · PAGE" } else { "" };
    let mut lines = vec![
        format!("*{}{page}* {}", group.word.to_uppercase(), escape(&group.title, 200)),
        format!("{} · {} · {}", escape(&group.counts, 200), escape(&group.class, 50), escape(&group.place, 150)),
    ];
    lines.extend(group.why.iter().map(|why| escape(why, 250)));
    lines.extend(group.cause.iter().map(|cause| format!("Cause: {}", escape(cause, 250))));
    lines.extend(group.note.iter().map(|note| format!("Note: {}", escape(note, 250))));
    lines.extend(group.acked.iter().map(|acked| escape(acked, 200)));
    lines.extend(group.assigned.iter().map(|assigned| with_link(assigned, group.ticket_link.as_deref())));
    if let Some(bars) = &group.bars {
        lines.push(format!("{} {}", bars.blocks, bars.caption));
    }
    for sample in &group.samples {
        let message = sample.message.iter().map(|m| format!(": {}", escape(m, 200))).collect::<String>();
        let name = sample.open_link.as_ref().map(|url| link(&short(&sample.item_name, 90), url));
        lines.push(format!("> {}{message}", name.unwrap_or_else(|| escape(&sample.item_name, 100))));
        for (label, links) in [("", &sample.links), ("needs the API key: ", &sample.api_links)] {
            let links: Vec<String> = links.iter().take(3).map(|(name, url)| link(name, url)).collect();
            if !links.is_empty() {
                lines.push(format!("> {label}{}", links.join(" · ")));
            }
        }
    }
    let open = group.open_link.iter().map(|url| format!("{} · ", link("open", url)));
    let runbook = open.chain(group.runbook_link.iter().map(|url| format!("{} · ", link("runbook", url))));
    lines.push(format!("{}`{}`", runbook.collect::<String>(), escape(&group.command, 150)));
    within(lines, SECTION)
}

/// An incident with a line for each group.
fn describe_incident(incident: &IncidentView) -> String {
    let page = if incident.page { " · PAGE" } else { "" };
    let mut lines = vec![
        format!("*{}{page}* {}", incident.word.to_uppercase(), escape(&incident.line, 300)),
        escape(&incident.causes, 250),
        format!("{} · {}", incident.open, escape(&incident.why, 300)),
    ];
    lines.extend(incident.assigned.iter().map(|assigned| escape(assigned, 120)));
    let mut ways: Vec<String> = incident.open_link.iter().map(|url| link("open", url)).collect();
    ways.push(format!("`{}`", escape(&incident.command, 100)));
    ways.extend(incident.ack_command.iter().map(|command| format!("`{}`", escape(command, 100))));
    lines.push(ways.join(" · "));
    lines.extend(incident.groups.iter().map(|group| {
        let title = with_link(&group.title, group.open_link.as_deref());
        format!("> *{}* {title} · {} open", group.word.to_uppercase(), group.open_items)
    }));
    lines.extend(incident.more.clone());
    within(lines, SECTION)
}

/// Two or three lines, so that twenty groups fit.
fn describe_briefly(group: &GroupView) -> String {
    let page = if group.page { " · PAGE" } else { "" };
    let mut facts = vec![escape(&group.counts, 100), escape(&group.class, 30)];
    facts.extend(group.why.iter().map(|why| escape(why, 90)));
    let mut ways: Vec<String> = group.open_link.iter().map(|url| link("open", url)).collect();
    ways.push(format!("`{}`", escape(&group.command, 80)));
    let word = group.word.to_uppercase();
    format!("*{word}{page}* {}\n{}\n{}", escape(&group.title, 110), facts.join(" · "), ways.join(" · "))
}

fn still_open(view: &DigestView) -> String {
    let lines = view
        .still_open
        .iter()
        .map(|g| format!("*{}* {} ({})", g.open_items, escape(&g.title, 90), escape(&g.group_id, 30)));
    within(std::iter::once("Still open".to_owned()).chain(lines).collect(), SECTION)
}

fn foot(view: &DigestView) -> String {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(view.retries.iter().map(|text| escape(text, 200)));
    lines.extend(view.silenced.iter().map(|text| escape(text, 200)));
    lines.extend(view.budget.iter().map(|text| format!("Budget: {}", escape(text, 200))));
    lines.extend(view.remarks.iter().take(REMARKS).map(|text| escape(text, 300)));
    lines.extend(view.unlisted_remarks(REMARKS));
    lines.push(format!("Period {}", escape(&view.window, 160)));
    lines.push(format!("Data as of {}", view.ledger_as_of));
    lines.extend(view.next_digest.iter().map(|at| format!("Next digest {at}")));
    lines.push(format!("{} {}", escape(&view.digest_id, 60), escape(&view.instance, 60)));
    within(lines, 2_000)
}

/// As many lines as fit, and how many do not; a line that does not is never cut in the middle of an escape.
fn within(lines: Vec<String>, most: usize) -> String {
    const MORE: usize = 30;
    let mut text = String::new();
    let (mut length, all) = (0, lines.len());
    for (at, line) in lines.into_iter().enumerate() {
        length += line.chars().count() + 1;
        if length > most - MORE {
            text.push_str(&format!("… and {} more\n", all - at));
            break;
        }
        text.push_str(&line);
        text.push('\n');
    }
    text.trim_end().to_owned()
}

fn link(name: &str, url: &str) -> String {
    format!("<{}|{}>", url.replace('&', "&amp;"), escape(name, 100))
}

/// A text that leads to an address, if there is one.
fn with_link(text: &str, url: Option<&str>) -> String {
    url.map_or_else(|| escape(text, 110), |url| link(text, url))
}

fn section(text: String) -> Block {
    Block::Section { text: mrkdwn(text) }
}

fn mrkdwn(text: String) -> SlackText {
    SlackText::Mrkdwn { text, verbatim: true }
}

/// Outside text for mrkdwn: `&`, `<` and `>` are all that Slack reads as commands such as `<!channel>`
/// (<https://api.slack.com/reference/surfaces/formatting#escaping>). At most `most` characters, escapes included.
fn escape(text: &str, most: usize) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut length = 0;
    for c in text.chars() {
        let piece = match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            // Emphasis marks change nothing but the looks; a grave accent would end the command's code span.
            '`' => "'".to_owned(),
            _ => c.to_string(),
        };
        length += piece.chars().count();
        if length >= most {
            escaped.push('…');
            break;
        }
        escaped.push_str(&piece);
    }
    escaped
}
