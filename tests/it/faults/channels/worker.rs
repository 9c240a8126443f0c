//! A site whose channels are all failing but for a folder, and the news that it has for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::config::{ChannelConfig, ChannelKind, SmtpTls, load};
use llama_triage::internals::credentials::Credentials;
use llama_triage::internals::notify::{Channel, ChannelSecrets};
use llama_triage::internals::service::{Setup, Worker};
use llama_triage::internals::simulator::{Options, World, WorldBuilder};
use tokio_util::sync::CancellationToken;

use super::channel_faults::{self, Act};
use super::peer::Peer;
use crate::site::Site;

/// How long one exchange may take; a peer that hangs costs this much.
const LIMIT: Duration = Duration::from_secs(3);
/// For all channels together.
const PATIENCE: Duration = Duration::from_secs(600);
const KEY: &str = "0123456789abcdef0123456789abcdef";
const PASSWORD: &str = "hunter2hunter2";
/// Of the address, which is a secret of Slack and Teams.
const PATH: &str = "s3cret";

/// The news that comes while the peers are failing, and the news after it.
const NEWS: [&str; 2] = ["the layout engine gave way", "the converter lost its licence"];

/// A worker among its peers.
pub(crate) struct TestWorker {
    pub(crate) site: Site,
    pub(crate) peers: Vec<Peer>,
    kind: ChannelKind,
    start: Timestamp,
    /// When the last cycle began, by the clock that waits for peers.
    cycle_began: Instant,
    /// None only while another one is opened.
    worker: Option<Worker>,
}

/// How a delivery stands.
pub(crate) struct Fate {
    pub(crate) state: String,
    pub(crate) tries: u32,
    pub(crate) said: String,
}

impl TestWorker {
    /// A site that knows its account already, so that what fails from now on is news.
    pub(crate) async fn begin(kind: ChannelKind) -> TestWorker {
        // PagerDuty gets pages and nothing else.
        let pages =
            if kind == ChannelKind::Pagerduty { "[page]\nclasses = [\"transient\", \"unknown\"]\n" } else { "" };
        let more = format!(
            "[[channel]]\nname = \"folder\"\nkind = \"file\"\ndir = \"{{dir}}/out\"\n[digest]\ngroup-wait = \"0s\"\n{pages}"
        );
        let site = Site::new(world(), Options::default(), &more).await;
        let peers = channel_faults::all(kind).into_iter().map(|trouble| Peer::start(kind, trouble)).collect();
        let start = site.now();
        let mut worker = TestWorker { site, peers, kind, start, cycle_began: Instant::now(), worker: None };
        worker.open(Vec::new()).await;
        worker.cycle(SignedDuration::ZERO).await;
        let channels =
            worker.peers.iter().map(|peer| worker.channel(peer, matches!(peer.trouble.act, Act::BadTls | Act::NoTls)));
        let channels = channels.collect();
        worker.open(channels).await;
        worker
    }

    /// Every peer works from now on; where TLS was the fault, the configuration no longer asks for it.
    pub(crate) async fn mend(&mut self) {
        self.peers.iter().for_each(|peer| peer.mend(self.kind));
        let channels = self.peers.iter().map(|peer| self.channel(peer, false)).collect();
        self.open(channels).await;
    }

    fn channel(&self, peer: &Peer, tls: bool) -> ChannelConfig {
        let name = peer.trouble.name.to_owned();
        if self.kind == ChannelKind::Email {
            return ChannelConfig {
                name,
                kind: self.kind,
                from: Some("triage@example.com".to_owned()),
                to: vec!["ann@example.com".to_owned(), "bob@example.com".to_owned()],
                smtp_host: Some("localhost".to_owned()),
                smtp_port: Some(peer.port),
                smtp_tls: Some(if tls { SmtpTls::Required } else { SmtpTls::None }),
                smtp_username: matches!(peer.trouble.act, Act::Mail(_, true)).then(|| "triage".to_owned()),
                ..ChannelConfig::default()
            };
        }
        let scheme = if tls { "https" } else { "http" };
        let url = Some(format!("{scheme}://localhost:{}/{PATH}", peer.port));
        ChannelConfig { name, kind: self.kind, url, ..ChannelConfig::default() }
    }

    async fn open(&mut self, channels: Vec<ChannelConfig>) {
        if let Some(worker) = self.worker.take() {
            worker.ledger.close().await.unwrap();
        }
        let mut config = load::read(&self.site.path("config.toml")).unwrap();
        let mut setup = Setup::new(config.clone(), &Credentials::default()).unwrap();
        let folder = setup.channels.clone();
        config.channel.extend(channels.clone());
        let only = config.channel.iter().map(|one| (one.name.clone(), Default::default())).collect();
        setup.triage = llama_triage::internals::triage::TriageSettings::new(&config, &setup.rules, only).unwrap();
        let limited = channels.iter().map(|one| Arc::new(Channel::with_limit(one, secrets(), LIMIT).unwrap()));
        setup.channels = folder.into_iter().chain(limited).collect();
        self.worker = Some(Worker::open(setup).await.unwrap());
    }

    /// A cycle, so much later.
    pub(crate) async fn cycle(&mut self, later: SignedDuration) -> Option<String> {
        self.site.cloud.world().advance(later);
        let now = self.site.now();
        self.cycle_began = Instant::now();
        let worker = self.worker.as_mut().unwrap();
        worker.cycle(now, PATIENCE, &CancellationToken::new()).await.unwrap().digest_id
    }

    /// The digest of the first news, tried once.
    pub(crate) async fn send_first_digest(&mut self) -> String {
        self.cycle(SignedDuration::from_mins(40)).await.expect("there is news")
    }

    /// That of the news after it.
    pub(crate) async fn send_second_digest(&mut self) -> String {
        let wait = (self.start + SignedDuration::from_hours(72)).duration_since(self.site.now());
        self.cycle(wait).await.expect("there is other news")
    }

    /// Delivers whenever all that waits is due, until nothing waits: peers that hang then cost their time together.
    pub(crate) async fn try_to_the_end(&mut self) {
        loop {
            let next = "SELECT max(not_before) FROM delivery WHERE state = 'pending'";
            let next: Option<i64> = self.site.ledger().query_row(next, [], |row| row.get(0)).unwrap();
            let Some(next) = next else { return };
            let wait = Timestamp::from_millisecond(next).unwrap().duration_since(self.site.now());
            self.site.cloud.world().advance(wait.max(SignedDuration::from_millis(1)));
            self.worker.as_ref().unwrap().deliver(self.site.now(), PATIENCE).await.unwrap();
        }
    }

    /// What became of a digest at once, in the words of the page.
    pub(crate) fn outcome(&self, digest: &str, name: &str) -> String {
        let asked = "SELECT state, uncertain, tier, not_before FROM delivery WHERE delivery_id = ?1";
        let row = self.site.ledger().query_row(asked, [format!("{digest}.{name}")], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?, row.get::<_, u8>(2)?, row.get::<_, i64>(3)?))
        });
        let (state, uncertain, tier, not_before) = row.unwrap();
        let smaller = if tier > 0 { ", smaller" } else { "" };
        let again = SignedDuration::from_millis(not_before - self.tried_until(name).as_millisecond());
        match state.as_str() {
            "sent" => format!("arrives{smaller}"),
            "dead" => format!("dead{smaller}"),
            "pending" => format!("again after {}{}", rough(again), if uncertain { ", unclear" } else { "" }),
            other => other.to_owned(),
        }
    }

    /// When the try of the last cycle ended, however long the peer took.
    fn tried_until(&self, name: &str) -> Timestamp {
        let peer = self.peers.iter().find(|peer| peer.trouble.name == name).unwrap();
        let ended = peer.tried_until(LIMIT).unwrap_or(self.cycle_began);
        self.site.now() + ended.duration_since(self.cycle_began)
    }

    /// How the deliveries of a digest to the peers stand.
    pub(crate) fn fates(&self, digest: &str) -> Vec<(String, Fate)> {
        let ledger = self.site.ledger();
        let mut statement = ledger
            .prepare("SELECT channel, state, attempts, ifnull(last_error, '') FROM delivery WHERE digest_id = ?1 AND channel != 'folder'")
            .unwrap();
        let rows = statement.query_map([digest], |row| {
            Ok((row.get(0)?, Fate { state: row.get(1)?, tries: row.get(2)?, said: row.get(3)? }))
        });
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }

    pub(crate) fn state(&self, digest: &str, name: &str) -> String {
        let fates = self.fates(digest);
        fates.into_iter().find(|(channel, _)| channel == name).map_or("not there".to_owned(), |(_, fate)| fate.state)
    }

    /// Whether it was reported that the channel is failing.
    pub(crate) fn is_fault_announced(&self, name: &str) -> bool {
        // Where the report of it arrived through the channel itself, the fault has ended by that.
        let told = "SELECT fault FROM worker_fault WHERE announced IS NOT NULL";
        self.site.texts(told).contains(&format!("delivery:{name}"))
    }

    /// Whether each of the two news is in what the peer has got since it was mended.
    pub(crate) fn got(&self, peer: &Peer) -> [bool; 2] {
        let last = peer.got_since_mended().concat();
        // Quoted-printable breaks lines anywhere.
        let last = last.replace("=\r\n", "");
        NEWS.map(|news| last.contains(news))
    }

    /// Whether two copies of the digest that the peer has got whole differ otherwise than they should.
    pub(crate) fn copies_differ(&self, peer: &Peer) -> bool {
        let (before, after) = (peer.got(), peer.got_since_mended());
        // Slack and Teams cannot drop a second copy, so it says that it may be one; PagerDuty gets one event each time.
        let is_comparable = matches!(self.kind, ChannelKind::Email | ChannelKind::Webhook);
        is_comparable && before.iter().any(|copy| after.iter().any(|other| other != copy))
    }

    /// Where a secret can be read.
    pub(crate) fn secrets_shown(&self) -> Vec<String> {
        let texts = "SELECT 'delivery ' || delivery_id || ': ' || ifnull(last_error, '') || content FROM delivery
                     UNION ALL SELECT 'fault ' || fault || ': ' || text FROM worker_fault";
        let shows = |text: &String| [KEY, PASSWORD, PATH].iter().any(|secret| text.contains(secret));
        self.site.texts(texts).into_iter().filter(shows).collect()
    }
}

/// What was known before; what fails at first, much of one batch at once; and what fails days later.
fn world() -> World {
    let mut world = WorldBuilder::at(Timestamp::now()).batch("old").item("old").fails("it broke");
    for (news, made) in [(NEWS[0], 20), (NEWS[1], 71 * 60)] {
        world = world.batch(news).made_ago(SignedDuration::from_mins(-made));
        for number in 0..25 {
            world = world.item(&format!("{news} {number}")).fails(news);
        }
    }
    world.build()
}

fn secrets() -> ChannelSecrets {
    ChannelSecrets {
        smtp_password: Some(PASSWORD.into()),
        signing_secret: Some("whsec_c2lnbmluZyBzZWNyZXQ=".into()),
        routing_key: Some(KEY.into()),
        ..ChannelSecrets::default()
    }
}

/// A wait without its jitter and what a busy machine adds: no other wait of the schedule is so near.
fn rough(wait: SignedDuration) -> String {
    match wait.as_secs() {
        4..=15 => "5 s".to_owned(),
        seconds @ 16..=119 => format!("{} s", seconds / 10 * 10),
        seconds @ 120..=3_599 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}
