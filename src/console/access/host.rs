//! The host names that the console accepts; others may be DNS rebinding.

use std::net::IpAddr;

/// The names by which browsers may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hosts {
    names: Vec<String>,
}

impl Hosts {
    /// Loopback names, and these; ports do not count.
    pub(crate) fn new(names: impl IntoIterator<Item = String>) -> Hosts {
        Hosts { names: names.into_iter().map(|name| without_port(&name).to_ascii_lowercase()).collect() }
    }

    /// Whether `Host` is one of them.
    pub(crate) fn allow(&self, host: &str) -> bool {
        let name = without_port(host).to_ascii_lowercase();
        is_loopback(&name) || self.names.contains(&name)
    }
}

/// Whether the name of a host, without a port, is one of this host's own.
pub(crate) fn is_loopback(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// `[::1]:80` and `name:80` without the port.
pub(crate) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !is_bare_address(host) => name,
        _ => host,
    }
}

/// An address of IPv6 without brackets has colons that come before no port.
fn is_bare_address(host: &str) -> bool {
    host.matches(':').count() > 1 && !host.contains(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_listed_names_are_answered() {
        let hosts = Hosts::new(["Triage.example.com:443".to_owned(), "10.0.0.5".to_owned()]);
        for host in
            ["localhost", "LOCALHOST:9180", "127.0.0.1:1", "[::1]:80", "[::1]", "triage.EXAMPLE.com", "10.0.0.5:9180"]
        {
            assert!(hosts.allow(host), "{host}");
        }
        let strangers = [
            "",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "triage.example.com.evil.example",
            "10.0.0.6",
            "xtriage.example.com",
            "127.0.0.1:80@evil.example",
            "localhost:x",
            "[::2]",
        ];
        for host in strangers {
            assert!(!hosts.allow(host), "{host}");
        }
    }
}
