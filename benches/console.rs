//! How fast the console's pages answer from a ledger of 2,000,000 observations, beside a process that writes as a scan does.
//!
//! `cargo bench --bench console` fills a ledger in a temporary folder, starts the built binary, and times each page over
//! HTTP: the first answer after the file was dropped from the system's cache, then the median and the longest of 20.
//! Limits that are missed make it fail.

#![expect(clippy::print_stdout, reason = "a benchmark prints its numbers")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use llama_triage::internals::ledger::open;

mod fill;

/// What a page may take, and how large it may be.
const LIMIT: Duration = Duration::from_millis(50);
const LARGEST: usize = 60_000;
const TIMES: usize = 20;

/// Pages, and whether the limits hold for them: what reads every text is stopped by its own limit.
const PAGES: &[(&str, bool)] = &[
    ("/", true),
    ("/groups", true),
    ("/groups?state=all&sort=count", true),
    ("/groups?state=all&page=17", true),
    ("/groups?q=code+42&state=all", true),
    ("/groups?class=transient&kind=failed", true),
    ("/groups?since=24h", true),
    ("/groups?project=p1", false),
    ("/g/g-00000000", true),
    ("/g/g-00000000?page=1000", true),
    ("/g/g-00000100", true),
    ("/i/00000000-0000-4000-8000-000000000000", true),
    ("/b/bjb-00100", true),
    ("/b/bjb-00100?page=20", true),
    ("/plans", true),
    ("/audit", true),
    ("/search?q=g-0000", true),
    ("/search?q=document-1234567", false),
    ("/search?q=code+42", false),
    ("/style.css", true),
];

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ledger = folder.path().join("ledger.db");
    let started = Instant::now();
    fill::fill(&ledger, Timestamp::now());
    println!("filled in {:.0?}", started.elapsed());
    let console = Running::start(&ledger);
    let missed = [false, true].map(|beside| measure(&console, &ledger, beside)).contains(&true);
    if missed {
        std::process::exit(1);
    }
}

/// Prints a table; whether a limit was missed.
fn measure(console: &Running, ledger: &Path, beside_a_writer: bool) -> bool {
    let (stop, rows) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let writer = beside_a_writer.then(|| scope.spawn(|| write(ledger, &stop, &rows)));
        let started = Instant::now();
        println!("\n{:44} {:>9} {:>9} {:>9} {:>8}", "page", "first ms", "median ms", "longest", "bytes");
        let mut missed = false;
        for (path, is_limited) in PAGES {
            fill::forget(ledger);
            let (first, _) = console.get(path);
            let mut times: Vec<(Duration, usize)> = (0..TIMES).map(|_| console.get(path)).collect();
            times.sort_unstable();
            let (median, (longest, bytes)) = (times[TIMES / 2].0, times[TIMES - 1]);
            let slow = *is_limited && (median > LIMIT || bytes > LARGEST);
            missed |= slow;
            let [first, median, longest] = [first, median, longest].map(|took| took.as_secs_f64() * 1000.0);
            let verdict = if slow { "TOO MUCH" } else { "" };
            println!("{path:44} {first:>9.1} {median:>9.1} {longest:>9.1} {bytes:>8} {verdict}");
        }
        stop.store(true, Ordering::Relaxed);
        if let Some(writer) = writer {
            writer.join().expect("the writer ends");
            let each_second = rows.load(Ordering::Relaxed) as f64 / started.elapsed().as_secs_f64();
            println!("beside a writer of {each_second:.0} rows a second");
        }
        missed
    })
}

/// Writes as a scan does that lists everything again: transactions of 10,000 rows in the order of random ids.
fn write(ledger: &Path, stop: &AtomicBool, rows: &AtomicU64) {
    let mut connection = open::writer(ledger).expect("the ledger opens");
    let mut from: i64 = 0;
    while !stop.load(Ordering::Relaxed) {
        let tx = connection.transaction().expect("a transaction");
        let changed = tx
            .execute(
                "UPDATE observation SET last_seen = last_seen + 1 WHERE observation_key BETWEEN ?1 AND ?1 + 9999",
                [from],
            )
            .and_then(|seen| {
                tx.execute("UPDATE item SET failures = failures + 1 WHERE item_key BETWEEN ?1 AND ?1 + 999", [from])
                    .map(|items| seen + items)
            })
            .expect("rows change");
        tx.commit().expect("a commit");
        rows.fetch_add(changed as u64, Ordering::Relaxed);
        from = (from + 10_000) % 1_500_000;
    }
}

/// The built binary, answering on a free port; killed in the end.
struct Running {
    child: Child,
    address: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Running {
    fn start(ledger: &Path) -> Running {
        let mut child = Command::new(env!("CARGO_BIN_EXE_llama-triage"))
            .env_clear()
            .current_dir(ledger.parent().expect("a file in a folder"))
            .args(["console", "--listen", "127.0.0.1:0", "--ledger"])
            .arg(ledger)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let address = line.split_whitespace().find_map(|word| word.strip_prefix("http://")).expect("an address");
        Running { child, address: address.trim_end_matches('/').to_owned() }
    }

    /// How long a page took, and how large it is.
    fn get(&self, path: &str) -> (Duration, usize) {
        let started = Instant::now();
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)
            .expect("it is sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let took = started.elapsed();
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with("HTTP/1.1 200"), "{path}: {}", text.lines().next().unwrap_or_default());
        (took, text.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len()))
    }
}
