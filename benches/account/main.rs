//! The whole worker in mode `auto` on a simulated account with known causes: what it recovers, what it costs.
//!
//! `cargo bench --bench account` runs the cycles in this process and in simulated time.
//! `cargo bench --bench account -- --binary target/release/llama-triage` starts the binary for every cycle instead,
//! under `faketime`, which must be installed. `--minutes 10` makes cycles rarer, and the run shorter.
//! `--account NAME` plays another one than `everything`: `outage` or `mixed`.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

mod plot;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::config::load;
use llama_triage::internals::credentials::Credentials;
use llama_triage::internals::service::{Setup, Worker};
use llama_triage::internals::simulator::{
    BatchOrigin, Date, Endpoint, FaultRule, InjectedFault, Item, Options, SimulatedCloud, SimulatedItemStatus, World,
};
use tokio_util::sync::CancellationToken;

/// What one page costs with the tier that every batch here uses.
const CREDITS_PER_PAGE: u64 = 3;

#[tokio::main(flavor = "multi_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = |name: &str| arguments.iter().position(|one| one == name).and_then(|at| arguments.get(at + 1));
    let binary = given("--binary");
    let step = SignedDuration::from_mins(given("--minutes").map_or(5, |minutes| minutes.parse().unwrap()));
    let start: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let account = given("--account").map_or("everything", String::as_str);
    let world = plot::world(account, start).expect("the account is everything, outage or mixed");
    let cloud = SimulatedCloud::start(world, Options { date: Date::World, ..Options::default() }).await.unwrap();
    let config = configure(folder.path(), &cloud);
    cloud.set_faults(if account == "everything" { faults() } else { Vec::new() });
    let mut worker = match binary {
        None => Some(open(&config).await),
        Some(_) => None,
    };
    let mut now = start;
    while now < start + SignedDuration::from_hours(plot::PLAYED) {
        cloud.world().advance_to(now);
        let hour = (now - start).as_hours();
        let broke = account == "everything" && (plot::BROKE.0..plot::BROKE.1).contains(&hour);
        cloud.world().set_credits(0, broke.then_some(0));
        match (&mut worker, binary) {
            (Some(worker), _) => {
                drop(worker.cycle(now, Duration::from_secs(5), &CancellationToken::new()).await.unwrap())
            }
            (None, Some(binary)) => cycle(Path::new(binary), &config, now),
            (None, None) => {}
        }
        now += step;
    }
    print_result(&cloud.world(), start);
}

async fn open(config: &Path) -> Worker {
    let config = load::read(config).unwrap();
    Worker::open(Setup::new(config, &Credentials::default()).unwrap()).await.unwrap()
}

/// One cycle of the built binary at a simulated time.
fn cycle(binary: &Path, config: &Path, now: Timestamp) {
    let status = Command::new("faketime")
        .env("DONT_FAKE_MONOTONIC", "1")
        .env("TZ", "UTC")
        .arg("-f")
        .arg(format!("@{}", now.strftime("%Y-%m-%d %H:%M:%S")))
        .args([binary, Path::new("--config"), config, Path::new("-q"), Path::new("cycle")])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(matches!(status.code(), Some(0 | 1)), "{status} at {now}");
}

fn configure(folder: &Path, cloud: &SimulatedCloud) -> PathBuf {
    let (path, key) = (folder.join("config.toml"), folder.join("key"));
    let project = cloud.world().projects()[0].clone();
    std::fs::write(&key, &project.api_key).unwrap();
    let text = format!(
        "[ledger]\npath = {:?}\n[reprocess]\nmode = \"auto\"\n[[project]]\nname = \"default\"\nbase-url = {:?}\n\
         api-key-file = {:?}\napi = \"v1-beta\"\nrequests-per-second = 1000\n",
        folder.join("ledger.db"),
        cloud.url(),
        key
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// What goes wrong with the POSTs themselves, by their number.
fn faults() -> Vec<FaultRule> {
    let troubles = [
        (4, InjectedFault::AcceptedTwice),
        (8, InjectedFault::AcceptedThenReset),
        (12, InjectedFault::Reset),
        (16, InjectedFault::AcceptedThenStatus(504)),
        (22, InjectedFault::AcceptedTwice),
        (28, InjectedFault::Status(429)),
        (33, InjectedFault::AcceptedThenReset),
    ];
    troubles.into_iter().map(|(n, fault)| FaultRule::new(fault).on(Endpoint::CreateBatch).nth(n)).collect()
}

/// What became of the account.
fn print_result(world: &World, start: Timestamp) {
    let failed: BTreeSet<&str> = world.truth().failures.iter().map(|failure| failure.item_id.as_str()).collect();
    let states = world.current_states();
    let is_done = |item: &&Item| {
        matches!(states.get(item.id.as_str()), Some(SimulatedItemStatus::Completed | SimulatedItemStatus::Skipped))
    };
    let recoverable: Vec<&Item> =
        failed.iter().filter_map(|id| world.item(id)).filter(|item| item.cause.is_recoverable()).collect();
    let recovered = recoverable.iter().copied().filter(|item| is_done(item)).count();
    let least: u64 = recoverable.iter().map(|item| item.pages * CREDITS_PER_PAGE).sum();
    let posts: Vec<_> = world.truth().posts.iter().filter(|post| post.endpoint == Endpoint::CreateBatch).collect();
    let doubled: BTreeSet<&str> = posts.iter().filter_map(|post| post.created.get(1)).map(String::as_str).collect();
    let ours =
        || world.batches().iter().filter(|batch| batch.origin == BatchOrigin::ItemList && is_retry(&posts, &batch.id));
    let credits = |twice: bool| -> u64 {
        let batches = ours().filter(|batch| doubled.contains(batch.id.as_str()) == twice);
        batches.flat_map(|batch| &batch.runs).filter_map(|run| run.credits).sum()
    };
    let mut paid: HashMap<usize, u32> = HashMap::new();
    for run in ours().filter(|batch| !doubled.contains(batch.id.as_str())).flat_map(|batch| &batch.runs) {
        *paid.entry(run.item).or_default() +=
            u32::from(run.status == SimulatedItemStatus::Completed && run.credits.is_some_and(|c| c > 0));
    }
    let at = |hour: i64| start + SignedDuration::from_hours(hour);
    let broke = posts.iter().filter(|post| post.at >= at(plot::BROKE.0) && post.at < at(plot::BROKE.1)).count();
    println!(
        "failed items {}, recoverable {}, recovered {recovered} ({:.1} %)",
        failed.len(),
        recoverable.len(),
        100.0 * recovered as f64 / recoverable.len() as f64
    );
    println!(
        "credits of retries {}, least possible {least}, factor {:.3}",
        credits(false),
        credits(false) as f64 / least as f64
    );
    println!("credits that the server billed a second time by itself {}", credits(true));
    println!(
        "POSTs {}, while without credits {broke}, completed twice {}",
        posts.len(),
        paid.values().filter(|n| **n > 1).count()
    );
    println!("attempts that failed, by what was told:");
    for (text, attempts) in failed_attempts(world, ours().map(|batch| batch.id.as_str()).collect()) {
        println!("  {attempts:>4}  {text}");
    }
    println!("recoverable items left, by what was told:");
    for (text, items) in remaining(world, recoverable.iter().copied().filter(|item| !is_done(item))) {
        println!("  {items:>4}  {text}");
    }
}

fn is_retry(posts: &[&llama_triage::internals::simulator::Post], batch_id: &str) -> bool {
    posts.iter().any(|post| post.created.iter().any(|id| id == batch_id))
}

fn failed_attempts(world: &World, ours: BTreeSet<&str>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    let batches = world.batches().iter().filter(|batch| ours.contains(batch.id.as_str()));
    for run in batches.flat_map(|batch| &batch.runs).filter(|run| run.status == SimulatedItemStatus::Failed) {
        *counts.entry(run.error_message.clone().unwrap_or_default()).or_default() += 1;
    }
    counts
}

fn remaining<'w>(world: &'w World, items: impl Iterator<Item = &'w Item>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for item in items {
        let text = world.latest_run(&item.id).and_then(|run| run.error_message.clone()).unwrap_or_default();
        *counts.entry(text).or_default() += 1;
    }
    counts
}
