//! Whether it is reported about a group now, why, and how urgently: one pure function.
//!
//! It compares what people were last told with how things stand (Alertmanager's `needsUpdate` is the model).
//! When a digest may be sent is `pace`'s business; what it looks like is `digest`'s.

#[cfg(test)]
pub(crate) mod tests;

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

/// How a group stands.
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
    /// People know only what failed before the start, and now it failed again.
    pub first_failure: bool,
}

/// What people asked for about a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// All its open items are covered by silences.
    pub silenced: bool,
    /// When a silence that covered it ended last.
    pub silence_ended: Option<Timestamp>,
    /// The ack of this episode that holds; none if no one gave one.
    pub ack: Option<Ack>,
}

/// The moment of deciding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment<'z> {
    /// Now.
    pub now: Timestamp,
    /// The daily digest is due: it also takes what is not worth a message of its own.
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
pub(crate) struct News {
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
pub(crate) fn decide(told: Option<&Announced>, now: &GroupNow, wishes: &Wishes, moment: Moment<'_>) -> Option<News> {
    if let Some(closed) = &now.closed {
        return ended(told?, closed, moment);
    }
    if wishes.silenced {
        return None;
    }
    let Some(told) = told else {
        return never_told(now, moment);
    };
    if told.episode < now.episode && now.pairs >= FLAPPING_PAIRS {
        return flapping(told, now, moment).or_else(|| escalated(now, wishes));
    }
    if told.episode < now.episode {
        return (now.ready || now.page).then(|| regressed(now, moment));
    }
    first_failure(now, wishes)
        .or_else(|| reopened(told, now))
        .or_else(|| escalated(now, wishes))
        .or_else(|| silence_expired(told, wishes, moment))
        .or_else(|| routine(told, now, wishes, moment))
}

fn ended(told: &Announced, closed: &Closed, moment: Moment<'_>) -> Option<News> {
    let just_flapped = told.reason == Reason::Flapping && moment.now - told.at < FLAPPING_WINDOW;
    let known = told.reason == Reason::Resolved;
    (!known && !just_flapped).then(|| News {
        reason: Reason::Resolved,
        why: Some(closed.describe(moment.zone)),
        urgency: Urgency::WithNext,
    })
}

fn never_told(now: &GroupNow, moment: Moment<'_>) -> Option<News> {
    if now.inventory {
        return Some(News {
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
    Some(News { reason: Reason::New, why: now.fired.clone(), urgency: urgency(now) })
}

fn flapping(told: &Announced, now: &GroupNow, moment: Moment<'_>) -> Option<News> {
    let lately = told.reason == Reason::Flapping && moment.now - told.at < FLAPPING_WINDOW;
    (!lately).then(|| News {
        reason: Reason::Flapping,
        why: Some(format!("closed and opened again {} times in 24 h", now.pairs)),
        urgency: urgency(now),
    })
}

fn regressed(now: &GroupNow, moment: Moment<'_>) -> News {
    let before = now.earlier.as_ref().map(|closed| {
        let said = format!("regressed; last time: {}", closed.describe(moment.zone));
        match &now.fired {
            Some(arithmetic) => format!("{said}; {arithmetic}"),
            None => said,
        }
    });
    News { reason: Reason::Regressed, why: before, urgency: urgency(now) }
}

/// Old failures page no one, and a new one of a class that pages is no mere growth of them.
fn first_failure(now: &GroupNow, wishes: &Wishes) -> Option<News> {
    (now.first_failure && now.page && wishes.ack.is_none()).then(|| News {
        reason: Reason::New,
        why: Some("first failure since llama-triage was started".to_owned()),
        urgency: Urgency::Page,
    })
}

/// It was reported that it ended, and that turns out to be wrong.
fn reopened(told: &Announced, now: &GroupNow) -> Option<News> {
    (told.reason == Reason::Resolved).then(|| News {
        reason: Reason::MoreItems,
        why: Some(format!("was reported as resolved, but {} items that failed earlier are open", now.open_items)),
        urgency: Urgency::Soon,
    })
}

fn escalated(now: &GroupNow, wishes: &Wishes) -> Option<News> {
    let why = match &wishes.ack {
        None => now.fired.clone()?,
        Some(ack) => {
            let broken = ack.broken(now.open_items, now.fired.as_deref())?;
            format!("{broken}; acknowledged at {} open items", ack.open_items)
        }
    };
    Some(News { reason: Reason::Escalated, why: Some(why), urgency: urgency(now) })
}

fn silence_expired(told: &Announced, wishes: &Wishes, moment: Moment<'_>) -> Option<News> {
    let ended = wishes.silence_ended.filter(|ended| *ended > told.at)?;
    Some(News {
        reason: Reason::SilenceExpired,
        why: Some(format!("silence ended {}, still open", local(ended, moment.zone))),
        urgency: Urgency::Soon,
    })
}

/// What only the daily digest takes.
fn routine(told: &Announced, now: &GroupNow, wishes: &Wishes, moment: Moment<'_>) -> Option<News> {
    if !moment.scheduled {
        return None;
    }
    let more = now.total_items.saturating_sub(told.total_items);
    // Who named a condition does not want to read of growth before it is met; the table of open groups has the numbers.
    let waits = wishes.ack.as_ref().is_some_and(|ack| ack.until.is_some());
    if more > 0 && !waits {
        return Some(News {
            reason: Reason::MoreItems,
            why: Some(format!("{} since {}", count(more, "more item", "more items"), local(told.at, moment.zone))),
            urgency: Urgency::WithNext,
        });
    }
    // A daily digest is never exactly a day after the one before: minutes, and an hour in spring.
    let slack = moment.reminder / 12;
    let due = moment.now - told.at >= moment.reminder - slack;
    (due && wishes.ack.is_none()).then(|| News {
        reason: Reason::Reminder,
        why: Some(format!("still open, last reported {}", local(told.at, moment.zone))),
        urgency: Urgency::WithNext,
    })
}

fn urgency(now: &GroupNow) -> Urgency {
    if now.page { Urgency::Page } else { Urgency::Soon }
}
