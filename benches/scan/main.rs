//! How fast a scan is, against a server that answers from memory, and how much memory it takes. See `README.md` beside it.
//!
//! `cargo bench --bench scan` measures 200,000 items; `-- large` 1,000,000 and 2,000,000 too;
//! `-- sdk PYTHON` the vendor's Python SDK (see `sdk.py`) beside ours in the same run.
//! The server and every measured step run as processes of their own, so that neither's memory counts as the other's.

#![expect(clippy::print_stdout, reason = "a benchmark prints its numbers")]

mod bare;
mod parts;
mod server;
mod steps;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve", batches] => server::serve(batches.parse().expect("a number of batches")),
        ["bare", batches, ledger] => bare::run(batches.parse().expect("a number of batches"), Path::new(ledger)),
        ["parts", batches, ledger] => parts::run(batches.parse().expect("a number of batches"), Path::new(ledger)),
        ["step", name, url, ledger] => steps::run(name, url, Path::new(ledger)),
        ["large"] => [40, 200, 400].into_iter().for_each(|batches| measure(batches, None)),
        ["sdk", python] => measure(40, Some(python)),
        _ => measure(40, None),
    }
}

/// All steps on an account of so many batches with 4,000 failed and 1,000 skipped items each.
///
/// With a Python that has the vendor's SDK, that goes first.
fn measure(batches: usize, python: Option<&str>) {
    println!("{} items in {batches} batches", batches * server::ITEMS);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ledger = folder.path().join("ledger.db");
    let plain = folder.path().join("plain.db");
    call(&["bare", &batches.to_string(), &plain.display().to_string()]);
    call(&["parts", &batches.to_string(), &folder.path().join("parts.db").display().to_string()]);
    let mut server = start(&["serve", &batches.to_string()]);
    let mut url = String::new();
    let output = server.stdout.take().expect("the server's output is piped");
    BufReader::new(output).read_line(&mut url).expect("the server says where it is");
    if let Some(python) = python {
        compare(python, url.trim(), &folder.path().join("sdk.db"));
    }
    for step in ["first", "again", "touched", "relist", "reads"] {
        // A commit waits for all that was written to the disk before it, which minutes later is long done.
        rustix::fs::sync();
        call(&["step", step, url.trim(), &ledger.display().to_string()]);
    }
    server.kill().expect("the server still runs");
    server.wait().expect("the server ends");
}

/// The SDK lists everything twice: into an empty table, then into the full one.
fn compare(python: &str, url: &str, table: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/scan/sdk.py");
    for _ in ["first", "relist"] {
        let status = Command::new(python).arg(&script).arg(url).arg(table).status().expect("python starts");
        assert!(status.success(), "the script failed");
    }
}

fn call(arguments: &[&str]) {
    let status = Command::new(me()).args(arguments).status().expect("this program starts");
    assert!(status.success(), "{arguments:?} failed");
}

fn start(arguments: &[&str]) -> Child {
    Command::new(me()).args(arguments).stdout(Stdio::piped()).spawn().expect("this program starts")
}

fn me() -> std::path::PathBuf {
    std::env::current_exe().expect("this program has a path")
}
