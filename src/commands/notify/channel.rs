//! `notify preview|test CHANNEL`: what a channel would be sent now, and whether it takes anything at all.

use jiff::Timestamp;

use crate::ledger::Ledger;
use crate::notify::delivery::{DeliveryFacts, Receipt};
use crate::notify::error::NotifyError;
use crate::notify::{Channel, store_delivery};
use crate::triage::digest::model::Digest;
use crate::triage::digest::size_limit::Tier;
use crate::triage::digest::test_digest::trial;
use crate::triage::settings::{TriageRequest, TriageSettings};
use crate::triage::triage_in;

/// What the channel would be sent by a cycle now, narrowed and joined with what still waits for it; none if nothing.
///
/// Nothing changes. Render it with [`Channel::preview`] and [`first_try`].
pub(crate) async fn preview(
    ledger: &Ledger,
    settings: &TriageSettings,
    channel: &str,
    request: TriageRequest,
) -> anyhow::Result<Option<Digest>> {
    let (settings, channel) = (settings.clone(), channel.to_owned());
    let work = move |tx: &crate::ledger::Transaction<'_>| {
        triage_in(tx, &settings, &request)?;
        store_delivery::next_content(tx, &channel)
    };
    Ok(ledger.dry_run(work).await?)
}

/// Sends the channel a made-up digest that says it is a test. It is not stored in the ledger, so its id is random.
///
/// # Errors
/// The channel does not take it.
pub(crate) async fn test(
    channel: &Channel,
    instance: &str,
    zone: &str,
    now: Timestamp,
) -> Result<Receipt, NotifyError> {
    let digest = Digest { ledger_id: ulid::Ulid::generate().to_string(), ..trial(instance, zone, now) };
    channel.deliver(&digest, &first_try(&digest, &channel.name, now)).await
}

/// The facts of a digest's first try on a channel.
pub fn first_try(digest: &Digest, channel: &str, now: Timestamp) -> DeliveryFacts {
    DeliveryFacts {
        delivery_id: format!("{}.{channel}", digest.digest_id),
        now,
        uncertain: false,
        tier: Tier::Full,
        done: Vec::new(),
        thread: None,
    }
}
