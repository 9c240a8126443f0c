//! A receiver of webhooks on loopback that gives one set answer and keeps what it got.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::config::channel::{ChannelConfig as Config, ChannelKind};
use crate::notify::Channel;
use crate::notify::delivery::ChannelSecrets;

/// What the receiver answers: status, headers, body.
#[derive(Clone, Default)]
pub(crate) struct Say {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: &'static str,
    /// Begins the body and never ends it.
    pub(crate) stalls: bool,
    /// So many answers are 200 before it.
    pub(crate) after: usize,
    /// It is given once; later answers are 200.
    pub(crate) once: bool,
}

#[derive(Clone)]
pub(crate) struct HttpPeer {
    pub(crate) url: String,
    say: Arc<Say>,
    got: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    methods: Arc<Mutex<Vec<Method>>>,
}

impl HttpPeer {
    pub(crate) async fn start(say: Say) -> HttpPeer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = HttpPeer {
            url: format!("http://{}/s3cret/path", listener.local_addr().unwrap()),
            say: Arc::new(say),
            got: Arc::default(),
            methods: Arc::default(),
        };
        if receiver.say.stalls {
            tokio::spawn(stall(listener, (*receiver.say).clone()));
            return receiver;
        }
        let app = Router::new().fallback(answer).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        receiver
    }

    pub(crate) fn got(&self) -> Vec<(HeaderMap, String)> {
        self.got.lock().unwrap().clone()
    }

    pub(crate) fn methods(&self) -> Vec<Method> {
        self.methods.lock().unwrap().clone()
    }

    /// A channel of a kind that sends here.
    pub(crate) fn channel(&self, kind: ChannelKind) -> Channel {
        let config = Config { name: "c".into(), kind, ..Config::default() };
        let secrets = ChannelSecrets {
            url: Some(SecretString::from(self.url.clone())),
            signing_secret: Some(SecretString::from("whsec_c2lnbmluZyBzZWNyZXQ=")),
            routing_key: Some(SecretString::from("0123456789abcdef0123456789abcdef")),
            ..ChannelSecrets::default()
        };
        Channel::with_limit(&config, secrets, Duration::from_millis(700)).unwrap()
    }
}

async fn answer(State(peer): State<HttpPeer>, method: Method, headers: HeaderMap, body: Bytes) -> Response<Body> {
    peer.methods.lock().unwrap().push(method);
    let before = {
        let mut got = peer.got.lock().unwrap();
        got.push((headers, String::from_utf8(body.to_vec()).unwrap()));
        got.len() - 1
    };
    let say = &*peer.say;
    if before < say.after || (say.once && before > say.after) {
        return Response::new(Body::from("ok"));
    }
    let mut response = Response::builder().status(say.status);
    for (name, value) in &say.headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(say.body)).unwrap()
}

/// Promises a longer body than it gives, and keeps the connection open.
async fn stall(listener: TcpListener, say: Say) {
    let mut open = Vec::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let _ = stream.read(&mut [0; 65_536]).await;
        let head = format!("HTTP/1.1 {} x\r\ncontent-length: 999\r\n\r\n{}", say.status, say.body);
        let _ = stream.write_all(head.as_bytes()).await;
        open.push(stream);
    }
}
