//! `reprocess plan|apply`: which items are chosen, and the approval of a plan by a person.

use std::path::Path;

use jiff::Timestamp;

use crate::actions::act::{ActError, Done, Person};
use crate::ledger::Ledger;
use crate::ledger::audit::{self, Act};
use crate::model::links::linker::Linker;
use crate::report::filter::Filter;
use crate::report::store::{ReadTransaction, ReportView, items};
use crate::reprocess::intents::end::EndError;
use crate::reprocess::plans::draft::Draft;
use crate::reprocess::plans::execute::result_by_now;
use crate::reprocess::plans::waits::{is_ahead, is_over_by, too_many, waits_until};
use crate::reprocess::store::named::short;
use crate::reprocess::store::plan;

/// The states of items that a plan looks at. Dismissed ones are never submitted; they are there so that the plan can say so.
pub(crate) const PLANNED_STATES: [&str; 3] = ["open", "retrying", "dismissed"];

/// The ids of the items that a filter leaves.
///
/// # Errors
/// A group or batch does not exist, or the ledger cannot be read.
pub(crate) fn item_ids(ledger: &Path, filter: &Filter, now: Timestamp) -> Result<Vec<String>, ActError> {
    let (reading, linker) = (ReadTransaction::open(ledger)?, Linker::shipped());
    let rows = items(&ReportView::new(&reading, filter, now, &linker)?)?;
    Ok(rows.into_iter().map(|row| row.item_id).collect())
}

/// The plan, if it may still be approved.
///
/// # Errors
/// There is none, it was approved, is over or has expired, or has nothing to submit.
pub(crate) async fn approvable(ledger: &Ledger, plan_id: &str, by: &Person) -> anyhow::Result<Draft> {
    let (id, shown) = (plan_id.to_owned(), short(plan_id));
    let read = move |connection: &_| match plan::get(connection, &id)? {
        Some(stored) => Ok(Some((result_by_now(connection, &stored)?, stored))),
        None => Ok(None),
    };
    let (result, stored) = ledger
        .read(read)
        .await?
        .ok_or_else(|| ActError::NotFound(format!("plan {plan_id}; `llama-triage reprocess plan` creates one")))?;
    let draft = Draft::of(&stored)?;
    let result = result.map_or_else(String::new, |result| format!(": {result}"));
    let refused = match (stored.applied_at, stored.executed_at) {
        (Some(at), _) => Some(format!("plan {shown} was applied at {at:.0}{result}")),
        (None, Some(at)) => Some(format!("plan {shown} ended at {at:.0}{result}")),
        (None, None) if by.now > stored.expires_at => {
            Some(format!("plan {shown} has expired (older than 1 h); create a new one"))
        }
        (None, None) if is_ahead(stored.created_at, by.now) => Some(format!(
            "plan {shown} was created at {:.0}, which is in the future: the clock was ahead then; create a new one",
            stored.created_at
        )),
        (None, None) if draft.items == 0 => Some(format!("plan {shown} has nothing to submit")),
        (None, None) => None,
    };
    if let Some(text) = refused {
        return Err(ActError::Refused(text).into());
    }
    match waits_until(ledger, &draft, None, by.now).await? {
        Some(until) if is_over_by(by.now, until) => {
            let text = format!(
                "{}, and an approved plan lives for an hour: plan again then; `llama-triage reprocess resume all` ends the wait",
                too_many(until)
            );
            Err(ActError::Refused(text).into())
        }
        _ => Ok(draft),
    }
}

/// Approves a plan: a service that runs executes it within seconds, otherwise the next cycle does.
///
/// # Errors
/// It was approved at the same time, or the ledger refuses.
pub(crate) async fn approve(ledger: &Ledger, draft: &Draft, why: &str, by: &Person) -> anyhow::Result<Done> {
    let (plan_id, why, by) = (draft.plan_id.clone(), why.to_owned(), by.clone());
    let detail = serde_json::json!({ "items": draft.items, "posts": draft.chunks.len(), "set": draft.set_hash });
    let approved = ledger.write(move |tx| {
        if !plan::approve(tx, &plan_id, &by.name, &why, by.now)? {
            return Ok(None);
        }
        let act = Act {
            actor: &by.name,
            action: "reprocess apply",
            subject: &plan_id,
            reason: Some(&why),
            detail: Some(detail.to_string()),
        };
        audit::record(tx, &act, by.now).map(Some)
    });
    let shown = short(&draft.plan_id);
    match approved.await? {
        Some(audit_id) => Ok(Done { said: format!("Plan {shown} approved."), audit_id }),
        None => Err(ActError::Refused(format!("plan {shown} was applied concurrently")).into()),
    }
}

/// Why `what` was not ended; a refusal follows on `cannot`.
pub(crate) fn not_ended(error: EndError, what: &str, cannot: &str) -> ActError {
    match error {
        EndError::Unknown => ActError::NotFound(format!("{what}; `llama-triage reprocess status` shows them")),
        EndError::Refused(why) => ActError::Refused(format!("{cannot}{why}")),
        EndError::Ledger(error) => ActError::Ledger(error),
    }
}
