//! The SMTP dialogue: one connection for each digest, every step with its own time limit.
//!
//! Spoken command by command rather than through lettre's transport, for two reasons: one refused recipient
//! must not lose the others, and lettre's own timeout covers only the connect
//! (<https://github.com/lettre/lettre/issues/1027>).

pub(crate) mod hello;
pub(crate) mod hint;
pub(crate) mod recipients;
pub(crate) mod xoauth2;

use std::time::Duration;

use jiff::Timestamp;
use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use crate::config::channel::SmtpTls;
use crate::model::host::with_port;
use crate::model::redact::secret_forms::SHORTEST;
use crate::notify::channels::oauth2::{AccessToken, TokenSource};
use crate::notify::channels::smtp::hint::SmtpStage;
use crate::notify::channels::smtp::recipients::Declined;
use crate::notify::error::{NotifyError, peer_text};

/// A mail server and how to talk to it.
pub(crate) struct SmtpServer {
    /// Name or address, without brackets.
    pub(crate) host: String,
    /// Port.
    pub(crate) port: u16,
    /// The name that it is greeted with.
    pub(crate) hello: ClientId,
    /// How the connection is protected.
    pub(crate) tls: SmtpTls,
    /// How it is logged in to; none does not log in.
    pub(crate) login: Option<Login>,
    /// How long each step may take.
    pub(crate) patience: Patience,
    /// A certificate to trust beside the system's; for tests.
    pub(crate) trusted: Option<lettre::transport::smtp::client::Certificate>,
}

/// Who logs in, and with what.
pub(crate) struct Login {
    /// `smtp-username`.
    pub(crate) user: String,
    /// The proof.
    pub(crate) proof: LoginProof,
}

/// What a user logs in with.
pub(crate) enum LoginProof {
    /// `PLAIN` or `LOGIN`.
    Password(SecretString),
    /// `XOAUTH2`.
    Token(Box<TokenSource>),
}

/// How long each step of a dialogue may take.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// One request for an access token.
    pub(crate) token: Duration,
    /// From the first packet to the end of the greeting, and the log-in.
    pub(crate) open: Duration,
    /// Each command; tarpits and greylisting take tens of seconds.
    pub(crate) command: Duration,
    /// From the final dot to the answer: 10 minutes by RFC 5321 4.5.3.2.6, else mails are sent twice.
    pub(crate) accept: Duration,
    /// For the goodbye, whose answer changes nothing.
    pub(crate) close: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            token: Duration::from_secs(30),
            open: Duration::from_secs(60),
            command: Duration::from_secs(120),
            accept: Duration::from_secs(600),
            close: Duration::from_secs(2),
        }
    }
}

/// What became of each recipient.
#[derive(Default)]
pub(crate) struct Sent {
    /// What the server said to the message; empty if no one was left to send it to.
    pub(crate) answer: String,
    /// Recipients that have it.
    pub(crate) accepted: Vec<Address>,
    /// Recipients that the server will never take.
    pub(crate) refused: Vec<Declined>,
    /// Recipients to try later.
    pub(crate) deferred: Vec<Declined>,
}

/// The server's answer to one command.
enum Reply {
    Accepted,
    Declined(SmtpError),
}

impl SmtpServer {
    /// Host and port, for people.
    pub(crate) fn peer(&self) -> String {
        with_port(&self.host, self.port)
    }

    /// The steps before a mail is sent, in order: what [`Self::check`] checks.
    pub(crate) fn steps(&self) -> Vec<&'static str> {
        let mut steps = Vec::new();
        let proof = self.login.as_ref().map(|login| &login.proof);
        steps.extend(matches!(proof, Some(LoginProof::Token(_))).then_some("token"));
        steps.push("connect");
        steps.extend((self.tls != SmtpTls::None).then_some("TLS"));
        steps.extend(proof.is_some().then_some("log-in"));
        steps
    }

    /// Sends one message to all recipients that the server takes. `now` is when it is sent.
    pub(crate) async fn send(
        &self,
        from: &Address,
        to: &[Address],
        message: &[u8],
        now: Timestamp,
    ) -> Result<Sent, NotifyError> {
        let mut connection = self.open(now).await?;
        let sent = self.hand_over(&mut connection, from, to, message).await;
        self.close(connection).await;
        sent
    }

    /// Connects, secures and logs in, without sending.
    pub(crate) async fn check(&self, now: Timestamp) -> Result<(), NotifyError> {
        self.close(self.open(now).await?).await;
        Ok(())
    }

    async fn close(&self, mut connection: AsyncSmtpConnection) {
        let _ = timeout(self.patience.close, connection.abort()).await;
    }

    async fn open(&self, now: Timestamp) -> Result<AsyncSmtpConnection, NotifyError> {
        match &self.login {
            None => self.connect().await,
            Some(Login { user, proof: LoginProof::Password(password) }) => {
                let mut connection = self.connect().await?;
                self.in_time(SmtpStage::LogIn, self.log_in_with_password(&mut connection, user, password)).await?;
                Ok(connection)
            }
            Some(Login { user, proof: LoginProof::Token(source) }) => {
                // Before the connection: servers end one on which nothing is said.
                let token = source.token(now).await?;
                match self.open_with_token(user, &token).await {
                    // It may have been revoked, or have ended while this machine slept.
                    Err(NotifyError::Refused { .. }) if !token.is_new => {
                        self.open_with_token(user, &source.renewed(now).await?).await
                    }
                    opened => opened,
                }
            }
        }
    }

    async fn open_with_token(&self, user: &str, token: &AccessToken) -> Result<AsyncSmtpConnection, NotifyError> {
        let mut connection = self.connect().await?;
        match self.in_time(SmtpStage::TokenLogIn, self.log_in_with_token(&mut connection, user, token)).await {
            Ok(()) => Ok(connection),
            Err(error) => {
                self.close(connection).await;
                Err(error)
            }
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, NotifyError> {
        self.in_time(SmtpStage::Connect, self.connect_and_secure()).await
    }

    /// The result of a step before the mail, within its time.
    async fn in_time<T>(
        &self,
        step: SmtpStage,
        work: impl Future<Output = Result<T, NotifyError>>,
    ) -> Result<T, NotifyError> {
        timeout(self.patience.open, work).await.unwrap_or_else(|_| Err(self.silent(step, self.patience.open)))
    }

    async fn connect_and_secure(&self) -> Result<AsyncSmtpConnection, NotifyError> {
        let implicit = match self.tls {
            SmtpTls::Implicit => Some(self.tls_parameters()?),
            SmtpTls::Required | SmtpTls::None => None,
        };
        let peer = (self.host.as_str(), self.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(peer, Some(self.patience.open), &self.hello, implicit, None)
                .await
                .map_err(|error| self.not_opened(SmtpStage::Connect, &error))?;
        if self.tls == SmtpTls::Required {
            if !connection.can_starttls() {
                return Err(self.refused(
                    SmtpStage::Tls,
                    "the server does not offer STARTTLS",
                    "set smtp-tls = \"implicit\" with its TLS port, or another server",
                ));
            }
            connection
                .starttls(self.tls_parameters()?, &self.hello)
                .await
                .map_err(|error| self.not_opened(SmtpStage::Tls, &error))?;
        }
        Ok(connection)
    }

    async fn log_in_with_password(
        &self,
        connection: &mut AsyncSmtpConnection,
        user: &str,
        password: &SecretString,
    ) -> Result<(), NotifyError> {
        let step = SmtpStage::LogIn;
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        if connection.server_info().get_auth_mechanism(&mechanisms).is_none() {
            if connection.server_info().supports_auth_mechanism(Mechanism::Xoauth2) {
                return Err(self.refused(step, "the server offers only XOAUTH2 authentication", hint::ONLY_OAUTH));
            }
            return Err(self.refused(
                step,
                "the server offers no authentication here",
                "check smtp-port and smtp-tls: most servers offer it only after TLS; or leave smtp-username out",
            ));
        }
        let credentials = Credentials::new(user.to_owned(), password.expose_secret().to_owned());
        match connection.auth(&mechanisms, &credentials).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() || error.is_client() => {
                let why = login_error_text(&error, password);
                // Masked, the words of some refusals no longer name their cause.
                Err(self.refused(step, &why, hint::advice(step, &error.to_string())))
            }
            Err(error) => Err(self.not_answered(step, &error)),
        }
    }

    async fn log_in_with_token(
        &self,
        connection: &mut AsyncSmtpConnection,
        user: &str,
        token: &AccessToken,
    ) -> Result<(), NotifyError> {
        let step = SmtpStage::TokenLogIn;
        if !connection.server_info().supports_auth_mechanism(Mechanism::Xoauth2) {
            return Err(self.refused(step, "the server does not offer XOAUTH2 authentication", hint::NO_TOKENS));
        }
        let mut answer = connection.command(xoauth2::command(user, &token.secret)).await;
        let mut said = String::new();
        if let Ok(challenge) = answer.as_ref()
            && challenge.has_code(334)
        {
            // A server refuses a token with a challenge that says why; its status follows an empty line.
            said = xoauth2::challenge(challenge.first_line().unwrap_or_default());
            answer = connection.command("\r\n").await;
        }
        match answer {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() || error.is_client() => {
                let why = [error.to_string(), said].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
                let why = peer_text(&why.join("; "));
                Err(self.refused(step, &why, hint::advice(step, &why)))
            }
            Err(error) => Err(self.not_answered(step, &error)),
        }
    }

    fn tls_parameters(&self) -> Result<TlsParameters, NotifyError> {
        let mut builder = TlsParameters::builder(self.host.clone());
        if let Some(certificate) = &self.trusted {
            builder = builder.add_root_certificate(certificate.clone());
        }
        builder.build_rustls().map_err(|error| {
            NotifyError::Settings(format!(
                "cannot set up TLS: {}; install the ca-certificates package",
                peer_text(&error.to_string())
            ))
        })
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        from: &Address,
        to: &[Address],
        message: &[u8],
    ) -> Result<Sent, NotifyError> {
        if let Reply::Declined(error) =
            self.command(connection, SmtpStage::Sender, Mail::new(Some(from.clone()), Vec::new())).await?
        {
            return Err(self.declined(SmtpStage::Sender, &error));
        }
        let mut sent = self.offer_recipients(connection, to).await?;
        if sent.accepted.is_empty() {
            return Ok(sent);
        }
        if let Reply::Declined(error) = self.command(connection, SmtpStage::Message, Data).await? {
            return Err(self.declined(SmtpStage::Message, &error));
        }
        sent.answer = self.hand_over_content(connection, message).await?;
        Ok(sent)
    }

    async fn offer_recipients(
        &self,
        connection: &mut AsyncSmtpConnection,
        to: &[Address],
    ) -> Result<Sent, NotifyError> {
        let mut sent = Sent::default();
        for address in to {
            let recipient = Rcpt::new(address.clone(), Vec::new());
            let Reply::Declined(error) = self.command(connection, SmtpStage::Recipient, recipient).await? else {
                sent.accepted.push(address.clone());
                continue;
            };
            // 421: the server closes; the recipients before it have nothing yet either.
            if code(&error) == Some(421) {
                return Err(self.deferred(SmtpStage::Recipient, &error));
            }
            let declined = Declined { address: address.clone(), why: peer_text(&error.to_string()) };
            let one_too_many = declined.is_one_too_many() && !sent.accepted.is_empty();
            match error.is_permanent() && !one_too_many {
                true => sent.refused.push(declined),
                false => sent.deferred.push(declined),
            }
        }
        Ok(sent)
    }

    async fn hand_over_content(
        &self,
        connection: &mut AsyncSmtpConnection,
        message: &[u8],
    ) -> Result<String, NotifyError> {
        let unclear = |why: String| NotifyError::Unclear { peer: self.peer(), why: SmtpStage::Message.of(&why) };
        match timeout(self.patience.accept, connection.message(message)).await {
            Err(_) => Err(unclear(format!("no answer within {} s", self.patience.accept.as_secs_f32()))),
            Ok(Ok(response)) => Ok(peer_text(&response.message().collect::<Vec<_>>().join(" "))),
            Ok(Err(error)) if error.status().is_some() => Err(self.rejected(&error)),
            Ok(Err(error)) => Err(unclear(peer_text(&error.to_string()))),
        }
    }

    /// What the server answers to a command; an error ends the dialogue.
    async fn command<C: std::fmt::Display>(
        &self,
        connection: &mut AsyncSmtpConnection,
        step: SmtpStage,
        command: C,
    ) -> Result<Reply, NotifyError> {
        match timeout(self.patience.command, connection.command(command)).await {
            Err(_) => Err(self.silent(step, self.patience.command)),
            Ok(Ok(_)) => Ok(Reply::Accepted),
            Ok(Err(error)) if error.status().is_some() => Ok(Reply::Declined(error)),
            Ok(Err(error)) => Err(self.unreachable(step, &error)),
        }
    }

    /// The answer to the whole message: a refusal is one of what it says.
    fn rejected(&self, error: &SmtpError) -> NotifyError {
        match self.declined(SmtpStage::Message, error) {
            NotifyError::Refused { peer, why, todo, .. } => NotifyError::Refused { peer, why, todo, of_content: true },
            other => other,
        }
    }

    fn declined(&self, step: SmtpStage, error: &SmtpError) -> NotifyError {
        let why = peer_text(&error.to_string());
        match code(error) {
            // 552 says either; a smaller mail is tried once.
            Some(552 | 554) if why.contains("5.3.4") || code(error) == Some(552) => {
                let why = step.of(&format!("{why} (or a mailbox is full)"));
                NotifyError::TooLarge { peer: self.peer(), why, next: None }
            }
            _ if error.is_permanent() => self.refused(step, &why, hint::advice(step, &why)),
            _ => self.deferred(step, error),
        }
    }

    fn not_opened(&self, step: SmtpStage, error: &SmtpError) -> NotifyError {
        let why = peer_text(&error.to_string());
        if error.status().is_some() {
            // STARTTLS is refused by its own words; everything else that is said so early answers the greeting.
            let step = if step == SmtpStage::Tls { step } else { SmtpStage::Greeting };
            return match error.is_permanent() {
                true => self.refused(step, &why, hint::advice(step, &why)),
                false => self.deferred(step, error),
            };
        }
        let is_untrusted = why.contains("certificate");
        let todo = match is_untrusted {
            true => "; its certificate is not trusted here: check smtp-host, or add its CA to this machine's store",
            false => "; check smtp-host, smtp-port and smtp-tls",
        };
        let step = if is_untrusted { SmtpStage::Tls } else { step };
        NotifyError::Unreachable { peer: self.peer(), why: step.of(&format!("{why}{todo}")) }
    }

    /// An error that is no refusal: the server wants patience, or said nothing.
    fn not_answered(&self, step: SmtpStage, error: &SmtpError) -> NotifyError {
        if error.is_transient() { self.deferred(step, error) } else { self.unreachable(step, error) }
    }

    fn unreachable(&self, step: SmtpStage, error: &SmtpError) -> NotifyError {
        NotifyError::Unreachable { peer: self.peer(), why: step.of(&peer_text(&error.to_string())) }
    }

    fn silent(&self, step: SmtpStage, limit: Duration) -> NotifyError {
        let why = step.of(&format!("no answer within {} s", limit.as_secs_f32()));
        NotifyError::Unreachable { peer: self.peer(), why }
    }

    fn deferred(&self, step: SmtpStage, error: &SmtpError) -> NotifyError {
        let why = self.advised(step, peer_text(&error.to_string()));
        NotifyError::Deferred { peer: self.peer(), why, retry_after: None }
    }

    /// No recipient was accepted, for these reasons.
    pub(crate) fn all_refused(&self, why: &str) -> NotifyError {
        self.refused(SmtpStage::Recipient, why, hint::advice(SmtpStage::Recipient, why))
    }

    fn refused(&self, step: SmtpStage, why: &str, todo: &'static str) -> NotifyError {
        let why = step.of(&self.with_greeting(why.to_owned(), todo));
        NotifyError::Refused { peer: self.peer(), why, todo, of_content: false }
    }

    /// A server's words with their step, and with what to do about them where they name their cause.
    pub(crate) fn advised(&self, step: SmtpStage, why: String) -> String {
        step.of(&match hint::known(&why) {
            Some(todo) => format!("{}; {todo}", self.with_greeting(why, todo)),
            None => why,
        })
    }

    /// A server's words with the name that it was greeted with, where the advice is about that: servers seldom repeat it.
    fn with_greeting(&self, why: String, todo: &str) -> String {
        if todo == hint::GREETING { format!("{why}; the name that it refused is {}", self.hello) } else { why }
    }
}

/// A password too short to be masked may be in any word of the answer to it.
fn login_error_text(error: &SmtpError, password: &SecretString) -> String {
    match code(error) {
        Some(code) if password.expose_secret().len() < SHORTEST => {
            format!("{code} (text not shown: a password of fewer than {SHORTEST} bytes cannot be masked in it)")
        }
        _ => peer_text(&error.to_string()),
    }
}

fn code(error: &SmtpError) -> Option<u16> {
    error.status().map(u16::from)
}
