//! Whether an incident is reported now, and how urgently: one pure function.

use crate::triage::decide::Urgency;
use crate::triage::digest::incident::IncidentReason;

/// What is known of an incident when it is decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct IncidentNow {
    /// It was reported.
    pub(crate) announced: bool,
    /// It was reported as a page.
    pub(crate) paged: bool,
    /// It pages: by its size, its share, its projects and the hour.
    pub(crate) pages: bool,
    /// It is over.
    pub(crate) over: bool,
    /// All its open groups are silenced.
    pub(crate) silenced: bool,
    /// All its open groups are acknowledged.
    pub(crate) acked: bool,
    /// News of some of its groups waits for their batches.
    pub(crate) awaits_batches: bool,
}

/// What to report of an incident, and how soon; none if nothing.
///
/// What was over before it was reported pages no one: it is reported with its groups.
pub(crate) fn decide(now: &IncidentNow) -> Option<(IncidentReason, Urgency)> {
    let pages = now.pages && !now.acked && !now.over;
    match (now.announced, now.over) {
        (true, true) => Some((IncidentReason::Resolved, Urgency::WithNext)),
        _ if now.silenced => None,
        (false, _) if pages => Some((IncidentReason::New, Urgency::Page)),
        (false, false) if !now.awaits_batches => Some((IncidentReason::New, Urgency::Soon)),
        (false, _) => Some((IncidentReason::New, Urgency::WithNext)),
        (true, false) => (pages && !now.paged).then_some((IncidentReason::Escalated, Urgency::Page)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: IncidentNow = IncidentNow {
        announced: false,
        paged: false,
        pages: false,
        over: false,
        silenced: false,
        acked: false,
        awaits_batches: false,
    };

    #[test]
    fn an_incident_is_reported_once_when_it_pages_and_when_it_is_over() {
        use IncidentReason::{Escalated, New, Resolved};
        use Urgency::{Page, Soon, WithNext};
        let known = IncidentNow { announced: true, ..OPEN };
        for (now, expected) in [
            (OPEN, Some((New, Soon))),
            (IncidentNow { awaits_batches: true, ..OPEN }, Some((New, WithNext))),
            (IncidentNow { awaits_batches: true, pages: true, ..OPEN }, Some((New, Page))),
            (IncidentNow { silenced: true, pages: true, ..OPEN }, None),
            (IncidentNow { acked: true, pages: true, ..OPEN }, Some((New, Soon))),
            (IncidentNow { over: true, pages: true, ..OPEN }, Some((New, WithNext))),
            (known, None),
            (IncidentNow { pages: true, ..known }, Some((Escalated, Page))),
            (IncidentNow { pages: true, paged: true, ..known }, None),
            (IncidentNow { pages: true, acked: true, ..known }, None),
            (IncidentNow { over: true, ..known }, Some((Resolved, WithNext))),
            (IncidentNow { over: true, silenced: true, ..known }, Some((Resolved, WithNext))),
        ] {
            assert_eq!(decide(&now), expected, "{now:?}");
        }
    }
}
