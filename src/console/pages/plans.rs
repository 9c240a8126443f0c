//! `/plans` and `/p/ID`: plans and what became of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::console::desk::{Desk, Paging, ROWS, offset, page_of};
use crate::console::error::PageError;
use crate::console::pages::Pairs;
use crate::ledger::Connection;
use crate::report::filter::Filter;
use crate::reprocess::intents::end::cannot_give_up;
use crate::reprocess::plans::draft::{Draft, DraftExclusion};
use crate::reprocess::plans::execute::result_by_now;
use crate::reprocess::protocol::intent::IntentState;
use crate::reprocess::store::intent::Intent;
use crate::reprocess::store::named::{self, short};
use crate::reprocess::store::plan::{self, StoredPlan};
use crate::reprocess::store::{attempt, intent};

/// Lines of each list of a plan.
const MOST: usize = 20;

#[derive(Serialize)]
struct Plans {
    /// Retries that are not over, whoever started them.
    under_way: Vec<IntentLine>,
    plans: Vec<PlanLine>,
    paging: Paging,
}

#[derive(Serialize)]
struct PlanLine {
    plan_id: String,
    short: String,
    items: u32,
    actor: String,
    created_at: Timestamp,
    stands: &'static str,
    applied_at: Option<Timestamp>,
    applied_by: Option<String>,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Page {
    plan: PlanLine,
    chunks: Vec<ChunkLine>,
    excluded: Vec<Reason>,
    manual: Vec<Reason>,
    intents: Vec<IntentLine>,
    result: Option<String>,
    may_apply: bool,
    draft: Draft,
}

/// POSTs that look alike.
#[derive(Serialize)]
struct ChunkLine {
    items: u64,
    job_type: String,
    project: String,
    group_id: String,
    title: String,
    times: u64,
}

/// Why items were left out.
#[derive(Serialize)]
struct Reason {
    items: u64,
    why: String,
}

#[derive(Serialize)]
struct IntentLine {
    intent_id: String,
    short: String,
    project: String,
    group_id: String,
    actor: String,
    state: String,
    items: u64,
    outcomes: Vec<(String, u32)>,
    created_at: Timestamp,
    error: Option<String>,
    /// Whether the visitor may cancel it, because nothing of it was sent.
    may_cancel: bool,
    /// Whether the visitor may end it, because its outcome cannot be determined.
    may_abandon: bool,
}

/// Makes the list.
///
/// # Errors
/// The ledger cannot be read.
pub(crate) fn list(desk: &Desk<'_>, query: &Pairs) -> Result<String, PageError> {
    let (page, whole) = (page_of(query), Filter::default());
    let view = desk.view(&whole)?;
    let plans = plan::newest(view.connection, ROWS, offset(page))?;
    let paging = Paging::new(page, plans.len() as u64, None, &[]);
    let plans = plans.iter().map(|plan| Ok(line(plan, Draft::of(plan)?.items, desk.now)));
    let unsettled = if page == 1 { intent::unsettled(view.connection)? } else { Vec::new() };
    let under_way = unsettled.iter().rev().take(MOST).map(|intent| intent_line(desk, view.connection, intent));
    let lists = Plans {
        under_way: under_way.collect::<Result<_, _>>()?,
        plans: plans.collect::<Result<_, PageError>>()?,
        paging,
    };
    desk.render("plans.html", "Plans", "Plans", &lists)
}

fn line(plan: &StoredPlan, items: u32, now: Timestamp) -> PlanLine {
    PlanLine {
        plan_id: plan.plan_id.clone(),
        short: short(&plan.plan_id),
        items,
        actor: plan.actor.clone(),
        created_at: plan.created_at,
        stands: stands(plan, now),
        applied_at: plan.applied_at,
        applied_by: plan.applied_by.clone(),
        reason: plan.reason.clone(),
    }
}

/// Where a plan stands.
fn stands(plan: &StoredPlan, now: Timestamp) -> &'static str {
    match (plan.result.is_some(), plan.applied_at, plan.executed_at) {
        (true, _, _) if plan.cancelled_by.is_some() => "cancelled",
        (true, _, _) => "over",
        (false, _, Some(_)) => "being submitted",
        (false, Some(_), None) => "approved",
        (false, None, None) if now > plan.expires_at => "expired",
        (false, None, None) => "to approve",
    }
}

/// The plan whose id is this or begins or ends with it.
///
/// # Errors
/// There is none, or there are several.
pub(crate) fn find(desk: &Desk<'_>, typed: &str) -> Result<StoredPlan, PageError> {
    let whole = Filter::default();
    let view = desk.view(&whole)?;
    let none = || PageError::NotFound(format!("plan {typed:?}"));
    let id = match named::plans(view.connection, typed)?.as_slice() {
        [] => return Err(none()),
        [one] => one.clone(),
        several => return Err(PageError::Several(format!("{typed:?} is short for {} plans", several.len()))),
    };
    plan::get(view.connection, &id)?.ok_or_else(none)
}

/// Makes the page of one plan.
///
/// # Errors
/// There is no such plan, or the ledger cannot be read.
pub(crate) fn show(desk: &Desk<'_>, id: &str) -> Result<String, PageError> {
    let stored = find(desk, id)?;
    let whole = Filter::default();
    let view = desk.view(&whole)?;
    let mut draft = Draft::of(&stored)?;
    let mut intents = Vec::new();
    for intent in intent::of_plan(view.connection, &stored.plan_id)?.into_iter().take(MOST) {
        intents.push(intent_line(desk, view.connection, &intent)?);
    }
    let stands = stands(&stored, desk.now);
    let page = Page {
        plan: line(&stored, draft.items, desk.now),
        chunks: chunks(&draft),
        excluded: reasons(&std::mem::take(&mut draft.excluded)),
        manual: reasons(&std::mem::take(&mut draft.not_by_itself)),
        result: result_by_now(view.connection, &stored)?,
        may_apply: desk.visitor.may_retry() && stands == "to approve" && draft.items > 0,
        intents,
        draft,
    };
    desk.render("plan.html", &format!("Plan {}", page.plan.short), "Plans", &page)
}

fn intent_line(desk: &Desk<'_>, connection: &Connection, intent: &Intent) -> Result<IntentLine, PageError> {
    let is_configured = desk.console.setup().projects.iter().any(|project| project.name == intent.project);
    let may_retry = desk.visitor.may_retry();
    Ok(IntentLine {
        outcomes: attempt::outcomes(connection, &intent.intent_id)?,
        intent_id: intent.intent_id.clone(),
        short: short(&intent.intent_id),
        project: intent.project.clone(),
        group_id: intent.group_id.clone(),
        actor: intent.actor.clone(),
        state: intent.state.to_string(),
        items: intent.items.len() as u64,
        created_at: intent.created_at,
        error: intent.error.clone().filter(|_| intent.batch_ids.is_empty()),
        may_cancel: may_retry && intent.state == IntentState::Planned,
        may_abandon: may_retry && cannot_give_up(intent, is_configured, desk.now).is_none(),
    })
}

fn chunks(draft: &Draft) -> Vec<ChunkLine> {
    let mut lines: Vec<ChunkLine> = Vec::new();
    for chunk in &draft.chunks {
        let items = chunk.item_ids.len() as u64;
        let same = lines.iter_mut().find(|line| {
            line.items == items
                && line.group_id == chunk.group_id
                && line.project == chunk.project
                && line.job_type == chunk.job_type
        });
        match same {
            Some(line) => line.times += 1,
            None => lines.push(ChunkLine {
                items,
                job_type: chunk.job_type.clone(),
                project: chunk.project.clone(),
                group_id: chunk.group_id.clone(),
                title: draft
                    .groups
                    .iter()
                    .find(|group| group.group_id == chunk.group_id)
                    .map_or_else(|| chunk.group_id.clone(), |group| group.title.clone()),
                times: 1,
            }),
        }
    }
    lines
}

/// How many items have each reason, the most first.
fn reasons(left: &[DraftExclusion]) -> Vec<Reason> {
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for one in left {
        *reasons.entry(&one.why).or_default() += 1;
    }
    let mut reasons: Vec<Reason> =
        reasons.into_iter().map(|(why, items)| Reason { items, why: why.to_owned() }).collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.items));
    reasons.truncate(MOST);
    reasons
}
