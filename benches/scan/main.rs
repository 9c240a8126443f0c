//! How fast a scan is, against a server that answers from memory, and how much memory it takes. See `README.md` beside it.
//!
//! `cargo bench --bench scan` measures every shape of account (see `SHAPES`) at 200,000 items, the small batches at 50,000;
//! `-- SHAPE BATCHES…` one of them in these sizes; `-- large` the first two at 1,000,000 and 2,000,000 items, too.
//! `-- sdk PYTHON` puts the vendor's Python SDK (see `sdk.py`) beside ours in the same run.
//! The server and every measured step run as processes of their own, so that neither's memory counts as the other's.

#![expect(clippy::print_stdout, reason = "a benchmark prints its numbers")]

mod bare;
mod parts;
mod server;
mod steps;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use server::{SHAPES, Shape};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve", shape, batches] => server::serve(Shape::parse(shape, batches)),
        ["bare", shape, batches, ledger] => bare::run(&Shape::parse(shape, batches), Path::new(ledger)),
        ["parts", shape, batches, ledger] => parts::run(&Shape::parse(shape, batches), Path::new(ledger)),
        ["step", name, url, ledger] => steps::run(name, url, Path::new(ledger)),
        ["large"] => {
            for shape in &SHAPES[..2] {
                [40, 200, 400].into_iter().for_each(|batches| measure(shape.of(batches), None));
            }
        }
        ["sdk", python] => SHAPES[..2].iter().for_each(|shape| measure(*shape, Some(python))),
        [shape, sizes @ ..] => sizes.iter().for_each(|batches| measure(Shape::parse(shape, batches), None)),
        [] => SHAPES.into_iter().for_each(|shape| measure(shape, None)),
    }
}

/// All steps on an account of this shape. With a Python that has the vendor's SDK, that runs first.
fn measure(shape: Shape, python: Option<&str>) {
    let (name, batches) = (shape.name, shape.batches.to_string());
    println!("{name}: {} items in {batches} batches", shape.batches * shape.listed());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    call(&["bare", name, &batches, &file("plain.db")]);
    call(&["parts", name, &batches, &file("parts.db")]);
    let mut server = start(&["serve", name, &batches]);
    let mut url = String::new();
    let output = server.stdout.take().expect("the server's output is piped");
    BufReader::new(output).read_line(&mut url).expect("the server says where it is");
    if let Some(python) = python {
        compare(python, url.trim(), &folder.path().join("sdk.db"));
    }
    for step in ["first", "again", "touched", "relist", "reads"] {
        // A commit waits for all that was written to the disk before it, which minutes later is long done.
        rustix::fs::sync();
        call(&["step", step, url.trim(), &file("ledger.db")]);
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
