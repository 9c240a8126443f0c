//! A mail server or receiver of webhooks on loopback that has a fault until it is mended, and keeps what it takes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use llama_triage::internals::config::ChannelKind;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::channel_faults::{Act, ChannelFault, Http, SmtpReply};

/// So many tries meet a peer that hangs; to later ones it breaks off at the same place.
const HANGS: usize = 3;

/// A peer and its fault.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) trouble: ChannelFault,
    pub(crate) port: u16,
    /// Where its token endpoint is; that of a mail server that accepts tokens only.
    pub(crate) token_port: Option<u16>,
    state: Arc<State>,
}

struct State {
    mended: AtomicBool,
    met: AtomicUsize,
    /// When the last connection was made.
    asked_at: Mutex<Option<Instant>>,
    /// It let a try wait for its time limit.
    hung: AtomicBool,
    /// How many messages had come when it was mended.
    before: AtomicUsize,
    /// Whole messages, taken or not.
    got: Mutex<Vec<String>>,
    /// Bound and not listening: who connects is refused, and no one else gets the port.
    closed: Mutex<Option<TcpSocket>>,
    tls: Option<TlsAcceptor>,
}

impl Peer {
    pub(crate) fn start(kind: ChannelKind, trouble: ChannelFault) -> Peer {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().port();
        let tls = matches!(trouble.act, Act::BadTls).then(certificate);
        let state = State {
            mended: AtomicBool::new(false),
            met: AtomicUsize::new(0),
            asked_at: Mutex::default(),
            hung: AtomicBool::new(false),
            before: AtomicUsize::new(0),
            got: Mutex::default(),
            closed: Mutex::default(),
            tls,
        };
        let tokens = matches!(trouble.act, Act::Token(_)).then(|| {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            socket.listen(64).unwrap()
        });
        let token_port = tokens.as_ref().map(|listener| listener.local_addr().unwrap().port());
        let peer = Peer { trouble, port, token_port, state: Arc::new(state) };
        if let Some(listener) = tokens {
            tokio::spawn(peer.clone().grant(listener));
        }
        if matches!(trouble.act, Act::Refuse) {
            *peer.state.closed.lock().unwrap() = Some(socket);
        } else {
            tokio::spawn(peer.clone().serve(kind, socket.listen(64).unwrap()));
        }
        peer
    }

    /// The fault ends.
    pub(crate) fn mend(&self, kind: ChannelKind) {
        self.state.before.store(self.got().len(), Ordering::SeqCst);
        self.state.mended.store(true, Ordering::SeqCst);
        if let Some(socket) = self.state.closed.lock().unwrap().take() {
            tokio::spawn(self.clone().serve(kind, socket.listen(64).unwrap()));
        }
    }

    /// When the last try ended, each of which may take so long; none if nothing was connected.
    pub(crate) fn tried_until(&self, limit: Duration) -> Option<Instant> {
        let waited = if self.state.hung.load(Ordering::SeqCst) { limit } else { Duration::ZERO };
        self.state.asked_at.lock().unwrap().map(|asked_at| asked_at + waited)
    }

    /// Every whole message that arrived, also those that were then refused.
    pub(crate) fn got(&self) -> Vec<String> {
        self.state.got.lock().unwrap().clone()
    }

    /// Those that arrived after the fault.
    pub(crate) fn got_since_mended(&self) -> Vec<String> {
        self.got().split_off(self.state.before.load(Ordering::SeqCst))
    }

    fn keep(&self, message: String) {
        self.state.got.lock().unwrap().push(message);
    }

    fn is_well(&self) -> bool {
        self.state.mended.load(Ordering::SeqCst)
    }

    /// Whether it may still take the time of those who wait: hundreds of tries that hang would last for an hour.
    fn may_hang(&self) -> bool {
        self.state.met.load(Ordering::SeqCst) <= HANGS
    }

    /// Counts a message; true if it meets the fault.
    fn meets(&self) -> bool {
        !self.is_well() && (self.state.met.fetch_add(1, Ordering::SeqCst) == 0 || !self.trouble.only_first)
    }

    async fn serve(self, kind: ChannelKind, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let peer = self.clone();
            *peer.state.asked_at.lock().unwrap() = Some(Instant::now());
            tokio::spawn(async move { peer.converse(kind, stream).await.unwrap_or_default() });
        }
    }

    async fn grant(self, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let peer = self.clone();
            *peer.state.asked_at.lock().unwrap() = Some(Instant::now());
            let granted = r#"{"access_token":"token-of-a-test","token_type":"Bearer","expires_in":3599}"#;
            tokio::spawn(async move { peer.exchange(stream, granted).await.map(|_| ()).unwrap_or_default() });
        }
    }

    async fn converse(self, kind: ChannelKind, stream: TcpStream) -> std::io::Result<()> {
        let tls = self.state.tls.clone().filter(|_| !self.is_well());
        let offer = if self.token_port.is_some() { "250 AUTH XOAUTH2" } else { "250 AUTH PLAIN" };
        match (kind, tls) {
            (ChannelKind::Email, None) => self.talk(BufStream::new(stream), offer).await.map(|_| ()),
            (ChannelKind::Email, Some(tls)) => {
                let Some(plain) = self.talk(BufStream::new(stream), "250 STARTTLS").await? else { return Ok(()) };
                self.talk(BufStream::new(tls.accept(plain.into_inner()).await?), "250 AUTH PLAIN").await.map(|_| ())
            }
            (_, None) => self.exchange(stream, "ok").await,
            (_, Some(tls)) => tls.accept(stream).await.map(|_| ()),
        }
    }

    /// One HTTP exchange; without a fault it is answered with 200 and `usual`.
    async fn exchange(&self, stream: TcpStream, usual: &'static str) -> std::io::Result<()> {
        let mut stream = BufStream::new(stream);
        let (mut length, mut line) = (0, String::new());
        while stream.read_line(&mut line).await? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        if self.token_port.is_none() {
            self.keep(String::from_utf8(body).unwrap());
        }
        let act = match self.trouble.act {
            Act::Http(act) | Act::Token(act) if self.meets() => act,
            _ => Http::Says(200, None, usual),
        };
        let answer = match act {
            Http::Hangs if !self.may_hang() => return stream.into_inner().set_zero_linger(),
            Http::Resets => return stream.into_inner().set_zero_linger(),
            Http::Hangs => return self.hang(&mut stream).await,
            Http::Stalls | Http::Ends => "HTTP/1.1 200 x\r\ncontent-length: 999\r\n\r\no".to_owned(),
            Http::Says(status, header, body) => {
                let header = header.map(|(name, value)| format!("{name}: {value}\r\n")).unwrap_or_default();
                let length = body.len();
                format!("HTTP/1.1 {status} x\r\n{header}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
            }
        };
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
        if matches!(act, Http::Stalls) && self.may_hang() { self.hang(&mut stream).await } else { Ok(()) }
    }

    /// An SMTP dialogue; hands the stream back if the client asked for STARTTLS.
    async fn talk<S>(&self, mut stream: BufStream<S>, offer: &str) -> std::io::Result<Option<BufStream<S>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut line = "connect".to_owned();
        let mut message = None;
        loop {
            let upper = line.to_ascii_uppercase();
            let usual = match upper.split([' ', ':']).next().unwrap_or("") {
                "CONNECT" => "220 peer ready",
                "EHLO" if !upper.contains('.') => "504 5.5.2 Helo command rejected: need fully-qualified hostname",
                "EHLO" => "",
                "DATA" => "354 go on",
                "QUIT" => "221 bye",
                "AUTH" => "235 welcome",
                "STARTTLS" => "220 go on",
                _ => "250 ok",
            };
            let said = match self.act_on(&line).unwrap_or(SmtpReply::Line(usual)) {
                SmtpReply::Cut => return Ok(None),
                SmtpReply::Hang if !self.may_hang() => return Ok(None),
                SmtpReply::Hang => return self.hang(&mut stream).await.map(|()| None),
                SmtpReply::Line("") => format!("250-peer\r\n{offer}\r\n"),
                SmtpReply::Line(said) => format!("{said}\r\n"),
            };
            stream.write_all(said.as_bytes()).await?;
            stream.flush().await?;
            if upper == "STARTTLS" {
                return Ok(Some(stream));
            }
            if said.starts_with("354") {
                message = Some(String::new());
            }
            loop {
                line.clear();
                if stream.read_line(&mut line).await? == 0 {
                    return Ok(None);
                }
                match &mut message {
                    Some(text) if line.trim_end() != "." => *text += &line,
                    _ => break,
                }
            }
            message.take().into_iter().for_each(|text| self.keep(text));
            line = line.trim_end().to_owned();
        }
    }

    fn act_on(&self, line: &str) -> Option<SmtpReply> {
        match self.trouble.act {
            Act::Mail(script, _) if !self.is_well() => script(line).filter(|_| self.meets()),
            _ => None,
        }
    }

    /// Says nothing until the other side gives up.
    async fn hang<S: AsyncRead + Unpin>(&self, stream: &mut S) -> std::io::Result<()> {
        self.state.hung.store(true, Ordering::SeqCst);
        while stream.read(&mut [0; 1024]).await? > 0 {}
        Ok(())
    }
}

/// A certificate for `localhost` that no one signed.
fn certificate() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let config = tokio_rustls::rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}
