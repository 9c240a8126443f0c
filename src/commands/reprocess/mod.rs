//! The command line of `reprocess …` and `breaker …`: plan, apply, status, cancel. Works beside a running service.

pub(crate) mod apply;
pub(crate) mod plan;
pub(crate) mod show;

use std::collections::HashSet;

use clap::{Args, Subcommand, ValueEnum};

use crate::actions::act::{ActError, Person};
use crate::actions::intent::{abandon_intent, cancel_intent};
use crate::actions::plan::not_ended;
use crate::actions::resume;
use crate::exit::Exit;
use crate::ledger::Ledger;
use crate::model::text::lines;
use crate::reprocess::intents::end::EndError;
use crate::reprocess::plans::draft::Request;
use crate::reprocess::plans::execute::cancel_plan;
use crate::reprocess::store::named;
use crate::reprocess::store::{intent, items};
use crate::say;
use crate::scan::apis::restore_apis;
use crate::service::setup::Setup;

/// `reprocess`
#[derive(Debug, Subcommand)]
pub enum ReprocessCommand {
    /// Select items to retry and store the plan; submits nothing
    Plan(Box<PlanArgs>),
    /// Approve a plan: check its items again and submit them (costs credits)
    Apply(ApplyArgs),
    /// Show running retries, waiting plans and active holds
    Status {
        /// Output format
        #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
        format: Format,
    },
    /// Abandon a retry whose outcome cannot be determined, such as one of a removed project; reopens its items
    GiveUp {
        /// Intent id; may be shortened
        #[arg(value_name = "INTENT")]
        id: String,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Resume retries of a group whose probes all failed, or of a project that is stopped or waiting
    Resume {
        /// A group, a project, or `all` projects
        #[arg(value_name = "GROUP|PROJECT")]
        scope: String,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Cancel a plan, or an intent that was not sent yet
    Cancel {
        /// Intent or plan id; may be shortened
        #[arg(value_name = "INTENT|PLAN")]
        id: String,
    },
}

/// `breaker`
#[derive(Debug, Subcommand)]
pub enum BreakerCommand {
    /// Resume held retries; the same as `reprocess resume`
    Reset {
        /// Group id, or `global`
        #[arg(value_name = "GROUP")]
        scope: String,
        /// Reason, recorded in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// `reprocess plan`
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    choose: plan::ChooseArgs,
    /// Maximum number of items
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Include items that reached their attempt limit
    #[arg(long)]
    force_attempts: bool,
    /// Include all items of permanent-input groups, where a retry is not expected to help, instead of one
    /// of each group; --group and --item imply it
    #[arg(long)]
    permanent: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    format: Format,
}

/// `reprocess apply`
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Plan id; may be shortened
    #[arg(value_name = "PLAN")]
    pub(crate) plan_id: String,
    /// Reason, recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// Submit without confirmation
    #[arg(long)]
    pub(crate) yes: bool,
}

/// How an answer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One JSON document.
    Json,
}

/// Does what a user asks of retries.
pub(crate) async fn run(command: ReprocessCommand, setup: Setup, by: Person) -> anyhow::Result<Exit> {
    let ledger = Ledger::open_shared(&setup.config.ledger.path).await?;
    restore_apis(&ledger, &setup.projects).await?;
    match command {
        ReprocessCommand::Plan(args) => draft(*args, &ledger, &setup, by).await,
        ReprocessCommand::Apply(args) => apply::run(args, ledger, setup, by).await,
        ReprocessCommand::Status { format } => show::status(&ledger, &setup.config.reprocess, by.now, format).await,
        ReprocessCommand::Resume { scope, reason } => {
            say!("{}", resume::resume_scope(&ledger, &scope, &reason, by).await?.said);
            Ok(Exit::Done)
        }
        ReprocessCommand::GiveUp { id, reason } => end(&id, &reason, &ledger, &setup, by).await,
        ReprocessCommand::Cancel { id } => take_back(&id, &ledger, by).await,
    }
}

/// Resumes retries under the old command name, `breaker reset`.
pub(crate) async fn run_breaker(command: BreakerCommand, ledger: &Ledger, by: Person) -> anyhow::Result<Exit> {
    let BreakerCommand::Reset { scope, reason } = command;
    say!("{}", resume::resume_scope(ledger, &scope, &reason, by).await?.said);
    Ok(Exit::Done)
}

async fn draft(args: PlanArgs, ledger: &Ledger, setup: &Setup, by: Person) -> anyhow::Result<Exit> {
    let permanent = args.permanent || args.choose.names_them();
    let items = plan::chosen(args.choose, &setup.config.ledger.path, &setup.zone, by.now)?;
    let which = items::Which::These(items.clone());
    let known = ledger.read(move |connection| items::items(connection, &which)).await?;
    let known: HashSet<&str> = known.iter().map(|row| row.item_id.as_str()).collect();
    if let Some(unknown) = items.iter().find(|id| !known.contains(id.as_str())) {
        return Err(ActError::NotFound(format!("item {unknown}; `llama-triage report items` lists them")).into());
    }
    let request = Request { items, limit: args.limit, force_attempts: args.force_attempts, permanent };
    let draft = setup.reprocessing(ledger, by.now).draft(request, &by.name).await?;
    plan::show(&draft, args.format)?;
    Ok(Exit::Done)
}

/// The plan or intent that is meant by a part of its id; what was typed if there is none.
pub(crate) async fn meant(ledger: &Ledger, typed: &str, kinds: &[Kind]) -> anyhow::Result<String> {
    let (id, kinds) = (typed.to_owned(), kinds.to_vec());
    let find = move |connection: &crate::ledger::Connection| {
        let mut found = Vec::new();
        for kind in kinds {
            found.extend(match kind {
                Kind::Plan => named::plans(connection, &id)?,
                Kind::Intent => named::intents(connection, &id)?,
            });
        }
        Ok(found)
    };
    let found = ledger.read(find).await?;
    match found.as_slice() {
        [] => Ok(typed.to_owned()),
        [one] => Ok(one.clone()),
        [first, second, ..] => {
            let text =
                format!("{typed} is short for {} ids, such as {first} and {second}; give more of it", found.len());
            Err(ActError::Several(text).into())
        }
    }
}

/// What an id may be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Plan,
    Intent,
}

async fn take_back(id: &str, ledger: &Ledger, by: Person) -> anyhow::Result<Exit> {
    let id = meant(ledger, id, &[Kind::Plan, Kind::Intent]).await?;
    let id = id.as_str();
    match cancel_plan(ledger, id, &by.name, by.now).await {
        Ok((said, _)) => say!("{}", lines(&said)),
        Err(EndError::Unknown) => {
            say!("{}", cancel_intent(ledger, id, &format!("plan or intent {id}"), &by).await?.said);
        }
        Err(error) => return Err(not_ended(error, id, "").into()),
    }
    Ok(Exit::Done)
}

async fn end(id: &str, why: &str, ledger: &Ledger, setup: &Setup, by: Person) -> anyhow::Result<Exit> {
    let id = meant(ledger, id, &[Kind::Intent]).await?;
    let projects = setup.config.project.iter().map(|project| project.name.clone()).collect();
    say!("{}", abandon_intent(ledger, projects, &id, why, &by).await?.said);
    Ok(Exit::Done)
}

/// Intents that are over and still shown.
const NEWEST: u32 = 20;

/// The intents that `status` shows: those that are not over, then the newest others; and whether there are more.
async fn intents(ledger: &Ledger) -> anyhow::Result<(Vec<intent::Intent>, bool)> {
    let found = ledger.read(|connection| {
        let mut all = intent::unsettled(connection)?;
        let mut newest = intent::newest(connection, NEWEST + 1)?;
        let more = newest.len() > NEWEST as usize;
        newest.truncate(NEWEST as usize);
        all.reverse();
        let known: Vec<String> = all.iter().map(|intent| intent.intent_id.clone()).collect();
        all.extend(newest.into_iter().filter(|intent| !known.contains(&intent.intent_id)));
        Ok((all, more))
    });
    Ok(found.await?)
}
