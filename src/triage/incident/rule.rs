//! Which groups are one incident: they began or escalated within minutes of each other, and much of what ended in that time failed.
//!
//! 1. Onsets that follow each other within [`GAP`] are a cluster. It is cut at a single onset that connects two parts, each large
//!    enough to be an incident: two causes within an hour stay two.
//! 2. A cluster with at least [`LEAST_GROUPS`] groups within one [`GAP`] is an incident if at least [`LEAST_PERCENT`] percent of the items that ended
//!    in its projects while it failed are its own, and at least [`LEAST_ITEMS`] a group.
//! 3. Onsets in the cluster that an incident was made of are part of it. A smaller cluster of its projects that begins while it
//!    fails joins late. A later cluster that is large enough is another incident, and takes those along that joined late.
//! 4. It is over once it failed no more for [`CALM`] and work that began since has completed, or once all its groups ended.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::model::class::Class;

/// The longest time between two onsets of one cluster.
pub(crate) const GAP: SignedDuration = SignedDuration::from_mins(10);

/// The fewest groups of an incident: two begin together by chance.
pub(crate) const LEAST_GROUPS: usize = 3;

/// The smallest share: three times what ordinary accounts fail at, and half of what pages unless configured otherwise. Below it
/// three new groups within minutes are mostly chance (the worlds of the tests: with 10 one incident in twenty is none, with 20 one
/// in twenty is missed).
pub(crate) const LEAST_PERCENT: u64 = 15;

/// Items a group, in the mean: three documents that fail in three ways are three documents.
pub(crate) const LEAST_ITEMS: u64 = 2;

/// So long without a failure, and an incident may be over.
pub(crate) const CALM: SignedDuration = SignedDuration::from_mins(30);

/// A group that began to fail or escalated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Onset {
    /// The group's number.
    pub(crate) group_key: i64,
    /// Event time: of the failure that opened its episode, or from which on it escalated.
    pub(crate) at: Timestamp,
    /// The projects that it was seen in.
    pub(crate) projects: BTreeSet<String>,
    /// The incident that it is part of; none yet.
    pub(crate) incident: Option<String>,
    /// It joined that incident late.
    pub(crate) is_late: bool,
}

/// An incident that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenIncident {
    /// `n-…`
    pub(crate) incident_id: String,
    /// Event time of its first onset.
    pub(crate) started_at: Timestamp,
    /// Event time of the newest failure of its groups.
    pub(crate) last_failure_at: Timestamp,
    /// Its groups.
    pub(crate) group_keys: BTreeSet<i64>,
    /// Their projects.
    pub(crate) projects: BTreeSet<String>,
}

/// How much of what ended failed in the groups of a cluster or an incident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// Items that failed in its groups.
    pub(crate) items: u64,
    /// Items that ended in its projects in the same time, those included.
    pub(crate) ended: u64,
}

impl Share {
    /// From 0 to 1; 0 if nothing ended.
    pub(crate) fn value(self) -> f64 {
        // Exact below 2^53, which no count of items reaches.
        if self.ended == 0 { 0.0 } else { self.items as f64 / self.ended as f64 }
    }

    /// In whole percent, rounded down.
    pub(crate) fn percent(self) -> u64 {
        self.items.saturating_mul(100).checked_div(self.ended).unwrap_or(0)
    }
}

/// Whether failures of this class may be those of an incident: not of broken documents, of what was done before, or was cancelled.
///
/// A class that this version does not know may.
pub(crate) fn counts(class: &str) -> bool {
    !matches!(Class::try_from(class), Ok(Class::PermanentInput | Class::Done | Class::Cancelled))
}

/// What becomes of onsets that are part of no incident.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// Onsets that join an incident.
    pub(crate) joins: Vec<Join>,
    /// Places of the onsets of each cluster that is an incident if its share is large enough, the earliest first. Some may have
    /// joined another incident late.
    pub(crate) candidates: Vec<Vec<usize>>,
}

/// An onset that joins an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Join {
    /// Its place among the onsets.
    pub(crate) place: usize,
    /// The incident.
    pub(crate) incident: String,
    /// It began after the cluster that the incident was made of.
    pub(crate) is_late: bool,
}

/// Finds clusters among the onsets of the last hours, those of open incidents included.
pub(crate) fn assign(onsets: &[Onset], open: &[OpenIncident]) -> Assignment {
    let mut order: Vec<usize> = (0..onsets.len()).collect();
    order.sort_by_key(|place| (onsets[*place].at, onsets[*place].group_key));
    let mut found = Assignment::default();
    for run in order.chunk_by(|one, next| onsets[*next].at - onsets[*one].at <= GAP) {
        for cluster in cut_at_bridges(onsets, run) {
            assign_cluster(onsets, open, cluster, &mut found);
        }
    }
    found
}

fn assign_cluster(onsets: &[Onset], open: &[OpenIncident], cluster: &[usize], found: &mut Assignment) {
    let core: Vec<(usize, &str)> =
        cluster.iter().filter_map(|place| Some((*place, own_incident(&onsets[*place], open)?))).collect();
    let core_places: Vec<usize> = core.iter().map(|(place, _)| *place).collect();
    let others: Vec<usize> = cluster.iter().copied().filter(|place| !core_places.contains(place)).collect();
    let is_core = groups(onsets, &core_places) >= LEAST_GROUPS;
    if !is_core && is_dense(onsets, &others) {
        found.candidates.push(others);
    } else {
        let fresh = others.iter().copied().filter(|place| onsets[*place].incident.is_none());
        found.joins.extend(fresh.filter_map(|place| {
            let distance = |(other, _): &&(usize, &str)| (onsets[*other].at - onsets[place].at).abs();
            let nearest = core.iter().min_by_key(distance).map(|(_, incident)| (*incident).to_owned());
            let incident = nearest.or_else(|| late(&onsets[place], open))?;
            Some(Join { place, incident, is_late: !is_core })
        }));
    }
    let of_member = core.iter().filter(|(place, _)| onsets[*place].incident.is_none());
    found.joins.extend(of_member.map(|(place, incident)| Join {
        place: *place,
        incident: (*incident).to_owned(),
        is_late: false,
    }));
}

/// The open incident that an onset is part of, or that its group is; not if it joined late, for it may be of another one.
fn own_incident<'o>(onset: &'o Onset, open: &'o [OpenIncident]) -> Option<&'o str> {
    if onset.is_late {
        return None;
    }
    let of_group = || open.iter().find(|incident| incident.group_keys.contains(&onset.group_key));
    onset.incident.as_deref().or_else(|| of_group().map(|incident| incident.incident_id.as_str()))
}

/// The incident that a group joins late: of its projects, still failing, the newest such.
pub(crate) fn late(onset: &Onset, open: &[OpenIncident]) -> Option<String> {
    let fits = |incident: &&OpenIncident| {
        let fails = onset.at >= incident.started_at && onset.at - incident.last_failure_at <= GAP;
        fails && !incident.projects.is_disjoint(&onset.projects)
    };
    let newest = open.iter().filter(fits).max_by_key(|incident| (incident.started_at, &incident.incident_id));
    newest.map(|incident| incident.incident_id.clone())
}

/// Cuts a run where a single onset connects two parts that are large enough; it stays with the nearer one.
fn cut_at_bridges<'r>(onsets: &[Onset], run: &'r [usize]) -> Vec<&'r [usize]> {
    let at = |place: usize| onsets[run[place]].at;
    let is_bridge = |place: &usize| {
        let (before, after) = (&run[..*place], &run[*place + 1..]);
        at(*place + 1) - at(*place - 1) > GAP
            && groups(onsets, before) >= LEAST_GROUPS
            && groups(onsets, after) >= LEAST_GROUPS
    };
    let Some(bridge) = (1..run.len().saturating_sub(1)).find(is_bridge) else { return vec![run] };
    let is_nearer_to_next = at(bridge + 1) - at(bridge) < at(bridge) - at(bridge - 1);
    let (first, rest) = run.split_at(if is_nearer_to_next { bridge } else { bridge + 1 });
    std::iter::once(first).chain(cut_at_bridges(onsets, rest)).collect()
}

/// Whether enough groups began within one [`GAP`]: new groups that follow each other all day are no incident.
fn is_dense(onsets: &[Onset], places: &[usize]) -> bool {
    let within = |first: usize| {
        let near =
            places[first..].iter().copied().take_while(|place| onsets[*place].at - onsets[places[first]].at <= GAP);
        groups(onsets, &near.collect::<Vec<_>>())
    };
    (0..places.len()).any(|first| within(first) >= LEAST_GROUPS)
}

fn groups(onsets: &[Onset], places: &[usize]) -> usize {
    places.iter().map(|place| onsets[*place].group_key).collect::<BTreeSet<_>>().len()
}

/// Whether a cluster of so many groups is an incident.
pub(crate) fn is_incident(groups: usize, share: Share) -> bool {
    let least = LEAST_ITEMS.saturating_mul(u64::try_from(groups).unwrap_or(u64::MAX));
    groups >= LEAST_GROUPS && share.items >= least && share.percent() >= LEAST_PERCENT
}

/// The arithmetic: "5 groups began within 12 min; 147 of 270 items that ended failed in them (54 %); limit 3 groups and 15 %".
pub(crate) fn arithmetic(groups: usize, within: SignedDuration, share: Share) -> String {
    format!(
        "{groups} groups began within {} min; {} of {} items that ended failed in them ({} %); \
         limit {LEAST_GROUPS} groups and {LEAST_PERCENT} %",
        within.as_mins().max(1),
        share.items,
        share.ended,
        share.percent(),
    )
}

/// What the end of an incident is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Event time of the newest failure of its groups.
    pub(crate) last_failure_at: Timestamp,
    /// Whether no group of it is open.
    pub(crate) all_ended: bool,
    /// Whether work of its projects that began after that failure has completed items.
    pub(crate) completed_since: bool,
}

/// Whether an incident is over: silence alone proves nothing where no work runs.
pub(crate) fn is_over(progress: &Progress, now: Timestamp) -> bool {
    progress.all_ended || (progress.completed_since && now - progress.last_failure_at >= CALM)
}

/// The time in which the share of a cluster is counted. Failures of one moment are held against the items of some minutes.
pub(crate) fn window(started_at: Timestamp, last_failure_at: Timestamp, now: Timestamp) -> (Timestamp, Timestamp) {
    let least = started_at.checked_add(GAP).unwrap_or(now).min(now);
    (started_at, last_failure_at.max(least))
}

/// The work of one batch: its completed items are taken as spread evenly over its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchWork {
    /// When it began.
    pub(crate) began_at: Timestamp,
    /// When it ended, or was last seen.
    pub(crate) until: Timestamp,
    /// Items that completed.
    pub(crate) completed: u64,
}

/// The items that completed in a time, of all batches together, rounded.
pub(crate) fn completed_in(work: &[BatchWork], from: Timestamp, until: Timestamp) -> u64 {
    let sum: f64 = work.iter().map(|batch| batch.completed as f64 * overlap(batch, from, until)).sum();
    // No count comes near the limit, and no sum of shares is negative.
    sum.round() as u64
}

/// The part of a batch's time that lies in the given one, from 0 to 1.
fn overlap(batch: &BatchWork, from: Timestamp, until: Timestamp) -> f64 {
    let length = (batch.until - batch.began_at).as_secs_f64();
    if length <= 0.0 {
        return f64::from(u8::from(batch.until >= from && batch.until <= until));
    }
    let common = (batch.until.min(until) - batch.began_at.max(from)).as_secs_f64();
    (common / length).clamp(0.0, 1.0)
}
