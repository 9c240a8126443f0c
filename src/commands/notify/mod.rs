//! The command line of `digest` and `notify`: what would be sent, and whether channels work.

pub(crate) mod channel;
pub(crate) mod explain;

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::commands::digest;
use crate::exit::Exit;
use crate::ledger::Ledger;
use crate::ledger::time::known_time;
use crate::model::text::count;
use crate::notify::Channel;
use crate::service::clock::Clock;
use crate::service::setup::Setup;
use crate::triage::settings::TriageRequest;
use crate::{complain, say};

/// `digest`
#[derive(Debug, Args)]
pub struct DigestArgs {
    /// Print the digest that is due, or what is pending; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Ignore the schedule, quiet hours and limits
    #[arg(long)]
    pub now: bool,
}

/// `notify`
#[derive(Debug, Subcommand)]
pub enum NotifyCommand {
    /// Print exactly what would be sent to a channel now
    Preview {
        /// Channel name
        channel: String,
    },
    /// Explain who would be sent news of a group or an incident, when, and why
    Explain {
        /// Group or incident id; may be shortened (an incident's after "n-")
        #[arg(value_name = "GROUP|INCIDENT")]
        id: String,
    },
    /// Send a test digest to a channel
    Test {
        /// Channel name; ALL for every channel
        channel: String,
    },
}

/// Decides and delivers, or prints what it would decide.
pub(crate) async fn run_digest(setup: &Setup, args: &DigestArgs) -> anyhow::Result<Exit> {
    let path = &setup.config.ledger.path;
    if args.dry_run {
        let ledger = Ledger::open_shared(path).await?;
        let now = known_time::beside(&ledger, Timestamp::now()).await?;
        let request = request(&ledger, setup, args.now, now).await?;
        let rehearsal = digest::preview(&ledger, &setup.triage, request).await?;
        if rehearsal.due.is_none() {
            say!("{}", digest::not_due_message(&rehearsal, &setup.triage));
        }
        if let Some(decision) = rehearsal.due.or(rehearsal.waiting.filter(digest::Decision::has_changes)) {
            say!("{}", decision.render());
        }
        return Ok(Exit::Done);
    }
    let ledger = Ledger::open(path).await?;
    let mut clock = Clock::load(&ledger).await?;
    let now = clock.now(&ledger, setup).await?;
    crate::service::identity::settle(&ledger, now).await?;
    let certain = clock.is_certain(now);
    let request = TriageRequest { certain, ..request(&ledger, setup, args.now, now).await? };
    let (decided, deliveries) = digest::run(&ledger, &setup.triage, &setup.channels, request.clone()).await?;
    match decided {
        Some(decision) => say!("{}: {}", decision.whole.digest_id, decision.headlines()),
        None => {
            if deliveries.sent > 0 {
                say!("Sent {}.", count(deliveries.sent.into(), "pending delivery", "pending deliveries"));
            }
            let rehearsal = digest::preview(&ledger, &setup.triage, request).await?;
            say!("{}", digest::not_due_message(&rehearsal, &setup.triage));
        }
    }
    ledger.close().await?;
    for error in &deliveries.errors {
        complain!("{error}");
    }
    Ok(if deliveries.waiting + deliveries.dead == 0 { Exit::Done } else { Exit::Failed })
}

/// What a user asks for, with the same line about budgets that a cycle's digest has.
async fn request(ledger: &Ledger, setup: &Setup, by_hand: bool, now: Timestamp) -> anyhow::Result<TriageRequest> {
    let budget = setup.reprocessing(ledger, now).budget_line().await?;
    Ok(TriageRequest { by_hand, budget, ..TriageRequest::at(now) })
}

/// Previews or tests one channel.
pub(crate) async fn run_notify(setup: &Setup, command: NotifyCommand) -> anyhow::Result<Exit> {
    let now = Timestamp::now();
    match command {
        NotifyCommand::Preview { channel } => {
            let channel = find(setup, &channel)?;
            let ledger = Ledger::open_shared(&setup.config.ledger.path).await?;
            let request = request(&ledger, setup, true, now).await?;
            match channel::preview(&ledger, &setup.triage, &channel.name, request).await? {
                Some(digest) => {
                    let bytes = channel.preview(&digest, &channel::first_try(&digest, &channel.name, now))?;
                    std::io::Write::write_all(&mut std::io::stdout().lock(), &bytes)?;
                }
                None => say!("Nothing to send to channel {}.", channel.name),
            }
        }
        NotifyCommand::Explain { id } => {
            let ledger = Ledger::open_shared(&setup.config.ledger.path).await?;
            let now = known_time::beside(&ledger, now).await?;
            let request = TriageRequest::at(now);
            let lines = explain::explain(&ledger, &setup.triage, request, &id).await?;
            lines.iter().for_each(|line| say!("{}", crate::model::text::one_line(line)));
        }
        NotifyCommand::Test { channel } => {
            let is_named = setup.channels.iter().any(|one| one.name == channel);
            if channel == ALL && !is_named {
                return test_all(setup, now).await;
            }
            let channel = find(setup, &channel)?;
            return test(setup, channel, now).await.with_context(|| format!("channel `{}`", channel.name));
        }
    }
    Ok(Exit::Done)
}

/// What stands for every channel, unless one is called so.
const ALL: &str = "ALL";

/// Tests one channel after the other; each result is one line.
async fn test_all(setup: &Setup, now: Timestamp) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    if setup.channels.is_empty() {
        say!("No channel is configured.");
    }
    for channel in &setup.channels {
        match test(setup, channel, now).await {
            Ok(Exit::Done) => {}
            Ok(_) => exit = Exit::Failed,
            Err(error) => {
                complain!("{}: {error:#}", channel.name);
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}

async fn test(setup: &Setup, channel: &Channel, now: Timestamp) -> anyhow::Result<Exit> {
    let config = &setup.config;
    let receipt = channel::test(channel, &config.digest.instance, &config.schedule.timezone, now).await?;
    say!("{}: {}", channel.name, receipt.answer);
    for refused in &receipt.refused {
        complain!("{}: refused: {refused}", channel.name);
    }
    Ok(if receipt.refused.is_empty() { Exit::Done } else { Exit::Failed })
}

fn find<'s>(setup: &'s Setup, name: &str) -> anyhow::Result<&'s Channel> {
    let found = setup.channels.iter().find(|channel| channel.name == name);
    found.map(AsRef::as_ref).ok_or_else(|| {
        let names: Vec<&str> = setup.channels.iter().map(|channel| channel.name.as_str()).collect();
        crate::actions::act::ActError::NotFound(format!("channel `{name}`; configured: {}", names.join(", "))).into()
    })
}
