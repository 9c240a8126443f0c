//! Steps of SQLite's machine, by statement: what no other work on the machine changes, and what shows a statement whose
//! cost grows with the rows that are there already.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rusqlite::trace::{TraceEvent, TraceEventCodes};
use rusqlite::{Connection, StatementStatus};

thread_local! {
    /// By statement: the count that SQLite last gave, and the steps since they were last taken.
    static COUNTED: RefCell<BTreeMap<String, (i32, u64)>> = const { RefCell::new(BTreeMap::new()) };
}

/// Steps by statement.
pub(crate) type Steps = BTreeMap<String, u64>;

/// Counts the statements of a connection from now on, for the thread that runs them.
pub(crate) fn count(connection: &mut Connection) {
    // A statement that is kept would bring along what it took before.
    connection.flush_prepared_statement_cache();
    connection.trace_v2(TraceEventCodes::SQLITE_TRACE_PROFILE, Some(note)).unwrap();
}

fn note(event: TraceEvent<'_>) {
    let TraceEvent::Profile(statement, _) = event else { return };
    let all = statement.get_status(StatementStatus::VmStep);
    COUNTED.with_borrow_mut(|counted| {
        let (last, steps) = counted.entry(statement.sql().into_owned()).or_default();
        // SQLite counts for as long as a statement is kept, and begins anew with the next one of the same text.
        *steps += u64::try_from(if all >= *last { all - *last } else { all }).unwrap_or(0);
        *last = all;
    });
}

/// The steps that this thread's statements took since they were last taken.
pub(crate) fn take() -> Steps {
    COUNTED.with_borrow_mut(|counted| {
        counted.iter_mut().map(|(sql, (_, steps))| (words(sql), std::mem::take(steps))).collect()
    })
}

fn words(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The statements that took more than half as many steps again on the larger ledger, with both counts.
pub(crate) fn grown(small: &Steps, large: &Steps) -> Vec<String> {
    let few = |sql: &str| small.get(sql).copied().unwrap_or(0);
    let grew = large.iter().filter(|(sql, steps)| **steps > few(sql) + few(sql) / 2 + 100);
    grew.map(|(sql, steps)| format!("{} to {steps}: {sql}", few(sql))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::{Seed, t};

    #[test]
    fn a_statement_that_reads_a_whole_table_is_seen_to_grow_and_one_that_uses_an_index_is_not() {
        let [small, large] = [100, 400].map(|items| {
            let mut seed = Seed::new();
            seed.batch("b", "completed");
            seed.fail("g", "b", 1, t(0));
            seed.crowd("g", "b", items, t(0));
            count(&mut seed.connection);
            seed.number("SELECT count(*) FROM item WHERE item_name = ?1", "x");
            seed.number("SELECT count(*) FROM item WHERE item_id = ?1", "x");
            take()
        });
        let grown = grown(&small, &large);
        assert!(grown.len() == 1 && grown[0].contains("item_name"), "{grown:?}");
    }
}
