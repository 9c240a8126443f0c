//! What retries have shown about each group: its breaker, its ramp, whether trying again helps.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::millis::{Count, Millis};
use crate::reprocess::policy::group_state::{GroupState, LaterTries, Parked};
use crate::reprocess::policy::holds::breaker::Breaker;
use crate::reprocess::policy::ramp::{Ramp, Step};

const STEPS: [Step; 5] = [Step::One, Step::Five, Step::Twenty, Step::Hundred, Step::Rest];

/// The place of a step in the ramp: 0 is the canary.
pub(crate) fn step_number(step: Step) -> i64 {
    STEPS.iter().position(|one| *one == step).and_then(|at| i64::try_from(at).ok()).unwrap_or(0)
}

fn step(number: i64) -> Step {
    usize::try_from(number).ok().and_then(|at| STEPS.get(at)).copied().unwrap_or(Step::One)
}

/// The state of a group; the default for one without history.
///
/// # Errors
/// SQLite refuses, or a stored value cannot be read.
pub(crate) fn group(connection: &Connection, group_id: &str) -> Result<GroupState, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT open_since, open_until, opened, step, posted, recovered, failed, neutral, second_tries, third_tries,
                ever_recovered, lost_canaries, parked_since, parked_compared, cancelled
         FROM breaker WHERE scope = ?1",
    )?;
    Ok(statement.query_row([group_id], read_group).optional()?.unwrap_or_default())
}

fn read_group(row: &Row<'_>) -> rusqlite::Result<GroupState> {
    let time = |index| row.get::<_, Option<Millis>>(index).map(|at| at.map(|at| at.0));
    let opened = row.get(2)?;
    let breaker = match (time(0)?, time(1)?) {
        (Some(since), Some(until)) => Breaker::Open { since, until, opened },
        _ => Breaker::Closed { opened },
    };
    let parked_compared = row.get(13)?;
    Ok(GroupState {
        ramp: Ramp {
            step: step(row.get(3)?),
            posted: row.get(4)?,
            recovered: row.get(5)?,
            failed: row.get(6)?,
            neutral: row.get(7)?,
        },
        breaker,
        second_tries: tries(row, 8)?,
        third_tries: tries(row, 9)?,
        recovered: row.get(10)?,
        lost_canaries: row.get(11)?,
        parked: time(12)?.map(|since| Parked { since, compared: parked_compared }),
        cancelled: row.get(14)?,
    })
}

fn tries(row: &Row<'_>, index: usize) -> rusqlite::Result<LaterTries> {
    let text: String = row.get(index)?;
    let [recovered, failed, running] = serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(LaterTries { recovered, failed, running })
}

/// Keeps the state of a group.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn keep_group(
    tx: &Transaction<'_>,
    group_id: &str,
    state: &GroupState,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let (word, since, until) = match state.breaker {
        Breaker::Closed { .. } => ("closed", None, None),
        Breaker::Open { since, until, .. } => ("open", Some(Millis(since)), Some(Millis(until))),
    };
    let why = match (state.breaker, state.parked) {
        (_, Some(Parked { compared: true, .. })) => {
            Some("its canary failed while other work went through: a person must decide")
        }
        (_, Some(_)) => Some("its canary failed while too little else was finished to compare with"),
        (Breaker::Open { .. }, None) if state.cancelled => Some("somebody cancelled its retry at LlamaCloud"),
        (Breaker::Open { .. }, None) => Some("too few retries recovered"),
        _ => None,
    };
    let tries = |tries: LaterTries| format!("[{},{},{}]", tries.recovered, tries.failed, tries.running);
    tx.prepare_cached(
        "INSERT INTO breaker (scope, state, open_since, open_until, opened, step, posted, recovered, failed,
             neutral, second_tries, third_tries, ever_recovered, lost_canaries, parked_since, parked_compared, why, changed_at,
             cancelled)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
         ON CONFLICT (scope) DO UPDATE SET state = ?2, open_since = ?3, open_until = ?4, opened = ?5, step = ?6, posted = ?7,
             recovered = ?8, failed = ?9, neutral = ?10, second_tries = ?11, third_tries = ?12, ever_recovered = ?13,
             lost_canaries = ?14, parked_since = ?15, parked_compared = ?16, why = ?17, changed_at = ?18, cancelled = ?19",
    )?
    .execute(params![
        group_id,
        word,
        since,
        until,
        state.breaker.opened(),
        step_number(state.ramp.step),
        state.ramp.posted,
        state.ramp.recovered,
        state.ramp.failed,
        state.ramp.neutral,
        tries(state.second_tries),
        tries(state.third_tries),
        state.recovered,
        state.lost_canaries,
        state.parked.map(|parked| Millis(parked.since)),
        state.parked.is_some_and(|parked| parked.compared),
        why,
        Millis(now),
        state.cancelled,
    ])?;
    Ok(())
}

/// Notes the parameters that a group is retried with; its state says nothing about others.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn note_config(tx: &Transaction<'_>, group_id: &str, config_hash: &str) -> Result<(), LedgerError> {
    tx.prepare_cached("UPDATE breaker SET config_hash = ?2 WHERE scope = ?1")?.execute([group_id, config_hash])?;
    Ok(())
}

/// The parameters that the state of a group was seen with; none if it was never retried.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn config_hash(connection: &Connection, group_id: &str) -> Result<Option<String>, LedgerError> {
    let mut statement = connection.prepare_cached("SELECT config_hash FROM breaker WHERE scope = ?1")?;
    Ok(statement.query_row([group_id], |row| row.get(0)).optional()?.flatten())
}

/// The state that people are shown, at `?1`: one whose time is over lets an item through, and a group that is left to a person
/// stays as it is until a person decides.
pub(crate) const SHOWN_STATE: &str = "CASE WHEN parked_since IS NOT NULL AND parked_compared THEN 'open'
    WHEN state = 'open' AND open_until <= ?1 THEN 'half-open' ELSE state END";

/// A group whose breaker is open, or that is left to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resting {
    /// The group.
    pub group_id: String,
    /// When its open breaker lets one canary go; none if the breaker is closed, as after a probe for all groups.
    pub until: Option<Timestamp>,
    /// Whether it is left to a person.
    pub parked: Option<Parked>,
    /// Its open items.
    pub open_items: u64,
}

impl Resting {
    /// Since when nothing of it goes before a person decides; without other work to compare with it gets another canary by itself.
    pub(crate) fn waits_for_decision(&self) -> Option<Timestamp> {
        self.parked.filter(|parked| parked.compared).map(|parked| parked.since)
    }
}

/// The groups whose breaker is open, and those that are left to a person.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn resting(connection: &Connection) -> Result<Vec<Resting>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT scope, open_until, parked_since, parked_compared, coalesce(g.open_items, 0)
         FROM breaker LEFT JOIN error_group g ON g.group_id = scope
         WHERE (state = 'open' AND open_until IS NOT NULL) OR parked_since IS NOT NULL ORDER BY 2, 1",
    )?;
    let read = |row: &Row<'_>| {
        let time = |index| row.get::<_, Option<Millis>>(index).map(|at| at.map(|at| at.0));
        let compared = row.get(3)?;
        let parked = time(2)?.map(|since| Parked { since, compared });
        Ok(Resting { group_id: row.get(0)?, until: time(1)?, parked, open_items: row.get::<_, Count>(4)?.0 })
    };
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::{Seed, t};
    use crate::reprocess::policy::group_state::Ended;
    use crate::reprocess::policy::holds::outage_signal::Weather;
    use crate::reprocess::policy::intents::outcome::Vote;
    use crate::reprocess::policy::limits::Limits;
    use crate::reprocess::policy::record::Record;

    #[test]
    fn a_group_that_a_failed_probe_left_to_a_person_is_named_though_its_breaker_is_closed() {
        let mut seed = Seed::new();
        seed.batch("b", "completed");
        seed.fail("g-1", "b", 2, t(0));
        seed.fail("g-2", "b", 1, t(0));
        for (group_id, weather) in [("g-1", Weather::Calm), ("g-2", Weather::Still)] {
            let limits = Limits { canaries: 1, ..Limits::default() };
            let ctx =
                Ended { now: t(9), limits: &limits, generic: true, weather, probe: true, record: Record::default() };
            let mut state = GroupState::default();
            state.posted(0);
            state.ended(Vote::Failed, 0, &ctx);
            seed.write(|tx| keep_group(tx, group_id, &state, t(9))).unwrap();
        }
        seed.write(|tx| keep_group(tx, "g-3", &GroupState::default(), t(9))).unwrap();

        let named = resting(&seed.connection).unwrap();
        let told: Vec<_> =
            named.iter().map(|g| (g.group_id.as_str(), g.until, g.waits_for_decision(), g.open_items)).collect();
        assert_eq!(told, [("g-1", None, Some(t(9)), 2), ("g-2", None, None, 1)]);
        assert_eq!(named[1].parked, Some(Parked { since: t(9), compared: false }));
        assert_eq!(shown(&seed, t(10)), [("g-1", "open"), ("g-2", "closed"), ("g-3", "closed")].map(owned));
    }

    #[test]
    fn a_breaker_whose_time_is_over_is_shown_half_open() {
        let mut seed = Seed::new();
        let state =
            GroupState { breaker: Breaker::Open { since: t(0), until: t(9), opened: 1 }, ..GroupState::default() };
        seed.write(|tx| keep_group(tx, "g-1", &state, t(0))).unwrap();
        assert_eq!(shown(&seed, t(8)), [("g-1", "open")].map(owned));
        assert_eq!(shown(&seed, t(9)), [("g-1", "half-open")].map(owned));
    }

    fn owned((scope, state): (&str, &str)) -> (String, String) {
        (scope.to_owned(), state.to_owned())
    }

    fn shown(seed: &Seed, now: Timestamp) -> Vec<(String, String)> {
        let sql = format!("SELECT scope, {SHOWN_STATE} FROM breaker ORDER BY scope");
        let mut statement = seed.connection.prepare(&sql).unwrap();
        let rows = statement.query_map([now.as_millisecond()], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }
}
