//! The name under which the mail channel greets a server.
//!
//! Strict relays refuse a short host name such as `vm`, the usual one of a container or a cloud machine, with 504.

use lettre::transport::smtp::extension::ClientId;

/// Names that no other host can look up: those reserved (RFC 2606, 6761, 6762, 8375) and those that clouds and routers give.
const PRIVATE: [&str; 12] = [
    "local",
    "localdomain",
    "localhost",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "private",
    "test",
    "invalid",
    "arpa",
];

/// The configured name; else this machine's, if it is a full one; else the sender's domain, which has records at least;
/// else an address literal.
pub(crate) fn hello(configured: Option<&str>, host: ClientId, sender_domain: &str) -> ClientId {
    if let Some(name) = configured {
        return ClientId::Domain(name.to_owned());
    }
    match host {
        ClientId::Domain(name) if is_public(&name) => ClientId::Domain(name),
        _ if is_full(sender_domain) => ClientId::Domain(sender_domain.to_owned()),
        _ => ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST),
    }
}

/// Whether servers elsewhere may know the name.
fn is_public(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    is_full(name) && !PRIVATE.contains(&last.as_str())
}

/// Labels of letters, digits and dashes, two at least, the last no number.
fn is_full(name: &str) -> bool {
    let is_label = |label: &str| {
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        !label.is_empty() && plain && !label.starts_with('-') && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.contains('.') && name.split('.').all(is_label) && last.bytes().any(|b| b.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greets(configured: Option<&str>, host: &str, domain: &str) -> String {
        hello(configured, ClientId::Domain(host.to_owned()), domain).to_string()
    }

    #[test]
    fn a_server_is_greeted_with_a_full_name() {
        assert_eq!(greets(None, "triage.example.com", "example.com"), "triage.example.com");
        for short in ["vm", "localhost", "ip-10-0-0-5.ec2.internal", "vm.local", "my_host.example.com", "10.0.0.5", ""]
        {
            assert_eq!(greets(None, short, "example.com"), "example.com", "{short}");
        }
        assert_eq!(greets(None, "vm", "localhost"), "[127.0.0.1]");
    }

    #[test]
    fn what_is_configured_is_said() {
        assert_eq!(greets(Some("mail.example.net"), "vm", "example.com"), "mail.example.net");
        assert_eq!(greets(Some("[192.0.2.7]"), "triage.example.com", "example.com"), "[192.0.2.7]");
    }
}
