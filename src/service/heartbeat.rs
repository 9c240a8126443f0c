//! The dead-man's switch: an address fetched after each cycle, so that somebody notices when none comes any more.
//!
//! A complete cycle fetches the address itself, an incomplete one the address with `/fail` behind it,
//! as Healthchecks and its relatives expect.

use std::time::Duration;

use anyhow::{Context, anyhow};
use secrecy::{ExposeSecret, SecretString};

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
        reqwest::Url::parse(url.expose_secret())
            .map_err(|error| anyhow!("the heartbeat URL is no address: {error}"))?;
        let client = reqwest::Client::builder()
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
        let base = self.url.expose_secret().trim_end_matches('/');
        let url = if complete { base.to_owned() } else { format!("{base}/fail") };
        let answer = self.client.post(url).body(outcome.to_owned()).send().await;
        answer
            .and_then(reqwest::Response::error_for_status)
            .map(|_| ())
            .map_err(|error| anyhow!("the heartbeat did not arrive: {}", error.without_url()))
    }
}
