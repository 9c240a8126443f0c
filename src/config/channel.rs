//! `[[channel]]`: where digests go.
//!
//! One struct for all kinds, so that a key in the wrong kind is named rather than guessed at;
//! `load` turns it into checked settings of its kind.

use std::collections::BTreeMap;
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
    /// The least severity of its news: "info" is all, "warning" leaves out growth, reminders and ends, "critical" is pages. Problems of llama-triage itself, and ends of what paged, always come.
    pub min_severity: Option<MinSeverity>,
    /// Whether news is sent as it comes, or once a day with the digest of `schedule.digest`.
    pub send: Option<SendMode>,
    /// Local times between which it is sent to, such as "08:00-18:00"; news, pages too, waits for them.
    pub hours: Option<String>,
    /// Days of the week on which it is sent to; hours across midnight belong to the day on which they begin.
    #[serde(default)]
    pub days: Vec<Weekday>,
    /// The zone of its hours, days, and times in its messages (IANA); `schedule.timezone` by default.
    pub timezone: Option<String>,
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
    /// email: how `smtp-username` logs in.
    pub smtp_auth: Option<SmtpAuth>,
    /// email: where access tokens come from, for `smtp-auth = "oauth2"`.
    pub oauth2: Option<OauthConfig>,
    /// email: put the digests of a day into one thread; on by default.
    pub thread: Option<bool>,
    /// slack, teams, webhook, pagerduty: the address. For slack and teams it is itself a secret: prefer `url-file`.
    pub url: Option<String>,
    /// slack, teams, webhook: a file with the address; else the systemd credential `channel-url-NAME`.
    pub url_file: Option<PathBuf>,
    /// webhook: a file with the signing secret (`whsec_…` or raw); else the systemd credential `webhook-secret-NAME`.
    pub secret_file: Option<PathBuf>,
    /// webhook: the HTTP method.
    pub method: Option<Method>,
    /// webhook: more headers; `{bearer}` in a value stands for the secret of `bearer-file`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// webhook: a file with a token, sent as `Authorization: Bearer …` unless `headers` names it; else the systemd credential `webhook-bearer-NAME`.
    pub bearer_file: Option<PathBuf>,
    /// webhook: a shipped body for a service.
    pub recipe: Option<Recipe>,
    /// webhook: a file with a body template (minijinja over the documented JSON), instead of a recipe.
    pub body_template: Option<PathBuf>,
    /// webhook: what the template sees as `values`, such as a chat or a topic.
    #[serde(default)]
    pub template_values: BTreeMap<String, String>,
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

/// The least severity of a channel's news.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum MinSeverity {
    /// Everything.
    #[default]
    Info,
    /// What is new, worse or failing.
    Warning,
    /// Pages.
    Critical,
}

/// When a channel's news is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SendMode {
    /// As it comes.
    #[default]
    Immediate,
    /// With the daily digest.
    Daily,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// How a webhook is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// The usual one.
    #[default]
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
}

/// A service with a shipped body template, in `config/webhooks/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, strum::IntoStaticStr, strum::VariantArray)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Recipe {
    /// A Discord webhook.
    Discord,
    /// A Google Chat webhook.
    GoogleChat,
    /// An incident tool with an HTTP alert source, such as incident.io.
    Incident,
    /// Alerts of Jira Service Management (Opsgenie).
    JiraServiceManagement,
    /// A Mattermost incoming webhook.
    Mattermost,
    /// A topic of ntfy.
    Ntfy,
    /// A chat of a Telegram bot.
    Telegram,
}

impl Recipe {
    /// The `template-values` that it cannot do without.
    pub fn needed_values(self) -> &'static [&'static str] {
        match self {
            Recipe::Ntfy => &["topic"],
            Recipe::Telegram => &["chat_id"],
            _ => &[],
        }
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

/// How a mail user logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SmtpAuth {
    /// With a password (`PLAIN` or `LOGIN`).
    #[default]
    Password,
    /// With an OAuth 2 access token (`XOAUTH2`).
    Oauth2,
}

/// Where the access tokens of a mail channel come from.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct OauthConfig {
    /// What a token is requested with.
    pub grant: OauthGrant,
    /// The token endpoint; needed, but for "service-account", whose key file names it.
    pub token_url: Option<String>,
    /// The application (client) id; needed, but for "service-account", whose key file names it.
    pub client_id: Option<String>,
    /// The scope; needed for "client-credentials"; `https://mail.google.com/` for "service-account" by default.
    pub scope: Option<String>,
    /// A file with the client secret; else the systemd credential `smtp-oauth2-secret-NAME`.
    pub secret_file: Option<PathBuf>,
    /// "refresh-token": a file with it; else the systemd credential `smtp-oauth2-refresh-token-NAME`.
    pub refresh_token_file: Option<PathBuf>,
    /// "service-account": its key file (JSON) from Google; else the systemd credential `smtp-oauth2-key-NAME`.
    pub key_file: Option<PathBuf>,
}

/// What an access token is requested with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, strum::IntoStaticStr)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum OauthGrant {
    /// The application's id and secret (Microsoft 365).
    #[default]
    ClientCredentials,
    /// A refresh token that a user granted (Google, and others).
    RefreshToken,
    /// A signed assertion of a Google service account with domain-wide delegation.
    ServiceAccount,
}

/// Which news a channel gets. An empty list means all.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct OnlyConfig {
    /// Group states.
    pub states: Vec<String>,
    /// "failed", "skipped", "cancelled", "overdue", "missing".
    pub kinds: Vec<String>,
    /// Project names.
    pub projects: Vec<String>,
    /// Group ids.
    pub groups: Vec<String>,
    /// Classes.
    pub classes: Vec<String>,
}
