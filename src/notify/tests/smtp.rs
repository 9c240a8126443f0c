//! Mail delivery against servers that misbehave in every way the real ones do.

use std::time::Duration;

use secrecy::SecretString;

use crate::config::channel::{ChannelConfig as Config, SmtpTls};
use crate::notify::channels::email::Email;
use crate::notify::channels::smtp::Patience;
use crate::notify::delivery::{ChannelSecrets, DeliveryFacts, Receipt};
use crate::notify::error::NotifyError;
use crate::notify::tests::mail::{email, facts};
use crate::notify::tests::sample::busy;
use crate::notify::tests::smtp_peer::{Protect, Script, SmtpPeer, Then, certificate};

pub(crate) fn short() -> Patience {
    let limit = Duration::from_millis(500);
    Patience { token: limit, open: limit, command: limit, accept: limit, close: Duration::from_millis(20) }
}

fn channel(config: &Config) -> Email {
    let secrets = ChannelSecrets { smtp_password: Some(SecretString::from("hunter2")), ..ChannelSecrets::default() };
    Email::new(config, secrets, short()).unwrap()
}

async fn deliver(peer: &SmtpPeer, facts: &DeliveryFacts) -> Result<Receipt, NotifyError> {
    channel(&email(peer.port)).deliver(&busy(), facts).await
}

async fn outcome(script: Script) -> Result<Receipt, NotifyError> {
    let peer = SmtpPeer::start(Protect::Plain, script).await;
    deliver(&peer, &facts()).await
}

#[tokio::test]
async fn a_mail_reaches_every_recipient_in_one_message() {
    let mut peer = SmtpPeer::start(Protect::Plain, |_| None).await;
    let receipt = deliver(&peer, &facts()).await.unwrap();
    assert_eq!(receipt.done, ["ann@example.com", "bob@example.com"]);
    assert!(receipt.refused.is_empty());
    let heard = peer.heard();
    assert!(heard.contains(&"MAIL FROM:<triage@example.com>".to_owned()));
    assert!(heard.contains(&"Auto-Submitted: auto-generated".to_owned()));
    assert_eq!(heard.iter().filter(|line| *line == "DATA").count(), 1);
}

#[tokio::test]
async fn a_refused_recipient_does_not_lose_the_others() {
    let receipt = outcome(|line| line.contains("ann@").then_some(Then::Say("550 5.1.1 <ann@example.com> unknown")));
    let receipt = receipt.await.unwrap();
    assert_eq!(receipt.done, ["bob@example.com"]);
    assert_eq!(receipt.refused.len(), 1);
    assert!(receipt.refused[0].starts_with("ann@example.com: ") && receipt.refused[0].contains("550"));
}

#[tokio::test]
async fn a_greylisted_recipient_is_tried_again_alone() {
    let mut peer =
        SmtpPeer::start(Protect::Plain, |line| line.contains("ann@").then_some(Then::Say("451 4.7.1 greylisted")))
            .await;
    let error = deliver(&peer, &facts()).await.unwrap_err();
    assert!(error.is_transient() && !error.may_have_arrived());
    assert_eq!(error.done(), ["bob@example.com"]);
    peer.heard();
    let again = DeliveryFacts { done: error.done().to_vec(), ..facts() };
    deliver(&peer, &again).await.unwrap_err();
    let heard = peer.heard();
    assert!(!heard.iter().any(|line| line.contains("RCPT TO:<bob@")));
    assert!(heard.iter().any(|line| line.contains("RCPT TO:<ann@")));
    assert!(!heard.iter().any(|line| line == "DATA"));
}

#[tokio::test]
async fn refusals_are_permanent_and_deferrals_are_not() {
    let all_unknown: Script = |line| line.starts_with("RCPT").then_some(Then::Say("550 no such user"));
    let error = outcome(all_unknown).await.unwrap_err();
    assert!(matches!(error, NotifyError::Refused { .. }) && !error.is_transient());

    let closing: Script = |line| (line == "connect").then_some(Then::Say("421 too busy"));
    assert!(matches!(outcome(closing).await, Err(NotifyError::Deferred { .. })));

    let unwelcome: Script = |line| (line == "connect").then_some(Then::Say("554 go away"));
    assert!(matches!(outcome(unwelcome).await, Err(NotifyError::Refused { .. })));

    let closes_midway: Script = |line| line.contains("bob@").then_some(Then::Say("421 closing"));
    let error = outcome(closes_midway).await.unwrap_err();
    assert!(error.is_transient() && error.done().is_empty());

    let large: Script = |line| (line == ".").then_some(Then::Say("552 5.3.4 message too big"));
    let error = outcome(large).await.unwrap_err();
    // Four groups: the tiers in between would show all of them again.
    assert_eq!(error.next_tier(), Some(4), "{error}");

    let later: Script = |line| (line == ".").then_some(Then::Say("452 disk full"));
    assert!(matches!(outcome(later).await, Err(NotifyError::Deferred { .. })));
}

#[tokio::test]
async fn a_connection_cut_before_the_reply_to_the_message_may_have_arrived() {
    for script in [
        (|line: &str| (line == ".").then_some(Then::Cut)) as Script,
        (|line: &str| (line == ".").then_some(Then::Hang)) as Script,
    ] {
        let error = outcome(script).await.unwrap_err();
        assert!(error.may_have_arrived() && error.is_transient(), "{error}");
    }
}

#[tokio::test]
async fn a_connection_cut_or_silent_before_the_message_certainly_did_not_deliver() {
    for script in [
        (|line: &str| (line == "connect").then_some(Then::Hang)) as Script,
        (|line: &str| (line == "connect").then_some(Then::Cut)) as Script,
        (|line: &str| line.starts_with("MAIL").then_some(Then::Hang)) as Script,
        (|line: &str| line.starts_with("RCPT").then_some(Then::Cut)) as Script,
        (|line: &str| (line == "DATA").then_some(Then::Hang)) as Script,
    ] {
        let error = outcome(script).await.unwrap_err();
        assert!(matches!(error, NotifyError::Unreachable { .. }), "{error}");
        assert!(error.is_transient() && !error.may_have_arrived());
    }
}

#[tokio::test]
async fn no_one_listening_is_transient_and_names_the_peer() {
    let error = channel(&email(1)).deliver(&busy(), &facts()).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("127.0.0.1:1"), "{error}");
}

fn secured(port: u16, tls: SmtpTls) -> Config {
    Config {
        smtp_host: Some("localhost".into()),
        smtp_tls: Some(tls),
        smtp_username: Some("triage".into()),
        ..email(port)
    }
}

#[tokio::test]
async fn starttls_and_implicit_tls_log_in_and_deliver_when_the_certificate_is_trusted() {
    let (acceptor, trusted) = certificate();
    for (protect, tls) in
        [(Protect::StartTls(acceptor.clone()), SmtpTls::Required), (Protect::Implicit(acceptor), SmtpTls::Implicit)]
    {
        let mut peer = SmtpPeer::start(protect, |_| None).await;
        let mut email = channel(&secured(peer.port, tls));
        email.server.trusted = Some(trusted.clone());
        email.server.check(facts().now).await.unwrap();
        assert!(!peer.heard().iter().any(|line| line.starts_with("MAIL")));
        email.deliver(&busy(), &facts()).await.unwrap();
        let login = "AUTH PLAIN AHRyaWFnZQBodW50ZXIy".to_owned();
        assert!(peer.heard().contains(&login));
    }
}

#[tokio::test]
async fn an_untrusted_certificate_is_refused_with_advice_and_before_the_password() {
    let (acceptor, _) = certificate();
    for (protect, tls) in
        [(Protect::StartTls(acceptor.clone()), SmtpTls::Required), (Protect::Implicit(acceptor), SmtpTls::Implicit)]
    {
        let mut peer = SmtpPeer::start(protect, |_| None).await;
        let error = channel(&secured(peer.port, tls)).deliver(&busy(), &facts()).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("certificate is not trusted"), "{text}");
        assert!(!peer.heard().iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")));
    }
}

#[tokio::test]
async fn a_server_without_starttls_gets_neither_password_nor_mail() {
    let mut peer = SmtpPeer::start(Protect::Plain, |_| None).await;
    let error = channel(&secured(peer.port, SmtpTls::Required)).deliver(&busy(), &facts()).await;
    let error = error.unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("STARTTLS"), "{error}");
    assert!(!peer.heard().iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")));
}

#[tokio::test]
async fn a_refused_log_in_is_permanent_and_keeps_the_password_to_itself() {
    let peer = SmtpPeer::start(Protect::Plain, |line| {
        line.starts_with("AUTH").then_some(Then::Say("535 5.7.8 bad credentials"))
    })
    .await;
    let config = Config { smtp_username: Some("triage".into()), ..email(peer.port) };
    let error = channel(&config).deliver(&busy(), &facts()).await.unwrap_err();
    assert!(!error.is_transient());
    let shown = format!(
        "{error} {error:?} {:?}",
        Email::new(
            &config,
            ChannelSecrets { smtp_password: Some(SecretString::from("hunter2")), ..ChannelSecrets::default() },
            short()
        )
        .map(|_| ())
    );
    assert!(shown.contains("smtp-username") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn plain_text_is_refused_where_someone_could_listen() {
    let far = Config { smtp_host: Some("mail.example.com".into()), smtp_tls: Some(SmtpTls::None), ..email(25) };
    let error =
        |config: &Config| Email::new(config, ChannelSecrets::default(), short()).map(|_| ()).unwrap_err().to_string();
    assert!(error(&far).contains("smtp-allow-plaintext"));
    let allowed = Config { smtp_allow_plaintext: true, ..far };
    assert!(Email::new(&allowed, ChannelSecrets::default(), short()).is_ok());
    let with_login = Config { smtp_username: Some("triage".into()), ..allowed };
    assert!(error(&with_login).contains("neither password nor token is sent in plain text"));
}

#[test]
fn missing_and_malformed_settings_are_named() {
    let without = |change: fn(&mut Config)| {
        let mut config = email(25);
        change(&mut config);
        Email::new(&config, ChannelSecrets::default(), short()).map(|_| ()).unwrap_err().to_string()
    };
    assert!(without(|c| c.from = None).contains("from is missing"));
    assert!(without(|c| c.to.clear()).contains("to is missing"));
    assert!(without(|c| c.smtp_host = None).contains("smtp-host is missing"));
    assert!(without(|c| c.to = vec!["nobody".into()]).contains("not a mail address"));
    assert!(without(|c| c.smtp_username = Some("u".into())).contains("smtp-password-file"));
}

#[tokio::test]
async fn a_strict_server_is_greeted_with_a_full_name_and_never_gets_a_long_line() {
    let to: Vec<String> = (0..200).map(|n| format!("Person {n} <oncall-person-{n}@operations.example.com>")).collect();
    let mut peer = SmtpPeer::start(Protect::Plain, |_| None).await;
    let config = Config { to: to.clone(), smtp_hello: Some("triage.example.net".into()), ..email(peer.port) };
    let receipt = channel(&config).deliver(&busy(), &facts()).await.unwrap();
    assert_eq!((receipt.done.len(), receipt.refused), (200, Vec::new()));
    assert_eq!(peer.heard()[0], "EHLO triage.example.net");
    channel(&Config { smtp_hello: None, ..config }).deliver(&busy(), &facts()).await.unwrap();
}

#[tokio::test]
async fn a_refused_name_is_named_as_the_cause_and_once() {
    let late: Script = |line| {
        let refusal = "504 5.5.2 <vm>: Helo command rejected: need fully-qualified hostname";
        line.starts_with("RCPT").then_some(Then::Say(refusal))
    };
    let peer = SmtpPeer::start(Protect::Plain, late).await;
    let to = (0..50).map(|n| format!("p{n}@example.com")).collect();
    let error = channel(&Config { to, ..email(peer.port) }).deliver(&busy(), &facts()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("p0@example.com, p1@example.com, p2@example.com and 47 more: "), "{text}");
    assert!(
        text.contains("set smtp-hello") && text.matches("504").count() == 1 && !text.contains("check to"),
        "{text}"
    );
    // Whoever has set a name has to learn that it is this one that is refused.
    let config = Config { smtp_hello: Some("mail.example.net".into()), ..email(peer.port) };
    let text = channel(&config).deliver(&busy(), &facts()).await.unwrap_err().to_string();
    assert!(text.contains("the name that it refused is mail.example.net; set smtp-hello to"), "{text}");

    let at_once: Script = |line| line.starts_with("EHLO").then_some(Then::Say("501 5.5.2 EHLO needs a full name"));
    let error = outcome(at_once).await.unwrap_err();
    assert!(!error.is_transient() && error.to_string().contains("set smtp-hello"), "{error}");

    let unknown: Script =
        |line| line.starts_with("RCPT").then_some(Then::Say("450 4.7.1 <vm>: Helo command rejected: Host not found"));
    let error = outcome(unknown).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("set smtp-hello"), "{error}");
}

#[tokio::test]
async fn a_server_that_takes_no_passwords_says_what_is_needed() {
    let only_oauth: Script = |line| line.starts_with("EHLO").then_some(Then::Say("250 AUTH XOAUTH2"));
    let peer = SmtpPeer::start(Protect::Plain, only_oauth).await;
    let config = Config { smtp_username: Some("triage".into()), ..email(peer.port) };
    let text = channel(&config).deliver(&busy(), &facts()).await.unwrap_err().to_string();
    assert!(
        text.contains("XOAUTH2") && text.contains("smtp-auth = \"oauth2\"") && !text.contains("smtp-tls"),
        "{text}"
    );

    let switched_off: Script = |line| {
        let refusal = "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.";
        line.starts_with("AUTH").then_some(Then::Say(refusal))
    };
    let peer = SmtpPeer::start(Protect::Plain, switched_off).await;
    let config = Config { smtp_username: Some("triage".into()), ..email(peer.port) };
    let text = channel(&config).deliver(&busy(), &facts()).await.unwrap_err().to_string();
    assert!(text.contains("smtp-auth = \"oauth2\"") && !text.contains("check smtp-username"), "{text}");
}

#[tokio::test]
async fn recipients_beyond_a_servers_limit_get_a_mail_of_their_own_at_once() {
    use std::sync::atomic::{AtomicBool, Ordering};
    static FULL: AtomicBool = AtomicBool::new(true);
    let one_at_a_time: Script = |line| {
        let beyond = line.contains("bob@") && FULL.swap(false, Ordering::SeqCst);
        beyond.then_some(Then::Say("452 4.5.3 Error: too many recipients"))
    };
    let mut peer = SmtpPeer::start(Protect::Plain, one_at_a_time).await;
    let receipt = deliver(&peer, &facts()).await.unwrap();
    assert_eq!(receipt.done, ["ann@example.com", "bob@example.com"]);
    let heard = peer.heard();
    let ids: Vec<&String> = heard.iter().filter(|line| line.starts_with("Message-ID")).collect();
    assert_eq!((ids.len(), ids[0]), (2, ids[1]));

    // A limit of none at all is no reason to go on for ever.
    let error = outcome(|line| line.starts_with("RCPT").then_some(Then::Say("452 4.5.3 too many recipients")));
    assert!(error.await.unwrap_err().is_transient());
}

#[tokio::test]
async fn who_was_refused_is_said_even_while_others_are_deferred() {
    let script: Script = |line| match line {
        _ if line.contains("ann@") => Some(Then::Say("550 5.1.1 unknown")),
        _ if line.contains("bob@") => Some(Then::Say("451 4.7.1 greylisted")),
        _ => None,
    };
    let text = outcome(script).await.unwrap_err().to_string();
    assert!(text.contains("bob@example.com: ") && text.contains("refused for good: ann@example.com: "), "{text}");
}

#[tokio::test]
async fn what_is_said_to_a_password_that_cannot_be_masked_is_not_shown() {
    let peer = SmtpPeer::start(Protect::Plain, |line| {
        line.starts_with("AUTH").then_some(Then::Say("535 5.7.8 the password abc is wrong"))
    })
    .await;
    let config = Config { smtp_username: Some("triage".into()), ..email(peer.port) };
    let secrets = ChannelSecrets { smtp_password: Some(SecretString::from("abc")), ..ChannelSecrets::default() };
    let text = Email::new(&config, secrets, short()).unwrap().deliver(&busy(), &facts()).await.unwrap_err().to_string();
    assert!(text.contains("535") && !text.contains("abc"), "{text}");
}

#[test]
fn an_ipv6_address_is_taken_with_and_without_brackets() {
    for host in ["[::1]", "::1"] {
        let config = Config { smtp_host: Some(host.to_owned()), ..email(25) };
        let email = Email::new(&config, ChannelSecrets::default(), short()).unwrap();
        assert_eq!((email.server.host.as_str(), email.server.peer().as_str()), ("::1", "[::1]:25"));
    }
}
