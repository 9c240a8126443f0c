//! What holds every group of a project: a storm, a fresh incident, a stopped account.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::reprocess::policy::item::later;

/// A retry of the project that ended with a recovery or a loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedTry {
    /// When.
    pub at: Timestamp,
    /// Its group.
    pub group_id: String,
    /// Whether its document failed again.
    pub lost: bool,
}

/// Why retries of a project wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoldReason {
    /// Many retries of several groups were lost within an hour.
    #[error("many retries of several groups were lost within an hour")]
    Storm,
    /// Groups of the project began to fail together.
    #[error("groups of the project began to fail together (llama-triage report incidents)")]
    Incident,
}

/// So long nothing is sent after a storm or an incident.
pub(crate) const HOLD: SignedDuration = SignedDuration::from_mins(30);

/// What is looked at together to see a storm.
const STORM_WINDOW: SignedDuration = SignedDuration::from_hours(1);
const STORM_TRIES: usize = 20;
const STORM_GROUPS: usize = 3;
/// Of ten tries.
const STORM_LOST: usize = 3;

/// What holds the project at `now`, and until when; none if nothing does.
///
/// `ended` are its retries of the last two hours, `incidents` the times at which those that are open were noticed.
///
/// Groups that join an incident later do not prolong it: where new wordings come all day nothing would ever be sent.
pub fn hold(now: Timestamp, ended: &[EndedTry], incidents: &[Timestamp]) -> Option<(HoldReason, Timestamp)> {
    let storm = storm_ends(now, ended).map(|until| (HoldReason::Storm, until));
    let noticed = incidents.iter().copied().filter(|at| *at <= now).max();
    let incident = noticed.map(|at| (HoldReason::Incident, later(at, HOLD)));
    [storm, incident].into_iter().flatten().filter(|(_, until)| now < *until).max_by_key(|(_, until)| *until)
}

/// When the hold after a storm ends: the newest retries are 20 or more within an hour, over three groups, 30 % of them lost.
fn storm_ends(now: Timestamp, ended: &[EndedTry]) -> Option<Timestamp> {
    let newest = ended.iter().map(|one| one.at).filter(|at| *at <= now).max()?;
    let since = newest - STORM_WINDOW;
    let recent: Vec<&EndedTry> = ended.iter().filter(|one| one.at > since && one.at <= newest).collect();
    let lost: Vec<&&EndedTry> = recent.iter().filter(|one| one.lost).collect();
    let groups: BTreeSet<&str> = lost.iter().map(|one| one.group_id.as_str()).collect();
    let is_storm =
        recent.len() >= STORM_TRIES && groups.len() >= STORM_GROUPS && lost.len() * 10 >= recent.len() * STORM_LOST;
    is_storm.then(|| later(newest, HOLD))
}

/// The account of a project: whether its retries are stopped, and until when the API asked to wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Since when nothing is sent: key, role, credits or quota. None while it works.
    pub stopped_since: Option<Timestamp>,
    /// How often it was taken for working since it last took a request, and was not.
    pub in_vain: u32,
    /// What the API said when it refused, or what was seen.
    pub why: Option<String>,
    /// What the API was asked with when it refused the key and not the account (see `Cloud::access_mark`).
    pub refused_access: Option<String>,
    /// When it last stopped or resumed; none if it never did.
    pub moved_at: Option<Timestamp>,
    /// No POST before this time: the API asked to wait.
    pub wait_until: Option<Timestamp>,
}

/// Evidence that an account works counts after a day at the latest, however often it was wrong.
const LONGEST_DOUBT: SignedDuration = SignedDuration::from_hours(24);

impl Account {
    /// Whether a document that completed at this time, whoever sent it, in work that began after the stop, proves that it works.
    ///
    /// It must be later than the stop by a margin that doubles with each time in vain: what another key or a cache completes says
    /// nothing about our right to create work.
    pub fn is_proven_by(&self, completed_at: Timestamp) -> bool {
        let doubt = HOLD.saturating_mul(1 << self.in_vain.min(8)).min(LONGEST_DOUBT);
        self.stopped_since.is_some_and(|since| completed_at > later(since, doubt))
    }
}

/// Whether documents that failed for the account prove that it is stopped: three of two batches, and nothing completed since the first.
pub(crate) fn is_proven(documents: usize, batches: usize, completed_since: bool) -> bool {
    documents >= 3 && batches >= 2 && !completed_since
}
