//! Ends intents by hand: cancels what was not sent yet, gives up what never ends, because its project was removed from the configuration
//! or LlamaCloud never shows its outcome.

use jiff::{SignedDuration, Timestamp};

use crate::config::Config;
use crate::ledger::audit::{self, Act};
use crate::ledger::error::LedgerError;
use crate::ledger::{Ledger, Transaction, fault};
use crate::reprocess::facts::limits;
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::protocol::intent::{IntentEvent, IntentState};
use crate::reprocess::protocol::outcome::Outcome;
use crate::reprocess::store::attempt::{self, End};
use crate::reprocess::store::intent::{self, StoredIntent};

/// A retry of unclear outcome is looked for at least this long before a person may end it.
const LOOKED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Why a plan or an intent was not ended; nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// There is none with this id.
    #[error("there is no such plan or intent")]
    Unknown,
    /// It is in no state to be ended.
    #[error("{0}")]
    Refused(String),
    /// The ledger refuses.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The person who gives up a retry, and the reason.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GiveUp<'a> {
    /// The intent.
    pub intent_id: &'a str,
    /// Who.
    pub actor: &'a str,
    /// Why.
    pub reason: &'a str,
    /// When.
    pub now: Timestamp,
}

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
            let (after, _) = cancelled.map_err(|_| EndError::Refused(cannot_cancel(&stored.intent.state)))?;
            intent::keep(tx, &id, &after, None, now)?;
            let act = Act { actor: &actor, action: "reprocess cancel", subject: &id, ..Act::default() };
            audit::record(tx, &act, now)?;
            Ok(())
        })
        .await
}

/// Ends a retry whose outcome cannot be determined: its attempts end as `unknown`, and count; its items are open again.
/// Returns how many items that is.
///
/// # Errors
/// There is no such intent, or more may be found out.
pub(crate) async fn give_up(ledger: &Ledger, config: &Config, act: GiveUp<'_>) -> Result<u32, EndError> {
    let limits = limits(&config.reprocess);
    let projects: Vec<String> = config.project.iter().map(|project| project.name.clone()).collect();
    let (id, actor, reason, now) = (act.intent_id.to_owned(), act.actor.to_owned(), act.reason.to_owned(), act.now);
    ledger
        .try_write(move |tx| {
            let stored = intent::get(tx, &id)?.ok_or(EndError::Unknown)?;
            if let Some(why) = cannot_give_up(&stored, projects.contains(&stored.project), &limits, now) {
                return Err(EndError::Refused(why));
            }
            let items = end_all(tx, &stored, now)?;
            intent::finish(tx, &id, now)?;
            fault::clear(tx, &format!("retry:{id}"), now)?;
            let detail = serde_json::json!({ "items": items, "project": stored.project }).to_string();
            let act = Act {
                actor: &actor,
                action: "reprocess give-up",
                subject: &id,
                reason: Some(&reason),
                detail: Some(detail),
            };
            audit::record(tx, &act, now)?;
            Ok(items)
        })
        .await
}

/// Why a retry cannot be given up; none if it can.
fn cannot_give_up(stored: &StoredIntent, configured: bool, limits: &Limits, now: Timestamp) -> Option<String> {
    let age = now - stored.intent.posting_at.unwrap_or(stored.created_at);
    match &stored.intent.state {
        _ if stored.word == "finished" || stored.intent.state.releases() => {
            Some(format!("it is over ({})", stored.word))
        }
        IntentState::Planned => Some("nothing was sent yet: use `reprocess cancel`".to_owned()),
        IntentState::Posting => Some("it is being sent right now".to_owned()),
        IntentState::Unknown if configured && age <= LOOKED_FOR => {
            Some("its batch is still being looked for; ask again an hour after it was sent".to_owned())
        }
        IntentState::Unknown => None,
        state if configured && age < limits.expires_after => {
            Some(format!("batch {} is followed; ask again a day after it was sent", state.batch_ids().join(", ")))
        }
        _ => None,
    }
}

/// Ends the attempts that are under way; says how many there were.
fn end_all(tx: &Transaction<'_>, stored: &StoredIntent, now: Timestamp) -> Result<u32, LedgerError> {
    let mut items = 0;
    for attempt in attempt::running(tx, &stored.intent_id)?.into_iter().filter(|attempt| !attempt.expired) {
        let end = End { attempt, outcome: Outcome::Unknown, counts: true, recovers: false, seen: None };
        attempt::end(tx, stored, &end, now)?;
        items += 1;
    }
    Ok(items)
}

fn cannot_cancel(state: &IntentState) -> String {
    match state.batch_ids().as_slice() {
        [] if state.releases() => format!("it is over ({})", state.name()),
        [] => "it may have been sent already; the next cycles find out".to_owned(),
        ids => format!("it was sent; cancel batch {} at LlamaCloud", ids.join(", ")),
    }
}
