//! Narrowing a digest to what a channel asked for with `only`.
//!
//! Narrow before groups are cut away, or groups of this channel may be among the cut ones.
//!
//! What the numbers of a narrowed digest mean:
//! - the counts of news and `open_items`, `open_groups`, `new_items` are of the groups that this channel is shown;
//! - a remark names the filter and the numbers of the whole ledger, so that no one takes the part for the whole;
//! - faults, retries, silences and budget are the worker's, and stay: a failing worker concerns every channel.

use crate::model::fault::Fault;
use crate::model::group_state::GroupState;
use crate::model::item::Kind;
use crate::triage::digest::incident::{IncidentEntry, IncidentReason};
use crate::triage::digest::model::{Digest, GroupEntry, Reason, Totals};
use crate::triage::digest::remark::Remark;

/// How severe the news of a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// Growth, reminders, ends, inventories.
    #[default]
    Info,
    /// Something is new or worse.
    Warning,
    /// It pages.
    Critical,
}

impl Severity {
    /// The severity of a group's news.
    fn of(entry: &GroupEntry) -> Severity {
        match entry.reason {
            _ if entry.page => Severity::Critical,
            Reason::New
            | Reason::Regressed
            | Reason::Escalated
            | Reason::Flapping
            | Reason::SilenceExpired
            | Reason::WorkerFault => Severity::Warning,
            Reason::Resolved | Reason::MoreItems | Reason::Reminder | Reason::Heartbeat | Reason::Baseline => {
                Severity::Info
            }
        }
    }

    /// The severity of an incident's news.
    fn of_incident(entry: &IncidentEntry) -> Severity {
        match entry.reason.is_alarm() {
            _ if entry.page => Severity::Critical,
            true => Severity::Warning,
            false => Severity::Info,
        }
    }
}

/// Which news a channel gets. An empty list means all.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Only {
    /// The least severity.
    pub severity: Severity,
    /// Group states.
    pub states: Vec<GroupState>,
    /// Failed, skipped.
    pub kinds: Vec<Kind>,
    /// Configured project names.
    pub projects: Vec<String>,
    /// Group ids.
    pub groups: Vec<String>,
    /// Class words.
    pub classes: Vec<String>,
}

impl Only {
    /// Whether nothing is filtered.
    pub fn is_all(&self) -> bool {
        *self == Only::default()
    }

    /// Whether a group passes.
    ///
    /// The states never hide the end of a paging group: people who were paged must learn that it is resolved.
    pub fn admits(&self, entry: &GroupEntry) -> bool {
        let woke_somebody = entry.page && entry.state == GroupState::Resolved;
        let state = woke_somebody || holds(&self.states, &entry.state);
        let project = self.projects.is_empty() || entry.projects.iter().any(|p| self.projects.contains(p));
        state
            && project
            && Severity::of(entry) >= self.severity
            && holds(&self.kinds, &entry.kind)
            && holds(&self.groups, &entry.group_id)
            && holds(&self.classes, &entry.class)
    }

    /// Whether news of an incident passes; what is no news of it comes with its groups.
    ///
    /// As of groups, the end of what paged is never hidden by the states.
    pub(crate) fn admits_incident(&self, entry: &IncidentEntry) -> bool {
        let state = match entry.reason {
            IncidentReason::Known => false,
            IncidentReason::Resolved => entry.page || holds(&self.states, &GroupState::Resolved),
            _ => self.states.is_empty() || self.states.iter().any(|state| *state != GroupState::Resolved),
        };
        let any =
            |wanted: &[String], of: Vec<&String>| wanted.is_empty() || of.iter().any(|name| wanted.contains(name));
        state
            && Severity::of_incident(entry) >= self.severity
            && holds(&self.kinds, &Kind::Failed)
            && any(&self.projects, entry.projects.iter().collect())
            && any(&self.groups, entry.groups.iter().collect())
            && any(&self.classes, entry.classes.keys().collect())
    }

    /// The filter in words, for the remark.
    fn describe(&self) -> String {
        let mut parts = Vec::new();
        let mut add = |name: &str, words: Vec<&str>| {
            if !words.is_empty() {
                parts.push(format!("{name} {}", words.join(", ")));
            }
        };
        if self.severity > Severity::default() {
            add("min-severity", vec![self.severity.into()]);
        }
        add("states", self.states.iter().map(|s| s.as_str()).collect());
        add("kinds", self.kinds.iter().map(|k| k.as_str()).collect());
        add("projects", self.projects.iter().map(String::as_str).collect());
        add("groups", self.groups.iter().map(String::as_str).collect());
        add("classes", self.classes.iter().map(String::as_str).collect());
        parts.join("; ")
    }
}

/// The digest as a channel with this filter gets it; none if it has nothing to report to that channel.
///
/// A digest without any group that says that all is quiet is sent to every channel that gets all severities; faults of the
/// worker are sent to every channel.
pub(crate) fn filter_digest(digest: &Digest, only: &Only) -> Option<Digest> {
    if only.is_all() {
        return Some(digest.clone());
    }
    let admitted =
        |entries: &[GroupEntry]| -> Vec<GroupEntry> { entries.iter().filter(|e| only.admits(e)).cloned().collect() };
    let changes = admitted(&digest.changes);
    let still_open = admitted(&digest.still_open);
    let is_named = |incident: &IncidentEntry| {
        changes.iter().any(|entry| entry.incident_id.as_ref() == Some(&incident.incident_id))
    };
    let incidents: Vec<IncidentEntry> = digest
        .incidents
        .iter()
        .filter(|incident| only.admits_incident(incident) || is_named(incident))
        .cloned()
        .collect();
    let had_news = !digest.changes.is_empty() || !digest.still_open.is_empty() || !digest.incidents.is_empty();
    let is_wanted = only.severity == Severity::default() && !had_news;
    let is_empty = changes.is_empty() && still_open.is_empty() && incidents.is_empty();
    if is_empty && !is_wanted && digest.faults.is_empty() {
        return None;
    }
    let totals = count(&digest.totals, &changes, &still_open);
    let mut remarks = digest.remarks.clone();
    remarks.push(Remark::this_channel(format!(
        "This channel is filtered by {}; its counts cover only matching groups. The whole ledger has {} open items in {} groups.",
        only.describe(),
        digest.totals.open_items,
        digest.totals.open_groups,
    )));
    Some(Digest { totals, incidents, changes, still_open, remarks, ..digest.clone() })
}

/// The digest for a channel that failed before: whoever reads it there sees that it works again.
///
/// Its own fault becomes a remark and hides no news; none if it was all there was to report.
pub(crate) fn without_own_fault(digest: &Digest, channel: &str) -> Option<Digest> {
    let own = format!("delivery:{channel}");
    let is_own = |fault: &Fault| fault.fault == own && !fault.ended;
    if !digest.faults.iter().any(is_own) {
        return Some(digest.clone());
    }
    let mut digest = digest.clone();
    digest.faults.retain(|fault| !is_own(fault));
    digest.totals.faults = digest.totals.faults.saturating_sub(1);
    digest
        .remarks
        .push(Remark::this_channel("Earlier digests did not reach this channel; this one includes their news."));
    let nothing = digest.incidents.is_empty()
        && digest.changes.is_empty()
        && digest.still_open.is_empty()
        && digest.faults.is_empty();
    (!nothing).then_some(digest)
}

fn holds<T: PartialEq>(wanted: &[T], value: &T) -> bool {
    wanted.is_empty() || wanted.contains(value)
}

fn count(whole: &Totals, changes: &[GroupEntry], still_open: &[GroupEntry]) -> Totals {
    let mut totals = Totals { recovered_items: whole.recovered_items, faults: whole.faults, ..Totals::default() };
    for entry in changes {
        match entry.reason {
            Reason::New => totals.new += 1,
            Reason::Regressed => totals.regressed += 1,
            Reason::Escalated => totals.escalated += 1,
            Reason::Resolved => totals.resolved += 1,
            _ => totals.other += 1,
        }
        if entry.kind.is_failure() {
            totals.new_items = totals.new_items.saturating_add(entry.new_items);
        }
    }
    for entry in changes.iter().chain(still_open) {
        match entry.kind {
            Kind::Overdue => totals.overdue_batches += entry.open_items,
            Kind::Missing => totals.missing_batches += entry.open_items,
            Kind::Failed | Kind::Skipped | Kind::Cancelled => {
                totals.open_items = totals.open_items.saturating_add(entry.open_failures());
                totals.open_groups += u64::from(entry.open_failures() > 0);
            }
        }
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::triage::digest::test_digest::trial;

    fn digest() -> Digest {
        let mut digest = trial("", "UTC", "2026-08-23T07:00:00Z".parse().unwrap());
        let mut new = digest.changes[0].clone();
        new.projects = vec!["a".into(), "b".into()];
        new.reason = Reason::New;
        new.state = GroupState::New;
        (new.open_items, new.new_items) = (5, 5);
        let mut over = new.clone();
        over.group_id = "g-over".into();
        over.reason = Reason::Resolved;
        over.state = GroupState::Resolved;
        (over.page, over.open_items, over.new_items) = (true, 0, 0);
        let mut skipped = new.clone();
        skipped.kind = Kind::Skipped;
        skipped.state = GroupState::Ongoing;
        skipped.projects = vec!["c".into()];
        digest.changes = vec![new, over];
        digest.still_open = vec![skipped];
        digest.totals = Totals { open_items: 99, open_groups: 9, new: 1, resolved: 1, ..Totals::default() };
        digest
    }

    fn states(words: &[GroupState]) -> Only {
        Only { states: words.to_vec(), ..Only::default() }
    }

    #[test]
    fn an_empty_filter_changes_nothing() {
        assert_eq!(filter_digest(&digest(), &Only::default()), Some(digest()));
    }

    #[test]
    fn counts_are_of_what_is_shown_and_a_remark_names_the_whole() {
        let only = Only { projects: vec!["c".into()], ..Only::default() };
        let narrowed = filter_digest(&digest(), &only).unwrap();
        assert_eq!(narrowed.totals, Totals { open_items: 5, open_groups: 1, ..Totals::default() });
        let remark = narrowed.remarks.last().unwrap();
        assert!(remark.text.contains("projects c") && remark.text.contains("99 open items in 9 groups"));
    }

    #[test]
    fn states_never_hide_the_end_of_a_paging_group() {
        let narrowed = filter_digest(&digest(), &states(&[GroupState::New])).unwrap();
        assert_eq!(narrowed.changes.len(), 2);
        let mut quiet = digest();
        quiet.changes[1].page = false;
        assert_eq!(filter_digest(&quiet, &states(&[GroupState::New])).unwrap().changes.len(), 1);
    }

    #[test]
    fn nothing_left_means_no_message_unless_the_worker_is_failing() {
        let only = Only { classes: vec!["no such class".into()], ..Only::default() };
        assert_eq!(filter_digest(&digest(), &only), None);
        let mut faulty = digest();
        faulty.faults.push(Fault {
            fault: "scan:a".into(),
            text: "t".into(),
            since: faulty.created_at,
            ended: false,
            alert_scope: None,
        });
        assert!(filter_digest(&faulty, &only).is_some());
        let mut quiet = digest();
        quiet.changes.clear();
        quiet.still_open.clear();
        assert!(filter_digest(&quiet, &only).is_some());
    }

    #[test]
    fn a_channel_does_not_read_first_that_it_was_down() {
        let mut faulty = digest();
        let since = faulty.created_at;
        faulty.faults.push(Fault {
            fault: "delivery:mail".into(),
            text: "t".into(),
            since,
            ended: false,
            alert_scope: None,
        });
        faulty.totals.faults = 1;
        assert_eq!(without_own_fault(&faulty, "chat"), Some(faulty.clone()));
        let own = without_own_fault(&faulty, "mail").unwrap();
        assert!(
            own.faults.is_empty()
                && own.totals.faults == 0
                && own.remarks.last().unwrap().text.contains("did not reach")
        );
        faulty.changes.clear();
        faulty.still_open.clear();
        assert_eq!(without_own_fault(&faulty, "mail"), None);
    }

    #[test]
    fn a_least_severity_leaves_out_what_needs_no_reaction() {
        let least = |severity| Only { severity, ..Only::default() };
        let narrowed = |digest: &Digest, severity| filter_digest(digest, &least(severity));
        let shown =
            |digest: &Digest, severity| narrowed(digest, severity).map_or(0, |d| d.changes.len() + d.still_open.len());
        let mut digest = digest();
        digest.still_open[0].reason = Reason::Reminder;
        assert_eq!(shown(&digest, Severity::Info), 3);
        assert_eq!(shown(&digest, Severity::Warning), 2, "what is new, and the end of what paged");
        assert_eq!(shown(&digest, Severity::Critical), 1);
        digest.changes[1].page = false;
        assert_eq!(shown(&digest, Severity::Warning), 1);
        assert_eq!(narrowed(&digest, Severity::Critical), None);
        digest.changes[0].page = true;
        let paged = narrowed(&digest, Severity::Critical).unwrap();
        assert!(paged.changes.len() == 1 && paged.remarks.last().unwrap().text.contains("min-severity critical"));
        let quiet = Digest { changes: Vec::new(), still_open: Vec::new(), ..digest };
        assert!(narrowed(&quiet, Severity::Info).is_some() && narrowed(&quiet, Severity::Warning).is_none());
    }

    #[test]
    fn every_list_of_the_filter_is_obeyed() {
        for only in [
            Only { kinds: vec![Kind::Skipped], ..Only::default() },
            Only { groups: vec!["g-over".into()], ..Only::default() },
            Only { projects: vec!["c".into()], ..Only::default() },
        ] {
            let narrowed = filter_digest(&digest(), &only).unwrap();
            assert_eq!(narrowed.changes.len() + narrowed.still_open.len(), 1, "{only:?}");
        }
    }
}
