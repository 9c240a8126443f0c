//! Where a group stands, from what is known of it and what was reported of it.
//!
//! The one rule that triage and reports share. It reads no history: the group's counters, its latest episode and
//! the last announcement are enough.
//!
//! 1. No open items: `resolved`.
//! 2. No episode yet (triage never ran since the group appeared): `new`.
//! 3. The latest episode is closed although items are open: `resolved` (given up as quiet, or dismissed),
//!    unless a newer failure was seen since: then `regressed`.
//! 4. This episode was not reported: `new` in the first episode, `regressed` in any later one.
//! 5. Told in this episode: `regressed` stays until a day without a failure has passed, `escalating` until an hour has
//!    passed without a failure and since it was reported; all else is `ongoing`.

use jiff::{SignedDuration, Timestamp};

use crate::model::group_state::GroupState;

/// After so long without a failure nothing has just come back; it is simply still there.
const CALM: SignedDuration = SignedDuration::from_hours(24);

/// After so long without a failure nothing grows any more: the window that growth is measured in. When it may be reported
/// again is [`escalation`](crate::triage::escalation)'s business.
const GROWTH: SignedDuration = SignedDuration::from_hours(1);

/// What the rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupFigures {
    /// The time.
    pub now: Timestamp,
    /// Open items now.
    pub open_items: u64,
    /// Event time of its newest observation.
    pub last_seen: Timestamp,
    /// Its latest episode; none before triage first saw it.
    pub episode: Option<LatestEpisode>,
    /// The last report of the group; none if never reported.
    pub announced: Option<LastAnnouncement>,
}

/// A group's latest episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LatestEpisode {
    /// Which of the group's open times it is, from 1.
    pub ordinal: u32,
    /// When it closed; none while it is open.
    pub closed_at: Option<Timestamp>,
}

/// The last announcement of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastAnnouncement {
    /// The episode it was about.
    pub episode: u32,
    /// The state it named.
    pub state: GroupState,
    /// The time of it.
    pub at: Timestamp,
}

/// Where the group stands: see the module's rule.
pub(crate) fn group_state(figures: &GroupFigures) -> GroupState {
    if figures.open_items == 0 {
        return GroupState::Resolved;
    }
    let Some(episode) = figures.episode else {
        return GroupState::New;
    };
    if let Some(closed_at) = episode.closed_at {
        return if figures.last_seen > closed_at { GroupState::Regressed } else { GroupState::Resolved };
    }
    match figures.announced {
        Some(announced) if announced.episode == episode.ordinal => match announced.state {
            _ if figures.now.duration_since(figures.last_seen) > CALM => GroupState::Ongoing,
            GroupState::Regressed => GroupState::Regressed,
            GroupState::Escalating if figures.now.duration_since(figures.last_seen.max(announced.at)) <= GROWTH => {
                GroupState::Escalating
            }
            _ => GroupState::Ongoing,
        },
        _ if episode.ordinal > 1 => GroupState::Regressed,
        _ => GroupState::New,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn figures(
        open_items: u64,
        episode: Option<(u32, Option<i64>)>,
        announced: Option<(u32, GroupState)>,
    ) -> GroupFigures {
        GroupFigures {
            now: at(1000),
            open_items,
            last_seen: at(100),
            episode: episode.map(|(ordinal, closed)| LatestEpisode { ordinal, closed_at: closed.map(at) }),
            announced: announced.map(|(episode, state)| LastAnnouncement { episode, state, at: at(150) }),
        }
    }

    #[test]
    fn the_rule_holds_line_by_line() {
        use GroupState::*;
        for (figures, expected) in [
            (figures(0, None, None), Resolved),
            (figures(0, Some((1, None)), Some((1, New))), Resolved),
            (figures(3, None, None), New),
            (figures(3, Some((1, None)), None), New),
            (figures(3, Some((1, None)), Some((1, New))), Ongoing),
            (figures(3, Some((1, None)), Some((1, Ongoing))), Ongoing),
            (figures(3, Some((1, None)), Some((1, Escalating))), Escalating),
            (figures(3, Some((2, None)), Some((1, Resolved))), Regressed),
            (figures(3, Some((2, None)), None), Regressed),
            (figures(3, Some((2, None)), Some((2, Regressed))), Regressed),
            (figures(3, Some((2, None)), Some((2, Escalating))), Escalating),
            (figures(3, Some((2, None)), Some((2, Ongoing))), Ongoing),
            (figures(3, Some((1, Some(200))), Some((1, Resolved))), Resolved),
            (figures(3, Some((1, Some(50))), Some((1, Resolved))), Regressed),
        ] {
            assert_eq!(group_state(&figures), expected, "{figures:?}");
        }
    }

    #[test]
    fn what_was_quiet_for_a_day_is_only_still_there() {
        let announced = |state| figures(3, Some((1, None)), Some((1, state)));
        let later =
            |state, hours| GroupFigures { now: at(100) + SignedDuration::from_hours(hours), ..announced(state) };
        assert_eq!(group_state(&later(GroupState::Regressed, 24)), GroupState::Regressed);
        assert_eq!(group_state(&later(GroupState::Regressed, 25)), GroupState::Ongoing);
        let untold =
            GroupFigures { now: at(100) + SignedDuration::from_hours(99), ..figures(3, Some((2, None)), None) };
        assert_eq!(group_state(&untold), GroupState::Regressed, "what nobody was told of stays news");
    }

    #[test]
    fn a_group_escalates_for_as_long_as_it_fails_and_for_an_hour_after_it_was_reported() {
        let hours = |from: i64, hours: i64| at(from) + SignedDuration::from_hours(hours);
        for (last_seen, announced_at, now, expected) in [
            (at(0), at(0), hours(0, 1), GroupState::Escalating),
            (at(0), at(0), hours(1, 1), GroupState::Ongoing),
            (hours(0, 20), at(0), hours(0, 21), GroupState::Escalating),
            (at(0), hours(0, 20), hours(0, 21), GroupState::Escalating),
            (at(0), at(0), hours(0, 21), GroupState::Ongoing),
        ] {
            let announced = Some(LastAnnouncement { episode: 1, state: GroupState::Escalating, at: announced_at });
            let figures = GroupFigures { now, last_seen, announced, ..figures(16, Some((1, None)), None) };
            assert_eq!(group_state(&figures), expected, "{figures:?}");
        }
    }
}
