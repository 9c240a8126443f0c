//! `dismiss` and `undismiss`: close and reopen the open items of a group. A newer failure reopens them.

use crate::actions::act::{ActError, Done, Person, find, reason};
use crate::ledger::Ledger;
use crate::ledger::audit::{self, Act};
use crate::triage::store::dismissal;

/// Dismisses a group's open items.
///
/// # Errors
/// The group is unknown, has no open items, or no reason is given.
pub(crate) async fn dismiss(ledger: &Ledger, group_id: &str, why: &str, by: Person) -> Result<Done, ActError> {
    set_dismissed(ledger, group_id, why, by, true).await
}

/// Opens a group's dismissed items again.
///
/// # Errors
/// The group is unknown, has no dismissed items, or no reason is given.
pub(crate) async fn undismiss(ledger: &Ledger, group_id: &str, why: &str, by: Person) -> Result<Done, ActError> {
    set_dismissed(ledger, group_id, why, by, false).await
}

async fn set_dismissed(ledger: &Ledger, group_id: &str, why: &str, by: Person, away: bool) -> Result<Done, ActError> {
    let (group_id, why) = (group_id.to_owned(), reason(why)?);
    let work = move |tx: &crate::ledger::Transaction<'_>| -> Result<Done, ActError> {
        let group = find(tx, &group_id)?;
        let (action, items) = if away {
            ("dismiss", dismissal::dismiss(tx, group.group_key)?)
        } else {
            ("undismiss", dismissal::undismiss(tx, group.group_key)?)
        };
        let group_id = &group.group_id;
        if items == 0 && away && group.open_items > 0 {
            let said = format!("every open item of {group_id} is being retried; dismiss the rest after the retry ends");
            return Err(ActError::Refused(said));
        }
        if items == 0 {
            let word = if away { "open" } else { "dismissed" };
            return Err(ActError::Refused(format!("{group_id} has no {word} items")));
        }
        let detail = serde_json::json!({ "items": items }).to_string();
        let act = Act { actor: &by.name, action, subject: group_id, reason: Some(&why), detail: Some(detail) };
        let audit_id = audit::record(tx, &act, by.now)?;
        let line = if away {
            format!("{items} items of {group_id} dismissed; a newer failure reopens them.")
        } else {
            format!("{items} items of {group_id} are open again.")
        };
        Ok(Done { said: line, audit_id })
    };
    ledger.try_write(work).await
}
