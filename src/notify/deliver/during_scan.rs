//! Deliveries while something long is done: a page that waits for its next try must not wait for a scan of an hour.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{Instrument, error};

use crate::ledger::Ledger;
use crate::model::schedule::quiet::QuietHours;
use crate::notify::deliver::{DigestSender, Round, deliver};

/// Between two rounds, and before the first: what is quick is not disturbed.
const PAUSE: Duration = Duration::from_secs(5);

/// How long a round waits for its channels; they go on in the background.
const PATIENCE: Duration = Duration::from_secs(10);

/// When the worker began, and when only pages may go out.
#[derive(Clone)]
pub(crate) struct DeliveryHours {
    /// Now, as the caller has it.
    pub(crate) now: Timestamp,
    /// Quiet hours, if there are any.
    pub(crate) quiet: Option<QuietHours>,
    /// Their zone.
    pub(crate) zone: TimeZone,
}

/// Delivers what falls due until the guard is dropped. A round under way then still comes to its end.
pub(crate) fn deliver_meanwhile<S: DigestSender>(
    ledger: &Ledger,
    channels: &[Arc<S>],
    hours: DeliveryHours,
) -> DropGuard {
    let stop = CancellationToken::new();
    tokio::spawn(rounds(ledger.clone(), channels.to_vec(), hours, stop.clone()).in_current_span());
    stop.drop_guard()
}

async fn rounds<S: DigestSender>(ledger: Ledger, channels: Vec<Arc<S>>, hours: DeliveryHours, stop: CancellationToken) {
    let began = Instant::now();
    while stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_some() {
        let now = hours.now.checked_add(began.elapsed()).unwrap_or(hours.now);
        let page_only = hours.quiet.is_some_and(|quiet| quiet.contain(now, &hours.zone));
        if let Err(error) =
            deliver(&ledger, &channels, Round { now, page_only, by_hand: false, patience: PATIENCE }).await
        {
            error!("cannot deliver digests: {error:#}");
        }
    }
}
