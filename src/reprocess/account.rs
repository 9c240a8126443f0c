//! Stops all retries of a project for its account, by a refusal or by what its items say, and resumes them by evidence.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::ledger::error::LedgerError;
use crate::ledger::{Connection, Transaction, fault};
use crate::llamacloud::Cloud;
use crate::model::class::Class;
use crate::reprocess::Reprocess;
use crate::reprocess::policy::hold::{Account, HoldReason, hold, is_proven};
use crate::reprocess::store::account::{self, StoredAccount};
use crate::reprocess::store::project_health;
use crate::scan::source::Watched;

/// Older failures for the account say nothing about now; the next POST shows it.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

/// Retries that ended since are looked at for a storm: its hold may have begun with the oldest.
const STORM_SEEN: SignedDuration = SignedDuration::from_hours(2);

/// Groups that turned since are looked at for an incident: its hold may have begun with the oldest, and is over then.
const INCIDENT_SEEN: SignedDuration = SignedDuration::from_hours(1);

impl Reprocess<'_> {
    /// The account of a project by what was seen lately.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn look_at_account(&self, project: &str, now: Timestamp) -> Result<StoredAccount, LedgerError> {
        let access_mark = self.project(project).map(|watched| watched.source.access_mark());
        let proof = self.stop_proof(project, now).await?;
        let (project, projects) = (project.to_owned(), self.projects_of_account(project));
        self.ledger
            .write(move |tx| {
                let stored = account::get(tx, &project)?;
                if let Some(since) = stored.account.stopped_since {
                    resume_if_it_works(tx, &project, &projects, &stored, since, access_mark.as_deref(), now)?;
                } else if let Some(why) = proof {
                    projects.iter().try_for_each(|project| stop_account(tx, project, &why, None, now))?;
                }
                account::get(tx, &project)
            })
            .await
    }

    /// What proves that a project is stopped for its account, by what its documents say themselves; none if that proves nothing.
    async fn stop_proof(&self, project: &str, now: Timestamp) -> Result<Option<String>, LedgerError> {
        let name = project.to_owned();
        let read = move |connection: &_| {
            // What failed before the account last went on is over.
            let moved_at = account::get(connection, &name)?.moved_at;
            project_health::recent_failures(connection, &name, moved_at.unwrap_or(Timestamp::MIN).max(now - FRESH))
        };
        let mut failures = self.ledger.read(read).await?;
        failures.retain(|failure| self.judge(&failure.said, &failure.job_type).class == Class::Account);
        let batches = failures.iter().map(|failure| failure.batch_key).collect::<BTreeSet<_>>().len();
        let Some(first) = failures.iter().map(|failure| failure.at).min() else { return Ok(None) };
        let name = project.to_owned();
        let completed =
            self.ledger.read(move |connection| project_health::completion_since(connection, &name, first)).await?;
        let items = failures.len();
        Ok(is_proven(items, batches, completed.is_some()).then(|| {
            format!(
                "{items} items of {batches} batches of {project} failed for the account (key, role, credits or quota)"
            )
        }))
    }

    /// The same for the projects that are stopped, for the mode `off`, in which nothing else checks them.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn look_at_stopped_accounts(&self, now: Timestamp) -> Result<(), LedgerError> {
        for (project, _) in self.ledger.read(account::stopped).await? {
            self.look_at_account(&project, now).await?;
        }
        Ok(())
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
///
/// # Errors
/// SQLite refuses.
pub(crate) fn hold_of(
    connection: &Connection,
    project: &str,
    now: Timestamp,
) -> Result<Option<(HoldReason, Timestamp)>, LedgerError> {
    let ended = project_health::ended(connection, project, now - STORM_SEEN)?;
    let turned = project_health::turned(connection, project, now - INCIDENT_SEEN)?;
    Ok(hold(now, &ended, &turned))
}

/// Resumes once work of the account that began after the stop completes, or once a refused key was replaced.
fn resume_if_it_works(
    tx: &Transaction<'_>,
    project: &str,
    projects: &[String],
    stored: &StoredAccount,
    since: Timestamp,
    access_mark: Option<&str>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let after = match &stored.refused_access {
        // Work of other keys says nothing about what this key may do.
        Some(refused) if access_mark.is_none_or(|mark| mark == refused) => return Ok(()),
        Some(_) => Account::default(),
        None => {
            let mut completed_at = None;
            for project in projects {
                completed_at = completed_at.max(project_health::completion_since(tx, project, since)?);
            }
            completed_at.map_or(stored.account, |at| stored.account.saw_completion(at))
        }
    };
    match after.stopped_since {
        None => resume(tx, project, after, now),
        Some(_) => Ok(()),
    }
}

/// Resumes the retries of a project.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn resume(tx: &Transaction<'_>, project: &str, after: Account, now: Timestamp) -> Result<(), LedgerError> {
    account::keep(tx, project, after, None, None, now)?;
    fault::clear(tx, &format!("account:{project}"), now)
}

/// Nothing of a project is sent until its account works again; a problem is reported. `refused_access` is what the API was asked with
/// if it refused the key.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn stop_account(
    tx: &Transaction<'_>,
    project: &str,
    why: &str,
    refused_access: Option<&str>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let stopped = account::get(tx, project)?.account.stop(now);
    account::keep(tx, project, stopped, Some(why), refused_access, now)?;
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
