//! What `reprocess status` prints.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::commands::reprocess::{Format, intents};
use crate::exit::Exit;
use crate::ledger::error::LedgerError;
use crate::ledger::{Connection, Ledger};
use crate::model::text::{count, lines};
use crate::reprocess::plans::approved::{begun, result_by_now, too_many, waits_until};
use crate::reprocess::plans::draft::Draft;
use crate::reprocess::plans::hold_summary::Hold;
use crate::reprocess::store::attempt;
use crate::reprocess::store::breaker::{self, Resting};
use crate::reprocess::store::gate::{self, StoredGate};
use crate::reprocess::store::intent::StoredIntent;
use crate::reprocess::store::plan::{self, StoredPlan};
use crate::say;

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

pub(crate) async fn status(ledger: &Ledger, now: Timestamp, format: Format) -> anyhow::Result<Exit> {
    let mut rows = Vec::new();
    let (shown, more) = intents(ledger).await?;
    for intent in shown {
        let id = intent.intent_id.clone();
        let outcomes = ledger.read(move |connection| attempt::outcomes(connection, &id)).await?;
        rows.push((intent, outcomes));
    }
    let plans = ledger.read(plan::unfinished).await?;
    let over = ledger.read(move |connection| over(connection, now)).await?;
    let gates = ledger.read(gate::all).await?;
    let of = |(project, stored): &(String, StoredGate)| {
        [Hold::of(project, stored, now), Hold::waiting(project, stored, now)]
    };
    let holds: Vec<Hold> = gates.iter().flat_map(of).flatten().collect();
    let groups = ledger.read(breaker::resting).await?;
    match format {
        Format::Json => {
            let answer = json!({
                "schema_version": 1,
                "generated_at": now,
                "more": more,
                "rows": rows.iter().map(|(intent, outcomes)| row(intent, outcomes)).collect::<Vec<_>>(),
                "holds": holds,
                "breakers": groups.iter().map(breaker_row).collect::<Vec<_>>(),
                "approved_plans": plans.iter().map(|plan| &plan.plan_id).collect::<Vec<_>>(),
                "plans_over": over.iter().map(plan_row).collect::<Vec<_>>(),
            });
            say!("{}", serde_json::to_string_pretty(&answer)?);
        }
        Format::Table => {
            let mut text = String::new();
            for plan in &plans {
                text.push_str(&format!("{}  {}\n", plan.plan_id, awaited(plan, ledger, now).await?));
            }
            for plan in &over {
                text.push_str(&format!("{}  {}\n", plan.plan_id, plan.result.as_deref().unwrap_or_default()));
            }
            for hold in &holds {
                text.push_str(&format!("Held: {}\n", held(hold)));
            }
            for group in &groups {
                text.push_str(&format!("Held: {}\n", resting(group, now)));
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

/// The plans that are over, with what is known by now of what came of them.
fn over(connection: &Connection, now: Timestamp) -> Result<Vec<StoredPlan>, LedgerError> {
    let mut plans = plan::ended_since(connection, now - PLANS_SHOWN)?;
    for plan in &mut plans {
        plan.result = result_by_now(connection, plan)?;
    }
    Ok(plans)
}

/// What an approved plan waits for.
async fn awaited(plan: &StoredPlan, ledger: &Ledger, now: Timestamp) -> anyhow::Result<String> {
    let stands = if plan.executed_at.is_some() { "begun" } else { "approved" };
    let draft: Draft = serde_json::from_str(&plan.model)?;
    Ok(match waits_until(ledger, &draft, begun(plan), now).await? {
        Some(until) => {
            format!("{stands}, {}: the first cycle after that continues", too_many(until))
        }
        None => format!("{stands}, continues with the next cycle at the latest"),
    })
}

fn plan_row(plan: &StoredPlan) -> Value {
    json!({ "plan_id": plan.plan_id, "applied_at": plan.applied_at, "applied_by": plan.applied_by, "result": plan.result })
}

fn resting(group: &Resting, now: Timestamp) -> String {
    let id = &group.group_id;
    match (group.waits_for_decision(), group.until) {
        (Some(since), _) => left_to_a_person(id, since),
        (None, Some(until)) if now < until => format!("the breaker of {id} is open until {until:.0}"),
        (None, _) if group.parked.is_some() => waits_for_other_work(id),
        (None, _) => format!("the breaker of {id} allows one item"),
    }
}

fn breaker_row(group: &Resting) -> Value {
    json!({
        "group_id": group.group_id,
        "open_until": group.until,
        "parked_since": group.parked.map(|parked| parked.since),
        "waits_for_decision": group.waits_for_decision().is_some(),
    })
}

pub(crate) fn left_to_a_person(group_id: &str, since: Timestamp) -> String {
    format!(
        "{group_id} needs a decision since {since:.0}; `llama-triage breaker reset {group_id} --reason TEXT` retries it"
    )
}

pub(crate) fn waits_for_other_work(group_id: &str) -> String {
    format!(
        "the canary of {group_id} failed while too few other items finished to compare; another is sent automatically when enough have finished"
    )
}

/// What went wrong with an intent; none once its batch is known, for an unclear answer was cleared up by that.
fn trouble(intent: &StoredIntent) -> Option<&str> {
    intent.error.as_deref().filter(|_| intent.intent.state.batch_ids().is_empty())
}

fn row(intent: &StoredIntent, outcomes: &[(String, u32)]) -> Value {
    json!({
        "intent_id": intent.intent_id,
        "plan_id": intent.plan_id,
        "project": intent.project,
        "group_id": intent.group_id,
        "trigger": intent.trigger,
        "actor": intent.actor,
        "state": intent.word,
        "items": intent.items.len(),
        "batch_ids": intent.intent.state.batch_ids(),
        "created_at": intent.created_at,
        "posting_at": intent.intent.posting_at,
        "outcomes": outcomes.iter().cloned().collect::<BTreeMap<String, u32>>(),
        "error": trouble(intent),
    })
}

fn line(intent: &StoredIntent, outcomes: &[(String, u32)]) -> String {
    let told: Vec<String> =
        outcomes.iter().map(|(outcome, items)| format!("{items} {}", outcome.replace('_', " "))).collect();
    let error = trouble(intent).map_or_else(String::new, |error| format!("  {error}"));
    format!(
        "{}  {:.0}  {:<13} {:>10}  {}  {}{error}\n",
        intent.intent_id,
        intent.created_at,
        intent.word,
        items(intent.items.len()),
        intent.group_id,
        told.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reprocess::policy::group_state::Parked;

    #[test]
    fn a_rest_that_is_over_is_not_shown_as_one() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let said =
            |until, parked, now| resting(&Resting { group_id: "g-1".to_owned(), until, parked, open_items: 1 }, now);
        let parked = |compared| Some(Parked { since: at(0), compared });
        assert_eq!(said(Some(at(60)), None, at(59)), "the breaker of g-1 is open until 1970-01-01T00:01:00Z");
        assert_eq!(said(Some(at(60)), None, at(60)), "the breaker of g-1 allows one item");
        for until in [Some(at(60)), None] {
            let left = said(until, parked(true), at(60));
            assert!(left.starts_with("g-1 needs a decision since 1970-01-01T00:00:00Z; "), "{left}");
            assert!(left.contains("breaker reset g-1"), "{left}");
            let left = said(until, parked(false), at(60));
            assert!(left.contains("is sent automatically"), "{left}");
        }
    }
}
