//! `grouping try`: groups messages as a scan would, without a ledger, and explains each decision if asked.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::commands::input::{InputFailure, MessageArgs, OutputFormat, read_failures};
use crate::exit::Exit;
use crate::grouping::grouper::{Grouper, Subject};
use crate::grouping::id::GroupHandle;
use crate::grouping::reading::mask_for_reading;
use crate::model::item::Kind;
use crate::model::text;

/// `grouping`
#[derive(Debug, Subcommand)]
pub enum GroupingCommand {
    /// Group messages as a scan would; --explain shows why
    Try(TryArgs),
}

/// `grouping try`
#[derive(Debug, Args)]
pub struct TryArgs {
    /// Messages and formats.
    #[command(flatten)]
    pub messages: MessageArgs,
    /// Explain each message: masked parts, counted words, the reason for its group, the nearest other group
    #[arg(long)]
    pub explain: bool,
}

/// Groups all messages, then prints the groups as they stand after the whole input.
pub(crate) fn run(command: GroupingCommand) -> anyhow::Result<Exit> {
    let GroupingCommand::Try(args) = command;
    let failures = read_failures(&args.messages)?;
    let mut grouper = Grouper::new();
    let handles: Vec<GroupHandle> = failures.iter().map(|failure| grouper.assign(&subject(failure))).collect();
    let mut out = BufWriter::new(std::io::stdout().lock());
    match args.messages.format {
        OutputFormat::Jsonl => print_lines(&mut out, &grouper, &handles, &failures, args.explain)?,
        OutputFormat::Table => {
            // Gives each group a title unlike the others.
            grouper.take_changes();
            print_groups(&mut out, &grouper, &handles, &failures)?;
            if args.explain {
                explain(&mut out, &grouper, &failures)?;
            }
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn subject(failure: &InputFailure) -> Subject<'_> {
    Subject {
        kind: if failure.skip_reason.is_some() { Kind::Skipped } else { Kind::Failed },
        job_type: failure.job_type.as_deref().unwrap_or("parse"),
        skip_reason: failure.skip_reason.as_deref(),
        message: failure.error_message.as_deref(),
        item_name: failure.item_name.as_deref(),
    }
}

fn print_lines(
    out: &mut impl Write,
    grouper: &Grouper,
    handles: &[GroupHandle],
    failures: &[InputFailure],
    explain: bool,
) -> anyhow::Result<()> {
    for (handle, failure) in handles.iter().zip(failures) {
        let mut line = json!({ "group_id": grouper.id(*handle).to_string(), "template": grouper.template(*handle) });
        if explain {
            line["explanation"] = serde_json::to_value(grouper.explain(&subject(failure)))?;
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// The groups, largest first, with their titles and one message of each.
fn print_groups(
    out: &mut impl Write,
    grouper: &Grouper,
    handles: &[GroupHandle],
    failures: &[InputFailure],
) -> anyhow::Result<()> {
    let mut groups: BTreeMap<String, (GroupHandle, usize, &InputFailure)> = BTreeMap::new();
    for (handle, failure) in handles.iter().zip(failures) {
        groups.entry(grouper.id(*handle).to_string()).or_insert((*handle, 0, failure)).1 += 1;
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, (_, count, _))| std::cmp::Reverse(*count));
    writeln!(out, "{} messages in {} groups", failures.len(), groups.len())?;
    for (id, (handle, count, example)) in groups {
        writeln!(out, "\n{count:>8}  {id}  {}", text::one_line(&grouper.title(handle)))?;
        if let Some(example) = &example.error_message {
            writeln!(out, "          for example: {}", text::cut_end(&text::one_line(example), 160))?;
        }
    }
    Ok(())
}

fn explain(out: &mut impl Write, grouper: &Grouper, failures: &[InputFailure]) -> anyhow::Result<()> {
    for (index, failure) in failures.iter().enumerate() {
        let explanation = grouper.explain(&subject(failure));
        writeln!(out, "\nmessage {}: {}", index + 1, text::one_line(&explanation.considered))?;
        let name = failure.item_name.as_deref();
        let reading = mask_for_reading(failure.error_message.as_deref().unwrap_or_default(), name);
        writeln!(out, "  reads   {}", text::one_line(&reading))?;
        for (kind, found) in &explanation.masks {
            writeln!(out, "  masked  {kind}: {}", text::one_line(found))?;
        }
        writeln!(out, "  tokens  {}", text::one_line(&explanation.tokens.join(" ")))?;
        writeln!(out, "  group   {}", explanation.group.as_deref().unwrap_or("none yet"))?;
        writeln!(out, "  why     {}", text::one_line(&explanation.why))?;
        if let Some((id, template, shared)) = &explanation.nearest {
            writeln!(out, "  nearest {id} shares {:.0} %: {}", shared * 100.0, text::one_line(template))?;
        }
    }
    Ok(())
}
