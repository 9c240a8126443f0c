//! Sets back what holds retries since a time that has not come yet: the clock was ahead, and has been put right.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Transaction, params};

use super::LedgerError;
use super::gate::LONGEST_WAIT;
use super::millis::Millis;

/// Less is what another process writes while a cycle goes on by the time of its beginning.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// What began later than now begins now, and lasts as long as it would have; no hold lasts longer than `longest_hold`.
/// Says how many times were set back.
///
/// # Errors
/// SQLite refuses.
pub fn set_back(tx: &Transaction<'_>, longest_hold: SignedDuration, now: Timestamp) -> Result<usize, LedgerError> {
    let after = |time: SignedDuration| Millis(now.checked_add(time).unwrap_or(Timestamp::MAX));
    let ahead = after(TOLERANCE);
    let since = [
        "UPDATE gate SET since = ?1 WHERE since > ?2",
        "UPDATE gate SET until = until - (changed_at - ?1) WHERE until IS NOT NULL AND changed_at > ?2",
        "UPDATE gate SET changed_at = ?1 WHERE changed_at > ?2",
        "UPDATE gate SET wait_until = wait_until - (asked_at - ?1), asked_at = ?1 WHERE asked_at > ?2",
        "UPDATE breaker SET open_until = open_until - (open_since - ?1), open_since = ?1 WHERE open_since > ?2",
        "UPDATE breaker SET parked_since = ?1 WHERE parked_since > ?2",
        "UPDATE breaker SET changed_at = ?1 WHERE changed_at > ?2",
    ];
    let mut changed = 0;
    for sql in since {
        changed += tx.prepare_cached(sql)?.execute(params![Millis(now), ahead])?;
    }
    // A hold that began at the right time may have been made longer at a wrong one.
    let longest = [
        ("UPDATE gate SET until = ?1 WHERE until > ?1", longest_hold),
        ("UPDATE gate SET wait_until = ?1 WHERE wait_until > ?1", LONGEST_WAIT),
    ];
    for (sql, time) in longest {
        changed += tx.prepare_cached(sql)?.execute([after(time)])?;
    }
    Ok(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::reprocess::{Breaker, Gate, GroupState, HoldReason, Parked};
    use crate::ledger::seed::{Seed, t};
    use crate::ledger::{breaker, gate};

    const LONGEST_HOLD: SignedDuration = SignedDuration::from_hours(6);
    const DAY: i64 = 60 * 24;

    fn held(until: i64) -> Gate {
        Gate::Held { reason: HoldReason::Storm, until: t(until), failed_probes: 1 }
    }

    #[test]
    fn what_began_while_the_clock_was_ahead_begins_now_and_lasts_as_long() {
        let mut seed = Seed::new();
        let ahead = 30 * DAY;
        let group = GroupState {
            breaker: Breaker::Open { since: t(ahead), until: t(ahead + 360), opened: 1 },
            parked: Some(Parked { since: t(ahead), compared: false }),
            ..GroupState::default()
        };
        seed.write(|tx| {
            gate::keep(tx, "prod", held(ahead + 30), None, t(ahead))?;
            gate::wait(tx, "prod", t(ahead + 10), t(ahead))?;
            breaker::keep_group(tx, "g-1", &group, t(ahead))
        })
        .unwrap();
        assert_eq!(seed.write(|tx| set_back(tx, LONGEST_HOLD, t(ahead - 4))).unwrap(), 0, "a cycle takes its time");
        assert!(seed.write(|tx| set_back(tx, LONGEST_HOLD, t(7))).unwrap() > 0);
        assert_eq!(seed.write(|tx| set_back(tx, LONGEST_HOLD, t(7))).unwrap(), 0, "once");

        let stored = gate::get(&seed.connection, "prod").unwrap();
        assert_eq!((stored.gate, stored.wait_until, stored.changed_at), (held(37), Some(t(17)), Some(t(7))));
        let group = breaker::group(&seed.connection, "g-1").unwrap();
        assert_eq!(group.breaker, Breaker::Open { since: t(7), until: t(367), opened: 1 });
        assert_eq!(group.parked, Some(Parked { since: t(7), compared: false }));
    }

    #[test]
    fn an_account_stop_of_the_future_is_one_of_now() {
        let mut seed = Seed::new();
        let stop = |minute| Gate::AccountStop { since: t(minute), failed_probes: 2 };
        seed.write(|tx| gate::keep(tx, "prod", stop(DAY), None, t(DAY))).unwrap();
        seed.write(|tx| set_back(tx, LONGEST_HOLD, t(7))).unwrap();
        assert_eq!(gate::get(&seed.connection, "prod").unwrap().gate, stop(7));
    }

    #[test]
    fn nothing_that_was_made_longer_by_a_wrong_clock_lasts_longer_than_it_may() {
        let mut seed = Seed::new();
        seed.write(|tx| {
            gate::keep(tx, "prod", held(20), None, t(0))?;
            gate::keep(tx, "prod", held(30 * DAY), None, t(30 * DAY))?;
            gate::wait(tx, "prod", t(30 * DAY + 10), t(30 * DAY))?;
            // As a version before this column left it.
            tx.execute("UPDATE gate SET asked_at = NULL", ())?;
            Ok::<(), LedgerError>(())
        })
        .unwrap();
        seed.write(|tx| set_back(tx, LONGEST_HOLD, t(7))).unwrap();
        let stored = gate::get(&seed.connection, "prod").unwrap();
        assert_eq!((stored.gate, stored.wait_until), (held(7 + 360), Some(t(7 + DAY))));
    }
}
