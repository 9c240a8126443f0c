//! The vendor's status page: one request for its open incidents, without a key, that is worth no waiting.
//!
//! It speaks the JSON of Statuspage. It is part of this room because it is the vendor's JSON; the projects' clients are not used,
//! which send keys and wait for retries.

pub(crate) mod store_status;

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Url, redirect};
use serde::Deserialize;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::{answer, unreachable};
use crate::llamacloud::paging::page::parse;
use crate::llamacloud::wire::{WireText, time};
use crate::model::host::is_loopback;
use crate::model::vendor::VendorIncident;

/// A page that takes longer does not answer.
const LIMIT: Duration = Duration::from_secs(5);

/// The open incidents of a Statuspage.
const PATH: &str = "/api/v2/incidents/unresolved.json";

/// Incidents that are kept, at most.
const MOST: usize = 20;

/// A status page.
#[derive(Clone, Debug)]
pub struct StatusPage {
    client: reqwest::Client,
    url: String,
}

#[derive(Deserialize)]
struct WireIncidents<'a> {
    #[serde(borrow)]
    incidents: Vec<WireIncident<'a>>,
}

#[derive(Deserialize)]
struct WireIncident<'a> {
    #[serde(borrow)]
    name: Option<WireText<'a>>,
    #[serde(borrow)]
    status: Option<WireText<'a>>,
    #[serde(borrow)]
    started_at: Option<WireText<'a>>,
    #[serde(borrow)]
    created_at: Option<WireText<'a>>,
    #[serde(borrow)]
    updated_at: Option<WireText<'a>>,
}

impl StatusPage {
    /// Prepares requests to the page at this address, such as `https://status.example.com`.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(url: &str) -> Result<StatusPage, CloudError> {
        let url = url.trim_end_matches('/').to_owned();
        let is_local = Url::parse(&url).ok().and_then(|url| url.host_str().map(is_loopback)).unwrap_or(false);
        let builder = reqwest::Client::builder()
            .timeout(LIMIT)
            .redirect(redirect::Policy::limited(3))
            .user_agent(concat!("llama-triage/", env!("CARGO_PKG_VERSION")));
        let builder = if is_local { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| unreachable::explain(&error, &url))?;
        Ok(StatusPage { client, url })
    }

    /// Its address, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The incidents that it lists as open, at most 20.
    ///
    /// # Errors
    /// It cannot be reached, takes too long, or does not speak Statuspage's JSON.
    pub async fn open_incidents(&self) -> Result<Vec<VendorIncident>, CloudError> {
        let sent = self.client.get(format!("{}{PATH}", self.url)).send().await;
        let response = sent.map_err(|error| unreachable::explain(&error, &self.url))?;
        let text = answer::read(response, &self.url).await?;
        let wire: WireIncidents<'_> = parse(&text, PATH)?;
        Ok(wire.incidents.into_iter().take(MOST).filter_map(WireIncident::into_incident).collect())
    }
}

impl WireIncident<'_> {
    /// None if it says neither what it is nor since when.
    fn into_incident(self) -> Option<VendorIncident> {
        let read = |text: Option<WireText<'_>>| -> Option<Timestamp> { time(text) };
        let created_at = read(self.created_at);
        let since = read(self.started_at).or(created_at)?;
        Some(VendorIncident {
            title: self.name.and_then(WireText::into_message)?,
            status: self.status.map_or_else(String::new, WireText::into_masked),
            since,
            updated_at: read(self.updated_at).unwrap_or(since),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_is_read_with_what_it_says_and_left_out_if_it_says_too_little() {
        let text = r#"{"page": {"id": "x"}, "incidents": [
            {"name": "Degraded parsing", "status": "identified", "created_at": "2026-03-02T14:25:00.000Z",
             "started_at": "2026-03-02T14:20:00.000Z", "updated_at": "2026-03-02T15:00:00.000Z", "impact": "minor"},
            {"name": "Old page", "status": "investigating", "created_at": "2026-03-02T10:00:00Z", "started_at": null},
            {"name": null, "created_at": "2026-03-02T10:00:00Z"}, {"name": "When?"}]}"#;
        let wire: WireIncidents<'_> = parse(text, PATH).unwrap();
        let read: Vec<_> = wire.incidents.into_iter().filter_map(WireIncident::into_incident).collect();
        let said: Vec<_> =
            read.iter().map(|one| format!("{} {} {} {}", one.title, one.status, one.since, one.updated_at)).collect();
        assert_eq!(
            said,
            [
                "Degraded parsing identified 2026-03-02T14:20:00Z 2026-03-02T15:00:00Z",
                "Old page investigating 2026-03-02T10:00:00Z 2026-03-02T10:00:00Z"
            ]
        );
        assert!(parse::<WireIncidents<'_>>(r#"{"status": "ok"}"#, PATH).is_err(), "another kind of page");
    }
}
