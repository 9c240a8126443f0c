//! TCP connections that can be cut, slowed or ended half-way from inside a request, which no HTTP answer can express.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Sleep;

/// What happens at the middle of the next body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Middle {
    /// The connection ends.
    Ends,
    /// Nothing comes for this time.
    Waits(Duration),
}

#[derive(Debug)]
enum ResponsePlan {
    Plain,
    Cut,
    /// The next answer, whose body has this length, meets this at its middle.
    Answer(usize, Middle),
    /// So many bytes still pass.
    Pass(usize, Middle),
    Waiting(Pin<Box<Sleep>>),
}

/// The hold that a request has on its connection.
#[derive(Debug, Clone)]
pub(crate) struct Wire(Arc<Mutex<WireState>>);

#[derive(Debug)]
struct WireState {
    plan: ResponsePlan,
    reader: Option<Waker>,
}

impl Wire {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(WireState { plan: ResponsePlan::Plain, reader: None })))
    }

    /// Resets the connection now; the request that calls this must never answer.
    pub(crate) fn cut(&self) {
        let mut state = self.state();
        state.plan = ResponsePlan::Cut;
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }

    /// Lets the next answer meet this at the middle of its body.
    pub(crate) fn at_half(&self, body_length: usize, middle: Middle) {
        self.state().plan = ResponsePlan::Answer(body_length, middle);
    }

    fn state(&self) -> MutexGuard<'_, WireState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listener whose connections carry a [`Wire`].
pub(crate) struct WireListener(pub(crate) TcpListener);

impl Listener for WireListener {
    type Io = WireStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (WireStream { stream, wire: Wire::new() }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, WireListener>> for Wire {
    fn connect_info(stream: IncomingStream<'_, WireListener>) -> Self {
        stream.io().wire.clone()
    }
}

/// A connection that follows its [`Wire`].
pub(crate) struct WireStream {
    stream: TcpStream,
    wire: Wire,
}

impl WireStream {
    fn reset(&self) -> io::Error {
        // Zero linger makes the close a reset; a failure to set it only makes the end more polite.
        let _ = self.stream.set_zero_linger();
        io::ErrorKind::ConnectionReset.into()
    }
}

impl AsyncRead for WireStream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        {
            let mut state = this.wire.state();
            if matches!(state.plan, ResponsePlan::Cut) {
                return Poll::Ready(Err(this.reset()));
            }
            state.reader = Some(context.waker().clone());
        }
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for WireStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wire = this.wire.clone();
        let mut state = wire.state();
        if let ResponsePlan::Answer(length, middle) = state.plan {
            let body = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
            state.plan = ResponsePlan::Pass(body + length / 2, middle);
        }
        if let ResponsePlan::Pass(0, middle) = state.plan {
            match middle {
                Middle::Ends => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
                Middle::Waits(time) => state.plan = ResponsePlan::Waiting(Box::pin(tokio::time::sleep(time))),
            }
        }
        if let ResponsePlan::Waiting(sleep) = &mut state.plan {
            match sleep.as_mut().poll(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(()) => state.plan = ResponsePlan::Plain,
            }
        }
        let limit = match state.plan {
            ResponsePlan::Pass(left, _) => left.min(bytes.len()),
            _ => bytes.len(),
        };
        let written = Pin::new(&mut this.stream).poll_write(context, &bytes[..limit]);
        if let (Poll::Ready(Ok(count)), ResponsePlan::Pass(left, _)) = (&written, &mut state.plan) {
            *left -= count;
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
