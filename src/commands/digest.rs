//! `digest`: decides and enqueues what is due, then delivers the outbox; or shows what it would do.

use std::sync::Arc;
use std::time::Duration;

use crate::core::digest::model::Digest;
use crate::ledger::Ledger;
use crate::service::deliver::{DeliverySummary, Round, Sender, deliver, recover};
use crate::service::triage::settings::Settings;
use crate::service::triage::{Request, triage, triage_in};

/// How long a command waits for its channels: longer than the longest try.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The digest that [`run`] would decide now; none if there is nothing to tell. Nothing changes.
///
/// A ledger opened beside a running service will do.
///
/// # Errors
/// The ledger refuses.
pub async fn rehearse(ledger: &Ledger, settings: &Settings, request: Request) -> anyhow::Result<Option<Digest>> {
    let settings = settings.clone();
    Ok(ledger.rehearse(move |tx| triage_in(tx, &settings, &request)).await?)
}

/// Decides what is due, and delivers everything that waits. Needs the ledger's lock.
///
/// # Errors
/// The ledger refuses.
pub async fn run<S: Sender>(
    ledger: &Ledger,
    settings: &Settings,
    channels: &[Arc<S>],
    request: Request,
) -> anyhow::Result<(Option<Digest>, DeliverySummary)> {
    let now = request.now;
    recover(ledger, now).await?;
    let page_only = !request.by_hand && settings.is_quiet(now);
    let digest = triage(ledger, settings, request).await?;
    let summary = deliver(ledger, channels, Round { now, page_only, patience: PATIENCE }).await?;
    Ok((digest, summary))
}
