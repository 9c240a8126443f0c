//! `group rename|merge`: a new title, or one group out of two.

use crate::actions::act::{ActError, Done, Person, find};
use crate::grouping::group_change::GroupChange;
use crate::grouping::store_group;
use crate::ledger::Ledger;
use crate::ledger::audit::{self, Act};
use crate::triage::store::group_row;

/// Gives a group the title that people call it by; an empty one gives it back its own.
///
/// # Errors
/// The group is unknown.
pub(crate) async fn rename(ledger: &Ledger, group_id: &str, title: &str, by: Person) -> Result<Done, ActError> {
    let (group_id, title) = (group_id.to_owned(), title.trim().to_owned());
    let work = move |tx: &crate::ledger::Transaction<'_>| -> Result<Done, ActError> {
        let group = find(tx, &group_id)?;
        group_row::rename(tx, group.group_key, Some(title.as_str()).filter(|title| !title.is_empty()))?;
        let detail = serde_json::json!({ "before": group.title, "after": title }).to_string();
        let act =
            Act { actor: &by.name, action: "rename", subject: &group.group_id, detail: Some(detail), ..Act::default() };
        let audit_id = audit::record(tx, &act, by.now)?;
        Ok(Done { said: format!("{} renamed.", group.group_id), audit_id })
    };
    ledger.try_write(work).await
}

/// Makes one group part of another for good.
///
/// # Errors
/// A group is unknown, both are one already, or they are of different kinds.
pub(crate) async fn merge(ledger: &Ledger, from: &str, into: &str, by: Person) -> Result<Done, ActError> {
    let (from, into) = (from.to_owned(), into.to_owned());
    let work = move |tx: &crate::ledger::Transaction<'_>| -> Result<Done, ActError> {
        let (from, into) = (find(tx, &from)?.group_id, find(tx, &into)?.group_id);
        join(tx, &from, &into, &by)?;
        let act = Act {
            actor: &by.name,
            action: "merge",
            subject: &from,
            detail: Some(format!("{{\"into\":\"{into}\"}}")),
            ..Act::default()
        };
        let audit_id = audit::record(tx, &act, by.now)?;
        Ok(Done { said: format!("{from} is merged into {into}; its id keeps working."), audit_id })
    };
    ledger.try_write(work).await
}

/// Asks the grouper for the merge, so that later messages follow it, and stores what changes.
fn join(tx: &crate::ledger::Transaction<'_>, from: &str, into: &str, by: &Person) -> Result<(), ActError> {
    let mut grouper = store_group::restore(tx)?;
    let handle = |id: &str| id.parse().ok().and_then(|id| grouper.handle_of(&id)).map(|handle| grouper.resolve(handle));
    let (Some(from_handle), Some(into_handle)) = (handle(from), handle(into)) else {
        return Err(ActError::NotFound(format!(
            "group {from} or {into} in the grouping; run `llama-triage ledger check`"
        )));
    };
    if from_handle == into_handle {
        return Err(ActError::Refused(format!("{from} and {into} are already one group")));
    }
    if grouper.kind(from_handle) != grouper.kind(into_handle) {
        return Err(ActError::Refused(format!(
            "{from} and {into} are of different kinds: a group has items of one kind, such as failed or skipped"
        )));
    }
    grouper.merge(from_handle, into_handle);
    let changes: Vec<GroupChange> = grouper.take_changes().into_iter().map(GroupChange::unclassified).collect();
    store_group::store(tx, &changes, by.now.as_millisecond())?;
    store_group::next_generation(tx)?;
    Ok(())
}
