//! Taking back what was not sent yet.

use jiff::Timestamp;

use crate::ledger::Ledger;
use crate::ledger::audit::{self, Act};
use crate::ledger::error::LedgerError;
use crate::reprocess::protocol::intent::{IntentEvent, IntentState};
use crate::reprocess::store::intent;

/// Cancels an intent of which nothing was sent. Returns what is so now; none if there is no such intent.
///
/// # Errors
/// The ledger refuses.
pub(crate) async fn cancel(
    ledger: &Ledger,
    intent_id: &str,
    actor: &str,
    now: Timestamp,
) -> Result<Option<Result<(), String>>, LedgerError> {
    let (id, actor) = (intent_id.to_owned(), actor.to_owned());
    ledger
        .write(move |tx| {
            let Some(stored) = intent::get(tx, &id)? else { return Ok(None) };
            let Ok((after, _)) = stored.intent.clone().after(IntentEvent::Cancel) else {
                return Ok(Some(Err(cannot(&stored.intent.state))));
            };
            intent::keep(tx, &id, &after, None, now)?;
            let act = Act { actor: &actor, action: "reprocess cancel", subject: &id, ..Act::default() };
            audit::record(tx, &act, now)?;
            Ok(Some(Ok(())))
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
