//! The console: pages over the report's rows, and actions through the functions that the commands use.
//!
//! It holds no rules of triage or retries. `access` says who may; `guard` asks it before every page; nothing is done by GET.

pub(crate) mod access;
pub(crate) mod acts;
pub(crate) mod answer;
pub(crate) mod desk;
pub(crate) mod error;
pub(crate) mod guard;
pub(crate) mod http;
pub(crate) mod log_in;
pub(crate) mod pages;
pub(crate) mod record_page;
pub(crate) mod store_search;
pub(crate) mod templates;
pub(crate) mod words;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anyhow::Context;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::classify::rules::decide::Rules;
use crate::config::Config;
use crate::config::console::{Actions, ConsoleConfig, UNIX};
use crate::config::load::ConfigError;
use crate::config::reprocess::ReprocessConfig;
use crate::console::access::attempts::Attempts;
use crate::console::access::form_token::Forms;
use crate::console::access::host::{Hosts, is_loopback, without_port};
use crate::console::access::session::{SHORTEST_TOKEN, Sessions};
use crate::console::error::PageError;
use crate::ledger::Ledger;
use crate::ledger::time::known_time;
use crate::llamacloud::Cloud;
use crate::model::links::linker::Linker;
use crate::rate_limit::RateLimit;
use crate::report::store::ConfiguredBudget;
use crate::scan::source::Watched;
use crate::triage::page::policy::PagePolicy;
use crate::triage::settings::page_policy;

/// Pages that are made at once: reading is quick, and scans need the disk.
const MOST_READS: usize = 8;

/// What pages need of the configuration.
pub(crate) struct ConsoleSetup {
    /// The instance's name; empty when there is only one.
    pub(crate) instance: String,
    /// The zone that people read times in.
    pub(crate) zone: TimeZone,
    /// Makes the links of rows.
    pub(crate) linker: Linker,
    /// What bounds retries; none without a configuration.
    pub(crate) retry_settings: Option<ReprocessConfig>,
    /// The budget as configured.
    pub(crate) budget: ConfiguredBudget,
    /// What pages.
    pub(crate) page: PagePolicy,
    /// The projects, with the key that job records are asked with; none without a configuration.
    pub(crate) projects: Vec<Watched<Cloud>>,
    /// What plans are made with; none without a configuration.
    pub(crate) retries: Option<RetrySetup>,
}

/// What plans are made with.
pub(crate) struct RetrySetup {
    /// The rules that classify failures.
    pub(crate) rules: Arc<Rules>,
    /// `[reprocess]`.
    pub(crate) config: ReprocessConfig,
}

impl ConsoleSetup {
    /// Of a configuration; `projects` have its keys.
    pub(crate) fn new(
        config: &Config,
        zone: TimeZone,
        projects: Vec<Watched<Cloud>>,
        rules: Arc<Rules>,
    ) -> ConsoleSetup {
        ConsoleSetup {
            instance: config.digest.instance.clone(),
            zone,
            linker: config.linker(),
            retry_settings: Some(config.reprocess.clone()),
            budget: ConfiguredBudget {
                per_hour: Some(config.reprocess.per_hour.into()),
                per_day: Some(config.reprocess.per_day.into()),
            },
            page: page_policy(config, &rules).unwrap_or_default(),
            projects,
            retries: Some(RetrySetup { rules, config: config.reprocess.clone() }),
        }
    }

    /// Without a configuration.
    pub(crate) fn without_configuration() -> ConsoleSetup {
        ConsoleSetup {
            instance: String::new(),
            zone: TimeZone::UTC,
            linker: Linker::shipped(),
            retry_settings: None,
            budget: ConfiguredBudget::default(),
            page: PagePolicy::default(),
            projects: Vec::new(),
            retries: None,
        }
    }
}

/// Who is asked for, and how people are known.
#[derive(Debug)]
pub(crate) struct Access {
    /// What people may do.
    pub(crate) actions: Actions,
    /// The names by which browsers may ask.
    pub(crate) hosts: Hosts,
    /// The log-in with a token, if there is one.
    pub(crate) sessions: Option<Sessions>,
    /// The header in which a single sign-on names the person, and whose header is believed.
    pub(crate) sign_on: Option<SignOn>,
    /// Whether browsers reach it by https: cookies then stay off http.
    pub(crate) is_https: bool,
}

/// A single sign-on before the console.
#[derive(Debug)]
pub(crate) struct SignOn {
    /// The header's name.
    pub(crate) header: String,
    /// The addresses of the proxies that set it.
    pub(crate) proxies: Vec<IpAddr>,
    /// Whether every peer on the unix socket is trusted to set it.
    pub(crate) is_unix: bool,
}

impl Access {
    /// Read-only access for every user of this host.
    pub(crate) fn read_only() -> Access {
        Access { actions: Actions::None, hosts: Hosts::default(), sessions: None, sign_on: None, is_https: false }
    }

    /// As configured; `token` is the secret of the log-in page.
    ///
    /// # Errors
    /// The token is too short, a proxy is no address, or a sign-on lacks its header or its proxies.
    pub(crate) fn new(
        config: &ConsoleConfig,
        public_url: Option<&str>,
        token: Option<&SecretString>,
    ) -> Result<Access, ConfigError> {
        let wrong = |text: String| Err(ConfigError::Credential(text));
        let sessions = match token.map(ExposeSecret::expose_secret) {
            Some(token) if token.len() < SHORTEST_TOKEN => {
                return wrong(format!(
                    "the console's token is shorter than {SHORTEST_TOKEN} characters: it could be guessed"
                ));
            }
            token => token.map(Sessions::new),
        };
        let sign_on = match (&config.trusted_header, config.trusted_proxies.as_slice()) {
            (None, []) => None,
            (Some(header), proxies @ [_, ..]) => Some(sign_on(header, proxies)?),
            _ => return wrong("console.trusted-header and console.trusted-proxies belong together".to_owned()),
        };
        let is_open = sessions.is_none() && sign_on.is_none();
        // Without a log-in no name from outside leads here, whatever a proxy lets through.
        let names = if is_open { Vec::new() } else { names(config, public_url) };
        let is_https = public_url.is_some_and(|url| url.starts_with("https://"));
        Ok(Access { actions: config.actions, hosts: Hosts::new(names), sessions, sign_on, is_https })
    }

    /// Whether no one is asked who they are.
    pub(crate) fn is_open(&self) -> bool {
        self.sessions.is_none() && self.sign_on.is_none()
    }

    /// Refuses to answer on an address that others reach, where no one is asked who they are.
    ///
    /// # Errors
    /// It is such an address.
    pub(crate) fn refuse_open_address(&self, address: IpAddr) -> Result<(), ConfigError> {
        if address.is_loopback() || !self.is_open() {
            return Ok(());
        }
        Err(ConfigError::Credential(format!(
            "the console would answer anyone on {address}: set console.token-file (or the credential `console-token`), or console.trusted-header with console.trusted-proxies, or listen on 127.0.0.1"
        )))
    }
}

/// Refuses an address for people that leads to a console where no one is asked who they are: it answers names of this
/// host alone.
///
/// # Errors
/// It is such an address.
pub(crate) fn refuse_open_name(access: &Access, public_url: Option<&str>) -> Result<(), ConfigError> {
    let name = public_url.and_then(authority);
    match name {
        Some(name) if access.is_open() && !is_loopback(without_port(&name)) => Err(ConfigError::Credential(format!(
            "service.public-url leads to the console by the name {name}, but no one is asked who they are, and then only names of this host are answered: set the credential `console-token` (or console.token-file), or console.trusted-header with console.trusted-proxies"
        ))),
        _ => Ok(()),
    }
}

/// The host of an address, with its port.
fn authority(url: &str) -> Option<String> {
    Some(url.split_once("://")?.1.split('/').next()?.to_owned())
}

fn sign_on(header: &str, proxies: &[String]) -> Result<SignOn, ConfigError> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if header.is_empty() || !header.bytes().all(is_word) {
        return Err(ConfigError::Credential(format!("console.trusted-header: {header:?} is not a valid header name")));
    }
    let mut trusted = SignOn { header: header.to_ascii_lowercase(), proxies: Vec::new(), is_unix: false };
    for proxy in proxies {
        match proxy.parse() {
            Ok(address) => trusted.proxies.push(address),
            Err(_) if proxy == UNIX => trusted.is_unix = true,
            Err(_) => {
                let text = format!("console.trusted-proxies: {proxy:?} is neither an IP address nor \"{UNIX}\"");
                return Err(ConfigError::Credential(text));
            }
        }
    }
    Ok(trusted)
}

fn names(config: &ConsoleConfig, public_url: Option<&str>) -> Vec<String> {
    config.hosts.iter().cloned().chain(public_url.and_then(authority)).collect()
}

/// Where a request came from. The listener puts it beside each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// An address.
    Address(IpAddr),
    /// A unix socket.
    Socket,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Peer::Address(address) => write!(f, "{address}"),
            Peer::Socket => f.write_str(UNIX),
        }
    }
}

/// The console of one ledger.
pub(crate) struct Console {
    /// The ledger.
    pub(crate) ledger: PathBuf,
    /// What stands before every path; empty for the only ledger.
    pub(crate) base: String,
    /// Changes with the style.
    pub(crate) style_version: String,
    /// Who may.
    pub(crate) access: Access,
    /// The tokens of forms.
    pub(crate) forms: Forms,
    /// Wrong tokens of late.
    pub(crate) attempts: Mutex<Attempts>,
    /// Where acts are written; none where people can only look.
    pub(crate) writer: Option<Ledger>,
    setup: RwLock<Arc<ConsoleSetup>>,
    reads: Semaphore,
    /// The pace of questions for job records.
    records: RateLimit,
}

impl Console {
    /// A console over the ledger at `path`. `writer` is where acts are written.
    ///
    /// # Errors
    /// The host has no randomness.
    pub(crate) fn new(
        path: PathBuf,
        base: String,
        access: Access,
        setup: ConsoleSetup,
        writer: Option<Ledger>,
    ) -> anyhow::Result<Console> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).context("cannot make a key for forms")?;
        Ok(Console {
            ledger: path,
            base,
            style_version: hex::encode(&Sha256::digest(templates::style())[..6]),
            access,
            forms: Forms::new(key),
            attempts: Mutex::default(),
            writer,
            setup: RwLock::new(Arc::new(setup)),
            reads: Semaphore::new(MOST_READS),
            records: RateLimit::new(NonZeroU32::MIN),
        })
    }

    /// What pages need of the configuration, as it is now.
    pub(crate) fn setup(&self) -> Arc<ConsoleSetup> {
        Arc::clone(&self.setup.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over a configuration that was read again. Who may stays as it was until a restart.
    pub(crate) fn reconfigure(&self, setup: ConsoleSetup) {
        *self.setup.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setup);
    }

    /// A token for a form on a page of this visitor.
    ///
    /// # Errors
    /// The host has no randomness.
    pub(crate) fn form(&self, visitor: &Visitor) -> Result<String, PageError> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| PageError::Internal(error.into()))?;
        Ok(self.forms.make(visitor.known(), &hex::encode(nonce), self.now()))
    }

    /// Takes the token of a form that this visitor sends.
    ///
    /// # Errors
    /// It is not valid, or was taken before.
    pub(crate) fn take_form(&self, visitor: &Visitor, token: &str) -> Result<(), PageError> {
        let taken = self.forms.take(visitor.known(), token, self.now());
        taken.map_err(|error| PageError::Forbidden(error.to_string()))
    }

    /// Now, as it is for acts: a worker beside may have found that this host's clock is wrong.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub(crate) async fn acting_now(&self, ledger: &Ledger) -> Result<Timestamp, PageError> {
        Ok(known_time::beside(ledger, self.now()).await?)
    }

    /// Now, by the host's clock.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Who asks for a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Visitor {
    /// The person; none where no one is asked, and nothing was typed yet.
    pub(crate) person: Option<String>,
    /// Whether the person was identified, and not only typed a name.
    pub(crate) is_known: bool,
    /// Whether there is a session to end.
    pub(crate) has_session: bool,
    /// What the person may do.
    pub(crate) actions: Option<Actions>,
}

impl Visitor {
    /// The person that forms are made for; empty where anyone on this host may act.
    fn known(&self) -> &str {
        self.person.as_deref().filter(|_| self.is_known).unwrap_or_default()
    }

    /// Whether groups may be acted on.
    pub(crate) fn may_triage(&self) -> bool {
        self.actions.is_some_and(|actions| actions >= Actions::Triage)
    }

    /// Whether retries may be planned and submitted.
    pub(crate) fn may_retry(&self) -> bool {
        self.actions.is_some_and(|actions| actions >= Actions::Retry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(text: &str) -> ConsoleConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn an_address_that_others_reach_needs_a_log_in() {
        let public: IpAddr = "10.0.0.5".parse().unwrap();
        let open = Access::new(&configured(""), None, None).unwrap();
        assert!(open.refuse_open_address("127.0.0.1".parse().unwrap()).is_ok());
        assert!(open.refuse_open_address(public).unwrap_err().to_string().contains("console.token-file"));
        assert!(open.refuse_open_address("0.0.0.0".parse().unwrap()).is_err());
        let token = SecretString::from("0123456789abcdef");
        let closed = Access::new(&configured(""), None, Some(&token)).unwrap();
        assert!(closed.refuse_open_address(public).is_ok());
        let sign_on = "trusted-header = \"X-User\"\ntrusted-proxies = [\"127.0.0.1\", \"unix\"]";
        assert!(Access::new(&configured(sign_on), None, None).unwrap().refuse_open_address(public).is_ok());
    }

    #[test]
    fn an_address_for_people_needs_a_log_in() {
        let open = Access::new(&configured(""), None, None).unwrap();
        assert!(refuse_open_name(&open, Some("https://triage.example.com")).is_err());
        for url in [None, Some("http://localhost:9180"), Some("http://127.0.0.1:9180/"), Some("http://[::1]:9180")] {
            assert!(refuse_open_name(&open, url).is_ok(), "{url:?}");
        }
        let token = SecretString::from("0123456789abcdef");
        let closed = Access::new(&configured(""), None, Some(&token)).unwrap();
        assert!(refuse_open_name(&closed, Some("https://triage.example.com")).is_ok());
    }

    #[test]
    fn what_would_let_anyone_in_is_refused() {
        for (text, token) in [
            ("", Some("short")),
            ("trusted-header = \"X-User\"", None),
            ("trusted-proxies = [\"127.0.0.1\"]", None),
            ("trusted-header = \"X-User\"\ntrusted-proxies = [\"proxy.example\"]", None),
            ("trusted-header = \"X User\"\ntrusted-proxies = [\"127.0.0.1\"]", None),
        ] {
            assert!(Access::new(&configured(text), None, token.map(SecretString::from).as_ref()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_public_name_is_answered_only_where_people_log_in() {
        let config = configured("hosts = [\"other.example\"]");
        let url = Some("https://triage.example.com/x");
        let open = Access::new(&config, url, None).unwrap();
        assert!(!open.hosts.allow("triage.example.com") && !open.hosts.allow("other.example"));
        let token = SecretString::from("0123456789abcdef");
        let closed = Access::new(&config, url, Some(&token)).unwrap();
        assert!(closed.hosts.allow("triage.example.com") && closed.hosts.allow("other.example") && closed.is_https);
    }
}
