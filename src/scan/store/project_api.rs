//! Which batch APIs a project was found to have, and what is left open of one that went away.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use strum::VariantArray as _;

use crate::ledger::error::LedgerError;
use crate::ledger::time::{Count, Millis};
use crate::model::batch_api::{ApiState, ApiStates, BatchApi, OpenWork, Presence};

/// What is known of the APIs of a project; unknown for those that were never asked.
pub(crate) fn states(connection: &Connection, project_key: i64) -> Result<ApiStates, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT api, present, active, missed, status, since, asked_at FROM project_api WHERE project_key = ?1",
    )?;
    let mut states = ApiStates::default();
    let mut rows = statement.query([project_key])?;
    while let Some(row) = rows.next()? {
        if let Ok(api) = row.get::<_, String>("api")?.parse::<BatchApi>() {
            states.set(api, read(row)?);
        }
    }
    Ok(states)
}

/// The same by the project's name in the configuration; unknown for a project that was never scanned.
pub(crate) fn states_by_name(connection: &Connection, name: &str) -> Result<ApiStates, LedgerError> {
    let key = connection.query_row("SELECT project_key FROM project WHERE name = ?1", [name], |row| row.get(0));
    key.optional()?.map_or_else(|| Ok(ApiStates::default()), |key| states(connection, key))
}

fn read(row: &Row<'_>) -> rusqlite::Result<ApiState> {
    Ok(ApiState {
        presence: if row.get("present")? { Presence::Present } else { Presence::Absent },
        active: row.get("active")?,
        missed: row.get("missed")?,
        status: row.get("status")?,
        since: Some(row.get::<_, Millis>("since")?.0),
        asked_at: Some(row.get::<_, Millis>("asked_at")?.0),
    })
}

/// Keeps what is known of the APIs that the project is configured for, and forgets the other one.
pub(crate) fn keep(
    tx: &Transaction<'_>,
    project_key: i64,
    apis: &[BatchApi],
    states: &ApiStates,
) -> Result<(), LedgerError> {
    for api in BatchApi::VARIANTS.iter().copied() {
        let state = states.get(api);
        let (Some(since), Some(asked_at), true) = (state.since, state.asked_at, apis.contains(&api)) else {
            tx.execute(
                "DELETE FROM project_api WHERE project_key = ?1 AND api = ?2",
                params![project_key, api.word()],
            )?;
            continue;
        };
        tx.prepare_cached(
            "INSERT INTO project_api (project_key, api, present, active, missed, status, since, asked_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (project_key, api) DO UPDATE SET present = excluded.present, active = excluded.active,
                 missed = excluded.missed, status = excluded.status, since = excluded.since, asked_at = excluded.asked_at",
        )?
        .execute(params![
            project_key,
            api.word(),
            state.presence == Presence::Present,
            state.active,
            state.missed,
            state.status,
            Millis(since),
            Millis(asked_at),
        ])?;
    }
    Ok(())
}

/// Whether the batch `b` belongs to v2, by its id; see [`BatchApi::of_batch`].
pub(crate) const OF_V2: &str = "substr(b.batch_id, 1, 4) IN ('bat-', 'pjb-', 'ext-')";

/// What is open of an API, which can be followed only as long as it answers.
pub(crate) fn open_work(connection: &Connection, project_key: i64, api: BatchApi) -> Result<OpenWork, LedgerError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT (SELECT count(*) FROM item i JOIN observation o ON o.observation_key = i.observation_key
                     JOIN batch b ON b.batch_key = o.batch_key
                 WHERE i.project_key = ?1 AND i.state IN ('open', 'retrying') AND {OF_V2} = ?2) AS open_items,
                (SELECT count(*) FROM batch b WHERE b.project_key = ?1 AND {OF_V2} = ?2
                     AND b.status NOT IN ('completed', 'failed', 'cancelled')) AS unfinished_batches,
                (SELECT count(*) FROM intent WHERE project_key = ?1 AND (api = 'v2') = ?2
                     AND state IN ('posting', 'submitted', 'unknown')) AS retries"
    ))?;
    Ok(statement.query_row(params![project_key, api == BatchApi::V2], |row| {
        Ok(OpenWork {
            open_items: row.get::<_, Count>("open_items")?.0,
            unfinished_batches: row.get::<_, Count>("unfinished_batches")?.0,
            retries: row.get::<_, Count>("retries")?.0,
        })
    })?)
}

/// Notes of the unfinished batches of an API that went away that LlamaCloud does not show them any more.
/// Nothing is concluded about their items.
pub(crate) fn lose_batches(
    tx: &Transaction<'_>,
    project_key: i64,
    api: BatchApi,
    now: Timestamp,
) -> Result<(), LedgerError> {
    tx.execute(
        &format!(
            "UPDATE batch AS b SET gone_at = ?3 WHERE b.project_key = ?1 AND {OF_V2} = ?2 AND b.gone_at IS NULL
                 AND b.status NOT IN ('completed', 'failed', 'cancelled')"
        ),
        params![project_key, api == BatchApi::V2, Millis(now)],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::{Seed, t};

    #[test]
    fn what_is_known_of_an_api_is_kept_and_forgotten_with_the_configuration() {
        let mut seed = Seed::new();
        let mut known = ApiStates::default();
        let there = ApiState {
            presence: Presence::Present,
            active: true,
            missed: 1,
            status: Some(410),
            since: Some(t(1)),
            asked_at: Some(t(2)),
        };
        known.set(BatchApi::V1Beta, there);
        known.set(BatchApi::V2, ApiState { presence: Presence::Absent, active: false, ..there });
        seed.write(|tx| keep(tx, 1, BatchApi::VARIANTS, &known)).unwrap();
        assert_eq!(states_by_name(&seed.connection, "prod").unwrap(), known);
        assert_eq!(states_by_name(&seed.connection, "never scanned").unwrap(), ApiStates::default());
        seed.write(|tx| keep(tx, 1, &[BatchApi::V2], &known)).unwrap();
        known.set(BatchApi::V1Beta, ApiState::default());
        assert_eq!(states(&seed.connection, 1).unwrap(), known);
    }

    #[test]
    fn what_is_open_of_an_api_is_counted_by_the_ids_of_its_batches() {
        let mut seed = Seed::new();
        for (id, status) in [("bjb-1", "completed"), ("bjb-2", "running"), ("bat-1", "running")] {
            seed.batch(id, status);
        }
        seed.fail("g-1", "bjb-1", 3, t(0));
        seed.fail("g-2", "bat-1", 1, t(0));
        let left = |seed: &Seed, api| open_work(&seed.connection, 1, api).unwrap();
        assert_eq!(left(&seed, BatchApi::V1Beta), OpenWork { open_items: 3, unfinished_batches: 1, retries: 0 });
        assert_eq!(left(&seed, BatchApi::V2), OpenWork { open_items: 1, unfinished_batches: 1, retries: 0 });
        seed.write(|tx| lose_batches(tx, 1, BatchApi::V1Beta, t(5))).unwrap();
        let gone = "SELECT group_concat(batch_id) FROM batch WHERE gone_at IS NOT NULL AND project_key = ?1";
        assert_eq!(seed.text(gone, "1"), "bjb-2");
    }
}
