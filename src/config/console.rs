//! `[console]`: pages and actions in a browser.

use std::path::PathBuf;

use serde::Deserialize;

/// `[console]`: pages and actions in a browser, on `service.listen`.
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ConsoleConfig {
    /// Whether `serve` answers the console.
    pub enabled: bool,
    /// What people may do in it.
    pub actions: Actions,
    /// A file that holds the token of the log-in page; the credential `console-token` does the same.
    pub token_file: Option<PathBuf>,
    /// The header in which a single sign-on names the person, such as "X-Forwarded-User".
    pub trusted_header: Option<String>,
    /// Addresses of the proxies whose header is believed, and "unix" for a unix socket.
    pub trusted_proxies: Vec<String>,
    /// Names by which browsers may ask for it, beside those of this host and of `service.public-url`.
    pub hosts: Vec<String>,
}

/// What people may do in the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Actions {
    /// Look.
    None,
    /// Everything but retries.
    #[default]
    Triage,
    /// Everything.
    Retry,
}

/// The word for a peer that is connected to a unix socket.
pub(crate) const UNIX: &str = "unix";
