//! The e-mail channel: settings checked once, then a mail for each digest, with a result for each recipient.

use jiff::Timestamp;
use lettre::Address;
use lettre::address::AddressError;
use lettre::message::Mailbox;
use lettre::transport::smtp::extension::ClientId;

use crate::config::channel::{ChannelConfig as Config, OauthConfig, OauthGrant, SmtpAuth, SmtpTls};
use crate::credentials::{SecretUse, credential_name};
use crate::model::host::{bare, is_loopback};
use crate::notify::channels::oauth2::TokenSource;
use crate::notify::channels::oauth2::assertion::ServiceAccount;
use crate::notify::channels::oauth2::grant::Grant;
use crate::notify::channels::smtp::hello::hello;
use crate::notify::channels::smtp::hint::SmtpStage;
use crate::notify::channels::smtp::recipients::by_reason;
use crate::notify::channels::smtp::{Login, LoginProof, Patience, Sent, SmtpServer};
use crate::notify::delivery::{ChannelSecrets, DeliveryFacts, Receipt};
use crate::notify::error::NotifyError;
use crate::notify::render::mail::{Letterhead, compose};
use crate::triage::digest::model::Digest;
use crate::triage::digest::size_limit::Tier;

/// Mail by SMTP.
pub(crate) struct Email {
    pub(crate) head: Letterhead,
    pub(crate) server: SmtpServer,
}

impl Email {
    /// Checks the settings; plain text is refused where someone could listen.
    pub(crate) fn new(config: &Config, secrets: ChannelSecrets, patience: Patience) -> Result<Email, NotifyError> {
        let head = message_headers(config)?;
        let host = config.smtp_host.as_deref().ok_or_else(|| missing(config, "smtp-host"))?;
        // Neither name servers nor certificates know of the brackets around an IPv6 address.
        let host = bare(host.trim()).to_owned();
        let tls = config.smtp_tls.unwrap_or_default();
        let plain = tls == SmtpTls::None && !is_loopback(&host);
        if plain && !config.smtp_allow_plaintext {
            return Err(NotifyError::Settings(format!(
                "channel \"{}\": smtp-tls = \"none\" is for a server on this machine; use \"required\" or \"implicit\", or set smtp-allow-plaintext = true",
                config.name
            )));
        }
        if plain && config.smtp_username.is_some() {
            return Err(NotifyError::Settings(format!(
                "channel \"{}\": neither password nor token is sent in plain text; set smtp-tls = \"required\" or \"implicit\"",
                config.name
            )));
        }
        let login = login(config, secrets, patience)?;
        let port = config.smtp_port.unwrap_or(match tls {
            SmtpTls::Required => 587,
            SmtpTls::Implicit => 465,
            SmtpTls::None => 25,
        });
        let hello = hello(config.smtp_hello.as_deref(), ClientId::default(), head.from.email.domain());
        let server = SmtpServer { host, port, hello, tls, login, patience, trusted: None };
        Ok(Email { head, server })
    }

    /// The bytes of the mail.
    pub(crate) fn preview(&self, digest: &Digest, facts: &DeliveryFacts) -> Result<Vec<u8>, NotifyError> {
        Ok(compose(digest, &self.head, facts.tier)?.bytes)
    }

    /// Sends to every recipient that does not have it yet.
    pub(crate) async fn deliver(&self, digest: &Digest, facts: &DeliveryFacts) -> Result<Receipt, NotifyError> {
        let mail = compose(digest, &self.head, facts.tier)?;
        let waiting: Vec<Address> = self
            .head
            .to
            .iter()
            .map(|mailbox| mailbox.email.clone())
            .filter(|address| !facts.done.iter().any(|done| done == address.as_ref() as &str))
            .collect();
        let mut done = facts.done.clone();
        match self.send_to_all(waiting, &mail.bytes, facts.now, &mut done).await {
            Ok(sent) => self.result_for(sent, done, mail.tier),
            Err(error) => {
                let size = |tier| compose(digest, &self.head, tier).map_or(usize::MAX, |mail| mail.bytes.len());
                Err(error.shortened(facts, mail.tier, size).after(done))
            }
        }
    }

    /// Sends again to those who were too many for one mail, as long as the server takes some. Who has it is in `done`.
    async fn send_to_all(
        &self,
        mut waiting: Vec<Address>,
        mail: &[u8],
        now: Timestamp,
        done: &mut Vec<String>,
    ) -> Result<Sent, NotifyError> {
        let mut all = Sent::default();
        loop {
            let sent = self.server.send(&self.head.from.email, &waiting, mail, now).await?;
            done.extend(sent.accepted.iter().map(Address::to_string));
            let (beyond, deferred): (Vec<_>, Vec<_>) =
                sent.deferred.into_iter().partition(|one| one.is_one_too_many() && !sent.accepted.is_empty());
            all.answer = sent.answer;
            all.accepted.extend(sent.accepted);
            all.refused.extend(sent.refused);
            all.deferred.extend(deferred);
            if beyond.is_empty() {
                return Ok(all);
            }
            waiting = beyond.into_iter().map(|one| one.address).collect();
        }
    }

    fn result_for(&self, sent: Sent, done: Vec<String>, tier: Tier) -> Result<Receipt, NotifyError> {
        let refused = by_reason(&sent.refused);
        if !sent.deferred.is_empty() {
            let mut why = self.server.advised(SmtpStage::Recipient, by_reason(&sent.deferred).join("; "));
            if !refused.is_empty() {
                why = format!("{why}; refused for good: {}", refused.join("; "));
            }
            return Err(NotifyError::Deferred { peer: self.server.peer(), why, retry_after: None }.after(done));
        }
        if done.is_empty() {
            return Err(self.server.all_refused(&refused.join("; ")));
        }
        Ok(Receipt { answer: sent.answer, refused, done, tier })
    }
}

/// How the server is logged in to; none without a user.
fn login(config: &Config, secrets: ChannelSecrets, patience: Patience) -> Result<Option<Login>, NotifyError> {
    let auth = config.smtp_auth.unwrap_or_default();
    let Some(user) = config.smtp_username.clone() else {
        return match auth {
            SmtpAuth::Password => Ok(None),
            SmtpAuth::Oauth2 => Err(missing(config, "smtp-username (the mailbox, for smtp-auth = \"oauth2\")")),
        };
    };
    let proof = match (auth, secrets.smtp_password.clone()) {
        (SmtpAuth::Oauth2, _) => LoginProof::Token(Box::new(token_source(config, &user, secrets, patience)?)),
        (SmtpAuth::Password, Some(password)) => LoginProof::Password(password),
        (SmtpAuth::Password, None) => {
            return Err(missing_secret(config, "smtp-password-file", SecretUse::SmtpPassword));
        }
    };
    Ok(Some(Login { user, proof }))
}

/// What Google's mail servers want of a service account.
const GOOGLE_SCOPE: &str = "https://mail.google.com/";

fn token_source(
    config: &Config,
    user: &str,
    secrets: ChannelSecrets,
    patience: Patience,
) -> Result<TokenSource, NotifyError> {
    let oauth2 = config.oauth2.as_ref().ok_or_else(|| missing(config, "oauth2"))?;
    let needed =
        |key: &str, value: &Option<String>| value.clone().ok_or_else(|| missing(config, &format!("oauth2.{key}")));
    let OauthConfig { token_url, client_id, scope, .. } = oauth2;
    let (grant, token_url) = match oauth2.grant {
        OauthGrant::ClientCredentials => {
            let secret = secrets.oauth2_secret;
            let grant = Grant::ClientCredentials {
                client_id: needed("client-id", client_id)?,
                secret: secret.ok_or_else(|| missing_secret(config, "oauth2.secret-file", SecretUse::OauthSecret))?,
                scope: needed("scope", scope)?,
            };
            (grant, needed("token-url", token_url)?)
        }
        OauthGrant::RefreshToken => {
            let refresh_token = secrets.oauth2_refresh_token;
            let grant = Grant::RefreshToken {
                client_id: needed("client-id", client_id)?,
                secret: secrets.oauth2_secret,
                scope: scope.clone(),
                refresh_token: refresh_token
                    .ok_or_else(|| missing_secret(config, "oauth2.refresh-token-file", SecretUse::OauthRefreshToken))?,
            };
            (grant, needed("token-url", token_url)?)
        }
        OauthGrant::ServiceAccount => {
            let key = secrets.oauth2_key;
            let key = key.ok_or_else(|| missing_secret(config, "oauth2.key-file", SecretUse::OauthKey))?;
            let account = ServiceAccount::read(&config.name, &key, token_url.as_deref())?;
            let token_url = account.token_url.clone();
            let scope = scope.clone().unwrap_or_else(|| GOOGLE_SCOPE.to_owned());
            (Grant::ServiceAccount { account: Box::new(account), user: user.to_owned(), scope }, token_url)
        }
    };
    TokenSource::new(&config.name, grant, &token_url, patience.token)
}

fn message_headers(config: &Config) -> Result<Letterhead, NotifyError> {
    let from = config.from.as_deref().ok_or_else(|| missing(config, "from"))?;
    if config.to.is_empty() {
        return Err(missing(config, "to"));
    }
    let to = config.to.iter().map(|address| mailbox(config, "to", address)).collect::<Result<Vec<_>, _>>()?;
    Ok(Letterhead {
        channel: config.name.clone(),
        from: mailbox(config, "from", from)?,
        to,
        thread: config.thread.unwrap_or(true),
    })
}

pub(crate) fn mailbox(config: &Config, key: &str, address: &str) -> Result<Mailbox, NotifyError> {
    let wrong = |why: &str| {
        NotifyError::Settings(format!(
            "channel \"{}\": {key} = \"{address}\" is not a mail address: {why}",
            config.name
        ))
    };
    let mailbox: Mailbox = address.parse().map_err(|error: AddressError| wrong(&error.to_string()))?;
    let email = in_ascii(&mailbox.email).ok_or_else(|| wrong("its part before the @ must be ASCII"))?;
    Ok(Mailbox::new(mailbox.name, email))
}

/// The address with its domain as servers and message ids need it: `bücher.example` is `xn--bcher-kva.example`.
fn in_ascii(address: &Address) -> Option<Address> {
    if address.domain().is_ascii() {
        return address.user().is_ascii().then(|| address.clone());
    }
    let url = reqwest::Url::parse(&format!("http://{}/", address.domain())).ok()?;
    Address::new(address.user(), url.host_str()?).ok().filter(|address| address.user().is_ascii())
}

pub(crate) fn missing(config: &Config, key: &str) -> NotifyError {
    NotifyError::Settings(format!("channel \"{}\": {key} is missing", config.name))
}

/// The same for a secret, which may also be a credential of the service.
pub(crate) fn missing_secret(config: &Config, key: &str, use_for: SecretUse) -> NotifyError {
    let credential = credential_name(config, use_for);
    NotifyError::Settings(format!(
        "channel \"{}\": {key} is missing: set it, or provide the systemd credential `{credential}`",
        config.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_beyond_ascii_is_written_as_servers_need_it() {
        let config = Config::default();
        let read = |address: &str| mailbox(&config, "from", address).map(|mailbox| mailbox.email.to_string());
        assert_eq!(read("Träger <t@bücher.example>").unwrap(), "t@xn--bcher-kva.example");
        assert_eq!(read("t@example.com").unwrap(), "t@example.com");
        assert!(read("träger@example.com").unwrap_err().to_string().contains("must be ASCII"));
    }
}
