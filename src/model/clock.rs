//! The current time after a jump of the host's clock: by the last known time, and by servers.
//!
//! A host starts with a clock of 1970 or of its last shutdown, is suspended, or is set by years by mistake. Deadlines that
//! are judged by such a clock end acks, close episodes and mute channels, and news is reported with a wrong date. So a jump is
//! believed only where a server's `Date` agrees with it, and where no server can be asked, deadlines wait.

use jiff::{SignedDuration, Timestamp};

/// A clock that is set by less has not jumped.
pub(crate) const TOLERANCE: SignedDuration = SignedDuration::from_mins(1);

/// A server whose `Date` differs by less agrees with the host's clock.
const AGREES: SignedDuration = SignedDuration::from_mins(10);

/// A longer gap between two processes is a jump until a server agrees.
const LONGEST_GAP: SignedDuration = SignedDuration::from_hours(24);

/// No clock that shows an earlier time is right: 2026-01-01 UTC, before the first release.
const EARLIEST: i64 = 1_767_225_600;

/// The time that it must be by what was known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnownTime {
    /// The time that was known, and what has passed since.
    pub at: Timestamp,
    /// All that has passed since is in `at`; else it is that time or any later one, as at the start of a process.
    pub exact: bool,
}

/// What a server says when it is asked for the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerTime {
    /// Its `Date`.
    Says(Timestamp),
    /// It answers without a `Date` of its own.
    Silent,
    /// It cannot be reached.
    Unreachable,
}

/// A usable time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockReading {
    /// What is stamped.
    pub now: Timestamp,
    /// What deadlines are judged by: never later than `now`, and earlier where `now` is in doubt.
    pub certain: Timestamp,
    /// Where it comes from.
    pub source: TimeSource,
}

/// Where a [`ClockReading`] comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeSource {
    /// The host's clock, which is in line with what was known.
    Host,
    /// The host's clock, which jumped, and with which a server agrees.
    Confirmed,
    /// A server's clock: the host's is wrong.
    Server,
    /// The host's clock, which jumped: servers answer, but none says what time it is.
    Unconfirmed,
    /// No server can be reached: what was known before, or the host's clock where that may be right.
    Unverified,
}

/// Whether the host's clock is not in line with what was known: servers are to be asked.
pub(crate) fn has_jumped(host: Timestamp, known: Option<KnownTime>) -> bool {
    if host.as_second() < EARLIEST {
        return true;
    }
    known.is_some_and(|known| {
        let ahead = host - known.at;
        ahead < -TOLERANCE || ahead > if known.exact { TOLERANCE } else { LONGEST_GAP }
    })
}

/// The time of a host's clock that is in line with what was known.
pub(crate) fn plain(host: Timestamp) -> ClockReading {
    ClockReading { now: host, certain: host, source: TimeSource::Host }
}

/// The time of a person's act beside the worker, which last worked at `known` with a host's clock that was `ahead` of that.
pub(crate) fn beside(host: Timestamp, known: Timestamp, ahead: SignedDuration) -> Timestamp {
    let is_in_line = |at: &Timestamp| !has_jumped(*at, Some(KnownTime { at: known, exact: false }));
    let corrected = host.checked_sub(ahead).unwrap_or(host);
    // The earlier, because what lies ahead of the worker would be set right; nobody can tell a clock that is far ahead from a
    // service that was off, and time never went back.
    [host, corrected].into_iter().filter(is_in_line).min().unwrap_or(host.max(known))
}

/// The time where the host's clock has jumped, by what the servers say.
pub(crate) fn read_time(host: Timestamp, known: Option<KnownTime>, servers: &[ServerTime]) -> ClockReading {
    let said = servers.iter().filter_map(|server| match server {
        ServerTime::Says(at) => Some(*at),
        _ => None,
    });
    let nearest = said.min_by_key(|at| (*at - host).abs());
    let before = known.map_or(host, |known| known.at);
    match nearest {
        Some(at) if (at - host).abs() <= AGREES => {
            ClockReading { now: host, certain: host, source: TimeSource::Confirmed }
        }
        Some(at) => ClockReading { now: at, certain: at, source: TimeSource::Server },
        None if servers.contains(&ServerTime::Silent) => {
            ClockReading { now: host, certain: before.min(host), source: TimeSource::Unconfirmed }
        }
        None => {
            // A host may have been off for any time, but time never went back.
            let may_be_right = known.is_none_or(|known| !known.exact && host > known.at);
            let now = if may_be_right { host } else { before };
            // A clock that nothing is known to hold against, and that is surely wrong.
            let is_wrong = known.is_none() && host.as_second() < EARLIEST;
            let certain = if is_wrong { Timestamp::UNIX_EPOCH } else { before };
            ClockReading { now, certain: certain.min(now), source: TimeSource::Unverified }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + minutes * 60).unwrap()
    }

    const YEAR: i64 = 365 * 24 * 60;

    #[test]
    fn a_jump_is_more_than_a_step_while_serving_and_more_than_a_day_between_processes() {
        let known = |exact| Some(KnownTime { at: t(0), exact });
        for (host, known, jumped) in [
            (t(0), None, false),
            (Timestamp::from_second(0).unwrap(), None, true),
            ("2020-01-01T00:00:00Z".parse().unwrap(), known(true), true),
            (t(1), known(true), false),
            (t(-1), known(true), false),
            (t(2), known(true), true),
            (t(-2), known(true), true),
            (t(2), known(false), false),
            (t(-2), known(false), true),
            (t(24 * 60), known(false), false),
            (t(25 * 60), known(false), true),
        ] {
            assert_eq!(has_jumped(host, known), jumped, "{host} {known:?}");
        }
    }

    #[test]
    fn an_act_beside_the_worker_is_timed_as_the_worker_would() {
        let minutes = SignedDuration::from_mins;
        for (case, host, ahead, expected) in [
            ("right", 5, 0, 5),
            ("a year ahead", YEAR + 5, YEAR, 5),
            ("a year behind", 5 - YEAR, -YEAR, 5),
            ("an hour ahead", 65, 60, 5),
            ("an hour behind", -55, -60, 5),
            ("an hour behind until now", 5, -60, 5),
            ("set right since", 5, YEAR, 5),
            ("behind since", -YEAR, 0, 0),
            ("the service was off", 3 * 24 * 60, 0, 3 * 24 * 60),
        ] {
            assert_eq!(beside(t(host), t(0), minutes(ahead)), t(expected), "{case}");
        }
    }

    #[test]
    fn a_server_decides_and_without_one_deadlines_wait() {
        use ServerTime::{Says, Silent, Unreachable};
        let serving = Some(KnownTime { at: t(0), exact: true });
        let starting = Some(KnownTime { at: t(0), exact: false });
        for (case, host, known, servers, now, certain, source) in [
            ("set right", t(YEAR), serving, &[Says(t(YEAR + 2))][..], YEAR, YEAR, TimeSource::Confirmed),
            ("one of two agrees", t(60), serving, &[Says(t(0)), Says(t(61))], 60, 60, TimeSource::Confirmed),
            ("a year ahead", t(YEAR), serving, &[Unreachable, Says(t(1))], 1, 1, TimeSource::Server),
            ("years behind at start", t(-6 * YEAR), starting, &[Says(t(99))], 99, 99, TimeSource::Server),
            ("no date", t(YEAR), serving, &[Silent], YEAR, 0, TimeSource::Unconfirmed),
            ("no date, set back", t(-YEAR), serving, &[Silent], -YEAR, -YEAR, TimeSource::Unconfirmed),
            ("no network, ahead", t(YEAR), serving, &[Unreachable], 0, 0, TimeSource::Unverified),
            ("no network, behind", t(-YEAR), starting, &[Unreachable], 0, 0, TimeSource::Unverified),
            ("no network, off or ahead", t(YEAR), starting, &[Unreachable], YEAR, 0, TimeSource::Unverified),
            ("nothing known", t(5), None, &[], 5, 5, TimeSource::Unverified),
        ] {
            let reading = read_time(host, known, servers);
            assert_eq!(reading, ClockReading { now: t(now), certain: t(certain), source }, "{case}");
        }
    }
}
