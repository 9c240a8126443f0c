//! A plan as it is frozen: which items, in which chunks, at what cost, and why not the others.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::config::reprocess::{Mode, ReprocessConfig};
use crate::grouping::store_group;
use crate::ledger::audit::{self, Act};
use crate::ledger::error::LedgerError;
use crate::ledger::{Connection, Transaction};
use crate::reprocess::Reprocess;
use crate::reprocess::facts::by_project;
use crate::reprocess::plans::hold_summary::{GroupOutlook, Hold};
use crate::reprocess::policy::budget::{Budget, Spent};
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::policy::item::Item;
use crate::reprocess::policy::plan::{Chunk, Facts, Plan, Selection, exclusion, plan as choose, set_hash};
use crate::reprocess::store::items::Which;
use crate::reprocess::store::plan::{self, StoredPlan};
use crate::reprocess::store::{attempt, budget_usage};
use crate::scan::store::project;

/// What a person asks to plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The items.
    pub items: Vec<String>,
    /// Most items.
    pub limit: Option<u32>,
    /// Caps on attempts do not hold.
    pub force_attempts: bool,
    /// All items of groups that no retry is known to help, not one of each.
    #[serde(default)]
    pub permanent: bool,
}

impl Request {
    pub(crate) fn selection(&self, limit: Option<u32>) -> Selection {
        Selection::Manual { limit, force_attempts: self.force_attempts, permanent: self.permanent }
    }
}

/// A frozen plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// Its id.
    pub plan_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What happened until then is known: when the last complete scan of its projects began. None if there was none.
    #[serde(default)]
    pub as_of: Option<Timestamp>,
    /// After this it can no longer be applied.
    pub expires_at: Timestamp,
    /// What was asked.
    pub request: Request,
    /// Chosen items.
    pub items: u32,
    /// Hash of the chosen items.
    pub set_hash: String,
    /// One POST each.
    pub chunks: Vec<Chunk>,
    /// Parameters that may decide the result and are not sent again, because it is not known whether they may.
    #[serde(default)]
    pub lost_parameters: Vec<String>,
    /// The other items, with the reason.
    pub excluded: Vec<DraftExclusion>,
    /// Chosen items that would not be retried now without a person, with the reason; where nothing is retried automatically,
    /// those that the API refused.
    #[serde(default)]
    pub not_by_itself: Vec<DraftExclusion>,
    /// Estimated credits; none if no price is known.
    pub credits: Option<f64>,
    /// What LlamaCloud billed for each of the newest retries of these groups, and of how many it says so.
    #[serde(default)]
    pub billed_each: Option<(f64, u32)>,
    /// Items left of the budgets; of those of groups, the least.
    pub budget_left: BTreeMap<String, u32>,
    /// How retries of the groups stand.
    pub groups: Vec<GroupOutlook>,
    /// What holds retries of the projects back.
    pub holds: Vec<Hold>,
}

/// An item that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftExclusion {
    /// The item.
    pub item_id: String,
    /// Why, as people read it.
    pub why: String,
}

impl DraftExclusion {
    fn new(item_id: &str, why: &Exclusion) -> DraftExclusion {
        DraftExclusion { item_id: item_id.to_owned(), why: why.to_string() }
    }
}

impl Draft {
    /// The frozen plan.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn of(plan: &StoredPlan) -> anyhow::Result<Draft> {
        serde_json::from_str(&plan.model).with_context(|| format!("the stored plan {}", plan.plan_id))
    }

    /// The chosen items.
    pub(crate) fn item_ids(&self) -> impl Iterator<Item = &str> {
        self.chunks.iter().flat_map(|chunk| chunk.item_ids.iter().map(String::as_str))
    }

    /// The projects of the chosen items.
    pub(crate) fn projects(&self) -> BTreeSet<String> {
        self.chunks.iter().map(|chunk| chunk.project.clone()).collect()
    }
}

impl Reprocess<'_> {
    /// Makes a plan and keeps it for an hour. Nothing is posted.
    ///
    /// # Errors
    /// The ledger refuses.
    pub async fn draft(&self, request: Request, actor: &str) -> anyhow::Result<Draft> {
        let items = self.items(Which::These(request.items.clone())).await?;
        let mut draft = Draft {
            plan_id: format!("P-{}", Ulid::generate()),
            created_at: self.now,
            expires_at: self.now + plan::LIFE,
            request,
            ..Draft::default()
        };
        let (mut left, mut known, now) = (draft.request.limit, Vec::new(), self.now);
        let spent = self.ledger.read(move |connection| budget_usage::until(connection, now)).await?;
        for (project, items) in by_project(items) {
            let mut facts = self.facts(&project, items).await?;
            // Budgets and limit are common to all projects.
            for chunk in &draft.chunks {
                chunk.item_ids.iter().for_each(|_| facts.spent.debit(&chunk.group_id, self.config));
            }
            let chosen = choose(&facts, draft.request.selection(left), self.config, self.now);
            left = left.map(|left| left.saturating_sub(chosen.count()));
            draft.not_by_itself.extend(self.not_by_itself(&chosen, &facts));
            let outlooks = facts.groups.iter().map(|group| {
                let of_group = |item: &&Item| item.group_id == group.group_id;
                let attempts = facts.items.iter().filter(of_group).map(Item::attempts_in_life).sum();
                let asked = u32::try_from(facts.items.iter().filter(of_group).count()).unwrap_or(u32::MAX);
                GroupOutlook { items: asked, attempts, ..GroupOutlook::new(group, self.config, self.now) }
            });
            let mut outlooks: Vec<GroupOutlook> = outlooks.collect();
            let read = move |connection: &Connection| {
                for outlook in &mut outlooks {
                    outlook.title = store_group::title(connection, &outlook.group_id)?.unwrap_or_default();
                }
                let holds = Hold::manual(connection, &project, now)?;
                Ok((outlooks, holds, project::known_until(connection, &project)?))
            };
            let (outlooks, holds, known_until) = self.ledger.read(read).await?;
            known.push(known_until);
            draft.groups.extend(outlooks);
            draft.holds.extend(holds);
            let chosen_ids: BTreeSet<&str> = chosen.item_ids().collect();
            let chosen_items = facts.items.iter().filter(|item| chosen_ids.contains(item.item_id.as_str()));
            draft.lost_parameters.extend(
                chosen_items.filter_map(|item| item.config.as_ref().ok()).flat_map(|config| config.lost().to_vec()),
            );
            draft.excluded.extend(chosen.excluded.iter().map(|(item_id, why)| DraftExclusion::new(item_id, why)));
            draft.chunks.extend(chosen.chunks);
        }
        draft.budget_left = budgets(self.config, &spent, &draft.groups);
        self.complete(&mut draft, known).await?;
        self.keep(&draft, actor).await?;
        Ok(draft)
    }

    /// Adds what is said of the plan as a whole; `known` is until when what happened in each project is known.
    async fn complete(&self, draft: &mut Draft, known: Vec<Option<Timestamp>>) -> Result<(), LedgerError> {
        let groups: Vec<String> = draft.groups.iter().map(|group| group.group_id.clone()).collect();
        draft.billed_each = self.ledger.read(move |connection| attempt::billed_each(connection, &groups)).await?;
        draft.as_of = known.into_iter().min().flatten();
        draft.items = u32::try_from(draft.item_ids().count()).unwrap_or(u32::MAX);
        draft.set_hash = set_hash(draft.item_ids());
        draft.lost_parameters.sort_unstable();
        draft.lost_parameters.dedup();
        let is_priced = draft.chunks.iter().all(|chunk| chunk.unpriced == 0);
        draft.credits = is_priced.then(|| draft.chunks.iter().fold(0.0, |sum, chunk| sum + chunk.credits));
        Ok(())
    }

    /// Which items of a person's plan the service would not retry now, each judged alone.
    fn not_by_itself(&self, plan: &Plan, facts: &Facts) -> Vec<DraftExclusion> {
        let chosen: BTreeSet<&str> = plan.item_ids().collect();
        let items = facts.items.iter().filter(|item| chosen.contains(item.item_id.as_str()));
        let why = items.filter_map(|item| {
            let group = || facts.groups.iter().find(|group| group.group_id == item.group_id);
            let turn = || group()?.outlook(self.config, self.now).turn.exclusion();
            let why = exclusion(item, facts, Selection::Auto, self.config, self.now).or_else(turn)?;
            let shown = self.config.mode != Mode::Off || why == Exclusion::Refused;
            shown.then(|| DraftExclusion::new(&item.item_id, &why))
        });
        why.collect()
    }

    async fn keep(&self, draft: &Draft, actor: &str) -> anyhow::Result<()> {
        let plan = StoredPlan {
            plan_id: draft.plan_id.clone(),
            created_at: draft.created_at,
            expires_at: draft.expires_at,
            actor: actor.to_owned(),
            request: serde_json::to_string(&draft.request).context("the request")?,
            model: serde_json::to_string(draft).context("the plan")?,
            ..StoredPlan::default()
        };
        let detail =
            serde_json::json!({ "items": draft.items, "excluded": draft.excluded.len(), "set": draft.set_hash });
        let keep = move |tx: &Transaction<'_>| {
            plan::add(tx, &plan)?;
            let (actor, subject) = (plan.actor.as_str(), plan.plan_id.as_str());
            let detail = Some(detail.to_string());
            audit::record(tx, &Act { actor, action: "reprocess plan", subject, reason: None, detail }, plan.created_at)
        };
        self.ledger.write(keep).await?;
        Ok(())
    }
}

/// What is left of the budgets before the plan; of those of groups, the least.
fn budgets(config: &ReprocessConfig, spent: &Spent, groups: &[GroupOutlook]) -> BTreeMap<String, u32> {
    let of_groups = groups.iter().map(|group| spent.of_group(&group.group_id)).max().unwrap_or(0);
    let left = [
        (Budget::PerRun, config.per_run),
        (Budget::PerHour, config.per_hour.saturating_sub(spent.hour)),
        (Budget::PerDay, config.per_day.saturating_sub(spent.day)),
        (Budget::PerGroupPerDay, config.per_group_per_day.saturating_sub(of_groups)),
    ];
    left.into_iter().map(|(budget, left)| (budget.to_string(), left)).collect()
}
