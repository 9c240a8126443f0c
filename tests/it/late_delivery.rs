//! News whose channel is down: it comes soon after the channel is back, as measured from the built binary.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::simulator::{Endpoint, FaultRule, InjectedFault, Options, World, WorldBuilder};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::clock::LIBRARY;
use crate::serve::{Serving, command, terminate, wait_for};
use crate::site::Site;

/// A receiver on a port that no one else gets, down or up, that keeps the bodies it took.
struct Receiver {
    port: u16,
    closed: Mutex<Option<TcpSocket>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    took: Mutex<Vec<String>>,
    /// The next request is answered with 503.
    busy_once: AtomicBool,
}

impl Receiver {
    fn unreachable() -> Receiver {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = socket.local_addr().unwrap().port();
        Receiver { port, closed: Mutex::new(Some(socket)), state: Arc::default() }
    }

    fn up(&self) {
        let listener = self.closed.lock().unwrap().take().expect("it is down").listen(16).unwrap();
        tokio::spawn(serve(listener, Arc::clone(&self.state)));
    }

    fn took(&self, what: &str) -> usize {
        self.state.took.lock().unwrap().iter().filter(|body| body.contains(what)).count()
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move { answer(stream, &state).await.unwrap_or_default() });
    }
}

async fn answer(stream: TcpStream, state: &State) -> std::io::Result<()> {
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
    state.took.lock().unwrap().push(String::from_utf8(body).unwrap());
    let busy = state.busy_once.swap(false, Ordering::SeqCst);
    let (status, said) = if busy { (503, "{}") } else { (202, "{\"status\":\"success\"}") };
    let length = said.len();
    let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{said}");
    stream.write_all(answer.as_bytes()).await?;
    stream.flush().await
}

const NEWS: &str = "the layout engine gave way";

/// What was known before, and what fails some time later.
fn world(start: Timestamp, later: SignedDuration) -> World {
    let mut world = WorldBuilder::at(start).batch("old").item("old").fails("it broke").batch("news").made_ago(-later);
    for number in 0..25 {
        world = world.item(&format!("news {number}")).fails(NEWS);
    }
    world.build()
}

/// A site with one channel of a kind that sends to a port; all news pages.
async fn site(world: World, kind: &str, port: u16, more: &str) -> Site {
    let key = if kind == "pagerduty" { "routing-key-file = \"{dir}/routing-key\"\n" } else { "" };
    let page = if kind == "pagerduty" { "[page]\nclasses = [\"transient\", \"unknown\"]\n" } else { "" };
    let site = Site::new(world, Options::default(), "").await;
    std::fs::write(site.path("routing-key"), "0123456789abcdef0123456789abcdef").unwrap();
    site.configure(&format!(
        "[[channel]]\nname = \"peer\"\nkind = \"{kind}\"\nurl = \"http://127.0.0.1:{port}/take\"\n{key}\
         [digest]\ngroup-wait = \"0s\"\n{more}{page}"
    ));
    site
}

/// For `kind`: minutes that its receiver is down from the first try on, minutes between two cycles, and minutes after
/// which the news must be there once the receiver is back.
const OUTAGES: [(&str, i64, i64, i64); 3] = [("pagerduty", 8, 1, 1), ("pagerduty", 90, 2, 2), ("webhook", 45, 5, 10)];

#[tokio::test(flavor = "multi_thread")]
async fn news_comes_soon_after_its_receiver_is_back() {
    if !Path::new(LIBRARY).exists() {
        eprintln!("NOT CHECKED: there is no {LIBRARY}; Debian's package libfaketime has it");
        return;
    }
    let start: Timestamp = "2026-06-03T12:00:00Z".parse().unwrap();
    for (kind, down, step, soon) in OUTAGES {
        let receiver = Receiver::unreachable();
        let site = site(world(start, SignedDuration::from_mins(20)), kind, receiver.port, "").await;
        let cycle = |minutes: i64| {
            let now = start + SignedDuration::from_mins(minutes);
            site.cloud.world().advance_to(now);
            let clock = now.strftime("@%Y-%m-%d %H:%M:%S").to_string();
            let mut cycle = site.command(&["-q", "cycle"]);
            cycle.env("LD_PRELOAD", LIBRARY).env("FAKETIME", clock).env("TZ", "UTC").output().unwrap();
        };
        cycle(0);
        for minutes in (40..40 + down).step_by(usize::try_from(step).unwrap()) {
            cycle(minutes);
        }
        let tries = site.texts("SELECT CAST(max(attempts) AS TEXT) FROM delivery");
        assert!(receiver.took(NEWS) == 0 && tries[0] != "0", "{kind}: {tries:?}");
        receiver.up();
        let mut after = 0;
        while receiver.took(NEWS) == 0 && after <= 60 {
            cycle(40 + down + after);
            after += step;
        }
        let waited = after - step;
        assert!(waited <= soon, "{kind}: down for {down} min, the news came {waited} min after it was back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_does_not_wait_for_a_scan() {
    let receiver = Receiver::unreachable();
    receiver.up();
    let world = world(Timestamp::now(), SignedDuration::from_secs(90));
    let site = site(world, "pagerduty", receiver.port, "[schedule]\nscan = \"1s\"\n").await;
    let mut service = Serving(command(&site, "serve").spawn().unwrap());
    let scans = || site.cloud.world().truth().requests_to(Endpoint::ListBatches);
    let ended = || {
        let count = "SELECT count(*) FROM run WHERE outcome IS NOT NULL";
        site.ledger().query_row(count, [], |row| row.get::<_, i64>(0))
    };
    wait_for("the inventory", || site.path("ledger.db").exists() && ended().is_ok_and(|cycles| cycles > 0));
    receiver.state.busy_once.store(true, Ordering::SeqCst);
    site.cloud.world().advance(SignedDuration::from_secs(100));
    wait_for("the first try", || receiver.took(NEWS) == 1);
    let never = InjectedFault::Late(Duration::from_secs(3_600));
    site.cloud.set_faults(vec![FaultRule::new(never).on(Endpoint::ListBatches).every(1)]);
    let before = scans();
    wait_for("the second try", || receiver.took(NEWS) == 2);
    assert!(scans() <= before + 1, "the scan had ended");
    assert!(terminate(&mut service).success());
}
