//! Whether a form was sent from a page of the console itself.

use crate::console::access::host::without_port;

/// Whether a POST comes from one of our own pages, by the headers that browsers set and pages cannot.
///
/// One of both has to say so, and neither may say otherwise. `Origin: null` says nothing: pages that send no referrer have it.
pub(crate) fn is_own(host: &str, origin: Option<&str>, fetch_site: Option<&str>) -> bool {
    let site = fetch_site.map(|site| site == "same-origin");
    let origin = origin.filter(|origin| *origin != "null").map(|origin| is_of(origin, host));
    match (site, origin) {
        (Some(false), _) | (_, Some(false)) => false,
        (Some(true), _) | (_, Some(true)) => true,
        (None, None) => false,
    }
}

/// Whether an origin is `http(s)://` and the host, with the same port where both name one.
fn is_of(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    authority.is_some_and(|authority| {
        let same = authority.eq_ignore_ascii_case(host);
        // A proxy may drop the port from one of both.
        let bare = without_port(authority) == authority || without_port(host) == host;
        same || bare && without_port(authority).eq_ignore_ascii_case(without_port(host))
    })
}

/// A path of the console to go on to after a log-in; none if it would lead anywhere else.
pub(crate) fn own_path(path: &str) -> Option<&str> {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (path.starts_with('/') && !path.starts_with("//") && is_plain).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_of_another_page_is_refused() {
        let host = "triage.example.com";
        for (origin, site, own) in [
            (Some("https://triage.example.com"), Some("same-origin"), true),
            (Some("null"), Some("same-origin"), true),
            (Some("https://triage.example.com"), None, true),
            (Some("https://triage.example.com:8443"), None, true),
            (None, Some("same-origin"), true),
            (None, None, false),
            (Some("null"), None, false),
            (Some("https://evil.example"), None, false),
            (Some("https://evil.example"), Some("same-origin"), false),
            (Some("https://triage.example.com"), Some("cross-site"), false),
            (Some("https://triage.example.com"), Some("same-site"), false),
            (Some("https://triage.example.com"), Some("none"), false),
            (Some("https://triage.example.com.evil.example"), None, false),
            (Some("ftp://triage.example.com"), None, false),
            (Some("triage.example.com"), None, false),
        ] {
            assert_eq!(is_own(host, origin, site), own, "{origin:?} {site:?}");
        }
        assert!(!is_own("127.0.0.1:9180", Some("http://127.0.0.1:9999"), None), "another service of this host");
    }

    #[test]
    fn a_log_in_leads_nowhere_else() {
        assert_eq!(own_path("/g/g-1?page=2"), Some("/g/g-1?page=2"));
        for path in ["", "g/1", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nb", "javascript:x"]
        {
            assert_eq!(own_path(path), None, "{path}");
        }
    }
}
