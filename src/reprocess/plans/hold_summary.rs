//! What a plan says about the groups and projects it touches: what retries have shown of them, and what holds them back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ledger::Connection;
use crate::ledger::error::LedgerError;
use crate::reprocess::account::hold_of;
use crate::reprocess::policy::group::GroupFacts;
use crate::reprocess::policy::hold::HoldReason;
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::store::account::{self, StoredAccount};

/// How retries of a group stand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupOutlook {
    /// The group.
    pub group_id: String,
    /// Its title.
    pub title: String,
    /// Its items that were asked for.
    pub items: u32,
    /// Counted attempts made at those so far.
    pub attempts: u32,
    /// First tries that recovered, since its episode began.
    pub recovered: u32,
    /// First tries that ended.
    pub ended: u32,
    /// The expected share of its next first tries that recover.
    pub belief: f64,
    /// What goes next and when, with its numbers, as people read it.
    pub outlook: String,
    /// Its documents that are not retried any more unless a person decides so.
    pub given_up: u32,
    /// Since when that is so of all of them, because every probe was lost; none if it is not.
    pub decision_since: Option<Timestamp>,
}

/// What holds a project's retries back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The project.
    pub project: String,
    /// `held`, `account-stop` or `waiting`.
    pub state: String,
    /// Until when; none if that depends on evidence or on a person.
    pub until: Option<Timestamp>,
    /// Why.
    pub why: Option<String>,
}

impl GroupOutlook {
    /// The outlook of a group at `now`.
    pub fn new(group: &GroupFacts, limits: &Limits, now: Timestamp) -> GroupOutlook {
        let outlook = group.outlook(limits, now);
        GroupOutlook {
            group_id: group.group_id.clone(),
            recovered: outlook.recovered,
            ended: outlook.ended,
            belief: outlook.belief,
            outlook: outlook.to_string(),
            given_up: outlook.undecided(),
            decision_since: outlook.decision_since(),
            ..GroupOutlook::default()
        }
    }
}

impl Hold {
    /// What holds the retries of a project back at `now`, manual ones first.
    ///
    /// # Errors
    /// SQLite refuses.
    pub(crate) fn of_project(connection: &Connection, project: &str, now: Timestamp) -> Result<Vec<Hold>, LedgerError> {
        let stored = account::get(connection, project)?;
        let held = hold_of(connection, project, now)?.map(|(reason, until)| Hold::held(project, reason, until));
        Ok(Hold::manual(project, &stored, now).into_iter().chain(held).collect())
    }

    /// What holds manual retries back, too: a stopped account, a wait after a 429.
    pub(crate) fn manual(project: &str, stored: &StoredAccount, now: Timestamp) -> Vec<Hold> {
        [Hold::of_account(project, stored), Hold::waiting(project, stored, now)].into_iter().flatten().collect()
    }

    /// A stopped account; none if it works.
    fn of_account(project: &str, stored: &StoredAccount) -> Option<Hold> {
        let why = stored.why.clone();
        stored.account.stopped_since.map(|_| Hold {
            project: project.to_owned(),
            state: "account-stop".to_owned(),
            until: None,
            why,
        })
    }

    /// What a 429 holds back; none if that is over.
    fn waiting(project: &str, stored: &StoredAccount, now: Timestamp) -> Option<Hold> {
        let until = stored.wait_until.filter(|until| now < *until)?;
        let why = format!(
            "LlamaCloud answered 429 (too many requests); `llama-triage reprocess resume {project}` ends the wait"
        );
        Some(Hold { project: project.to_owned(), state: "waiting".to_owned(), until: Some(until), why: Some(why) })
    }

    /// A storm or an incident.
    fn held(project: &str, reason: HoldReason, until: Timestamp) -> Hold {
        Hold {
            project: project.to_owned(),
            state: "held".to_owned(),
            until: Some(until),
            why: Some(reason.to_string()),
        }
    }
}
