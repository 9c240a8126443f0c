//! Random worlds: whatever happens and fails while scans run, once the world stands still and a scan is complete, the
//! ledger knows what the world knows; and its counters are right after every step.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rusqlite::Connection;

use crate::grouping::grouper::Subject;
use crate::ledger::check::check;
use crate::ledger::{Ledger, open};
use crate::model::classified::Classified;
use crate::model::item::Kind;
use crate::model::schedule::overdue::OverdueLimit;
use crate::scan::source::Watched;
use crate::scan::summary::ScanSummary;
use crate::scan::tests::cloud_in_memory::{Change, MemoryCloud, MemoryFault, MemoryOutcome, Model, time};
use crate::scan::{restore_grouper, scan};

#[derive(Clone, Debug)]
enum CloudChange {
    Change(Change),
    Scan { faults: Vec<(u64, MemoryFault)>, during: Vec<(u64, Change)>, restart: bool },
}

fn outcome() -> impl Strategy<Value = MemoryOutcome> {
    prop_oneof![
        4 => proptest::option::weighted(0.8, 0_u8..4).prop_map(MemoryOutcome::Failed),
        4 => Just(MemoryOutcome::Completed),
        1 => any::<bool>().prop_map(|harmless| MemoryOutcome::Skipped { harmless }),
        1 => Just(MemoryOutcome::Pending),
    ]
}

/// A change in a world of so many batches and items; the fewer, the more often one of them changes again.
fn change(batches: usize, items: u8) -> impl Strategy<Value = Change> {
    let (batch, item) = (0..batches, 0..items);
    prop_oneof![
        2 => (proptest::option::of(0_u8..2), proptest::collection::vec(item.clone(), 1..7))
            .prop_map(|(directory, items)| Change::NewBatch { directory, items }),
        8 => (batch.clone(), item.clone(), outcome()).prop_map(|(batch, item, to)| Change::Move { batch, item, to }),
        1 => (batch.clone(), item, 0_u8..4).prop_map(|(batch, item, message)| Change::Amend { batch, item, message }),
        2 => batch.clone().prop_map(|batch| Change::Finish { batch }),
        1 => batch.clone().prop_map(|batch| Change::Break { batch }),
        1 => batch.prop_map(|batch| Change::Delete { batch }),
    ]
}

fn step(batches: usize, items: u8) -> impl Strategy<Value = CloudChange> {
    let fault = prop_oneof![3 => Just(MemoryFault::Server), 1 => Just(MemoryFault::Unauthorized), 1 => Just(MemoryFault::Incomplete)];
    let faults = proptest::collection::vec((1_u64..25, fault), 0..3);
    let during = proptest::collection::vec((1_u64..25, change(batches, items)), 0..5);
    prop_oneof![
        5 => change(batches, items).prop_map(CloudChange::Change),
        2 => (faults, during, any::<bool>())
            .prop_map(|(faults, during, restart)| CloudChange::Scan { faults, during, restart }),
    ]
}

proptest! {
    // More of them: PROPTEST_CASES=5000 cargo test --release in_random_worlds
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_random_worlds_the_ledger_ends_up_knowing_what_the_world_knows(steps in proptest::collection::vec(step(6, 8), 1..40)) {
        run(&steps);
    }

    #[test]
    fn in_small_worlds_where_all_changes_often_the_ledger_ends_up_knowing_what_the_world_knows(
        steps in proptest::collection::vec(step(3, 3), 10..50)
    ) {
        run(&steps);
    }
}

fn run(steps: &[CloudChange]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(live(steps));
}

/// A folder in memory where there is one: thousands of ledgers would otherwise wait for the disk.
fn memory() -> tempfile::TempDir {
    let shared = std::path::Path::new("/dev/shm");
    if shared.is_dir() { tempfile::tempdir_in(shared).unwrap() } else { tempfile::tempdir().unwrap() }
}

async fn live(steps: &[CloudChange]) {
    let folder = memory();
    let path = folder.path().join("ledger.db");
    let model = Arc::new(Model::default());
    model.world().apply(&Change::NewBatch { directory: None, items: vec![0, 1, 2, 3] });
    let mut ledger = Ledger::open(&path).await.unwrap();
    for step in steps {
        match step {
            CloudChange::Change(change) => model.world().apply(change),
            CloudChange::Scan { faults, during, restart } => {
                if *restart {
                    drop(ledger);
                    ledger = Ledger::open(&path).await.unwrap();
                }
                scan_once(&model, &ledger, faults, during).await;
                assert_eq!(check(&open::reader(&path).unwrap()).unwrap(), Vec::<String>::new());
            }
        }
    }
    let batches = model.world().batches.len();
    (0..batches).for_each(|batch| model.world().apply(&Change::Finish { batch }));
    // What failed three times in a row rests for a day at most; by then it is tried again. The window holds all of it.
    model.world().clock += 90_000;
    let last = scan_once(&model, &ledger, &[], &[]).await;
    assert!(last.complete, "{last:?}");
    let connection = open::reader(&path).unwrap();
    assert_eq!(check(&connection).unwrap(), Vec::<String>::new());
    compare(&model.world(), &connection);
}

async fn scan_once(
    model: &Arc<Model>,
    ledger: &Ledger,
    faults: &[(u64, MemoryFault)],
    during: &[(u64, Change)],
) -> ScanSummary {
    let now = {
        let mut world = model.world();
        world.clock += 1;
        world.requests = 0;
        world.faults = faults.to_vec();
        world.during = during.to_vec();
        time(world.clock)
    };
    let watched = Watched {
        name: "p".to_owned(),
        source: Arc::clone(model),
        look_back: Duration::from_hours(48),
        concurrency: 2,
        overdue: OverdueLimit::default(),
    };
    let mut grouper = restore_grouper(ledger).await.unwrap();
    let classify = |_: &Subject<'_>| Classified { class: "unknown".to_owned(), rule: None };
    scan(ledger, &[watched], &HashMap::new(), &mut grouper, &classify, now).await.unwrap().remove(0)
}

fn compare(world: &MemoryCloud, connection: &Connection) {
    assert_eq!(stored(connection), shown(world), "observations");
    for (index, batch) in world.batches.iter().enumerate().filter(|(_, batch)| !batch.deleted) {
        for (id, item) in &batch.items {
            let key = match item.outcome {
                MemoryOutcome::Failed(_) => (*id, index, item.record.to_string(), Kind::Failed),
                MemoryOutcome::Skipped { .. } => (*id, index, item.record.to_string(), Kind::Skipped),
                MemoryOutcome::Pending | MemoryOutcome::Cancelled if batch.failed => {
                    (*id, index, String::new(), Kind::Failed)
                }
                _ => continue,
            };
            assert!(world.shown.contains_key(&key), "{key:?} was never listed");
        }
    }
    let mut statement = connection.prepare("SELECT item_id, state FROM item WHERE item_id LIKE 'i%'").unwrap();
    let states: BTreeMap<String, String> =
        statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    for (item_id, state) in states {
        let id: u8 = item_id[1..].parse().unwrap();
        // A batch that was deleted took its evidence along: what was concluded from it before stays.
        if !world.batches.iter().any(|batch| batch.deleted && batch.items.contains_key(&id)) {
            let allowed = expected(world, id);
            assert!(allowed.contains(&state.as_str()), "{item_id} is {state}, not one of {allowed:?}");
        }
    }
}

type LedgerRows = BTreeMap<(String, String, String, String), (i64, Option<String>)>;

fn shown(world: &MemoryCloud) -> LedgerRows {
    let row = |(id, batch, record, kind): &(u8, usize, String, Kind)| {
        (format!("i{id}"), format!("b{batch}"), record.clone(), kind.as_str().to_owned())
    };
    let at = |at: i64| time(at).as_millisecond();
    world.shown.iter().map(|(key, (event, message, _))| (row(key), (at(*event), message.clone()))).collect()
}

fn stored(connection: &Connection) -> LedgerRows {
    let sql = "SELECT item_id, batch_id, coalesce(job_record_id, ''), o.kind, event_at, text FROM observation o
        JOIN item USING (item_key) JOIN batch USING (batch_key) LEFT JOIN message USING (message_key)
        WHERE item_id LIKE 'i%'";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map((), |row| {
        let (item, batch, record, kind, event_at, text) = row.try_into()?;
        Ok(((item, batch, record, kind), (event_at, text)))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// The states an item may have, by what was ever shown of it and by where it stands now.
///
/// A success that was shown after the newest failure is evidence, also if the item left that state again without failing
/// where anyone saw it; whether a scan looked in time is chance, so both states are right then.
fn expected(world: &MemoryCloud, id: u8) -> &'static [&'static str] {
    let of_item = world.shown.iter().filter(|((shown, ..), _)| *shown == id);
    // "Already processed" never hides a failure, whenever it was said.
    let newest = of_item.max_by_key(|(_, (at, _, harmless))| (!*harmless, *at)).unwrap();
    let ((_, failed_in, ..), (failed_at, _, harmless)) = newest;
    let may_answer = |index: usize| {
        let batch = &world.batches[index];
        index == *failed_in
            || batch.made_at > *failed_at
                && (batch.directory.is_none() || batch.directory == world.batches[*failed_in].directory)
    };
    let completed =
        |index: usize| world.batches[index].items.get(&id).is_some_and(|item| item.outcome == MemoryOutcome::Completed);
    let was_shown = |(item, index, at): &(u8, usize, i64)| *item == id && at > failed_at && may_answer(*index);
    if *harmless {
        &["ignored"]
    } else if (0..world.batches.len()).any(|index| may_answer(index) && completed(index)) {
        &["recovered"]
    } else if world.shown_successes.iter().any(was_shown) {
        &["recovered", "open"]
    } else {
        &["open"]
    }
}

/// The first record of a document that failed again in its batch is shown no more; the document itself did not vanish.
#[test]
fn a_batch_in_which_a_document_failed_again_is_searched_for_what_it_completed() {
    let failed = |batch, item| CloudChange::Change(Change::Move { batch, item, to: MemoryOutcome::Failed(None) });
    run(&[
        failed(0, 2),
        CloudChange::Change(Change::NewBatch { directory: None, items: vec![2, 1] }),
        failed(1, 1),
        CloudChange::Scan { faults: vec![], during: vec![], restart: false },
        failed(1, 1),
        CloudChange::Change(Change::Move { batch: 1, item: 2, to: MemoryOutcome::Completed }),
    ]);
}
