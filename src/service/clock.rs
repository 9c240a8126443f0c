//! The worker's time: the host's clock, compared with the last known time and, after a jump, with servers.
//!
//! What that means is `model::clock`'s; here clocks are read, servers asked, and stored times set right.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tracing::warn;

use crate::ledger::error::LedgerError;
use crate::ledger::time::known_time;
use crate::ledger::{Ledger, fault};
use crate::model::clock::{ClockReading, KnownTime, ServerTime, TOLERANCE, TimeSource, has_jumped, plain, read_time};
use crate::service::setup::Setup;
use crate::service::store_clock_skew::{self, Right};

/// The least time between two queries of servers while the clock is in doubt.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// The key of the worker fault.
const FAULT: &str = "clock";

/// The worker's clock.
#[derive(Debug)]
pub struct Clock {
    /// A time that was right, and when; no instant where the ledger has it from another process.
    known: Option<(Timestamp, Option<Instant>)>,
    /// The last reading; none before the first.
    last: Option<ClockReading>,
    /// When servers were last asked, and how far the host's clock was ahead of what was known.
    asked: Option<(Instant, SignedDuration)>,
    /// What deadlines are judged by until a cycle is done.
    doubt: Option<Timestamp>,
    /// How far the host's clock is ahead of the time that is worked by.
    host_ahead: SignedDuration,
    /// That time is what was known before and has passed since.
    is_held_over: bool,
    /// Stored times are to be set right.
    repair: Option<RepairScope>,
}

/// How much of the ledger is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RepairScope {
    /// What a wrong clock may have left behind.
    Usual,
    /// Everything: the clock was set back.
    SetBack,
}

impl Clock {
    /// The clock of a process that begins with this ledger.
    pub async fn load(ledger: &Ledger) -> Result<Clock, LedgerError> {
        let known = ledger.read(known_time::last_known).await?;
        Ok(Clock {
            known: known.map(|at| (at, None)),
            last: None,
            asked: None,
            doubt: None,
            host_ahead: SignedDuration::ZERO,
            is_held_over: false,
            repair: Some(RepairScope::Usual),
        })
    }

    /// The current time. If the clock was set back, stored times in the future are corrected first.
    ///
    /// # Errors
    /// The ledger refuses; the next call sets right what is left.
    pub async fn now(&mut self, ledger: &Ledger, setup: &Setup) -> Result<Timestamp, LedgerError> {
        let reading = self.read(setup).await;
        // By a time that no one confirms, right times would be set to wrong ones.
        if reading.source != TimeSource::Unverified
            && let Some(repair) = self.repair
        {
            set_right(ledger, setup, repair, reading.now).await?;
            self.repair = None;
        }
        Ok(reading.now)
    }

    async fn read(&mut self, setup: &Setup) -> ClockReading {
        let (host, instant) = (Timestamp::now(), Instant::now());
        let known = self.known_time(instant);
        let reading = if has_jumped(host, known) {
            let servers = self.servers(host, known, setup).await;
            read_time(host, known, &servers)
        } else {
            self.asked = None;
            plain(host)
        };
        self.take(reading, known, host, instant);
        reading
    }

    fn known_time(&self, instant: Instant) -> Option<KnownTime> {
        self.known.map(|(at, since)| match since {
            Some(since) => KnownTime { at: at.saturating_add(instant - since).unwrap_or(at), exact: true },
            None => KnownTime { at, exact: false },
        })
    }

    /// What servers say; what they said lately, if the clock is as it was then.
    async fn servers(&mut self, host: Timestamp, known: Option<KnownTime>, setup: &Setup) -> Vec<ServerTime> {
        let ahead = known.map_or(SignedDuration::ZERO, |known| host - known.at);
        if let Some((at, then)) = self.asked
            && at.elapsed() < ASK_AGAIN
            && (ahead - then).abs() <= TOLERANCE
        {
            let by_server = self.last.is_some_and(|last| last.source == TimeSource::Server);
            return known.filter(|_| by_server).map(|known| ServerTime::Says(known.at)).into_iter().collect();
        }
        let servers = ask(setup).await;
        self.asked = Some((Instant::now(), ahead));
        servers
    }

    fn take(&mut self, reading: ClockReading, known: Option<KnownTime>, host: Timestamp, instant: Instant) {
        let changed = self.last.is_none_or(|last| last.source != reading.source);
        self.host_ahead = host - reading.now;
        match reading.source {
            TimeSource::Host => {}
            TimeSource::Confirmed => {
                self.log_change(changed, "the host's clock jumped, and a server confirms the new time")
            }
            TimeSource::Server => self.log_change(changed, "the host's clock is wrong: using LlamaCloud's time"),
            TimeSource::Unconfirmed => {
                self.log_change(
                    changed,
                    "the host's clock jumped and no server confirms the time: deadlines are postponed for a cycle",
                );
                self.doubt = Some(reading.certain);
            }
            TimeSource::Unverified => {
                self.log_change(
                    changed,
                    "the host's clock jumped and no server can be reached: deadlines are postponed until one can",
                );
            }
        }
        let set_back = known.is_some_and(|known| reading.now - known.at < -TOLERANCE);
        if set_back {
            self.repair = Some(RepairScope::SetBack);
        }
        self.is_held_over = known.is_some_and(|known| known.at == reading.now);
        if reading.source != TimeSource::Unverified || self.is_held_over {
            self.known = Some((reading.now, Some(instant)));
            // By what was known then; from now on the clock is measured against this.
            self.asked = self.asked.map(|(at, _)| (at, self.host_ahead));
        }
        self.last = Some(reading);
    }

    fn log_change(&self, changed: bool, what: &str) {
        if changed {
            warn!(host_ahead_s = self.host_ahead.as_secs(), "{what}");
        }
    }

    /// What deadlines are judged by at `now`: earlier while the time is in doubt.
    pub fn is_certain(&self, now: Timestamp) -> Timestamp {
        let unverified = self.last.filter(|last| last.source == TimeSource::Unverified).map(|last| last.certain);
        [self.doubt, unverified].into_iter().flatten().fold(now, Timestamp::min)
    }

    /// Notes that a cycle is done, with the time for the next process, and reports a wrong clock.
    pub async fn end_cycle(&mut self, ledger: &Ledger, now: Timestamp) -> Result<(), LedgerError> {
        self.doubt = None;
        let Some(last) = self.last.filter(|last| last.source != TimeSource::Unverified || self.is_held_over) else {
            return Ok(());
        };
        if last.source == TimeSource::Server {
            // People's acts before this was noted were stamped by the host's clock.
            self.repair = Some(RepairScope::Usual);
        }
        let ahead = self.host_ahead;
        ledger.write(move |tx| store_clock_skew::note_known(tx, now, ahead)).await
    }

    /// Raises the worker fault of a wrong clock, or ends it.
    pub async fn note_fault(&self, ledger: &Ledger, now: Timestamp) -> Result<(), LedgerError> {
        let Some(last) = self.last else { return Ok(()) };
        let ahead = self.host_ahead;
        ledger
            .write(move |tx| match last.source {
                TimeSource::Server => fault::raise(tx, FAULT, &complaint(ahead), now),
                TimeSource::Host | TimeSource::Confirmed => fault::clear(tx, FAULT, now),
                TimeSource::Unconfirmed | TimeSource::Unverified => Ok(()),
            })
            .await
    }
}

fn complaint(ahead: SignedDuration) -> String {
    let (seconds, way) = (ahead.as_secs().unsigned_abs(), if ahead.is_negative() { "behind" } else { "ahead" });
    let apart = match (seconds / 86_400, seconds / 3600) {
        (0, 0) => format!("{} min", seconds / 60),
        (0, hours) => format!("{hours} h {} min", seconds / 60 % 60),
        (days, _) => format!("{days} d"),
    };
    format!(
        "The clock of this host is {apart} {way} of LlamaCloud's. Digests and deadlines use LlamaCloud's time \
         until it is corrected: timedatectl set-ntp true."
    )
}

/// Asks every server once, all at the same time.
async fn ask(setup: &Setup) -> Vec<ServerTime> {
    let mut asking = tokio::task::JoinSet::new();
    for project in &setup.projects {
        let source = std::sync::Arc::clone(&project.source);
        asking.spawn(async move { source.server_time().await });
    }
    let mut servers = Vec::new();
    while let Some(asked) = asking.join_next().await {
        // A task that failed has no answer either.
        servers.extend(asked);
    }
    servers
}

async fn set_right(ledger: &Ledger, setup: &Setup, repair: RepairScope, now: Timestamp) -> Result<(), LedgerError> {
    let right = Right {
        now,
        next_digest: setup.triage.digest.next(now, &setup.zone),
        set_back: repair == RepairScope::SetBack,
    };
    let times = ledger.write(move |tx| store_clock_skew::set_right(tx, right)).await?;
    if times > 0 {
        warn!(times, "corrected {times} stored times in the future: the clock was ahead when they were written");
    }
    Ok(())
}
