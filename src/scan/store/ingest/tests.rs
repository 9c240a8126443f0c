//! Single rules of taking in, each against a ledger in memory; counters are compared with a recount after every step.

use rusqlite::Connection;

use super::*;
use crate::grouping::group_change::GroupChange;
use crate::grouping::id::GroupId;
use crate::grouping::state::StoredGroup;
use crate::ledger::check::check;
use crate::ledger::open::in_memory;
use crate::ledger::time::timestamp;
use crate::model::classified::Classified;
use crate::model::item::{ItemState, Observation};
use crate::scan::store::ingest_record::{ListingContext, Sighting};
use crate::scan::store::item::{Recovery, change_state, recover};

/// A whole id for a short name.
fn group_id(name: &str) -> GroupId {
    format!("{name}000000000").parse().unwrap()
}

struct Bench {
    connection: Connection,
}

fn failed(item: &str, message: Option<&str>, at: Option<i64>) -> Observation {
    Observation {
        item_id: item.to_owned(),
        item_name: format!("{item}.pdf"),
        kind: Kind::Failed,
        message: message.map(str::to_owned),
        skip_reason: None,
        job_id: Some("job".to_owned()),
        job_record_id: None,
        started_at: None,
        completed_at: at.map(timestamp),
        effective_at: None,
    }
}

fn group(id: &str, merged_into: Option<&str>) -> GroupChange {
    GroupChange {
        stored: StoredGroup {
            id: group_id(id),
            kind: if id == "g-4" { Kind::Skipped } else { Kind::Failed },
            template: id.to_owned(),
            title: id.to_owned(),
            state: Vec::new(),
            merged_into: merged_into.map(group_id),
            version: 1,
        },
        classified: Classified { class: "transient".to_owned(), rule: Some("rule".to_owned()) },
    }
}

impl Bench {
    fn new() -> Bench {
        let connection = in_memory();
        connection
            .execute_batch(
                "INSERT INTO project (project_key, name, project_id, first_seen, list_read_at) VALUES (1, 'p', NULL, 100, NULL), (2, 'q', NULL, 100, NULL);
                 INSERT INTO batch (batch_key, project_key, batch_id, job_type, status, first_seen, last_seen)
                 VALUES (1, 1, 'a', 'parse', 'completed', 0, 0), (2, 1, 'b', 'parse', 'completed', 0, 0),
                        (3, 2, 'a', 'parse', 'completed', 0, 0);",
            )
            .unwrap();
        let mut bench = Bench { connection };
        bench.work(IngestWork {
            changes: vec![group("g-1", None), group("g-2", None), group("g-3", None), group("g-4", None)],
            ..IngestWork::default()
        });
        bench
    }

    fn work(&mut self, work: IngestWork) -> Ingested {
        let tx = self.connection.transaction().unwrap();
        let ingested = ingest(&tx, &work, 1).unwrap();
        tx.commit().unwrap();
        assert_eq!(check(&self.connection).unwrap(), Vec::<String>::new());
        ingested
    }

    /// Lists one observation in a batch at a time, grouped as given.
    fn see(&mut self, batch_key: i64, seen_at: i64, group: &str, observation: Observation) -> Ingested {
        let place =
            ListingContext { project_key: if batch_key == 3 { 2 } else { 1 }, batch_key, seen_at, baseline_until: 100 };
        self.work(IngestWork {
            groups: vec![group_id(group)],
            sightings: vec![Sighting::new(place, &observation)],
            ..IngestWork::default()
        })
    }

    fn item(&self, sql: &str) -> String {
        let sql = format!("SELECT {sql} FROM item JOIN error_group g USING (group_key)");
        self.connection.query_row(&sql, (), |row| row.get(0)).unwrap()
    }

    fn number(&self, sql: &str) -> i64 {
        self.connection.query_row(sql, (), |row| row.get(0)).unwrap()
    }

    fn change(&mut self, to: ItemState) {
        let tx = self.connection.transaction().unwrap();
        let mut counters = Counters::default();
        assert!(change_state(&tx, 1, to, |_| true, &mut counters).unwrap());
        counters.write(&tx).unwrap();
        tx.commit().unwrap();
    }

    fn recover(&mut self, answered_until: i64) {
        let tx = self.connection.transaction().unwrap();
        let recovery = Recovery { at: 900, by: "b", answered_until };
        let mut counters = Counters::default();
        assert!(recover(&tx, 1, &recovery, &mut counters).unwrap());
        counters.write(&tx).unwrap();
        tx.commit().unwrap();
    }
}

const STATE: &str = "state || ' ' || substr(group_id, 1, 3) || ' ' || item.last_seen || ' ' || item.failures";

#[test]
fn a_name_that_was_once_known_stays_and_one_that_was_not_comes_late() {
    let named = |name: &str, at| Observation { item_name: name.to_owned(), ..failed("i", Some("m"), Some(at)) };
    let mut bench = Bench::new();
    bench.see(1, 500, "g-1", named("", 200));
    assert_eq!(bench.item("item_name"), "");
    bench.see(1, 600, "g-1", named("i.pdf", 200));
    assert_eq!(bench.item("item_name"), "i.pdf", "the directory could not be read at first");
    bench.see(1, 700, "g-1", named("", 200));
    bench.see(2, 800, "g-1", named("", 700));
    assert_eq!(bench.item("item_name"), "i.pdf", "the job of a retry knows no name");
    assert_eq!(bench.number("SELECT count(*) FROM observation"), 2);
}

#[test]
fn the_same_observation_again_only_moves_last_seen() {
    let mut bench = Bench::new();
    assert_eq!(bench.see(1, 500, "g-1", failed("i", Some("m"), Some(200))).new[&1], 1);
    assert!(bench.see(1, 600, "g-1", failed("i", Some("m"), Some(200))).new.is_empty());
    assert_eq!(bench.item(STATE), "open g-1 200 1");
    assert_eq!(bench.number("SELECT last_seen FROM observation"), 600);
    assert_eq!(bench.number("SELECT first_seen FROM observation"), 500);
}

#[test]
fn a_newer_failure_moves_the_item_to_its_group_and_an_older_one_does_not() {
    let mut bench = Bench::new();
    bench.see(1, 500, "g-1", failed("i", Some("m"), Some(200)));
    bench.see(2, 500, "g-2", failed("i", Some("n"), Some(300)));
    assert_eq!(bench.item(STATE), "open g-2 300 2");
    bench.see(3, 600, "g-3", failed("i", Some("o"), Some(150)));
    assert_eq!(bench.item(STATE), "open g-2 300 3");
    assert_eq!(bench.item("item.first_seen || ' ' || project_key"), "150 1");
    assert_eq!(bench.number("SELECT sum(total_items) FROM error_group"), 3);
    assert_eq!(bench.number("SELECT sum(open_items) FROM error_group"), 1);
}

#[test]
fn an_item_is_baseline_until_it_fails_after_the_projects_first_scan() {
    let mut bench = Bench::new();
    bench.see(1, 100, "g-1", failed("i", Some("m"), Some(99)));
    assert_eq!(bench.item("'' || baseline"), "1");
    bench.see(2, 200, "g-1", failed("i", Some("m"), Some(150)));
    assert_eq!(bench.item("'' || baseline"), "0");
}

#[test]
fn a_newer_failure_reopens_what_was_settled_and_an_older_one_never_does() {
    for settled in [ItemState::Recovered, ItemState::Dismissed, ItemState::Retrying] {
        let mut bench = Bench::new();
        bench.see(1, 500, "g-1", failed("i", Some("m"), Some(200)));
        bench.change(settled);
        bench.see(2, 600, "g-1", failed("i", Some("m"), Some(150)));
        bench.see(1, 600, "g-1", failed("i", Some("m"), Some(200)));
        assert_eq!(bench.item("state"), settled.as_str());
        bench.see(3, 700, "g-2", failed("i", Some("m"), Some(201)));
        assert_eq!(bench.item(STATE), "open g-2 201 3");
    }
}

#[test]
fn a_failure_that_a_later_success_answers_never_reopens() {
    let mut bench = Bench::new();
    bench.see(1, 500, "g-1", failed("i", Some("m"), Some(200)));
    bench.recover(250);
    bench.see(2, 600, "g-1", failed("i", Some("m"), Some(250)));
    assert_eq!(bench.item("state || recovered_by"), "recoveredb");
    bench.see(3, 700, "g-1", failed("i", Some("m"), Some(251)));
    assert_eq!(bench.item("state || ifnull(recovered_by, '-')"), "open-");
}

#[test]
fn a_message_that_comes_later_moves_the_observation_and_one_that_goes_is_kept() {
    let mut bench = Bench::new();
    bench.see(1, 500, "g-1", failed("i", None, Some(200)));
    bench.see(1, 600, "g-2", failed("i", Some("m"), Some(200)));
    assert_eq!(bench.item(STATE), "open g-2 200 1");
    assert_eq!(bench.number("SELECT failures + total_items FROM error_group WHERE group_id = 'g-1000000000'"), 0);
    bench.see(1, 700, "g-1", failed("i", None, Some(300)));
    assert_eq!(bench.item(STATE), "open g-2 300 1");
    assert_eq!(bench.number("SELECT count(*) FROM observation JOIN message USING (message_key)"), 1);
    bench.see(1, 800, "g-3", failed("i", Some("older"), Some(100)));
    assert_eq!(bench.item(STATE), "open g-2 300 1");
}

#[test]
fn a_harmless_skip_is_ignored_until_the_item_fails() {
    let mut bench = Bench::new();
    let skip = Observation {
        kind: Kind::Skipped,
        skip_reason: Some("already_processed".to_owned()),
        ..failed("i", None, Some(200))
    };
    bench.see(1, 500, "g-4", skip);
    assert_eq!(bench.item(STATE), "ignored g-4 200 0");
    bench.see(2, 600, "g-1", failed("i", Some("m"), Some(300)));
    assert_eq!(bench.item(STATE), "open g-1 300 1");
}

#[test]
fn merged_groups_share_items_hours_and_batches_exactly() {
    let mut bench = Bench::new();
    bench.see(1, 500, "g-1", failed("i", Some("m"), Some(200)));
    bench.see(2, 500, "g-2", failed("i", Some("n"), Some(300)));
    bench.see(1, 500, "g-2", failed("j", Some("n"), Some(300)));
    bench.work(IngestWork { changes: vec![group("g-2", Some("g-1"))], ..IngestWork::default() });
    assert_eq!(
        bench.number(
            "SELECT total_items * 100 + open_items * 10 + failures FROM error_group WHERE group_id = 'g-1000000000'"
        ),
        223
    );
    bench.see(1, 600, "g-2", failed("k", Some("n"), Some(300)));
    assert_eq!(bench.number("SELECT total_items FROM error_group WHERE group_id = 'g-1000000000'"), 3);
    // The survivor becomes part of a third one: the first merge must not become a chain.
    bench.work(IngestWork { changes: vec![group("g-1", Some("g-3"))], ..IngestWork::default() });
    bench.see(2, 700, "g-3", failed("i", Some("n"), Some(400)));
    assert_eq!(bench.number("SELECT count(*) FROM error_group WHERE merged_into = 3"), 2);
}

#[test]
fn a_time_of_the_far_future_counts_as_seen_now() {
    let mut bench = Bench::new();
    bench.see(1, 500, "g-1", failed("i", Some("m"), Some(i64::from(u32::MAX) * 1000)));
    bench.see(1, 600, "g-1", failed("i", Some("other"), Some(i64::from(u32::MAX) * 1000)));
    assert_eq!(bench.item(STATE), "open g-1 500 1");
}
