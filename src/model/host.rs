//! Names and addresses of hosts, as configurations and URLs spell them.

use ::core::net::IpAddr;

/// The host without the brackets of an IPv6 address.
pub(crate) fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// Host and port, an IPv6 address in brackets.
pub(crate) fn with_port(host: &str, port: u16) -> String {
    match bare(host) {
        bare if bare.contains(':') => format!("[{bare}]:{port}"),
        bare => format!("{bare}:{port}"),
    }
}

/// Whether a name or address is this machine by its spelling, with or without brackets; names are not looked up.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = bare(host);
    let name = bare.strip_suffix('.').unwrap_or(bare);
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_every_spelling() {
        for local in ["localhost", "LocalHost.", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "[::ffff:127.0.0.1]"] {
            assert!(is_loopback(local), "{local}");
        }
        for remote in ["", "example.com", "localhost.example.com", "10.0.0.1", "[::2]", "::", "[", "[]"] {
            assert!(!is_loopback(remote), "{remote}");
        }
    }

    #[test]
    fn a_port_is_distinguished_from_an_address() {
        assert_eq!(with_port("[::1]", 25), "[::1]:25");
        assert_eq!(with_port("::1", 25), "[::1]:25");
        assert_eq!(with_port("mail.example.com", 25), "mail.example.com:25");
    }
}
