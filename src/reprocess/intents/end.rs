//! Ends intents by hand: cancels what was not sent yet, gives up what never ends, because its project was removed from the configuration
//! or LlamaCloud never shows its outcome.

use jiff::{SignedDuration, Timestamp};

use crate::ledger::audit::{self, Act};
use crate::ledger::error::LedgerError;
use crate::ledger::{Ledger, fault};
use crate::reprocess::protocol::intent::IntentState;
use crate::reprocess::protocol::outcome::{EXPIRES_AFTER, Outcome};
use crate::reprocess::store::attempt::{self, Attempt};
use crate::reprocess::store::intent::{self, Intent};

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

/// Cancels an intent of which nothing was sent.
///
/// Returns the row of the audit log.
///
/// # Errors
/// There is no such intent, or it may have been sent.
pub(crate) async fn cancel(ledger: &Ledger, intent_id: &str, actor: &str, now: Timestamp) -> Result<i64, EndError> {
    let (id, actor) = (intent_id.to_owned(), actor.to_owned());
    ledger
        .try_write(move |tx| {
            let intent = intent::get(tx, &id)?.ok_or(EndError::Unknown)?;
            if intent.state != IntentState::Planned {
                return Err(EndError::Refused(cannot_cancel(&intent)));
            }
            intent::keep(tx, &Intent { state: IntentState::Cancelled, ..intent }, now)?;
            let act = Act { actor: &actor, action: "reprocess cancel", subject: &id, ..Act::default() };
            Ok(audit::record(tx, &act, now)?)
        })
        .await
}

fn cannot_cancel(intent: &Intent) -> String {
    match intent.batch_ids.as_slice() {
        [] if intent.state.releases() => format!("it is over ({})", intent.state),
        [] => "it may have been sent already; the next cycles find out".to_owned(),
        ids => format!("it was sent; cancel batch {} at LlamaCloud", ids.join(", ")),
    }
}

/// Ends a retry whose outcome cannot be determined: its attempts end as `unknown`, and count; its items are open again.
/// Returns how many items that is, and the row of the audit log. `projects` are those of the configuration.
///
/// # Errors
/// There is no such intent, or more may be found out.
pub(crate) async fn give_up(
    ledger: &Ledger,
    projects: Vec<String>,
    (intent_id, actor, reason): (&str, &str, &str),
    now: Timestamp,
) -> Result<(usize, i64), EndError> {
    let (id, actor, reason) = (intent_id.to_owned(), actor.to_owned(), reason.to_owned());
    ledger
        .try_write(move |tx| {
            let intent = intent::get(tx, &id)?.ok_or(EndError::Unknown)?;
            if let Some(why) = cannot_give_up(&intent, projects.contains(&intent.project), now) {
                return Err(EndError::Refused(why));
            }
            let mut running = attempt::running(tx, &id)?;
            running.retain(|attempt| !attempt.expired);
            let items = running.len();
            for attempt in running {
                let ended = Attempt { outcome: Outcome::Unknown, counts: true, ..attempt };
                attempt::end(tx, &intent, &ended, now)?;
            }
            fault::clear(tx, &format!("retry:{id}"), now)?;
            let detail = serde_json::json!({ "items": items, "project": intent.project }).to_string();
            intent::keep(tx, &Intent { state: IntentState::Finished, ..intent }, now)?;
            let (action, reason, detail) = ("reprocess give-up", Some(reason.as_str()), Some(detail));
            Ok((items, audit::record(tx, &Act { actor: &actor, action, subject: &id, reason, detail }, now)?))
        })
        .await
}

/// Why a retry cannot be given up; none if it can.
pub(crate) fn cannot_give_up(intent: &Intent, configured: bool, now: Timestamp) -> Option<String> {
    let age = now - intent.sent_at();
    match intent.state {
        IntentState::Planned => Some("nothing was sent yet: use `reprocess cancel`".to_owned()),
        IntentState::Posting => Some("it is being sent right now".to_owned()),
        IntentState::Unknown if configured && age <= LOOKED_FOR => {
            Some("its batch is still being looked for; ask again an hour after it was sent".to_owned())
        }
        IntentState::Submitted if configured && age < EXPIRES_AFTER => {
            Some(format!("batch {} is followed; ask again a day after it was sent", intent.batch_ids.join(", ")))
        }
        IntentState::Unknown | IntentState::Submitted => None,
        over => Some(format!("it is over ({over})")),
    }
}
