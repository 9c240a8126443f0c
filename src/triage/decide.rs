//! Whether a group is reported now, why, and how urgently: one pure function.
//!
//! It compares the last report with the current state (modelled on Alertmanager's `needsUpdate`).
//! `digest_rate` decides when a digest may be sent; `digest` defines its content.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::model::text::{count, local};
use crate::triage::ack::Ack;
use crate::triage::digest::model::Reason;
use crate::triage::episode::{Closed, FLAPPING_PAIRS, FLAPPING_WINDOW};

/// What was last reported of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    /// Of which episode.
    pub episode: u32,
    /// The reason.
    pub reason: Reason,
    /// Open items then.
    pub open_items: u64,
    /// Items ever in it then.
    pub total_items: u64,
    /// The time of it.
    pub at: Timestamp,
    /// Failures seen in it by then.
    pub failures: u64,
    /// All of them were from before llama-triage was started.
    pub baseline: bool,
}

/// The state of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupNow {
    /// Its newest episode's number.
    pub episode: u32,
    /// The end of that episode; none while it is open.
    pub closed: Option<Closed>,
    /// The end of the episode before; none for the first.
    pub earlier: Option<Closed>,
    /// Open items now.
    pub open_items: u64,
    /// Items ever in it.
    pub total_items: u64,
    /// Its batches have ended, or its first failure is long enough ago.
    pub ready: bool,
    /// Times it closed and opened again within a day.
    pub pairs: usize,
    /// The arithmetic of an escalation that is news; none if there is none.
    pub fired: Option<String>,
    /// It may page: its class pages, and it failed since llama-triage was started.
    pub page: bool,
    /// It failed before llama-triage was started, and it was never reported.
    pub inventory: bool,
    /// Only failures from before the start were reported, and now it failed again.
    pub first_failure: bool,
}

/// Silences and acks of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Suppression {
    /// All its open items are covered by silences.
    pub silenced: bool,
    /// When a silence that covered it ended last.
    pub silence_ended: Option<Timestamp>,
    /// The active ack of this episode, if any.
    pub ack: Option<Ack>,
}

/// The moment of deciding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment<'z> {
    /// Now.
    pub now: Timestamp,
    /// The daily digest is due: it also takes what does not justify a separate message.
    pub scheduled: bool,
    /// The time after which a still open group is reported again.
    pub reminder: SignedDuration,
    /// The zone that people read times in.
    pub zone: &'z TimeZone,
}

/// How soon news must be reported, from the least urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// With the next digest, whatever causes that one.
    WithNext,
    /// As soon as quiet hours and caps allow.
    Soon,
    /// At once, through quiet hours and caps.
    Page,
}

/// Something to report about a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notification {
    /// The reason.
    pub reason: Reason,
    /// The circumstances, as a sentence fragment.
    pub why: Option<String>,
    /// How soon it must be sent.
    pub urgency: Urgency,
}

/// What to report about a group at this moment; none if nothing.
///
/// A silence holds back all but the end of what was reported before.
pub(crate) fn decide(
    announced: Option<&Announced>,
    now: &GroupNow,
    suppression: &Suppression,
    moment: Moment<'_>,
) -> Option<Notification> {
    if let Some(closed) = &now.closed {
        return resolved(announced?, closed, moment);
    }
    if suppression.silenced {
        return None;
    }
    let Some(announced) = announced else {
        return first_announcement(now, moment);
    };
    if announced.episode < now.episode && now.pairs >= FLAPPING_PAIRS {
        return flapping(announced, now, moment).or_else(|| escalated(now, suppression));
    }
    if announced.episode < now.episode {
        return (now.ready || now.page).then(|| regressed(now, moment));
    }
    first_failure(now, suppression)
        .or_else(|| reopened(announced, now))
        .or_else(|| escalated(now, suppression))
        .or_else(|| silence_expired(announced, suppression, moment))
        .or_else(|| routine(announced, now, suppression, moment))
}

fn resolved(announced: &Announced, closed: &Closed, moment: Moment<'_>) -> Option<Notification> {
    let just_flapped = announced.reason == Reason::Flapping && moment.now - announced.at < FLAPPING_WINDOW;
    let known = announced.reason == Reason::Resolved;
    (!known && !just_flapped).then(|| Notification {
        reason: Reason::Resolved,
        why: Some(closed.describe(moment.zone)),
        urgency: Urgency::WithNext,
    })
}

fn first_announcement(now: &GroupNow, moment: Moment<'_>) -> Option<Notification> {
    if now.inventory {
        return Some(Notification {
            reason: Reason::Baseline,
            why: Some("failed before llama-triage was started".to_owned()),
            urgency: Urgency::Soon,
        });
    }
    if !now.ready && !now.page {
        return None;
    }
    if now.episode > 1 {
        return Some(regressed(now, moment));
    }
    Some(Notification { reason: Reason::New, why: now.fired.clone(), urgency: urgency(now) })
}

fn flapping(announced: &Announced, now: &GroupNow, moment: Moment<'_>) -> Option<Notification> {
    let lately = announced.reason == Reason::Flapping && moment.now - announced.at < FLAPPING_WINDOW;
    (!lately).then(|| Notification {
        reason: Reason::Flapping,
        why: Some(format!("closed and opened again {} times in 24 h", now.pairs)),
        urgency: urgency(now),
    })
}

fn regressed(now: &GroupNow, moment: Moment<'_>) -> Notification {
    let before = now.earlier.as_ref().map(|closed| {
        let said = format!("regressed; last time: {}", closed.describe(moment.zone));
        match &now.fired {
            Some(arithmetic) => format!("{said}; {arithmetic}"),
            None => said,
        }
    });
    Notification { reason: Reason::Regressed, why: before, urgency: urgency(now) }
}

/// Old failures page no one, and a new one of a class that pages is no mere growth of them.
fn first_failure(now: &GroupNow, suppression: &Suppression) -> Option<Notification> {
    (now.first_failure && now.page && suppression.ack.is_none()).then(|| Notification {
        reason: Reason::New,
        why: Some("first failure since llama-triage was started".to_owned()),
        urgency: Urgency::Page,
    })
}

/// It was reported that it ended, and that turns out to be wrong.
fn reopened(announced: &Announced, now: &GroupNow) -> Option<Notification> {
    (announced.reason == Reason::Resolved).then(|| Notification {
        reason: Reason::MoreItems,
        why: Some(format!("reported as resolved, but {} items that failed earlier are still open", now.open_items)),
        urgency: Urgency::Soon,
    })
}

fn escalated(now: &GroupNow, suppression: &Suppression) -> Option<Notification> {
    let why = match &suppression.ack {
        None => now.fired.clone()?,
        Some(ack) => {
            let broken = ack.broken(now.open_items, now.fired.as_deref())?;
            format!("{broken}; acknowledged at {} open items", ack.open_items)
        }
    };
    Some(Notification { reason: Reason::Escalated, why: Some(why), urgency: urgency(now) })
}

fn silence_expired(announced: &Announced, suppression: &Suppression, moment: Moment<'_>) -> Option<Notification> {
    let ended = suppression.silence_ended.filter(|ended| *ended > announced.at)?;
    Some(Notification {
        reason: Reason::SilenceExpired,
        why: Some(format!("silence ended {}, still open", local(ended, moment.zone))),
        urgency: Urgency::Soon,
    })
}

/// What only the daily digest takes.
fn routine(
    announced: &Announced,
    now: &GroupNow,
    suppression: &Suppression,
    moment: Moment<'_>,
) -> Option<Notification> {
    if !moment.scheduled {
        return None;
    }
    let more = now.total_items.saturating_sub(announced.total_items);
    // With a condition, growth is not reported before it is met; the table of open groups has the numbers.
    let waits = suppression.ack.as_ref().is_some_and(|ack| ack.until.is_some());
    if more > 0 && !waits {
        return Some(Notification {
            reason: Reason::MoreItems,
            why: Some(format!("{} since {}", count(more, "more item", "more items"), local(announced.at, moment.zone))),
            urgency: Urgency::WithNext,
        });
    }
    // A daily digest is never exactly a day after the one before: minutes, and an hour in spring.
    let slack = moment.reminder / 12;
    let due = moment.now - announced.at >= moment.reminder - slack;
    (due && suppression.ack.is_none()).then(|| Notification {
        reason: Reason::Reminder,
        why: Some(format!("still open, last reported {}", local(announced.at, moment.zone))),
        urgency: Urgency::WithNext,
    })
}

fn urgency(now: &GroupNow) -> Urgency {
    if now.page { Urgency::Page } else { Urgency::Soon }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::triage::ack::Until;
    use crate::triage::episode::How;

    fn t(hours: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + hours * 3600).unwrap()
    }

    fn announced(episode: u32, reason: Reason, hours: i64) -> Announced {
        Announced { episode, reason, open_items: 5, total_items: 5, at: t(hours), failures: 5, baseline: false }
    }

    fn open(episode: u32) -> GroupNow {
        GroupNow {
            episode,
            closed: None,
            earlier: (episode > 1).then(recovered),
            open_items: 5,
            total_items: 5,
            ready: true,
            pairs: 0,
            fired: None,
            page: false,
            inventory: false,
            first_failure: false,
        }
    }

    fn recovered() -> Closed {
        Closed { at: t(0), how: How::Recovered, by: Some("bjb-7".into()) }
    }

    fn closed(episode: u32) -> GroupNow {
        GroupNow { closed: Some(recovered()), open_items: 0, ..open(episode) }
    }

    fn fired(group_now: GroupNow) -> GroupNow {
        GroupNow { fired: Some("47 in the last hour, normally up to 4/h; alert at 20/h".into()), ..group_now }
    }

    static UTC: TimeZone = TimeZone::UTC;

    fn tick(hours: i64) -> Moment<'static> {
        Moment { now: t(hours), scheduled: false, reminder: SignedDuration::from_hours(24), zone: &UTC }
    }

    fn daily(hours: i64) -> Moment<'static> {
        Moment { scheduled: true, ..tick(hours) }
    }

    fn none() -> Suppression {
        Suppression::default()
    }

    fn silenced() -> Suppression {
        Suppression { silenced: true, ..none() }
    }

    fn acked(level: u64) -> Suppression {
        acked_until(level, None)
    }

    fn acked_until(open_items: u64, until: Option<Until>) -> Suppression {
        Suppression {
            ack: Some(Ack { author: "ann".into(), open_items, until, expires_at: None, more: 4, lately: 0 }),
            ..none()
        }
    }

    fn unsilenced(hours: i64) -> Suppression {
        Suppression { silence_ended: Some(t(hours)), ..none() }
    }

    #[test]
    fn the_table_of_cases() {
        use Reason::*;
        let waiting = |s: GroupNow| GroupNow { ready: false, ..s };
        let inventory = |s: GroupNow| GroupNow { inventory: true, ..s };
        let paging = |s: GroupNow| GroupNow { page: true, ..s };
        let first = |s: GroupNow| GroupNow { first_failure: true, page: true, ..s };
        let grown = |s: GroupNow, n| GroupNow { open_items: n, total_items: n, ..s };
        let pairs = |s: GroupNow, pairs| GroupNow { pairs, ..s };
        let new = || Some(announced(1, New, 0));
        let more = |n| Some(Until::Items(n));
        for (case, announced, group_now, suppression, moment, expected) in [
            ("never told", None, open(1), none(), tick(1), Some(New)),
            ("never told, second time", None, open(2), none(), tick(1), Some(Regressed)),
            ("its batch still runs", None, waiting(open(1)), none(), tick(1), None),
            ("paging does not wait", None, paging(waiting(open(1))), none(), tick(1), Some(New)),
            ("ended before anybody knew", None, closed(1), none(), daily(1), None),
            ("before the first start", None, inventory(waiting(open(1))), none(), tick(1), Some(Baseline)),
            ("told", new(), open(1), none(), tick(1), None),
            ("told, grown", new(), grown(open(1), 9), none(), tick(1), None),
            ("told, grown, daily", new(), grown(open(1), 9), none(), daily(1), Some(MoreItems)),
            ("told, grown, daily, acked", new(), grown(open(1), 9), acked(5), daily(1), Some(MoreItems)),
            ("told, grown, daily, acked until more", new(), grown(open(1), 9), acked_until(5, more(5)), daily(1), None),
            (
                "told, grown, acked until so many",
                new(),
                grown(open(1), 9),
                acked_until(5, more(4)),
                tick(1),
                Some(Escalated),
            ),
            ("told a day ago, daily, acked until more", new(), open(1), acked_until(5, more(5)), daily(25), None),
            ("told, shrunk, daily", new(), grown(open(1), 2), none(), daily(1), None),
            ("told a day ago", new(), open(1), none(), tick(25), None),
            ("told a day ago, daily", new(), open(1), none(), daily(25), Some(Reminder)),
            ("told 23 h ago: the spring day", new(), open(1), none(), daily(23), Some(Reminder)),
            ("told a day ago, daily, acked", new(), open(1), acked(5), daily(25), None),
            ("told a day ago, daily, silenced", new(), open(1), silenced(), daily(25), None),
            ("baseline, then daily", Some(announced(1, Baseline, 0)), open(1), none(), daily(25), Some(Reminder)),
            (
                "baseline, then its first failure",
                Some(announced(1, Baseline, 0)),
                first(open(1)),
                none(),
                tick(1),
                Some(New),
            ),
            (
                "baseline, acked, then its first failure",
                Some(announced(1, Baseline, 0)),
                first(open(1)),
                acked(5),
                tick(1),
                None,
            ),
            ("escalated", new(), fired(open(1)), none(), tick(1), Some(Escalated)),
            ("escalated below twice the ack", new(), fired(grown(open(1), 9)), acked(5), tick(1), None),
            ("escalated at twice the ack", new(), fired(grown(open(1), 10)), acked(5), tick(1), Some(Escalated)),
            ("escalated, silenced", new(), fired(open(1)), silenced(), tick(1), None),
            ("new wins over escalated", None, fired(open(1)), none(), tick(1), Some(New)),
            ("ended", new(), closed(1), none(), tick(1), Some(Resolved)),
            ("ended, silenced", new(), closed(1), silenced(), tick(1), Some(Resolved)),
            ("ended, told so", Some(announced(1, Resolved, 0)), closed(1), none(), daily(50), None),
            ("came and went again", Some(announced(1, Resolved, 0)), closed(2), none(), daily(50), None),
            ("ended, came and went", new(), closed(2), none(), tick(1), Some(Resolved)),
            ("came back", Some(announced(1, Resolved, 0)), open(2), none(), tick(1), Some(Regressed)),
            ("came back before its end was told", new(), open(2), none(), tick(1), Some(Regressed)),
            ("came back, its batch still runs", new(), waiting(open(2)), none(), daily(1), None),
            ("came back, silenced", new(), open(2), silenced(), tick(1), None),
            ("had not ended after all", Some(announced(1, Resolved, 0)), open(1), none(), tick(1), Some(MoreItems)),
            ("silence ended", new(), open(1), unsilenced(2), tick(3), Some(SilenceExpired)),
            ("silence ended before the last word", Some(announced(1, New, 2)), open(1), unsilenced(1), tick(3), None),
            ("silence ended, never told", None, open(1), unsilenced(2), tick(3), Some(New)),
            ("silence ended, came back meanwhile", new(), open(2), unsilenced(2), tick(3), Some(Regressed)),
            ("two pairs are not flapping", new(), pairs(open(3), 2), none(), tick(1), Some(Regressed)),
            ("flapping", Some(announced(3, Resolved, 0)), pairs(open(4), 3), none(), tick(1), Some(Flapping)),
            ("flapping, told so", Some(announced(4, Flapping, 0)), pairs(open(5), 4), none(), tick(1), None),
            ("flapping ended, for now", Some(announced(4, Flapping, 0)), pairs(closed(5), 4), none(), tick(1), None),
            ("flapping really ended", Some(announced(4, Flapping, 0)), closed(5), none(), tick(25), Some(Resolved)),
            ("flapping goes on", Some(announced(4, Flapping, 0)), pairs(open(9), 4), none(), tick(25), Some(Flapping)),
        ] {
            let notification = decide(announced.as_ref(), &group_now, &suppression, moment);
            assert_eq!(notification.map(|n| n.reason), expected, "{case}");
        }
    }

    #[test]
    fn the_reason_comes_with_its_circumstances() {
        let why = |announced: Option<Announced>, group_now: GroupNow, suppression| {
            decide(announced.as_ref(), &group_now, &suppression, tick(30)).unwrap().why.unwrap()
        };
        let new = Some(announced(1, Reason::New, 0));
        assert_eq!(why(new.clone(), closed(1), none()), "recovered 2026-05-28 20:26 UTC (by bjb-7)");
        assert_eq!(
            why(new.clone(), open(2), none()),
            "regressed; last time: recovered 2026-05-28 20:26 UTC (by bjb-7)"
        );
        assert_eq!(
            why(new, fired(GroupNow { open_items: 50, ..open(1) }), acked(5)),
            "47 in the last hour, normally up to 4/h; alert at 20/h; acknowledged at 5 open items"
        );
    }

    #[test]
    fn only_paging_news_passes_quiet_hours() {
        let paging = GroupNow { page: true, ..open(1) };
        let urgency = |s: &GroupNow| decide(None, s, &none(), tick(1)).unwrap().urgency;
        assert_eq!(urgency(&paging), Urgency::Page);
        assert_eq!(urgency(&open(1)), Urgency::Soon);
    }

    fn any_reason() -> impl Strategy<Value = Reason> {
        use Reason::*;
        prop::sample::select(vec![
            New,
            Regressed,
            Escalated,
            Resolved,
            Flapping,
            MoreItems,
            Reminder,
            SilenceExpired,
            Baseline,
        ])
    }

    prop_compose! {
        fn any_announced()(episode in 1_u32..4, reason in any_reason(), items in 1_u64..40, hours in 0_i64..48) -> Announced {
            Announced { open_items: items, total_items: items, ..announced(episode, reason, hours) }
        }
    }

    prop_compose! {
        fn any_group_now()(
            episode in 1_u32..5,
            is_open in any::<bool>(),
            items in 1_u64..80,
            flags in any::<[bool; 4]>(),
            pairs in 0_usize..5,
        ) -> GroupNow {
            let base = if is_open { open(episode) } else { closed(episode) };
            let base = if flags[0] { fired(base) } else { base };
            let open_items = if is_open { items } else { 0 };
            GroupNow { ready: flags[1], page: flags[2], inventory: flags[3], pairs, open_items, total_items: items, ..base }
        }
    }

    /// Conditions that only an escalation can break: it is remembered, so that they break once.
    fn any_until() -> impl Strategy<Value = Option<Until>> {
        prop::sample::select(vec![None, Some(Until::Escalating), Some(Until::Resolved)])
    }

    prop_compose! {
        fn any_suppression()(silenced in any::<bool>(), ended in prop::option::of(0_i64..72), level in prop::option::of(0_u64..40), until in any_until()) -> Suppression {
            let ack = level.and_then(|level| acked_until(level, until).ack);
            Suppression { silenced, silence_ended: ended.map(t), ack }
        }
    }

    proptest! {
        #[test]
        fn the_same_news_is_never_reported_twice(
            before in prop::option::of(any_announced()), group_now in any_group_now(), suppression in any_suppression(), scheduled in any::<bool>(),
        ) {
            let moment = Moment { scheduled, ..tick(72) };
            if let Some(notification) = decide(before.as_ref(), &group_now, &suppression, moment) {
                let after = Announced {
                    episode: group_now.episode,
                    reason: notification.reason,
                    open_items: group_now.open_items,
                    total_items: group_now.total_items,
                    at: moment.now,
                    failures: 5,
                    baseline: false,
                };
                // Reporting a group also records the escalation rules that are reached.
                let group_now = GroupNow { fired: None, ..group_now };
                prop_assert_eq!(decide(Some(&after), &group_now, &suppression, moment), None);
            }
        }

        #[test]
        fn a_silence_holds_back_all_but_the_end(
            before in prop::option::of(any_announced()), group_now in any_group_now(), suppression in any_suppression(), scheduled in any::<bool>(),
        ) {
            let suppression = Suppression { silenced: true, ..suppression };
            let notification = decide(before.as_ref(), &group_now, &suppression, Moment { scheduled, ..tick(72) });
            prop_assert!(notification.is_none_or(|n| n.reason == Reason::Resolved && before.is_some()));
        }

        #[test]
        fn an_ack_stops_reminders_and_lesser_escalations(
            before in any_announced(), group_now in any_group_now(), suppression in any_suppression(), level in 0_u64..40,
        ) {
            let suppression = Suppression { ack: acked(level).ack, ..suppression };
            if let Some(notification) = decide(Some(&before), &group_now, &suppression, daily(72)) {
                prop_assert!(notification.reason != Reason::Reminder);
                prop_assert!(notification.reason != Reason::Escalated || group_now.open_items >= 2 * level);
            }
        }

        #[test]
        fn every_new_group_is_reported_once_it_is_ready(group_now in any_group_now(), suppression in any_suppression(), scheduled in any::<bool>()) {
            let group_now = GroupNow { ready: true, closed: None, ..group_now };
            let suppression = Suppression { silenced: false, ..suppression };
            let notification = decide(None, &group_now, &suppression, Moment { scheduled, ..tick(72) }).unwrap();
            prop_assert!(matches!(notification.reason, Reason::New | Reason::Baseline | Reason::Regressed));
        }

        #[test]
        fn an_open_group_without_ack_or_silence_is_reported_every_day(before in any_announced(), group_now in any_group_now()) {
            let group_now = GroupNow { ready: true, closed: None, episode: before.episode, pairs: 0, ..group_now };
            prop_assert!(decide(Some(&before), &group_now, &none(), daily(73)).is_some());
        }
    }
}
