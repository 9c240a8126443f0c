//! `/metrics`: the list of metrics, filled from the ledger and the pulse at each scrape.
//!
//! Names and help texts are documented in `docs/operations.md`; a test holds them.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::service::liveness::Liveness;
use crate::service::store_health::Health;

type Labels = Vec<(String, String)>;

/// The text of one scrape, in the text format that every scraper reads (version 0.0.4).
///
/// # Errors
/// The text cannot be formatted.
pub(crate) fn scrape(health: &Health, pulse: &Liveness, ledger_bytes: u64) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("llama_triage");
    let version = vec![("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    gauges(&mut registry, "build_info", "The running version", [(version, 1)]);
    let open = health.open_items.iter().map(|(kind, class, n)| (labels([("kind", kind), ("class", class)]), *n));
    gauges(&mut registry, "open_items", "Items open now, by kind and class", open);
    gauges(&mut registry, "open_groups", "Groups with open items", [(vec![], health.open_groups)]);
    let scans = health
        .last_complete_scan
        .iter()
        .filter_map(|(project, at)| Some((labels([("project", project)]), at.as_ref()?.as_second().unsigned_abs())));
    gauges(&mut registry, "last_complete_scan_timestamp_seconds", "When the last complete scan ended", scans);
    let deliveries =
        health.deliveries.iter().map(|(channel, state, n)| (labels([("channel", channel), ("state", state)]), *n));
    gauges(&mut registry, "deliveries", "Deliveries in the ledger, by channel and state", deliveries);
    let dead = health.dead_channels.iter().map(|channel| (labels([("channel", channel)]), 1));
    gauges(&mut registry, "dead_channels", "Channels whose newest delivery is dead", dead);
    gauges(&mut registry, "worker_faults", "Active faults of llama-triage itself", [(vec![], health.faults)]);
    gauges(
        &mut registry,
        "unreadable_rows",
        "Rows of the newest scans that could not be read",
        [(vec![], health.unreadable)],
    );
    let attempts = health.attempts.iter().map(|(outcome, n)| (labels([("outcome", outcome)]), *n));
    gauges(&mut registry, "attempts", "Reprocessing attempts in the ledger, by outcome", attempts);
    gauges(&mut registry, "ledger_bytes", "Size of the ledger file with its write-ahead log", [(vec![], ledger_bytes)]);
    if let Some(at) = pulse.last_cycle() {
        gauges(
            &mut registry,
            "last_cycle_timestamp_seconds",
            "When the last cycle ended",
            [(vec![], at.as_second().unsigned_abs())],
        );
    }
    let (done, failed) = pulse.cycles();
    registry.register("cycles", "Cycles since the start", ConstCounter::new(done + failed));
    registry.register(
        "cycles_failed",
        "Cycles since the start that did not do all their work",
        ConstCounter::new(failed),
    );
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(classic(&text))
}

/// `OpenMetrics` names a counter without the `_total` of its sample, and ends with a mark; the classic format does neither.
fn classic(open_metrics: &str) -> String {
    let lines: Vec<&str> = open_metrics.lines().filter(|line| *line != "# EOF").collect();
    let is_counter = |name: &str| lines.contains(&format!("# TYPE {name} counter").as_str());
    let renamed = lines.iter().map(|line| match line.splitn(4, ' ').collect::<Vec<_>>().as_slice() {
        ["#", word, name, rest] if is_counter(name) => format!("# {word} {name}_total {rest}\n"),
        _ => format!("{line}\n"),
    });
    renamed.collect()
}

fn labels<const N: usize>(pairs: [(&str, &String); N]) -> Labels {
    pairs.map(|(name, value)| (name.to_owned(), value.clone())).into()
}

fn gauges(registry: &mut Registry, name: &str, help: &str, values: impl IntoIterator<Item = (Labels, u64)>) {
    let family = Family::<Labels, Gauge>::default();
    for (labels, value) in values {
        family.get_or_create(&labels).set(i64::try_from(value).unwrap_or(i64::MAX));
    }
    registry.register(name, help, family);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_shows_what_the_ledger_holds_and_keeps_outside_text_inside_labels() {
        let health = Health {
            open_items: vec![("failed".to_owned(), "transient\"}\n".to_owned(), 7)],
            dead_channels: vec!["oncall".to_owned()],
            ..Health::default()
        };
        let text = scrape(&health, &Liveness::default(), 4096).unwrap();
        assert!(text.contains(r#"llama_triage_open_items{kind="failed",class="transient\"}\n"} 7"#), "{text}");
        assert!(text.contains(r#"llama_triage_dead_channels{channel="oncall"} 1"#), "{text}");
        let counter = "# HELP llama_triage_cycles_total Cycles since the start.\n# TYPE llama_triage_cycles_total counter\nllama_triage_cycles_total 0\n";
        assert!(text.contains(counter), "{text}");
        assert!(!text.contains("# EOF"), "{text}");
    }

    /// The metrics of a worker that has everything to tell, by name, as `docs/operations.md` writes them.
    fn names() -> Vec<String> {
        let word = || "x".to_owned();
        let health = Health {
            open_items: vec![(word(), word(), 1)],
            last_complete_scan: vec![(word(), Some(jiff::Timestamp::UNIX_EPOCH))],
            deliveries: vec![(word(), word(), 1)],
            dead_channels: vec![word()],
            attempts: vec![(word(), 1)],
            ..Health::default()
        };
        let pulse = Liveness::default();
        pulse.end(std::time::Instant::now(), "2026-03-01T00:00:00Z".parse().unwrap(), true);
        let text = scrape(&health, &pulse, 1).unwrap();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let mut names: Vec<String> =
            samples.map(|line| line.split(['{', ' ']).next().unwrap_or_default().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_documented_metrics_are_those_of_a_scrape() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md")).unwrap();
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `llama_triage_"));
        let mut documented: Vec<String> =
            rows.map(|row| format!("llama_triage_{}", row.split('`').next().unwrap_or_default())).collect();
        documented.sort();
        assert_eq!(names(), documented);
    }
}
