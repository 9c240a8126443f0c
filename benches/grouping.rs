//! How fast and how large grouping is. Run with `cargo bench --bench grouping`; nothing is downloaded, nothing random:
//! the messages come from a fixed generator. Prints messages per second and the peak resident memory.

#![expect(clippy::print_stdout, reason = "a benchmark prints its numbers")]

use llama_triage::internals::grouping::{Grouper, Subject};
use llama_triage::internals::model::Kind;
use std::hint::black_box;
use std::time::Instant;

/// A small fixed generator of numbers (splitmix64), so that every run measures the same texts.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
    fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            a >> 32,
            a & 0xffff,
            (a >> 16) & 0xfff,
            b >> 52,
            b & 0xffff_ffff_ffff
        )
    }
    fn word(&mut self) -> String {
        (0..3 + self.below(7)).map(|_| char::from(b'a' + self.below(26) as u8)).collect()
    }
}

/// One distinct error message of document processing.
fn message(numbers: &mut Numbers) -> String {
    let (n, m) = (numbers.below(1_000_000), numbers.below(900));
    let id = numbers.uuid();
    match numbers.below(12) {
        0 => format!(
            "Conversion of '{}_{n}.docx' stopped after {m}.{}s: renderer did not answer",
            numbers.word(),
            n % 100
        ),
        1 => format!("Upstream answered HTTP {} for request {id}", [429, 500, 502, 503][n as usize % 4]),
        2 => format!("Page {m} of {n} could not be rasterized (dpi={}, tile=4x{m}, job={id})", 72 + m),
        3 => format!(
            "Download of https://files{m}.example.net/{id}/{n}?sig={n:x}&exp={m} gave up: connection reset by peer"
        ),
        4 => format!(
            "[2026-0{}-1{}T0{}:22:5{}.{m:03}Z] worker-{m}: lease on bjb-{id} expired after {m} s",
            1 + n % 9,
            n % 10,
            n % 9,
            n % 10
        ),
        5 => format!(
            "{{\"detail\":[{{\"loc\":[\"body\",\"pages\",{m}],\"msg\":\"value is not a valid integer\",\"type\":\"type_error.integer\"}}],\"request_id\":\"{id}\"}}"
        ),
        6 => format!(
            "Traceback (most recent call last):\n  File \"/srv/app/run_{m}.py\", line {n}, in step\n    convert(doc)\n  File \"/srv/app/io.py\", line {m}, in convert\n    raise Broken(doc)\nBrokenDocument: stream {n} of object {m} ends early"
        ),
        7 => format!("文件“{}{n}.pdf”的第{m}页无法识别：图像分辨率过低", numbers.word()),
        8 => format!("Quota of project prj-{id} used up: {n} of {m} credits, resets in {}h{}m", m % 24, n % 60),
        9 => format!("User {}{n}@mail{m}.example.org may not read directory dir-{id}", numbers.word()),
        10 => format!("Table {m} on page {n} has cells outside of the page box [{m}.5, {n}.0, {}.25, 12.75]", n + 4),
        _ => format!(
            "Model returned invalid structured output at offset {n}: missing keys ['{}', '{}'] (attempt {m})",
            numbers.word(),
            numbers.word()
        ),
    }
}

fn measure(name: &str, messages: &[String], rounds: usize) -> Grouper {
    let mut grouper = Grouper::new();
    let subject = |message| Subject {
        kind: Kind::Failed,
        job_type: "parse",
        skip_reason: None,
        message: Some(message),
        item_name: None,
    };
    if rounds > 1 {
        for message in messages {
            grouper.assign(&subject(message));
        }
    }
    let begin = cpu_seconds();
    for _ in 0..rounds {
        for message in messages {
            black_box(grouper.assign(&subject(message)));
        }
    }
    let seconds = cpu_seconds() - begin;
    let count = messages.len() * rounds;
    let bytes = messages.iter().map(String::len).sum::<usize>() * rounds;
    println!(
        "{name:34} {count:>9} messages {:>11.0}/s {:>7.0} MB/s {:>5} groups",
        count as f64 / seconds,
        bytes as f64 / seconds / 1e6,
        grouper.survivors().count()
    );
    grouper
}

/// Seconds this thread has had a processor; the wall clock where the system does not tell. Other work on the machine does not count.
fn cpu_seconds() -> f64 {
    static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let wall = BEGIN.get_or_init(Instant::now).elapsed().as_secs_f64();
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    spent.and_then(|text| text.split(' ').next()?.parse::<f64>().ok()).map_or(wall, |nanos| nanos / 1e9)
}

/// Peak resident memory of this process in MiB, where the system tells.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

fn assign(grouper: &mut Grouper, text: &str) {
    grouper.assign(&Subject {
        kind: Kind::Failed,
        job_type: "parse",
        skip_reason: None,
        message: Some(text),
        item_name: None,
    });
}

fn main() {
    let mut numbers = Numbers(7);
    // Streamed, so that the peak is the grouper's own.
    let mut grouper = Grouper::new();
    for _ in 0..1_000_000 {
        let text = message(&mut numbers);
        assign(&mut grouper, &text);
    }
    println!("after 1,000,000 distinct messages: {} groups, peak {:?} MiB", grouper.survivors().count(), peak());
    let mut grouper = Grouper::new();
    let begin = Instant::now();
    for _ in 0..200_000 {
        let text = (0..24).map(|_| numbers.word()).collect::<Vec<_>>().join(" ");
        assign(&mut grouper, &text);
    }
    println!(
        "after 200,000 messages of 24 new words: {} groups, {:.0}/s, peak {:?} MiB",
        grouper.survivors().count(),
        200_000.0 / begin.elapsed().as_secs_f64(),
        peak()
    );
    let begin = Instant::now();
    let stored = grouper.take_changes();
    println!("storing {} groups: {:?}", stored.len(), begin.elapsed());
    let begin = Instant::now();
    let again = Grouper::restore(stored).map(|grouper| grouper.survivors().count());
    println!("restoring them: {:?} ({again:?} groups)", begin.elapsed());
    let distinct: Vec<String> = (0..1_000_000).map(|_| message(&mut numbers)).collect();
    measure("distinct", &distinct, 1);
    measure("repeats (10,000 texts)", &distinct[..10_000], 100);
    measure("repeats (50 texts)", &distinct[..50], 20_000);
    let huge: Vec<String> = (0..20).map(|n| format!("{n} {}", "lorem ipsum dolor ".repeat(60_000))).collect();
    measure("1 MB each", &huge, 1);
}
