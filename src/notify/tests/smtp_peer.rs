//! A mail server on loopback that plays a script: which command gets which answer, and where it breaks off.
//!
//! Beside the script it is as strict as real relays: it wants a full name behind `EHLO` and lines of at most 998 characters.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// What the server does when it hears a line.
pub(crate) enum Then {
    Say(&'static str),
    /// Closes without a word.
    Cut,
    /// Never answers.
    Hang,
}

pub(crate) type Script = fn(&str) -> Option<Then>;

/// A script that may remember what it has heard.
type SharedScript = Arc<dyn Fn(&str) -> Option<Then> + Send + Sync>;

/// How the server protects its connections.
#[derive(Clone)]
pub(crate) enum Protect {
    Plain,
    StartTls(TlsAcceptor),
    Implicit(TlsAcceptor),
}

pub(crate) struct SmtpPeer {
    pub(crate) port: u16,
    /// Every line that was heard, message lines included.
    heard: mpsc::UnboundedReceiver<String>,
}

impl SmtpPeer {
    pub(crate) async fn start(
        protect: Protect,
        script: impl Fn(&str) -> Option<Then> + Send + Sync + 'static,
    ) -> SmtpPeer {
        let script: SharedScript = Arc::new(script);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let talk = converse(stream, protect.clone(), Arc::clone(&script), tell.clone());
                tokio::spawn(async move { talk.await.unwrap_or_default() });
            }
        });
        SmtpPeer { port, heard }
    }

    /// All lines heard until now.
    pub(crate) fn heard(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }
}

async fn converse(
    stream: TcpStream,
    protect: Protect,
    script: SharedScript,
    tell: mpsc::UnboundedSender<String>,
) -> std::io::Result<()> {
    match protect {
        Protect::Plain => talk(BufStream::new(stream), "250 AUTH PLAIN", &*script, &tell, true).await.map(|_| ()),
        Protect::Implicit(tls) => {
            let stream = tls.accept(stream).await?;
            talk(BufStream::new(stream), "250 AUTH PLAIN", &*script, &tell, true).await.map(|_| ())
        }
        Protect::StartTls(tls) => {
            let asked = talk(BufStream::new(stream), "250 STARTTLS", &*script, &tell, true).await?;
            let Some(plain) = asked else { return Ok(()) };
            let stream = tls.accept(plain.into_inner()).await?;
            talk(BufStream::new(stream), "250 AUTH PLAIN", &*script, &tell, false).await.map(|_| ())
        }
    }
}

/// Talks until the end; hands the stream back if the client asked for STARTTLS.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: BufStream<S>,
    offer: &'static str,
    script: &(dyn Fn(&str) -> Option<Then> + Send + Sync),
    tell: &mpsc::UnboundedSender<String>,
    greet: bool,
) -> std::io::Result<Option<BufStream<S>>> {
    if greet && !obey(&mut stream, script("connect").unwrap_or(Then::Say("220 peer ready"))).await? {
        return Ok(None);
    }
    let (mut in_message, mut too_long) = (false, false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end().to_owned();
        tell.send(line.clone()).unwrap_or_default();
        // A log-in may be longer than other commands and lines of a message (RFC 4954, 4).
        too_long |= line.len() > if !in_message && line.starts_with("AUTH ") { 12_286 } else { 998 };
        if in_message && line != "." {
            continue;
        }
        in_message = false;
        let upper = line.to_ascii_uppercase();
        if let Some(name) = upper.strip_prefix("EHLO ") {
            let offer = match script(&line) {
                Some(Then::Say(offer)) => offer,
                _ if !name.contains('.') => "504 5.5.2 Helo command rejected: need fully-qualified hostname",
                _ => offer,
            };
            if !offer.starts_with("250") {
                obey(&mut stream, Then::Say(offer)).await?;
                continue;
            }
            stream.write_all(format!("250-peer\r\n{offer}\r\n").as_bytes()).await?;
            stream.flush().await?;
            continue;
        }
        let usual = match upper.split([' ', ':']).next().unwrap_or("") {
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            "AUTH" => "235 welcome",
            "STARTTLS" => "220 go on",
            "." if std::mem::take(&mut too_long) => "500 5.5.2 Error: line too long",
            _ => "250 ok",
        };
        let then = script(&line).unwrap_or(Then::Say(usual));
        in_message = matches!(then, Then::Say("354 go on"));
        let starts_tls = upper == "STARTTLS";
        if !obey(&mut stream, then).await? {
            return Ok(None);
        }
        if starts_tls {
            return Ok(Some(stream));
        }
    }
}

async fn obey<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, then: Then) -> std::io::Result<bool> {
    match then {
        Then::Say(answer) => {
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
            stream.flush().await?;
            Ok(true)
        }
        Then::Cut => Ok(false),
        Then::Hang => std::future::pending().await,
    }
}

/// A certificate for `localhost` that no one signed, as the server uses it and as a client may trust it.
pub(crate) fn certificate() -> (TlsAcceptor, lettre::transport::smtp::client::Certificate) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let config = tokio_rustls::rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let trusted = lettre::transport::smtp::client::Certificate::from_der(made.cert.der().to_vec());
    (TlsAcceptor::from(Arc::new(config)), trusted.unwrap())
}
