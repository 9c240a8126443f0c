//! How fast pages of failed items are decoded, and how long it takes until a first request can be made: `cargo bench --bench decode`.

use std::hint::black_box;
use std::time::Instant;

use llama_triage::internals::config::ProjectConfig;
use llama_triage::internals::llamacloud::{Cloud, CloudSettings, Transport, decode_items};
use llama_triage::internals::model::Kind;

const ROWS: usize = 1000;
const PAGES: usize = 5;
const ROUNDS: usize = 500;

#[expect(clippy::print_stdout, reason = "the numbers are its answer")]
fn main() {
    let started = Instant::now();
    let settings = CloudSettings { project: ProjectConfig::default(), key: "llx-none".into() };
    Cloud::connect(settings, &Transport::new().expect("CA certificates")).expect("a good configuration");
    println!("connect: {:.1} ms", started.elapsed().as_secs_f64() * 1000.0);
    for (name, message) in [
        ("plain messages", "Failed to parse the PDF file: Job failed: PDF_IS_PROTECTED"),
        (
            "long messages with quotes",
            "Error while converting \\\"office like\\\" document report 2026-11.docx. Please contact support with your job-record-id=91e2e973-27c1-4a5e-8f00-1c1f8d0f2a11",
        ),
    ] {
        let page = page(message);
        let full = best(&page, |page| {
            let (rows, unreadable) = decode_items(Kind::Failed, page).expect("a good page");
            assert_eq!((rows.len(), unreadable), (ROWS, 0));
            black_box(rows);
        });
        // What no one who uses this JSON library can go below: every byte looked at, nothing kept.
        let bare = best(&page, |page| {
            black_box(serde_json::from_str::<serde::de::IgnoredAny>(page).expect("a good page"));
        });
        println!("{name}: {full:.0} items/s; the JSON library skipping the same page: {bare:.0} items/s");
    }
}

/// Items per second in the best of many short rounds: the one that other programs disturbed least.
fn best(page: &str, mut work: impl FnMut(&str)) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for _ in 0..PAGES {
            work(black_box(page));
        }
        best = best.min(started.elapsed().as_secs_f64());
    }
    (ROWS * PAGES) as f64 / best
}

/// A page as the API sends it, with ids that differ.
fn page(message: &str) -> String {
    let rows: Vec<String> = (0..ROWS)
        .map(|n| {
            let id = format!("{:08x}-27c1-4a5e-8f00-1c1f8d0f2a11", n.wrapping_mul(2_654_435_761) as u32);
            format!(
                "{{\"item_id\":\"dfl-{id}\",\"item_name\":\"invoice {n}.pdf\",\"status\":\"failed\",\"error_message\":\"{message}\",\
                 \"skip_reason\":null,\"job_id\":\"pjb-{id}\",\"job_record_id\":\"{id}\",\"started_at\":\"2026-11-23T10:00:00Z\",\
                 \"completed_at\":\"2026-11-23T10:01:00.123456Z\",\"effective_at\":\"2026-11-23T10:01:00.123456Z\"}}"
            )
        })
        .collect();
    format!("{{\"items\":[{}],\"next_page_token\":null,\"total_size\":null}}", rows.join(","))
}
