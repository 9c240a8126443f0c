//! Delivery: claims due deliveries from the outbox, sends them and records the result.
//!
//! At least once: "sending" is on disk before the first byte leaves, so a crash in between is seen at the next start and
//! the same content goes out again, marked as one that may have arrived. Channels are independent, and a slow one
//! never holds up a cycle: its task goes on in the background, protected by its lease.

pub(crate) mod during_scan;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::task::JoinSet;
use tracing::{Instrument, error, info, info_span, warn};

use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::measures::MEASURES;
use crate::notify::Channel;
use crate::notify::delivery::DeliveryFacts;
use crate::notify::outbox::{DeliveryResult, Fate};
use crate::notify::render::words::headline;
use crate::notify::store_delivery::{self, Claimed};
use crate::triage::digest::model::Digest;
use crate::triage::digest::size_limit::Tier;

/// No try takes longer, whatever a channel's own limits are. Shorter than the lease of a delivery.
const LONGEST_TRY: Duration = Duration::from_secs(12 * 60);

/// One try's facts beside its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Try {
    /// The same on every try.
    pub delivery_id: String,
    /// When this try is made.
    pub now: Timestamp,
    /// An earlier try may have arrived.
    pub uncertain: bool,
    /// How much smaller it must be rendered; 0 is in full.
    pub tier: u8,
    /// Recipients or events that are done.
    pub done: Vec<String>,
}

/// Something that takes digests. `notify::Channel` is one; tests have their own.
pub(crate) trait DigestSender: Send + Sync + 'static {
    /// Channel name.
    fn name(&self) -> &str;

    /// Whether it is sent to now.
    fn is_open(&self, _now: Timestamp) -> bool {
        true
    }

    /// Whether what was decided then waits for the daily digest. `scheduled`: it is, or includes, one.
    fn waits_for_daily(&self, _scheduled: bool, _created_at: Timestamp, _now: Timestamp) -> bool {
        false
    }

    /// Sends the content once.
    fn send(&self, content: &Digest, this: Try) -> impl Future<Output = DeliveryResult> + Send;
}

impl DigestSender for Channel {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_open(&self, now: Timestamp) -> bool {
        self.hours.are_open(now)
    }

    fn waits_for_daily(&self, scheduled: bool, created_at: Timestamp, now: Timestamp) -> bool {
        self.hours.wait_for_daily(scheduled, created_at, now)
    }

    async fn send(&self, content: &Digest, this: Try) -> DeliveryResult {
        let facts = DeliveryFacts {
            delivery_id: this.delivery_id,
            now: this.now,
            uncertain: this.uncertain,
            tier: Tier::from_number(this.tier),
            done: this.done,
        };
        match self.deliver(content, &facts).await {
            Ok(receipt) => DeliveryResult::Arrived { answer: receipt.answer, refused: receipt.refused },
            Err(error) if error.too_large() => DeliveryResult::TooLarge {
                error: error.to_string(),
                next_tier: error.next_tier(),
                done: error.done().to_vec(),
            },
            Err(error) if error.is_transient() => DeliveryResult::Later {
                error: error.to_string(),
                after: error.retry_after(),
                may_have_arrived: error.may_have_arrived(),
                done: error.done().to_vec(),
            },
            Err(error) => DeliveryResult::Never { error: error.to_string(), of_content: error.is_of_content() },
        }
    }
}

/// The result of a delivery round.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliverySummary {
    /// Arrived.
    pub sent: u32,
    /// Failed, now or before, and will be tried again.
    pub waiting: u32,
    /// Given up.
    pub dead: u32,
    /// Channels still sending at the time limit; they continue in the background.
    pub busy: u32,
    /// What went wrong, one line each.
    pub errors: Vec<String>,
}

/// How a round is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    /// When it begins.
    pub now: Timestamp,
    /// Quiet hours: only paging deliveries go out.
    pub page_only: bool,
    /// A person asks: the hours of channels do not count.
    pub by_hand: bool,
    /// How long the caller waits; a service a little, a command until all is done.
    pub patience: Duration,
}

/// Frees what an earlier process was sending when it died. Once, at the start, by the holder of the ledger's lock.
pub(crate) async fn recover(ledger: &Ledger, now: Timestamp) -> anyhow::Result<usize> {
    Ok(ledger.write(move |tx| store_delivery::requeue_interrupted(tx, now)).await?)
}

/// Sends everything that is due, all channels at once.
///
/// # Errors
/// The ledger refuses. What a channel refuses is in the summary instead.
pub(crate) async fn deliver<S: DigestSender>(
    ledger: &Ledger,
    channels: &[Arc<S>],
    round: Round,
) -> anyhow::Result<DeliverySummary> {
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for channel in channels {
        tasks.spawn(drain(ledger.clone(), Arc::clone(channel), round, began).in_current_span());
    }
    let mut summary = DeliverySummary::default();
    let deadline = tokio::time::Instant::now() + round.patience;
    while !tasks.is_empty() {
        match tokio::time::timeout_at(deadline, tasks.join_next()).await {
            Ok(Some(Ok(part))) => summary.add(part?),
            Ok(Some(Err(failure))) => {
                let error = format!("a delivery task failed: {failure}");
                error!("{error}");
                summary.errors.push(error);
            }
            Ok(None) => break,
            Err(_) => {
                summary.busy = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
                tasks.detach_all();
            }
        }
    }
    summary.waiting = ledger.read(store_delivery::count_waiting).await?;
    Ok(summary)
}

/// Sends what is due for one channel, one after the other.
async fn drain<S: DigestSender>(
    ledger: Ledger,
    channel: Arc<S>,
    round: Round,
    began: Instant,
) -> Result<DeliverySummary, LedgerError> {
    let mut summary = DeliverySummary::default();
    loop {
        let now = later(round.now, began);
        if !round.by_hand && !channel.is_open(now) {
            return Ok(summary);
        }
        let asked = Arc::clone(&channel);
        let claim = move |tx: &crate::ledger::Transaction<'_>| {
            let waits = |scheduled, created_at| !round.by_hand && asked.waits_for_daily(scheduled, created_at, now);
            store_delivery::claim(tx, asked.name(), round.page_only, waits, now)
        };
        let claimed = ledger.write(claim).await?;
        let Some(claimed) = claimed else {
            return Ok(summary);
        };
        let span = info_span!("delivery", channel = channel.name(), delivery.id = claimed.delivery_id);
        let clock = || later(round.now, began);
        let (answer, fate) = try_once(&ledger, channel.as_ref(), claimed, clock).instrument(span).await?;
        summary.count(channel.name(), &answer, &fate);
        MEASURES.count_delivery(channel.name(), fate.word());
        // After a failure, the channel's next delivery waits for the next round.
        if matches!((&answer, &fate), (DeliveryResult::Later { .. }, Fate::Again { .. })) {
            return Ok(summary);
        }
    }
}

/// Sends a claimed delivery, records the outcome and logs it.
async fn try_once<S: DigestSender>(
    ledger: &Ledger,
    channel: &S,
    claimed: Claimed,
    clock: impl Fn() -> Timestamp,
) -> Result<(DeliveryResult, Fate), LedgerError> {
    let (digest_id, attempt_number) = (claimed.content.digest_id.clone(), claimed.attempts);
    let answer = attempt(channel, &claimed, clock()).await;
    let fate = record(ledger, claimed, answer.clone(), clock()).await?;
    let name = channel.name();
    match (&fate, answer.error()) {
        (Fate::Sent, _) => info!(digest.id = digest_id, attempt = attempt_number, "sent digest {digest_id} to {name}"),
        (Fate::Again { at, .. }, error) => {
            warn!(
                digest.id = digest_id,
                attempt = attempt_number,
                "{name}: {}; next try {at:.0}",
                error.unwrap_or_default()
            );
        }
        (Fate::Dead, error) => {
            warn!(
                digest.id = digest_id,
                attempt = attempt_number,
                "{name}: {}; undeliverable",
                error.unwrap_or_default()
            );
        }
    }
    Ok((answer, fate))
}

/// What time it is, some time after it was `now`: a round may take minutes.
fn later(now: Timestamp, since: Instant) -> Timestamp {
    now.checked_add(since.elapsed()).unwrap_or(now)
}

async fn attempt<S: DigestSender>(channel: &S, claimed: &Claimed, now: Timestamp) -> DeliveryResult {
    let this = Try {
        delivery_id: claimed.delivery_id.clone(),
        now,
        uncertain: claimed.uncertain,
        tier: claimed.tier,
        done: claimed.done.clone(),
    };
    let sending = channel.send(&claimed.content, this);
    tokio::time::timeout(LONGEST_TRY, sending).await.unwrap_or_else(|_| DeliveryResult::Later {
        error: format!("no end after {} min", LONGEST_TRY.as_secs() / 60),
        after: None,
        may_have_arrived: true,
        done: Vec::new(),
    })
}

async fn record(
    ledger: &Ledger,
    claimed: Claimed,
    answer: DeliveryResult,
    now: Timestamp,
) -> Result<Fate, LedgerError> {
    let missed = headline(&claimed.content);
    ledger.write(move |tx| store_delivery::record(tx, &claimed, &answer, &missed, now)).await
}

impl DeliverySummary {
    fn count(&mut self, channel: &str, answer: &DeliveryResult, fate: &Fate) {
        match fate {
            Fate::Sent => self.sent += 1,
            // Counted in the ledger: what waits for its next try has not arrived either.
            Fate::Again { .. } => {}
            Fate::Dead => self.dead += 1,
        }
        if let Some(error) = answer.error() {
            self.errors.push(format!("{channel}: {error}"));
        }
    }

    fn add(&mut self, other: DeliverySummary) {
        self.sent += other.sent;
        self.dead += other.dead;
        self.busy += other.busy;
        self.errors.extend(other.errors);
    }
}
