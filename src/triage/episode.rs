//! Episodes: one continuous open time of a group, by event time.
//!
//! Acks, reminders and times to recovery belong to the episode, not to the group. This file decides when one opens and
//! closes; where a group then stands is `group_state`'s and what is reported is `decide`'s business.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::model::text::local;

/// Pairs of closing and opening again within a day that make a group "flapping" (Healthchecks' rule).
pub(crate) const FLAPPING_PAIRS: usize = 3;

/// The time in which they are counted, and for which "flapping" is reported once.
pub(crate) const FLAPPING_WINDOW: SignedDuration = SignedDuration::from_hours(24);

/// How an episode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum How {
    /// All its items succeeded.
    Recovered,
    /// The open items were dismissed.
    Dismissed,
    /// No new item for a long time; what is still open was given up, not fixed.
    Quiet,
    /// What is left is skipped for a harmless reason.
    Ignored,
    /// Its items now fail with another error.
    Moved,
    /// The group was merged into another one.
    Merged,
}

impl How {
    /// The word in SQL.
    pub(crate) fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The end of an episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Closed {
    /// Event time of the end.
    pub at: Timestamp,
    /// How it ended.
    pub how: How,
    /// A person, batch or attempt; none if unknown.
    pub by: Option<String>,
}

impl Closed {
    /// "recovered 2026-08-23 09:00 CEST (by bjb-7)": the words people read.
    pub(crate) fn describe(&self, zone: &TimeZone) -> String {
        let what = match self.how {
            How::Recovered => "recovered",
            How::Dismissed => "dismissed",
            How::Quiet => "closed (no new items for a long time)",
            How::Ignored => "closed (only ignored skips left)",
            How::Moved => "closed (its items now fail with another error)",
            How::Merged => "merged into another group",
        };
        let when = local(self.at, zone);
        match &self.by {
            Some(by) => format!("{what} {when} (by {by})"),
            None => format!("{what} {when}"),
        }
    }
}

/// One open time of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Episode {
    /// 1 is the group's first.
    pub ordinal: u32,
    /// Event time of the failure that opened it.
    pub opened_at: Timestamp,
    /// When the worker noticed it.
    pub noticed_at: Timestamp,
    /// None while it is open.
    pub closed: Option<Closed>,
}

/// What is known of a group's items when its episode is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EpisodeItems {
    /// Open and retrying items.
    pub open: u64,
    /// Event time of the newest failure of any item.
    pub last_seen: Timestamp,
    /// The earliest event time among open items that failed after the last episode closed; none if there is none.
    pub first_after_close: Option<Timestamp>,
    /// How the items that are no longer open ended, by the newest of them.
    pub ended: Option<Closed>,
}

/// What happens to a group's episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EpisodeTransition {
    /// A new one opens.
    Open {
        /// Its number.
        ordinal: u32,
        /// Event time of the failure that opened it.
        opened_at: Timestamp,
    },
    /// The last one turns out not to have ended: what is open failed before it closed.
    Reopen,
    /// The open one closes.
    Close(Closed),
}

/// What happens to a group's newest episode now; none if nothing.
///
/// A failure whose event time is not after the close never opens a new episode: it was only seen late.
pub(crate) fn next_transition(
    newest: Option<&Episode>,
    items: &EpisodeItems,
    now: Timestamp,
    quiet_after: SignedDuration,
) -> Option<EpisodeTransition> {
    let open = |ordinal| {
        let opened_at = items.first_after_close.unwrap_or(items.last_seen);
        Some(EpisodeTransition::Open { ordinal, opened_at })
    };
    match newest {
        None if items.open > 0 => open(1),
        None => None,
        Some(Episode { closed: None, .. }) if items.open == 0 => {
            let unknown = Closed { at: now, how: How::Recovered, by: None };
            Some(EpisodeTransition::Close(items.ended.clone().unwrap_or(unknown)))
        }
        Some(Episode { closed: None, .. }) => (now - items.last_seen > quiet_after)
            .then_some(EpisodeTransition::Close(Closed { at: now, how: How::Quiet, by: None })),
        Some(_) if items.open == 0 => None,
        Some(Episode { ordinal, .. }) if items.first_after_close.is_some() => open(ordinal + 1),
        Some(Episode { closed: Some(closed), .. }) => (closed.how != How::Quiet).then_some(EpisodeTransition::Reopen),
    }
}

/// How often a group closed and opened again within a day before `now`. `episodes` in order.
pub(crate) fn count_reopenings(episodes: &[Episode], now: Timestamp) -> usize {
    let recent = |at: Timestamp| now - at < FLAPPING_WINDOW;
    episodes
        .windows(2)
        .filter(|pair| {
            let closed = pair[0].closed.as_ref().is_some_and(|c| recent(c.at));
            closed && recent(pair[1].opened_at)
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + minutes * 60).unwrap()
    }

    fn episode(ordinal: u32, opened: i64, closed: Option<i64>) -> Episode {
        Episode {
            ordinal,
            opened_at: t(opened),
            noticed_at: t(opened),
            closed: closed.map(|at| Closed { at: t(at), how: How::Recovered, by: None }),
        }
    }

    fn items(open: u64, last: i64, first_after: Option<i64>) -> EpisodeItems {
        EpisodeItems { open, last_seen: t(last), first_after_close: first_after.map(t), ended: None }
    }

    fn quiet_days() -> SignedDuration {
        SignedDuration::from_hours(14 * 24)
    }

    #[test]
    fn episodes_open_close_and_reopen_by_event_time() {
        let open = episode(1, 0, None);
        let closed = episode(1, 0, Some(60));
        let opened = |ordinal, at| Some(EpisodeTransition::Open { ordinal, opened_at: t(at) });
        for (newest, items, expected) in [
            (None, items(0, 5, None), None),
            (None, items(3, 5, Some(2)), opened(1, 2)),
            (Some(&open), items(3, 5, Some(2)), None),
            (Some(&closed), items(0, 70, None), None),
            (Some(&closed), items(1, 70, Some(70)), opened(2, 70)),
            // It failed before the close and was only seen afterwards.
            (Some(&closed), items(1, 50, None), Some(EpisodeTransition::Reopen)),
        ] {
            assert_eq!(next_transition(newest, &items, t(100), quiet_days()), expected);
        }
    }

    #[test]
    fn an_episode_closes_when_nothing_is_open_and_says_how() {
        let mut facts = items(0, 5, None);
        let ended = Closed { at: t(50), how: How::Dismissed, by: Some("ann".into()) };
        facts.ended = Some(ended.clone());
        let step = next_transition(Some(&episode(1, 0, None)), &facts, t(100), quiet_days());
        assert_eq!(step, Some(EpisodeTransition::Close(ended)));
    }

    #[test]
    fn a_quiet_episode_is_given_up_and_stays_so_until_something_new_fails() {
        let late = 14 * 24 * 60 + 6;
        let facts = items(3, 5, Some(0));
        let closing = next_transition(Some(&episode(1, 0, None)), &facts, t(late), quiet_days());
        let Some(EpisodeTransition::Close(closed)) = closing else { panic!("it closes") };
        assert_eq!(closed.how, How::Quiet);
        let given_up = Episode { closed: Some(closed), ..episode(1, 0, None) };
        let still = next_transition(Some(&given_up), &items(3, 5, None), t(late + 5), quiet_days());
        assert_eq!(still, None);
        let again = items(4, late + 9, Some(late + 9));
        assert!(matches!(
            next_transition(Some(&given_up), &again, t(late + 10), quiet_days()),
            Some(EpisodeTransition::Open { ordinal: 2, .. })
        ));
    }

    #[test]
    fn closing_and_opening_within_a_day_is_counted() {
        let day = 24 * 60;
        let episodes =
            [episode(1, 0, Some(10)), episode(2, 20, Some(30)), episode(3, 40, Some(50)), episode(4, 60, None)];
        assert_eq!(count_reopenings(&episodes, t(70)), 3);
        assert_eq!(count_reopenings(&episodes, t(day + 15)), 2);
        assert_eq!(count_reopenings(&episodes[..1], t(70)), 0);
    }
}
