//! The dead-man's switch: an address fetched after each cycle, so that somebody notices when none comes any more.
//!
//! A complete cycle fetches the address itself, an incomplete one the address with `/fail` behind it,
//! as Healthchecks and its relatives expect.

use std::time::Duration;

use anyhow::{Context, anyhow};
use secrecy::{ExposeSecret, SecretString};

use crate::core::host::is_loopback;
use crate::secrets;

/// How long one ping may take; a slow monitor must not hold up the next cycle.
const LIMIT: Duration = Duration::from_secs(10);

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
            .map_err(|error| anyhow!("the heartbeat URL is no address: {error}"))?;
        let builder = reqwest::Client::builder();
        let is_local = address.host_str().is_some_and(is_loopback);
        let builder = if is_local { builder.no_proxy() } else { builder };
        let client = builder
            .timeout(LIMIT)
            .user_agent(concat!("llama-triage/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("cannot make the heartbeat client")?;
        Ok(Heartbeat { client, url })
    }

    /// Tells the monitor how a cycle ended; `outcome` is one line for people.
    ///
    /// # Errors
    /// The monitor cannot be reached or refuses; the text does not hold the address.
    pub async fn ping(&self, complete: bool, outcome: &str) -> anyhow::Result<()> {
        let url = address(self.url.expose_secret(), complete)?;
        let answer = self.client.post(url).body(outcome.to_owned()).send().await;
        answer.and_then(reqwest::Response::error_for_status).map(|_| ()).map_err(|error| {
            let why = error.without_url().to_string();
            anyhow!("the heartbeat did not arrive: {}", secrets::mask(&why))
        })
    }
}

/// `/fail` goes behind the path, not behind a query: there a monitor would take it for a value, and for a success.
fn address(base: &str, complete: bool) -> anyhow::Result<reqwest::Url> {
    let mut url = reqwest::Url::parse(base).context("the heartbeat URL is no address")?;
    if !complete {
        url.path_segments_mut().map_err(|()| anyhow!("the heartbeat URL has no path"))?.pop_if_empty().push("fail");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_at_an_address_of_its_own() {
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
