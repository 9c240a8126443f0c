//! Stops all retries of a project for its account, by a refusal or by what its items say, and resumes them by evidence.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::ledger::error::LedgerError;
use crate::ledger::{Connection, Transaction, fault};
use crate::llamacloud::Cloud;
use crate::model::class::Class;
use crate::reprocess::Reprocess;
use crate::reprocess::policy::hold::{Account, HoldReason, hold, is_proven};
use crate::reprocess::store::account;
use crate::reprocess::store::project_health::{completion_since, ended, fresh_incidents, recent_failures};
use crate::scan::source::Watched;

/// Older failures for the account say nothing about now; the next POST shows it.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

/// Retries that ended since are looked at for a storm: its hold may have begun with the oldest.
const STORM_SEEN: SignedDuration = SignedDuration::from_hours(2);

impl Reprocess<'_> {
    /// The account of a project by what was seen lately.
    pub(crate) async fn look_at_account(&self, project: &str) -> Result<Account, LedgerError> {
        let access_mark = self.project(project).map(|watched| watched.source.access_mark());
        let proof = self.stop_proof(project).await?;
        let (project, projects, now) = (project.to_owned(), self.projects_of_account(project), self.now);
        let look = move |tx: &Transaction<'_>| {
            let known = account::get(tx, &project)?;
            if known.stopped_since.is_some() {
                resume_if_it_works(tx, &project, &projects, &known, access_mark.as_deref(), now)?;
            } else if let Some(why) = proof {
                projects.iter().try_for_each(|project| stop_account(tx, project, &why, None, now))?;
            }
            account::get(tx, &project)
        };
        self.ledger.write(look).await
    }

    /// What proves that a project is stopped for its account, by what its documents say themselves; none if that proves nothing.
    async fn stop_proof(&self, project: &str) -> Result<Option<String>, LedgerError> {
        let (name, fresh) = (project.to_owned(), self.now - FRESH);
        let read = move |connection: &Connection| {
            // What failed before the account last resumed is over.
            let moved_at = account::get(connection, &name)?.moved_at;
            recent_failures(connection, &name, moved_at.unwrap_or(Timestamp::MIN).max(fresh))
        };
        let mut failures = self.ledger.read(read).await?;
        failures.retain(|failure| self.judge(&failure.said, &failure.job_type).class == Class::Account);
        let batches = failures.iter().map(|failure| failure.batch_key).collect::<BTreeSet<_>>().len();
        let Some(first) = failures.iter().map(|failure| failure.at).min() else { return Ok(None) };
        let name = project.to_owned();
        let completed = self.ledger.read(move |connection| completion_since(connection, &name, first)).await?;
        let items = failures.len();
        Ok(is_proven(items, batches, completed.is_some()).then(|| {
            format!(
                "{items} items of {batches} batches of {project} failed for the account (key, role, credits or quota)"
            )
        }))
    }

    /// The project itself, and the others that spend the credits of its account.
    pub(crate) fn projects_of_account(&self, project: &str) -> Vec<String> {
        let watched = self.project(project);
        let shares = |other: &Watched<Cloud>| watched.is_some_and(|one| other.source.shares_account_with(&one.source));
        let others = self.projects.iter().filter(|other| other.name != project && shares(other));
        std::iter::once(project.to_owned()).chain(others.map(|other| other.name.clone())).collect()
    }
}

/// What holds the retries of a project now, and until when.
pub(crate) fn hold_of(
    connection: &Connection,
    project: &str,
    now: Timestamp,
) -> Result<Option<(HoldReason, Timestamp)>, LedgerError> {
    let ended = ended(connection, project, now - STORM_SEEN)?;
    Ok(hold(now, &ended, &fresh_incidents(connection, project)?))
}

/// Resumes once work of the account that began after the stop completes, or once a refused key was replaced.
fn resume_if_it_works(
    tx: &Transaction<'_>,
    project: &str,
    projects: &[String],
    known: &Account,
    access_mark: Option<&str>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    if let Some(refused) = &known.refused_access {
        // Work of other keys says nothing about what this key may do.
        let is_replaced = access_mark.is_some_and(|mark| mark != refused);
        return if is_replaced { resume(tx, project, 0, now) } else { Ok(()) };
    }
    let mut completed_at = None;
    for project in projects {
        completed_at = completed_at.max(completion_since(tx, project, known.stopped_since.unwrap_or(now))?);
    }
    match completed_at {
        Some(at) if known.is_proven_by(at) => resume(tx, project, known.in_vain.saturating_add(1), now),
        _ => Ok(()),
    }
}

/// Resumes the retries of a project; `in_vain` is how often that was done since the API last took a request.
pub(crate) fn resume(tx: &Transaction<'_>, project: &str, in_vain: u32, now: Timestamp) -> Result<(), LedgerError> {
    account::resume(tx, project, in_vain, now)?;
    fault::clear(tx, &format!("account:{project}"), now)
}

/// Nothing of a project is sent until its account works again; a problem is reported. `refused_access` is what the API was asked with
/// if it refused the key.
pub(crate) fn stop_account(
    tx: &Transaction<'_>,
    project: &str,
    why: &str,
    refused_access: Option<&str>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    account::stop(tx, project, why, refused_access, now)?;
    let ends = match refused_access {
        Some(_) => {
            "they resume with another key, project or organization in the configuration; if this key was given more rights, resume them with"
        }
        None => "they resume once new work of the account completes, or with",
    };
    let text = format!(
        "retries of project {project} are stopped: {why}; {ends} `llama-triage reprocess resume {project} --reason TEXT`"
    );
    fault::raise(tx, &format!("account:{project}"), &text, now)
}
