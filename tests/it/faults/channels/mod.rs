//! The fault matrix of channels: each fault of a peer while digests are sent to it, and what becomes of them.
//!
//! The worker runs in this process, so that the day over which a channel is tried takes no time.

mod channel_faults;
mod peer;
mod table;
mod worker;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use llama_triage::internals::config::ChannelKind;
use tokio::task::JoinSet;

pub(crate) use self::table::render;
use self::worker::TestWorker;

/// The kinds that have peers, as their columns are ordered.
const KINDS: [ChannelKind; 5] =
    [ChannelKind::Webhook, ChannelKind::Slack, ChannelKind::Teams, ChannelKind::Pagerduty, ChannelKind::Email];

/// What one fault came to.
#[derive(Default)]
pub(crate) struct Cell {
    /// After the first try.
    first: String,
    /// Tries while the fault lasts.
    tries: u32,
    /// Whether the digest was given up.
    dead: bool,
    /// Whether its news came with the next digest.
    carried: bool,
    /// What reports and it is reported after the first try.
    said: String,
}

/// One kind of channel with all its faults, and every broken promise.
pub(crate) struct Measured {
    kind: ChannelKind,
    cells: BTreeMap<&'static str, Cell>,
    pub(crate) broken: Vec<String>,
}

/// Measures all kinds at once, in the order of the page.
pub(crate) async fn measure() -> Vec<Measured> {
    let mut running = JoinSet::new();
    for kind in KINDS {
        running.spawn(async move {
            let mut measured = Measured { kind, cells: BTreeMap::new(), broken: Vec::new() };
            measured.while_it_lasts().await;
            measured.when_it_passes().await;
            measured
        });
    }
    let mut all = running.join_all().await;
    all.sort_by_key(|measured| KINDS.iter().position(|kind| *kind == measured.kind));
    all
}

impl Measured {
    fn demand(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(format!("{}: {}", self.kind.as_str(), otherwise()));
        }
    }

    /// The fault stays until nothing is tried any more; then it is mended, and there is other news.
    async fn while_it_lasts(&mut self) {
        let mut worker = TestWorker::begin(self.kind).await;
        let told = worker.send_first_digest().await;
        for (name, fate) in worker.fates(&told) {
            let peer = worker.peers.iter().find(|peer| peer.trouble.name == name).unwrap();
            let cell = Cell { first: worker.outcome(&told, &name), said: fate.said, ..Cell::default() };
            self.cells.insert(peer.trouble.name, cell);
        }
        worker.try_to_the_end().await;
        let dead = worker.fates(&told);
        worker.cycle(SignedDuration::from_mins(30)).await;
        for (name, fate) in dead {
            let cell = self.cells.get_mut(name.as_str()).unwrap();
            (cell.tries, cell.dead) = (fate.tries, fate.state == "dead");
            let known = worker.is_fault_announced(&name);
            self.demand((fate.state == "dead") == known, || format!("{name}: {}, people told: {known}", fate.state));
            self.demand(fate.state != "pending", || format!("{name}: tried for ever"));
        }
        let folder = worker.site.texts("SELECT delivery_id FROM delivery WHERE channel = 'folder' AND state != 'sent'");
        self.demand(folder.is_empty(), || format!("the folder did not get {folder:?}"));
        let shown = worker.secrets_shown();
        self.demand(shown.is_empty(), || format!("secrets are shown in {shown:?}"));

        worker.mend().await;
        let later = worker.send_second_digest().await;
        for peer in worker.peers.clone() {
            let name = peer.trouble.name;
            let arrived = worker.state(&later, name) == "sent";
            self.demand(arrived, || format!("{name}: mended, and {later} is {}", worker.state(&later, name)));
            let carried = worker.state(&told, name) == "superseded";
            let [first, other] = worker.got(&peer);
            self.demand(other, || format!("{name}: mended, and the other news did not come"));
            self.demand(first || !carried, || format!("{name}: mended, and what was missed did not come"));
            self.cells.get_mut(name).unwrap().carried = carried;
        }
        let left =
            worker.site.texts("SELECT fault FROM worker_fault WHERE ended_at IS NULL AND fault LIKE 'delivery:%'");
        self.demand(left.is_empty(), || format!("troubles that do not end: {left:?}"));
        worker.site.command(&["ledger", "check"]).assert().success();
    }

    /// The fault is over before the second try: the same digest comes, once more and under the same id.
    async fn when_it_passes(&mut self) {
        let mut worker = TestWorker::begin(self.kind).await;
        let told = worker.send_first_digest().await;
        let waiting: Vec<String> =
            worker.fates(&told).into_iter().filter(|(_, fate)| fate.state == "pending").map(|(name, _)| name).collect();
        worker.mend().await;
        worker.try_to_the_end().await;
        for peer in worker.peers.clone() {
            let name = peer.trouble.name;
            if !waiting.iter().any(|one| one == name) {
                continue;
            }
            self.demand(worker.state(&told, name) == "sent", || format!("{name}: over, and not sent"));
            let differ = worker.copies_differ(&peer);
            self.demand(!differ, || format!("{name}: the second try is another digest"));
        }
    }
}
