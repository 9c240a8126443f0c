//! The built binary with everything around it, to be killed and asked what is left.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::simulator::{Endpoint, FaultRule, InjectedFault, Options, Random};
use rusqlite::Connection;

use super::point::Point;
use super::sinks::Sinks;
use super::world;
use super::{promises, retries};
use crate::site::Site;

/// No step takes longer, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A site, its peers, and the count of kills.
pub(crate) struct Rig {
    pub(crate) site: Site,
    pub(crate) sinks: Sinks,
    pub(crate) kills: u64,
    /// How many of them at which point.
    pub(crate) killed_at: BTreeMap<String, u64>,
    /// What was found recorded at the last look.
    pub(crate) recorded: BTreeSet<String>,
    /// What was shown to a process that was killed before it wrote it down: all that may be missing.
    pub(crate) died_unwritten: BTreeSet<String>,
    /// The minute of the account that was reached.
    minute: i64,
    start: Timestamp,
}

impl Rig {
    pub(crate) async fn new(random: &mut Random, minutes: u64) -> Rig {
        let start = Timestamp::now() - SignedDuration::from_mins(i64::try_from(minutes).unwrap() + 10);
        let (sinks, mail, hook) = Sinks::start().await;
        let more = format!(
            "page-size = 3\nlook-back = \"60d\"\n\
             [[channel]]\nname = \"mail\"\nkind = \"email\"\nfrom = \"triage@example.com\"\nto = [\"oncall@example.com\"]\n\
             smtp-host = \"127.0.0.1\"\nsmtp-port = {mail}\nsmtp-tls = \"none\"\n\
             [[channel]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{hook}/\"\n\
             [schedule]\nscan = \"2s\"\n[digest]\nmin-gap = \"0s\"\nper-day = 100000\ngroup-wait = \"0s\"\n\
             [[rule]]\nname = \"render\"\nmatch = \"stage render gave way\"\nclass = \"transient\"\n\
             [reprocess]\nmode = \"auto\"\nbaseline = true\nshare-floor = 100000\nper-hour = 100000\nper-day = 100000\nper-group-per-day = 100000\ndelays = [\"1s\"]\nrests = [\"1s\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\"]\n"
        );
        let site = Site::new(world::account(random, start, minutes), Options::default(), &more).await;
        Rig {
            site,
            sinks,
            kills: 0,
            killed_at: BTreeMap::new(),
            recorded: BTreeSet::new(),
            died_unwritten: BTreeSet::new(),
            minute: 0,
            start,
        }
    }

    /// Lets a simulated minute pass.
    pub(crate) fn pass_a_minute(&mut self) {
        self.minute += 1;
        self.site.cloud.world().advance_to(self.start + SignedDuration::from_mins(self.minute));
    }

    /// Starts the binary and kills it at the point, unless it has ended before.
    pub(crate) fn strike(&mut self, command: &str, point: Point) {
        let (asked, made) = {
            let world = self.site.cloud.world();
            (world.truth().all_requests(), retries::carried_out(&world))
        };
        let before = self.look(point);
        self.sinks.hold(if let Point::Held(hold) = point { Some(hold) } else { None });
        let began = Instant::now();
        let mut child = self.spawn(command);
        let ended = loop {
            if child.try_wait().unwrap().is_some() {
                break true;
            }
            let reached = match point {
                Point::After(time) => began.elapsed() >= time,
                Point::Requests(count) => self.site.cloud.world().truth().all_requests() >= asked + count,
                Point::Posted => retries::carried_out(&self.site.cloud.world()) > made,
                Point::Committed(_) => self.look(point) != before,
                Point::Held(_) => self.sinks.is_reached(),
            };
            // A service whose point does not come, for there is no news, is killed where it stands.
            if reached {
                *self.killed_at.entry(point.name()).or_default() += 1;
                break false;
            }
            if command == "serve" && began.elapsed() > Duration::from_secs(3) {
                break false;
            }
            assert!(began.elapsed() < PATIENCE, "`{command}` hangs before {point:?}");
            std::thread::park_timeout(Duration::from_millis(1));
        };
        if !ended {
            // SIGKILL: nothing in the process gets to run any more.
            child.kill().unwrap();
            self.kills += 1;
        }
        child.wait().unwrap();
        self.sinks.hold(None);
        let (ever, _) = promises::shown(self);
        let missing = &ever - &self.recorded_now();
        if ended {
            let lost: Vec<_> = missing.difference(&self.died_unwritten).collect();
            assert_eq!(lost, Vec::<&String>::new(), "shown to a `{command}` that ended by itself, and not recorded");
        } else {
            self.died_unwritten.extend(missing);
        }
    }

    /// Every observation of the ledger, as `item batch kind`; none before there is a ledger.
    pub(crate) fn recorded_now(&self) -> BTreeSet<String> {
        let recorded = "SELECT i.item_id || ' ' || b.batch_id || ' ' || o.kind FROM observation o
                        JOIN item i USING (item_key) JOIN batch b USING (batch_key)";
        let path = self.site.path("ledger.db");
        // A process that was killed early leaves no ledger, or one without tables.
        let ledger = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
        let Ok(ledger) = ledger else { return BTreeSet::new() };
        let Ok(mut statement) = ledger.prepare(recorded) else { return BTreeSet::new() };
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Lets LlamaCloud answer POSTs from now on as it likes: late, not at all after it did the work, or well.
    pub(crate) fn inject_post_faults(&self, random: &mut Random) {
        let fault = match random.between(0, 4) {
            0 => Some(InjectedFault::AcceptedThenReset),
            1 => Some(InjectedFault::AcceptedThenStatus(504)),
            2 => Some(InjectedFault::Late(Duration::from_millis(random.between(5, 80)))),
            _ => None,
        };
        let rules = fault.map(|fault| FaultRule::new(fault).on(Endpoint::CreateBatch));
        self.site.cloud.set_faults(rules.into_iter().collect());
    }

    /// Runs cycles until one has nothing left to do.
    pub(crate) fn run_until_idle(&self) {
        self.site.cloud.set_faults(Vec::new());
        self.sinks.hold(None);
        self.let_the_hour_pass();
        self.cycle();
        self.let_half_an_hour_pass();
        self.cycle();
        self.cycle();
    }

    fn cycle(&self) {
        self.site.command(&["-q", "cycle"]).timeout(PATIENCE).assert().success();
    }

    /// Makes POSTs of unclear outcome so old that none can still be carried out, as they are after half an hour.
    /// Before, a process that was killed just ahead of a POST leaves its group waiting, and nothing of it is retried.
    fn let_half_an_hour_pass(&self) {
        let ledger = Connection::open(self.site.path("ledger.db")).unwrap();
        let half_an_hour = SignedDuration::from_mins(31).as_millis() as i64;
        let older =
            "UPDATE intent SET posting_at = posting_at - ?1, clean_since = clean_since - ?1 WHERE state = 'unknown'";
        ledger.execute(older, [half_an_hour]).unwrap();
    }

    /// Makes the next scan read the job list to its end, as one does each hour: minutes of the account are moments here.
    /// Before, what changed in an old batch whose place in the list is behind settled ones is not seen.
    fn let_the_hour_pass(&self) {
        let Ok(ledger) = Connection::open(self.site.path("ledger.db")) else { return };
        ledger.execute("UPDATE project SET list_read_at = 0 WHERE list_read_at IS NOT NULL", ()).unwrap();
    }

    fn spawn(&self, command: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_llama-triage"))
            .env_clear()
            .args(["-q", command, "--config"])
            .arg(self.site.path("config.toml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// The ledger's answer, if there is a ledger yet.
    fn look(&self, point: Point) -> Option<i64> {
        let Point::Committed(question) = point else { return None };
        let ledger =
            Connection::open_with_flags(self.site.path("ledger.db"), rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
        ledger.ok()?.query_row(question, [], |row| row.get(0)).ok()
    }
}
