//! What `reprocess status` prints.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::commands::reprocess::{Format, intents};
use crate::config::reprocess::ReprocessConfig;
use crate::exit::Exit;
use crate::ledger::error::LedgerError;
use crate::ledger::{Connection, Ledger};
use crate::model::text::{count, lines};
use crate::reprocess::plans::draft::Draft;
use crate::reprocess::plans::execute::result_by_now;
use crate::reprocess::plans::hold_summary::{GroupOutlook, Hold};
use crate::reprocess::plans::waits::{begun, too_many, waits_until};
use crate::reprocess::store::intent::Intent;
use crate::reprocess::store::named::short;
use crate::reprocess::store::plan::{self, StoredPlan};
use crate::reprocess::store::{attempt, history};
use crate::say;
use crate::scan::store::project;

/// "13 items in 3 POSTs".
pub(crate) fn size(draft: &Draft) -> String {
    format!("{} in {}", count(draft.items as u64, "item", "items"), count(draft.chunks.len() as u64, "POST", "POSTs"))
}

/// How long a plan that is over is shown.
const PLANS_SHOWN: SignedDuration = SignedDuration::from_hours(24);

pub(crate) fn items(n: usize) -> String {
    count(n as u64, "item", "items")
}

pub(crate) fn held(hold: &Hold) -> String {
    let until = hold.until.map_or_else(String::new, |until| format!(" until {until:.0}"));
    let why = hold.why.as_deref().map_or_else(String::new, |why| format!(": {why}"));
    format!("retries of project {} ({}{until}){why}", hold.project, hold.state)
}

pub(crate) async fn status(
    ledger: &Ledger,
    config: &ReprocessConfig,
    now: Timestamp,
    format: Format,
) -> anyhow::Result<Exit> {
    let mut rows = Vec::new();
    let (shown, more) = intents(ledger).await?;
    for intent in shown {
        let id = intent.intent_id.clone();
        let outcomes = ledger.read(move |connection| attempt::outcomes(connection, &id)).await?;
        rows.push((intent, outcomes));
    }
    let unapplied = ledger.read(move |connection| plan::unapplied(connection, now)).await?;
    let plans = ledger.read(plan::unfinished).await?;
    let over = ledger.read(move |connection| over(connection, now)).await?;
    let holds = ledger.read(move |connection| holds(connection, now)).await?;
    let groups = ledger.read(history::retried).await?;
    let groups: Vec<(String, GroupOutlook)> =
        groups.into_iter().map(|(project, group)| (project, GroupOutlook::new(&group, config, now))).collect();
    match format {
        Format::Json => {
            let answer = json!({
                "schema_version": 1,
                "generated_at": now,
                "more": more,
                "rows": rows.iter().map(|(intent, outcomes)| row(intent, outcomes)).collect::<Vec<_>>(),
                "holds": holds,
                "groups": groups.iter().map(|(project, group)| group_row(project, group)).collect::<Vec<_>>(),
                "unapplied_plans": unapplied.iter().map(unapplied_row).collect::<Vec<_>>(),
                "approved_plans": plans.iter().map(|plan| &plan.plan_id).collect::<Vec<_>>(),
                "plans_over": over.iter().map(plan_row).collect::<Vec<_>>(),
            });
            say!("{}", serde_json::to_string_pretty(&answer)?);
        }
        Format::Table => {
            let mut text = String::new();
            for plan in &unapplied {
                text.push_str(&describe_waiting(plan)?);
            }
            for plan in &plans {
                text.push_str(&format!("{}  {}\n", short(&plan.plan_id), awaited(plan, ledger, now).await?));
            }
            for plan in &over {
                text.push_str(&format!("{}  {}\n", short(&plan.plan_id), plan.result.as_deref().unwrap_or_default()));
            }
            for hold in &holds {
                text.push_str(&format!("Held: {}\n", held(hold)));
            }
            let several = groups.iter().any(|(project, _)| *project != groups[0].0);
            for (project, group) in &groups {
                let decision = if group.given_up > 0 { needs_decision(&group.group_id) } else { String::new() };
                let of = if several { format!(" of project {project}") } else { String::new() };
                text.push_str(&format!("{}{of}: {}{decision}\n", group.group_id, group.outlook));
            }
            for (intent, outcomes) in &rows {
                text.push_str(&line(intent, outcomes));
            }
            if more {
                text.push_str("Only the newest; all: llama-triage report retries --limit 0\n");
            }
            if text.is_empty() {
                text.push_str("No retries yet.");
            }
            say!("{}", lines(text.trim_end()));
        }
    }
    Ok(Exit::Done)
}

/// What holds retries of projects back.
fn holds(connection: &Connection, now: Timestamp) -> Result<Vec<Hold>, LedgerError> {
    let holds = project::names(connection)?.into_iter().map(|project| Hold::of_project(connection, &project, now));
    Ok(holds.collect::<Result<Vec<_>, _>>()?.concat())
}

fn group_row(project: &str, group: &GroupOutlook) -> Value {
    json!({
        "project": project,
        "group_id": group.group_id,
        "recovered": group.recovered,
        "ended": group.ended,
        "belief": group.belief,
        "outlook": group.outlook,
        "given_up": group.given_up,
        "decision_since": group.decision_since,
    })
}

/// The finished plans, with their results as known now.
fn over(connection: &Connection, now: Timestamp) -> Result<Vec<StoredPlan>, LedgerError> {
    let mut plans = plan::ended_since(connection, now - PLANS_SHOWN)?;
    for plan in &mut plans {
        plan.result = result_by_now(connection, plan)?;
    }
    Ok(plans)
}

/// A plan that waits for a person; nothing if there is nothing in it to submit.
fn describe_waiting(plan: &StoredPlan) -> anyhow::Result<String> {
    let (draft, id) = (Draft::of(plan)?, short(&plan.plan_id));
    Ok(match draft.items {
        0 => String::new(),
        _ => format!(
            "{id}  not applied, {}; until {:.0}: llama-triage reprocess apply {id} --reason TEXT\n",
            size(&draft),
            plan.expires_at
        ),
    })
}

/// What an approved plan waits for.
async fn awaited(plan: &StoredPlan, ledger: &Ledger, now: Timestamp) -> anyhow::Result<String> {
    let stands = if plan.executed_at.is_some() { "started" } else { "approved" };
    let draft = Draft::of(plan)?;
    Ok(match waits_until(ledger, &draft, begun(plan), now).await? {
        Some(until) => {
            format!("{stands}, {}: the first cycle after that continues", too_many(until))
        }
        None => format!("{stands}, continues with the next cycle at the latest"),
    })
}

fn unapplied_row(plan: &StoredPlan) -> Value {
    json!({ "plan_id": plan.plan_id, "created_at": plan.created_at, "expires_at": plan.expires_at, "actor": plan.actor })
}

fn plan_row(plan: &StoredPlan) -> Value {
    json!({ "plan_id": plan.plan_id, "applied_at": plan.applied_at, "applied_by": plan.applied_by, "result": plan.result })
}

fn needs_decision(group_id: &str) -> String {
    format!("; `llama-triage reprocess resume {group_id} --reason TEXT` tries again")
}

/// The error of an intent; none once its batch is known, because that resolves an unclear response.
fn post_error(intent: &Intent) -> Option<&str> {
    intent.error.as_deref().filter(|_| intent.batch_ids.is_empty())
}

fn row(intent: &Intent, outcomes: &[(String, u32)]) -> Value {
    json!({
        "intent_id": intent.intent_id,
        "plan_id": intent.plan_id,
        "project": intent.project,
        "group_id": intent.group_id,
        "trigger": intent.trigger,
        "actor": intent.actor,
        "state": intent.state.to_string(),
        "items": intent.items.len(),
        "batch_ids": intent.batch_ids,
        "created_at": intent.created_at,
        "posting_at": intent.posting_at,
        "outcomes": outcomes.iter().cloned().collect::<BTreeMap<String, u32>>(),
        "error": post_error(intent),
    })
}

fn line(intent: &Intent, outcomes: &[(String, u32)]) -> String {
    let told: Vec<String> =
        outcomes.iter().map(|(outcome, items)| format!("{items} {}", outcome.replace('_', " "))).collect();
    let error = post_error(intent).map_or_else(String::new, |error| format!("  {error}"));
    format!(
        "{}  {:.0}  {:<13} {:>10}  {}  {}{error}\n",
        short(&intent.intent_id),
        intent.created_at,
        intent.state,
        items(intent.items.len()),
        intent.group_id,
        told.join(", ")
    )
}
