//! What this process has done since it started: counted where it happens, shown by `/metrics`.

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The counts of this process.
pub(crate) static MEASURES: LazyLock<Measures> = LazyLock::new(Measures::default);

type Labels = Vec<(&'static str, String)>;

/// Upper bounds of durations in seconds: from a quiet account to an outage in a large one.
const SECONDS: [f64; 12] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];

/// Counts that only grow, and durations.
pub(crate) struct Measures {
    requests: Family<Labels, Counter>,
    waits: Family<Labels, Counter<f64, AtomicU64>>,
    scans: Family<Labels, Histogram>,
    cycles: Histogram,
    deliveries: Family<Labels, Counter>,
}

/// Whose limit a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RateLimitOf {
    /// The configured pace.
    Client,
    /// LlamaCloud answered 429.
    Server,
}

impl Default for Measures {
    fn default() -> Measures {
        Measures {
            requests: Family::default(),
            waits: Family::default(),
            scans: Family::new_with_constructor(durations),
            cycles: durations(),
            deliveries: Family::default(),
        }
    }
}

fn durations() -> Histogram {
    Histogram::new(SECONDS)
}

impl Measures {
    /// A request to LlamaCloud was answered with this status; none if no answer came.
    pub(crate) fn count_request(&self, project: &str, status: Option<u16>) {
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        self.requests.get_or_create(&vec![("project", project.to_owned()), ("status", status)]).inc();
    }

    /// A request waits, or has waited, for so long.
    pub(crate) fn add_wait(&self, project: &str, limit: RateLimitOf, waited: Duration) {
        let limit = match limit {
            RateLimitOf::Client => "client",
            RateLimitOf::Server => "server",
        };
        let labels = vec![("project", project.to_owned()), ("limit", limit.to_owned())];
        self.waits.get_or_create(&labels).inc_by(waited.as_secs_f64());
    }

    /// A scan of a project ended, complete or not.
    pub(crate) fn add_scan(&self, project: &str, took: Duration) {
        self.scans.get_or_create(&vec![("project", project.to_owned())]).observe(took.as_secs_f64());
    }

    /// A cycle ended, well or not.
    pub(crate) fn add_cycle(&self, took: Duration) {
        self.cycles.observe(took.as_secs_f64());
    }

    /// A digest was tried on a channel, with this outcome.
    pub(crate) fn count_delivery(&self, channel: &str, outcome: &'static str) {
        self.deliveries.get_or_create(&vec![("channel", channel.to_owned()), ("outcome", outcome.to_owned())]).inc();
    }

    /// Shows all of it in a registry.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "api_requests",
            "Requests to LlamaCloud, retries included, by the status of the answer",
            self.requests.clone(),
        );
        registry.register(
            "rate_limit_wait_seconds",
            "Seconds that requests to LlamaCloud waited for a rate limit",
            self.waits.clone(),
        );
        registry.register("scan_duration_seconds", "How long scans of a project took", self.scans.clone());
        registry.register("cycle_duration_seconds", "How long cycles took", self.cycles.clone());
        registry.register("delivery_attempts", "Tries to deliver a digest, by outcome", self.deliveries.clone());
    }
}
