//! The life of an approved plan: when it is executed, when its hour is over, what is said of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::ledger::audit::{self, Act};
use crate::ledger::error::LedgerError;
use crate::ledger::{Connection, Ledger, Transaction, fault};
use crate::reprocess::intents::end::EndError;
use crate::reprocess::plans::draft::Draft;
use crate::reprocess::plans::execute::Progress;
use crate::reprocess::plans::plan_result::{Account, Reasons, by_now, cancelled_by};
use crate::reprocess::store::named::short;
use crate::reprocess::store::plan::{self, PlanEnd, StoredPlan};
use crate::reprocess::store::{account as stored_account, intent};
use crate::reprocess::{Reprocess, Summary};

/// Worker faults of plans whose hour was over before all of them was submitted: the person who approved one may not look again.
const FAULT: &str = "plan:";

/// Such a fault stands for this long after the plan was begun or ended.
const TOLD_FOR: SignedDuration = SignedDuration::from_hours(24);

/// A time that lies further ahead than this was written by a clock that was wrong; clocks are set by less all the time.
const CLOCK_STEPS: SignedDuration = SignedDuration::from_mins(5);

impl Reprocess<'_> {
    /// Executes the plans that people approved and that are not over. Needs the ledger's lock, so that no other process executes them.
    ///
    /// # Errors
    /// The ledger refuses; a plan that was begun continues with the next call.
    pub(crate) async fn execute_approved(
        &self,
        now: Timestamp,
        stop: &CancellationToken,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        if !self.ledger.read(|connection| fault::active_with_prefix(connection, FAULT)).await?.is_empty() {
            self.ledger.write(move |tx| forget(tx, now)).await?;
        }
        for plan in self.ledger.read(plan::unfinished).await? {
            if stop.is_cancelled() {
                break;
            }
            if let Some(why) = outlived(&plan, now) {
                self.ledger.write(move |tx| end_outlived(tx, &plan, &why, now)).await?;
                continue;
            }
            let draft = draft_of(&plan)?;
            let id = plan.plan_id.clone();
            if self.ready_projects(&plan, &draft, now).await?.is_empty()
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
    pub(crate) async fn projects_of_plans(&self, now: Timestamp) -> anyhow::Result<BTreeSet<String>> {
        let mut projects = BTreeSet::new();
        for plan in self.ledger.read(plan::unfinished).await?.iter().filter(|plan| outlived(plan, now).is_none()) {
            projects.extend(self.ready_projects(plan, &draft_of(plan)?, now).await?);
        }
        Ok(projects)
    }

    /// The projects of which something of this plan can go now; none while the plan waits.
    async fn ready_projects(
        &self,
        plan: &StoredPlan,
        draft: &Draft,
        now: Timestamp,
    ) -> Result<BTreeSet<String>, LedgerError> {
        if waits_until(self.ledger, draft, begun(plan), now).await?.is_some() {
            return Ok(BTreeSet::new());
        }
        let waits = waits(self.ledger, draft, now).await?;
        Ok(draft.projects().into_iter().filter(|project| !waits.contains_key(project)).collect())
    }
}

/// When a plan was approved, if its execution has begun.
pub(crate) fn begun(plan: &StoredPlan) -> Option<Timestamp> {
    plan.executed_at.and(plan.applied_at)
}

/// Why nothing is sent until then. Whether LlamaCloud named the time or only refused makes no difference to people.
pub(crate) fn too_many(until: Timestamp) -> String {
    format!("LlamaCloud answered 429 (too many requests), nothing is sent before {until:.0}")
}

/// The projects of a plan that wait after a 429, and until when.
///
/// # Errors
/// The ledger refuses.
pub(crate) async fn waits(
    ledger: &Ledger,
    draft: &Draft,
    now: Timestamp,
) -> Result<BTreeMap<String, Timestamp>, LedgerError> {
    let projects = draft.projects();
    let waits = move |connection: &_| {
        let mut waits = BTreeMap::new();
        for project in projects {
            let until = stored_account::get(connection, &project)?.wait_until.filter(|until| now < *until);
            waits.extend(until.map(|until| (project, until)));
        }
        Ok(waits)
    };
    ledger.read(waits).await
}

/// Until when a plan waits after a 429; none if something of it can go now, or nothing ever.
///
/// One that is not begun goes as soon as one of its projects takes requests; one that was `begun`, and approved then, once
/// all do that will within its hour: what was refused of the others would else be asked again with each cycle.
///
/// # Errors
/// The ledger refuses.
pub(crate) async fn waits_until(
    ledger: &Ledger,
    draft: &Draft,
    begun: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, LedgerError> {
    let waits = waits(ledger, draft, now).await?;
    Ok(match begun {
        Some(approved_at) => waits.into_values().filter(|until| !is_over_by(approved_at, *until)).max(),
        None if waits.len() == draft.projects().len() => waits.into_values().min(),
        None => None,
    })
}

/// What came of a plan that is over, as far as it is known by now.
///
/// # Errors
/// The ledger refuses.
pub(crate) fn result_by_now(connection: &Connection, plan: &StoredPlan) -> Result<Option<String>, LedgerError> {
    let Some(result) = &plan.result else { return Ok(None) };
    Ok(Some(by_now(result, plan.unclear_items, &intent::of_plan(connection, &plan.plan_id)?)))
}

/// Whether a plan that is approved now can no longer be executed at this time.
pub(crate) fn is_over_by(approved_at: Timestamp, at: Timestamp) -> bool {
    at - approved_at > plan::LIFE
}

/// Whether a time that was written in the past lies ahead: the clock was ahead then, or is behind now.
pub(crate) fn is_ahead(written: Timestamp, now: Timestamp) -> bool {
    written - now > CLOCK_STEPS
}

/// Ends a plan, approved or not, and says what came of it; what is being posted right now is not stopped by that.
/// Returns what to say of it, and the row of the audit log.
///
/// # Errors
/// There is no such plan, or it is over.
pub async fn cancel_plan(
    ledger: &Ledger,
    plan_id: &str,
    actor: &str,
    now: Timestamp,
) -> Result<(String, i64), EndError> {
    let (id, actor) = (plan_id.to_owned(), actor.to_owned());
    let work = move |tx: &Transaction<'_>| -> Result<(String, i64), EndError> {
        let stored = plan::get(tx, &id)?.ok_or(EndError::Unknown)?;
        if let Some(result) = result_by_now(tx, &stored)? {
            let at = stored.executed_at.unwrap_or(stored.created_at);
            return Err(EndError::Refused(format!("plan {} is over since {at:.0}: {result}", short(&id))));
        }
        let by = cancelled_by(&actor);
        let (end, said) = match (stored.applied_at, stored.executed_at, draft_of(&stored)) {
            (_, Some(_), Ok(draft)) => {
                let account = account(tx, &id, &draft, &all(&draft, &by))?;
                let said = format!("The rest of plan {} is cancelled: {account}.", short(&id));
                (account.end(format!("{by}: {account}")), said)
            }
            (applied_at, ..) => {
                let nobody = if applied_at.is_none() { "nobody had approved it, so " } else { "" };
                let said = format!("Plan {} is cancelled; {nobody}nothing was sent.", short(&id));
                (PlanEnd { result: by, ..PlanEnd::default() }, said)
            }
        };
        plan::end(tx, &id, &PlanEnd { cancelled_by: Some(actor.clone()), ..end }, now)?;
        let act = Act { actor: &actor, action: "reprocess cancel", subject: &id, ..Act::default() };
        Ok((said, audit::record(tx, &act, now)?))
    };
    ledger.try_write(work).await
}

/// The frozen plan.
///
/// # Errors
/// It cannot be read.
pub(crate) fn draft_of(plan: &StoredPlan) -> anyhow::Result<Draft> {
    serde_json::from_str(&plan.model).with_context(|| format!("the stored plan {}", plan.plan_id))
}

/// Why an approved plan may no longer be executed, if so: what a person found right an hour ago may be wrong by now.
fn outlived(plan: &StoredPlan, now: Timestamp) -> Option<String> {
    if draft_of(plan).is_err() {
        return Some("it cannot be read".to_owned());
    }
    let at = plan.applied_at?;
    is_over_by(at, now).then(|| "it was approved more than an hour before it could be submitted".to_owned())
}

/// The same reason for every item of a plan.
fn all(draft: &Draft, why: &str) -> Reasons {
    draft.item_ids().map(|id| (id.to_owned(), why.to_owned())).collect()
}

fn account(tx: &Transaction<'_>, plan_id: &str, draft: &Draft, reasons: &Reasons) -> Result<Account, LedgerError> {
    Ok(Account::of(draft.item_ids(), &intent::of_plan(tx, plan_id)?, reasons))
}

fn finish(tx: &Transaction<'_>, plan_id: &str, draft: &Draft, reasons: &Reasons) -> Result<(), LedgerError> {
    let account = account(tx, plan_id, draft, reasons)?;
    plan::finish(tx, plan_id, &account.end(account.to_string()))
}

/// Ends a plan that could not be executed to its end in its hour, or be read, and reports what is left of it.
fn end_outlived(tx: &Transaction<'_>, plan: &StoredPlan, why: &str, now: Timestamp) -> Result<(), LedgerError> {
    let id = &plan.plan_id;
    let Ok(draft) = draft_of(plan) else {
        return plan::finish(tx, id, &PlanEnd { result: why.to_owned(), ..PlanEnd::default() });
    };
    let account = account(tx, id, &draft, &all(&draft, why))?;
    plan::end(tx, id, &account.end(account.to_string()), now)?;
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
    for key in fault::active_with_prefix(tx, FAULT)? {
        let ended_at = plan::get(tx, &key[FAULT.len()..])?.and_then(|plan| plan.executed_at);
        if ended_at.is_none_or(|at| now - at >= TOLD_FOR) {
            fault::clear(tx, &key, now)?;
        }
    }
    Ok(())
}
