//! `[[channel]]`: where digests go.
//!
//! One struct for all kinds, so that a key in the wrong kind is named rather than guessed at;
//! `load` turns it into checked settings of its kind.

use std::path::PathBuf;

use serde::Deserialize;

/// One channel as written. Which keys a kind needs and allows is checked when the file is loaded.
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ChannelConfig {
    /// The name used by `notify test` and in reports.
    #[serde(default)]
    pub name: String,
    /// The kind of channel.
    pub kind: ChannelKind,
    /// Which news it gets; all by default.
    #[serde(default)]
    pub only: OnlyConfig,
    /// email: the sender.
    pub from: Option<String>,
    /// email: the recipients.
    #[serde(default)]
    pub to: Vec<String>,
    /// email: the server.
    pub smtp_host: Option<String>,
    /// email: its port; 587 for "required", 465 for "implicit", 25 for "none".
    pub smtp_port: Option<u16>,
    /// email: how the connection is protected.
    pub smtp_tls: Option<SmtpTls>,
    /// email: allow "none" to a server that is not on loopback.
    #[serde(default)]
    pub smtp_allow_plaintext: bool,
    /// email: the user to log in as; none does not log in.
    pub smtp_username: Option<String>,
    /// email: the name that the server is greeted with (`EHLO`), such as `triage.example.com` or `[192.0.2.7]`; by default this machine's full name, else the domain of `from`.
    pub smtp_hello: Option<String>,
    /// email: a file with the password; else the systemd credential `smtp-password-NAME`.
    pub smtp_password_file: Option<PathBuf>,
    /// email: put the digests of a day into one thread; on by default.
    pub thread: Option<bool>,
    /// slack, teams, webhook, pagerduty: the address. For slack and teams it is itself a secret: prefer `url-file`.
    pub url: Option<String>,
    /// slack, teams, webhook: a file with the address; else the systemd credential `channel-url-NAME`.
    pub url_file: Option<PathBuf>,
    /// webhook: a file with the signing secret (`whsec_…` or raw); else the systemd credential `webhook-secret-NAME`.
    pub secret_file: Option<PathBuf>,
    /// pagerduty: a file with the routing key; else the systemd credential `routing-key-NAME`.
    pub routing_key_file: Option<PathBuf>,
    /// file: the folder that digests are written to.
    pub dir: Option<PathBuf>,
}

/// What a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, strum::IntoStaticStr)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum ChannelKind {
    /// Mail by SMTP.
    Email,
    /// A Slack incoming webhook.
    Slack,
    /// A Microsoft Teams workflow.
    Teams,
    /// PagerDuty Events v2.
    Pagerduty,
    /// JSON with a Standard Webhooks signature.
    Webhook,
    /// `.eml`, `.html` and `.json` files in a folder.
    #[default]
    File,
}

impl ChannelKind {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How an SMTP connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SmtpTls {
    /// STARTTLS, refused if the server does not offer it.
    #[default]
    Required,
    /// TLS from the first byte.
    Implicit,
    /// Plain text; for a server on loopback.
    None,
}

/// Which news a channel gets. An empty list means all.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct OnlyConfig {
    /// Group states.
    pub states: Vec<String>,
    /// "failed", "skipped", "cancelled", "overdue", "missing", "duplicate".
    pub kinds: Vec<String>,
    /// Project names.
    pub projects: Vec<String>,
    /// Group ids.
    pub groups: Vec<String>,
    /// Classes.
    pub classes: Vec<String>,
}
