//! `group ack|unack|rename|merge`: someone knows of a group, calls it by another name, or sees that two are one.

use std::time::Duration;

use crate::commands::group::act::{ActError, Person, find};
use crate::grouping::group_change::GroupChange;
use crate::grouping::store_group;
use crate::ledger::Ledger;
use crate::ledger::audit::{self, Act};
use crate::triage::ack::Until;
use crate::triage::store::ack::{self, NewAck};
use crate::triage::store::{episode, group_row};

/// What ends an ack before its episode does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AckTerms {
    /// After this time.
    pub length: Option<Duration>,
    /// This growth instead of an escalation to the double.
    pub until: Option<Until>,
}

/// Acknowledges a group's open episode: no reminders until it is resolved, doubles, or what the terms say.
///
/// Returns the line to print.
///
/// # Errors
/// The group is unknown or not open.
pub(crate) async fn ack(ledger: &Ledger, group_id: &str, terms: AckTerms, by: Person) -> Result<String, ActError> {
    let group_id = group_id.to_owned();
    let work = move |tx: &crate::ledger::Transaction<'_>| -> Result<String, ActError> {
        let group = find(tx, &group_id)?;
        let open = episode::newest(tx, group.group_key)?.pop().filter(|episode| episode.closed.is_none());
        let Some(open) = open else {
            let text = format!("{} is not open, or not triaged yet: nothing to acknowledge", group.group_id);
            return Err(ActError::Refused(text));
        };
        let ack = NewAck {
            group_key: group.group_key,
            episode: open.ordinal,
            author: by.name.clone(),
            open_items: group.open_items,
            total_items: group.total_items,
            until: terms.until,
            expires_at: terms.length.and_then(|length| by.now.checked_add(length).ok()),
        };
        ack::insert(tx, &ack, by.now)?;
        audit::record(tx, &Act { detail: detail(&ack), ..act(&by, "ack", &group) }, by.now)?;
        Ok(confirmation(&group.group_id, &ack))
    };
    ledger.try_write(work).await
}

/// The terms as the audit keeps them; none if there are none.
fn detail(ack: &NewAck) -> Option<String> {
    match (ack.until, ack.expires_at) {
        (Some(until), _) => Some(serde_json::json!({ "until": until.to_string() }).to_string()),
        (None, Some(at)) => Some(serde_json::json!({ "expires_at": at.to_string() }).to_string()),
        (None, None) => None,
    }
}

/// "g-1 acknowledged at 5 open items: no reminders until it is resolved or reaches 10."
fn confirmation(group_id: &str, ack: &NewAck) -> String {
    let doubled = ack.open_items.max(1).saturating_mul(2);
    let ends = match (ack.until, ack.expires_at) {
        (Some(Until::Resolved), _) => "it is resolved, however much it grows".to_owned(),
        (Some(Until::Escalating), _) => "it is resolved or escalates".to_owned(),
        (Some(until @ Until::Items(_)), _) => format!("it is resolved or has {}", until.describe()),
        (Some(until @ Until::Rate(..)), _) => format!("it is resolved or gets {}", until.describe()),
        (None, Some(at)) => format!("{at:.0}, or until it is resolved or reaches {doubled}"),
        (None, None) => format!("it is resolved or reaches {doubled}"),
    };
    format!("{group_id} acknowledged at {} open items: no reminders until {ends}.", ack.open_items)
}

/// Takes an ack back. Returns the line to print.
///
/// # Errors
/// The group is unknown or not acknowledged.
pub(crate) async fn unack(ledger: &Ledger, group_id: &str, by: Person) -> Result<String, ActError> {
    let group_id = group_id.to_owned();
    let work = move |tx: &crate::ledger::Transaction<'_>| -> Result<String, ActError> {
        let group = find(tx, &group_id)?;
        if !ack::end_all(tx, group.group_key, "unack", by.now)? {
            return Err(ActError::Refused(format!("{} is not acknowledged", group.group_id)));
        }
        audit::record(tx, &act(&by, "unack", &group), by.now)?;
        Ok(format!("{} is no longer acknowledged.", group.group_id))
    };
    ledger.try_write(work).await
}

/// Gives a group the title that people call it by; an empty one gives it back its own. Returns the line to print.
///
/// # Errors
/// The group is unknown.
pub(crate) async fn rename(ledger: &Ledger, group_id: &str, title: &str, by: Person) -> Result<String, ActError> {
    let (group_id, title) = (group_id.to_owned(), title.trim().to_owned());
    let work = move |tx: &crate::ledger::Transaction<'_>| -> Result<String, ActError> {
        let group = find(tx, &group_id)?;
        group_row::rename(tx, group.group_key, Some(title.as_str()).filter(|title| !title.is_empty()))?;
        let detail = serde_json::json!({ "before": group.title, "after": title }).to_string();
        audit::record(tx, &Act { detail: Some(detail), ..act(&by, "rename", &group) }, by.now)?;
        Ok(format!("{} renamed.", group.group_id))
    };
    ledger.try_write(work).await
}

fn act<'a>(by: &'a Person, action: &'a str, group: &'a group_row::GroupRecord) -> Act<'a> {
    Act { actor: &by.name, action, subject: &group.group_id, ..Act::default() }
}

/// Makes one group part of another for good. Returns the line to print.
///
/// # Errors
/// A group is unknown, both are one already, or they are of different kinds.
pub(crate) async fn merge(ledger: &Ledger, from: &str, into: &str, by: Person) -> Result<String, ActError> {
    let (from, into) = (from.to_owned(), into.to_owned());
    let work = move |tx: &crate::ledger::Transaction<'_>| -> Result<String, ActError> {
        let (from, into) = (find(tx, &from)?.group_id, find(tx, &into)?.group_id);
        join(tx, &from, &into, &by)?;
        let act = Act {
            actor: &by.name,
            action: "merge",
            subject: &from,
            detail: Some(format!("{{\"into\":\"{into}\"}}")),
            ..Act::default()
        };
        audit::record(tx, &act, by.now)?;
        Ok(format!("{from} is part of {into} now; its id keeps working."))
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
        return Err(ActError::Refused(format!("{from} and {into} are one group already")));
    }
    if grouper.kind(from_handle) != grouper.kind(into_handle) {
        return Err(ActError::Refused(format!(
            "{from} and {into} are of different kinds: failed and skipped never mix"
        )));
    }
    grouper.merge(from_handle, into_handle);
    let changes: Vec<GroupChange> = grouper.take_changes().into_iter().map(GroupChange::unclassified).collect();
    store_group::store(tx, &changes, by.now.as_millisecond())?;
    store_group::next_generation(tx)?;
    Ok(())
}
