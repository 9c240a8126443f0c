//! The worker: everything one process needs to do its work, put together once.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};

use crate::classify::classifier::{classify, reclassify_if_due};
use crate::classify::rules::decide::Rules;
use crate::classify::rules::shipped::shipped_rules;
use crate::config::Config;
use crate::config::channel::ChannelConfig;
use crate::config::load::ConfigError;
use crate::config::project::{Api, ProjectConfig};
use crate::console::{Access, ConsoleSetup};
use crate::credentials::{Credentials, SecretUse};
use crate::grouping::grouper::{Grouper, Subject};
use crate::grouping::{store_group, store_regroup};
use crate::ledger::Ledger;
use crate::ledger::audit::{self, Act};
use crate::llamacloud::Cloud;
use crate::llamacloud::http::client::Transport;
use crate::model::batch_api::BatchApi;
use crate::notify::heartbeat::Heartbeat;
use crate::notify::{Channel, ChannelSecrets, deliver};
use crate::reprocess::store::intent;
use crate::scan::store::{batch, project};
use crate::scan::{self, ScanSummary, Watched, causes};
use crate::service::clock::Clock;
use crate::service::http::webhook_queue;

/// What the configuration and the secrets are turned into, without touching the ledger or the network.
pub struct Setup {
    /// The configuration itself.
    pub config: Config,
    /// The zone that people read times in.
    pub zone: TimeZone,
    /// The projects to watch, each with its client.
    pub projects: Vec<Watched<Cloud>>,
    /// The rules that classify groups: the team's own before the shipped ones.
    pub rules: Arc<Rules>,
    /// What triage needs.
    pub triage: crate::triage::settings::TriageSettings,
    /// The channels.
    pub channels: Vec<Arc<Channel>>,
    /// The dead-man's switch, if one is set.
    pub heartbeat: Option<Heartbeat>,
    /// What LlamaCloud's webhooks are signed with, if they are taken.
    pub webhook_secret: Option<SecretString>,
    /// The token of the console's log-in page, if there is one.
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
        let projects = usable(config.project.iter().map(|project| watch(project, credentials, &transport)), &mut wrong);
        let channels =
            usable(config.channel.iter().map(|channel| open_channel(channel, credentials).map(Arc::new)), &mut wrong);
        let heartbeat = usable(std::iter::once(open_heartbeat(&config, credentials)), &mut wrong).pop().flatten();
        let secret = credentials.llamacloud_webhook_secret(config.service.webhook_secret_file.as_deref());
        let webhook_secret = usable(std::iter::once(secret.map_err(Into::into)), &mut wrong).pop().flatten();
        let token = credentials.console_token(config.console.token_file.as_deref());
        let console_token = usable(std::iter::once(token.map_err(Into::into)), &mut wrong).pop().flatten();
        if config.console.enabled {
            let checked = check_console(&config, console_token.as_ref());
            wrong.extend(checked.err().map(|error| error.to_string()));
        }
        if !wrong.is_empty() {
            return Err(ConfigError::Credential(wrong.join("\n")).into());
        }
        let rules = shipped_rules().and_then(|rules| rules.with_user_rules(config.rule.clone())).context("[[rule]]")?;
        let only = channels.iter().map(|channel| (channel.name.clone(), channel.only.clone())).collect();
        let triage = crate::triage::settings::TriageSettings::new(&config, &rules, only)?;
        Ok(Setup {
            config,
            zone,
            projects,
            rules: Arc::new(rules),
            triage,
            channels,
            heartbeat,
            webhook_secret,
            console_token,
        })
    }

    /// Who may ask for the console, and how people are known.
    ///
    /// # Errors
    /// The token is too short, or a sign-on lacks its header or its proxies.
    pub(crate) fn console_access(&self) -> Result<Access, ConfigError> {
        Access::new(&self.config.console, self.config.service.public_url.as_deref(), self.console_token.as_ref())
    }

    /// What the console's pages need.
    pub(crate) fn for_console(&self) -> ConsoleSetup {
        ConsoleSetup::new(&self.config, self.zone.clone(), self.projects.clone(), Arc::clone(&self.rules))
    }
}

/// Whether the console can be answered where the service listens.
fn check_console(config: &Config, token: Option<&SecretString>) -> Result<(), ConfigError> {
    let access = Access::new(&config.console, config.service.public_url.as_deref(), token)?;
    config.service.listen.map_or(Ok(()), |address| access.refuse_open_address(address.ip()))
}

/// What could be opened; what could not goes to `wrong`, so that people see every mistake at once.
fn usable<T>(opened: impl Iterator<Item = anyhow::Result<T>>, wrong: &mut Vec<String>) -> Vec<T> {
    opened.filter_map(|one| one.map_err(|error| wrong.push(format!("{error:#}"))).ok()).collect()
}

fn watch(project: &ProjectConfig, credentials: &Credentials, transport: &Transport) -> anyhow::Result<Watched<Cloud>> {
    let named = || format!("project `{}`", project.name);
    let key = credentials.api_key(project).with_context(named)?;
    let cloud = Cloud::connect(crate::llamacloud::settings::CloudSettings { project: project.clone(), key }, transport)
        .with_context(named)?;
    Ok(Watched {
        name: project.name.clone(),
        source: Arc::new(cloud),
        look_back: project.look_back,
        concurrency: project.concurrency.get(),
    })
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
            SecretUse::Url => secrets.url = secret,
            SecretUse::Signing => secrets.signing_secret = secret,
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

/// After an upgrade that groups otherwise: first of all, so that what is known is never reported as new.
async fn regroup_if_due(ledger: &Ledger, now: Timestamp) -> anyhow::Result<()> {
    if !ledger.read(store_regroup::is_due).await? {
        return Ok(());
    }
    let regrouped = ledger.write(move |tx| {
        let act = Act { actor: "auto:upgrade", action: "regroup", subject: "ledger", ..Act::default() };
        audit::record(tx, &act, now)?;
        store_regroup::regroup(tx, now)
    });
    let (messages, joined) = regrouped.await.context("cannot regroup the messages of an earlier version")?;
    tracing::info!(messages, joined, "regrouped {messages} messages after an upgrade; {joined} groups were merged");
    Ok(())
}

/// A process that may write to the ledger.
pub struct Worker {
    /// Settings and connections; replaced as a whole by a reload.
    pub setup: Setup,
    /// The open ledger, with its lock.
    pub ledger: Ledger,
    /// The time that it works by.
    pub clock: Clock,
    /// The groups known so far.
    pub grouper: Grouper,
    /// Batches that events named since the last scan: they are asked for by id.
    pub(crate) named: Vec<String>,
    /// What was learnt by asking for causes.
    pub(crate) asked: causes::CauseMemory,
    /// Which changes by people the grouper knows of.
    generation: u64,
}

impl Worker {
    /// Opens the ledger and reads the groups it knows.
    ///
    /// # Errors
    /// The ledger cannot be opened, or its groups cannot be read back.
    pub async fn open(setup: Setup) -> anyhow::Result<Worker> {
        let ledger = Ledger::open(&setup.config.ledger.path).await?;
        let mut clock = Clock::of(&ledger).await?;
        let now = clock.now(&ledger, &setup).await?;
        crate::service::identity::settle(&ledger, now).await?;
        regroup_if_due(&ledger, now).await?;
        crate::scan::apis::restore_apis(&ledger, &setup.projects).await?;
        let grouper = scan::restore_grouper(&ledger).await?;
        let generation = ledger.read(store_group::generation).await?;
        deliver::recover(&ledger, now).await?;
        setup.reprocessing(&ledger).recover(now).await?;
        let asked = causes::CauseMemory::default();
        Ok(Worker { setup, ledger, clock, grouper, generation, named: Vec::new(), asked })
    }

    /// What time it is; stored times that lie ahead of it are set right first.
    pub async fn now(&mut self) -> anyhow::Result<Timestamp> {
        Ok(self.clock.now(&self.ledger, &self.setup).await?)
    }

    /// Scans all projects once. Trouble with a project is in its summary.
    ///
    /// # Errors
    /// The ledger cannot be written; what was committed before stays.
    pub async fn scan(&mut self, now: Timestamp) -> anyhow::Result<Vec<ScanSummary>> {
        let all = self.setup.projects.iter().map(|project| project.name.clone()).collect();
        self.scan_only(&all, now).await
    }

    /// The same for the projects of these names.
    ///
    /// # Errors
    /// The ledger cannot be written; what was committed before stays.
    pub(crate) async fn scan_only(
        &mut self,
        names: &BTreeSet<String>,
        now: Timestamp,
    ) -> anyhow::Result<Vec<ScanSummary>> {
        let projects = self.setup.projects.iter().filter(|project| names.contains(&project.name));
        let projects: Vec<Watched<Cloud>> = projects.cloned().collect();
        for project in &projects {
            project.source.begin_scan();
        }
        for intent in self.ledger.read(intent::unsettled).await? {
            let project = projects.iter().find(|project| project.name == intent.project);
            let is_of_v2 = intent.api == BatchApi::V2;
            if let (true, Some(project), [item]) = (is_of_v2, project, intent.items.as_slice()) {
                let (made, job_type) = (intent.intent.state.batch_ids(), &intent.job_type);
                made.iter().for_each(|id| project.source.remember(id, job_type, &item.item_id));
            }
        }
        let generation = self.ledger.read(store_group::generation).await?;
        if generation != self.generation {
            self.grouper = scan::restore_grouper(&self.ledger).await?;
            self.generation = generation;
        }
        let named = self.named_by_project().await?;
        let rules = &self.setup.rules;
        reclassify_if_due(&self.ledger, rules, &self.setup.triage.page_classes, now).await?;
        let classify = |first: &Subject<'_>| classify(rules, first);
        let scans = scan::scan(&self.ledger, &projects, &named, &mut self.grouper, &classify, now).await?;
        let scanned = self.setup.config.project.iter().filter(|project| names.contains(&project.name));
        let addresses: Vec<_> = scanned.map(|project| (project.name.clone(), project.base_url.clone())).collect();
        self.ledger.write(move |tx| project::locate(tx, &addresses)).await?;
        Ok(scans)
    }

    /// The batches that events named, by the projects that are asked for them. Batches of v1 send no events.
    async fn named_by_project(&mut self) -> anyhow::Result<HashMap<String, Vec<String>>> {
        let named = std::mem::take(&mut self.named);
        if named.is_empty() {
            return Ok(HashMap::new());
        }
        let ids = named.clone();
        let known = self.ledger.read(move |connection| batch::projects_of(connection, &ids)).await?;
        let of_v2 = self.setup.config.project.iter().filter(|project| project.api != Api::V1Beta);
        let projects: Vec<&str> = of_v2.map(|project| project.name.as_str()).collect();
        Ok(webhook_queue::by_project(named, &known, &projects))
    }

    /// Goes on with new settings; the ledger stays the same.
    ///
    /// # Errors
    /// The new settings name another ledger: that needs a restart.
    pub fn reconfigure(&mut self, setup: Setup) -> anyhow::Result<()> {
        if setup.config.ledger.path != self.setup.config.ledger.path {
            bail!("ledger.path has changed: restart the service to use the other ledger");
        }
        if setup.config.service.listen != self.setup.config.service.listen {
            bail!("service.listen has changed: restart the service to listen elsewhere");
        }
        let exposed = |setup: &Setup| setup.webhook_secret.as_ref().map(|secret| secret.expose_secret().to_owned());
        if exposed(&setup) != exposed(&self.setup) {
            bail!("the secret of LlamaCloud's webhooks has changed: restart the service to use it");
        }
        self.setup = setup;
        // Another key may be let in.
        self.asked = causes::CauseMemory::default();
        Ok(())
    }
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
        assert_eq!(crate::exit::of_error(&error), crate::exit::Exit::Config);
    }
}
