//! Executing approved plans: every item is checked again, and a plan only ever shrinks.
//!
//! A plan that was begun and came to no end, because the process ended or the API asked to wait, continues within its hour.
//! What it submitted so far is read from its intents, so nothing of it is posted twice.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::ledger::audit::{self, Act};
use crate::ledger::error::LedgerError;
use crate::ledger::{Connection, Ledger, Transaction, fault};
use crate::model::class::Class;
use crate::reprocess::Reprocess;
use crate::reprocess::facts::by_project;
use crate::reprocess::intents::end::EndError;
use crate::reprocess::intents::post::Halt;
use crate::reprocess::plans::draft::Draft;
use crate::reprocess::plans::plan_result::{Account, Reasons, by_now, cancelled_by, leave_out, settled};
use crate::reprocess::plans::waits::{begun, is_over_by, too_many, waits, waits_until};
use crate::reprocess::policy::item::Item;
use crate::reprocess::policy::plan::plan as choose;
use crate::reprocess::store::intent;
use crate::reprocess::store::items::Which;
use crate::reprocess::store::named::short;
use crate::reprocess::store::plan::{self, PlanEnd, StoredPlan};

/// Worker faults of plans whose hour was over before all of them was submitted: the person who approved one may not look again.
const FAULT: &str = "plan:";

/// Such a fault stands for this long after the plan was begun or ended.
const REPORTED_FOR: SignedDuration = SignedDuration::from_hours(24);

impl Reprocess<'_> {
    /// Executes the plans that people approved and that are not over. Needs the ledger's lock, so that no other process executes them.
    ///
    /// # Errors
    /// The ledger refuses; a plan that was begun continues with the next call.
    pub(crate) async fn execute_approved(&mut self) -> anyhow::Result<()> {
        let now = self.now;
        if !self.ledger.read(|connection| fault::active_with_prefix(connection, FAULT)).await?.is_empty() {
            self.ledger.write(move |tx| forget(tx, now)).await?;
        }
        for plan in self.ledger.read(plan::unfinished).await? {
            if self.stop.is_cancelled() {
                break;
            }
            if let Some(why) = outlived(&plan, now) {
                self.ledger.write(move |tx| end_outlived(tx, &plan, &why, now)).await?;
                continue;
            }
            let (draft, id) = (Draft::of(&plan)?, plan.plan_id.clone());
            if self.ready_projects(&plan, &draft).await?.is_empty()
                || !self.ledger.write(move |tx| plan::take(tx, &id, now)).await?
            {
                continue;
            }
            if let Some(reasons) = self.execute(&plan, &draft).await? {
                let finish = move |tx: &Transaction<'_>| {
                    let account = account(tx, &plan.plan_id, &draft, &reasons)?;
                    plan::finish(tx, &plan.plan_id, &account.end(account.to_string()))
                };
                self.ledger.write(finish).await?;
            }
        }
        Ok(())
    }

    /// The projects of the plans that are to be executed now.
    pub(crate) async fn projects_of_plans(&self) -> anyhow::Result<BTreeSet<String>> {
        let mut projects = BTreeSet::new();
        for plan in self.ledger.read(plan::unfinished).await?.iter().filter(|plan| outlived(plan, self.now).is_none()) {
            projects.extend(self.ready_projects(plan, &Draft::of(plan)?).await?);
        }
        Ok(projects)
    }

    /// The projects of which something of this plan can go now; none while the plan waits.
    async fn ready_projects(&self, plan: &StoredPlan, draft: &Draft) -> Result<BTreeSet<String>, LedgerError> {
        if waits_until(self.ledger, draft, begun(plan), self.now).await?.is_some() {
            return Ok(BTreeSet::new());
        }
        let waits = waits(self.ledger, draft, self.now).await?;
        Ok(draft.projects().into_iter().filter(|project| !waits.contains_key(project)).collect())
    }
}

/// What came of a plan that is over, as far as it is known by now.
pub(crate) fn result_by_now(connection: &Connection, plan: &StoredPlan) -> Result<Option<String>, LedgerError> {
    let Some(result) = &plan.result else { return Ok(None) };
    Ok(Some(by_now(result, plan.unclear_items, &intent::of_plan(connection, &plan.plan_id)?)))
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
        let (end, said) = match (stored.applied_at, stored.executed_at, Draft::of(&stored)) {
            (_, Some(_), Ok(draft)) => {
                let account = account(tx, &id, &draft, &all(&draft, &by))?;
                let said = format!("The rest of plan {} is cancelled: {account}.", short(&id));
                (account.end(format!("{by}: {account}")), said)
            }
            (applied_at, ..) => {
                let unapproved = if applied_at.is_none() { "it was not approved, so " } else { "" };
                let said = format!("Plan {} is cancelled; {unapproved}nothing was sent.", short(&id));
                (PlanEnd { result: by, ..PlanEnd::default() }, said)
            }
        };
        plan::end(tx, &id, &PlanEnd { cancelled_by: Some(actor.clone()), ..end }, now)?;
        let act = Act { actor: &actor, action: "reprocess cancel", subject: &id, ..Act::default() };
        Ok((said, audit::record(tx, &act, now)?))
    };
    ledger.try_write(work).await
}

/// Why an approved plan may no longer be executed, if so: what a person found right an hour ago may be wrong by now.
fn outlived(plan: &StoredPlan, now: Timestamp) -> Option<String> {
    if Draft::of(plan).is_err() {
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

/// Ends a plan that could not be executed to its end in its hour, or be read, and reports what is left of it.
fn end_outlived(tx: &Transaction<'_>, plan: &StoredPlan, why: &str, now: Timestamp) -> Result<(), LedgerError> {
    let id = &plan.plan_id;
    let Ok(draft) = Draft::of(plan) else {
        return plan::finish(tx, id, &PlanEnd { result: why.to_owned(), ..PlanEnd::default() });
    };
    let account = account(tx, id, &draft, &all(&draft, why))?;
    plan::end(tx, id, &account.end(account.to_string()), now)?;
    let is_recent = plan.applied_at.is_some_and(|at| now - at < REPORTED_FOR);
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
        if ended_at.is_none_or(|at| now - at >= REPORTED_FOR) {
            fault::clear(tx, &key, now)?;
        }
    }
    Ok(())
}

impl Reprocess<'_> {
    /// Posts what is left of a plan. Why the others of its items are left out; none if it is not over: it continues after a restart,
    /// or once the API accepts requests again.
    pub(crate) async fn execute(&mut self, plan: &StoredPlan, draft: &Draft) -> anyhow::Result<Option<Reasons>> {
        let id = plan.plan_id.clone();
        let intents = self.ledger.read(move |connection| intent::of_plan(connection, &id)).await?;
        let settled: BTreeSet<&str> = settled(&intents).collect();
        let left: Vec<String> = draft.item_ids().filter(|id| !settled.contains(id)).map(str::to_owned).collect();
        let items = self.items(Which::These(left.clone())).await?;
        let mut reasons = Reasons::new();
        leave_out(&mut reasons, left, "the ledger does not know it any more");
        items.iter().for_each(|item| drop(reasons.remove(&item.item_id)));
        let lives_at = |at: Timestamp| plan.applied_at.is_some_and(|applied_at| !is_over_by(applied_at, at));
        let (mut continues, waiting) = (false, waits(self.ledger, draft, self.now).await?);
        for (project, items) in by_project(items) {
            if let Some(until) = waiting.get(&project) {
                continues |= lives_at(*until);
                leave_out(&mut reasons, items.into_iter().map(|item| item.item_id), &too_many(*until));
                continue;
            }
            match self.execute_in(&project, items, plan, draft, &mut reasons).await? {
                None => {}
                Some(Halt::Stop) => return Ok(None),
                Some(Halt::Because(_)) => {
                    let asked = waits(self.ledger, draft, self.by_now()).await?;
                    continues |= asked.get(&project).is_some_and(|until| lives_at(*until));
                }
            }
        }
        Ok((!continues).then_some(reasons))
    }

    /// Posts what is left of a plan in one project; why not all of it, if so.
    async fn execute_in(
        &mut self,
        project: &str,
        items: Vec<Item>,
        plan: &StoredPlan,
        draft: &Draft,
        reasons: &mut Reasons,
    ) -> anyhow::Result<Option<Halt>> {
        let ids: BTreeSet<String> = items.iter().map(|item| item.item_id.clone()).collect();
        if let Some(error) = self.unread.get(project) {
            let why = format!("LlamaCloud could not be read just before: {error}");
            self.summary.errors.push(format!("nothing of project {project} was retried: {why}"));
            leave_out(reasons, ids, &why);
            return Ok(None);
        }
        // The failures of this very scan may stop the account.
        self.look_at_account(project).await?;
        let mut facts = self.facts(project, items).await?;
        if let Err(error) = self.note_running(project, &ids, &mut facts.items).await {
            let why = format!("batches under way could not be read: {error:#}");
            self.summary.errors.push(format!("nothing was retried, {why}"));
            leave_out(reasons, ids, &why);
            return Ok(None);
        }
        let seen = classes(draft);
        facts.items.iter_mut().for_each(|item| item.planned_as = seen.get(item.item_id.as_str()).copied());
        let chosen = choose(&facts, draft.request.selection(None), self.config, self.now);
        reasons.extend(chosen.excluded.into_iter().map(|(item_id, why)| (item_id, why.to_string())));
        // The person saw these parameters and no others.
        let frozen: BTreeSet<(&str, &str)> = draft
            .chunks
            .iter()
            .flat_map(|chunk| chunk.item_ids.iter().map(|id| (id.as_str(), chunk.config_hash.as_str())))
            .collect();
        let (same, changed): (Vec<_>, Vec<_>) = chosen.chunks.into_iter().partition(|chunk| {
            chunk.item_ids.iter().all(|id| frozen.contains(&(id.as_str(), chunk.config_hash.as_str())))
        });
        for chunk in changed {
            let text = format!("the job config of group {} has changed since the plan", chunk.group_id);
            self.summary.errors.push(text);
            leave_out(reasons, chunk.item_ids, "its job config has changed since the plan");
        }
        self.post_chunks(same, &facts.items, Some(plan), reasons).await
    }
}

/// The chosen items of a plan with the classes that the person saw.
fn classes(draft: &Draft) -> BTreeMap<&str, Class> {
    let chunks = draft.chunks.iter();
    chunks.flat_map(|chunk| chunk.item_ids.iter().map(String::as_str).zip(chunk.classes.iter().copied())).collect()
}
