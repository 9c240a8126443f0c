//! What is retried by itself, or would be: one look at every project in each cycle, under common budgets.

use std::collections::{BTreeSet, VecDeque};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::config::reprocess::Mode;
use crate::ledger::error::LedgerError;
use crate::model::class::Class;
use crate::reprocess::facts::{Facts, Lane};
use crate::reprocess::intents::job_config::JobConfigs;
use crate::reprocess::intents::post::Next;
use crate::reprocess::intents::trials::Trials;
use crate::reprocess::order::{Order, Wish};
use crate::reprocess::plans::draft::input;
use crate::reprocess::policy::chunk::Chunk;
use crate::reprocess::policy::holds::breaker::Breaker;
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::policy::plan::{Plan, Selection, another_canary, plan};
use crate::reprocess::policy::ramp::Step;
use crate::reprocess::store::retriable::{Retriable, Which};
use crate::reprocess::store::{breaker, project_health};
use crate::reprocess::{Reprocess, Summary};

/// Why nothing may be posted, where it cannot be known what others are processing.
const UNREAD: &str = "batches under way could not be read";

impl Reprocess<'_> {
    /// Retries what is worth it (mode `auto`), or counts what would be retried (mode `plan`).
    ///
    /// # Errors
    /// The ledger refuses. Trouble with the API is in the summary.
    pub(crate) async fn automatic(
        &self,
        now: Timestamp,
        stop: &CancellationToken,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        if self.config.mode == Mode::Off {
            self.weigh_closed(now).await?;
            return Ok(self.tell_nothing(now).await?);
        }
        let rows = self.rows(Which::OfClasses(self.automatic_classes(), self.config.baseline)).await?;
        let configs = self.job_configs(&rows, now).await?;
        let mut run = 0;
        let mut left_out = Vec::new();
        for project in self.projects {
            let (gate, weather) = self.weigh(&project.name, now).await?;
            self.begin_groups_anew(&rows, &configs, now).await?;
            for lane in Reprocess::lanes_of(&project.name, &rows, &configs) {
                let mut facts = self.facts(&lane, &rows, &configs, now).await?;
                (facts.stored_gate, facts.weather, facts.spent.run) = (gate.clone(), weather, run);
                if stop.is_cancelled()
                    || self.half_seen.contains(&project.name)
                    || facts.stored_gate.wait_until.is_some_and(|until| now < until)
                {
                    continue;
                }
                let chosen = plan(&input(&facts, Selection::Auto, &self.limits_of(&lane), now));
                left_out.extend(chosen.excluded.iter().map(|left| left.exclusion.clone()));
                run += u32::try_from(chosen.item_ids().count()).unwrap_or(u32::MAX);
                if self.config.mode == Mode::Plan {
                    summary.would_retry += u64::try_from(chosen.item_ids().count()).unwrap_or(u64::MAX);
                    summary.would_cost += chosen.credits;
                } else {
                    self.post_plan(&lane, chosen, &mut facts, &rows, &configs, now, stop, summary).await?;
                }
            }
        }
        self.tell_budgets(&left_out, now).await?;
        self.tell_missing(&rows, &configs, now).await?;
        Ok(())
    }

    /// The classes of which an item may be retried by itself; the core decides which ones are.
    fn automatic_classes(&self) -> Vec<&'static str> {
        let mut classes = vec![Class::Transient, Class::Throttled, Class::Config, Class::Account];
        classes.extend(self.config.unknown_canary.then_some(Class::Unknown));
        classes.into_iter().map(Class::name).collect()
    }

    #[expect(clippy::too_many_arguments, reason = "all that one plan works with, used in one place")]
    async fn post_plan(
        &self,
        lane: &Lane,
        mut chosen: Plan,
        facts: &mut Facts,
        rows: &[Retriable],
        configs: &JobConfigs,
        now: Timestamp,
        stop: &CancellationToken,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        let (project, limits) = (lane.project.as_str(), self.limits_of(lane));
        if !self.without_running(project, &mut chosen, facts, rows, &limits, now, summary).await? {
            return Ok(());
        }
        let mut trials = Trials::default();
        let mut waiting = VecDeque::from(chosen.chunks);
        while let Some(chunk) = waiting.pop_front() {
            if stop.is_cancelled() {
                break;
            }
            let rule = rows.iter().find(|row| row.group_id == chunk.group_id).and_then(|row| row.rule.as_deref());
            let actor = format!("auto:{}", rule.unwrap_or("no rule"));
            let wish = Wish { plan_id: None, actor, reason: None };
            let Some(order) = Order::new(project, chunk.clone(), facts, rows, configs, &wish) else { continue };
            if self.post(order.clone(), &mut trials, now, summary).await? == Next::Rest {
                break;
            }
            if chunk.step == Some(Step::One)
                && trials.of(&order).wants_another()
                && let Some(next) = self.instead_of(project, &chunk, facts, rows, &limits, now, summary).await
            {
                waiting.push_front(next);
            }
        }
        Ok(self.judge(trials, now).await?)
    }

    /// What goes instead of a refused canary: nothing that somebody else is processing, nor anything if that cannot be found out.
    #[expect(clippy::too_many_arguments, reason = "all that one plan works with, used in one place")]
    async fn instead_of(
        &self,
        project: &str,
        refused: &Chunk,
        facts: &mut Facts,
        rows: &[Retriable],
        limits: &Limits,
        now: Timestamp,
        summary: &mut Summary,
    ) -> Option<Chunk> {
        facts.items.retain(|item| !refused.item_ids.contains(&item.item_id));
        let alike = facts.items.iter().filter(|item| item.group_id == refused.group_id);
        let ids: BTreeSet<String> = alike.map(|item| item.item_id.clone()).collect();
        if let Err(error) = self.note_running(project, &ids, rows, &mut facts.items, now).await {
            summary.errors.push(format!("no other canary was tried, {UNREAD}: {error:#}"));
            return None;
        }
        another_canary(refused, &input(facts, Selection::Auto, limits, now))
    }

    /// Plans again without items that somebody else is processing; false if that could not be found out.
    #[expect(clippy::too_many_arguments, reason = "all that one plan works with, used in one place")]
    async fn without_running(
        &self,
        project: &str,
        chosen: &mut Plan,
        facts: &mut Facts,
        rows: &[Retriable],
        limits: &Limits,
        now: Timestamp,
        summary: &mut Summary,
    ) -> anyhow::Result<bool> {
        // Each round takes at least one item out.
        for _ in 0..5 {
            let ids: BTreeSet<String> = chosen.item_ids().map(str::to_owned).collect();
            if ids.is_empty() {
                return Ok(true);
            }
            match self.note_running(project, &ids, rows, &mut facts.items, now).await {
                Ok(0) => return Ok(true),
                Ok(_) => *chosen = plan(&input(facts, Selection::Auto, limits, now)),
                Err(error) => {
                    summary.errors.push(format!("nothing was retried, {UNREAD}: {error:#}"));
                    return Ok(false);
                }
            }
        }
        Ok(false)
    }

    /// Forgets what retries have shown of groups whose parameters changed, or of which somebody else's item has recovered since.
    async fn begin_groups_anew(
        &self,
        rows: &[Retriable],
        configs: &JobConfigs,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let mut hashes: std::collections::BTreeMap<String, BTreeSet<String>> = std::collections::BTreeMap::new();
        for row in rows {
            let known = hashes.entry(row.group_id.clone()).or_default();
            known.extend(configs.of(row).map(|config| config.hash().to_owned()));
        }
        self.ledger
            .write(move |tx| {
                for (group_id, hashes) in hashes {
                    let mut state = breaker::group(tx, &group_id)?;
                    let parked = state.parked.map(|parked| parked.since);
                    let resting = match state.breaker {
                        Breaker::Open { since, .. } => Some(since),
                        Breaker::Closed { .. } => None,
                    };
                    let config = breaker::config_hash(tx, &group_id)?;
                    let changed = config.is_some_and(|hash| !hashes.is_empty() && !hashes.contains(&hash));
                    let helped = match parked.or(resting) {
                        Some(since) => project_health::recovered_by_others(tx, &group_id, since)?,
                        None => false,
                    };
                    // Not while a step is under way: its outcomes would be counted for the next one.
                    if (changed || helped) && !state.ramp.is_waiting() {
                        state.reset();
                        breaker::keep_group(tx, &group_id, &state, now)?;
                    }
                }
                Ok(())
            })
            .await
    }
}
