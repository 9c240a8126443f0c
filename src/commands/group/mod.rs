//! The command line of `group …`: what people say of groups. Works beside a running service.

pub(crate) mod ack;
pub(crate) mod act;
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
    /// You know of it: no reminders until it ends, doubles, or a condition is met
    #[command(visible_alias = "archive")]
    Ack {
        /// The group
        #[arg(value_name = "GROUP")]
        id: String,
        /// For how long, such as "4h" [default: until the episode ends]
        #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
        length: Option<std::time::Duration>,
        /// Until what instead of the double: "100x" more items, "100x/1h" within that time, "escalating", or "resolved"
        /// for nothing but its end; "7d" is --for
        #[arg(long, value_name = "CONDITION", value_parser = terms, conflicts_with = "length")]
        until: Option<ack::AckTerms>,
    },
    /// Take an acknowledgement back
    Unack {
        /// The group
        #[arg(value_name = "GROUP")]
        id: String,
    },
    /// Hold messages back for a while; recording, retries and reports go on
    Silence(SilenceArgs),
    /// End a silence early
    Unsilence {
        /// The silence's number, or the group it is on
        #[arg(value_name = "SILENCE")]
        id: String,
    },
    /// List the silences in force
    Silences,
    /// Leave a note that digests and reports show
    Note {
        /// The group
        #[arg(value_name = "GROUP")]
        id: String,
        /// What to remember
        text: String,
    },
    /// Its open items do not matter; a newer failure brings them back
    Dismiss(Reasoned),
    /// They do matter after all
    Undismiss(Reasoned),
    /// Two groups are one: the first becomes part of the second for good
    Merge {
        /// The group that ends
        #[arg(value_name = "GROUP")]
        id: String,
        /// The group it becomes part of
        #[arg(value_name = "INTO")]
        into: String,
    },
    /// Give it a better title
    Rename {
        /// The group
        #[arg(value_name = "GROUP")]
        id: String,
        /// The title
        title: String,
    },
}

/// A group and a reason.
#[derive(Debug, Args)]
pub struct Reasoned {
    /// The group
    #[arg(value_name = "GROUP")]
    id: String,
    /// Why; whoever reads the audit wants to know
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// `group silence`
#[derive(Debug, Args)]
pub struct SilenceArgs {
    /// The group; or leave it out and say what to silence with the flags below
    #[arg(value_name = "GROUP")]
    id: Option<String>,
    /// For how long, at most 30 days [default: 1h]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    length: Option<std::time::Duration>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Messages that match
    #[arg(long = "match", value_name = "REGEX")]
    message: Option<String>,
    /// Batches of this job type
    #[arg(long, value_name = "TYPE")]
    job_type: Option<String>,
    /// Batches of this project
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Batches of this directory
    #[arg(long, value_name = "ID")]
    directory: Option<String>,
    /// This batch
    #[arg(long, value_name = "ID")]
    batch: Option<String>,
    /// Items whose name matches, with * and ?
    #[arg(long, value_name = "GLOB")]
    item_name: Option<String>,
    /// Items skipped for this reason
    #[arg(long, value_name = "REASON")]
    skip_reason: Option<String>,
}

/// Does what a person says of a group and prints one line.
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
        let text = format!("silence on {id} in force; `llama-triage group silences` shows them");
        return Err(crate::commands::group::act::ActError::NotFound(text).into());
    }
    Ok(said.join("\n"))
}

async fn list_silences(ledger: &Ledger, by: &Person) -> anyhow::Result<String> {
    let in_force = silence::list(ledger, by.now).await?;
    if in_force.is_empty() {
        return Ok("No silences in force.".to_owned());
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
    if parsed.is_zero() { Err("it must be longer than nothing".to_owned()) } else { Ok(parsed) }
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
