//! `breaker reset`: a user says why retries may go on.

use crate::commands::group::act::{ActError, Person, find, reason};
use crate::ledger::audit::{self, Act};
use crate::ledger::{Ledger, fault};
use crate::reprocess::store::{breaker, gate};

/// Lets retries of a group, or of stopped accounts (`global`), go on. Returns the line to print.
///
/// # Errors
/// The group is unknown, or no reason is given.
pub(crate) async fn reset(ledger: &Ledger, scope: &str, why: &str, by: Person) -> Result<String, ActError> {
    let (scope, why) = (scope.to_owned(), reason(why)?);
    let work = move |tx: &crate::ledger::Transaction<'_>| {
        let mut subject = scope.clone();
        let said = if scope == "global" {
            let held = gate::closed(tx)?;
            for (project, stored) in &held {
                gate::keep(tx, project, stored.gate.reset(by.now), Some(&format!("reset by {}", by.name)), by.now)?;
                fault::clear(tx, &format!("account:{project}"), by.now)?;
            }
            let waited = gate::end_waits(tx, by.now)?;
            let projects: Vec<&str> = held.iter().map(|(project, _)| project.as_str()).collect();
            match projects.len() {
                0 if !waited.is_empty() => format!("Retries of {} resumed.", waited.join(", ")),
                0 => "No project's retries were held.".to_owned(),
                _ => format!("Retries of {} resumed: one item is retried first as a probe.", projects.join(", ")),
            }
        } else {
            let group = match find(tx, &scope)? {
                Ok(group) => group,
                Err(error) => return Ok(Err(error)),
            };
            subject.clone_from(&group.group_id);
            let mut state = breaker::group(tx, &group.group_id)?;
            state.reset();
            breaker::keep_group(tx, &group.group_id, &state, by.now)?;
            match state.ramp.is_waiting() {
                true => format!("Retries of {} resume when the running ones end.", group.group_id),
                false => format!("Retries of {} resumed, beginning with a canary.", group.group_id),
            }
        };
        let act = Act { actor: &by.name, action: "breaker reset", subject: &subject, reason: Some(&why), detail: None };
        audit::record(tx, &act, by.now)?;
        Ok(Ok(said))
    };
    ledger.write(work).await?
}
