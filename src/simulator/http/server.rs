//! The HTTP server around a [`World`]: a thread-safe hold on it, its faults and its options.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use axum::extract::connect_info::ConnectInfo;
use axum::http::Request;
use axum::{Router, body::Body};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::simulator::faults::FaultRule;
use crate::simulator::http::exchange::{self, Shared};
use crate::simulator::http::wire::{Wire, WireListener};
use crate::simulator::options::Options;
use crate::simulator::world::state::World;

/// A running simulated LlamaCloud on a loopback port; it stops when dropped.
pub struct SimulatedCloud {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: Option<JoinHandle<io::Result<()>>>,
}

impl SimulatedCloud {
    /// Serves a world; must be called within a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// When the port cannot be bound.
    pub async fn start(world: World, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let address = listener.local_addr()?;
        let (stop, stopping) = watch::channel(false);
        let began = Mutex::new((Instant::now(), world.now()));
        let shared = Arc::new(Shared {
            world: Arc::new(Mutex::new(world)),
            options: Mutex::new(options),
            faults: Mutex::new(Vec::new()),
            began,
            stopping: stopping.clone(),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared), stopping));
        Ok(Self { shared, address, stop, serving: Some(serving) })
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The world, locked; do not hold it over an `await`, or no request is answered.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    /// Plants these faults in place of all earlier ones.
    pub fn set_faults(&self, faults: Vec<FaultRule>) {
        *self.shared.faults() = faults;
    }

    /// How many requests each planted fault has hit, in their order.
    pub fn fault_hits(&self) -> Vec<u64> {
        self.shared.faults().iter().map(FaultRule::hits).collect()
    }

    /// Changes behaviours for the requests to come; the port stays what it is. Another clock runs from here on.
    ///
    /// Who holds the world may call it all the same, but not to change the clock.
    pub fn change_options(&self, change: impl FnOnce(&mut Options)) {
        let before = self.shared.options().clock;
        change(&mut self.shared.options());
        if self.shared.options().clock != before {
            let began = (Instant::now(), self.world().now());
            *self.shared.began() = began;
        }
    }

    /// Stops, also in the middle of answers, and waits until the port is free.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        if let Some(serving) = self.serving.take() {
            serving.abort();
            // The task was asked to end; how it ended is of no interest.
            let _ = serving.await;
        }
    }
}

impl Drop for SimulatedCloud {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stopping: watch::Receiver<bool>) -> io::Result<()> {
    let router = Router::new().fallback(move |ConnectInfo(wire): ConnectInfo<Wire>, request: Request<Body>| {
        let shared = Arc::clone(&shared);
        async move { exchange::exchange(&shared, &wire, request).await }
    });
    let service = router.into_make_service_with_connect_info::<Wire>();
    axum::serve(WireListener(listener), service)
        .with_graceful_shutdown(async move {
            // An error means that the server itself is gone, which is a reason to stop as well.
            let _ = stopping.wait_for(|stop| *stop).await;
        })
        .await
}
