//! `notify explain GROUP|INCIDENT`.

use crate::actions::act::{ActError, find};
use crate::ledger::Ledger;
use crate::report::store::incident_named;
use crate::triage::explain::{Subject, explain_in};
use crate::triage::settings::{TriageRequest, TriageSettings};

/// Who would be sent news of a group or an incident, when, and why; a line for each fact. Nothing changes.
///
/// # Errors
/// There is no such group or incident, or the ledger refuses.
pub(crate) async fn explain(
    ledger: &Ledger,
    settings: &TriageSettings,
    request: TriageRequest,
    typed: &str,
) -> anyhow::Result<Vec<String>> {
    let (settings, typed) = (settings.clone(), typed.to_owned());
    let work = move |tx: &crate::ledger::Transaction<'_>| {
        let subject = match typed.starts_with("n-") {
            true => incident_named(tx, &typed).map(Subject::Incident).map_err(ActError::from),
            false => find(tx, &typed).map(|group| Subject::Group(group.group_key)),
        };
        Ok(match subject {
            Ok(subject) => Ok(explain_in(tx, &settings, &request, &subject)?),
            Err(error) => Err(error),
        })
    };
    Ok(ledger.dry_run(work).await??)
}
