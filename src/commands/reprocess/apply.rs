//! `reprocess apply`: a person approves a plan; it is executed here, or by the service that holds the ledger.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::ApplyArgs;
use crate::commands::act::{ActError, Person, reason};
use crate::exit::Exit;
use crate::ledger::audit::{self, Act};
use crate::ledger::{Ledger, LedgerError, plan};
use crate::service::reprocess::{Draft, Reprocess};
use crate::service::worker::Setup;

pub(super) async fn run(args: ApplyArgs, ledger: Ledger, setup: &Setup, by: Person) -> anyhow::Result<Exit> {
    let why = reason(&args.reason)?;
    let draft = approvable(&ledger, &args.plan_id, &by).await?;
    if !args.yes && !confirmed(&draft)? {
        anstream::println!("Nothing was submitted.");
        return Ok(Exit::Done);
    }
    approve(&ledger, &draft, &why, &by).await?;
    drop(ledger);
    let ledger = match Ledger::open(&setup.config.ledger.path).await {
        Ok(ledger) => ledger,
        Err(LedgerError::Locked { holder, .. }) => {
            anstream::println!(
                "Plan {} is approved. {holder} works on this ledger: a service executes the plan within seconds, else the next cycle does.",
                draft.plan_id
            );
            return Ok(Exit::Done);
        }
        Err(error) => return Err(error.into()),
    };
    let summary = Reprocess::new(&ledger, setup).step_by_hand(by.now, &CancellationToken::new()).await?;
    let plan_id = draft.plan_id.clone();
    let done = ledger.read(move |connection| plan::get(connection, &plan_id)).await?;
    let result = done.and_then(|plan| plan.result).unwrap_or_else(|| summary.to_string());
    anstream::println!("Plan {}: {result}.", draft.plan_id);
    for error in &summary.errors {
        anstream::eprintln!("llama-triage: {error}");
    }
    Ok(if summary.errors.is_empty() { Exit::Done } else { Exit::Failed })
}

/// The plan, if it may still be approved.
async fn approvable(ledger: &Ledger, plan_id: &str, by: &Person) -> anyhow::Result<Draft> {
    let id = plan_id.to_owned();
    let found = ledger.read(move |connection| plan::get(connection, &id)).await?;
    let stored =
        found.ok_or_else(|| ActError::NotFound(format!("plan {plan_id}; `llama-triage reprocess plan` makes one")))?;
    let draft: Draft = serde_json::from_str(&stored.model).context("the stored plan")?;
    let result = stored.result.as_deref().map_or_else(String::new, |result| format!(": {result}"));
    let refused = match (stored.applied_at, stored.executed_at) {
        (Some(at), _) => Some(format!("plan {plan_id} was applied at {at:.0}{result}")),
        (None, Some(at)) => Some(format!("plan {plan_id} is over since {at:.0}{result}")),
        (None, None) if by.now > stored.expires_at => {
            Some(format!("plan {plan_id} is older than an hour; make a new one"))
        }
        (None, None) if draft.items == 0 => Some(format!("plan {plan_id} has nothing to submit")),
        (None, None) => None,
    };
    match refused {
        Some(text) => Err(ActError::Refused(text).into()),
        None => Ok(draft),
    }
}

/// Asks on a terminal, with numbers; never hangs without one.
fn confirmed(draft: &Draft) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let text = "there is no terminal to ask on: add --yes to submit without being asked";
        return Err(ActError::Refused(text.to_owned()).into());
    }
    let cost = match draft.credits {
        Some(credits) => format!("about {credits} credits"),
        None => "at a price that is not known here".to_owned(),
    };
    let question = format!("Submit {}, {cost}? [y/N] ", super::show::size(draft));
    anstream::eprint!("{question}");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

async fn approve(ledger: &Ledger, draft: &Draft, why: &str, by: &Person) -> anyhow::Result<()> {
    let (plan_id, why, by) = (draft.plan_id.clone(), why.to_owned(), by.clone());
    let detail = serde_json::json!({ "items": draft.items, "posts": draft.chunks.len(), "set": draft.set_hash });
    let approved = ledger.write(move |tx| {
        let approved = plan::approve(tx, &plan_id, &by.name, &why, by.now)?;
        if approved {
            let act = Act {
                actor: &by.name,
                action: "reprocess apply",
                subject: &plan_id,
                reason: Some(&why),
                detail: Some(detail.to_string()),
            };
            audit::record(tx, &act, by.now)?;
        }
        Ok(approved)
    });
    if approved.await? {
        Ok(())
    } else {
        Err(ActError::Refused(format!("somebody else has just applied plan {}", draft.plan_id)).into())
    }
}
