//! A plan as it is frozen: which items, in which chunks, at what cost, and why not the others.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::config::reprocess::Mode;
use crate::grouping::store_group;
use crate::ledger::audit::{self, Act};
use crate::ledger::error::LedgerError;
use crate::llamacloud::Cloud;
use crate::model::class::Class;
use crate::reprocess::Reprocess;
use crate::reprocess::facts::{Facts, Lane, limits};
use crate::reprocess::intents::job_config::JobConfigs;
use crate::reprocess::plans::hold_summary::{GroupOutlook, Hold};
use crate::reprocess::policy::budget::{Budget, Spent};
use crate::reprocess::policy::chunk::Chunk;
use crate::reprocess::policy::eligibility::exclusion;
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::policy::plan::{Plan, Selection, plan, total};
use crate::reprocess::store::attempt;
use crate::reprocess::store::plan as stored;
use crate::reprocess::store::plan::StoredPlan;
use crate::reprocess::store::retriable::{Retriable, Which};
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    pub chunks: Vec<DraftPost>,
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

/// One POST of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DraftPost {
    /// The project.
    pub project: String,
    /// What it holds.
    #[serde(flatten)]
    pub chunk: Chunk,
}

/// An item that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftExclusion {
    /// The item.
    pub item_id: String,
    /// Why, as people read it.
    pub why: String,
}

/// A project's part of a plan, with what executing it needs.
pub(crate) struct Part {
    pub(crate) project: String,
    pub(crate) plan: Plan,
    groups: Vec<GroupOutlook>,
    holds: Vec<Hold>,
    not_by_itself: Vec<DraftExclusion>,
}

impl Draft {
    /// The chosen items.
    pub fn item_ids(&self) -> impl Iterator<Item = &str> {
        self.chunks.iter().flat_map(|post| post.chunk.item_ids.iter().map(String::as_str))
    }

    /// The projects of the chosen items.
    pub(crate) fn projects(&self) -> BTreeSet<String> {
        self.chunks.iter().map(|post| post.project.clone()).collect()
    }

    /// The chosen items with the classes that the person saw.
    pub(crate) fn classes(&self) -> BTreeMap<&str, Class> {
        let chunks = self.chunks.iter().map(|post| &post.chunk);
        chunks.flat_map(|chunk| chunk.item_ids.iter().map(String::as_str).zip(chunk.classes.iter().copied())).collect()
    }
}

impl Reprocess<'_> {
    /// Makes a plan and keeps it for an hour. Nothing is posted.
    ///
    /// # Errors
    /// The ledger refuses.
    pub async fn draft(&self, request: Request, actor: &str, now: Timestamp) -> anyhow::Result<Draft> {
        let rows = self.rows(Which::Items(request.items.clone())).await?;
        let configs = self.job_configs(&rows, now).await?;
        let parts = self.parts(&rows, &configs, request.selection(request.limit), now).await?;
        let draft = self.freeze(request, parts, &rows, &configs, now).await?;
        self.keep(&draft, actor).await?;
        Ok(draft)
    }

    /// One plan for each lane of each project, under common budgets and a common limit.
    pub(crate) async fn parts(
        &self,
        rows: &[Retriable],
        configs: &JobConfigs,
        selection: Selection,
        now: Timestamp,
    ) -> anyhow::Result<Vec<Part>> {
        let mut parts: Vec<Part> = Vec::new();
        let mut selection = selection;
        let projects = Reprocess::projects_of(rows).into_iter();
        for lane in projects.flat_map(|project| Reprocess::lanes_of(&project, rows, configs)) {
            let mut facts = self.facts(&lane, rows, configs, now).await?;
            for chunk in parts.iter().flat_map(|part| &part.plan.chunks) {
                chunk.item_ids.iter().for_each(|_| facts.spent.debit(&chunk.group_id, 0.0));
                facts.spent.credits_day += chunk.credits;
            }
            let limits = self.limits_of(&lane);
            let plan = plan(&facts.input(selection, &limits, now));
            if let Selection::Manual { limit: Some(limit), .. } = &mut selection {
                *limit = limit.saturating_sub(plan.count());
            }
            let groups = facts.groups.iter().map(|group| {
                let items = || facts.items.iter().filter(|item| item.group_id == group.group_id);
                let attempts = items().map(|item| item.attempts_in_life).sum();
                let asked = u32::try_from(items().count()).unwrap_or(u32::MAX);
                GroupOutlook { items: asked, attempts, ..GroupOutlook::new(group, &limits, now) }
            });
            let groups = self.titled(groups.collect()).await?;
            let project = lane.project;
            let is_held_already = parts.iter().any(|part| part.project == project);
            let holds = if is_held_already { Vec::new() } else { Hold::manual(&project, &facts.stored_account, now) };
            let not_by_itself = self.not_by_itself(&plan, &facts, &limits, now);
            parts.push(Part { project, plan, groups, holds, not_by_itself });
        }
        Ok(parts)
    }

    /// Which items of a person's plan the service would not retry now, each judged alone.
    fn not_by_itself(&self, plan: &Plan, facts: &Facts, limits: &Limits, now: Timestamp) -> Vec<DraftExclusion> {
        let chosen: BTreeSet<&str> = plan.item_ids().collect();
        let input = facts.input(Selection::Auto, limits, now);
        let items = facts.items.iter().filter(|item| chosen.contains(item.item_id.as_str()));
        let why = items.filter_map(|item| {
            let turn = || facts.groups.iter().find(|group| group.group_id == item.group_id)?.exclusion(limits, now);
            let exclusion = exclusion(item, &input).or_else(turn)?;
            let shown = self.config.mode != Mode::Off || exclusion == Exclusion::Refused;
            shown.then(|| DraftExclusion { item_id: item.item_id.clone(), why: exclusion.to_string() })
        });
        why.collect()
    }

    async fn titled(&self, mut groups: Vec<GroupOutlook>) -> Result<Vec<GroupOutlook>, LedgerError> {
        self.ledger
            .read(move |connection| {
                for outlook in &mut groups {
                    outlook.title = store_group::title(connection, &outlook.group_id)?.unwrap_or_default();
                }
                Ok(groups)
            })
            .await
    }

    /// When the last complete scans of these projects began, the earliest of them; none if one was never scanned so.
    async fn known_until(&self, parts: &[Part]) -> Result<Option<Timestamp>, LedgerError> {
        let projects: Vec<String> = parts.iter().map(|part| part.project.clone()).collect();
        let known = move |connection: &_| {
            let known = projects.iter().map(|project| project::known_until(connection, project));
            Ok(known.collect::<Result<Vec<_>, _>>()?.into_iter().min().flatten())
        };
        self.ledger.read(known).await
    }

    /// The limits for a lane: its API may take fewer items in a request.
    pub(crate) fn limits_of(&self, lane: &Lane) -> Limits {
        let most = lane.api.and_then(Cloud::items_per_request);
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
        let spent =
            self.ledger.read(move |connection| crate::reprocess::store::budget_usage::until(connection, now)).await?;
        let as_of = self.known_until(&parts).await?;
        let ids =
            parts.iter().flat_map(|part| part.groups.iter().map(|group| group.group_id.clone())).collect::<Vec<_>>();
        let billed_each = self.ledger.read(move |connection| attempt::billed_each(connection, &ids)).await?;
        let plans = || parts.iter().map(|part| &part.plan);
        let items: u32 = plans().map(Plan::count).sum();
        let unpriced: u32 = plans().flat_map(|plan| &plan.chunks).map(|chunk| chunk.unpriced).sum();
        let frozen = |part: &Part, chunk: &Chunk| DraftPost { project: part.project.clone(), chunk: chunk.clone() };
        let chunks = parts.iter().flat_map(|part| part.plan.chunks.iter().map(move |chunk| frozen(part, chunk)));
        let excluded = plans()
            .flat_map(|plan| &plan.excluded)
            .map(|left| DraftExclusion { item_id: left.item_id.clone(), why: configs.why(left, rows) });
        let hashes = plans().flat_map(|plan| plan.chunks.iter().map(|chunk| chunk.config_hash.as_str())).collect();
        Ok(Draft {
            plan_id: format!("P-{}", Ulid::generate()),
            created_at: now,
            as_of,
            expires_at: now + stored::LIFE,
            request,
            items,
            set_hash: crate::reprocess::policy::chunk::set_hash(plans().flat_map(Plan::item_ids)),
            chunks: chunks.collect(),
            lost_parameters: configs.lost(&hashes),
            excluded: excluded.collect(),
            not_by_itself: parts.iter().flat_map(|part| part.not_by_itself.clone()).collect(),
            credits: (unpriced == 0).then(|| total(plans().map(Plan::credits))),
            billed_each,
            budget_left: budgets(&limits, &spent, &parts),
            groups: parts.iter().flat_map(|part| part.groups.clone()).collect(),
            holds: parts.iter().flat_map(|part| part.holds.clone()).collect(),
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
            unclear_items: 0,
            cancelled_by: None,
        };
        let detail =
            serde_json::json!({ "items": draft.items, "excluded": draft.excluded.len(), "set": draft.set_hash });
        self.ledger
            .write(move |tx| {
                stored::add(tx, &plan)?;
                let (actor, subject) = (plan.actor.as_str(), plan.plan_id.as_str());
                let act =
                    Act { actor, action: "reprocess plan", subject, reason: None, detail: Some(detail.to_string()) };
                audit::record(tx, &act, plan.created_at)?;
                Ok(())
            })
            .await?;
        Ok(())
    }
}

/// What is left of the budgets before the plan; of those of groups, the least.
fn budgets(limits: &Limits, spent: &Spent, parts: &[Part]) -> BTreeMap<String, u32> {
    let groups = parts.iter().flat_map(|part| &part.groups);
    let of_groups = groups.map(|group| spent.group_day.get(&group.group_id).copied().unwrap_or(0));
    let left = [
        (Budget::PerRun, limits.per_run),
        (Budget::PerHour, limits.per_hour.saturating_sub(spent.hour)),
        (Budget::PerDay, limits.per_day.saturating_sub(spent.day)),
        (Budget::PerGroupPerDay, limits.per_group_per_day.saturating_sub(of_groups.max().unwrap_or(0))),
    ];
    left.into_iter().map(|(budget, left)| (budget.to_string(), left)).collect()
}
