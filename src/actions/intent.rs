//! `reprocess cancel|give-up`: ends one intent by hand.

use crate::actions::act::{ActError, Done, Person, reason};
use crate::actions::plan::not_ended;
use crate::ledger::Ledger;
use crate::reprocess::intents::end::{cancel, give_up};
use crate::reprocess::store::named::short;

/// Cancels an intent of which nothing was sent. `what` names it where there is none.
///
/// # Errors
/// There is no such intent, or it may have been sent.
pub(crate) async fn cancel_intent(ledger: &Ledger, id: &str, what: &str, by: &Person) -> Result<Done, ActError> {
    let shown = short(id);
    let audit_id = cancel(ledger, id, &by.name, by.now)
        .await
        .map_err(|error| not_ended(error, what, &format!("{shown} cannot be cancelled: ")))?;
    Ok(Done { said: format!("Intent {shown} cancelled; nothing was sent."), audit_id })
}

/// Ends an intent whose outcome cannot be determined. `projects` are those of the configuration.
///
/// # Errors
/// There is no such intent, its outcome may still be found, or no reason is given.
pub(crate) async fn abandon_intent(
    ledger: &Ledger,
    projects: Vec<String>,
    id: &str,
    why: &str,
    by: &Person,
) -> Result<Done, ActError> {
    let (why, shown) = (reason(why)?, short(id));
    let (items, audit_id) = give_up(ledger, projects, (id, &by.name, &why), by.now)
        .await
        .map_err(|error| not_ended(error, &format!("intent {id}"), &format!("{shown} cannot be abandoned: ")))?;
    let said = format!(
        "Intent {shown} abandoned: {items} items without an outcome can be retried. If LlamaCloud did process them, a retry is billed again."
    );
    Ok(Done { said, audit_id })
}
