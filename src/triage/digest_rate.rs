//! When a digest may be sent: quiet hours, the least gap between two digests, the most in a day.
//!
//! News that may not be sent yet is not decided yet: it stays in the ledger and becomes part of the next digest, so
//! held news is merged into one digest and nothing is ever dropped.

use jiff::{SignedDuration, Timestamp};

use crate::triage::decide::Urgency;

/// The limits for unscheduled digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestLimits {
    /// The least time between two of them.
    pub min_gap: SignedDuration,
    /// The most of them in 24 hours.
    pub per_day: usize,
}

/// What asks for a digest now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DigestTriggers {
    /// The most urgent news; none if there is none.
    pub urgency: Option<Urgency>,
    /// The daily digest is due.
    pub scheduled: bool,
    /// A person asked for it.
    pub by_hand: bool,
}

/// Which news may go out now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DigestGate {
    /// All of it.
    Open,
    /// Only what pages.
    PageOnly,
    /// None.
    Shut,
}

/// Which news may go out now. `unscheduled` are the times of the unscheduled digests of the last day, in any order.
pub(crate) fn gate(
    wanted: DigestTriggers,
    quiet: bool,
    unscheduled: &[Timestamp],
    limits: DigestLimits,
    now: Timestamp,
) -> DigestGate {
    let page = wanted.urgency == Some(Urgency::Page);
    if wanted.by_hand {
        return DigestGate::Open;
    }
    if quiet {
        return if page { DigestGate::PageOnly } else { DigestGate::Shut };
    }
    if wanted.scheduled || page {
        return DigestGate::Open;
    }
    let soon = wanted.urgency >= Some(Urgency::Soon);
    if soon && !capped(unscheduled, limits, now) { DigestGate::Open } else { DigestGate::Shut }
}

fn capped(unscheduled: &[Timestamp], limits: DigestLimits, now: Timestamp) -> bool {
    let within = |length: SignedDuration| {
        let recent = |at: &&Timestamp| now - **at < length;
        unscheduled.iter().filter(recent).count()
    };
    within(limits.min_gap) > 0 || within(SignedDuration::from_hours(24)) >= limits.per_day
}

/// When each cap allows the next unscheduled digest; caps that allow it now are left out.
pub(crate) fn ends_of_caps(
    unscheduled: &[Timestamp],
    limits: DigestLimits,
    now: Timestamp,
) -> Vec<(Timestamp, String)> {
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
        let limits = DigestLimits { min_gap: SignedDuration::from_mins(15), per_day: 3 };
        let soon = DigestTriggers { urgency: Some(Urgency::Soon), ..DigestTriggers::default() };
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
            assert_eq!(gate(soon, false, sent, limits, at), DigestGate::Open);
            let before = at - SignedDuration::from_secs(1);
            assert_eq!(gate(soon, false, sent, limits, before) == DigestGate::Open, found.is_empty(), "{sent:?}");
        }
    }

    #[test]
    fn the_gate_opens_for_what_cannot_wait() {
        use Urgency::{Page, Soon, WithNext};
        let want = |urgency| DigestTriggers { urgency, ..DigestTriggers::default() };
        let daily = DigestTriggers { scheduled: true, ..DigestTriggers::default() };
        let hand = DigestTriggers { by_hand: true, ..DigestTriggers::default() };
        let full: Vec<Timestamp> = (0..12).map(|n| t(n * 60)).collect();
        let now = 12 * 60;
        for (case, wanted, quiet, sent, at, expected) in [
            ("news", want(Some(Soon)), false, &[][..], now, DigestGate::Open),
            ("nothing", want(None), false, &[], now, DigestGate::Shut),
            ("only an end", want(Some(WithNext)), false, &[], now, DigestGate::Shut),
            ("too early", want(Some(Soon)), false, &[t(now - 14)], now, DigestGate::Shut),
            ("late enough", want(Some(Soon)), false, &[t(now - 15)], now, DigestGate::Open),
            ("too many", want(Some(Soon)), false, &full, now, DigestGate::Shut),
            ("a day later", want(Some(Soon)), false, &full, 24 * 60, DigestGate::Open),
            ("page passes the caps", want(Some(Page)), false, &full, now, DigestGate::Open),
            ("daily passes the caps", daily, false, &full, now, DigestGate::Open),
            ("quiet", want(Some(Soon)), true, &[], now, DigestGate::Shut),
            ("quiet, daily", daily, true, &[], now, DigestGate::Shut),
            ("quiet, page", want(Some(Page)), true, &full, now, DigestGate::PageOnly),
            ("quiet, by hand", hand, true, &full, now, DigestGate::Open),
        ] {
            let limits = DigestLimits { min_gap: SignedDuration::from_mins(15), per_day: 12 };
            assert_eq!(gate(wanted, quiet, sent, limits, t(at)), expected, "{case}");
        }
    }
}
