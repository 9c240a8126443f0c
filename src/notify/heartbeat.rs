//! The dead-man's switch: a URL fetched after each cycle, so that the monitor alerts when pings stop.
//!
//! A complete cycle fetches the address itself, an incomplete one the address with `/fail` behind it,
//! as Healthchecks and its relatives expect.

use std::time::Duration;

use anyhow::{Context, anyhow};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::ledger::error::LedgerError;
use crate::ledger::{Ledger, fault};
use crate::model::host::is_loopback;
use crate::notify::channels::http::read as read_answer;
use crate::notify::http_answer::{BodyFormat, ResponseVerdict};

/// How long one ping may take; a slow monitor must not hold up the next cycle.
const LIMIT: Duration = Duration::from_secs(10);

/// The key of the worker fault for a monitor that rejects heartbeats.
const FAULT: &str = "heartbeat";

/// Why a heartbeat did not arrive. The text does not hold the address.
#[derive(Debug, thiserror::Error)]
pub enum HeartbeatError {
    /// The monitor cannot be reached, or has no time: it alerts people itself if that lasts.
    #[error("the heartbeat did not arrive: {0}")]
    Missed(String),
    /// The monitor answers that it knows no such check: if the service stopped, no one would be alerted.
    #[error("the monitor refuses the heartbeat: {0}; create the check there, or correct service.heartbeat-url")]
    Refused(String),
}

/// Pings the monitor, if there is one, and keeps the worker's fault of a monitor that refuses. Returns what is to be said.
///
/// A monitor that cannot be reached is none of a cycle's failures.
pub(crate) async fn ping(
    heartbeat: Option<&Heartbeat>,
    ledger: &Ledger,
    complete: bool,
    outcome: &str,
    now: Timestamp,
) -> Result<Option<HeartbeatError>, LedgerError> {
    let failed = match heartbeat {
        None => None,
        Some(heartbeat) => heartbeat.ping(complete, outcome).await.err(),
    };
    // Whether it would be refused is not known.
    if let Some(HeartbeatError::Missed(_)) = failed {
        return Ok(failed);
    }
    let refusal =
        failed.as_ref().map(|error| format!("No monitoring: a stopped llama-triage goes unnoticed: {error}."));
    let write = ledger.write(move |tx| match refusal {
        None => fault::clear(tx, FAULT, now),
        Some(text) => fault::raise(tx, FAULT, &text, now),
    });
    write.await.map(|()| failed)
}

/// An address to ping. `Debug` does not show it: it is often a secret.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    client: reqwest::Client,
    url: SecretString,
}

impl Heartbeat {
    /// Prepares pings to `url`.
    ///
    /// # Errors
    /// The address is none, or the HTTP client cannot be made.
    pub fn new(url: SecretString) -> anyhow::Result<Heartbeat> {
        let address = reqwest::Url::parse(url.expose_secret())
            .map_err(|error| anyhow!("the heartbeat URL is invalid: {error}"))?;
        let builder = reqwest::Client::builder();
        let is_local = address.host_str().is_some_and(is_loopback);
        let builder = if is_local { builder.no_proxy() } else { builder };
        let client = builder
            .timeout(LIMIT)
            .user_agent(concat!("llama-triage/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("cannot create the heartbeat client")?;
        Ok(Heartbeat { client, url })
    }

    /// Tells the monitor how a cycle ended; `outcome` is one line for people.
    ///
    /// # Errors
    /// The monitor cannot be reached, or refuses: some do with status 200, as Healthchecks does with `OK (not found)`.
    pub async fn ping(&self, complete: bool, outcome: &str) -> Result<(), HeartbeatError> {
        let missed = |error: reqwest::Error| HeartbeatError::Missed(error.without_url().to_string());
        let url = address(self.url.expose_secret(), complete)
            .map_err(|error| HeartbeatError::Refused(format!("{error:#}")))?;
        let response = self.client.post(url).body(outcome.to_owned()).send().await.map_err(missed)?;
        let answer = read_answer(response).await;
        match answer.verdict(BodyFormat::Read) {
            // Its status is that of success, and what broke off was not the beginning of a complaint.
            ResponseVerdict::Delivered | ResponseVerdict::Unclear => Ok(()),
            ResponseVerdict::Later | ResponseVerdict::WebPage => Err(HeartbeatError::Missed(answer.peer_text())),
            ResponseVerdict::TooLarge | ResponseVerdict::Refused(_) => Err(HeartbeatError::Refused(answer.peer_text())),
        }
    }
}

/// `/fail` goes behind the path, not behind a query: there a monitor would take it for a value, and for a success.
fn address(base: &str, complete: bool) -> anyhow::Result<reqwest::Url> {
    let mut url = reqwest::Url::parse(base).context("the heartbeat URL is invalid")?;
    if !complete {
        url.path_segments_mut().map_err(|()| anyhow!("the heartbeat URL has no path"))?.pop_if_empty().push("fail");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_reported_at_a_separate_address() {
        let fail = |base| address(base, false).unwrap().to_string();
        assert_eq!(fail("https://hc.example.com/ping/1f"), "https://hc.example.com/ping/1f/fail");
        assert_eq!(fail("https://hc.example.com/ping/1f/"), "https://hc.example.com/ping/1f/fail");
        assert_eq!(
            fail("https://up.example.com/push/1f?status=up&ping="),
            "https://up.example.com/push/1f/fail?status=up&ping="
        );
        assert_eq!(address("https://a.example/x?y=1", true).unwrap().as_str(), "https://a.example/x?y=1");
    }
}
