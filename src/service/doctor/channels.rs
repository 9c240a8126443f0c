//! Checks that each `[[channel]]` can be reached and accepts the login; sends nothing.

use std::time::Duration;

use jiff::Timestamp;

use crate::config::channel::{ChannelConfig, ChannelKind};
use crate::credentials::Credentials;
use crate::service::doctor::CheckResult;
use crate::service::setup::open_channel;

/// How long one channel may take; within it every step has a shorter limit of its own.
const LIMIT: Duration = Duration::from_secs(60);

/// Opens the channel with its secrets and checks its peer.
pub(crate) async fn examine(config: &ChannelConfig, credentials: &Credentials) -> Option<CheckResult> {
    let name = config.name.as_str();
    let channel = match open_channel(config, credentials) {
        Ok(channel) => channel,
        // Not opened yet: a secret or a key is missing in the configuration.
        Err(error) => return Some(CheckResult::fail("channel", name, format!("{error:#}"), missing(config.kind))),
    };
    Some(match tokio::time::timeout(LIMIT, channel.check(Timestamp::now())).await {
        Ok(Ok(says)) => CheckResult::ok("channel", name, says),
        Ok(Err(error)) => CheckResult::fail("channel", name, error.to_string(), advice(config.kind)),
        Err(_) => {
            CheckResult::fail("channel", name, format!("no answer within {} s", LIMIT.as_secs()), advice(config.kind))
        }
    })
}

fn missing(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Email => {
            "correct its [[channel]]; the password is the credential smtp-password-NAME, secrets of oauth2 are smtp-oauth2-…-NAME"
        }
        ChannelKind::Slack | ChannelKind::Teams => "put the webhook address into the credential channel-url-NAME",
        ChannelKind::Pagerduty => "put the integration's routing key into the credential routing-key-NAME",
        ChannelKind::Webhook => {
            "correct its [[channel]]; secrets are the credentials channel-url-NAME, webhook-secret-NAME and webhook-bearer-NAME"
        }
        ChannelKind::File => "correct its [[channel]]",
    }
}

fn advice(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::Email => {
            "check the settings of the step that failed: token (oauth2), connect (smtp-host, smtp-port), TLS (smtp-tls), log-in (smtp-username and its password or permission)"
        }
        ChannelKind::Slack | ChannelKind::Teams => {
            "check the firewall, the proxy and that the address is complete (url-file, or the credential channel-url-NAME)"
        }
        ChannelKind::Pagerduty => "check the firewall, and the integration's routing key (credential routing-key-NAME)",
        ChannelKind::Webhook => "check url or url-file, and that the receiver runs",
        ChannelKind::File => "create the directory, owned by the user llama-triage",
    }
}
