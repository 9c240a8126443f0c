//! `note`: a line that is shown with the group in digests and reports.

use crate::actions::act::{ActError, Done, Person, find};
use crate::ledger::Ledger;
use crate::ledger::audit::{self, Act};
use crate::triage::store::note;

/// Leaves a note on a group.
///
/// # Errors
/// The group is unknown, or the text is empty.
pub(crate) async fn add_note(ledger: &Ledger, group_id: &str, text: &str, by: Person) -> Result<Done, ActError> {
    let (group_id, text) = (group_id.to_owned(), text.trim().to_owned());
    if text.is_empty() {
        return Err(ActError::Refused("a note needs a text".to_owned()));
    }
    let work = move |tx: &crate::ledger::Transaction<'_>| -> Result<Done, ActError> {
        let group = find(tx, &group_id)?;
        note::insert(tx, group.group_key, &by.name, &text, by.now)?;
        let detail = serde_json::json!({ "text": text }).to_string();
        let act = Act { actor: &by.name, action: "note", subject: &group.group_id, reason: None, detail: Some(detail) };
        let audit_id = audit::record(tx, &act, by.now)?;
        Ok(Done { said: format!("Note added to {}.", group.group_id), audit_id })
    };
    ledger.try_write(work).await
}
