//! Looks at how a project does and moves its gate: incidents, failing attempts, storms, an account that cannot go on.

use jiff::{SignedDuration, Timestamp};

use super::Reprocess;
use super::facts::limits;
use crate::config::reprocess::Mode;
use crate::core::reprocess::{Gate, Limits, Weather, done_within, global_breaker_trips, incident, weather};
use crate::ledger::gate::{self, StoredGate};
use crate::ledger::{Connection, LedgerError, Transaction, conditions, fault};

/// What the weather is read from.
const WINDOW: SignedDuration = SignedDuration::from_mins(30);

/// An older refusal of the account says nothing about now; the next POST will tell.
const FRESH: SignedDuration = SignedDuration::from_hours(1);

impl Reprocess<'_> {
    /// Moves the gate of a project by what was seen lately, and says what the weather is.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(super) async fn weigh(&self, project: &str, now: Timestamp) -> Result<(StoredGate, Weather), LedgerError> {
        let (project, limits, mode) = (project.to_owned(), limits(self.config), self.config.mode);
        self.ledger
            .write(move |tx| {
                let before = gate::get(tx, &project)?;
                let weather = weather_of(tx, &project, now)?;
                let after = observed(tx, &project, &before, weather, mode, &limits, now)?;
                if after != before.gate {
                    moved(tx, &project, &before, after, now)?;
                }
                Ok((gate::get(tx, &project)?, weather))
            })
            .await
    }

    /// The same for the projects that something holds back, where nothing else looks at them: nothing is retried by itself.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(super) async fn weigh_closed(&self, now: Timestamp) -> Result<(), LedgerError> {
        for (project, _) in self.ledger.read(gate::closed).await? {
            self.weigh(&project, now).await?;
        }
        Ok(())
    }
}

/// The weather of a project in the last half hour.
pub(super) fn weather_of(connection: &Connection, project: &str, now: Timestamp) -> Result<Weather, LedgerError> {
    let since = now - WINDOW;
    let done = done_within(&conditions::work(connection, project, since)?, since, now);
    let failed = conditions::failed(connection, project, since)?;
    let mut began = conditions::turned(connection, project, since)?;
    began.retain(|turned| turned.began);
    began.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    began.dedup_by(|a, b| a.group_id == b.group_id);
    Ok(weather(done + failed, failed, began.len()))
}

fn observed(
    tx: &Transaction<'_>,
    project: &str,
    before: &StoredGate,
    weather: Weather,
    mode: Mode,
    limits: &Limits,
    now: Timestamp,
) -> Result<Gate, LedgerError> {
    let mut after = before.gate;
    if let Gate::AccountStop { since } = after
        && let Some(completed_at) = conditions::completion_since(tx, project, since)?
    {
        after = after.saw_completion(completed_at, limits);
    }
    // What failed before the gate last moved is what moved it, or was overcome since.
    let fresh = before.changed_at.unwrap_or(Timestamp::MIN).max(now - FRESH);
    if conditions::account_failure(tx, project, fresh)?.is_some() {
        after = after.stop_account(now);
    }
    if mode != Mode::Auto {
        after = after.without_probe(now);
    }
    if mode == Mode::Off {
        return Ok(after);
    }
    let turned = conditions::turned(tx, project, now - WINDOW)?;
    let turned: Vec<_> = turned.into_iter().map(|turned| (turned.at, turned.group_id)).collect();
    let attempts = conditions::attempts(tx, project, now - FRESH)?;
    Ok(after.observe(now, incident(now, &turned), global_breaker_trips(now, &attempts), weather, limits))
}

/// Keeps a gate that moved, and tells people of an account that stopped or goes on.
fn moved(
    tx: &Transaction<'_>,
    project: &str,
    before: &StoredGate,
    after: Gate,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let key = format!("account:{project}");
    let stops = |gate: Gate| matches!(gate, Gate::AccountStop { .. });
    let why = stops(after).then_some("items failed because the account cannot go on");
    gate::keep(tx, project, after, why, now)?;
    match (stops(before.gate), stops(after)) {
        (false, true) => {
            let text = format!(
                "retries of project {project} are stopped: its items fail for the account (key, role, credits or quota); they go on once something completes again, or with `llama-triage breaker reset global --reason TEXT`"
            );
            fault::raise(tx, &key, &text, now)
        }
        (true, false) => fault::clear(tx, &key, now),
        _ => Ok(()),
    }
}
