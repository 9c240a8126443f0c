//! All mail and webhooks: `render` has a file for each format, `channels` one for each kind of channel.
//!
//! Every rendering is a function of the frozen digest alone, so that each try of a delivery is byte-equal.
//! When a digest is due and whom it concerns is decided in `triage`; when to try again, in `outbox`.

pub(crate) mod channels;
pub(crate) mod deliver;
pub(crate) mod delivery;
pub(crate) mod error;
pub(crate) mod heartbeat;
pub(crate) mod hours;
pub(crate) mod http_answer;
pub(crate) mod outbox;
pub(crate) mod render;
pub(crate) mod store_delivery;
#[cfg(test)]
mod tests;
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

use crate::config::channel::{ChannelConfig as Config, ChannelKind, MinSeverity};
use crate::credentials::SecretUse;
use crate::model::group_state::GroupState;
use crate::model::item::Kind;
use crate::notify::channels::{email, file, pagerduty, slack, smtp, teams, webhook};
use crate::notify::delivery::{ChannelSecrets, DeliveryFacts, Receipt};
use crate::notify::error::NotifyError;
use crate::notify::hours::ChannelHours;
use crate::triage::digest::channel_filter::{Only, Severity};
use crate::triage::digest::model::Digest;

/// A place that digests go to, ready to be used.
pub struct Channel {
    /// The configured name.
    pub name: String,
    /// Which news it gets; narrow a digest with it before it is frozen for this channel.
    pub only: Only,
    /// When it is sent to.
    pub(crate) hours: ChannelHours,
    way: Way,
}

/// How a channel sends.
enum Way {
    Email(Box<email::Email>),
    File(Box<file::Folder>),
    Slack(Box<slack::Slack>),
    Teams(Box<teams::Teams>),
    Pagerduty(Box<pagerduty::Pagerduty>),
    Webhook(Box<webhook::Webhook>),
}

/// The time for one HTTP exchange, from the first packet to the end of the answer.
const HTTP_LIMIT: Duration = Duration::from_secs(30);

impl Channel {
    /// A channel from its configuration. All settings are checked; nothing is contacted.
    pub fn new(config: &Config, secrets: ChannelSecrets) -> Result<Channel, NotifyError> {
        Channel::open(config, secrets, HTTP_LIMIT, smtp::Patience::default())
    }

    /// The same with this time for a whole HTTP exchange and for each step of a mail: for tests, whose peers are near.
    pub fn with_limit(config: &Config, secrets: ChannelSecrets, limit: Duration) -> Result<Channel, NotifyError> {
        let patience = smtp::Patience { token: limit, open: limit, command: limit, accept: limit, close: limit };
        Channel::open(config, secrets, limit, patience)
    }

    fn open(
        config: &Config,
        secrets: ChannelSecrets,
        limit: Duration,
        patience: smtp::Patience,
    ) -> Result<Channel, NotifyError> {
        let name = &config.name;
        let way = match config.kind {
            ChannelKind::Email => Way::Email(Box::new(email::Email::new(config, secrets, patience)?)),
            ChannelKind::File => Way::File(Box::new(file::Folder::new(config)?)),
            ChannelKind::Slack => {
                let address = address(config, &secrets, None)?;
                Way::Slack(Box::new(slack::Slack::new(name, &address, limit)?))
            }
            ChannelKind::Teams => {
                let address = address(config, &secrets, None)?;
                Way::Teams(Box::new(teams::Teams::new(name, &address, limit)?))
            }
            ChannelKind::Pagerduty => {
                let address = address(config, &secrets, Some(pagerduty::ADDRESS))?;
                let key = secrets
                    .routing_key
                    .ok_or_else(|| email::missing_secret(config, "routing-key-file", SecretUse::RoutingKey))?;
                Way::Pagerduty(Box::new(pagerduty::Pagerduty::new(name, &address, key, limit)?))
            }
            ChannelKind::Webhook => {
                let address = address(config, &secrets, None)?;
                let (signing, bearer) = (secrets.signing_secret.as_ref(), secrets.bearer.as_ref());
                let secrets = webhook::WebhookSecrets { address: &address, signing, bearer };
                Way::Webhook(Box::new(webhook::Webhook::new(config, secrets, limit)?))
            }
        };
        Ok(Channel { name: name.clone(), only: read_only(config)?, hours: ChannelHours::default(), way })
    }

    /// The same, sent to at these times.
    #[must_use]
    pub(crate) fn during(self, hours: ChannelHours) -> Channel {
        Channel { hours, ..self }
    }

    /// The digest with the times of its readers.
    fn in_own_zone<'d>(&self, digest: &'d Digest) -> Cow<'d, Digest> {
        match self.hours.zone() {
            None => Cow::Borrowed(digest),
            Some(zone) => Cow::Owned(Digest { zone: zone.to_owned(), ..digest.clone() }),
        }
    }

    /// Sends a digest that is already narrowed and frozen. Takes minutes if the peer does: never await it in a cycle.
    pub async fn deliver(&self, digest: &Digest, facts: &DeliveryFacts) -> Result<Receipt, NotifyError> {
        let digest = &*self.in_own_zone(digest);
        match &self.way {
            Way::Email(email) => email.deliver(digest, facts).await,
            Way::File(folder) => folder.deliver(digest, facts).await,
            Way::Slack(slack) => slack.deliver(digest, facts).await,
            Way::Teams(teams) => teams.deliver(digest, facts).await,
            Way::Pagerduty(pagerduty) => pagerduty.deliver(digest, facts).await,
            Way::Webhook(webhook) => webhook.deliver(digest, facts).await,
        }
    }

    /// The bytes that [`Self::deliver`] would send, without secrets.
    pub fn preview(&self, digest: &Digest, facts: &DeliveryFacts) -> Result<Vec<u8>, NotifyError> {
        let digest = &*self.in_own_zone(digest);
        Ok(match &self.way {
            Way::Email(email) => email.preview(digest, facts)?,
            Way::File(folder) => folder.preview(digest, facts)?,
            Way::Slack(_) => slack::render(digest, facts).0.into_bytes(),
            Way::Teams(_) => teams::render(digest, facts).0.into_bytes(),
            Way::Pagerduty(_) => pagerduty::preview(digest).into_bytes(),
            Way::Webhook(webhook) => webhook.preview(digest, facts)?.into_bytes(),
        })
    }

    /// Reaches the peer, and logs in where there is a log-in, without sending; says what worked.
    pub async fn check(&self, now: Timestamp) -> Result<String, NotifyError> {
        match &self.way {
            Way::Email(email) => {
                email.server.check(now).await?;
                Ok(format!("{}: {} OK", email.server.peer(), email.server.steps().join(", ")))
            }
            Way::File(folder) => folder.check().await,
            Way::Slack(slack) => slack.http.check().await,
            Way::Teams(teams) => teams.http.check().await,
            Way::Pagerduty(pagerduty) => pagerduty.http.check().await,
            Way::Webhook(webhook) => webhook.http.check().await,
        }
    }
}

fn address(config: &Config, secrets: &ChannelSecrets, default: Option<&str>) -> Result<SecretString, NotifyError> {
    secrets
        .url
        .clone()
        .or_else(|| config.url.as_deref().or(default).map(SecretString::from))
        .ok_or_else(|| email::missing_secret(config, "url or url-file", SecretUse::Url))
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("name", &self.name).field("only", &self.only).finish_non_exhaustive()
    }
}

fn read_only(config: &Config) -> Result<Only, NotifyError> {
    let (channel, only) = (&config.name, &config.only);
    let unknown = |key: &str, word: &str, allowed: &str| {
        NotifyError::Settings(format!("channel \"{channel}\": only.{key} has \"{word}\"; allowed are {allowed}"))
    };
    let states = only.states.iter().map(|word| {
        GroupState::try_from(word.as_str())
            .map_err(|_| unknown("states", word, "new, ongoing, regressed, escalating, resolved"))
    });
    let kinds =
        only.kinds.iter().map(|word| Kind::try_from(word.as_str()).map_err(|_| unknown("kinds", word, &Kind::words())));
    let severity = match config.min_severity.unwrap_or_default() {
        MinSeverity::Info => Severity::Info,
        MinSeverity::Warning => Severity::Warning,
        MinSeverity::Critical => Severity::Critical,
    };
    Ok(Only {
        severity,
        states: states.collect::<Result<_, _>>()?,
        kinds: kinds.collect::<Result<_, _>>()?,
        projects: only.projects.clone(),
        groups: only.groups.clone(),
        classes: only.classes.clone(),
    })
}
