//! The faults that a mail server or a receiver of webhooks can make, each with the name under which `docs/development/faults.md` lists it.

use llama_triage::internals::config::ChannelKind;

/// One fault.
#[derive(Clone, Copy)]
pub(crate) struct ChannelFault {
    pub(crate) name: &'static str,
    pub(crate) act: Act,
    /// How many messages meet it; all, if this is none.
    pub(crate) only_first: bool,
}

/// What a peer does instead of taking a digest.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    /// No one listens.
    Refuse,
    /// Its certificate is signed by no one.
    BadTls,
    /// A web server's way.
    Http(Http),
    /// A mail server's way: what it says to a line, and whether we log in.
    Mail(fn(&str) -> Option<SmtpReply>, bool),
    /// The way of a token endpoint, whose tokens are all that the mail server accepts.
    Token(Http),
    /// No TLS where it is required.
    NoTls,
}

/// What a receiver of webhooks does once it has read the request.
#[derive(Clone, Copy)]
pub(crate) enum Http {
    /// Answers: status, a header, a body.
    Says(u16, Option<(&'static str, &'static str)>, &'static str),
    /// Resets the connection.
    Resets,
    /// Never answers.
    Hangs,
    /// Begins a body of status 200 and never ends it.
    Stalls,
    /// Ends in the middle of a body of status 200.
    Ends,
}

/// What a mail server does to a line; `connect` and `.` stand for the greeting and the end of the message.
#[derive(Clone, Copy)]
pub(crate) enum SmtpReply {
    Line(&'static str),
    Cut,
    Hang,
}

/// The faults of a kind of channel.
pub(crate) fn all(kind: ChannelKind) -> Vec<ChannelFault> {
    if kind == ChannelKind::Email { mail_faults() } else { http_faults() }
}

fn always(name: &'static str, act: Act) -> ChannelFault {
    ChannelFault { name, act, only_first: false }
}

fn http_faults() -> Vec<ChannelFault> {
    let says = |status, body| Act::Http(Http::Says(status, None, body));
    let after = |status, wish| Act::Http(Http::Says(status, Some(("retry-after", wish)), ""));
    let elsewhere = Some(("location", "https://elsewhere.example.com/"));
    let teams = "Microsoft Teams endpoint returned HTTP error 429 with ContextId x";
    let page = "<!DOCTYPE html><html><h1>Back soon</h1></html>";
    vec![
        always("connection refused", Act::Refuse),
        always("certificate not trusted", Act::BadTls),
        always("connection reset", Act::Http(Http::Resets)),
        always("never answers", Act::Http(Http::Hangs)),
        always("slow body", Act::Http(Http::Stalls)),
        always("half a body", Act::Http(Http::Ends)),
        always("400", says(400, "no")),
        always("401", says(401, "no")),
        always("403", says(403, "no")),
        always("404", says(404, "no")),
        always("408", says(408, "")),
        always("410", says(410, "")),
        ChannelFault { only_first: true, ..always("413, and takes a smaller one", says(413, "")) },
        always("413, whatever the size", says(413, "")),
        always("422", says(422, "")),
        always("429", says(429, "")),
        always("429, Retry-After 1 h", after(429, "3600")),
        always("429, Retry-After nonsense", after(429, "soon")),
        always("500", says(500, "")),
        always("502", says(502, "")),
        always("503", says(503, "")),
        always("503, Retry-After 90 s", after(503, "90")),
        always("307", Act::Http(Http::Says(307, elsewhere, ""))),
        always("200 with a web page", says(200, page)),
        always("200, \"invalid_blocks\"", says(200, "invalid_blocks")),
        always("200, \"HTTP error 429\"", says(200, teams)),
    ]
}

fn mail_faults() -> Vec<ChannelFault> {
    let mail = |script| Act::Mail(script, false);
    let login = |script| Act::Mail(script, true);
    let token = |status, body| Act::Token(Http::Says(status, None, body));
    vec![
        always("connection refused", Act::Refuse),
        always("no STARTTLS", Act::NoTls),
        always("certificate not trusted", Act::BadTls),
        always("silent at once", mail(|line| (line == "connect").then_some(SmtpReply::Hang))),
        always("cut at once", mail(|line| (line == "connect").then_some(SmtpReply::Cut))),
        always("421 at once", mail(|line| (line == "connect").then_some(SmtpReply::Line("421 too busy")))),
        always("554 at once", mail(|line| (line == "connect").then_some(SmtpReply::Line("554 go away")))),
        always("no mail server", mail(|line| (line == "connect").then_some(SmtpReply::Line("SSH-2.0-x")))),
        always("454 to the log-in", login(|line| line.starts_with("AUTH").then_some(SmtpReply::Line("454 later")))),
        always("535 to the log-in", login(|line| line.starts_with("AUTH").then_some(SmtpReply::Line("535 wrong")))),
        always("token: invalid_client", token(401, "{\"error\":\"invalid_client\"}")),
        always("token: no access_token", token(200, "{}")),
        always("token: not JSON", token(200, "<html>log in</html>")),
        always("token: 429", token(429, "")),
        always("token: 503", token(503, "")),
        always("token: never answers", Act::Token(Http::Hangs)),
        always("token: half a body", Act::Token(Http::Ends)),
        always("451 to the sender", mail(|line| line.starts_with("MAIL").then_some(SmtpReply::Line("451 later")))),
        always("550 to the sender", mail(|line| line.starts_with("MAIL").then_some(SmtpReply::Line("550 not you")))),
        always("silent after the sender", mail(|line| line.starts_with("MAIL").then_some(SmtpReply::Hang))),
        always(
            "451 to a recipient",
            mail(|line| line.contains("RCPT TO:<ann@").then_some(SmtpReply::Line("451 greylisted"))),
        ),
        always(
            "550 to a recipient",
            mail(|line| line.contains("RCPT TO:<ann@").then_some(SmtpReply::Line("550 unknown"))),
        ),
        always(
            "421 to a recipient",
            mail(|line| line.contains("RCPT TO:<bob@").then_some(SmtpReply::Line("421 closing"))),
        ),
        always(
            "550 to all recipients",
            mail(|line| line.starts_with("RCPT").then_some(SmtpReply::Line("550 unknown"))),
        ),
        always(
            "552 to all recipients",
            mail(|line| line.starts_with("RCPT").then_some(SmtpReply::Line("552 mailbox full"))),
        ),
        always("451 to DATA", mail(|line| (line == "DATA").then_some(SmtpReply::Line("451 later")))),
        always("cut after DATA", mail(|line| (line == "DATA").then_some(SmtpReply::Cut))),
        always("451 to the message", mail(|line| (line == ".").then_some(SmtpReply::Line("451 later")))),
        always("550 to the message", mail(|line| (line == ".").then_some(SmtpReply::Line("550 looks like spam")))),
        ChannelFault {
            only_first: true,
            ..always(
                "552 to the message, and takes a smaller one",
                mail(|line| (line == ".").then_some(SmtpReply::Line("552 too big"))),
            )
        },
        always(
            "552 to the message, whatever the size",
            mail(|line| (line == ".").then_some(SmtpReply::Line("552 too big"))),
        ),
        always("cut after the message", mail(|line| (line == ".").then_some(SmtpReply::Cut))),
        always("silent after the message", mail(|line| (line == ".").then_some(SmtpReply::Hang))),
    ]
}
