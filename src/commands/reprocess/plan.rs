//! `reprocess plan`: which items it is about (a group, items by name, or whatever the filters of a report match), and what it prints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use serde_json::{Value, json};

use crate::actions::act::ActError;
use crate::actions::plan::{PLANNED_STATES, item_ids};
use crate::commands::report::args::regex;
use crate::commands::reprocess::Format;
use crate::commands::reprocess::show::{held, items, size};
use crate::model::class::Class;
use crate::model::text::{count, cut_middle, lines, one_line};
use crate::report::filter::Filter;
use crate::report::when;
use crate::reprocess::plans::draft::{Draft, DraftExclusion};
use crate::reprocess::policy::plan::Chunk;
use crate::reprocess::store::named::short;
use crate::say;

/// The filters of `report items`, for open items and dismissed ones.
#[derive(Debug, Args)]
pub(crate) struct ChooseArgs {
    /// Group ids; may be shortened
    #[arg(long, value_name = "ID", value_delimiter = ',', conflicts_with = "item")]
    group: Vec<String>,
    /// Item id; repeatable
    #[arg(long, value_name = "ID")]
    pub(crate) item: Vec<String>,
    /// Failed since: 90m, 24h, 7d, today, yesterday, RFC 3339
    #[arg(long, value_name = "TIME", help_heading = "Filters", conflicts_with = "item")]
    since: Option<String>,
    /// Failed before, in the same forms
    #[arg(long, value_name = "TIME", help_heading = "Filters", conflicts_with = "item")]
    until: Option<String>,
    /// Classes (transient, throttled, …)
    #[arg(
        long,
        value_name = "CLASS",
        value_parser = PossibleValuesParser::new(<Class as strum::VariantNames>::VARIANTS),
        hide_possible_values = true,
        value_delimiter = ',',
        help_heading = "Filters",
        conflicts_with = "item"
    )]
    class: Vec<String>,
    /// Project names, as configured
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "Filters", conflicts_with = "item")]
    project: Vec<String>,
    /// Job types (parse, extract, classify)
    #[arg(long, value_name = "TYPE", value_delimiter = ',', help_heading = "Filters", conflicts_with = "item")]
    job_type: Vec<String>,
    /// Directory ids
    #[arg(long, value_name = "ID", value_delimiter = ',', help_heading = "Filters", conflicts_with = "item")]
    directory: Vec<String>,
    /// Batch ids; may be shortened
    #[arg(long, value_name = "ID", value_delimiter = ',', help_heading = "Filters", conflicts_with = "item")]
    batch: Vec<String>,
    /// Item names; * ? and […] are wildcards
    #[arg(long, value_name = "GLOB", help_heading = "Filters", conflicts_with = "item")]
    item_name: Option<String>,
    /// Regular expression for error messages and skip reasons
    #[arg(long = "match", value_name = "REGEX", value_parser = regex, help_heading = "Filters", conflicts_with = "item")]
    matching: Option<Regex>,
}

impl ChooseArgs {
    /// Nothing was asked for.
    fn is_empty(&self) -> bool {
        let lists = [&self.group, &self.item, &self.class, &self.project, &self.job_type, &self.directory, &self.batch];
        lists.iter().all(|list| list.is_empty())
            && [&self.since, &self.until, &self.item_name].iter().all(|text| text.is_none())
            && self.matching.is_none()
    }

    /// Groups or items were named by their ids: whoever does knows what they are.
    pub(crate) fn names_them(&self) -> bool {
        !self.group.is_empty() || !self.item.is_empty()
    }

    fn filter(self, now: Timestamp, zone: &TimeZone) -> Result<Filter, ActError> {
        let time = |text: Option<String>| {
            let parsed = text.as_deref().map(|text| when::parse(text, now, zone));
            parsed.transpose().map_err(|error| ActError::Refused(error.to_string()))
        };
        Ok(Filter {
            since: time(self.since)?,
            until: time(self.until)?,
            state: PLANNED_STATES.map(str::to_owned).to_vec(),
            class: self.class,
            project: self.project,
            job_type: self.job_type,
            directory: self.directory,
            batch: self.batch,
            group: self.group,
            item_name: self.item_name,
            matching: self.matching,
            ..Filter::default()
        })
    }
}

/// The ids of the items that are asked for.
///
/// # Errors
/// Nothing was asked for, or a group or batch does not exist.
pub(crate) fn chosen(
    args: ChooseArgs,
    ledger: &Path,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<Vec<String>, ActError> {
    if args.is_empty() {
        let text = "nothing selected: use --group ID, --item ID, or filters such as --class transient --since 24h";
        return Err(ActError::Refused(text.to_owned()));
    }
    if !args.item.is_empty() {
        return Ok(args.item);
    }
    item_ids(ledger, &args.filter(now, zone)?, now)
}

/// Reasons that the table names; JSON has every item.
const MOST_REASONS: usize = 10;

/// Characters of a group's title that the table shows.
const LONGEST_TITLE: usize = 60;

/// A plan made from older data shows a warning.
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
        text.push_str(&format!("LlamaCloud billed {each:.1} credits each for their last {retries}\n"));
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
    for chunk in &draft.chunks {
        let line = (items(chunk.item_ids.len()), post(draft, chunk));
        match alike.iter_mut().find(|(known, _)| *known == line) {
            Some((_, times)) => *times += 1,
            None => alike.push((line, 1)),
        }
    }
    let size = |size: String, times| if times == 1 { size } else { format!("{times} POSTs of {size} each") };
    alike.into_iter().map(|((items, what), times)| format!("  {:>10}  {what}\n", size(items, times))).collect()
}

fn post(draft: &Draft, chunk: &Chunk) -> String {
    let cache = if chunk.second_try && chunk.job_type == "parse" { ", cache cleared" } else { "" };
    let group = draft.groups.iter().find(|group| group.group_id == chunk.group_id);
    let classes: BTreeSet<&str> = chunk.classes.iter().map(|class| class.name()).collect();
    let class = classes.into_iter().collect::<Vec<_>>().join(", ");
    let title = one_line(group.map_or("", |group| group.title.as_str()));
    let title = cut_middle(&title, LONGEST_TITLE);
    format!("{}  {class:<15}  {} of {}{cache}  {title}", chunk.group_id, chunk.job_type, chunk.project)
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

/// The age of the plan's data, with a warning if it is old.
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
