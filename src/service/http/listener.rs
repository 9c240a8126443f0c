//! Takes the connections of the service's own listener, within bounds: however many others open, and however slowly they
//! speak, files and tasks are left for scans and deliveries.

use std::collections::VecDeque;
use std::io::{Error, ErrorKind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::console::Peer;

/// Connections that are open at once. One more ends the oldest, so that a health check is answered whoever idles.
const MOST_CONNECTIONS: usize = 64;

/// Of the files that the process may open, connections take at most one in so many.
const SHARE_OF_FILES: u64 = 4;

/// The largest head of a request, in bytes.
const LARGEST_HEAD: usize = 32 << 10;

/// How long a connection may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// For the head of a request, and for the next one on a connection that is kept.
    pub head: Duration,
    /// For the whole connection, which also ends slow bodies and stalled readers.
    pub connection: Duration,
    /// For an answer that is under way then.
    pub last_answer: Duration,
}

impl Default for Times {
    fn default() -> Times {
        let seconds = Duration::from_secs;
        Times { head: seconds(10), connection: seconds(60), last_answer: seconds(5) }
    }
}

/// The pause after an error that another try right away would meet again, such as too many open files.
const PAUSE: Duration = Duration::from_secs(1);

/// What is known of the listener; `/healthz` shows it.
#[derive(Debug)]
pub(crate) struct ListenerState {
    most: usize,
    open: AtomicUsize,
    ended_early: AtomicU64,
    /// Why no connection can be taken now.
    failure: Mutex<Option<String>>,
}

/// The same as a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ListenerView {
    /// Connections that are open.
    pub connections: usize,
    /// The most that are open at once.
    pub connections_max: usize,
    /// Connections since the start that ended because there were too many.
    pub connections_ended_early: u64,
}

impl Default for ListenerState {
    fn default() -> ListenerState {
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        ListenerState {
            most: most_connections(files),
            open: AtomicUsize::default(),
            ended_early: AtomicU64::default(),
            failure: Mutex::default(),
        }
    }
}

/// The most connections of a process that may open so many files; none is no limit.
fn most_connections(files: Option<u64>) -> usize {
    let share = files.and_then(|files| usize::try_from(files / SHARE_OF_FILES).ok());
    share.map_or(MOST_CONNECTIONS, |share| share.clamp(1, MOST_CONNECTIONS))
}

impl ListenerState {
    /// Counts as of now.
    pub(crate) fn view(&self) -> ListenerView {
        ListenerView {
            connections: self.open.load(Ordering::Relaxed),
            connections_max: self.most,
            connections_ended_early: self.ended_early.load(Ordering::Relaxed),
        }
    }

    /// Why no connection can be taken now, if that is so.
    pub(crate) fn problem(&self) -> Option<String> {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.as_ref().map(|why| format!("the listener cannot accept connections: {why}"))
    }

    /// Says a failure once, until a connection was taken again.
    fn fail(&self, error: &Error) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.is_none() {
            warn!("the listener cannot accept connections: {error}; scans and deliveries continue");
        }
        *failure = Some(error.to_string());
    }

    fn recover(&self) {
        if self.failure.lock().unwrap_or_else(PoisonError::into_inner).take().is_some() {
            info!("the listener accepts connections again");
        }
    }

    fn end_early(&self) {
        if self.ended_early.fetch_add(1, Ordering::Relaxed) == 0 {
            let most = self.most;
            warn!("more than {most} connections to [service] listen: closing the oldest; /healthz counts them");
        }
    }
}

/// Where connections come from.
pub(crate) enum Listening {
    /// An address.
    Tcp(TcpListener),
    /// A unix socket.
    Unix(UnixListener),
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Listening {
    async fn accept(&self) -> Result<(Box<dyn Stream>, Peer), Error> {
        Ok(match self {
            Listening::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                (Box::new(stream), Peer::Address(address.ip()))
            }
            Listening::Unix(listener) => (Box::new(listener.accept().await?.0), Peer::Socket),
        })
    }
}

/// Takes connections and answers them until `stop`.
pub(crate) async fn run(
    listener: Listening,
    router: Router,
    times: Times,
    state: &ListenerState,
    stop: CancellationToken,
) {
    let mut connections = JoinSet::new();
    let mut by_age: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => {
                state.open.store(connections.len(), Ordering::Relaxed);
                continue;
            }
        };
        match accepted {
            Ok((stream, peer)) => {
                state.recover();
                by_age.retain(|connection| !connection.is_finished());
                while connections.len() >= state.most {
                    if let Some(oldest) = by_age.pop_front() {
                        oldest.abort();
                        state.end_early();
                    }
                    // Its file is closed when its task has ended, not before.
                    let _ended = connections.join_next().await;
                }
                by_age.push_back(connections.spawn(answer(stream, peer, router.clone(), times)));
                state.open.store(connections.len(), Ordering::Relaxed);
            }
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                state.fail(&error);
                let _stopped = timeout(PAUSE, stop.cancelled()).await;
            }
        }
    }
}

/// Whether the error concerns one connection only: the peer closed it before it was accepted.
fn concerns_one_connection(error: &Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset | Interrupted)
}

/// Serves one connection within its time limit. Errors are ignored: they concern the peer only.
async fn answer(stream: Box<dyn Stream>, peer: Peer, router: Router, times: Times) {
    let router = TowerToHyperService::new(router);
    let with_peer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.call(request.map(Body::new))
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(times.head)
            .max_buf_size(LARGEST_HEAD)
            .serve_connection(TokioIo::new(stream), with_peer)
    );
    if timeout(times.connection, connection.as_mut()).await.is_err() {
        connection.as_mut().graceful_shutdown();
        let _ended_or_cut = timeout(times.last_answer, connection).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    struct RawPeer {
        address: std::net::SocketAddr,
        state: Arc<ListenerState>,
        _stop: tokio_util::sync::DropGuard,
    }

    async fn peer(times: Times) -> RawPeer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let state = Arc::new(ListenerState::default());
        let (of_task, stopped) = (Arc::clone(&state), stop.clone());
        let router = Router::new().route("/", get(|| async { "well" }).post(|body: String| async { body }));
        tokio::spawn(async move { run(Listening::Tcp(listener), router, times, &of_task, stopped).await });
        RawPeer { address, state, _stop: stop.drop_guard() }
    }

    async fn ask(address: std::net::SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn however_many_idle_a_request_is_answered_and_few_files_are_open() {
        // No connection ends by its time: only the limit ends one.
        let hour = Duration::from_secs(3600);
        let peer = peer(Times { head: hour, connection: hour, last_answer: hour }).await;
        let mut idle = Vec::new();
        for _ in 0..3 * peer.state.most {
            idle.push(TcpStream::connect(peer.address).await.unwrap());
        }
        assert!(ask(peer.address).await.ends_with("well"));
        let view = peer.state.view();
        assert!(view.connections <= peer.state.most, "{view:?}");
        assert!(view.connections_ended_early >= 2 * peer.state.most as u64, "{view:?}");
        let oldest = timeout(Duration::from_secs(5), idle[0].read(&mut [0; 1])).await;
        assert_eq!(oldest.expect("the oldest is still open").unwrap(), 0);
        let newest = idle.last().unwrap().try_read(&mut [0; 1]);
        assert_eq!(newest.unwrap_err().kind(), ErrorKind::WouldBlock, "the newest was ended");
    }

    #[tokio::test]
    async fn what_does_not_come_in_time_ends_its_connection() {
        let short = Duration::from_millis(50);
        let within = |head, connection| Times { head, connection, last_answer: short };
        let (head, whole) = (within(short, Duration::MAX / 4), within(Duration::from_secs(3600), short));
        let trickling = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc";
        for (times, sent, answered) in [
            (head, "", ""),
            (head, "GET / HTTP/1.1\r\nhost:", ""),
            (head, "GET / HTTP/1.1\r\nhost: x\r\n\r\n", "well"),
            (whole, trickling, ""),
        ] {
            let peer = peer(times).await;
            let mut stream = TcpStream::connect(peer.address).await.unwrap();
            stream.write_all(sent.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let _reset = stream.read_to_end(&mut answer).await;
            assert!(String::from_utf8_lossy(&answer).ends_with(answered), "{sent}");
        }
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_refused() {
        let peer = peer(Times::default()).await;
        let mut stream = TcpStream::connect(peer.address).await.unwrap();
        let head = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(2 * LARGEST_HEAD));
        let _cut = stream.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer).await;
        assert!(!String::from_utf8_lossy(&answer).contains("well"));
        assert!(ask(peer.address).await.ends_with("well"));
    }

    #[test]
    fn few_files_leave_fewer_connections() {
        let most = [None, Some(1 << 20), Some(1024), Some(100), Some(3)].map(most_connections);
        assert_eq!(most, [64, 64, 64, 25, 1]);
    }

    #[test]
    fn a_failure_is_a_problem_until_a_connection_is_taken() {
        let state = ListenerState::default();
        assert_eq!(state.problem(), None);
        state.fail(&Error::from_raw_os_error(24));
        assert!(state.problem().unwrap().contains("Too many open files"), "{:?}", state.problem());
        state.recover();
        assert_eq!(state.problem(), None);
        assert!(concerns_one_connection(&ErrorKind::ConnectionAborted.into()));
        assert!(!concerns_one_connection(&Error::from_raw_os_error(24)));
    }
}
