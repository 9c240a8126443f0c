//! What the process takes of its host, under the names that every Prometheus client gives them. Linux only.

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// What the kernel says of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
struct ProcessStat {
    /// Processor time, of user and system.
    cpu_ticks: u64,
    /// Since the host started.
    started_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

/// Adds them to a registry; nothing on a host that does not have them.
pub(crate) fn register(registry: &mut Registry) {
    let Some(stat) = std::fs::read_to_string("/proc/self/stat").ok().and_then(|text| parse_stat(&text)) else { return };
    let ticks = clock_ticks_per_second() as f64;
    let cpu = ConstCounter::new(stat.cpu_ticks as f64 / ticks);
    registry.register("process_cpu_seconds", "Processor time, of user and system", cpu);
    let resident = stat.resident_pages * page_size() as u64;
    let mut gauge = |name: &str, help: &str, value: f64| registry.register(name, help, ConstGauge::new(value));
    gauge("process_resident_memory_bytes", "Resident memory", resident as f64);
    gauge("process_virtual_memory_bytes", "Virtual memory", stat.virtual_bytes as f64);
    let host = std::fs::read_to_string("/proc/stat").ok();
    if let Some(booted) = host.as_deref().and_then(boot_time) {
        let started = booted as f64 + stat.started_ticks as f64 / ticks;
        gauge("process_start_time_seconds", "When the process started, since 1970", started);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        gauge("process_open_fds", "Open files and connections", open.count() as f64);
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        gauge("process_max_fds", "Open files and connections, at most", most as f64);
    }
}

/// The line of `/proc/PID/stat`. The name in it may hold spaces and brackets.
fn parse_stat(text: &str) -> Option<ProcessStat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    // As proc(5) numbers them: the state, which comes first here, is the third.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(ProcessStat {
        cpu_ticks: field(14)? + field(15)?,
        started_ticks: field(22)?,
        virtual_bytes: field(23)?,
        resident_pages: field(24)?,
    })
}

/// When the host started, in seconds since 1970, as `/proc/stat` says.
fn boot_time(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_process_are_found_behind_any_name() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194304 10 0 0 0 250 50 0 0 20 0 5 0 1234 104857600 2560 184467";
        let wanted =
            ProcessStat { cpu_ticks: 300, started_ticks: 1234, virtual_bytes: 104_857_600, resident_pages: 2560 };
        assert_eq!(parse_stat(stat), Some(wanted));
        assert_eq!((parse_stat("42 (short) S 1"), parse_stat("")), (None, None));
        assert_eq!(boot_time("cpu 1 2\nbtime 1795000000\nprocesses 7\n"), Some(1_795_000_000));
        assert_eq!(boot_time("cpu 1 2\n"), None);
    }
}
