//! The command line of `group …`: what people say of groups. Works beside a running service.

pub(crate) mod ack;
pub(crate) mod act;
pub(crate) mod class;
pub(crate) mod dismiss;
pub(crate) mod note;
pub(crate) mod silence;

use clap::{Args, Subcommand};

use crate::commands::group::act::Person;
use crate::exit::Exit;
use crate::ledger::Ledger;
use crate::say;
use crate::triage::silence::Matcher;

/// `group`
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// Acknowledge: no reminders until it is resolved, doubles, or meets --until
    #[command(visible_alias = "archive")]
    Ack {
        /// Group id; may be shortened
        #[arg(value_name = "GROUP")]
        id: String,
        /// Duration, such as "4h" [default: until the group is resolved]
        #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
        length: Option<std::time::Duration>,
        /// Condition that ends it, instead of doubling: "100x" (100 more items), "100x/1h" (within an hour), "escalating",
        /// or "resolved" (nothing else); "7d" is the same as --for
        #[arg(long, value_name = "CONDITION", value_parser = terms, conflicts_with = "length")]
        until: Option<ack::AckTerms>,
    },
    /// Withdraw an acknowledgement
    Unack {
        /// Group id; may be shortened
        #[arg(value_name = "GROUP")]
        id: String,
    },
    /// Mute notifications for a time; recording, retries and reports continue
    Silence(SilenceArgs),
    /// End a silence early
    Unsilence {
        /// Number of the silence, or id of the silenced group
        #[arg(value_name = "SILENCE")]
        id: String,
    },
    /// List active silences
    Silences,
    /// Attach a note, shown in digests and reports
    Note {
        /// Group id; may be shortened
        #[arg(value_name = "GROUP")]
        id: String,
        /// Text of the note
        text: String,
    },
    /// Close its open items as not worth action; a newer failure reopens them
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
    /// Set its class by hand; prints the rule that keeps it
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
    /// Change its title
    Rename {
        /// Group id; may be shortened
        #[arg(value_name = "GROUP")]
        id: String,
        /// New title
        title: String,
    },
}

/// A group and a reason.
#[derive(Debug, Args)]
pub struct Reasoned {
    /// Group id; may be shortened
    #[arg(value_name = "GROUP")]
    id: String,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// `group silence`
#[derive(Debug, Args)]
pub struct SilenceArgs {
    /// Group id; without it, use the matchers below
    #[arg(value_name = "GROUP")]
    id: Option<String>,
    /// Duration, at most 30 days [default: 1h]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    length: Option<std::time::Duration>,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: String,
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
}

/// Does what a user says of a group and prints one line.
pub(crate) async fn run(command: GroupCommand, ledger: &Ledger, by: Person) -> anyhow::Result<Exit> {
    let said = match command {
        GroupCommand::Ack { id, length, until } => {
            let terms = until.unwrap_or(ack::AckTerms { length, until: None });
            ack::ack(ledger, &id, terms, by).await?
        }
        GroupCommand::Unack { id } => ack::unack(ledger, &id, by).await?,
        GroupCommand::Silence(args) => begin_silence(args, ledger, by).await?,
        GroupCommand::Unsilence { id } => end_silence(&id, ledger, by).await?,
        GroupCommand::Silences => list_silences(ledger, &by).await?,
        GroupCommand::Note { id, text } => note::add_note(ledger, &id, &text, by).await?,
        GroupCommand::Dismiss(args) => dismiss::dismiss(ledger, &args.id, &args.reason, by).await?,
        GroupCommand::Undismiss(args) => dismiss::undismiss(ledger, &args.id, &args.reason, by).await?,
        GroupCommand::Merge { id, into } => ack::merge(ledger, &id, &into, by).await?,
        GroupCommand::Class { id, class, reason } => class::set_class(ledger, &id, &class, &reason, by).await?,
        GroupCommand::Rename { id, title } => ack::rename(ledger, &id, &title, by).await?,
    };
    say!("{said}");
    Ok(Exit::Done)
}

async fn begin_silence(args: SilenceArgs, ledger: &Ledger, by: Person) -> anyhow::Result<String> {
    let matcher = Matcher {
        group: args.id,
        message: args.message,
        job_type: args.job_type,
        project: args.project,
        directory: args.directory,
        batch: args.batch,
        item_name: args.item_name,
        skip_reason: args.skip_reason,
    };
    Ok(silence::silence(ledger, matcher, args.length, &args.reason, by).await?)
}

/// Ends the silence with this number, or every silence on this group.
async fn end_silence(id: &str, ledger: &Ledger, by: Person) -> anyhow::Result<String> {
    if let Ok(number) = id.parse() {
        return Ok(silence::unsilence(ledger, number, by).await?);
    }
    let in_force = silence::list(ledger, by.now).await?;
    let mut said = Vec::new();
    for found in in_force.iter().filter(|silence| silence.matcher.group.as_deref() == Some(id)) {
        said.push(silence::unsilence(ledger, found.silence_id, by.clone()).await?);
    }
    if said.is_empty() {
        let text = format!("active silence on {id}; `llama-triage group silences` lists them");
        return Err(crate::commands::group::act::ActError::NotFound(text).into());
    }
    Ok(said.join("\n"))
}

async fn list_silences(ledger: &Ledger, by: &Person) -> anyhow::Result<String> {
    let in_force = silence::list(ledger, by.now).await?;
    if in_force.is_empty() {
        return Ok("No active silences.".to_owned());
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
    Ok(crate::model::text::lines(&lines.collect::<Vec<_>>().join("\n")).into_owned())
}

/// How long a silence lasts, in the words of the configuration: days count, as in "2d 12h".
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let parsed = crate::config::duration::parse(text)?;
    if parsed.is_zero() { Err("it must be longer than 0".to_owned()) } else { Ok(parsed) }
}

/// What an ack waits for: a time, or growth.
fn terms(text: &str) -> Result<ack::AckTerms, String> {
    match duration(text) {
        Ok(length) => Ok(ack::AckTerms { length: Some(length), until: None }),
        Err(_) => Ok(ack::AckTerms { length: None, until: Some(text.parse()?) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_waits_for_a_time_or_for_growth() {
        let week = std::time::Duration::from_secs(7 * 86_400);
        assert_eq!(terms("7d"), Ok(ack::AckTerms { length: Some(week), until: None }));
        assert_eq!(terms("100x").unwrap().until, Some(crate::triage::ack::Until::Items(100)));
        assert!(terms("0s").is_err());
        assert!(terms("whenever").unwrap_err().contains("100x/1h"));
    }

    #[test]
    fn a_silence_may_last_days_but_not_nothing() {
        let hours = |n: u64| Ok(std::time::Duration::from_secs(n * 3600));
        assert_eq!((duration("4h"), duration("2d 12h"), duration("30d")), (hours(4), hours(60), hours(720)));
        assert!(duration("0s").is_err());
        assert!(duration("tomorrow").unwrap_err().contains("tomorrow"));
    }
}
