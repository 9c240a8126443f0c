//! When a digest may be sent: quiet hours, the least gap between two digests, the most in a day.
//!
//! What may not be sent yet is simply not decided yet: it waits in the ledger and is part of the next digest, so
//! held news is merged into one digest and nothing is ever dropped.

use jiff::{SignedDuration, Timestamp};

use crate::triage::decide::Urgency;

/// The limits for unscheduled digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The least time between two of them.
    pub min_gap: SignedDuration,
    /// The most of them in 24 hours.
    pub per_day: usize,
}

/// What asks for a digest now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The most urgent news; none if there is none.
    pub urgency: Option<Urgency>,
    /// The daily digest is due.
    pub scheduled: bool,
    /// A person asked for it.
    pub by_hand: bool,
}

/// Which news may go out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// All of it.
    Open,
    /// Only what pages.
    PageOnly,
    /// None.
    Shut,
}

/// Which news may go out now. `unscheduled` are the times of the unscheduled digests of the last day, in any order.
pub(crate) fn gate(wanted: Wanted, quiet: bool, unscheduled: &[Timestamp], limits: Limits, now: Timestamp) -> Gate {
    let page = wanted.urgency == Some(Urgency::Page);
    if wanted.by_hand {
        return Gate::Open;
    }
    if quiet {
        return if page { Gate::PageOnly } else { Gate::Shut };
    }
    if wanted.scheduled || page {
        return Gate::Open;
    }
    let soon = wanted.urgency >= Some(Urgency::Soon);
    if soon && !capped(unscheduled, limits, now) { Gate::Open } else { Gate::Shut }
}

fn capped(unscheduled: &[Timestamp], limits: Limits, now: Timestamp) -> bool {
    let within = |length: SignedDuration| {
        let recent = |at: &&Timestamp| now - **at < length;
        unscheduled.iter().filter(recent).count()
    };
    within(limits.min_gap) > 0 || within(SignedDuration::from_hours(24)) >= limits.per_day
}

/// When the caps let the next unscheduled digest go, and which of them; those that let it go now are left out.
pub(crate) fn ends_of_caps(unscheduled: &[Timestamp], limits: Limits, now: Timestamp) -> Vec<(Timestamp, String)> {
    let mut newest_first = unscheduled.to_vec();
    newest_first.sort_unstable_by(|a, b| b.cmp(a));
    let nth = |n: usize| newest_first.get(n).copied();
    let ends = [
        nth(0).map(|at| (at + limits.min_gap, format!("one digest in {:#}: digest.min-gap", limits.min_gap))),
        limits.per_day.checked_sub(1).and_then(nth).map(|at| {
            (at + SignedDuration::from_hours(24), format!("{} digests in 24 h: digest.per-day", limits.per_day))
        }),
    ];
    ends.into_iter().flatten().filter(|(at, _)| *at > now).map(|(at, cap)| (at, format!("at most {cap}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + minutes * 60).unwrap()
    }

    #[test]
    fn a_cap_ends_when_the_gate_opens() {
        let limits = Limits { min_gap: SignedDuration::from_mins(15), per_day: 3 };
        let soon = Wanted { urgency: Some(Urgency::Soon), ..Wanted::default() };
        for (sent, now, ends) in [
            (&[][..], 0, &[][..]),
            (&[t(0)], 5, &[15]),
            (&[t(0)], 20, &[]),
            (&[t(0), t(60), t(120)], 125, &[135, 24 * 60]),
            (&[t(120), t(0), t(60)], 200, &[24 * 60]),
        ] {
            let found = ends_of_caps(sent, limits, t(now));
            assert_eq!(
                found.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
                ends.iter().map(|m| t(*m)).collect::<Vec<_>>()
            );
            let at = found.iter().map(|(at, _)| *at).max().unwrap_or(t(now));
            assert_eq!(gate(soon, false, sent, limits, at), Gate::Open);
            let before = at - SignedDuration::from_secs(1);
            assert_eq!(gate(soon, false, sent, limits, before) == Gate::Open, found.is_empty(), "{sent:?}");
        }
    }

    #[test]
    fn the_gate_opens_for_what_cannot_wait() {
        use Urgency::{Page, Soon, WithNext};
        let want = |urgency| Wanted { urgency, ..Wanted::default() };
        let daily = Wanted { scheduled: true, ..Wanted::default() };
        let hand = Wanted { by_hand: true, ..Wanted::default() };
        let full: Vec<Timestamp> = (0..12).map(|n| t(n * 60)).collect();
        let now = 12 * 60;
        for (case, wanted, quiet, sent, at, expected) in [
            ("news", want(Some(Soon)), false, &[][..], now, Gate::Open),
            ("nothing", want(None), false, &[], now, Gate::Shut),
            ("only an end", want(Some(WithNext)), false, &[], now, Gate::Shut),
            ("too early", want(Some(Soon)), false, &[t(now - 14)], now, Gate::Shut),
            ("late enough", want(Some(Soon)), false, &[t(now - 15)], now, Gate::Open),
            ("too many", want(Some(Soon)), false, &full, now, Gate::Shut),
            ("a day later", want(Some(Soon)), false, &full, 24 * 60, Gate::Open),
            ("page passes the caps", want(Some(Page)), false, &full, now, Gate::Open),
            ("daily passes the caps", daily, false, &full, now, Gate::Open),
            ("quiet", want(Some(Soon)), true, &[], now, Gate::Shut),
            ("quiet, daily", daily, true, &[], now, Gate::Shut),
            ("quiet, page", want(Some(Page)), true, &full, now, Gate::PageOnly),
            ("quiet, by hand", hand, true, &full, now, Gate::Open),
        ] {
            let limits = Limits { min_gap: SignedDuration::from_mins(15), per_day: 12 };
            assert_eq!(gate(wanted, quiet, sent, limits, t(at)), expected, "{case}");
        }
    }
}
