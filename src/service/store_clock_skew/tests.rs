use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::ledger::check::check;
use crate::ledger::open;
use crate::ledger::tests::seed::{Seed, t};
use crate::reprocess::store::{account, history};
use crate::triage::digest::test_digest;

use super::*;

const DAY: i64 = 60 * 24;
const YEAR: i64 = 365 * DAY;
const HOUR_MS: i64 = 3_600_000;

fn right(now: i64) -> Right {
    Right { now: t(now), next_digest: None, set_back: false }
}

fn set(seed: &mut Seed, now: i64) -> usize {
    seed.write(|tx| set_right(tx, right(now))).unwrap()
}

fn set_back(seed: &mut Seed, now: i64) -> usize {
    seed.write(|tx| set_right(tx, Right { set_back: true, ..right(now) })).unwrap()
}

/// A row in a table: times as given, ends an hour later, everything else something.
fn put(connection: &Connection, table: &str, times: &[(&str, ColumnRepair)], ahead: i64) {
    let mut statement = connection.prepare(&format!("SELECT name, type FROM pragma_table_info('{table}')")).unwrap();
    let columns: Vec<(String, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap();
    let value = |name: &str, kind: &str| match times.iter().find(|(column, _)| *column == name) {
        Some(_) if name == "hour" => Value::Integer(ahead / HOUR_MS),
        Some((_, ColumnRepair::EndOf(_) | ColumnRepair::EndWithin(..))) => Value::Integer(ahead + HOUR_MS),
        Some(_) => Value::Integer(ahead),
        None if table == "delivery" && name == "state" => Value::Text("sending".into()),
        None if ["merged_into", "result"].contains(&name) => Value::Null,
        None => match kind {
            "INTEGER" => Value::Integer(1),
            "REAL" => Value::Real(0.0),
            "BLOB" => Value::Blob(Vec::new()),
            _ => Value::Text("x".into()),
        },
    };
    let values: Vec<Value> = columns.iter().map(|(name, kind)| value(name, kind)).collect();
    let marks = vec!["?"; values.len()].join(", ");
    let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let sql = format!("INSERT OR REPLACE INTO {table} ({}) VALUES ({marks})", names.join(", "));
    connection.execute(&sql, rusqlite::params_from_iter(values)).unwrap();
}

#[test]
fn no_column_of_any_table_is_ahead_afterwards_and_no_end_was_lost() {
    let mut connection = open::in_memory();
    connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").unwrap();
    let now = t(7).as_millisecond();
    let ahead = t(YEAR).as_millisecond();
    for (table, times) in TIMES {
        put(&connection, table, times, ahead);
    }
    for name in META {
        connection.execute("INSERT INTO meta VALUES (?1, ?2)", params![name, ahead.to_string()]).unwrap();
    }
    let tx = connection.transaction().unwrap();
    assert!(set_right(&tx, right(7)).unwrap() > 60);
    assert_eq!(set_right(&tx, right(7)).unwrap(), 0, "once");
    let mut left = BTreeMap::new();
    for (table, column, repair) in columns() {
        let latest = match repair {
            ColumnRepair::Stays(_) => continue,
            ColumnRepair::EndOf(_) | ColumnRepair::EndWithin(..) => now + HOUR_MS,
            ColumnRepair::Own if column == "lease_until" => now + store_delivery::LEASE.as_millis() as i64,
            ColumnRepair::Event if column == "hour" => now / HOUR_MS,
            ColumnRepair::Past | ColumnRepair::Own | ColumnRepair::Event => now,
        };
        let found: Option<i64> =
            tx.query_row(&format!("SELECT max({column}) FROM {table}"), [], |row| row.get(0)).unwrap();
        if found.is_some_and(|found| found > latest) {
            left.insert(format!("{table}.{column}"), found.unwrap_or_default() - latest);
        }
        let is_end = matches!(repair, ColumnRepair::EndOf(_) | ColumnRepair::EndWithin(..));
        assert!(!is_end || found == Some(latest), "{table}.{column} lost its hour");
    }
    assert_eq!(left, BTreeMap::new(), "milliseconds too late");
    let names: Vec<String> = tx
        .prepare("SELECT value FROM meta WHERE name NOT IN ('ledger_id', 'misdated_digests')")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(names, vec![now.to_string(); META.len()]);
}

#[test]
fn what_lies_a_minute_ahead_or_was_asked_for_by_people_stays() {
    let mut seed = Seed::new();
    seed.run(
        "INSERT INTO silence (matcher, author, reason, created_at, expires_at) VALUES ('{}', 'ann', 'r', ?1, ?2)",
        [Millis(t(0)), Millis(t(30 * DAY))],
    );
    seed.run("INSERT INTO audit (at, actor, action, subject) VALUES (?1, 'ann', 'silence', '1')", [Millis(t(8))]);
    assert_eq!(set_back(&mut seed, 7), 0);
}

#[test]
fn an_episode_that_was_closed_as_quiet_opens_again_with_its_ack() {
    let mut seed = Seed::new();
    seed.batch("b", "completed");
    seed.fail("g-1", "b", 2, t(0));
    seed.fail("g-2", "b", 1, t(0));
    for group in [1, 2] {
        seed.run(
            "INSERT INTO episode (group_key, ordinal, opened_at, noticed_at, closed_at, closed_how) VALUES (?1, 1, ?2, ?2, ?3, ?4)",
            params![group, Millis(t(0)), Millis(t(YEAR)), if group == 1 { "quiet" } else { "recovered" }],
        );
        seed.run(
            "INSERT INTO ack (group_key, episode, author, open_items, created_at, ended_at, ended_how)
             VALUES (?1, 1, 'ann', 1, ?2, ?3, 'closed')",
            params![group, Millis(t(1)), Millis(t(YEAR))],
        );
    }
    set(&mut seed, 7);
    let rows: Vec<(Option<i64>, Option<i64>)> = seed
        .connection
        .prepare("SELECT e.closed_at, a.ended_at FROM episode e JOIN ack a USING (group_key) ORDER BY group_key")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let now = Some(t(7).as_millisecond());
    assert_eq!(rows, [(None, None), (now, now)]);
}

#[test]
fn failures_of_a_wrong_clock_move_with_their_counters() {
    let mut seed = Seed::new();
    seed.batch("b", "completed");
    seed.fail("g-1", "b", 2, t(0));
    seed.fail("g-1", "b", 3, t(YEAR));
    seed.fail("g-2", "b", 1, t(YEAR + 90));
    assert_eq!(check(&seed.connection).unwrap(), Vec::<String>::new());
    set_back(&mut seed, 7);
    assert_eq!(check(&seed.connection).unwrap(), Vec::<String>::new());
    let latest: i64 = seed.connection.query_row("SELECT max(last_seen) FROM item", [], |row| row.get(0)).unwrap();
    assert_eq!(latest, t(7).as_millisecond());
}

#[test]
fn a_deferred_try_does_not_wait_for_a_false_time() {
    let mut seed = Seed::new();
    let waiting = |id: &str, created: i64, not_before: i64, content: &str, seed: &Seed| {
        seed.run("INSERT INTO digest VALUES (?1, ?2, 0, '', '{}')", params![id, Millis(t(created))]);
        seed.run(
            "INSERT INTO delivery (delivery_id, digest_id, channel, state, content, not_before, created_at)
             VALUES (?1, ?1, 'oncall', 'pending', ?4, ?2, ?3)",
            params![id, Millis(t(not_before)), Millis(t(created)), content],
        );
    };
    let trial = test_digest::trial("", "UTC", t(YEAR));
    let content = crate::triage::store::digest::serialize(&trial).unwrap();
    waiting("D-1", 0, YEAR + 5, &content, &seed);
    waiting("D-2", YEAR, YEAR + 5, &content, &seed);
    waiting("D-3", 0, 30, &content, &seed);
    set(&mut seed, 7);
    let minutes = |seed: &Seed| -> Vec<i64> {
        let mut statement = seed.connection.prepare("SELECT not_before FROM delivery ORDER BY delivery_id").unwrap();
        let found = statement.query_map([], |row| row.get::<_, Millis>(0)).unwrap();
        found.map(|at| (at.unwrap().0 - t(0)).as_mins()).collect()
    };
    assert_eq!(minutes(&seed), [7, 12, 30]);
    set_back(&mut seed, 7);
    assert_eq!(minutes(&seed), [7, 7, 7], "how much of a wait a wrong clock counted is not known");
    let content: String = seed
        .connection
        .query_row("SELECT content FROM delivery WHERE delivery_id = 'D-2'", [], |row| row.get(0))
        .unwrap();
    let dated = crate::triage::store::digest::deserialize(&content).unwrap();
    assert_eq!((dated.created_at, dated.window.to), (t(7), t(7)));
    assert!(dated.changes.iter().all(|entry| entry.last_seen <= t(7)));
}

#[test]
fn a_digest_that_was_reported_comes_again_only_where_another_is_due_before_it() {
    for (name, due, next, left) in
        [("digest", 40, Some(60), 1), ("digest", 90, Some(60), 0), ("digest", 40, None, 0), ("cycle", 40, Some(60), 0)]
    {
        let mut seed = Seed::new();
        seed.run("INSERT INTO run (name, due_at, ran_at) VALUES (?1, ?2, ?2)", params![name, Millis(t(due))]);
        seed.write(|tx| set_right(tx, Right { next_digest: next.map(t), ..right(7) })).unwrap();
        let runs: i64 = seed.connection.query_row("SELECT count(*) FROM run", [], |row| row.get(0)).unwrap();
        assert_eq!(runs, left, "{name} due at {due}, next {next:?}");
    }
}

#[test]
fn a_plan_of_a_wrong_clock_is_too_old_to_be_approved_or_executed() {
    let mut seed = Seed::new();
    let plan = |id: &str, created: i64, applied: Option<i64>, result: Option<&str>| {
        seed.run(
            "INSERT INTO plan (plan_id, created_at, expires_at, actor, request, model, applied_at, result)
             VALUES (?1, ?2, ?3, 'ann', '{}', '{}', ?4, ?5)",
            params![id, Millis(t(created)), Millis(t(created + 60)), applied.map(|at| Millis(t(at))), result],
        );
    };
    plan("P-1", YEAR, None, None);
    plan("P-2", 0, Some(YEAR), None);
    plan("P-3", YEAR, Some(YEAR), Some("all of it"));
    plan("P-4", 0, Some(6), None);
    set(&mut seed, 7);
    let plan = |id: &str| crate::reprocess::store::plan::get(&seed.connection, id).unwrap().unwrap();
    assert!(plan("P-1").expires_at < t(7));
    let too_old = |at: Option<Timestamp>| at.is_some_and(|at| t(7) - at > crate::reprocess::store::plan::LIFE);
    assert!(too_old(plan("P-2").applied_at));
    assert_eq!((plan("P-3").applied_at, plan("P-3").expires_at), (Some(t(7)), t(67)));
    assert_eq!(plan("P-4").applied_at, Some(t(6)));
}

#[test]
fn a_wait_and_a_stop_that_began_while_the_clock_was_ahead_begin_now() {
    let mut seed = Seed::new();
    let ahead = 30 * DAY;
    seed.write(|tx| {
        account::stop(tx, "prod", "no credits", None, t(ahead))?;
        account::wait(tx, "prod", t(ahead + 10), t(ahead))?;
        history::resume(tx, "g-1", t(ahead))
    })
    .unwrap();
    assert_eq!(set(&mut seed, ahead - 1), 0, "a cycle writes by the time of its beginning");
    set(&mut seed, 7);
    let stored = account::get(&seed.connection, "prod").unwrap();
    assert_eq!((stored.stopped_since, stored.moved_at), (Some(t(7)), Some(t(7))));
    assert_eq!(stored.wait_until, Some(t(17)));
    let resumed =
        seed.connection.query_row("SELECT max(resumed_at) FROM error_group", [], |row| row.get::<_, Option<i64>>(0));
    assert!(resumed.unwrap().is_none_or(|at| at == t(7).as_millisecond()));
}

#[test]
fn no_wait_that_was_made_longer_by_a_wrong_clock_lasts_longer_than_it_may() {
    let mut seed = Seed::new();
    seed.write(|tx| {
        account::wait(tx, "prod", t(30 * DAY + 10), t(30 * DAY))?;
        // As a version before this column left it.
        tx.execute("UPDATE account SET asked_at = NULL", ())?;
        Ok::<_, LedgerError>(())
    })
    .unwrap();
    set(&mut seed, 7);
    let stored = account::get(&seed.connection, "prod").unwrap();
    assert_eq!(stored.wait_until, Some(t(7 + DAY)));
}

#[test]
fn digests_that_were_sent_with_a_wrong_date_are_named_in_the_next_one_once() {
    let (mut seed, settings) = crate::triage::tests::channels::paging_world();
    let mut tell = |group: &str, minutes: i64, set_right_at: Option<i64>| {
        if let Some(at) = set_right_at {
            set_back(&mut seed, at);
        }
        seed.fail(group, "b", 1, t(1));
        seed.scan(t(minutes));
        let request = crate::triage::settings::TriageRequest {
            by_hand: true,
            ..crate::triage::settings::TriageRequest::at(t(minutes))
        };
        let digest = seed.write(|tx| crate::triage::triage_in(tx, &settings, &request)).unwrap().unwrap();
        seed.run("UPDATE delivery SET state = 'sent', attempts = 1", []);
        let said: Vec<String> = digest.remarks.into_iter().map(|remark| remark.text).collect();
        (digest.digest_id, said)
    };
    let (before, _) = tell("a", 2, None);
    let (wrong, _) = tell("b", YEAR, None);
    let (_, said) = tell("c", 20, Some(19));
    let said = said.into_iter().filter(|remark| remark.contains("wrong date")).collect::<Vec<_>>();
    assert!(said.len() == 1 && said[0].contains(&wrong) && !said[0].contains(&before), "{said:?}");
    let (_, after) = tell("d", 40, Some(39));
    assert!(!after.iter().any(|remark| remark.contains("wrong date")), "{after:?}");
}
