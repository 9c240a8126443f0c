//! What first retries of a group have come to: in all, and by the directory that their documents came from.

use rusqlite::{Connection, Row, params};

use crate::ledger::error::LedgerError;
use crate::ledger::millis::Millis;
use crate::reprocess::policy::holds::directory_stats::{Sender, Senders};
use crate::reprocess::policy::ramp::Ramp;
use crate::reprocess::policy::record::Record;

/// First retries of a group that ended, with the parameters that it is retried with now; what a storm explains says nothing.
const FIRST_RETRIES: &str = "SELECT a.attempt_id, a.item_key, a.finished_at,
        a.outcome IN ('recovered', 'already_processed') AS good
     FROM error_group g JOIN error_group y ON y.group_key = g.group_key OR y.merged_into = g.group_key
     JOIN attempt a ON a.group_key = y.group_key JOIN intent n USING (intent_id)
     WHERE g.group_id = ?1 AND a.before = 0 AND a.counts AND a.finished_at IS NOT NULL AND n.weather <> 'storm'
         AND a.outcome IN ('recovered', 'already_processed', 'failed_same', 'failed_differently', 'expired')
         AND n.parameters_hash IS (SELECT config_hash FROM breaker WHERE scope = ?1)
     ORDER BY a.finished_at DESC, a.attempt_id DESC";

/// So many of the newest first retries tell of senders.
const NEWEST_OF_SENDERS: u32 = 400;

/// What the newest of them came to, without those of the step under way.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn record(connection: &Connection, group_id: &str, ramp: &Ramp) -> Result<Record, LedgerError> {
    let sql = format!(
        "SELECT count(*) FILTER (WHERE good), count(*) FILTER (WHERE NOT good)
         FROM ({FIRST_RETRIES} LIMIT ?2 OFFSET ?3)"
    );
    let read = |row: &Row<'_>| Ok(Record { recovered: row.get(0)?, failed: row.get(1)? });
    let newest = params![group_id, Record::NEWEST, Record::leaves_out(ramp)];
    Ok(connection.prepare_cached(&sql)?.query_row(newest, read)?)
}

/// The same by directory, or by batch where the directory is not known: of the newest batch that is not ours.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn senders(connection: &Connection, group_id: &str) -> Result<Senders, LedgerError> {
    let sql = format!(
        "SELECT (SELECT coalesce(b.directory_id, b.batch_id) FROM observation o JOIN batch b USING (batch_key)
                 WHERE o.item_key = r.item_key
                     AND b.batch_id NOT IN (SELECT batch_id FROM intent WHERE batch_id IS NOT NULL)
                 ORDER BY o.event_at DESC, o.observation_key DESC LIMIT 1) AS sender,
             count(*) FILTER (WHERE good), count(*) FILTER (WHERE NOT good), max(finished_at)
         FROM ({FIRST_RETRIES} LIMIT ?2) r GROUP BY 1 HAVING sender IS NOT NULL"
    );
    let read = |row: &Row<'_>| {
        let last = row.get::<_, Millis>(3)?.0;
        Ok((row.get(0)?, Sender { recovered: row.get(1)?, failed: row.get(2)?, last }))
    };
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![group_id, NEWEST_OF_SENDERS], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::{Seed, t};
    use crate::reprocess::policy::group_state::GroupState;
    use crate::reprocess::store::breaker::{keep_group, note_config};
    use crate::reprocess::store::budget_usage;

    #[test]
    fn the_record_is_of_first_retries_in_fair_weather_before_the_step_under_way() {
        let mut seed = Seed::new();
        seed.batch("b", "completed");
        seed.fail("g-1", "b", 1, t(0));
        seed.write(|tx| keep_group(tx, "g-1", &GroupState::default(), t(0)).and_then(|()| note_config(tx, "g-1", "h")))
            .unwrap();
        for (n, outcome, weather, hash, before) in [
            (1, "recovered", "calm", "h", 0),
            (2, "failed_same", "calm", "h", 0),
            (3, "failed_same", "storm", "h", 0),
            (4, "failed_same", "calm", "other", 0),
            (5, "failed_same", "calm", "h", 1),
            (6, "unknown", "calm", "h", 0),
            (7, "failed_differently", "still", "h", 0),
        ] {
            seed.retried("g-1", n, outcome, weather, hash, before);
        }
        let of = |ramp: Ramp| record(&seed.connection, "g-1", &ramp).unwrap();
        assert_eq!(of(Ramp::default()), Record { recovered: 1, failed: 2 });
        assert_eq!(of(Ramp { failed: 1, ..Ramp::default() }), Record { recovered: 1, failed: 1 });
        assert_eq!(record(&seed.connection, "g-2", &Ramp::default()).unwrap(), Record::default());

        let senders = senders(&seed.connection, "g-1").unwrap();
        let one = senders.values().next().unwrap();
        assert_eq!((senders.len(), one.recovered, one.failed, one.last), (1, 1, 2, t(7)));

        let spent = budget_usage::until(&seed.connection, t(60)).unwrap();
        assert_eq!((spent.day, spent.recovered_day), (7, 1));
    }
}
