//! What a user should do about a server's refusal: found by its codes and words, which name the cause better than the
//! command that it refused does. Many servers refuse a greeting or a sender only when they hear the first recipient.

/// The stage of sending a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
pub(crate) enum SmtpStage {
    /// To reach the server.
    #[strum(serialize = "connect")]
    Connect,
    /// To protect the connection.
    #[strum(serialize = "TLS")]
    Tls,
    /// To greet.
    #[strum(serialize = "greeting")]
    Greeting,
    /// To log in with a password.
    #[strum(serialize = "log-in")]
    LogIn,
    /// To log in with an access token.
    #[strum(serialize = "log-in")]
    TokenLogIn,
    /// To name the sender.
    #[strum(serialize = "sender")]
    Sender,
    /// To name a recipient.
    #[strum(serialize = "recipient")]
    Recipient,
    /// To hand over the mail.
    #[strum(serialize = "message")]
    Message,
}

impl SmtpStage {
    /// A text with the stage in front of it, once.
    pub(crate) fn of(self, why: &str) -> String {
        let name: &str = self.into();
        format!("{name}: {why}")
    }
}

/// What a server wants that offers log-in by OAuth 2 only.
pub(crate) const ONLY_OAUTH: &str =
    "the server accepts OAuth 2 access tokens only: set smtp-auth = \"oauth2\" (docs/channels.md)";

/// What to do where a server accepts no access token.
pub(crate) const NO_TOKENS: &str =
    "the server accepts no OAuth 2 access tokens here: check smtp-host and smtp-port, or set smtp-auth = \"password\"";

/// What to do where a server refuses the name that it is greeted with.
pub(crate) const GREETING: &str = "set smtp-hello to a full host name of this machine that the server can look up";

/// Its causes, each with the words that tell it. The first match wins.
const CAUSES: [(&[&str], &str); 13] = [
    (&["helo", "ehlo"], GREETING),
    (
        &["authentication type", "authentication mechanism", "auth mechanism"],
        "the server accepts no passwords: allow password authentication for smtp-username, or leave it out",
    ),
    (
        &["smtpclientauthentication is disabled"],
        "authenticated SMTP is switched off (Microsoft 365): its administrator must enable it for this mailbox \
         (Set-CASMailbox -SmtpClientAuthenticationDisabled $false)",
    ),
    (
        &["5.7.139", "basic authentication is disabled"],
        "passwords are switched off for this mailbox (Microsoft 365): set smtp-auth = \"oauth2\" (docs/channels.md)",
    ),
    (
        &["5.7.9", "application-specific password", "app password"],
        "create an app password for smtp-username and use it instead of the usual one",
    ),
    (&["starttls"], "set smtp-tls = \"required\""),
    (
        &["(530)", "authentication required", "5.7.57", "not authenticated"],
        "the server requires authentication: set smtp-username and its password",
    ),
    (
        &["relay"],
        "the server does not relay mail for this host: set smtp-username and its password, or allow this machine there",
    ),
    (
        &["sender address rejected", "not owned by", "send as", "sendas", "5.7.60", "5.1.8", "4.1.8", "5.1.7"],
        "set from to an address that this server lets this user send as",
    ),
    (
        &["spf", "dkim", "dmarc", "5.7.26", "unauthenticated email"],
        "publish SPF or DKIM records for the domain of from, or send through its own mail server",
    ),
    (
        &["block list", "blocklist", "blacklist", "spamhaus", "dnsbl", "listed by", "listed at", "reputation"],
        "this machine's address is on a block list: send through a relay",
    ),
    (&["5.2.2", "mailbox full", "mailbox is full", "over quota", "quota exceeded"], "free space in that mailbox"),
    (
        &["too many recipients", "5.5.3"],
        "the server accepts fewer recipients at once: use a distribution list in to, or several channels",
    ),
];

/// The same for a log-in with an access token.
const TOKEN_CAUSES: [(&[&str], &str); 2] = [
    (&["authentication type", "authentication mechanism", "auth mechanism"], NO_TOKENS),
    (
        &["5.7.3"],
        "Microsoft 365 does not let this application use the mailbox: check its service principal and mailbox permission in \
         Exchange Online, smtp-username, and the tenant in oauth2.token-url",
    ),
];

/// What to do about a refusal: `why` is the server's answer with its code in brackets.
pub(crate) fn advice(step: SmtpStage, why: &str) -> &'static str {
    let of_token = (step == SmtpStage::TokenLogIn).then(|| named(&TOKEN_CAUSES, why)).flatten();
    of_token.or_else(|| known(why)).unwrap_or(match step {
        // A parameter that a server does not take before anything else was said is the name.
        SmtpStage::Greeting if why.contains("(501)") || why.contains("(504)") => GREETING,
        SmtpStage::Connect | SmtpStage::Tls | SmtpStage::Greeting => {
            "check smtp-host, smtp-port and whether this machine may connect"
        }
        SmtpStage::LogIn => "check smtp-username and the password",
        SmtpStage::TokenLogIn => {
            "check smtp-username (the mailbox), oauth2.scope, and that the application may send as this mailbox"
        }
        SmtpStage::Sender => "check from and what the server allows",
        SmtpStage::Recipient => "no recipient was accepted: check to",
        SmtpStage::Message => {
            "the server rejected this mail: see its answer, and allow mail from the from address there"
        }
    })
}

/// The cause that the server's words name, whatever was under way; none if they name none.
pub(crate) fn known(why: &str) -> Option<&'static str> {
    named(&CAUSES, why)
}

fn named(causes: &[(&[&str], &'static str)], why: &str) -> Option<&'static str> {
    let why = why.to_ascii_lowercase();
    causes.iter().find(|(words, _)| words.iter().any(|word| why.contains(word))).map(|(_, todo)| *todo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_named_whichever_command_was_refused() {
        for (step, why, expected) in [
            (
                SmtpStage::Recipient,
                "permanent error (504): 5.5.2 <vm>: Helo command rejected: need fully-qualified hostname",
                "smtp-hello",
            ),
            (
                SmtpStage::Recipient,
                "transient error (450): 4.7.1 <vm>: Helo command rejected: Host not found",
                "smtp-hello",
            ),
            (SmtpStage::Greeting, "permanent error (501): Syntactically invalid EHLO argument(s)", "smtp-hello"),
            (
                SmtpStage::LogIn,
                "permanent error (535): 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.",
                "must enable it",
            ),
            (
                SmtpStage::LogIn,
                "permanent error (535): 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
                "smtp-auth = \"oauth2\"",
            ),
            (SmtpStage::TokenLogIn, "permanent error (535): 5.7.3 Authentication unsuccessful", "service principal"),
            (
                SmtpStage::TokenLogIn,
                "permanent error (535): 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
                "must enable it",
            ),
            (SmtpStage::TokenLogIn, "permanent error (504): 5.7.4 Unrecognized authentication type", "no OAuth 2"),
            (SmtpStage::TokenLogIn, "permanent error (535): 5.7.8 Username and Password not accepted", "may send as"),
            (SmtpStage::LogIn, "permanent error (534): 5.7.9 Application-specific password required.", "app password"),
            (
                SmtpStage::LogIn,
                "permanent error (535): 5.7.8 authentication failed",
                "check smtp-username and the password",
            ),
            (SmtpStage::Sender, "permanent error (530): 5.7.0 Must issue a STARTTLS command first", "smtp-tls"),
            (
                SmtpStage::Sender,
                "permanent error (530): 5.7.57 Client not authenticated to send mail",
                "set smtp-username",
            ),
            (
                SmtpStage::Recipient,
                "permanent error (554): 5.7.1 <o@example.com>: Relay access denied",
                "does not relay",
            ),
            (SmtpStage::Greeting, "permanent error (504): 5.5.2 vm: need a fully-qualified name", "smtp-hello"),
            (
                SmtpStage::Sender,
                "permanent error (504): 5.5.2 <t@vm>: Sender address rejected: need fully-qualified address",
                "set from",
            ),
            (
                SmtpStage::Recipient,
                "permanent error (504): 5.5.2 <ops>: Recipient address rejected: need fully-qualified address",
                "check to",
            ),
            (SmtpStage::LogIn, "permanent error (504): 5.7.4 Unrecognized Authentication Type", "no password"),
            (
                SmtpStage::Recipient,
                "permanent error (553): 5.7.1 <t@example.com>: Sender address rejected: not owned by user u",
                "set from",
            ),
            (SmtpStage::Message, "permanent error (550): 5.7.26 This mail is unauthenticated", "SPF"),
            (
                SmtpStage::Recipient,
                "permanent error (554): 5.7.1 Client host blocked using zen.spamhaus.org",
                "block list",
            ),
            (SmtpStage::Recipient, "permanent error (552): 5.2.2 Mailbox full", "free space"),
            (SmtpStage::Recipient, "permanent error (550): 5.1.1 User unknown", "check to"),
            (SmtpStage::Sender, "permanent error (550): not you", "check from"),
        ] {
            let said = advice(step, why);
            assert!(said.contains(expected), "{why}: {said}");
        }
    }
}
