//! What `reprocess plan` prints.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::commands::reprocess::Format;
use crate::commands::reprocess::show::{held, items, size};
use crate::model::text::{count, cut_middle, lines, one_line};
use crate::reprocess::plans::draft::{Draft, DraftExclusion, DraftPost};
use crate::reprocess::store::named::short;
use crate::say;

/// Reasons that the table names; JSON has every item.
const MOST_REASONS: usize = 10;

/// Characters of a group's title that the table shows.
const LONGEST_TITLE: usize = 60;

/// A plan made of older knowledge warns.
const OLD: SignedDuration = SignedDuration::from_hours(1);

pub(crate) fn show(draft: &Draft, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => {
            let mut answer = json!({ "schema_version": 1 });
            let fields = serde_json::to_value(draft)?;
            if let (Some(answer), Value::Object(fields)) = (answer.as_object_mut(), fields) {
                answer.extend(fields);
            }
            say!("{}", serde_json::to_string_pretty(&answer)?);
        }
        Format::Table => say!("{}", lines(&table(draft))),
    }
    Ok(())
}

fn table(draft: &Draft) -> String {
    let mut text = format!("Plan {}: {}", short(&draft.plan_id), size(draft));
    match draft.credits {
        _ if draft.items == 0 => text.push('\n'),
        Some(credits) => text.push_str(&format!(", about {credits} credits\n")),
        None => text.push_str("; cost unknown (set reprocess.credits-per-item)\n"),
    }
    if let Some((each, known)) = draft.billed_each.filter(|_| draft.items > 0) {
        let retries = count(known.into(), "retry", "retries");
        text.push_str(&format!("LlamaCloud billed {each:.1} credits each for the newest {retries} of these groups\n"));
    }
    text.push_str(&data_age(draft));
    text.push_str(&posts(draft));
    if !draft.lost_parameters.is_empty() {
        let lost = draft.lost_parameters.join(", ");
        text.push_str(&format!(
            "Parameters not replayed: {lost} (set them in [[reprocess.job-config]] if the result depends on them)\n"
        ));
    }
    text.push_str(&by_reason("Left out", &draft.excluded));
    text.push_str(&by_reason("Not retried automatically", &draft.not_by_itself));
    for group in draft.groups.iter().filter(|group| group.attempts > 0 || group.ended > 0) {
        text.push_str(&format!("{}: {}\n", group.group_id, group.outlook));
    }
    for hold in &draft.holds {
        text.push_str(&format!("Held: {}\n", held(hold)));
    }
    let left: Vec<String> = draft.budget_left.iter().map(|(budget, left)| format!("{left} {budget}")).collect();
    text.push_str(&format!("Budget left: {}\n", left.join(", ")));
    text.push_str(&match draft.items {
        0 if draft.excluded.is_empty() => "Nothing to submit: no matching item is open.".to_owned(),
        0 => "Nothing to submit.".to_owned(),
        _ => format!(
            "Expires {:.0}. Submit with: llama-triage reprocess apply {} --reason TEXT",
            draft.expires_at,
            short(&draft.plan_id)
        ),
    });
    text
}

/// One line for POSTs that look alike: API v2 takes one item in each.
fn posts(draft: &Draft) -> String {
    let mut alike: Vec<((String, String), usize)> = Vec::new();
    for one in &draft.chunks {
        let line = (items(one.chunk.item_ids.len()), post(draft, one));
        match alike.iter_mut().find(|(known, _)| *known == line) {
            Some((_, times)) => *times += 1,
            None => alike.push((line, 1)),
        }
    }
    let size = |size: String, times| if times == 1 { size } else { format!("{times} POSTs of {size} each") };
    alike.into_iter().map(|((items, what), times)| format!("  {:>10}  {what}\n", size(items, times))).collect()
}

fn post(draft: &Draft, DraftPost { project, chunk }: &DraftPost) -> String {
    let cache = if chunk.second_try && chunk.job_type == "parse" { ", cache cleared" } else { "" };
    let group = draft.groups.iter().find(|group| group.group_id == chunk.group_id);
    let classes: BTreeSet<&str> = chunk.classes.iter().map(|class| class.name()).collect();
    let class = classes.into_iter().collect::<Vec<_>>().join(", ");
    let title = one_line(group.map_or("", |group| group.title.as_str()));
    let title = cut_middle(&title, LONGEST_TITLE);
    format!("{}  {class:<15}  {} of {}{cache}  {title}", chunk.group_id, chunk.job_type, project)
}

/// How many items have each reason, the most first.
fn by_reason(title: &str, left: &[DraftExclusion]) -> String {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for one in left {
        *reasons.entry(&one.why).or_default() += 1;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, items)| std::cmp::Reverse(*items));
    let mut text = if left.is_empty() { String::new() } else { format!("{title}: {}\n", items(left.len())) };
    for (why, items) in reasons.iter().take(MOST_REASONS) {
        text.push_str(&format!("  {items:>4}  {why}\n"));
    }
    let others: usize = reasons.iter().skip(MOST_REASONS).map(|(_, items)| *items).sum();
    if others > 0 {
        let more = count((reasons.len() - MOST_REASONS) as u64, "other reason", "other reasons");
        text.push_str(&format!("  {others:>4}  for {more}: see --format json\n"));
    }
    text
}

/// How old the knowledge is that the plan was made of.
fn data_age(draft: &Draft) -> String {
    let before = "`llama-triage scan` updates it; `apply` scans too and drops items that have completed";
    match draft.as_of {
        None if draft.groups.is_empty() => String::new(),
        None => format!("Warning: a project has no complete scan yet; {before}\n"),
        Some(at) if draft.created_at - at > OLD => {
            let age = (draft.created_at - at).as_hours();
            format!(
                "Warning: data as of {at:.0} (last complete scan, {} ago); {before}\n",
                count(age.unsigned_abs(), "hour", "hours")
            )
        }
        Some(at) => format!("Data as of {at:.0} (last complete scan)\n"),
    }
}
