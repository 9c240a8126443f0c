//! Automatic retries, or what they would be: every project once in each cycle, under common budgets.

use std::collections::BTreeSet;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::config::reprocess::Mode;
use crate::reprocess::facts::{Facts, Lane};
use crate::reprocess::intents::job_config::JobConfigs;
use crate::reprocess::intents::post::Next;
use crate::reprocess::intents::trials::Trials;
use crate::reprocess::order::{Order, Wish};
use crate::reprocess::policy::plan::{Plan, Selection, plan};
use crate::reprocess::store::retriable::{Retriable, Which};
use crate::reprocess::{Reprocess, Summary};

/// Why nothing may be posted, where it cannot be known what others are processing.
const UNREAD: &str = "batches under way could not be read";

impl Reprocess<'_> {
    /// Retries what is worth it (mode `auto`), or counts what would be retried (mode `plan`).
    ///
    /// # Errors
    /// The ledger refuses. Errors of the API are in the summary.
    pub(crate) async fn automatic(
        &self,
        now: Timestamp,
        stop: &CancellationToken,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        if self.config.mode == Mode::Off {
            self.look_at_stopped_accounts(now).await?;
            return Ok(self.tell_nothing(now).await?);
        }
        let rows = self.rows(Which::Automatic { baseline: self.config.baseline }).await?;
        let configs = self.job_configs(&rows, now).await?;
        let mut run = 0;
        let mut left_out = Vec::new();
        for project in self.projects {
            let account = self.look_at_account(&project.name, now).await?;
            let waits = account.wait_until.is_some_and(|until| now < until);
            for lane in Reprocess::lanes_of(&project.name, &rows, &configs) {
                if stop.is_cancelled() || waits || self.half_seen.contains(&project.name) {
                    continue;
                }
                let mut facts = self.facts(&lane, &rows, &configs, now).await?;
                facts.spent.run = run;
                let mut chosen = plan(&facts.input(Selection::Auto, &self.limits_of(&lane), now));
                if self.config.mode == Mode::Auto {
                    chosen = self.without_running(&lane, chosen, &mut facts, &rows, now, summary).await?;
                }
                left_out.extend(chosen.excluded.iter().map(|left| left.exclusion.clone()));
                run += chosen.count();
                if self.config.mode == Mode::Plan {
                    summary.would_retry += u64::from(chosen.count());
                    summary.would_cost += chosen.credits();
                } else {
                    self.post_plan(&lane, chosen, &facts, &rows, &configs, now, stop, summary).await?;
                }
            }
        }
        self.tell_budgets(&left_out, now).await?;
        self.tell_missing(&rows, &configs, now).await?;
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "all that one plan works with, used in one place")]
    async fn post_plan(
        &self,
        lane: &Lane,
        chosen: Plan,
        facts: &Facts,
        rows: &[Retriable],
        configs: &JobConfigs,
        now: Timestamp,
        stop: &CancellationToken,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        let mut trials = Trials::default();
        for chunk in chosen.chunks {
            if stop.is_cancelled() {
                break;
            }
            let first = rows.iter().find(|row| chunk.item_ids.first() == Some(&row.item_id));
            let rule = first.and_then(|row| self.judge(&row.said, &row.origin.job_type).rule);
            let actor = format!("auto:{}", rule.unwrap_or("no rule"));
            let wish = Wish { plan_id: None, actor, reason: None };
            let Some(order) = Order::new(&lane.project, chunk, facts, rows, configs, &wish) else { continue };
            if self.post(order, &mut trials, now, summary).await? == Next::Rest {
                break;
            }
        }
        Ok(self.blame(trials).await?)
    }

    /// Plans again without items that others are processing; nothing if that could not be found out.
    async fn without_running(
        &self,
        lane: &Lane,
        mut chosen: Plan,
        facts: &mut Facts,
        rows: &[Retriable],
        now: Timestamp,
        summary: &mut Summary,
    ) -> anyhow::Result<Plan> {
        // Each round takes at least one item out.
        for _ in 0..5 {
            let ids: BTreeSet<String> = chosen.item_ids().map(str::to_owned).collect();
            if ids.is_empty() {
                return Ok(chosen);
            }
            match self.note_running(&lane.project, &ids, rows, &mut facts.items, now).await {
                Ok(0) => return Ok(chosen),
                Ok(_) => chosen = plan(&facts.input(Selection::Auto, &self.limits_of(lane), now)),
                Err(error) => {
                    summary.errors.push(format!("nothing was retried, {UNREAD}: {error:#}"));
                    break;
                }
            }
        }
        Ok(Plan::default())
    }
}
