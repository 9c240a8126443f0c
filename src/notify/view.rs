//! What the text and HTML templates see: every sentence ready, every outside text on one line and cut, only safe links.
//!
//! Both templates get the same view, so neither part of a mail knows more than the other. Escaping is the template's.

use serde::Serialize;

use crate::core::digest::build::count_changes;
use crate::core::digest::model::{Digest, Fault, GroupEntry, Reason, Sample, Totals};
use crate::notify::bars::Bars;
use crate::notify::links::safe_link;
use crate::notify::times::Clock;
use crate::notify::words::{self, count, short};

/// The longest raw message, cut in its middle.
pub(super) const MESSAGE: usize = 300;
/// The longest id; real ones have at most 40 characters.
const ID: usize = 100;
/// Faults and remarks listed; more are counted.
const FAULTS: usize = 10;
/// Links of a sample.
const LINKS: usize = 6;
/// Job types and projects named; more are counted.
const NAMES: usize = 4;

/// A digest, ready for a template.
#[derive(Serialize)]
pub(super) struct View {
    pub(super) digest_id: String,
    pub(super) instance: String,
    pub(super) headline: String,
    pub(super) preheader: String,
    pub(super) tiles: Vec<Tile>,
    pub(super) totals: String,
    pub(super) groups: Vec<GroupView>,
    /// How many of them the page tells in full.
    pub(super) details: usize,
    pub(super) still_open: Vec<GroupView>,
    pub(super) left_out: Option<String>,
    pub(super) faults: Vec<FaultView>,
    pub(super) more_faults: Option<String>,
    /// How many there are, listed or not.
    pub(super) all_faults: usize,
    pub(super) retries: Option<String>,
    pub(super) silenced: Option<String>,
    pub(super) budget: Option<String>,
    pub(super) remarks: Vec<String>,
    pub(super) more_remarks: Option<String>,
    /// How many there are, listed or not.
    pub(super) all_remarks: usize,
    pub(super) window: String,
    pub(super) ledger_as_of: String,
    pub(super) next_digest: Option<String>,
}

/// A number of the table at the top.
#[derive(Serialize)]
pub(super) struct Tile {
    pub(super) count: u64,
    pub(super) word: String,
    /// Which colour; a reason or `open`.
    pub(super) tone: &'static str,
}

/// A group, ready for a template.
#[derive(Serialize)]
pub(super) struct GroupView {
    pub(super) group_id: String,
    pub(super) word: &'static str,
    pub(super) tone: &'static str,
    pub(super) page: bool,
    /// It is known or over: a line of facts instead of a table of them.
    pub(super) brief: bool,
    pub(super) title: String,
    pub(super) template: Option<String>,
    pub(super) why: Option<String>,
    pub(super) cause: Option<String>,
    pub(super) class: String,
    pub(super) meaning: Option<&'static str>,
    pub(super) open_items: u64,
    pub(super) new_items: u64,
    pub(super) counts: String,
    pub(super) place: String,
    pub(super) first_seen: String,
    pub(super) last_seen: String,
    /// Both in one.
    pub(super) seen: String,
    pub(super) bars: Option<Bars>,
    pub(super) note: Option<String>,
    pub(super) acked: Option<String>,
    pub(super) runbook: Option<String>,
    pub(super) runbook_link: Option<String>,
    pub(super) samples: Vec<SampleView>,
    /// Shows all about it.
    pub(super) command: String,
    /// Which of its open items are shown, and the command that shows all; none if these are all.
    pub(super) all_items: Option<String>,
}

/// A sample, ready for a template.
#[derive(Serialize)]
pub(super) struct SampleView {
    pub(super) item_name: String,
    pub(super) message: Option<String>,
    pub(super) seen_at: String,
    /// Label and id; those that the item has.
    pub(super) ids: Vec<(&'static str, String)>,
    /// Name and address.
    pub(super) links: Vec<(String, String)>,
}

/// A trouble of the worker, ready for a template.
#[derive(Serialize)]
pub(super) struct FaultView {
    pub(super) word: &'static str,
    pub(super) ended: bool,
    pub(super) text: String,
    pub(super) since: String,
}

impl View {
    /// Prepares a digest that is already cut to size.
    pub(super) fn new(digest: &Digest) -> View {
        let clock = Clock::new(&digest.zone);
        View {
            digest_id: short(&digest.digest_id, ID),
            instance: short(&digest.instance, 60),
            headline: words::headline(digest),
            preheader: words::preheader(digest),
            tiles: tiles(digest),
            totals: totals(digest),
            groups: digest.changes.iter().map(|e| group(e, &clock)).collect(),
            details: digest.changes.len(),
            still_open: digest.still_open.iter().map(|e| group(e, &clock)).collect(),
            left_out: left_out(digest),
            faults: digest.faults.iter().take(FAULTS).map(|f| fault(f, &clock)).collect(),
            all_faults: digest.faults.len(),
            all_remarks: digest.remarks.len(),
            more_faults: more(digest.faults.len(), FAULTS, "more worker fault", "more worker faults"),
            retries: digest.retries.as_ref().and_then(words::retries),
            silenced: silenced(digest, &clock),
            budget: optional(digest.budget.as_deref(), MESSAGE),
            remarks: digest.remarks.iter().take(FAULTS).map(|r| short(r, MESSAGE)).collect(),
            more_remarks: more(digest.remarks.len(), FAULTS, "more remark", "more remarks"),
            window: clock.span(&digest.window),
            ledger_as_of: digest.ledger_as_of.map_or_else(|| "no complete scan yet".to_owned(), |at| clock.full(at)),
            next_digest: digest.next_digest_at.map(|at| clock.full(at)),
        }
    }
}

impl View {
    /// Says how many faults are left out by a channel that lists so many; none if it lists all.
    pub(super) fn unlisted_faults(&self, listed: usize) -> Option<String> {
        let more = more(self.all_faults, listed, "more worker fault", "more worker faults");
        more.map(|more| format!("{more}: llama-triage report"))
    }

    /// The same for remarks.
    pub(super) fn unlisted_remarks(&self, listed: usize) -> Option<String> {
        more(self.all_remarks, listed, "more remark", "more remarks")
    }
}

fn tiles(digest: &Digest) -> Vec<Tile> {
    let tone = |word: &str| match word {
        "new" => "new",
        "regressed" => "regressed",
        "escalating" => "escalated",
        "resolved" => "resolved",
        "known" => "other",
        _ => "fault",
    };
    let mut tiles: Vec<Tile> = words::news(&digest.totals)
        .into_iter()
        .map(|(count, word)| Tile { count, word: counted(count, word), tone: tone(word) })
        .collect();
    tiles.push(Tile {
        count: digest.totals.open_items,
        word: if digest.totals.open_items == 1 { "item open" } else { "items open" }.to_owned(),
        tone: "open",
    });
    tiles
}

/// News is counted in groups, and all else in items: the word says so.
fn counted(count: u64, word: &str) -> String {
    match word {
        "fault" | "faults" => word.to_owned(),
        _ if count == 1 => format!("{word} group"),
        _ => format!("{word} groups"),
    }
}

/// What stands below the tiles, which have said how many items are open; empty if there is nothing to add.
fn totals(digest: &Digest) -> String {
    let totals = &digest.totals;
    let mut parts = Vec::new();
    if totals.open_items > 0 {
        parts.push(format!("Open in {}", count(totals.open_groups, "group", "groups")));
    }
    if totals.new_items > 0 {
        parts.push(format!("{} failed or skipped for the first time", count(totals.new_items, "item", "items")));
    }
    if totals.recovered_items > 0 {
        parts.push(format!("{} recovered", count(totals.recovered_items, "item", "items")));
    }
    parts.join(" · ")
}

fn left_out(digest: &Digest) -> Option<String> {
    let left = digest.left_out;
    (left.groups > 0 || left.items > 0).then(|| {
        format!(
            "Not listed here: {} with {}{}. All: llama-triage report groups --limit 0",
            count(left.groups, "more group", "more groups"),
            count(left.items, "open item", "open items"),
            unlisted_news(digest),
        )
    })
}

/// " (2 new, 1 resolved)": the news that is counted above but not listed. What is still open without news is the rest.
fn unlisted_news(digest: &Digest) -> String {
    let (all, listed) = (&digest.totals, count_changes(Totals::default(), &digest.changes, &[]));
    let unlisted = Totals {
        new: all.new.saturating_sub(listed.new),
        regressed: all.regressed.saturating_sub(listed.regressed),
        escalated: all.escalated.saturating_sub(listed.escalated),
        resolved: all.resolved.saturating_sub(listed.resolved),
        other: all.other.saturating_sub(listed.other),
        ..Totals::default()
    };
    let news: Vec<String> = words::news(&unlisted).into_iter().map(|(n, word)| format!("{n} {word}")).collect();
    if news.is_empty() { String::new() } else { format!(" ({})", news.join(", ")) }
}

fn silenced(digest: &Digest, clock: &Clock) -> Option<String> {
    let silenced = digest.silenced;
    if silenced.groups == 0 && silenced.items == 0 {
        return None;
    }
    let mut sentence = format!(
        "Silences held back {} with {}",
        count(silenced.groups, "group", "groups"),
        count(silenced.items, "open item", "open items")
    );
    if let Some(at) = silenced.next_expiry {
        sentence.push_str(&format!("; the next one ends {}", clock.full(at)));
    }
    Some(sentence)
}

fn fault(fault: &Fault, clock: &Clock) -> FaultView {
    FaultView {
        word: if fault.ended { "over" } else { "worker trouble" },
        ended: fault.ended,
        text: short(&fault.text, 400),
        since: clock.full(fault.since),
    }
}

/// Whether the template tells anything beside the title, which names its slots better: `<page>` for `<n>`.
fn says_more(template: &str, title: &str) -> bool {
    let bare = |text: &str| {
        let mut inside = false;
        let keep = |c: &char| match c {
            '<' => !std::mem::replace(&mut inside, true),
            '>' => std::mem::replace(&mut inside, false),
            _ => !inside,
        };
        text.chars().filter(keep).collect::<String>()
    };
    bare(template) != bare(title)
}

fn group(entry: &GroupEntry, clock: &Clock) -> GroupView {
    let title = short(&entry.title, 160);
    let template = short(&entry.template, MESSAGE);
    let runbook = optional(entry.runbook.as_deref(), MESSAGE);
    let brief = matches!(entry.reason, Reason::MoreItems | Reason::Resolved);
    let samples = if entry.reason == Reason::Resolved {
        0
    } else if brief {
        1
    } else {
        entry.samples.len()
    };
    let runbook_link = entry.runbook.as_deref().and_then(safe_link).map(str::to_owned);
    GroupView {
        group_id: short(&entry.group_id, ID),
        word: words::reason_word(entry.reason),
        tone: tone(entry.reason),
        page: entry.page,
        brief,
        template: (says_more(&template, &title) && !template.is_empty()).then_some(template),
        title,
        why: optional(entry.why.as_deref(), MESSAGE),
        cause: optional(entry.cause.as_deref(), MESSAGE),
        class: short(&entry.class, 40),
        meaning: words::class_meaning(&entry.class),
        open_items: entry.open_items,
        new_items: entry.new_items,
        counts: words::group_counts(entry),
        place: place(entry),
        first_seen: clock.full(entry.first_seen),
        last_seen: clock.full(entry.last_seen),
        seen: clock.range(entry.first_seen, entry.last_seen),
        bars: Bars::new(&entry.hourly),
        note: optional(entry.note.as_deref(), 500),
        acked: optional(entry.acked.as_deref(), 160).map(|said| words::capitalized(&said)),
        runbook: runbook_link.clone().or(runbook),
        runbook_link,
        samples: entry.samples.iter().take(samples).map(|s| sample(s, entry, clock)).collect(),
        command: format!("llama-triage report group {}", short(&entry.group_id, ID)),
        all_items: all_items(entry, samples.min(entry.samples.len())),
    }
}

fn all_items(entry: &GroupEntry, shown: usize) -> Option<String> {
    let is_cut = shown > 0 && entry.open_items > shown as u64;
    is_cut.then(|| {
        format!("{shown} of {}. All: {}", count(entry.open_items, "open item", "open items"), items_command(entry))
    })
}

/// The command that lists all open items of a group.
pub(super) fn items_command(entry: &GroupEntry) -> String {
    format!("llama-triage report items --group {} --state open,retrying --limit 0", short(&entry.group_id, ID))
}

fn tone(reason: Reason) -> &'static str {
    match reason {
        Reason::New | Reason::Baseline => "new",
        Reason::Regressed | Reason::Flapping => "regressed",
        Reason::Escalated => "escalated",
        Reason::Resolved | Reason::Heartbeat => "resolved",
        Reason::WorkerFault => "fault",
        Reason::MoreItems | Reason::Reminder | Reason::SilenceExpired => "other",
    }
}

/// "failed · parse · prod"
fn place(entry: &GroupEntry) -> String {
    let parts = [entry.kind.as_str().to_owned(), names(&entry.job_types), names(&entry.projects)];
    let known: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    known.join(" · ")
}

fn names(names: &[String]) -> String {
    let mut shown: Vec<String> = names.iter().take(NAMES).map(|n| short(n, 40)).collect();
    shown.extend(more(names.len(), NAMES, "other", "others"));
    shown.join(", ")
}

fn sample(sample: &Sample, entry: &GroupEntry, clock: &Clock) -> SampleView {
    let message =
        sample.error_message.as_deref().or(sample.skip_reason.as_deref()).filter(|message| *message != entry.title);
    let ids = [
        ("item", Some(&sample.item_id)),
        ("batch", Some(&sample.batch_id)),
        ("job", sample.job_id.as_ref()),
        ("job record", sample.job_record_id.as_ref()),
    ];
    let links = sample.links.iter().filter_map(|(name, link)| Some((short(name, 30), safe_link(link)?.to_owned())));
    SampleView {
        item_name: short(&sample.item_name, 120),
        message: optional(message, MESSAGE),
        seen_at: clock.full(sample.seen_at),
        ids: ids.into_iter().filter_map(|(label, id)| Some((label, short(id?, ID)))).collect(),
        links: links.take(LINKS).collect(),
    }
}

fn optional(text: Option<&str>, most: usize) -> Option<String> {
    text.map(|text| short(text, most)).filter(|text| !text.is_empty())
}

fn more(all: usize, shown: usize, one: &str, many: &str) -> Option<String> {
    let more = all.saturating_sub(shown) as u64;
    (more > 0).then(|| format!("and {}", count(more, one, many)))
}
