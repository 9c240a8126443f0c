//! Automatic retries, or what they would be: every project once in each cycle, under common budgets.

use std::collections::BTreeSet;

use crate::config::reprocess::Mode;
use crate::reprocess::Reprocess;
use crate::reprocess::facts::by_project;
use crate::reprocess::plans::plan_result::Reasons;
use crate::reprocess::policy::plan::{Facts, Plan, Selection, plan};
use crate::reprocess::store::account;
use crate::reprocess::store::items::Which;

impl Reprocess<'_> {
    /// Retries what is worth it (mode `auto`), or counts what would be retried (mode `plan`).
    pub(crate) async fn automatic(&mut self) -> anyhow::Result<()> {
        if self.config.mode == Mode::Off {
            // Nothing else looks at stopped accounts then, and nothing waits.
            for (project, _) in self.ledger.read(account::stopped).await? {
                self.look_at_account(&project).await?;
            }
            return Ok(self.report_waiting(&[], &[]).await?);
        }
        let items = self.items(Which::Automatic { baseline: self.config.baseline }).await?;
        let missing = self.missing_configs(&items);
        let mut of_project = by_project(items);
        let (mut run, mut left_out) = (0, Vec::new());
        for watched in self.projects {
            let project = watched.name.as_str();
            let account = self.look_at_account(project).await?;
            let waits = account.wait_until.is_some_and(|until| self.now < until);
            let items = of_project.remove(project).unwrap_or_default();
            if items.is_empty() || self.stop.is_cancelled() || waits || self.half_seen.contains(project) {
                continue;
            }
            let mut facts = self.facts(project, items).await?;
            facts.spent.run = run;
            let mut chosen = plan(&facts, Selection::Auto, self.config, self.now);
            if self.config.mode == Mode::Auto {
                chosen = self.without_running(project, &mut facts, chosen).await.unwrap_or_else(|error| {
                    let text = format!("nothing was retried, batches under way could not be read: {error:#}");
                    self.summary.errors.push(text);
                    Plan::default()
                });
            }
            run += chosen.count();
            left_out.extend(chosen.excluded.iter().map(|(_, exclusion)| exclusion.clone()));
            if self.config.mode == Mode::Plan {
                self.summary.would_retry += u64::from(chosen.count());
                self.summary.would_cost += chosen.chunks.iter().map(|chunk| chunk.credits).sum::<f64>();
            } else {
                self.post_chunks(chosen.chunks, &facts.items, None, &mut Reasons::new()).await?;
            }
        }
        Ok(self.report_waiting(&left_out, &missing).await?)
    }

    /// Plans again without items that others are processing, if one of those chosen is.
    async fn without_running(&self, project: &str, facts: &mut Facts, chosen: Plan) -> anyhow::Result<Plan> {
        let ids: BTreeSet<String> = chosen.item_ids().map(str::to_owned).collect();
        if ids.is_empty() || self.note_running(project, &ids, &mut facts.items).await? == 0 {
            return Ok(chosen);
        }
        let all = facts.items.iter().map(|item| item.item_id.clone()).collect();
        self.note_running(project, &all, &mut facts.items).await?;
        Ok(plan(facts, Selection::Auto, self.config, self.now))
    }
}
