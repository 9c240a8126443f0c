//! How fast reports answer from a ledger of 2,000,000 observations.
//!
//! `cargo bench --bench report` fills `target/bench/report.db` once (delete it to fill it again) and then times each
//! report: cold, with the file dropped from the system's cache, and warm. Limits that are missed make it fail.

#![expect(clippy::print_stdout, reason = "a benchmark prints its numbers")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use jiff::Timestamp;
use llama_triage::internals::commands::{ReportArgs, ReportOutcome, Surroundings, Terminal, run};

mod fill;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    report: ReportArgs,
}

/// A report, its time limit when cold, and its size limit.
struct Case {
    words: &'static str,
    limit: Option<Duration>,
    bytes: Option<usize>,
}

const fn case(words: &'static str, millis: u64) -> Case {
    Case { words, limit: Some(Duration::from_millis(millis)), bytes: None }
}

const fn page(words: &'static str) -> Case {
    Case { words, limit: Some(Duration::from_secs(2)), bytes: Some(1_000_000) }
}

const fn free(words: &'static str) -> Case {
    Case { words, limit: None, bytes: None }
}

const CASES: &[Case] = &[
    case("summary --format table", 100),
    case("groups --format table", 100),
    case("groups --format json", 100),
    case("groups --since 24h --format table", 100),
    page("summary --format html"),
    page("summary --since 30d --format html"),
    free("group g-00000000 --format table"),
    free("items --state open --format table"),
    free("items --group g-00000000 --format table"),
    free("items --batch bjb-00100 --format json"),
    free("items --match code.42 --format table"),
    free("item 00000000-0000 --format table"),
    free("batches --format table"),
    free("batch bjb-00100 --format table"),
    free("skipped --format table"),
    free("trend --since 30d --by group --format table"),
    free("retries --by group --format table"),
    free("mttr --format table"),
    free("groups --project p1 --format table"),
    free("groups --match code.42 --format table"),
    free("groups --job-type extract --format table"),
];

fn main() {
    let ledger = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/bench/report.db");
    if !ledger.exists() {
        let started = Instant::now();
        fill::fill(&ledger, now());
        println!("filled {} in {:.0?}", ledger.display(), started.elapsed());
    }
    let mut missed = false;
    println!("{:46} {:>9} {:>9} {:>9}", "report", "cold ms", "warm ms", "bytes");
    for case in CASES {
        fill::forget(&ledger);
        let (cold, bytes) = time(&ledger, case.words);
        let warm = (0..3).map(|_| time(&ledger, case.words).0).min().unwrap_or_default();
        let slow = case.limit.is_some_and(|limit| cold > limit) || case.bytes.is_some_and(|most| bytes > most);
        missed |= slow;
        let [cold, warm] = [cold, warm].map(|took| took.as_secs_f64() * 1000.0);
        let verdict = if slow { "TOO MUCH" } else { "" };
        println!("{:46} {cold:>9.1} {warm:>9.1} {bytes:>9} {verdict}", case.words);
    }
    if missed {
        std::process::exit(1);
    }
}

/// The ledger's present.
fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().expect("a constant time")
}

fn time(ledger: &Path, words: &str) -> (Duration, usize) {
    let line = Line::parse_from(std::iter::once("report").chain(words.split(' ')));
    let now = now();
    let terminal = Terminal { is_terminal: true, width: Some(120), colour: true, links: true };
    let around = Surroundings { ledgers: &[ledger.to_owned()], config: None, next_digest_at: None, now, terminal };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let started = Instant::now();
    let outcome = run(&line.report, &around, &mut out, &mut err);
    let took = started.elapsed();
    assert!(matches!(outcome, ReportOutcome::Done), "{words}: {:?}", outcome.message());
    if let Some(folder) = std::env::var_os("BENCH_KEEP") {
        std::fs::write(Path::new(&folder).join(words.replace(' ', "_")), &out).expect("the folder is there");
    }
    (took, out.len())
}
