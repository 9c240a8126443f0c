//! What a plan says about the groups and projects it touches: what retries have shown of them, and what holds them back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::reprocess::ReprocessConfig;
use crate::ledger::Connection;
use crate::ledger::error::LedgerError;
use crate::reprocess::account::hold_of;
use crate::reprocess::policy::group::GroupFacts;
use crate::reprocess::store::account;

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
    pub fn new(group: &GroupFacts, config: &ReprocessConfig, now: Timestamp) -> GroupOutlook {
        let outlook = group.outlook(config, now);
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
    pub(crate) fn of_project(connection: &Connection, project: &str, now: Timestamp) -> Result<Vec<Hold>, LedgerError> {
        let held = hold_of(connection, project, now)?
            .map(|(reason, until)| Hold::new(project, "held", Some(until), Some(reason.to_string())));
        Ok(Hold::manual(connection, project, now)?.into_iter().chain(held).collect())
    }

    /// What holds manual retries back, too: a stopped account, a wait after a 429.
    pub(crate) fn manual(connection: &Connection, project: &str, now: Timestamp) -> Result<Vec<Hold>, LedgerError> {
        let account = account::get(connection, project)?;
        let stop = account.stopped_since.map(|_| Hold::new(project, "account-stop", None, account.why));
        let wait = account.wait_until.filter(|until| now < *until).map(|until| {
            let why = format!(
                "LlamaCloud answered 429 (too many requests); `llama-triage reprocess resume {project}` ends the wait"
            );
            Hold::new(project, "waiting", Some(until), Some(why))
        });
        Ok(stop.into_iter().chain(wait).collect())
    }

    fn new(project: &str, state: &str, until: Option<Timestamp>, why: Option<String>) -> Hold {
        Hold { project: project.to_owned(), state: state.to_owned(), until, why }
    }
}
