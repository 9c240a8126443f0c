//! Taking back what was not sent yet.

use jiff::Timestamp;

use crate::ledger::Ledger;
use crate::ledger::audit::{self, Act};
use crate::reprocess::intents::end_error::EndError;
use crate::reprocess::protocol::intent::{IntentEvent, IntentState};
use crate::reprocess::store::intent;

/// Cancels an intent of which nothing was sent.
///
/// # Errors
/// There is no such intent, or it may have been sent.
pub(crate) async fn cancel(ledger: &Ledger, intent_id: &str, actor: &str, now: Timestamp) -> Result<(), EndError> {
    let (id, actor) = (intent_id.to_owned(), actor.to_owned());
    ledger
        .try_write(move |tx| {
            let stored = intent::get(tx, &id)?.ok_or(EndError::Unknown)?;
            let cancelled = stored.intent.clone().after(IntentEvent::Cancel);
            let (after, _) = cancelled.map_err(|_| EndError::Refused(cannot(&stored.intent.state)))?;
            intent::keep(tx, &id, &after, None, now)?;
            let act = Act { actor: &actor, action: "reprocess cancel", subject: &id, ..Act::default() };
            audit::record(tx, &act, now)?;
            Ok(())
        })
        .await
}

fn cannot(state: &IntentState) -> String {
    match state.batch_ids().as_slice() {
        [] if state.releases() => format!("it is over ({})", state.name()),
        [] => "it may have been sent already; the next cycles find out".to_owned(),
        ids => format!("it was sent; cancel batch {} at LlamaCloud", ids.join(", ")),
    }
}
