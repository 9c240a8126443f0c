//! What the text and HTML templates see: every sentence ready, every outside text on one line and cut, only safe links.
//!
//! Both templates get the same view, so neither part of a mail knows more than the other. Escaping is the template's.

use serde::Serialize;

use crate::model::fault::Fault;
use crate::model::text::count;
use crate::notify::render::bars::Bars;
use crate::notify::render::incident_words;
use crate::notify::render::links::{page, safe_link};
use crate::notify::render::sample_view::{ID, MESSAGE, SampleView, sample};
use crate::notify::render::times::DisplayZone;
use crate::notify::render::words::{self, ChangeKind, short};
use crate::triage::digest::build::count_changes;
use crate::triage::digest::incident::{IncidentEntry, IncidentState};
use crate::triage::digest::model::{Digest, GroupEntry, Reason, Totals};

/// Incidents that have a block.
const INCIDENTS: usize = 5;
/// Faults and remarks listed; more are counted.
const FAULTS: usize = 10;
/// Job types and projects named; more are counted.
const NAMES: usize = 4;

/// A digest, ready for a template.
#[derive(Serialize)]
pub(crate) struct DigestView {
    pub(crate) digest_id: String,
    pub(crate) instance: String,
    pub(crate) headline: String,
    /// Where "Open" leads: the page of the only group, else of the digest; none where people reach no console.
    pub(crate) open_link: Option<String>,
    pub(crate) preheader: String,
    pub(crate) tiles: Vec<Tile>,
    pub(crate) totals: String,
    pub(crate) incidents: Vec<IncidentView>,
    /// Groups with news that are part of no listed incident.
    pub(crate) groups: Vec<GroupView>,
    /// How many of them the page tells in full.
    pub(crate) details: usize,
    pub(crate) still_open: Vec<GroupView>,
    pub(crate) left_out: Option<String>,
    pub(crate) faults: Vec<FaultView>,
    pub(crate) more_faults: Option<String>,
    /// How many there are, listed or not.
    pub(crate) all_faults: usize,
    pub(crate) retries: Option<String>,
    pub(crate) silenced: Option<String>,
    pub(crate) budget: Option<String>,
    pub(crate) remarks: Vec<String>,
    pub(crate) more_remarks: Option<String>,
    /// How many there are, listed or not.
    pub(crate) all_remarks: usize,
    pub(crate) window: String,
    /// When it was decided; a mail may arrive hours later.
    pub(crate) decided: String,
    pub(crate) ledger_as_of: String,
    pub(crate) next_digest: Option<String>,
}

/// A number of the table at the top.
#[derive(Serialize)]
pub(crate) struct Tile {
    pub(crate) count: u64,
    pub(crate) word: String,
    /// Which colour; a reason or `open`.
    pub(crate) tone: &'static str,
}

/// A group, ready for a template.
#[derive(Serialize)]
pub(crate) struct GroupView {
    pub(crate) group_id: String,
    pub(crate) word: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) page: bool,
    /// It is known or over: a line of facts instead of a table of them.
    pub(crate) brief: bool,
    pub(crate) title: String,
    pub(crate) template: Option<String>,
    pub(crate) why: Option<String>,
    pub(crate) cause: Option<String>,
    pub(crate) class: String,
    pub(crate) meaning: Option<String>,
    pub(crate) open_items: u64,
    pub(crate) new_items: u64,
    pub(crate) counts: String,
    pub(crate) place: String,
    pub(crate) first_seen: String,
    pub(crate) last_seen: String,
    /// Both in one.
    pub(crate) seen: String,
    pub(crate) bars: Option<Bars>,
    pub(crate) note: Option<String>,
    pub(crate) acked: Option<String>,
    /// "Assigned to Ann"; none if it is assigned to no one.
    pub(crate) assigned: Option<String>,
    pub(crate) ticket_link: Option<String>,
    pub(crate) runbook: Option<String>,
    pub(crate) runbook_link: Option<String>,
    /// Its page of the console; none where people reach none.
    pub(crate) open_link: Option<String>,
    pub(crate) samples: Vec<SampleView>,
    /// Shows all about it.
    pub(crate) command: String,
    /// Shows the job record of a sample; none where a page of the console does, or no sample has a job.
    pub(crate) record_command: Option<String>,
    /// Which of its open items are shown, and the command that shows all; none if these are all.
    pub(crate) all_items: Option<String>,
}

/// An incident with its groups, ready for a template.
#[derive(Serialize)]
pub(crate) struct IncidentView {
    pub(crate) incident_id: String,
    pub(crate) word: &'static str,
    pub(crate) tone: &'static str,
    pub(crate) page: bool,
    /// "5 groups, 147 of 270 items failed since 14:33 in invoices, archive".
    pub(crate) line: String,
    /// "54 % of what ended in that time: 120 temporary, 27 cause unclear".
    pub(crate) causes: String,
    pub(crate) why: String,
    pub(crate) open: String,
    pub(crate) assigned: Option<String>,
    /// Its groups with news.
    pub(crate) groups: Vec<GroupView>,
    /// Its other groups, counted; none if all are listed.
    pub(crate) more: Option<String>,
    /// Its page of the console; none where people reach none.
    pub(crate) open_link: Option<String>,
    /// Shows all about it.
    pub(crate) command: String,
    /// Acknowledges its open groups; none if they are, or it is over.
    pub(crate) ack_command: Option<String>,
}

impl IncidentView {
    /// Prepares an incident with those groups of the digest that are part of it.
    pub(crate) fn new(digest: &Digest, entry: &IncidentEntry, clock: &DisplayZone) -> IncidentView {
        let groups: Vec<GroupView> = digest
            .changes
            .iter()
            .filter(|member| member.incident_id.as_ref() == Some(&entry.incident_id))
            .map(|member| group(member, digest.public_url.as_deref(), clock))
            .collect();
        let more = (entry.groups.len() as u64).saturating_sub(groups.len() as u64);
        let is_over = entry.state == IncidentState::Over;
        let incident_id = short(&entry.incident_id, 40);
        IncidentView {
            word: incident_words::word(entry),
            tone: if is_over { "resolved" } else { "new" },
            page: entry.page && !is_over,
            line: incident_words::line(entry, digest, clock),
            causes: format!(
                "{} % of what ended in that time: {}",
                incident_words::percent(entry),
                incident_words::causes(&entry.classes)
            ),
            why: short(&entry.why, 300),
            open: format!("{} open", count(entry.open_items, "item", "items")),
            assigned: entry.assigned.as_deref().map(|name| format!("Assigned to {}", short(name, 100))),
            more: (more > 0 && !groups.is_empty())
                .then(|| format!("and {} without news", count(more, "group", "groups"))),
            open_link: page(digest.public_url.as_deref(), "n", &entry.incident_id),
            command: format!("llama-triage report incident {incident_id}"),
            ack_command: (!entry.acked && !is_over).then(|| format!("llama-triage group ack {incident_id}")),
            groups,
            incident_id,
        }
    }
}

/// A fault of llama-triage itself, ready for a template.
#[derive(Serialize)]
pub(crate) struct FaultView {
    pub(crate) word: &'static str,
    pub(crate) ended: bool,
    pub(crate) text: String,
    pub(crate) since: String,
}

impl DigestView {
    /// Prepares a digest that is already cut to size.
    pub(crate) fn new(digest: &Digest) -> DigestView {
        let clock = DisplayZone::new(&digest.zone);
        let (remarks, public_url) = (words::remarks(digest), digest.public_url.as_deref());
        DigestView {
            digest_id: short(&digest.digest_id, ID),
            instance: short(&digest.instance, 60),
            headline: words::headline(digest),
            open_link: open_link(digest),
            preheader: words::preheader(digest),
            tiles: tiles(digest),
            totals: totals(digest),
            incidents: listed_incidents(digest).iter().map(|e| IncidentView::new(digest, e, &clock)).collect(),
            details: alone(digest).count(),
            groups: alone(digest).map(|e| group(e, public_url, &clock)).collect(),
            still_open: digest.still_open.iter().map(|e| group(e, public_url, &clock)).collect(),
            left_out: left_out(digest),
            faults: digest.faults.iter().take(FAULTS).map(|f| fault(f, &clock)).collect(),
            all_faults: digest.faults.len(),
            all_remarks: remarks.len(),
            more_faults: more(digest.faults.len(), FAULTS, "more worker fault", "more worker faults"),
            retries: digest.retries.as_ref().and_then(words::retries),
            silenced: silenced(digest, &clock),
            budget: optional(digest.budget.as_deref(), MESSAGE),
            remarks: remarks.iter().take(FAULTS).map(|r| short(r, MESSAGE)).collect(),
            more_remarks: more(remarks.len(), FAULTS, "more remark", "more remarks"),
            window: clock.span(&digest.window),
            decided: clock.full(digest.created_at),
            ledger_as_of: digest.ledger_as_of.map_or_else(|| "no complete scan yet".to_owned(), |at| clock.full(at)),
            next_digest: digest.next_digest_at.map(|at| clock.full(at)),
        }
    }
}

impl DigestView {
    /// Says how many faults are left out by a channel that lists so many; none if it lists all.
    pub(crate) fn unlisted_faults(&self, listed: usize) -> Option<String> {
        let more = more(self.all_faults, listed, "more worker fault", "more worker faults");
        more.map(|more| format!("{more}: llama-triage report"))
    }

    /// The same for remarks.
    pub(crate) fn unlisted_remarks(&self, listed: usize) -> Option<String> {
        more(self.all_remarks, listed, "more remark", "more remarks")
    }
}

/// The incidents that have a block; the groups of others are listed as if they were of none.
fn listed_incidents(digest: &Digest) -> &[IncidentEntry] {
    &digest.incidents[..digest.incidents.len().min(INCIDENTS)]
}

/// The groups with news that are part of no listed incident.
fn alone(digest: &Digest) -> impl Iterator<Item = &GroupEntry> {
    let is_listed = |id: &String| listed_incidents(digest).iter().any(|incident| incident.incident_id == *id);
    digest.changes.iter().filter(move |entry| !entry.incident_id.as_ref().is_some_and(is_listed))
}

fn tiles(digest: &Digest) -> Vec<Tile> {
    let tone = |kind: ChangeKind| match kind {
        ChangeKind::Escalating => "escalated",
        ChangeKind::Known => "other",
        kind => kind.into(),
    };
    let mut tiles: Vec<Tile> = words::change_counts(&digest.totals)
        .into_iter()
        .map(|(count, kind)| Tile { count, word: counted(count, kind), tone: tone(kind) })
        .collect();
    tiles.push(Tile {
        count: digest.totals.open_items,
        word: if digest.totals.open_items == 1 { "item open" } else { "items open" }.to_owned(),
        tone: "open",
    });
    let of_batches =
        [(digest.totals.overdue_batches, "overdue"), (digest.totals.missing_batches, "with missing items")];
    tiles.extend(of_batches.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| Tile {
        count,
        word: format!("{} {what}", if count == 1 { "batch" } else { "batches" }),
        tone: "open",
    }));
    tiles
}

/// News is counted in groups, and all else in items: the word says so.
fn counted(count: u64, kind: ChangeKind) -> String {
    match kind.word(count) {
        word if kind == ChangeKind::Fault => word.to_owned(),
        word if count == 1 => format!("{word} group"),
        word => format!("{word} groups"),
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
            "Not listed: {} with {}{}. All: llama-triage report groups --limit 0",
            count(left.groups, "more group", "more groups"),
            count(left.items, "open item", "open items"),
            unlisted_changes(digest),
        )
    })
}

/// " (2 new, 1 resolved)": the news that is counted above but not listed. What is still open without news is the rest.
fn unlisted_changes(digest: &Digest) -> String {
    let (all, listed) = (&digest.totals, count_changes(Totals::default(), &digest.changes, &[]));
    let unlisted = Totals {
        new: all.new.saturating_sub(listed.new),
        regressed: all.regressed.saturating_sub(listed.regressed),
        escalated: all.escalated.saturating_sub(listed.escalated),
        resolved: all.resolved.saturating_sub(listed.resolved),
        other: all.other.saturating_sub(listed.other),
        ..Totals::default()
    };
    let news: Vec<String> =
        words::change_counts(&unlisted).into_iter().map(|(n, kind)| format!("{n} {}", kind.word(n))).collect();
    if news.is_empty() { String::new() } else { format!(" ({})", news.join(", ")) }
}

fn silenced(digest: &Digest, clock: &DisplayZone) -> Option<String> {
    let silenced = digest.silenced;
    if silenced.groups == 0 && silenced.items == 0 {
        return None;
    }
    let mut sentence = format!(
        "Silenced: {} with {}",
        count(silenced.groups, "group", "groups"),
        count(silenced.items, "open item", "open items")
    );
    if let Some(at) = silenced.next_expiry {
        sentence.push_str(&format!("; next expiry {}", clock.full(at)));
    }
    Some(sentence)
}

fn fault(fault: &Fault, clock: &DisplayZone) -> FaultView {
    FaultView {
        word: if fault.ended { "resolved" } else { "llama-triage problem" },
        ended: fault.ended,
        text: short(&fault.text, 400),
        since: clock.full(fault.since),
    }
}

/// Whether the template tells anything beside the title, which names its slots better: `<page>` for `<n>`.
fn template_adds_detail(template: &str, title: &str) -> bool {
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

/// The page of a digest's only incident or group, else of the digest itself.
pub(crate) fn open_link(digest: &Digest) -> Option<String> {
    if let ([incident], None) = (digest.incidents.as_slice(), alone(digest).next()) {
        return page(digest.public_url.as_deref(), "n", &incident.incident_id);
    }
    match digest.changes.as_slice() {
        [only] => page(digest.public_url.as_deref(), "g", &only.group_id),
        _ => page(digest.public_url.as_deref(), "d", &digest.digest_id),
    }
}

fn group(entry: &GroupEntry, public_url: Option<&str>, clock: &DisplayZone) -> GroupView {
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
        template: (template_adds_detail(&template, &title) && !template.is_empty()).then_some(template),
        title,
        why: optional(entry.why.as_deref(), MESSAGE),
        cause: optional(entry.cause.as_deref(), MESSAGE),
        class: short(&entry.class, 40),
        meaning: words::class_meaning(entry),
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
        assigned: optional(entry.assigned.as_deref(), 100).map(|name| format!("Assigned to {name}")),
        ticket_link: entry.ticket.as_deref().and_then(safe_link).map(str::to_owned),
        runbook: runbook_link.clone().or(runbook),
        runbook_link,
        open_link: page(public_url, "g", &entry.group_id),
        samples: entry.samples.iter().take(samples).map(|s| sample(s, entry, public_url, clock)).collect(),
        command: format!("llama-triage report group {}", short(&entry.group_id, ID)),
        record_command: record_command(entry, samples).filter(|_| public_url.is_none()),
        all_items: all_items(entry, samples.min(entry.samples.len())),
    }
}

fn all_items(entry: &GroupEntry, shown: usize) -> Option<String> {
    let is_cut = shown > 0 && entry.open_items > shown as u64;
    is_cut.then(|| {
        let open = match entry.kind.is_of_batch() {
            true => count(entry.open_items, "batch", "batches"),
            false => count(entry.open_items, "open item", "open items"),
        };
        format!("{shown} of {open}. All: {}", items_command(entry))
    })
}

/// The command that lists all open items of a group.
pub(crate) fn items_command(entry: &GroupEntry) -> String {
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

/// Shows the job record of the first sample that has a job.
fn record_command(entry: &GroupEntry, shown: usize) -> Option<String> {
    let sample = entry.samples.iter().take(shown).find(|sample| sample.job_id.is_some())?;
    Some(format!("llama-triage report record {}", short(&sample.item_id, ID)))
}

fn names(names: &[String]) -> String {
    let mut shown: Vec<String> = names.iter().take(NAMES).map(|n| short(n, 40)).collect();
    shown.extend(more(names.len(), NAMES, "other", "others"));
    shown.join(", ")
}

fn optional(text: Option<&str>, most: usize) -> Option<String> {
    text.map(|text| short(text, most)).filter(|text| !text.is_empty())
}

fn more(all: usize, shown: usize, one: &str, many: &str) -> Option<String> {
    let more = all.saturating_sub(shown) as u64;
    (more > 0).then(|| format!("and {}", count(more, one, many)))
}
