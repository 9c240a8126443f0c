//! A day of `serve` in minutes: a million items, faults, an outage, restarts and kills; nothing is lost and nothing grows.
//!
//! `cargo test --test it load -- --ignored --nocapture`. The clocks of the service and of the simulated LlamaCloud both run
//! `LOAD_SPEED` (60) times as fast as the real one, the service's by libfaketime (Debian's package libfaketime).
//! `LOAD_ITEMS` (1,000,000) makes smaller days.

mod day;
mod findings;
mod process;

use std::path::Path;

/// What drives the service's clock.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half an hour: cargo test --test it load -- --ignored --nocapture"]
async fn a_day_of_a_million_items_loses_nothing_and_grows_nowhere() {
    let number = |name, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    live_through(number("LOAD_ITEMS", 1_000_000), u32::try_from(number("LOAD_SPEED", 60)).unwrap()).await;
}

async fn live_through(items: usize, speed: u32) {
    assert!(Path::new(LIBRARY).exists(), "there is no {LIBRARY}; Debian's package libfaketime has it");
    let mut day = day::Day::begin(items, speed).await;
    day.pass();
    findings::nothing_was_lost(&day);
    findings::nothing_grew(&day.samples);
}
