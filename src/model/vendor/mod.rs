//! What the vendor's status page says of its service: incidents, and for how long they are worth showing.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Between two requests to a status page, at least.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// An incident without an update is shown for so long, and so is one that ended.
const SHOWN: SignedDuration = SignedDuration::from_hours(24);

/// An answer that is older says nothing about now.
const STALE: SignedDuration = SignedDuration::from_hours(1);

/// The word for an incident that the status page lists no longer.
const RESOLVED: &str = "resolved";

/// An incident as the status page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VendorIncident {
    /// What it is called; outside text.
    pub title: String,
    /// The page's word: `investigating`, `identified`, `monitoring`; `resolved` once it is listed no longer.
    pub status: String,
    /// When it began.
    pub since: Timestamp,
    /// When it last changed, or was seen to be over.
    pub updated_at: Timestamp,
}

/// What is known of a status page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VendorStatus {
    /// The page's address.
    pub url: String,
    /// When it was last asked.
    pub asked_at: Timestamp,
    /// When it last answered; none if it never did.
    pub answered_at: Option<Timestamp>,
    /// Incidents that are open, or ended lately.
    pub incidents: Vec<VendorIncident>,
}

impl VendorStatus {
    /// Whether a page may be asked at `now`, given what is known of one.
    pub(crate) fn is_due(known: Option<&VendorStatus>, url: &str, now: Timestamp) -> bool {
        let just_asked =
            |known: &VendorStatus| (SignedDuration::ZERO..PAUSE).contains(&now.duration_since(known.asked_at));
        known.is_none_or(|known| known.url != url || !just_asked(known))
    }

    /// What is known after the page was asked at `now`. `open`: the incidents that it lists; none if it did not answer.
    pub(crate) fn after(
        known: Option<VendorStatus>,
        url: &str,
        open: Option<Vec<VendorIncident>>,
        now: Timestamp,
    ) -> VendorStatus {
        let known = known.filter(|known| known.url == url);
        let Some(open) = open else {
            let (answered_at, incidents) =
                known.map_or((None, Vec::new()), |known| (known.answered_at, known.incidents));
            return VendorStatus { url: url.to_owned(), asked_at: now, answered_at, incidents };
        };
        let is_listed =
            |before: &VendorIncident| open.iter().any(|now| now.title == before.title && now.since == before.since);
        let over = known.map_or(Vec::new(), |known| known.incidents).into_iter().filter(|before| !is_listed(before));
        let over = over.map(|before| match before.status.as_str() {
            RESOLVED => before,
            _ => VendorIncident { status: RESOLVED.to_owned(), updated_at: now, ..before },
        });
        let mut incidents: Vec<VendorIncident> = over.filter(|incident| incident.is_recent(now)).collect();
        incidents.extend(open);
        incidents.sort_by_key(|incident| std::cmp::Reverse(incident.since));
        VendorStatus { url: url.to_owned(), asked_at: now, answered_at: Some(now), incidents }
    }

    /// The incidents of the last day that are worth showing at `now`, newest first; none if the page has not answered lately.
    pub(crate) fn recent(&self, now: Timestamp) -> Vec<VendorIncident> {
        match self.answered_at {
            Some(at) if now.duration_since(at) <= STALE => {
                self.incidents.iter().filter(|incident| incident.is_recent(now)).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The incidents that were open at some time between these, newest first.
    pub(crate) fn during(&self, from: Timestamp, until: Timestamp) -> Vec<VendorIncident> {
        let was_open =
            |incident: &&VendorIncident| incident.since <= until && (incident.is_open() || incident.updated_at >= from);
        self.incidents.iter().filter(was_open).cloned().collect()
    }
}

impl VendorIncident {
    fn is_recent(&self, now: Timestamp) -> bool {
        now.duration_since(self.since.max(self.updated_at)) <= SHOWN
    }

    /// Whether it has not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.status != RESOLVED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://status.example.com";

    fn time(minutes: i64) -> Timestamp {
        "2026-03-02T08:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
    }

    fn incident(title: &str, since: i64) -> VendorIncident {
        let (title, status) = (title.to_owned(), "investigating".to_owned());
        VendorIncident { title, status, since: time(since), updated_at: time(since) }
    }

    fn titles(status: &VendorStatus, now: i64) -> Vec<String> {
        status.recent(time(now)).into_iter().map(|incident| format!("{} {}", incident.title, incident.status)).collect()
    }

    #[test]
    fn a_page_is_asked_once_a_minute_at_most() {
        let known = VendorStatus::after(None, URL, None, time(0));
        let due = |seconds| VendorStatus::is_due(Some(&known), URL, time(0) + SignedDuration::from_secs(seconds));
        assert!(VendorStatus::is_due(None, URL, time(0)) && !due(0) && !due(59) && due(60));
        assert!(due(-30), "the clock was set back");
        assert!(VendorStatus::is_due(Some(&known), "https://other.example.com", time(0)));
    }

    #[test]
    fn an_incident_is_shown_while_it_is_open_and_for_a_day_after_it_ended() {
        let first = VendorStatus::after(None, URL, Some(vec![incident("slow parsing", -10)]), time(0));
        assert_eq!(titles(&first, 5), ["slow parsing investigating"]);
        let ended = VendorStatus::after(Some(first), URL, Some(vec![incident("no extraction", 20)]), time(30));
        assert_eq!(titles(&ended, 31), ["no extraction investigating", "slow parsing resolved"]);
        let day = 24 * 60;
        let later = VendorStatus::after(Some(ended), URL, Some(Vec::new()), time(day + 40));
        assert_eq!(titles(&later, day + 40), ["no extraction resolved"], "the other ended more than a day ago");
    }

    #[test]
    fn a_page_that_does_not_answer_changes_nothing_until_its_last_answer_is_stale() {
        let first = VendorStatus::after(None, URL, Some(vec![incident("slow parsing", 0)]), time(1));
        let silent = VendorStatus::after(Some(first), URL, None, time(40));
        assert_eq!(titles(&silent, 41), ["slow parsing investigating"]);
        assert_eq!(titles(&silent, 62), [""; 0]);
        assert_eq!(titles(&VendorStatus::after(None, URL, None, time(0)), 0), [""; 0]);
    }

    #[test]
    fn incidents_are_found_by_the_time_in_which_they_were_open() {
        let first = VendorStatus::after(None, URL, Some(vec![incident("slow parsing", 10)]), time(20));
        let ended = VendorStatus::after(Some(first.clone()), URL, Some(Vec::new()), time(30));
        let found = |status: &VendorStatus, from, until| status.during(time(from), time(until)).len();
        assert_eq!(
            (found(&ended, 0, 9), found(&ended, 0, 10), found(&ended, 30, 40), found(&ended, 31, 40)),
            (0, 1, 1, 0)
        );
        assert_eq!(found(&first, 500, 600), 1, "it is still open");
    }

    #[test]
    fn an_incident_that_no_one_updates_is_not_shown_for_ever() {
        let old = VendorStatus::after(None, URL, Some(vec![incident("forgotten", -3 * 24 * 60)]), time(0));
        assert_eq!(titles(&old, 1), [""; 0]);
    }
}
