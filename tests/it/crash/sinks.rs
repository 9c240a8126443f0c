//! A mail server and a receiver of webhooks on loopback that keep what they get, and can stop dead at a named point.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpStream};

/// Where a sink stops answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// A mail connection was made.
    MailConnected,
    /// A mail is about to be sent.
    MailBegun,
    /// A whole mail was taken and not acknowledged.
    MailTaken,
    /// A mail was acknowledged.
    MailAcknowledged,
    /// A webhook was taken and not answered.
    HookTaken,
}

/// What arrived: mails by Message-ID and webhooks by id, each with all copies.
#[derive(Clone, Default)]
pub(crate) struct Sinks(Arc<Mutex<ReceivedMessages>>);

#[derive(Default)]
struct ReceivedMessages {
    mails: BTreeMap<String, Vec<String>>,
    hooks: BTreeMap<String, Vec<String>>,
    hold: Option<Hold>,
    reached: bool,
}

impl Sinks {
    /// Starts both; the ports are those of mail and webhooks.
    pub(crate) async fn start() -> (Sinks, u16, u16) {
        let sinks = Sinks::default();
        let mail = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hook = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ports = (mail.local_addr().unwrap().port(), hook.local_addr().unwrap().port());
        let taking = sinks.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = mail.accept().await {
                let taking = taking.clone();
                // A peer that is killed ends its connection in the middle: nothing is wrong with that.
                tokio::spawn(async move { taking.take_mail(stream).await.unwrap_or_default() });
            }
        });
        let app = Router::new().fallback(take_hook).with_state(sinks.clone());
        tokio::spawn(async move { axum::serve(hook, app).await });
        (sinks, ports.0, ports.1)
    }

    /// Stops at this point from now on; none lets everything pass.
    pub(crate) fn hold(&self, hold: Option<Hold>) {
        let mut kept = self.0.lock().unwrap();
        (kept.hold, kept.reached) = (hold, false);
    }

    /// Whether someone waits at the point.
    pub(crate) fn is_reached(&self) -> bool {
        self.0.lock().unwrap().reached
    }

    /// Every mail with its copies.
    pub(crate) fn mails(&self) -> BTreeMap<String, Vec<String>> {
        self.0.lock().unwrap().mails.clone()
    }

    /// Every webhook with its copies.
    pub(crate) fn hooks(&self) -> BTreeMap<String, Vec<String>> {
        self.0.lock().unwrap().hooks.clone()
    }

    /// True if the caller is to stop here.
    fn stops_at(&self, point: Hold) -> bool {
        let mut kept = self.0.lock().unwrap();
        let stops = kept.hold == Some(point);
        kept.reached |= stops;
        stops
    }

    async fn take_mail(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufStream::new(stream);
        if self.stops_at(Hold::MailConnected) {
            return wait_for_its_end(&mut stream).await;
        }
        say(&mut stream, "220 sink").await?;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            match line.split_whitespace().next().unwrap_or_default().to_ascii_uppercase().as_str() {
                "DATA" => {
                    if self.stops_at(Hold::MailBegun) {
                        return wait_for_its_end(&mut stream).await;
                    }
                    say(&mut stream, "354 go on").await?;
                    let mail = read_mail(&mut stream).await?;
                    self.keep_mail(mail);
                    if self.stops_at(Hold::MailTaken) {
                        return wait_for_its_end(&mut stream).await;
                    }
                    say(&mut stream, "250 taken").await?;
                    self.stops_at(Hold::MailAcknowledged);
                }
                "QUIT" => return say(&mut stream, "221 bye").await,
                _ => say(&mut stream, "250 ok").await?,
            }
        }
    }

    fn keep_mail(&self, mail: String) {
        let id = mail.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap_or("(none)").to_owned();
        self.0.lock().unwrap().mails.entry(id).or_default().push(mail);
    }
}

async fn read_mail(stream: &mut BufStream<TcpStream>) -> std::io::Result<String> {
    let mut mail = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line.trim_end() == "." {
            return Ok(mail);
        }
        mail += &line;
    }
}

async fn say(stream: &mut BufStream<TcpStream>, answer: &str) -> std::io::Result<()> {
    stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    stream.flush().await
}

async fn wait_for_its_end(stream: &mut BufStream<TcpStream>) -> std::io::Result<()> {
    while stream.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

async fn take_hook(State(sinks): State<Sinks>, headers: HeaderMap, body: Bytes) -> &'static str {
    let id = headers.get("webhook-id").map_or("(none)", |id| id.to_str().unwrap()).to_owned();
    let body = String::from_utf8(body.to_vec()).unwrap();
    sinks.0.lock().unwrap().hooks.entry(id).or_default().push(body);
    if sinks.stops_at(Hold::HookTaken) {
        // The caller is killed here; axum drops this with its connection.
        std::future::pending::<()>().await;
    }
    "ok"
}
