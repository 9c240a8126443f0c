//! The built binary in mode `auto`, killed with SIGKILL: at most one batch for each intent, ever.
//!
//! The server answers late, twice, with an error after it accepted, or not at all.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::model::ulid_of_uuid;
use llama_triage::internals::simulator::{Endpoint, FaultRule, InjectedFault, Options, Random, World, WorldBuilder};
use tokio_util::sync::CancellationToken;

use crate::site::Site;

const TEXTS: [&str; 5] = [
    "upstream returned 503 Service Unavailable",
    "connection reset by peer",
    "504 Gateway Timeout",
    "Server disconnected without sending a response.",
    "502 Bad Gateway",
];

const AUTO: &str = "[reprocess]\nmode = \"auto\"\nbaseline = true\nshare-floor = 500\ndelays = [\"1s\"]\n";

fn world(each: usize) -> World {
    let mut builder = WorldBuilder::at(Timestamp::now()).batch("b1");
    for n in 0..100 {
        builder = builder.item(&format!("fine{n}")).succeeds();
    }
    for (group, text) in TEXTS.iter().enumerate() {
        for n in 0..each {
            builder = builder.item(&format!("i{group}-{n}")).fails_until(2, text);
        }
    }
    builder.build()
}

/// A cycle in a process of its own.
struct Cycle(Child);

impl Cycle {
    fn start(site: &Site) -> Cycle {
        let child = Command::new(env!("CARGO_BIN_EXE_llama-triage"))
            .env_clear()
            .arg("--config")
            .arg(site.path("config.toml"))
            .arg("cycle")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Cycle(child)
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Waits until `now` is true or the process has ended; true in the first case.
    fn until(&mut self, mut now: impl FnMut() -> bool) -> bool {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if now() {
                return true;
            }
            if self.has_ended() {
                return false;
            }
            assert!(Instant::now() < deadline, "a cycle took more than a minute");
            std::thread::park_timeout(Duration::from_micros(500));
        }
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Cycle {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped_already = self.0.wait();
    }
}

fn posts(site: &Site) -> u64 {
    site.cloud.world().truth().requests_to(Endpoint::CreateBatch)
}

/// POSTs by intent: the intent rides along as the correlation id of a v1 batch, in the notes of a v2 job.
fn by_intent(site: &Site) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for post in site.cloud.world().truth().posts.iter() {
        let intent = match post.endpoint {
            Endpoint::CreateBatch => &post.body["job_config"]["correlation_id"],
            Endpoint::V2CreateParse => &post.body["user_metadata"]["triage_intent"],
            _ => continue,
        };
        *counts.entry(intent.as_str().unwrap_or("none").to_owned()).or_default() += 1;
    }
    counts
}

fn assert_no_intent_was_posted_twice(site: &Site) {
    let counts = by_intent(site);
    assert!(counts.values().all(|posts| *posts == 1), "{counts:?}");
    // Every failure here is overcome by the second attempt: a third one would be a second batch for the same retry.
    let world = site.cloud.world();
    let too_often: Vec<_> = world.items().iter().filter(|item| item.attempts > 2).map(|item| &item.name).collect();
    assert!(too_often.is_empty(), "processed a third time: {too_often:?}");
}

/// The batch of every POST that the server carried out belongs to the intent that it was sent for.
fn assert_every_batch_is_known(site: &Site) {
    let known = site.texts("SELECT intent_id || ' ' || batch_id FROM intent WHERE batch_id IS NOT NULL");
    for post in site.cloud.world().truth().posts.iter().filter(|post| !post.created.is_empty()) {
        let uuid = post.body["job_config"]["correlation_id"].as_str().unwrap();
        let intent = ulid_of_uuid(uuid).unwrap();
        let made = format!("{intent} bjb-{}", post.created[0]);
        assert!(known.contains(&made), "{made} is not in {known:?}");
    }
}

/// Hours go by in steps of half an hour, after which a POST that no one ever saw is given up and its items go again.
async fn settle(site: &Site) {
    let mut worker = site.worker().await;
    for _ in 0..60 {
        site.cloud.world().advance(SignedDuration::from_mins(31));
        let now = site.now();
        worker.scan(now).await.unwrap();
        worker.reprocess(now, &CancellationToken::new()).await.unwrap();
        if site.texts("SELECT item_id FROM item WHERE state != 'recovered'").is_empty() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_instants_no_intent_is_ever_posted_twice() {
    let faults = [
        None,
        Some(InjectedFault::AcceptedThenReset),
        Some(InjectedFault::AcceptedThenStatus(500)),
        Some(InjectedFault::Reset),
    ];
    for seed in 1..=2 {
        let mut random = Random::new(seed);
        let site = Site::new(world(30), Options::default(), AUTO).await;
        for _ in 0..18 {
            site.cloud.world().advance(SignedDuration::from_secs(30));
            let late = InjectedFault::Late(Duration::from_millis(random.between(5, 120)));
            let fault = random.pick(&faults).clone().unwrap_or(late);
            site.cloud.set_faults(vec![FaultRule::new(fault).on(Endpoint::CreateBatch).every(random.between(1, 3))]);
            let before = site.cloud.world().truth().all_requests();
            let target = before + random.between(1, 14);
            let mut cycle = Cycle::start(&site);
            if cycle.until(|| site.cloud.world().truth().all_requests() >= target) {
                std::thread::park_timeout(Duration::from_millis(random.between(0, 30)));
                cycle.kill();
            }
            assert_no_intent_was_posted_twice(&site);
        }
        site.cloud.set_faults(Vec::new());
        settle(&site).await;
        assert_no_intent_was_posted_twice(&site);
        let states = site.texts("SELECT DISTINCT state FROM intent ORDER BY 1");
        assert!(!states.iter().any(|state| state == "posting" || state == "planned"), "{states:?}");
        assert_every_batch_is_known(&site);
        let told = site.texts("SELECT item_id FROM item WHERE state = 'recovered'").len();
        let done = site.cloud.world().items().iter().filter(|item| item.attempts == 2).count();
        assert_eq!(told, done, "what was processed again is known, and nothing else is called recovered");
        assert_eq!(done, TEXTS.len() * 30, "what was lost on its way was given up and retried");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_answer_is_under_way_the_batch_is_adopted() {
    let site = Site::new(world(1), Options::default(), AUTO).await;
    site.cloud.set_faults(vec![
        FaultRule::new(InjectedFault::Late(Duration::from_secs(30))).on(Endpoint::CreateBatch).first(1),
    ]);
    let mut cycle = Cycle::start(&site);
    assert!(cycle.until(|| posts(&site) == 1));
    assert_eq!(site.texts("SELECT state FROM intent"), ["posting"]);
    cycle.kill();
    for _ in 0..4 {
        site.cloud.world().advance(SignedDuration::from_secs(60));
        assert!(!Cycle::start(&site).until(|| false));
    }
    assert_no_intent_was_posted_twice(&site);
    assert_eq!(site.texts("SELECT DISTINCT state FROM item"), ["recovered"]);
    assert_eq!(site.texts("SELECT DISTINCT state FROM intent"), ["finished"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_state_of_an_intent_nothing_is_lost_or_doubled() {
    for state in ["planned", "posting", "submitted"] {
        let site = Site::new(world(1), Options::default(), AUTO).await;
        let ledger = site.path("ledger.db");
        let mut cycle = Cycle::start(&site);
        let seen = cycle.until(|| {
            let open = rusqlite::Connection::open_with_flags(&ledger, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
            let count = open.and_then(|ledger| {
                ledger.query_row("SELECT count(*) FROM intent WHERE state = ?1", [state], |row| row.get::<_, i64>(0))
            });
            count.is_ok_and(|count| count > 0)
        });
        if seen {
            cycle.kill();
        }
        for _ in 0..6 {
            site.cloud.world().advance(SignedDuration::from_secs(60));
            assert!(!Cycle::start(&site).until(|| false));
        }
        assert_no_intent_was_posted_twice(&site);
        // What was lost between `posting` and the server stays unclear for half an hour; all else has recovered.
        let unclear = site.texts("SELECT intent_id FROM intent WHERE state = 'unknown'").len();
        let recovered = site.texts("SELECT item_id FROM item WHERE state = 'recovered'").len();
        assert_eq!(recovered + unclear, TEXTS.len(), "killed at {state}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_the_server_carries_out_twice_is_reported_and_its_items_are_not_retried_again() {
    let site = Site::new(world(1), Options::default(), AUTO).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::AcceptedTwice).on(Endpoint::CreateBatch).first(1)]);
    for _ in 0..4 {
        site.cloud.world().advance(SignedDuration::from_secs(60));
        assert!(!Cycle::start(&site).until(|| false));
    }
    assert!(by_intent(&site).values().all(|posts| *posts == 1));
    let faults = site.texts("SELECT fault FROM worker_fault WHERE fault LIKE 'duplicate:%'");
    assert_eq!(faults.len(), 1);
    assert_eq!(posts(&site), TEXTS.len() as u64);
}

/// Kills the binary at random and named points, under an API that answers late or not at all, while an older ledger is restored now
/// and then. Returns how often it was killed at which point.
async fn strike(api: &'static str, seed: u64, strikes: u64) -> BTreeMap<String, u64> {
    let mut random = Random::new(seed);
    let site = Site::with_api(api, world(6), Options::default(), AUTO).await;
    let (ledger, backup) = (site.path("ledger.db"), site.path("older.db"));
    let create = if api == "v2" { Endpoint::V2CreateParse } else { Endpoint::CreateBatch };
    let faults = [
        None,
        Some(InjectedFault::AcceptedThenReset),
        Some(InjectedFault::AcceptedThenStatus(500)),
        Some(InjectedFault::Reset),
    ];
    let mut killed_at = BTreeMap::new();
    for _ in 0..strikes {
        site.cloud.world().advance(SignedDuration::from_secs(30));
        let late = InjectedFault::Late(Duration::from_millis(random.between(5, 80)));
        let fault = random.pick(&faults).clone().unwrap_or(late);
        site.cloud.set_faults(vec![FaultRule::new(fault).on(create).every(random.between(1, 3))]);
        if ledger.exists() && !backup.exists() && random.chance(40) {
            site.command(&["ledger", "backup"]).arg(&backup).assert().success();
        } else if backup.exists() && random.chance(25) {
            site.command(&["ledger", "restore"]).arg(&backup).assert().success();
            std::fs::remove_file(&backup).unwrap();
            *killed_at.entry("(restores)".to_owned()).or_default() += 1;
        }
        let point = *random.pick(&POINTS);
        let count = |question: &str| {
            let open = rusqlite::Connection::open_with_flags(&ledger, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
            open.and_then(|ledger| ledger.query_row(question, [], |row| row.get::<_, i64>(0))).unwrap_or(0)
        };
        let made =
            |site: &Site| site.cloud.world().truth().posts.iter().filter(|post| !post.created.is_empty()).count();
        let requests = site.cloud.world().truth().all_requests() + random.between(1, 14);
        let created = made(&site);
        let (before, began) = (count(point), Instant::now());
        let pause = Duration::from_millis(random.between(0, 300));
        let mut cycle = Cycle::start(&site);
        let reached = cycle.until(|| match point {
            INSTANT => began.elapsed() >= pause,
            REQUEST => site.cloud.world().truth().all_requests() >= requests,
            POST => made(&site) > created,
            question => count(question) != before,
        });
        if reached {
            cycle.kill();
            *killed_at.entry(point.to_owned()).or_default() += 1;
        }
        assert_no_intent_was_posted_twice(&site);
        assert!(site.cloud.world().paid_twice().is_empty(), "{api}, seed {seed}, at {point}");
    }
    site.cloud.set_faults(Vec::new());
    settle(&site).await;
    assert_no_intent_was_posted_twice(&site);
    assert!(site.cloud.world().paid_twice().is_empty(), "{api}, seed {seed}, at the end");
    assert_eq!(site.texts("SELECT DISTINCT state FROM item"), ["recovered"], "{api}, seed {seed}");
    killed_at
}

const INSTANT: &str = "a random instant";
const REQUEST: &str = "a request";
const POST: &str = "a POST";

/// Where a cycle is killed: those three, or a commit, by what it changes in the ledger.
const POINTS: [&str; 9] = [
    INSTANT,
    REQUEST,
    POST,
    "SELECT count(*) FROM intent",
    "SELECT count(*) FROM intent WHERE posting_at IS NOT NULL",
    "SELECT count(*) FROM intent WHERE batch_id IS NOT NULL",
    "SELECT count(*) FROM intent WHERE checked_at IS NOT NULL",
    "SELECT count(*) FROM attempt WHERE finished_at IS NOT NULL",
    "SELECT count(*) FROM audit WHERE action = 'adopt'",
];

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_point_with_older_ledgers_restored_no_item_is_paid_twice() {
    for api in ["v1-beta", "v2"] {
        strike(api, 11, 12).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: KILLS=300 cargo test --test it kill:: -- --ignored --nocapture"]
async fn killed_hundreds_of_times_no_item_is_paid_twice() {
    let wanted = std::env::var("KILLS").map_or(300, |count| count.parse().unwrap());
    let first = std::env::var("KILL_SEED").map_or(100, |seed| seed.parse().unwrap());
    for api in ["v1-beta", "v2"] {
        let (mut killed_at, mut kills): (BTreeMap<String, u64>, _) = (BTreeMap::new(), 0);
        for seed in first.. {
            if kills >= wanted / 2 {
                break;
            }
            for (point, times) in strike(api, seed, 20).await {
                kills += if point.starts_with('(') { 0 } else { times };
                *killed_at.entry(point).or_default() += times;
            }
        }
        eprintln!("{api}: {kills} kills {killed_at:#?}");
    }
}
