//! What the configuration and the secrets are turned into: clients, rules, channels.

use std::sync::Arc;

use anyhow::Context;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};

use crate::classify::rules::decide::Rules;
use crate::config::Config;
use crate::config::channel::ChannelConfig;
use crate::config::load::ConfigError;
use crate::config::project::ProjectConfig;
use crate::console::{Access, ConsoleSetup, refuse_open_name};
use crate::credentials::{Credentials, SecretUse};
use crate::llamacloud::Cloud;
use crate::llamacloud::http::client::Transport;
use crate::model::schedule::overdue::OverdueLimit;
use crate::notify::Channel;
use crate::notify::delivery::ChannelSecrets;
use crate::notify::heartbeat::Heartbeat;
use crate::notify::hours::ChannelHours;
use crate::scan::source::Watched;

/// What the configuration and the secrets are turned into, without touching the ledger or the network.
pub struct Setup {
    /// The configuration itself.
    pub config: Config,
    /// The zone that people read times in.
    pub zone: TimeZone,
    /// The projects to watch, each with its client.
    pub projects: Vec<Watched<Cloud>>,
    /// What classifies failures: the team's rules before what comes with the program.
    pub rules: Arc<Rules>,
    /// What triage needs.
    pub triage: crate::triage::settings::TriageSettings,
    /// The channels.
    pub channels: Vec<Arc<Channel>>,
    /// The dead-man's switch, if one is set.
    pub heartbeat: Option<Heartbeat>,
    /// What LlamaCloud's webhooks are signed with, if they are taken.
    pub webhook_secret: Option<SecretString>,
    /// The token of the console's log-in page, if there is one and the service answers the console.
    pub console_token: Option<SecretString>,
}

impl Setup {
    /// Connects every part to its settings and secrets.
    ///
    /// # Errors
    /// Secrets are missing, or settings cannot work; the text names all of them, one a line.
    pub fn new(config: Config, credentials: &Credentials) -> anyhow::Result<Setup> {
        let zone = TimeZone::get(&config.schedule.timezone).context("schedule.timezone")?;
        let mut wrong = Vec::new();
        let transport = Transport::new()?;
        let overdue = config.schedule.overdue_limit().map_err(anyhow::Error::msg).context("schedule.overdue")?;
        let watched = config.project.iter().map(|project| watch(project, overdue, credentials, &transport));
        let projects = usable(watched, &mut wrong);
        let channels =
            usable(config.channel.iter().map(|channel| open_with_hours(channel, &config, credentials)), &mut wrong);
        let heartbeat = usable(std::iter::once(open_heartbeat(&config, credentials)), &mut wrong).pop().flatten();
        let secret = credentials.llamacloud_webhook_secret(config.service.webhook_secret_file.as_deref());
        let webhook_secret = usable(std::iter::once(secret.map_err(Into::into)), &mut wrong).pop().flatten();
        let mut console_token = None;
        if config.console.enabled {
            let token = credentials.console_token(config.console.token_file.as_deref());
            console_token = usable(std::iter::once(token.map_err(Into::into)), &mut wrong).pop().flatten();
            let checked = check_console(&config, console_token.as_ref());
            wrong.extend(checked.err().map(|error| error.to_string()));
        }
        if !wrong.is_empty() {
            return Err(ConfigError::Credential(wrong.join("\n")).into());
        }
        let rules = Arc::new(Rules::shipped().with_user_rules(config.rule.clone()).context("[[rule]]")?);
        let only = channels.iter().map(|channel| (channel.name.clone(), channel.only.clone())).collect();
        let triage = crate::triage::settings::TriageSettings::new(&config, &rules, only)?;
        Ok(Setup { config, zone, projects, rules, triage, channels, heartbeat, webhook_secret, console_token })
    }

    /// Who may ask for the console of the service, and how people are known.
    ///
    /// # Errors
    /// The token is too short, or a sign-on lacks its header or its proxies.
    pub(crate) fn console_access(&self) -> Result<Access, ConfigError> {
        self.access(self.console_token.as_ref())
    }

    /// The same for a console that is answered without the service, whether or not the service answers it too.
    ///
    /// # Errors
    /// As [`Setup::console_access`], or the token cannot be read.
    pub(crate) fn access_without_service(&self, credentials: &Credentials) -> Result<Access, ConfigError> {
        self.access(credentials.console_token(self.config.console.token_file.as_deref())?.as_ref())
    }

    fn access(&self, token: Option<&SecretString>) -> Result<Access, ConfigError> {
        Access::new(&self.config.console, self.config.service.public_url.as_deref(), token)
    }

    /// What the console's pages need.
    pub(crate) fn for_console(&self) -> ConsoleSetup {
        ConsoleSetup::new(&self.config, self.zone.clone(), self.projects.clone(), Arc::clone(&self.rules))
    }
}

/// Whether the console can be answered where the service listens.
fn check_console(config: &Config, token: Option<&SecretString>) -> Result<(), ConfigError> {
    let access = Access::new(&config.console, config.service.public_url.as_deref(), token)?;
    refuse_open_name(&access, config.service.public_url.as_deref())?;
    config.service.listen.map_or(Ok(()), |address| access.refuse_open_address(address.ip()))
}

/// What could be opened; what could not goes to `wrong`, so that people see every mistake at once.
fn usable<T>(opened: impl Iterator<Item = anyhow::Result<T>>, wrong: &mut Vec<String>) -> Vec<T> {
    opened.filter_map(|one| one.map_err(|error| wrong.push(format!("{error:#}"))).ok()).collect()
}

fn watch(
    project: &ProjectConfig,
    overdue: OverdueLimit,
    credentials: &Credentials,
    transport: &Transport,
) -> anyhow::Result<Watched<Cloud>> {
    let named = || format!("project `{}`", project.name);
    let key = credentials.api_key(project).with_context(named)?;
    let cloud = Cloud::connect(crate::llamacloud::settings::CloudSettings { project: project.clone(), key }, transport)
        .with_context(named)?;
    Ok(Watched {
        name: project.name.clone(),
        source: Arc::new(cloud),
        look_back: project.look_back,
        concurrency: project.concurrency.get(),
        overdue,
    })
}

fn open_with_hours(
    channel: &ChannelConfig,
    config: &Config,
    credentials: &Credentials,
) -> anyhow::Result<Arc<Channel>> {
    let hours =
        ChannelHours::new(channel, &config.schedule).with_context(|| format!("channel \"{}\"", channel.name))?;
    Ok(Arc::new(open_channel(channel, credentials)?.during(hours)))
}

/// The channel of one `[[channel]]`, with its secrets.
///
/// # Errors
/// A secret or setting is missing or cannot work.
pub(crate) fn open_channel(config: &ChannelConfig, credentials: &Credentials) -> anyhow::Result<Channel> {
    let mut secrets = ChannelSecrets::default();
    if let Some(url) = &config.url {
        crate::secrets::hold(url);
    }
    for use_for in SecretUse::of(config.kind) {
        let secret =
            credentials.channel_secret(config, *use_for).with_context(|| format!("channel \"{}\"", config.name))?;
        match use_for {
            SecretUse::SmtpPassword => secrets.smtp_password = secret,
            SecretUse::OauthSecret => secrets.oauth2_secret = secret,
            SecretUse::OauthRefreshToken => secrets.oauth2_refresh_token = secret,
            SecretUse::OauthKey => secrets.oauth2_key = secret,
            SecretUse::Url => secrets.url = secret,
            SecretUse::Signing => secrets.signing_secret = secret,
            SecretUse::Bearer => secrets.bearer = secret,
            SecretUse::RoutingKey => secrets.routing_key = secret,
        }
    }
    Ok(Channel::new(config, secrets)?)
}

fn open_heartbeat(config: &Config, credentials: &Credentials) -> anyhow::Result<Option<Heartbeat>> {
    let secret = credentials.heartbeat_url(config.service.heartbeat_url_file.as_deref())?;
    let plain = config.service.heartbeat_url.clone().map(SecretString::from);
    if let Some(url) = &plain {
        crate::secrets::hold(url.expose_secret());
    }
    secret.or(plain).filter(|url| !url.expose_secret().is_empty()).map(Heartbeat::new).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_secret_is_reported_at_once() {
        let text = "[ledger]\npath = \"l.db\"\n[[project]]\nname = \"a\"\n[[project]]\nname = \"b\"\napi-key-file = \"/missing/b\"\n\
                    [[channel]]\nname = \"s\"\nkind = \"slack\"\n[[channel]]\nname = \"w\"\nkind = \"webhook\"\n\
                    url = \"https://example.com\"\nsecret-file = \"/missing/w\"\n";
        let config = crate::config::load::parse(text).unwrap();
        let error = Setup::new(config, &Credentials::default()).err().unwrap();
        let said = error.to_string();
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 4, "{said}");
        for (line, name) in lines.iter().zip(["project `a`", "/missing/b", "channel \"s\"", "/missing/w"]) {
            assert!(line.contains(name), "{line}");
        }
        assert_eq!(crate::exit::from_error(&error), crate::exit::Exit::Config);
    }

    #[test]
    fn a_token_that_the_service_does_not_need_is_not_read() {
        let text = |enabled: &str| {
            format!("[service]\nlisten = \"127.0.0.1:0\"\n[console]\n{enabled}token-file = \"/missing/token\"\n")
        };
        let set_up = |text: &str| {
            let mut config: Config = toml::from_str(text).unwrap();
            config.ledger.path = "l.db".into();
            Setup::new(config, &Credentials::default())
        };
        let off = set_up(&text("")).unwrap();
        let alone = off.access_without_service(&Credentials::default());
        assert!(alone.unwrap_err().to_string().contains("/missing/token"), "the console alone needs it");
        let on = set_up(&text("enabled = true\n")).err().unwrap();
        assert!(on.to_string().contains("/missing/token"), "{on}");
    }
}
