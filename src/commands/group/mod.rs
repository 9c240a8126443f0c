//! The command line of `group …`: user actions on groups. Works beside a running service.

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;

use crate::actions::ack::AckTerms;
use crate::actions::act::{ActError, Person, expand_incidents};
use crate::actions::{ack, assign, class, dismiss, name, note, silence};
use crate::exit::Exit;
use crate::ledger::Ledger;
use crate::say;
use crate::triage::silence::Matcher;
use crate::triage::store::silence::Covered;

/// `group`
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// Acknowledge: no reminders until it is resolved, doubles, or meets --until
    #[command(visible_alias = "archive")]
    Ack {
        /// Ids of groups, or of incidents for their open groups; may be shortened
        #[arg(value_name = "GROUP", required = true)]
        ids: Vec<String>,
        /// Duration, such as "4h" [default: until the group is resolved]
        #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
        length: Option<std::time::Duration>,
        /// What ends it, instead of doubling ("2x"): "tomorrow" (09:00), "09:00" (the next), "2026-12-01" (09:00), "100x"
        /// (100 more items), "100x/1h" (within an hour), "escalating", or "resolved" (nothing else); "7d" is the same as --for
        #[arg(long, value_name = "CONDITION", conflicts_with = "length")]
        until: Option<String>,
    },
    /// Withdraw an acknowledgement
    Unack {
        /// Ids of groups, or of incidents for their open groups; may be shortened
        #[arg(value_name = "GROUP", required = true)]
        ids: Vec<String>,
    },
    /// Mute notifications for a time; recording, retries and reports continue
    Silence(SilenceArgs),
    /// End a silence early
    Unsilence {
        /// Numbers of silences, or ids of silenced groups
        #[arg(value_name = "SILENCE", required = true)]
        ids: Vec<String>,
    },
    /// List active silences
    Silences,
    /// Assign them to a person or team until they are resolved; shown in digests, reports and the console
    Assign {
        /// Ids of groups, or of incidents for their open groups; may be shortened
        #[arg(value_name = "GROUP", required = true)]
        ids: Vec<String>,
        /// Person or team
        #[arg(long, value_name = "NAME")]
        to: String,
        /// Address of the ticket
        #[arg(long, value_name = "URL")]
        ticket: Option<String>,
    },
    /// Withdraw an assignment
    Unassign {
        /// Ids of groups, or of incidents for their open groups; may be shortened
        #[arg(value_name = "GROUP", required = true)]
        ids: Vec<String>,
    },
    /// Attach a note, shown in digests and reports
    Note {
        /// Id of a group, or of an incident for its open groups; may be shortened
        #[arg(value_name = "GROUP")]
        id: String,
        /// Text of the note
        text: String,
    },
    /// Close a group's open items; a newer failure reopens them
    Dismiss(Reasoned),
    /// Undo dismiss: reopen the dismissed items
    Undismiss(Reasoned),
    /// Merge the first group into the second, permanently
    Merge {
        /// Group to merge; its id keeps working
        #[arg(value_name = "GROUP")]
        id: String,
        /// Group to merge into
        #[arg(value_name = "INTO")]
        into: String,
    },
    /// Set a group's class; prints the rule to add to the configuration
    Class {
        /// Group id; may be shortened
        #[arg(value_name = "GROUP")]
        id: String,
        /// The class, or "auto" to classify it automatically again
        #[arg(value_name = "CLASS")]
        class: String,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Change a group's title
    Rename {
        /// Group id; may be shortened
        #[arg(value_name = "GROUP")]
        id: String,
        /// New title
        title: String,
    },
}

/// Groups and a reason.
#[derive(Debug, Args)]
pub struct Reasoned {
    /// Group ids; may be shortened
    #[arg(value_name = "GROUP", required = true)]
    ids: Vec<String>,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// `group silence`
#[derive(Debug, Args)]
pub struct SilenceArgs {
    /// Ids of groups, or of incidents for their open groups; may be shortened; without them, use the matchers below
    #[arg(value_name = "GROUP")]
    ids: Vec<String>,
    /// Duration, at most 30 days [default: 1h]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    length: Option<std::time::Duration>,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    reason: Option<String>,
    /// Matches error messages and skip reasons
    #[arg(long = "match", value_name = "REGEX")]
    message: Option<String>,
    /// Matches batches of this job type
    #[arg(long, value_name = "TYPE")]
    job_type: Option<String>,
    /// Matches batches of this project
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Matches batches of this directory
    #[arg(long, value_name = "ID")]
    directory: Option<String>,
    /// Matches this batch
    #[arg(long, value_name = "ID")]
    batch: Option<String>,
    /// Matches item names, with * and ?
    #[arg(long, value_name = "GLOB")]
    item_name: Option<String>,
    /// Matches items with this skip reason
    #[arg(long, value_name = "REASON")]
    skip_reason: Option<String>,
    /// Show which groups the silence would cover, without creating it
    #[arg(long)]
    dry_run: bool,
}

/// Runs the actions and prints a line for each group. Times of day are in `zone`.
pub(crate) async fn run(command: GroupCommand, ledger: &Ledger, by: Person, zone: &TimeZone) -> anyhow::Result<Exit> {
    match command {
        GroupCommand::Ack { ids, length, until } => {
            let terms = match until {
                Some(until) => ack::terms(&until, by.now, zone).map_err(ActError::Refused)?,
                None => AckTerms { ends: length.and_then(|length| by.now.checked_add(length).ok()), until: None },
            };
            for id in &expand_incidents(ledger, &ids).await? {
                say!("{}", ack::ack(ledger, id, terms, by.clone()).await?.said);
            }
        }
        GroupCommand::Unack { ids } => {
            for id in &expand_incidents(ledger, &ids).await? {
                say!("{}", ack::unack(ledger, id, by.clone()).await?.said);
            }
        }
        GroupCommand::Assign { ids, to, ticket } => {
            for id in &expand_incidents(ledger, &ids).await? {
                say!("{}", assign::assign(ledger, id, &to, ticket.as_deref(), by.clone()).await?.said);
            }
        }
        GroupCommand::Unassign { ids } => {
            for id in &expand_incidents(ledger, &ids).await? {
                say!("{}", assign::unassign(ledger, id, by.clone()).await?.said);
            }
        }
        GroupCommand::Dismiss(args) => {
            for id in &args.ids {
                say!("{}", dismiss::dismiss(ledger, id, &args.reason, by.clone()).await?.said);
            }
        }
        GroupCommand::Undismiss(args) => {
            for id in &args.ids {
                say!("{}", dismiss::undismiss(ledger, id, &args.reason, by.clone()).await?.said);
            }
        }
        GroupCommand::Silence(args) => begin_silence(args, ledger, by).await?,
        GroupCommand::Unsilence { ids } => {
            for id in &ids {
                end_silence(id, ledger, by.clone()).await?;
            }
        }
        GroupCommand::Silences => list_silences(ledger, &by).await?,
        GroupCommand::Note { id, text } => {
            for id in &expand_incidents(ledger, &[id]).await? {
                say!("{}", note::add_note(ledger, id, &text, by.clone()).await?.said);
            }
        }
        GroupCommand::Merge { id, into } => say!("{}", name::merge(ledger, &id, &into, by).await?.said),
        GroupCommand::Class { id, class, reason } => {
            say!("{}", class::set_class(ledger, &id, &class, &reason, by).await?.said);
        }
        GroupCommand::Rename { id, title } => say!("{}", name::rename(ledger, &id, &title, by).await?.said),
    }
    Ok(Exit::Done)
}

async fn begin_silence(args: SilenceArgs, ledger: &Ledger, by: Person) -> anyhow::Result<()> {
    let rest = Matcher {
        group: None,
        message: args.message,
        job_type: args.job_type,
        project: args.project,
        directory: args.directory,
        batch: args.batch,
        item_name: args.item_name,
        skip_reason: args.skip_reason,
    };
    let reason = args.reason.as_deref().unwrap_or_default();
    for matcher in rest.of_each(expand_incidents(ledger, &args.ids).await?) {
        if args.dry_run {
            let covered = silence::covered(ledger, matcher).await?;
            say!("{}", crate::model::text::lines(&preview(&covered)));
        } else {
            say!("{}", silence::silence(ledger, matcher, args.length, reason, by.clone()).await?.said);
        }
    }
    Ok(())
}

/// What a silence would cover, a line for each group.
fn preview(covered: &[Covered]) -> String {
    if covered.is_empty() {
        return "The silence would cover no open item.".to_owned();
    }
    let lines = covered.iter().map(|group| {
        let left = if group.covered < group.open_items { "; its other items are still reported" } else { "" };
        format!("{}  {} of {} open items{left}  {}", group.group_id, group.covered, group.open_items, group.title)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Ends the silence with this number, or every silence on this group.
async fn end_silence(id: &str, ledger: &Ledger, by: Person) -> anyhow::Result<()> {
    if let Ok(number) = id.parse() {
        say!("{}", silence::unsilence(ledger, number, by).await?.said);
        return Ok(());
    }
    let in_force = silence::list(ledger, by.now).await?;
    let mut said = Vec::new();
    for found in in_force.iter().filter(|silence| silence.matcher.group.as_deref() == Some(id)) {
        said.push(silence::unsilence(ledger, found.silence_id, by.clone()).await?.said);
    }
    if said.is_empty() {
        let text = format!("active silence on {id}; `llama-triage group silences` lists them");
        return Err(ActError::NotFound(text).into());
    }
    say!("{}", said.join("\n"));
    Ok(())
}

async fn list_silences(ledger: &Ledger, by: &Person) -> anyhow::Result<()> {
    let in_force = silence::list(ledger, by.now).await?;
    if in_force.is_empty() {
        say!("No active silences.");
        return Ok(());
    }
    let lines = in_force.iter().map(|silence| {
        format!(
            "{:>4}  until {:.0}  {}  ({}: {})",
            silence.silence_id,
            silence.expires_at,
            silence.matcher.describe(),
            silence.author,
            silence.reason
        )
    });
    say!("{}", crate::model::text::lines(&lines.collect::<Vec<_>>().join("\n")));
    Ok(())
}

/// How long a silence lasts, in the words of the configuration: days count, as in "2d 12h".
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let parsed = crate::config::duration::parse(text)?;
    if parsed.is_zero() { Err("it must be longer than 0".to_owned()) } else { Ok(parsed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_may_last_days_but_not_nothing() {
        let hours = |n: u64| Ok(std::time::Duration::from_secs(n * 3600));
        assert_eq!((duration("4h"), duration("2d 12h"), duration("30d")), (hours(4), hours(60), hours(720)));
        assert!(duration("0s").is_err());
        assert!(duration("tomorrow").unwrap_err().contains("tomorrow"));
    }
}
