//! A plan as it is frozen: which items, in which chunks, at what cost, and why not the others.

use std::collections::BTreeMap;

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::Reprocess;
use super::facts::{Facts, PLAN_LIFE, limits};
use super::job_config::JobConfigs;
use super::{GroupOutlook, Hold};
use crate::core::reprocess::{Chunk, Exclusion, Limits, Plan, PlanInput, Selection, plan, total};
use crate::ledger::audit::{self, Act};
use crate::ledger::plan::{self as stored, StoredPlan};
use crate::ledger::retriable::{Retriable, Which};

/// What a person asks to plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The items.
    pub items: Vec<String>,
    /// Most items.
    pub limit: Option<u32>,
    /// Caps on attempts do not hold.
    pub force_attempts: bool,
}

/// A frozen plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// Its id.
    pub plan_id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// After this it can no longer be applied.
    pub expires_at: Timestamp,
    /// What was asked.
    pub request: Request,
    /// Chosen items.
    pub items: u32,
    /// Hash of the chosen items.
    pub set_hash: String,
    /// One POST each.
    pub chunks: Vec<DraftChunk>,
    /// Parameters that may decide the result and are not sent again, for nobody knows whether they may.
    #[serde(default)]
    pub lost_parameters: Vec<String>,
    /// The other items, with the reason.
    pub excluded: Vec<Excluded>,
    /// Estimated credits; none if no price is known.
    pub credits: Option<f64>,
    /// Items left of the budgets of the hour and the day.
    pub budget_left: BTreeMap<String, u32>,
    /// How retries of the groups stand.
    pub groups: Vec<GroupOutlook>,
    /// What holds retries of the projects back.
    pub holds: Vec<Hold>,
}

/// One POST of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DraftChunk {
    /// The project.
    pub project: String,
    /// The group.
    pub group_id: String,
    /// The job type.
    pub job_type: String,
    /// Hash of the parameters.
    pub config_hash: String,
    /// Whether the cache is cleared, because these items were tried before.
    pub second_try: bool,
    /// The items.
    pub item_ids: Vec<String>,
}

/// An item that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// The item.
    pub item_id: String,
    /// Why, as people read it.
    pub why: String,
}

/// A project's part of a plan, with what executing it needs.
pub(super) struct Part {
    pub(super) project: String,
    pub(super) plan: Plan,
    groups: Vec<GroupOutlook>,
    hold: Option<Hold>,
}

impl Reprocess<'_> {
    /// Makes a plan and keeps it for an hour. Nothing is posted.
    ///
    /// # Errors
    /// The ledger refuses.
    pub async fn draft(&self, request: Request, actor: &str, now: Timestamp) -> anyhow::Result<Draft> {
        let rows = self.rows(Which::Items(request.items.clone())).await?;
        let configs = self.job_configs(&rows, now).await?;
        let selection = Selection::Manual { limit: request.limit, force_attempts: request.force_attempts };
        let parts = self.parts(&rows, &configs, selection, now).await?;
        let draft = self.freeze(request, parts, &rows, &configs, now).await?;
        self.keep(&draft, actor).await?;
        Ok(draft)
    }

    /// One plan for each project, under common budgets and a common limit.
    pub(super) async fn parts(
        &self,
        rows: &[Retriable],
        configs: &JobConfigs,
        selection: Selection,
        now: Timestamp,
    ) -> anyhow::Result<Vec<Part>> {
        let mut parts: Vec<Part> = Vec::new();
        let mut selection = selection;
        for project in Reprocess::projects_of(rows) {
            let mut facts = self.facts(&project, rows, configs, now).await?;
            for chunk in parts.iter().flat_map(|part| &part.plan.chunks) {
                chunk.item_ids.iter().for_each(|_| facts.spent.debit(&chunk.group_id, 0.0));
                facts.spent.credits_day += chunk.credits;
            }
            let limits = self.limits_of(&project);
            let plan = plan(&input(&facts, selection, &limits, now));
            if let Selection::Manual { limit: Some(limit), .. } = &mut selection {
                *limit = limit.saturating_sub(u32::try_from(plan.item_ids().count()).unwrap_or(u32::MAX));
            }
            let groups = facts.groups.iter().map(|group| {
                let items = || facts.items.iter().filter(|item| item.group_id == group.group_id);
                let attempts = items().map(|item| item.attempts_in_life).sum();
                let asked = u32::try_from(items().count()).unwrap_or(u32::MAX);
                GroupOutlook::new(&group.group_id, &group.state, asked, attempts, now)
            });
            let (groups, hold) = (groups.collect(), Hold::of_people(&project, &facts.stored_gate, now));
            parts.push(Part { project, plan, groups, hold });
        }
        Ok(parts)
    }

    /// The limits for a project: its API may take fewer items in a request.
    pub(super) fn limits_of(&self, project: &str) -> Limits {
        let most = self.project(project).and_then(|project| project.source.items_per_request());
        let most = most.and_then(|most| u32::try_from(most).ok()).unwrap_or(u32::MAX);
        let limits = limits(self.config);
        Limits { chunk: limits.chunk.min(most), ..limits }
    }

    async fn freeze(
        &self,
        request: Request,
        parts: Vec<Part>,
        rows: &[Retriable],
        configs: &JobConfigs,
        now: Timestamp,
    ) -> anyhow::Result<Draft> {
        let limits = limits(self.config);
        let spent = self.ledger.read(move |connection| crate::ledger::spent::until(connection, now)).await?;
        let plans = || parts.iter().map(|part| &part.plan);
        let items: u32 = plans().map(|plan| u32::try_from(plan.item_ids().count()).unwrap_or(u32::MAX)).sum();
        let unpriced: u32 = plans().map(|plan| plan.unpriced).sum();
        let chunks = parts.iter().flat_map(|part| part.plan.chunks.iter().map(|chunk| frozen(&part.project, chunk)));
        let excluded = plans().flat_map(|plan| &plan.excluded).map(|left| Excluded {
            item_id: left.item_id.clone(),
            why: why(&left.exclusion, rows.iter().find(|row| row.item_id == left.item_id), configs),
        });
        let hashes = plans().flat_map(|plan| plan.chunks.iter().map(|chunk| chunk.config_hash.as_str())).collect();
        Ok(Draft {
            plan_id: format!("P-{}", Ulid::new()),
            created_at: now,
            expires_at: now + PLAN_LIFE,
            request,
            items,
            set_hash: crate::core::reprocess::set_hash(plans().flat_map(Plan::item_ids)),
            chunks: chunks.collect(),
            lost_parameters: configs.lost(&hashes),
            excluded: excluded.collect(),
            credits: (unpriced == 0).then(|| total(plans().map(|plan| plan.credits))),
            budget_left: BTreeMap::from([
                ("per-hour".to_owned(), limits.per_hour.saturating_sub(spent.hour)),
                ("per-day".to_owned(), limits.per_day.saturating_sub(spent.day)),
            ]),
            groups: parts.iter().flat_map(|part| part.groups.clone()).collect(),
            holds: parts.iter().filter_map(|part| part.hold.clone()).collect(),
        })
    }

    async fn keep(&self, draft: &Draft, actor: &str) -> anyhow::Result<()> {
        let plan = StoredPlan {
            plan_id: draft.plan_id.clone(),
            created_at: draft.created_at,
            expires_at: draft.expires_at,
            actor: actor.to_owned(),
            request: serde_json::to_string(&draft.request).context("the request")?,
            model: serde_json::to_string(draft).context("the plan")?,
            applied_at: None,
            applied_by: None,
            reason: None,
            executed_at: None,
            result: None,
        };
        let detail =
            serde_json::json!({ "items": draft.items, "excluded": draft.excluded.len(), "set": draft.set_hash });
        self.ledger
            .write(move |tx| {
                stored::add(tx, &plan)?;
                let (actor, subject) = (plan.actor.as_str(), plan.plan_id.as_str());
                let act =
                    Act { actor, action: "reprocess plan", subject, reason: None, detail: Some(detail.to_string()) };
                audit::record(tx, &act, plan.created_at)
            })
            .await?;
        Ok(())
    }
}

/// What the core decides on, by hand.
pub(super) fn input<'a>(facts: &'a Facts, selection: Selection, limits: &'a Limits, now: Timestamp) -> PlanInput<'a> {
    PlanInput {
        now,
        selection,
        groups: &facts.groups,
        items: &facts.items,
        gate: facts.stored_gate.gate,
        weather: facts.weather,
        spent: &facts.spent,
        limits,
    }
}

fn frozen(project: &str, chunk: &Chunk) -> DraftChunk {
    DraftChunk {
        project: project.to_owned(),
        group_id: chunk.group_id.clone(),
        job_type: chunk.job_type.clone(),
        config_hash: chunk.config_hash.clone(),
        second_try: chunk.second_try,
        item_ids: chunk.item_ids.clone(),
    }
}

fn why(exclusion: &Exclusion, row: Option<&Retriable>, configs: &JobConfigs) -> String {
    match (exclusion, row.map(|row| configs.of(row))) {
        (Exclusion::NoJobConfig, Some(Err(why))) => format!("{exclusion} ({why})"),
        _ => exclusion.to_string(),
    }
}
