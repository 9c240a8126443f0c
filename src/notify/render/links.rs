//! Which addresses from outside become links: absolute http and https ones without anything that could break out of them.

use crate::model::links::console_page;

/// The longest address that becomes a link; a longer one is dropped, because a cut link leads nowhere.
const LONGEST: usize = 600;

/// The address if it is safe to be clicked; none otherwise.
pub(crate) fn safe_link(address: &str) -> Option<&str> {
    let address = address.trim();
    let scheme_ends = address.find("://")?;
    let scheme = &address[..scheme_ends];
    let rest = &address[scheme_ends + 3..];
    let is_web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let is_plain = address.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"'`|\\{}^".contains(&b));
    let has_host = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    (is_web && is_plain && has_host && address.len() <= LONGEST).then_some(address)
}

/// Whether an address is one of LlamaCloud's API: a browser that opens it sends no key and is refused.
pub(crate) fn needs_key(address: &str) -> bool {
    let path = address.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    path.is_some_and(|(_, path)| path.starts_with("api/"))
}

/// The first page of the console, if people reach one and its address is safe to be clicked.
pub(crate) fn first_page(public_url: Option<&str>) -> Option<String> {
    safe_link(&format!("{}/", public_url?)).map(str::to_owned)
}

/// A page of the console, if people reach one and its address is safe to be clicked.
pub(crate) fn page(public_url: Option<&str>, kind: &str, id: &str) -> Option<String> {
    let address = console_page(public_url?, kind, id);
    safe_link(&address).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_api_need_its_key() {
        for api in ["https://api.cloud.llamaindex.ai/api/v2/parse/pjb-1", "http://127.0.0.1:8080/api/v1/parsing/job/j"]
        {
            assert!(needs_key(api), "{api}");
        }
        for page in ["https://cloud.llamaindex.ai/project/p/parse", "https://wiki.example/apis/", "https://api.example"]
        {
            assert!(!needs_key(page), "{page}");
        }
    }

    #[test]
    fn only_plain_web_addresses_become_links() {
        for good in ["https://a.example/x?y=1&z=%20", "http://127.0.0.1:8080/", "HTTPS://A/"] {
            assert_eq!(safe_link(good), Some(good));
        }
        for bad in [
            "javascript:alert(1)//https://x",
            "javascript://x/%0aalert(1)",
            "data:text/html,x",
            "https://",
            "https:///x",
            "https://a/\" onclick=\"x",
            "https://a/<b>",
            "https://a/ b",
            "https://a/\u{202e}",
            "//a/b",
            "see the wiki",
        ] {
            assert_eq!(safe_link(bad), None, "{bad}");
        }
        assert_eq!(safe_link(&format!("https://a/{}", "x".repeat(600))), None);
    }
}
