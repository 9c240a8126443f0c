//! What `reprocess plan` and `reprocess status` print.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Format, intents};
use crate::core::text::{count, cut_middle, lines, one_line};
use crate::exit::Exit;
use crate::ledger::breaker::Resting;
use crate::ledger::gate::StoredGate;
use crate::ledger::intent::StoredIntent;
use crate::ledger::plan::StoredPlan;
use crate::ledger::{Ledger, attempt, breaker, gate, plan};
use crate::service::reprocess::{Draft, Excluded, GroupOutlook, Hold, waits_until};

/// Reasons that the table names; JSON has every item.
const MOST_REASONS: usize = 10;

/// Characters of a group's title that the table shows.
const LONGEST_TITLE: usize = 60;

/// A plan made of older knowledge warns.
const OLD: SignedDuration = SignedDuration::from_hours(1);

/// How long a plan that is over is shown.
const PLANS_SHOWN: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn plan(draft: &Draft, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => {
            let mut answer = json!({ "schema_version": 1 });
            let fields = serde_json::to_value(draft)?;
            if let (Some(answer), Value::Object(fields)) = (answer.as_object_mut(), fields) {
                answer.extend(fields);
            }
            anstream::println!("{}", serde_json::to_string_pretty(&answer)?);
        }
        Format::Table => anstream::println!("{}", lines(&table(draft))),
    }
    Ok(())
}

/// "13 items in 3 POSTs".
pub(super) fn size(draft: &Draft) -> String {
    format!("{} in {}", count(draft.items as u64, "item", "items"), count(draft.chunks.len() as u64, "POST", "POSTs"))
}

fn items(n: usize) -> String {
    count(n as u64, "item", "items")
}

fn table(draft: &Draft) -> String {
    let mut text = format!("Plan {}: {}", draft.plan_id, size(draft));
    match draft.credits {
        _ if draft.items == 0 => text.push('\n'),
        Some(credits) => text.push_str(&format!(", about {credits} credits\n")),
        None => text.push_str("; set reprocess.credits-per-item for an estimate of the cost\n"),
    }
    text.push_str(&known(draft));
    for chunk in &draft.chunks {
        let cache = if chunk.second_try && chunk.job_type == "parse" { ", cache cleared" } else { "" };
        let group = draft.groups.iter().find(|group| group.group_id == chunk.group_id);
        let (class, title) = group.map_or(("", ""), |group| (group.class.as_str(), group.title.as_str()));
        text.push_str(&format!(
            "  {:>10}  {}  {class:<15}  {} of {}{cache}  {}\n",
            items(chunk.item_ids.len()),
            chunk.group_id,
            chunk.job_type,
            chunk.project,
            cut_middle(&one_line(title), LONGEST_TITLE)
        ));
    }
    if !draft.lost_parameters.is_empty() {
        let lost = draft.lost_parameters.join(", ");
        text.push_str(&format!(
            "Not sent again: {lost} (give them in [[reprocess.job-config]] if the result hangs on them)\n"
        ));
    }
    text.push_str(&by_reason("Left out", &draft.excluded));
    text.push_str(&by_reason("Not by itself", &draft.not_by_itself));
    for group in draft.groups.iter().filter(|group| group.breaker != "closed" || group.parked_since.is_some()) {
        text.push_str(&format!("Held back: {}\n", held_back(group)));
    }
    for hold in &draft.holds {
        text.push_str(&format!("Held back: {}\n", held(hold)));
    }
    let left: Vec<String> = draft.budget_left.iter().map(|(budget, left)| format!("{left} {budget}")).collect();
    text.push_str(&format!("Budget left: {}\n", left.join(", ")));
    text.push_str(&match draft.items {
        0 if draft.excluded.is_empty() => "Nothing can be submitted: no item that matches is open.".to_owned(),
        0 => "Nothing can be submitted.".to_owned(),
        _ => format!(
            "Submit it until {:.0}: llama-triage reprocess apply {} --reason TEXT",
            draft.expires_at, draft.plan_id
        ),
    });
    text
}

/// How many items have each reason, the most first.
fn by_reason(title: &str, left: &[Excluded]) -> String {
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for one in left {
        *reasons.entry(&one.why).or_default() += 1;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, items)| std::cmp::Reverse(*items));
    let mut text = if left.is_empty() { String::new() } else { format!("{title}: {}\n", items(left.len())) };
    for (why, items) in reasons.iter().take(MOST_REASONS) {
        text.push_str(&format!("  {items:>4}  {why}\n"));
    }
    text
}

/// How old the knowledge is that the plan was made of.
fn known(draft: &Draft) -> String {
    let before =
        "`llama-triage scan` brings what happened since; `apply` does so, too, and leaves out what has completed";
    match draft.as_of {
        None if draft.groups.is_empty() => String::new(),
        None => format!("Warning: a project of it was never scanned completely; {before}\n"),
        Some(at) if draft.created_at - at > OLD => {
            let age = (draft.created_at - at).as_hours();
            format!(
                "Warning: as of {at:.0}, the last complete scan, {} ago; {before}\n",
                count(age.unsigned_abs(), "hour", "hours")
            )
        }
        Some(at) => format!("As of {at:.0}, the last complete scan\n"),
    }
}

fn held_back(group: &GroupOutlook) -> String {
    match (group.parked_since, group.open_until) {
        (Some(since), _) if group.waits_for_decision => left_to_a_person(&group.group_id, since),
        (Some(_), _) => waits_for_other_work(&group.group_id),
        (None, Some(until)) => format!("the breaker of {} is {} until {until:.0}", group.group_id, group.breaker),
        (None, None) => format!("the breaker of {} is {}", group.group_id, group.breaker),
    }
}

fn held(hold: &Hold) -> String {
    let until = hold.until.map_or_else(String::new, |until| format!(" until {until:.0}"));
    let why = hold.why.as_deref().map_or_else(String::new, |why| format!(": {why}"));
    format!("retries of project {} ({}{until}){why}", hold.project, hold.state)
}

pub(super) async fn status(ledger: &Ledger, now: Timestamp, format: Format) -> anyhow::Result<Exit> {
    let mut rows = Vec::new();
    for intent in intents(ledger).await? {
        let id = intent.intent_id.clone();
        let outcomes = ledger.read(move |connection| attempt::outcomes(connection, &id)).await?;
        rows.push((intent, outcomes));
    }
    let plans = ledger.read(plan::unfinished).await?;
    let over = ledger.read(move |connection| plan::ended_since(connection, now - PLANS_SHOWN)).await?;
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
                "rows": rows.iter().map(|(intent, outcomes)| row(intent, outcomes)).collect::<Vec<_>>(),
                "holds": holds,
                "breakers": groups.iter().map(breaker_row).collect::<Vec<_>>(),
                "approved_plans": plans.iter().map(|plan| &plan.plan_id).collect::<Vec<_>>(),
                "plans_over": over.iter().map(plan_row).collect::<Vec<_>>(),
            });
            anstream::println!("{}", serde_json::to_string_pretty(&answer)?);
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
                text.push_str(&format!("Held back: {}\n", held(hold)));
            }
            for group in &groups {
                text.push_str(&format!("Held back: {}\n", resting(group, now)));
            }
            for (intent, outcomes) in &rows {
                text.push_str(&line(intent, outcomes));
            }
            if text.is_empty() {
                text.push_str("Nothing was retried yet.");
            }
            anstream::println!("{}", lines(text.trim_end()));
        }
    }
    Ok(Exit::Done)
}

/// What an approved plan waits for.
async fn awaited(plan: &StoredPlan, ledger: &Ledger, now: Timestamp) -> anyhow::Result<String> {
    let begun = if plan.executed_at.is_some() { "begun" } else { "approved" };
    let draft: Draft = serde_json::from_str(&plan.model)?;
    Ok(match waits_until(ledger, &draft, now).await? {
        Some(until) => {
            format!("{begun}, LlamaCloud asked to wait until {until:.0}: the first cycle after that goes on")
        }
        None => format!("{begun}, goes on with the next cycle at the latest"),
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
        (None, _) => format!("the breaker of {id} lets one item through"),
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

fn left_to_a_person(group_id: &str, since: Timestamp) -> String {
    format!(
        "{group_id} is left to a person since {since:.0}; `llama-triage breaker reset {group_id} --reason TEXT` risks another retry"
    )
}

fn waits_for_other_work(group_id: &str) -> String {
    format!(
        "the canary of {group_id} failed, and too little else was finished to compare with; another goes by itself once enough other work goes through"
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
    use crate::core::reprocess::{GroupState, Parked};

    #[test]
    fn a_rest_that_is_over_is_not_shown_as_one() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let said =
            |until, parked, now| resting(&Resting { group_id: "g-1".to_owned(), until, parked, open_items: 1 }, now);
        let parked = |compared| Some(Parked { since: at(0), compared });
        assert_eq!(said(Some(at(60)), None, at(59)), "the breaker of g-1 is open until 1970-01-01T00:01:00Z");
        assert_eq!(said(Some(at(60)), None, at(60)), "the breaker of g-1 lets one item through");
        for until in [Some(at(60)), None] {
            let left = said(until, parked(true), at(60));
            assert!(left.starts_with("g-1 is left to a person since 1970-01-01T00:00:00Z; "), "{left}");
            assert!(left.contains("breaker reset g-1"), "{left}");
            let left = said(until, parked(false), at(60));
            assert!(left.contains("another goes by itself"), "{left}");
        }
    }

    #[test]
    fn a_plan_says_whether_a_group_waits_for_a_person_or_for_other_work() {
        for (compared, told) in [(true, "left to a person"), (false, "another goes by itself")] {
            let parked = Some(Parked { since: Timestamp::UNIX_EPOCH, compared });
            let state = GroupState { parked, ..GroupState::default() };
            let said = held_back(&GroupOutlook::new("g-1", &state, 1, 1, Timestamp::UNIX_EPOCH));
            assert!(said.contains(told), "{said}");
        }
    }
}
