//! Why no answer came, in words that say what to check.

use std::error::Error;
use std::io;

use crate::llamacloud::error::CloudError;
use crate::secrets::mask;

/// Explains a transport error. The URL is left out: its query may hold secrets.
pub(crate) fn explain(error: &reqwest::Error, host: &str) -> CloudError {
    CloudError::Unreachable {
        host: host.to_owned(),
        reason: reason(error),
        sent_nothing: error.is_connect() || error.is_builder(),
    }
}

/// The innermost cause, masked.
pub(crate) fn root(error: &reqwest::Error) -> String {
    let causes = causes(error);
    mask(causes.last().map_or("unknown cause", String::as_str)).into_owned()
}

fn reason(error: &reqwest::Error) -> String {
    let causes = causes(error);
    let root = root(error);
    let all = causes.join(": ").to_ascii_lowercase();
    if all.contains("no ca certificates") {
        return "no CA certificates were found: install the package ca-certificates".to_owned();
    }
    if all.contains("dns error") {
        return format!("its name cannot be resolved ({root}): check base-url and the name server");
    }
    if io_kind(error) == Some(io::ErrorKind::ConnectionRefused) {
        return "connection refused: check host and port of base-url, the proxy and the firewall".to_owned();
    }
    // The last is what a server that speaks plain HTTP gets to hear.
    let of_tls = ["certificate", "tls", "handshake", "corrupt message"];
    if of_tls.iter().any(|word| all.contains(word)) {
        return format!(
            "no secure connection ({root}): check that base-url is right, the clock, and the package ca-certificates"
        );
    }
    if error.is_timeout() && error.is_connect() {
        return "no connection within 5 s: check the network, the proxy and the firewall".to_owned();
    }
    if error.is_timeout() {
        return "no answer within request-timeout: if this persists, raise it, or lower page-size".to_owned();
    }
    format!("{root}: check the network and the proxy")
}

fn causes(error: &reqwest::Error) -> Vec<String> {
    let mut texts = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        texts.push(cause.to_string());
        next = cause.source();
    }
    texts
}

fn io_kind(error: &reqwest::Error) -> Option<io::ErrorKind> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        next = cause.source();
    }
    None
}
