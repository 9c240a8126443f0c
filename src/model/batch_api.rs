//! The two batch APIs of LlamaCloud: which of them a project has, and which batch lists a scan reads.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::model::id::is_uuid;
use crate::model::text::count;

/// A batch API of LlamaCloud. They stand in the order in which their batch lists are read.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
pub enum BatchApi {
    /// `/api/v2/batches`.
    #[serde(rename = "v2")]
    #[strum(serialize = "v2")]
    V2,
    /// `/api/v1/beta/batch-processing`.
    #[serde(rename = "v1-beta")]
    #[strum(serialize = "v1-beta")]
    V1Beta,
}

impl BatchApi {
    /// The word of the configuration, the ledger and JSON.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// The other one.
    pub fn other(self) -> BatchApi {
        match self {
            BatchApi::V2 => BatchApi::V1Beta,
            BatchApi::V1Beta => BatchApi::V2,
        }
    }

    /// Items that one request can resubmit; none if there is no such bound.
    pub fn items_per_request(self) -> Option<usize> {
        match self {
            BatchApi::V1Beta => None,
            BatchApi::V2 => Some(1),
        }
    }

    /// The API that a batch, or a single job followed like one, belongs to, by the prefix of its id.
    /// An id without a known prefix is taken for one of v1 beta.
    pub fn of_batch(batch_id: &str) -> BatchApi {
        let of_v2 = ["bat-", "pjb-", "ext-"].iter().any(|prefix| batch_id.starts_with(prefix));
        if of_v2 { BatchApi::V2 } else { BatchApi::V1Beta }
    }
}

impl fmt::Display for BatchApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The id under which the other API shows the same batch, if it does: the same uuid with the other prefix.
pub(crate) fn twin_id(batch_id: &str) -> Option<String> {
    let (prefix, bare) = batch_id.split_at_checked(4)?;
    let other = match prefix {
        "bat-" => "bjb-",
        "bjb-" => "bat-",
        _ => return None,
    };
    is_uuid(bare).then(|| format!("{other}{bare}"))
}

/// Whether a project has an API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// Its batch list has not answered yet, neither well nor with "not found".
    #[default]
    Unknown,
    /// Its batch list was read.
    Present,
    /// Its batch list does not exist: 404, 410, 405 or an HTML page, while the other API's list was read.
    Absent,
}

/// What is known of one API of a project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApiState {
    /// Whether the project has it.
    pub presence: Presence,
    /// Its batch list showed batches of the look-back window when it was last read.
    pub active: bool,
    /// One while the list does not exist although the API is taken to be present.
    pub missed: u32,
    /// The HTTP status of the last list that did not exist; none after a list that was read.
    pub status: Option<u16>,
    /// Since when the presence is what it is; none while it is unknown.
    pub since: Option<Timestamp>,
    /// When its list was last read, or last found not to exist; for a list that is missing, when that was found first.
    /// None before.
    pub asked_at: Option<Timestamp>,
}

/// The status of a web page in place of a list.
const PAGE: u16 = 200;

/// A list that was there must have been missing for this long before its API is taken to be gone: a deployment or a proxy
/// answers "not found" for a moment, too, however often it is asked in it.
const GONE_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// A list that shows nothing, or does not exist, is asked for again after this.
const ASK_AGAIN: SignedDuration = SignedDuration::from_hours(1);

impl ApiState {
    fn is_due(&self, awaited: bool, whole: bool, now: Timestamp) -> bool {
        // A time ahead of now was written by a clock that has been set back.
        let rests = self.asked_at.is_some_and(|at| at <= now && now - at < ASK_AGAIN);
        match self.presence {
            Presence::Unknown => true,
            Presence::Absent => !rests,
            Presence::Present => self.active || awaited || whole || self.missed > 0 || !rests,
        }
    }

    /// What it is, in words, after "API v2: ".
    pub fn describe(&self) -> String {
        let status = self.status.map_or_else(String::new, |status| format!(" ({status})"));
        match self.presence {
            Presence::Unknown => "unknown yet".to_owned(),
            Presence::Absent => format!("does not exist{status}"),
            Presence::Present if self.missed > 0 => format!("did not answer last time{status}"),
            Presence::Present if self.active => "answers, has batches".to_owned(),
            Presence::Present => "answers, has no recent batches".to_owned(),
        }
    }

    /// Whether its last list did not exist: nothing of it can be asked for now.
    pub fn is_missing(&self) -> bool {
        self.presence == Presence::Absent || self.missed > 0
    }
}

/// What is known of both APIs of a project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApiStates {
    v2: ApiState,
    v1_beta: ApiState,
}

impl ApiStates {
    /// The state of one API.
    pub fn get(&self, api: BatchApi) -> &ApiState {
        match api {
            BatchApi::V2 => &self.v2,
            BatchApi::V1Beta => &self.v1_beta,
        }
    }

    /// Replaces the state of one API.
    pub fn set(&mut self, api: BatchApi, state: ApiState) {
        match api {
            BatchApi::V2 => self.v2 = state,
            BatchApi::V1Beta => self.v1_beta = state,
        }
    }

    /// Which of these APIs' batch lists a scan reads, at least one. `awaited` says of an API whether batches of it must be
    /// followed; a `whole` reading takes every list that exists.
    ///
    /// A list that has batches is read in each scan, one that shows nothing or does not exist about once an hour.
    pub fn lists_due(
        &self,
        apis: &[BatchApi],
        awaited: impl Fn(BatchApi) -> bool,
        whole: bool,
        now: Timestamp,
    ) -> Vec<BatchApi> {
        let due = |api: &BatchApi| self.get(*api).is_due(awaited(*api), whole, now);
        let mut due: Vec<BatchApi> = apis.iter().copied().filter(due).collect();
        let is_there = |api: &BatchApi| self.get(*api).presence != Presence::Absent;
        if !due.iter().any(is_there) {
            let first = apis.iter().copied().find(is_there).or(apis.first().copied());
            due.extend(first.filter(|api| !due.contains(api)));
            due.sort_unstable();
        }
        due
    }
}

/// What is open of an API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OpenWork {
    /// Open and retrying items whose newest failure is of a batch of it.
    pub open_items: u64,
    /// Batches of it that have not ended.
    pub unfinished_batches: u64,
    /// Retries through it without a known outcome.
    pub retries: u64,
}

impl OpenWork {
    /// Whether nothing is.
    pub(crate) fn is_nothing(&self) -> bool {
        *self == OpenWork::default()
    }

    /// What it is reported once the API of a project went away.
    pub(crate) fn removal_message(&self, project: &str, api: BatchApi, status: Option<u16>) -> String {
        let status = status.map_or_else(String::new, |status| format!(" (its batch list answers {status})"));
        let head = format!(
            "project {project}: LlamaCloud no longer serves API {api}{status}; its batches are read through API {} only",
            api.other()
        );
        if self.is_nothing() {
            return format!("{head}. Nothing open depends on API {api}.");
        }
        let parts = [
            (self.open_items, "open item", "open items"),
            (self.unfinished_batches, "unfinished batch", "unfinished batches"),
            (self.retries, "retry under way", "retries under way"),
        ];
        let parts = parts.iter().filter(|(n, _, _)| *n > 0).map(|(n, one, many)| count(*n, one, many));
        let parts: Vec<String> = parts.collect();
        format!(
            "{head}. The outcome of {} of API {api} can no longer be read; the ledger keeps their last state. \
             Retry the items through API {} (needs a [[reprocess.job-config]]), or dismiss them once they are done.",
            parts.join(", "),
            api.other()
        )
    }
}

/// What asking for one batch list came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListOutcome {
    /// It was read.
    Read {
        /// It showed batches of the look-back window.
        active: bool,
    },
    /// It does not exist, by this HTTP status.
    NotFound(u16),
    /// Anything else, such as a refused key or no answer: that says nothing about the API's presence.
    Failed,
}

/// What follows for an API from its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApiFinding {
    /// Its list was read.
    Read,
    /// The project does not have the API; nothing is missing without its list.
    NotThere,
    /// The project had the API until now, and does not any more.
    WentAway,
    /// The list did not exist, and it is not decided yet what that means: something may be missing.
    Unclear,
    /// The list could not be read: something may be missing.
    Failed,
    /// The list of an API that the project does not have could not be asked for again: nothing is missing.
    ProbeFailed,
}

/// Draws the conclusions of a scan that asked for these lists: what is known then, and what each list means.
///
/// An API is absent only by comparison: while the other one's list can be read. Where none can be, the address is wrong
/// or the service is down, and nothing is concluded.
pub(crate) fn conclude(
    states: &ApiStates,
    asked: &[(BatchApi, ListOutcome)],
    now: Timestamp,
) -> (ApiStates, Vec<(BatchApi, ApiFinding)>) {
    let mut after = *states;
    let one_was_read = asked.iter().any(|(_, outcome)| matches!(outcome, ListOutcome::Read { .. }));
    let findings = asked.iter().map(|(api, outcome)| {
        let state = *states.get(*api);
        let (state, finding) = match outcome {
            ListOutcome::Read { active } => (read(state, *active, now), ApiFinding::Read),
            ListOutcome::NotFound(status) if one_was_read => not_found(state, *status, now),
            ListOutcome::NotFound(_) => (state, ApiFinding::Unclear),
            ListOutcome::Failed if state.presence == Presence::Absent && one_was_read => {
                (ApiState { asked_at: Some(now), ..state }, ApiFinding::ProbeFailed)
            }
            ListOutcome::Failed => (state, ApiFinding::Failed),
        };
        after.set(*api, state);
        (*api, finding)
    });
    let findings = findings.collect();
    (after, findings)
}

fn read(state: ApiState, active: bool, now: Timestamp) -> ApiState {
    let since = state.since.filter(|_| state.presence == Presence::Present).unwrap_or(now);
    ApiState { presence: Presence::Present, active, missed: 0, status: None, since: Some(since), asked_at: Some(now) }
}

fn not_found(state: ApiState, status: u16, now: Timestamp) -> (ApiState, ApiFinding) {
    let asked = ApiState { status: Some(status), asked_at: Some(now), ..state };
    let absent = ApiState { presence: Presence::Absent, active: false, missed: 0, since: Some(now), ..asked };
    match state.presence {
        Presence::Absent => (asked, ApiFinding::NotThere),
        Presence::Unknown => (absent, ApiFinding::NotThere),
        // A page in place of the list, where there was a list before: maintenance, not the end of an API.
        Presence::Present if status == PAGE => (asked, ApiFinding::Unclear),
        Presence::Present => match state.asked_at.filter(|at| state.missed > 0 && *at <= now) {
            None => (ApiState { missed: 1, ..asked }, ApiFinding::Unclear),
            Some(first) if now - first < GONE_AFTER => {
                (ApiState { asked_at: Some(first), ..asked }, ApiFinding::Unclear)
            }
            Some(_) => (absent, ApiFinding::WentAway),
        },
    }
}

/// The rules of `batch_api`, in tables.
#[cfg(test)]
mod tests {
    use BatchApi::{V1Beta, V2};
    use ListOutcome::{Failed, NotFound, Read};
    use strum::VariantArray as _;

    use super::*;

    const WITH_BATCHES: ListOutcome = Read { active: true };
    const EMPTY: ListOutcome = Read { active: false };

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + 60 * minute).unwrap()
    }

    /// The states after these scans, five minutes apart, and what the last one found.
    fn after(scans: &[&[(BatchApi, ListOutcome)]]) -> (ApiStates, Vec<ApiFinding>) {
        let (mut states, mut found) = (ApiStates::default(), Vec::new());
        for (n, asked) in scans.iter().enumerate() {
            let (next, findings) = conclude(&states, asked, at(5 * i64::try_from(n).unwrap()));
            states = next;
            found = findings.into_iter().map(|(_, finding)| finding).collect();
        }
        (states, found)
    }

    fn due(states: &ApiStates, minute: i64) -> Vec<BatchApi> {
        states.lists_due(BatchApi::VARIANTS, |_| false, false, at(minute))
    }

    #[test]
    fn the_prefix_of_an_id_shows_its_api_and_its_twin() {
        let uuid = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
        for (id, api) in [("bat-1", V2), ("pjb-1", V2), ("ext-1", V2), ("bjb-1", V1Beta), ("1", V1Beta), ("", V1Beta)] {
            assert_eq!(BatchApi::of_batch(id), api, "{id}");
        }
        assert_eq!(twin_id(&format!("bjb-{uuid}")), Some(format!("bat-{uuid}")));
        assert_eq!(twin_id(&format!("bat-{uuid}")), Some(format!("bjb-{uuid}")));
        for id in ["", "bat", "bat-1", "äää-1", &format!("pjb-{uuid}")] {
            assert_eq!(twin_id(id), None, "{id}");
        }
    }

    #[test]
    fn both_lists_are_read_until_it_is_known_what_is_there() {
        assert_eq!(due(&ApiStates::default(), 0), [V2, V1Beta]);
        let (unreached, found) = after(&[&[(V2, Failed), (V1Beta, Failed)]]);
        assert_eq!((unreached, found), (ApiStates::default(), vec![ApiFinding::Failed, ApiFinding::Failed]));
    }

    #[test]
    fn a_list_with_batches_is_read_in_each_scan_and_a_silent_one_about_hourly() {
        let (both, _) = after(&[&[(V2, WITH_BATCHES), (V1Beta, WITH_BATCHES)]]);
        assert_eq!(due(&both, 5), [V2, V1Beta]);
        for silent in [EMPTY, NotFound(404)] {
            let (states, found) = after(&[&[(V2, silent), (V1Beta, WITH_BATCHES)]]);
            assert!(matches!(found[0], ApiFinding::Read | ApiFinding::NotThere), "{silent:?}: {found:?}");
            assert_eq!(due(&states, 59), [V1Beta], "{silent:?}");
            assert_eq!(due(&states, 60), [V2, V1Beta], "{silent:?}");
            assert_eq!(due(&states, -5), [V2, V1Beta], "{silent:?}: the clock was set back");
        }
        let (neither, _) = after(&[&[(V2, EMPTY), (V1Beta, EMPTY)]]);
        assert_eq!(due(&neither, 5), [V2], "one list is always read");
        assert_eq!(neither.lists_due(BatchApi::VARIANTS, |api| api == V1Beta, false, at(5)), [V1Beta], "it is awaited");
        assert_eq!(
            neither.lists_due(BatchApi::VARIANTS, |_| false, true, at(5)),
            [V2, V1Beta],
            "the whole list is due"
        );
        let (only_v2, _) = after(&[&[(V2, EMPTY), (V1Beta, NotFound(410))]]);
        assert_eq!(
            only_v2.lists_due(BatchApi::VARIANTS, |_| true, true, at(5)),
            [V2],
            "what does not exist is not followed"
        );
        assert_eq!(ApiStates::default().lists_due(&[V1Beta], |_| false, false, at(5)), [V1Beta]);
    }

    #[test]
    fn an_api_that_answered_is_absent_once_its_list_is_missing_for_ten_minutes() {
        let there: &[_] = &[(V2, WITH_BATCHES), (V1Beta, WITH_BATCHES)];
        let gone: &[_] = &[(V2, WITH_BATCHES), (V1Beta, NotFound(404))];
        let (doubted, found) = after(&[there, gone]);
        assert_eq!(found, [ApiFinding::Read, ApiFinding::Unclear]);
        assert!(doubted.get(V1Beta).is_missing() && due(&doubted, 10) == [V2, V1Beta]);
        assert_eq!(after(&[there, gone, gone]).1, [ApiFinding::Read, ApiFinding::Unclear], "after five minutes");
        assert_eq!(after(&[there, gone, gone, gone]).1, [ApiFinding::Read, ApiFinding::WentAway]);
        let (absent, found) = after(&[there, gone, gone, gone, gone]);
        assert_eq!(found, [ApiFinding::Read, ApiFinding::NotThere], "it goes away once");
        assert_eq!((absent.get(V1Beta).since, absent.get(V1Beta).status), (Some(at(15)), Some(404)));
        let between = after(&[there, gone, gone, there, gone]);
        assert_eq!(between.1, [ApiFinding::Read, ApiFinding::Unclear], "it was there between");
        let (back, found) = after(&[there, gone, gone, gone, there]);
        assert_eq!((found[1], back.get(V1Beta).presence), (ApiFinding::Read, Presence::Present));
        assert_eq!(back.get(V1Beta).since, Some(at(20)));
    }

    #[test]
    fn however_often_a_missing_list_is_asked_for_only_time_ends_its_api() {
        let gone = [(V2, WITH_BATCHES), (V1Beta, NotFound(404))];
        let (mut states, _) = after(&[&[(V2, WITH_BATCHES), (V1Beta, WITH_BATCHES)]]);
        for second in 0..600 {
            let (next, findings) = conclude(&states, &gone, at(1) + SignedDuration::from_secs(second));
            states = next;
            assert_eq!(
                (states.get(V1Beta).presence, findings[1].1),
                (Presence::Present, ApiFinding::Unclear),
                "{second}"
            );
            assert!(due(&states, 2).contains(&V1Beta), "it is asked in each scan");
        }
        // The time was written by a clock that was ahead: it begins anew.
        let set_back = conclude(&states, &gone, at(0)).0;
        assert_eq!((set_back.get(V1Beta).presence, set_back.get(V1Beta).asked_at), (Presence::Present, Some(at(0))));
        assert_eq!(conclude(&states, &gone, at(11)).1[1].1, ApiFinding::WentAway);
    }

    #[test]
    fn nothing_is_concluded_where_no_list_can_be_read() {
        let there: &[_] = &[(V2, WITH_BATCHES), (V1Beta, WITH_BATCHES)];
        let before = after(&[there]).0;
        for asked in [[NotFound(404), NotFound(404)], [Failed, NotFound(404)]] {
            let (states, findings) = conclude(&before, &[(V2, asked[0]), (V1Beta, asked[1])], at(5));
            assert_eq!(states, before, "{asked:?}");
            let open =
                |(_, finding): &(BatchApi, ApiFinding)| matches!(finding, ApiFinding::Unclear | ApiFinding::Failed);
            assert!(findings.iter().all(open), "{asked:?}");
        }
    }

    #[test]
    fn a_refusal_is_no_absence_and_a_failed_probe_no_loss() {
        let read_and_failed: &[_] = &[(V1Beta, WITH_BATCHES), (V2, Failed)];
        assert_eq!(
            after(&[read_and_failed]).1,
            [ApiFinding::Read, ApiFinding::Failed],
            "it was never known not to exist"
        );
        let (states, found) = after(&[&[(V1Beta, WITH_BATCHES), (V2, NotFound(404))], read_and_failed]);
        assert_eq!(found, [ApiFinding::Read, ApiFinding::ProbeFailed]);
        assert_eq!(due(&states, 10), [V1Beta], "the next probe is an hour later");
    }

    #[test]
    fn a_page_in_place_of_a_list_that_was_there_never_ends_its_api() {
        let maintenance = [(V2, NotFound(200)), (V1Beta, WITH_BATCHES)];
        let both = [(V2, WITH_BATCHES), (V1Beta, WITH_BATCHES)];
        let (states, found) = after(&[&both, &maintenance, &maintenance, &maintenance]);
        assert_eq!((states.get(V2).presence, found[0]), (Presence::Present, ApiFinding::Unclear));
        assert_eq!(due(&states, 16), [V2, V1Beta], "it is asked in each scan");
        let (states, _) = after(&[&maintenance]);
        assert_eq!(
            states.get(V2).presence,
            Presence::Absent,
            "where it never answered, it is the page of another service"
        );
    }
}
