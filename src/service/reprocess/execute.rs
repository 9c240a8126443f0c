//! Executing approved plans: every item is checked again, and a plan only ever shrinks.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::draft::input;
use super::facts::PLAN_LIFE;
use super::order::{Order, Wish};
use super::post::Next;
use super::trials::Trials;
use super::{Draft, Reprocess, Summary};
use crate::core::reprocess::{Selection, shrink};
use crate::core::text::count;
use crate::ledger::gate;
use crate::ledger::plan::{self, StoredPlan};
use crate::ledger::retriable::Which;

impl Reprocess<'_> {
    /// Executes the plans that people approved and nobody has begun. Needs the ledger's lock.
    ///
    /// # Errors
    /// The ledger refuses. A plan that was begun is not begun again.
    pub(super) async fn execute_approved(
        &self,
        now: Timestamp,
        stop: &CancellationToken,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        for plan in self.ledger.read(plan::approved).await? {
            if stop.is_cancelled() {
                break;
            }
            if self.must_wait(&plan, now).await? {
                continue;
            }
            let id = plan.plan_id.clone();
            if self.ledger.write(move |tx| plan::take(tx, &id, now)).await? {
                let before = summary.clone();
                // What a person found right an hour ago may be wrong by now.
                let result = if plan.applied_at.is_some_and(|at| now - at > PLAN_LIFE) {
                    "nothing submitted: it was approved more than an hour before it could be executed".to_owned()
                } else {
                    self.execute(&plan, now, stop, summary).await?;
                    told(&before, summary)
                };
                let id = plan.plan_id.clone();
                self.ledger.write(move |tx| plan::finish(tx, &id, &result)).await?;
            }
        }
        Ok(())
    }

    async fn execute(
        &self,
        stored: &StoredPlan,
        now: Timestamp,
        stop: &CancellationToken,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        let draft: Draft = serde_json::from_str(&stored.model).context("the stored plan")?;
        let frozen: BTreeMap<&str, &str> = draft
            .chunks
            .iter()
            .flat_map(|chunk| chunk.item_ids.iter().map(|id| (id.as_str(), chunk.config_hash.as_str())))
            .collect();
        let ids: BTreeSet<String> = frozen.keys().map(|id| (*id).to_owned()).collect();
        let rows = self.rows(Which::Items(ids.iter().cloned().collect())).await?;
        let configs = self.job_configs(&rows, now).await?;
        let selection = Selection::Manual { limit: None, force_attempts: draft.request.force_attempts };
        let wish = Wish {
            plan_id: Some(stored.plan_id.clone()),
            actor: stored.applied_by.clone().unwrap_or_else(|| stored.actor.clone()),
            reason: stored.reason.clone(),
        };
        for project in Reprocess::projects_of(&rows) {
            // The failures of this very scan may say that the account cannot go on.
            let (gate, weather) = self.weigh(&project, now).await?;
            let mut facts = self.facts(&project, &rows, &configs, now).await?;
            (facts.stored_gate, facts.weather) = (gate, weather);
            if let Err(error) = self.note_running(&project, &ids, &rows, &mut facts.items).await {
                summary.errors.push(format!("nothing was retried, batches under way could not be read: {error:#}"));
                continue;
            }
            let limits = self.limits_of(&project);
            let plan = shrink(&ids, &input(&facts, selection, &limits, now));
            let mut trials = Trials::default();
            for chunk in plan.chunks {
                if stop.is_cancelled() {
                    break;
                }
                // The person saw these parameters and no others.
                if chunk.item_ids.iter().any(|id| frozen.get(id.as_str()) != Some(&chunk.config_hash.as_str())) {
                    summary
                        .errors
                        .push(format!("the job config of group {} has changed since the plan", chunk.group_id));
                    continue;
                }
                let Some(order) = Order::new(&project, chunk, &facts, &rows, &configs, &wish) else { continue };
                if self.post(order, &mut trials, now, summary).await? == Next::Rest {
                    break;
                }
            }
            self.judge(trials, now).await?;
        }
        Ok(())
    }

    /// Whether the API asked to wait with a project that a plan is about.
    async fn must_wait(&self, plan: &StoredPlan, now: Timestamp) -> anyhow::Result<bool> {
        let draft: Draft = serde_json::from_str(&plan.model).context("the stored plan")?;
        for chunk in draft.chunks {
            let gate = self.ledger.read(move |connection| gate::get(connection, &chunk.project)).await?;
            if gate.wait_until.is_some_and(|until| now < until) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn told(before: &Summary, after: &Summary) -> String {
    let errors = after.errors.get(before.errors.len()..).unwrap_or_default();
    let mut text = count((after.submitted - before.submitted).into(), "item submitted", "items submitted");
    if after.unknown > before.unknown {
        let unclear = count((after.unknown - before.unknown).into(), "POST", "POSTs");
        text.push_str(&format!(", {unclear} of unclear outcome"));
    }
    if let Some(error) = errors.first() {
        text.push_str(&format!("; {error}"));
    }
    text
}
