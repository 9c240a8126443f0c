//! The measured steps, each in a process of its own: the same calls that `llama-triage scan` makes.

use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use llama_triage::internals::config::{Api, ProjectConfig};
use llama_triage::internals::grouping::Subject;
use llama_triage::internals::ledger::{Ledger, open};
use llama_triage::internals::llamacloud::{Cloud, CloudSettings, Transport};
use llama_triage::internals::scan::{Classified, ScanSummary, Watched, restore_grouper, scan};

/// Runs one step and prints what it took.
pub(crate) fn run(step: &str, url: &str, ledger: &Path) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        match step {
            "first" => report("first scan", url, ledger).await,
            "again" => report("again, nothing changed", url, ledger).await,
            "touched" => touch(url).await,
            "relist" => report("again, every batch touched", url, ledger).await,
            "reads" => reads(url, ledger).await,
            other => panic!("no step {other}"),
        }
    });
}

async fn report(name: &str, url: &str, path: &Path) {
    let ledger = Ledger::open(path).await.expect("a ledger");
    let (summary, seconds) = scan_once(url, &ledger).await;
    // As every command does: else the next process would have to copy this one's log.
    ledger.close().await.expect("the ledger closes");
    assert!(summary.complete, "{:?}", summary.error);
    println!(
        "  {name:<27} {:>9.0} items/s  ({seconds:.3} s, {:.2} s of processor time, {} requests, {} new, peak {} MiB)",
        summary.items_listed as f64 / seconds,
        processor_seconds(),
        summary.requests,
        summary.items_new,
        peak_mib(),
    );
}

async fn scan_once(url: &str, ledger: &Ledger) -> (ScanSummary, f64) {
    let projects = [watched(url)];
    let classify = |_: &Subject<'_>| Classified { class: "unknown".to_owned(), rule: None };
    let begun = Instant::now();
    let mut grouper = restore_grouper(ledger).await.expect("groups");
    let summaries =
        scan(ledger, &projects, &HashMap::new(), &mut grouper, &classify, Timestamp::now()).await.expect("a scan");
    (summaries.into_iter().next().expect("one project"), begun.elapsed().as_secs_f64())
}

fn watched(url: &str) -> Watched<Cloud> {
    let project = ProjectConfig {
        name: "bench".to_owned(),
        base_url: url.to_owned(),
        api: Api::V1Beta,
        requests_per_second: NonZeroU32::new(1_000_000).expect("a constant above zero"),
        concurrency: NonZeroUsize::new(4).expect("a constant above zero"),
        ..ProjectConfig::default()
    };
    let key = "llx-bench".to_owned().into();
    let look_back = Duration::from_hours(24 * 365 * 10);
    let cloud =
        Cloud::connect(CloudSettings { project, key }, &Transport::new().expect("CA certificates")).expect("a client");
    Watched {
        name: "bench".to_owned(),
        source: Arc::new(cloud),
        look_back,
        concurrency: 4,
        overdue: Default::default(),
    }
}

async fn touch(url: &str) {
    reqwest::get(format!("{url}/touch")).await.expect("the server touches its batches");
}

/// The longest that a reader waits for a small answer while a relisting writes.
async fn reads(url: &str, path: &Path) {
    touch(url).await;
    let ledger = Ledger::open(path).await.expect("a ledger");
    let done = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (done, path) = (Arc::clone(&done), path.to_owned());
        move || {
            let connection = open::reader(&path).expect("a reader");
            let mut longest = Duration::ZERO;
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let sql = "SELECT count(*), sum(open_items) FROM error_group";
                connection.query_row(sql, (), |row| row.get::<_, i64>(0)).expect("a read");
                longest = longest.max(begun.elapsed());
                reads += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            (reads, longest)
        }
    });
    scan_once(url, &ledger).await;
    done.store(true, Ordering::Relaxed);
    let (reads, longest) = reader.join().expect("the reader ends");
    println!("  reads while writing         longest of {reads}: {:.1} ms", longest.as_secs_f64() * 1000.0);
}

/// Processor time of this process, user and system, in seconds.
fn processor_seconds() -> f64 {
    let status = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = status.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

/// The most memory that this process ever held, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
