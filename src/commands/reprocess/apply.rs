//! `reprocess apply`: a user approves a plan; it is executed here, or by the service that holds the ledger.

use std::io::{BufRead, IsTerminal};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::actions::act::{ActError, Person, reason};
use crate::actions::plan::{approvable, approve};
use crate::commands::output;
use crate::commands::reprocess::{ApplyArgs, Kind, meant};
use crate::exit::Exit;
use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::model::text::lines;
use crate::reprocess::intents::end::EndError;
use crate::reprocess::plans::draft::Draft;
use crate::reprocess::plans::execute::cancel_plan;
use crate::reprocess::plans::waits::{begun, too_many, waits_until};
use crate::reprocess::store::named::short;
use crate::reprocess::store::plan;
use crate::service::setup::Setup;
use crate::service::shutdown::Stopping;
use crate::service::worker::Worker;
use crate::{complain, say};

pub(crate) async fn run(args: ApplyArgs, ledger: Ledger, setup: Setup, by: Person) -> anyhow::Result<Exit> {
    let why = reason(&args.reason)?;
    let plan_id = meant(&ledger, &args.plan_id, &[Kind::Plan]).await?;
    let draft = approvable(&ledger, &plan_id, &by).await?;
    if !args.yes && !confirmed(&draft)? {
        say!("Nothing was submitted.");
        return Ok(Exit::Done);
    }
    // The answer may have taken long: everything is checked again by the time it is now.
    let by = Person { now: Timestamp::now(), ..by };
    let draft = approvable(&ledger, &draft.plan_id, &by).await?;
    approve(&ledger, &draft, &why, &by).await?;
    let wait = waits_until(&ledger, &draft, None, by.now).await?;
    drop(ledger);
    let mut worker = match Worker::open(setup).await {
        Ok(worker) => worker,
        Err(error) => {
            let Some(LedgerError::Locked { holder, .. }) = error.downcast_ref() else { return Err(error) };
            let when = match wait {
                Some(until) => format!("after LlamaCloud's Retry-After ends at {until:.0}"),
                None => "within seconds".to_owned(),
            };
            say!(
                "Plan {} approved. {holder} holds the ledger: a running service executes the plan {when}, otherwise the next cycle does.",
                short(&draft.plan_id)
            );
            return Ok(Exit::Done);
        }
    };
    let stop = cancelled_by_signals()?;
    let now = worker.now().await?;
    let summary = worker.reprocess_by_hand(now, &stop).await?;
    let said = outcome(&worker.ledger, &draft, &by, stop.is_cancelled()).await?;
    say!("{}", lines(&said));
    let mut errors = summary.errors;
    errors.dedup();
    for error in &errors {
        complain!("{}", lines(error));
    }
    worker.ledger.close().await?;
    Ok(if errors.is_empty() { Exit::Done } else { Exit::Failed })
}

/// Is cancelled by Ctrl-C and SIGTERM: what is being posted gets its answer, and nothing is posted after it.
fn cancelled_by_signals() -> anyhow::Result<CancellationToken> {
    let (mut stopping, stop) = (Stopping::new()?, CancellationToken::new());
    let heeded = stop.clone();
    tokio::spawn(async move {
        stopping.shutdown_requested().await;
        heeded.cancel();
    });
    Ok(stop)
}

/// What came of an approved plan, or what it waits for. A person who stops this process stops the plan.
async fn outcome(ledger: &Ledger, draft: &Draft, by: &Person, stopped: bool) -> anyhow::Result<String> {
    let (id, shown, now) = (&draft.plan_id, short(&draft.plan_id), Timestamp::now());
    if stopped {
        match cancel_plan(ledger, id, &by.name, now).await {
            Ok((said, _)) => return Ok(said),
            Err(EndError::Unknown | EndError::Refused(_)) => {}
            Err(EndError::Ledger(error)) => return Err(error.into()),
        }
    }
    let plan_id = id.clone();
    let stored = ledger.read(move |connection| plan::get(connection, &plan_id)).await?;
    if let Some(result) = stored.as_ref().and_then(|plan| plan.result.as_deref()) {
        return Ok(format!("Plan {shown}: {result}."));
    }
    let when = match waits_until(ledger, draft, stored.as_ref().and_then(begun), now).await? {
        Some(until) => format!("{}: the first cycle after that continues", too_many(until)),
        None => "the next cycle continues".to_owned(),
    };
    Ok(format!("Plan {shown} is not finished: {when}; `llama-triage reprocess cancel {shown}` cancels the rest."))
}

/// Asks on a terminal, with numbers; never hangs without one.
fn confirmed(draft: &Draft) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let text = "no terminal for the confirmation: add --yes to submit without it";
        return Err(ActError::Refused(text.to_owned()).into());
    }
    let cost = match draft.credits {
        Some(credits) => format!("About {credits} credits"),
        None => "Cost unknown (set credits-per-item)".to_owned(),
    };
    let question = format!("Submit {}? {cost}. [y/N] ", crate::commands::reprocess::show::size(draft));
    output::ask(&question)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(["y", "yes"].iter().any(|yes| answer.trim().eq_ignore_ascii_case(yes)))
}
