//! `/metrics`: the list of metrics, filled at each scrape from the ledger, the pulse, and the counts of the process.
//!
//! Names and help texts are documented in `docs/operations.md`; a test holds them.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::measures::Measures;
use crate::service::http::process;
use crate::service::liveness::Liveness;
use crate::service::store_health::Health;

type Labels = Vec<(String, String)>;

/// The text of one scrape, in the text format that every scraper reads (version 0.0.4).
///
/// # Errors
/// The text cannot be formatted.
pub(crate) fn scrape(
    health: &Health,
    pulse: &Liveness,
    measures: &Measures,
    ledger_bytes: u64,
) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::default();
    process::register(&mut registry);
    let own = registry.sub_registry_with_prefix("llama_triage");
    from_ledger(own, health, ledger_bytes);
    from_pulse(own, pulse);
    measures.register(own);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(classic(&text))
}

fn from_ledger(registry: &mut Registry, health: &Health, ledger_bytes: u64) {
    let version = vec![("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    gauges(registry, "build_info", "The running version", [(version, 1)]);
    let open = health.open_items.iter().map(|(kind, class, n)| (labels([("kind", kind), ("class", class)]), *n));
    gauges(registry, "open_items", "Items open now, by kind and class", open);
    gauges(registry, "open_groups", "Groups with open items", [(vec![], health.open_groups)]);
    gauges(registry, "open_incidents", "Incidents that are open", [(vec![], health.open_incidents)]);
    gauges(registry, "incident_items", "Items that failed in open incidents", [(vec![], health.incident_items)]);
    let scans = health
        .last_complete_scan
        .iter()
        .filter_map(|(project, at)| Some((labels([("project", project)]), at.as_ref()?.as_second().unsigned_abs())));
    gauges(registry, "last_complete_scan_timestamp_seconds", "When the last complete scan ended", scans);
    let deliveries =
        health.deliveries.iter().map(|(channel, state, n)| (labels([("channel", channel), ("state", state)]), *n));
    gauges(registry, "deliveries", "Deliveries in the ledger, by channel and state", deliveries);
    let dead = health.dead_channels.iter().map(|channel| (labels([("channel", channel)]), 1));
    gauges(registry, "dead_channels", "Channels whose newest delivery is dead", dead);
    gauges(registry, "worker_faults", "Active faults of llama-triage itself", [(vec![], health.faults)]);
    gauges(
        registry,
        "unreadable_rows",
        "Rows of the newest scans that could not be read",
        [(vec![], health.unreadable)],
    );
    let attempts = health.attempts.iter().map(|(outcome, n)| (labels([("outcome", outcome)]), *n));
    gauges(registry, "attempts", "Reprocessing attempts in the ledger, by outcome", attempts);
    gauges(registry, "ledger_bytes", "Size of the ledger file with its write-ahead log", [(vec![], ledger_bytes)]);
}

fn from_pulse(registry: &mut Registry, pulse: &Liveness) {
    if let Some(at) = pulse.last_cycle() {
        gauges(
            registry,
            "last_cycle_timestamp_seconds",
            "When the last cycle ended",
            [(vec![], at.as_second().unsigned_abs())],
        );
    }
    let (done, failed) = pulse.cycles();
    registry.register("cycles", "Cycles since the start", ConstCounter::new(done + failed));
    registry.register("cycles_failed", "Incomplete cycles since the start", ConstCounter::new(failed));
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
    use std::time::Duration;

    use super::*;
    use crate::measures::RateLimitOf;

    /// One of everything.
    fn measured() -> Measures {
        let measures = Measures::default();
        measures.count_request("prod", Some(429));
        measures.count_request("prod", None);
        measures.add_wait("prod", RateLimitOf::Server, Duration::from_millis(1_500));
        measures.add_wait("prod", RateLimitOf::Client, Duration::from_millis(250));
        measures.add_scan("prod", Duration::from_secs(7));
        measures.add_cycle(Duration::from_secs(9));
        measures.count_delivery("oncall", "sent");
        measures
    }

    #[test]
    fn a_scrape_shows_what_the_process_did() {
        let text = scrape(&Health::default(), &Liveness::default(), &measured(), 0).unwrap();
        for line in [
            r#"llama_triage_api_requests_total{project="prod",status="429"} 1"#,
            r#"llama_triage_api_requests_total{project="prod",status="none"} 1"#,
            r#"llama_triage_rate_limit_wait_seconds_total{project="prod",limit="server"} 1.5"#,
            r#"llama_triage_rate_limit_wait_seconds_total{project="prod",limit="client"} 0.25"#,
            r#"llama_triage_scan_duration_seconds_bucket{le="10.0",project="prod"} 1"#,
            r#"llama_triage_scan_duration_seconds_bucket{le="5.0",project="prod"} 0"#,
            "llama_triage_cycle_duration_seconds_sum 9.0",
            r#"llama_triage_delivery_attempts_total{channel="oncall",outcome="sent"} 1"#,
            "# TYPE process_cpu_seconds_total counter",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is not in:\n{text}");
        }
    }

    #[test]
    fn a_scrape_shows_what_the_ledger_holds_and_keeps_outside_text_inside_labels() {
        let health = Health {
            open_items: vec![("failed".to_owned(), "transient\"}\n".to_owned(), 7)],
            dead_channels: vec!["oncall".to_owned()],
            ..Health::default()
        };
        let text = scrape(&health, &Liveness::default(), &measured(), 4096).unwrap();
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
        let text = scrape(&health, &pulse, &measured(), 1).unwrap();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let mut names: Vec<String> = types.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_documented_metrics_are_those_of_a_scrape() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md")).unwrap();
        let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
        let words = rows.map(|row| row.split('`').next().unwrap_or_default());
        let is_metric = |word: &&str| word.starts_with("llama_triage_") || word.starts_with("process_");
        let mut documented: Vec<String> = words.filter(is_metric).map(str::to_owned).collect();
        documented.sort();
        assert_eq!(names(), documented);
    }
}
