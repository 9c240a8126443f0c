//! The life of an approved plan: when it is executed, when its hour is over, what is said of it.

use std::collections::BTreeSet;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::account::{Account, Reasons};
use super::execute::Progress;
use super::facts::PLAN_LIFE;
use super::{Draft, Reprocess, Summary};
use crate::ledger::audit::{self, Act};
use crate::ledger::plan::{self, StoredPlan};
use crate::ledger::{Ledger, LedgerError, Transaction, fault, gate, intent};

/// Worker faults of plans whose hour was over before all of them was submitted: whoever approved one may not look again.
const FAULT: &str = "plan:";

/// Such a fault stands for this long after the plan was approved.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(24);

impl Reprocess<'_> {
    /// Executes the plans that people approved and that are not over. Needs the ledger's lock: nobody else executes them then.
    ///
    /// # Errors
    /// The ledger refuses; a plan that was begun goes on with the next call.
    pub(super) async fn execute_approved(
        &self,
        now: Timestamp,
        stop: &CancellationToken,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        if !self.ledger.read(|connection| fault::standing(connection, FAULT)).await?.is_empty() {
            self.ledger.write(move |tx| forget(tx, now)).await?;
        }
        for plan in self.ledger.read(plan::unfinished).await? {
            if stop.is_cancelled() {
                break;
            }
            if is_too_old(&plan, now) || draft_of(&plan).is_err() {
                self.ledger.write(move |tx| end_too_old(tx, &plan, now)).await?;
                continue;
            }
            let draft = draft_of(&plan)?;
            let id = plan.plan_id.clone();
            if self.waits_until(&draft, now).await?.is_some()
                || !self.ledger.write(move |tx| plan::take(tx, &id, now)).await?
            {
                continue;
            }
            if let Progress::Over(reasons) = self.execute(&plan, now, stop, summary).await? {
                self.ledger.write(move |tx| finish(tx, &plan.plan_id, &draft, &reasons)).await?;
            }
        }
        Ok(())
    }

    /// The projects of the plans that are to be executed now.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(super) async fn projects_of_plans(&self, now: Timestamp) -> anyhow::Result<BTreeSet<String>> {
        let mut projects = BTreeSet::new();
        for plan in self.ledger.read(plan::unfinished).await?.iter().filter(|plan| !is_too_old(plan, now)) {
            let Ok(draft) = draft_of(plan) else { continue };
            if self.waits_until(&draft, now).await?.is_none() {
                projects.extend(draft.chunks.into_iter().map(|chunk| chunk.project));
            }
        }
        Ok(projects)
    }

    pub(super) async fn waits_until(&self, draft: &Draft, now: Timestamp) -> Result<Option<Timestamp>, LedgerError> {
        waits_until(self.ledger, draft, now).await
    }
}

/// Until when the API asked to wait with a project that a plan is about; none if it did not.
///
/// # Errors
/// The ledger refuses.
pub async fn waits_until(ledger: &Ledger, draft: &Draft, now: Timestamp) -> Result<Option<Timestamp>, LedgerError> {
    let projects: BTreeSet<String> = draft.chunks.iter().map(|chunk| chunk.project.clone()).collect();
    let waits = move |connection: &_| {
        let mut until = None;
        for project in &projects {
            until = until.max(gate::get(connection, project)?.wait_until);
        }
        Ok(until)
    };
    Ok(ledger.read(waits).await?.filter(|until| now < *until))
}

/// Whether a plan that is approved now can no longer be executed at this time.
pub fn is_over_by(approved_at: Timestamp, at: Timestamp) -> bool {
    at - approved_at > PLAN_LIFE
}

/// Ends a plan, approved or not, and says what came of it; what is being posted right now is not stopped by that.
/// Returns what is so now; none if there is no such plan.
///
/// # Errors
/// The ledger refuses.
pub async fn cancel_plan(
    ledger: &Ledger,
    plan_id: &str,
    actor: &str,
    now: Timestamp,
) -> anyhow::Result<Option<Result<String, String>>> {
    let (id, actor) = (plan_id.to_owned(), actor.to_owned());
    let cancelled = ledger.write(move |tx| {
        let Some(stored) = plan::get(tx, &id)? else { return Ok(None) };
        if let Some(result) = &stored.result {
            let at = stored.executed_at.unwrap_or(stored.created_at);
            return Ok(Some(Err(format!("plan {id} is over since {at:.0}: {result}"))));
        }
        let by = format!("cancelled by {actor}");
        let said = match (stored.applied_at, stored.executed_at, draft_of(&stored)) {
            (_, Some(_), Ok(draft)) => {
                let account = account(tx, &id, &draft, &all(&draft, &by))?;
                plan::cancel(tx, &id, &format!("{by}: {account}"), now)?;
                format!("The rest of plan {id} is cancelled: {account}.")
            }
            (applied_at, ..) => {
                plan::cancel(tx, &id, &by, now)?;
                let nobody = if applied_at.is_none() { "nobody had approved it, so " } else { "" };
                format!("Plan {id} is cancelled; {nobody}nothing was sent.")
            }
        };
        let act = Act { actor: &actor, action: "reprocess cancel", subject: &id, ..Act::default() };
        audit::record(tx, &act, now)?;
        Ok(Some(Ok(said)))
    });
    Ok(cancelled.await?)
}

/// The frozen plan.
///
/// # Errors
/// It cannot be read.
pub(super) fn draft_of(plan: &StoredPlan) -> anyhow::Result<Draft> {
    serde_json::from_str(&plan.model).with_context(|| format!("the stored plan {}", plan.plan_id))
}

/// What a person found right an hour ago may be wrong by now.
fn is_too_old(plan: &StoredPlan, now: Timestamp) -> bool {
    plan.applied_at.is_some_and(|at| is_over_by(at, now))
}

/// The same reason for every item of a plan.
fn all(draft: &Draft, why: &str) -> Reasons {
    draft.item_ids().map(|id| (id.to_owned(), why.to_owned())).collect()
}

fn account(tx: &Transaction<'_>, plan_id: &str, draft: &Draft, reasons: &Reasons) -> Result<Account, LedgerError> {
    Ok(Account::of(draft.item_ids(), &intent::of_plan(tx, plan_id)?, reasons))
}

fn finish(tx: &Transaction<'_>, plan_id: &str, draft: &Draft, reasons: &Reasons) -> Result<(), LedgerError> {
    plan::finish(tx, plan_id, &account(tx, plan_id, draft, reasons)?.to_string())
}

/// Ends a plan that could not be executed to its end in its hour, or be read, and tells people if something of it is left.
fn end_too_old(tx: &Transaction<'_>, plan: &StoredPlan, now: Timestamp) -> Result<(), LedgerError> {
    let id = &plan.plan_id;
    let Ok(draft) = draft_of(plan) else { return plan::finish(tx, id, "it cannot be read") };
    let account =
        account(tx, id, &draft, &all(&draft, "it was approved more than an hour before it could be submitted"))?;
    plan::finish(tx, id, &account.to_string())?;
    let is_recent = plan.applied_at.is_some_and(|at| now - at < TOLD_FOR);
    if account.left_out() == 0 || !is_recent {
        return Ok(());
    }
    let by = plan.applied_by.as_deref().unwrap_or(&plan.actor);
    let text = format!("plan {id}, which {by} approved: {account}; make a new plan if it is still wanted");
    fault::raise(tx, &format!("{FAULT}{id}"), &text, now)
}

/// Takes back what was said of plans of yesterday.
fn forget(tx: &Transaction<'_>, now: Timestamp) -> Result<(), LedgerError> {
    for key in fault::standing(tx, FAULT)? {
        let applied_at = plan::get(tx, &key[FAULT.len()..])?.and_then(|plan| plan.applied_at);
        if applied_at.is_none_or(|at| now - at >= TOLD_FOR) {
            fault::clear(tx, &key, now)?;
        }
    }
    Ok(())
}
