//! Executing approved plans: every item is checked again, and a plan only ever shrinks.
//!
//! A plan that was begun and came to no end, because the process ended or the API asked to wait, continues within its hour.
//! What it submitted so far is read from its intents, so nothing of it is posted twice.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::ledger::error::LedgerError;
use crate::reprocess::facts::{Facts, Lane};
use crate::reprocess::intents::job_config::JobConfigs;
use crate::reprocess::intents::post::Next;
use crate::reprocess::intents::trials::Trials;
use crate::reprocess::order::{Order, Wish};
use crate::reprocess::plans::approved::{draft_of, is_over_by, waits};
use crate::reprocess::plans::draft::Draft;
use crate::reprocess::plans::plan_result::{Reasons, cancelled_by, settled};
use crate::reprocess::policy::chunk::Chunk;
use crate::reprocess::policy::plan::shrink;
use crate::reprocess::store::intent;
use crate::reprocess::store::plan::{self, StoredPlan};
use crate::reprocess::store::retriable::{Retriable, Which};
use crate::reprocess::{Reprocess, Summary};

/// How the execution of a plan ended.
pub(crate) enum Progress {
    /// With these items left out.
    Over(Reasons),
    /// Not yet: it continues after a restart, or once the API accepts requests again.
    GoesOn,
}

/// Why no other chunk of a project is posted.
enum Halt {
    /// The process is to stop.
    Stop,
    /// Items that were not posted are left out for this.
    Because(String),
}

/// All that the execution of one plan works with.
struct Run<'a> {
    plan: &'a StoredPlan,
    draft: &'a Draft,
    /// The planned items with the hash of the parameters that the person saw.
    frozen: BTreeMap<&'a str, &'a str>,
    /// Those that were not submitted before.
    ids: BTreeSet<String>,
    rows: Vec<Retriable>,
    configs: JobConfigs,
    reasons: Reasons,
}

impl Run<'_> {
    fn leave_out(&mut self, item_ids: impl IntoIterator<Item = String>, why: &str) {
        self.reasons.extend(item_ids.into_iter().map(|id| (id, why.to_owned())));
    }

    /// Leaves all of a project out.
    fn leave_project_out(&mut self, project: &str, why: &str) {
        let of_project = self.rows.iter().filter(|row| row.project == project);
        let item_ids: Vec<String> = of_project.map(|row| row.item_id.clone()).collect();
        self.leave_out(item_ids, why);
    }

    fn has_changed(&self, chunk: &Chunk) -> bool {
        chunk.item_ids.iter().any(|id| self.frozen.get(id.as_str()) != Some(&chunk.config_hash.as_str()))
    }

    /// Whether the plan may still continue at this time.
    fn lives_at(&self, at: Timestamp) -> bool {
        self.plan.applied_at.is_some_and(|applied_at| !is_over_by(applied_at, at))
    }
}

impl Reprocess<'_> {
    /// Posts what is left of a plan.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn execute(
        &self,
        plan: &StoredPlan,
        now: Timestamp,
        stop: &CancellationToken,
        summary: &mut Summary,
    ) -> anyhow::Result<Progress> {
        let draft = draft_of(plan)?;
        let mut run = self.begin_run(plan, &draft, now).await?;
        let mut goes_on = false;
        let waiting = waits(self.ledger, &draft, now).await?;
        for project in Reprocess::projects_of(&run.rows) {
            if let Some(until) = waiting.get(&project) {
                goes_on |= run.lives_at(*until);
                let why = crate::reprocess::plans::approved::too_many(*until);
                run.leave_project_out(&project, &why);
                continue;
            }
            match self.execute_in(&project, &mut run, now, stop, summary).await? {
                None => {}
                Some(Halt::Stop) => return Ok(Progress::GoesOn),
                Some(Halt::Because(_)) => {
                    let asked = waits(self.ledger, &draft, self.by_now(now)).await?;
                    goes_on |= asked.get(&project).is_some_and(|until| run.lives_at(*until));
                }
            }
        }
        Ok(if goes_on { Progress::GoesOn } else { Progress::Over(run.reasons) })
    }

    async fn begin_run<'a>(&self, plan: &'a StoredPlan, draft: &'a Draft, now: Timestamp) -> anyhow::Result<Run<'a>> {
        let chunks = draft.chunks.iter().map(|post| &post.chunk);
        let frozen: BTreeMap<&str, &str> = chunks
            .flat_map(|chunk| chunk.item_ids.iter().map(|id| (id.as_str(), chunk.config_hash.as_str())))
            .collect();
        let id = plan.plan_id.clone();
        let intents = self.ledger.read(move |connection| intent::of_plan(connection, &id)).await?;
        let settled: BTreeSet<&str> = settled(&intents).collect();
        let ids: BTreeSet<String> =
            frozen.keys().filter(|id| !settled.contains(**id)).map(|id| (*id).to_owned()).collect();
        let rows = self.rows(Which::Items(ids.iter().cloned().collect())).await?;
        let configs = self.job_configs(&rows, now).await?;
        let mut reasons: Reasons =
            ids.iter().map(|id| (id.clone(), "the ledger does not know it any more".to_owned())).collect();
        rows.iter().for_each(|row| drop(reasons.remove(&row.item_id)));
        Ok(Run { plan, draft, frozen, ids, rows, configs, reasons })
    }

    /// Posts what is left of a plan in one project; why not all of it, if so.
    async fn execute_in(
        &self,
        project: &str,
        run: &mut Run<'_>,
        now: Timestamp,
        stop: &CancellationToken,
        summary: &mut Summary,
    ) -> anyhow::Result<Option<Halt>> {
        if let Some(error) = self.unread.get(project) {
            let why = format!("LlamaCloud could not be read just before: {error}");
            summary.errors.push(format!("nothing of project {project} was retried: {why}"));
            run.leave_project_out(project, &why);
            return Ok(None);
        }
        // The failures of this very scan may stop the account.
        self.look_at_account(project, now).await?;
        for lane in Reprocess::lanes_of(project, &run.rows, &run.configs) {
            let facts = self.facts(&lane, &run.rows, &run.configs, now).await?;
            if let Some(halt) = self.execute_lane(&lane, facts, run, now, stop, summary).await? {
                return Ok(Some(halt));
            }
        }
        Ok(None)
    }

    async fn execute_lane(
        &self,
        lane: &Lane,
        mut facts: Facts,
        run: &mut Run<'_>,
        now: Timestamp,
        stop: &CancellationToken,
        summary: &mut Summary,
    ) -> anyhow::Result<Option<Halt>> {
        let project = lane.project.as_str();
        if let Err(error) = self.note_running(project, &run.ids, &run.rows, &mut facts.items, now).await {
            let why = format!("batches under way could not be read: {error:#}");
            summary.errors.push(format!("nothing was retried, {why}"));
            run.leave_project_out(project, &why);
            return Ok(None);
        }
        let seen = run.draft.classes();
        for item in &mut facts.items {
            item.planned_as = seen.get(item.item_id.as_str()).copied();
        }
        let limits = self.limits_of(lane);
        let plan = shrink(&run.ids, &facts.input(run.draft.request.selection(None), &limits, now));
        for left in &plan.excluded {
            run.reasons.insert(left.item_id.clone(), run.configs.why(left, &run.rows));
        }
        let mut trials = Trials::default();
        let halt = self.post_chunks(project, plan.chunks, &facts, run, &mut trials, now, stop, summary).await?;
        self.blame(trials).await?;
        Ok(halt)
    }

    #[expect(clippy::too_many_arguments, reason = "all that one plan works with, used in one place")]
    async fn post_chunks(
        &self,
        project: &str,
        chunks: Vec<Chunk>,
        facts: &Facts,
        run: &mut Run<'_>,
        trials: &mut Trials,
        now: Timestamp,
        stop: &CancellationToken,
        summary: &mut Summary,
    ) -> anyhow::Result<Option<Halt>> {
        let wish = Wish {
            plan_id: Some(run.plan.plan_id.clone()),
            actor: run.plan.applied_by.clone().unwrap_or_else(|| run.plan.actor.clone()),
            reason: run.plan.reason.clone(),
        };
        let mut halt = None;
        for chunk in chunks {
            if halt.is_none() {
                halt = self.halts(&run.plan.plan_id, stop).await?;
            }
            if let Some(halt) = &halt {
                if let Halt::Because(why) = halt {
                    run.leave_out(chunk.item_ids, why);
                }
                continue;
            }
            // The person saw these parameters and no others.
            if run.has_changed(&chunk) {
                summary.errors.push(format!("the job config of group {} has changed since the plan", chunk.group_id));
                run.leave_out(chunk.item_ids, "its job config has changed since the plan");
                continue;
            }
            let Some(order) = Order::new(project, chunk, facts, &run.rows, &run.configs, &wish) else { continue };
            if self.post(order, trials, now, summary).await? == Next::Rest {
                let error = summary.errors.last().map_or("the API refused", String::as_str);
                halt = Some(Halt::Because(format!("nothing was sent after this answer: {error}")));
            }
        }
        Ok(halt)
    }

    /// Whether nothing more of a plan may be posted: the process is to stop, or a person cancelled the rest.
    async fn halts(&self, plan_id: &str, stop: &CancellationToken) -> Result<Option<Halt>, LedgerError> {
        if stop.is_cancelled() {
            return Ok(Some(Halt::Stop));
        }
        let id = plan_id.to_owned();
        let stored = self.ledger.read(move |connection| plan::get(connection, &id)).await?;
        Ok(stored.and_then(|stored| stored.cancelled_by).map(|by| Halt::Because(cancelled_by(&by))))
    }
}
