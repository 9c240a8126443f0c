//! `reprocess resume`: resumes held retries, with a reason.

use crate::actions::act::{ActError, Done, Person, find, reason};
use crate::ledger::Ledger;
use crate::ledger::audit::{self, Act};
use crate::reprocess::account::resume;
use crate::reprocess::store::{account, history};
use crate::scan::store::project;

/// Everything that is stopped or waits.
const ALL: [&str; 2] = ["all", "global"];

/// Lets retries go on: of a group from its first probe, of a project whose account was stopped or that waits, or of `all` projects.
///
/// # Errors
/// There is no such group or project, or no reason is given.
pub(crate) async fn resume_scope(ledger: &Ledger, scope: &str, why: &str, by: Person) -> Result<Done, ActError> {
    let (scope, why) = (scope.to_owned(), reason(why)?);
    let work = move |tx: &crate::ledger::Transaction<'_>| -> Result<Done, ActError> {
        let names = project::names(tx)?;
        let (subject, said) = if ALL.contains(&scope.as_str()) {
            (scope, resume_projects(tx, &names, by.now)?)
        } else if names.contains(&scope) {
            let said = resume_projects(tx, std::slice::from_ref(&scope), by.now)?;
            (scope, said)
        } else {
            let group = find(tx, &scope)?;
            history::resume(tx, &group.group_id, by.now)?;
            let said = match group.open_items {
                0 => format!("{} has no open items to retry.", group.group_id),
                _ => format!("Retries of {} resume with one item.", group.group_id),
            };
            (group.group_id, said)
        };
        let act =
            Act { actor: &by.name, action: "reprocess resume", subject: &subject, reason: Some(&why), detail: None };
        let audit_id = audit::record(tx, &act, by.now)?;
        Ok(Done { said, audit_id })
    };
    ledger.try_write(work).await
}

fn resume_projects(
    tx: &crate::ledger::Transaction<'_>,
    projects: &[String],
    now: jiff::Timestamp,
) -> Result<String, crate::ledger::error::LedgerError> {
    let mut resumed = account::end_waits(tx, projects, now)?;
    for (project, _) in account::stopped(tx)?.into_iter().filter(|(project, _)| projects.contains(project)) {
        resume(tx, &project, 0, now)?;
        resumed.push(project);
    }
    resumed.sort_unstable();
    resumed.dedup();
    Ok(match resumed.is_empty() {
        true => "No project was stopped or waiting.".to_owned(),
        false => format!("Retries of {} resumed.", resumed.join(", ")),
    })
}
