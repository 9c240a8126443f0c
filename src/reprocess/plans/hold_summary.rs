//! What a plan says about the groups and projects it touches: what retries have shown of them, and what holds them back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::reprocess::policy::group::{GroupFacts, Turn};
use crate::reprocess::policy::hold::HoldReason;
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::store::account::StoredAccount;

/// How retries of a group stand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupOutlook {
    /// The group.
    pub group_id: String,
    /// Its title.
    pub title: String,
    /// The class of its items: whether a retry is known to help.
    pub class: String,
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
    /// Since when a decision by a person is needed; none if none is.
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
            decision_since: match outlook.turn {
                Turn::PersonDecides { since } => Some(since),
                _ => None,
            },
            ..GroupOutlook::default()
        }
    }
}

impl Hold {
    /// A stopped account, which also stops manual retries; none if it works.
    pub fn of_account(project: &str, stored: &StoredAccount) -> Option<Hold> {
        let why = stored.why.clone();
        stored.account.stopped_since.map(|_| Hold {
            project: project.to_owned(),
            state: "account-stop".to_owned(),
            until: None,
            why,
        })
    }

    /// What a 429 holds back; none if that is over.
    pub fn waiting(project: &str, stored: &StoredAccount, now: Timestamp) -> Option<Hold> {
        let until = stored.wait_until.filter(|until| now < *until)?;
        let why = format!(
            "LlamaCloud answered 429 (too many requests); `llama-triage reprocess resume {project}` ends the wait"
        );
        Some(Hold { project: project.to_owned(), state: "waiting".to_owned(), until: Some(until), why: Some(why) })
    }

    /// A storm or an incident.
    pub fn held(project: &str, reason: HoldReason, until: Timestamp) -> Hold {
        let why = match reason {
            HoldReason::Storm => "many retries of several groups were lost within an hour",
            HoldReason::Incident => "many groups began or escalated at once",
        };
        Hold { project: project.to_owned(), state: "held".to_owned(), until: Some(until), why: Some(why.to_owned()) }
    }
}
