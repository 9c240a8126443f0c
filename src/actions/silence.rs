//! `silence`, `unsilence` and `silence list`: messages about something are held back for a while.

use std::time::Duration;

use crate::actions::act::{ActError, Done, Person, find};
use crate::ledger::audit::{self, Act};
use crate::ledger::{Connection, Ledger};
use crate::triage::silence::{Matcher, expiry};
use crate::triage::store::silence::{self, Covered, Silence};

/// Silences what the matcher covers for `length` (an hour if none).
///
/// # Errors
/// The matcher covers everything or has a wrong pattern, there is no reason, it is longer than 30 days, or the group
/// it names is unknown.
pub(crate) async fn silence(
    ledger: &Ledger,
    mut matcher: Matcher,
    length: Option<Duration>,
    reason: &str,
    by: Person,
) -> Result<Done, ActError> {
    let refused = |error: crate::triage::silence::SilenceError| ActError::Refused(error.to_string());
    let expires_at = expiry(by.now, length, reason).map_err(refused)?;
    matcher.clone().compile().map_err(refused)?;
    let reason = reason.trim().to_owned();
    let work = move |tx: &crate::ledger::Transaction<'_>| -> Result<Done, ActError> {
        if let Some(group_id) = &matcher.group {
            matcher.group = Some(find(tx, group_id)?.group_id);
        }
        let covers = matcher.describe();
        let silence = Silence {
            silence_id: 0,
            matcher,
            author: by.name.clone(),
            reason: reason.clone(),
            created_at: by.now,
            expires_at,
            ended_at: None,
        };
        let id = silence::add(tx, &silence)?;
        let subject = id.to_string();
        let detail = serde_json::to_string(&silence.matcher).ok();
        let act = Act { actor: &by.name, action: "silence", subject: &subject, reason: Some(&reason), detail };
        let audit_id = audit::record(tx, &act, by.now)?;
        Ok(Done {
            said: format!("Silence {id} on {covers} until {expires_at:.0}. Recording and reports continue."),
            audit_id,
        })
    };
    ledger.try_write(work).await
}

/// The groups with open items that a silence would cover, and how many items of each.
///
/// # Errors
/// The matcher covers everything or has a wrong pattern, or the group it names is unknown.
pub(crate) fn covered_by(connection: &Connection, mut matcher: Matcher) -> Result<Vec<Covered>, ActError> {
    if let Some(group_id) = &matcher.group {
        matcher.group = Some(find(connection, group_id)?.group_id);
    }
    let matcher = matcher.compile().map_err(|error| ActError::Refused(error.to_string()))?;
    Ok(silence::covered(connection, &matcher)?)
}

/// The same, of an open ledger.
///
/// # Errors
/// As [`covered_by`].
pub(crate) async fn covered(ledger: &Ledger, matcher: Matcher) -> Result<Vec<Covered>, ActError> {
    ledger.read(move |connection| Ok(covered_by(connection, matcher))).await?
}

/// Takes a silence back.
///
/// # Errors
/// There is no silence in force with this number.
pub(crate) async fn unsilence(ledger: &Ledger, silence_id: i64, by: Person) -> Result<Done, ActError> {
    let work = move |tx: &crate::ledger::Transaction<'_>| -> Result<Done, ActError> {
        if !silence::end(tx, silence_id, by.now)? {
            let text = format!("active silence {silence_id}; `llama-triage group silences` lists them");
            return Err(ActError::NotFound(text));
        }
        let subject = silence_id.to_string();
        let act = Act { actor: &by.name, action: "unsilence", subject: &subject, ..Act::default() };
        let audit_id = audit::record(tx, &act, by.now)?;
        Ok(Done { said: format!("Silence {silence_id} has ended."), audit_id })
    };
    ledger.try_write(work).await
}

/// The silences in force, the oldest first.
pub(crate) async fn list(ledger: &Ledger, now: jiff::Timestamp) -> Result<Vec<Silence>, ActError> {
    Ok(ledger.read(move |connection| silence::in_force(connection, now)).await?)
}
