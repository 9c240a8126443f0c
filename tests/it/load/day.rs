//! The simulated day: an account that grows every minute, the service that watches it, and the injected faults.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::simulator::{
    Bulk, ClockMode, Endpoint, Failure, FaultRule, InjectedFault, Options, ScriptedCause, World, WorldBuilder,
};

use super::process::{Sample, Service};
use crate::crash::sinks::Sinks;
use crate::site::Site;

/// Noon before the night in which Berlin's clocks go forward.
const START: &str = "2026-03-28T12:00:00Z";
/// Of generated batches, one every five minutes.
const BATCHES: usize = 288;
/// The hours at whose end the process ends, and whether it is asked first. From the last one on it lives through the day.
const RESTARTS: [(i64, bool); 4] = [(2, true), (4, false), (6, true), (8, false)];
/// The hour in which LlamaCloud answers nothing.
const OUTAGE: i64 = 14;
/// After the day, so many minutes may pass without anything new in the ledger until all is there; a busy machine needs some.
const PATIENCE: i64 = 120;

/// A day under way.
pub(super) struct Day {
    pub(super) site: Site,
    pub(super) sinks: Sinks,
    pub(super) bulk: Bulk,
    pub(super) samples: Vec<Sample>,
    start: Timestamp,
    began: Instant,
    speed: u32,
}

impl Day {
    /// Makes the account and its peers; the day begins now.
    ///
    /// Generated items cannot be processed again, and as many failures that may pass would be a storm, in which nothing is retried.
    pub(super) async fn begin(items: usize, speed: u32) -> Day {
        let start: Timestamp = START.parse().unwrap();
        let each = items.div_ceil(BATCHES);
        let bulk = Bulk {
            batches: BATCHES,
            failed: each * 4 / 5,
            skipped: each - each * 4 / 5,
            completed: 100,
            seed: 11,
            newest: start + SignedDuration::from_hours(24),
            apart: SignedDuration::from_mins(5),
        };
        let (sinks, mail, hook) = Sinks::start().await;
        let more = format!(
            "request-timeout = \"2h\"\n\
             [[channel]]\nname = \"mail\"\nkind = \"email\"\nfrom = \"triage@example.com\"\nto = [\"oncall@example.com\"]\n\
             smtp-host = \"127.0.0.1\"\nsmtp-port = {mail}\nsmtp-tls = \"none\"\n\
             [[channel]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{hook}/\"\n\
             [schedule]\nscan = \"5m\"\ndigest = \"02:30, 09:00\"\ntimezone = \"Europe/Berlin\"\n\
             [reprocess]\nmode = \"auto\"\nbaseline = true\nper-group-per-day = 400\n\
             [[rule]]\nname = \"flaky\"\nmatch = \"504 Gateway Timeout\"\nclass = \"transient\"\n\
             [[rule]]\nname = \"generated\"\nmatch = \"(worker|trace|run|checksum|ticket|object|connection|sandbox|request|region|blob|document) [0-9a-f]{{16}}$\"\n\
             class = \"permanent-input\"\n"
        );
        let options = Options { clock: ClockMode::Running(speed), ..Options::default() };
        let site = Site::new(real_part(start).with_bulk(bulk), options, &more).await;
        let day = Day { site, sinks, bulk, samples: Vec::new(), start, began: Instant::now(), speed };
        day.inject_faults(false);
        day
    }

    /// Lives through the day and until everything of it was seen.
    pub(super) fn pass(&mut self) {
        let (config, ledger) = (self.site.path("config.toml"), self.site.path("ledger.db"));
        let mut service = Service::start(&config, self.now(), self.speed);
        let mut restarts = RESTARTS.iter().peekable();
        let (mut life, mut out, mut told, mut newest) = (1, false, -1, (0, 0));
        loop {
            std::thread::park_timeout(Duration::from_secs(60) / self.speed);
            let minute = (self.now() - self.start).as_secs() / 60;
            let sample = service.sample(minute, life, &ledger);
            self.samples.push(sample);
            if let Some((_, gently)) = restarts.next_if(|(hour, _)| minute >= hour * 60) {
                service.end(*gently);
                service = Service::start(&config, self.now(), self.speed);
                life += 1;
            }
            if out != (minute / 60 == OUTAGE) {
                out = !out;
                self.inject_faults(out);
            }
            if told < minute / 60 {
                told = minute / 60;
                let count = self.observations();
                eprintln!("{told:>3} h: {count:>8} observations, {sample:?}");
                newest = if count > newest.0 { (count, minute) } else { newest };
            }
            if minute >= 24 * 60 && self.is_seen() {
                break;
            }
            let waited = minute - newest.1.max(24 * 60);
            assert!(waited <= PATIENCE, "{} observations, and no more for {waited} minutes", newest.0);
        }
        service.end(true);
    }

    /// The simulated time.
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.began.elapsed().as_millis()).unwrap() * i64::from(self.speed);
        self.start + SignedDuration::from_millis(passed)
    }

    /// Plants the faults of every day, or those of an outage.
    fn inject_faults(&self, outage: bool) {
        let usual = [
            (InjectedFault::Status(503), Endpoint::ListItems, 13),
            (InjectedFault::Reset, Endpoint::ListItems, 17),
            (InjectedFault::HalfBody, Endpoint::ListItems, 29),
            (InjectedFault::StatusRetryAfter(429, "2".to_owned()), Endpoint::ListBatches, 23),
            (InjectedFault::AcceptedThenReset, Endpoint::CreateBatch, 3),
        ];
        let usual = usual.into_iter().map(|(fault, endpoint, every)| FaultRule::new(fault).on(endpoint).every(every));
        let faults = if outage { vec![FaultRule::new(InjectedFault::Status(502))] } else { usual.collect() };
        self.site.cloud.set_faults(faults);
    }

    fn observations(&self) -> i64 {
        let count = |ledger: rusqlite::Connection| {
            ledger.query_row("SELECT count(*) FROM observation", [], |row| row.get(0)).unwrap_or(0)
        };
        let path = self.site.path("ledger.db");
        rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).map_or(0, count)
    }

    /// Whether everything that was shown is in the ledger, and nothing is on its way to people.
    fn is_seen(&self) -> bool {
        let real = self.site.cloud.world().truth().served_failures().count();
        let shown = BATCHES * (self.bulk.failed + self.bulk.skipped) + real;
        let waiting = "SELECT delivery_id FROM delivery WHERE state IN ('pending', 'sending')";
        self.observations() >= i64::try_from(shown).unwrap()
            && self.site.texts(waiting).is_empty()
            && self.site.texts("SELECT intent_id FROM intent WHERE state = 'unknown'").is_empty()
    }
}

/// A batch every ten minutes with what retries help and what they do not, and now and then an error that no one knows.
fn real_part(start: Timestamp) -> World {
    let mut world = WorldBuilder::at(start);
    for number in 0..144_i64 {
        world = world.batch(&format!("b{number}")).made_ago(SignedDuration::from_mins(-10 * number));
        world = world.items(3, &format!("fine{number}-"), ScriptedCause::Succeeds);
        let failure = Failure::text("upstream returned 504 Gateway Timeout");
        world = world.items(2, &format!("flaky{number}-"), ScriptedCause::Transient { succeeds_on: 2, failure });
        if number % 12 == 5 {
            let failure = Failure::text(format!("stage layout ended with code E{:04}", 1000 + number));
            world = world.items(1, &format!("odd{number}-"), ScriptedCause::Permanent(failure));
        }
    }
    world.build()
}
