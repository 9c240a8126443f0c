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

/// POSTs by intent: the intent rides along as the correlation id.
fn by_intent(site: &Site) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for post in site.cloud.world().truth().posts.iter().filter(|post| post.endpoint == Endpoint::CreateBatch) {
        let intent = post.body["job_config"]["correlation_id"].as_str().unwrap_or("none").to_owned();
        *counts.entry(intent).or_default() += 1;
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
