//! Whatever happens to items, reports that count by counters say what a count of the items themselves says.

use std::collections::HashSet;

use proptest::prelude::*;
use regex::Regex;
use rusqlite::Connection;

use crate::grouping::group_change::GroupChange;
use crate::grouping::id::GroupId;
use crate::grouping::state::StoredGroup;
use crate::grouping::store_group;
use crate::ledger::check::check;
use crate::ledger::open::in_memory;
use crate::ledger::prune::{PruneCutoff, prune};
use crate::ledger::time::timestamp;
use crate::model::classified::Classified;
use crate::model::item::{HARMLESS_SKIP, ItemState, Kind, Observation};
use crate::model::links::linker::Linker;
use crate::report::filter::Filter;
use crate::report::store::history::recovered;
use crate::report::store::lists::{items, skipped};
use crate::report::store::read_transaction::ReadTransaction;
use crate::report::store::selection::view::ReportView;
use crate::report::store::tests::places;
use crate::report::store::{count_items, groups, items, skipped};
use crate::scan::store::counters::Counters;
use crate::scan::store::ingest::ingest;
use crate::scan::store::ingest_record::{IngestWork, ListingContext, Sighting};
use crate::scan::store::item::{Recovery, change_state, recover};
use crate::triage::store::dismissal;

const MINUTE: i64 = 60_000;
/// The present of the reports; everything happened in the ten hours before.
const NOW: i64 = 600;

#[derive(Clone, Debug)]
enum LedgerChange {
    See { batch: i64, item: u8, group: u8, reason: u8, at: i64 },
    Change { item: i64, to: ItemState },
    Recover { item: i64 },
    Dismiss { group: i64, back: bool },
    Merge { from: u8, into: u8 },
    Prune { before: i64 },
}

fn step() -> impl Strategy<Value = LedgerChange> {
    let state = prop_oneof![Just(ItemState::Retrying), Just(ItemState::Open), Just(ItemState::Ignored)];
    prop_oneof![
        12 => (1_i64..5, 0_u8..12, 0_u8..6, 0_u8..4, 0..NOW)
            .prop_map(|(batch, item, group, reason, at)| LedgerChange::See { batch, item, group, reason, at }),
        3 => (1_i64..12, state).prop_map(|(item, to)| LedgerChange::Change { item, to }),
        3 => (1_i64..12).prop_map(|item| LedgerChange::Recover { item }),
        2 => (1_i64..7, any::<bool>()).prop_map(|(group, back)| LedgerChange::Dismiss { group, back }),
        1 => (0_u8..6, 0_u8..6).prop_map(|(from, into)| LedgerChange::Merge { from, into }),
        1 => (0..NOW).prop_map(|before| LedgerChange::Prune { before }),
    ]
}

/// Groups 3 to 5 are of skipped items; failed and skipped never mix.
fn kind(group: u8) -> Kind {
    if group < 3 { Kind::Failed } else { Kind::Skipped }
}

fn group_id(group: u8) -> GroupId {
    format!("g-{group}000000000").parse().unwrap()
}

fn change(group: u8, merged_into: Option<u8>) -> GroupChange {
    GroupChange {
        stored: StoredGroup {
            id: group_id(group),
            kind: kind(group),
            template: "t".to_owned(),
            title: "t".to_owned(),
            state: Vec::new(),
            merged_into: merged_into.map(group_id),
            version: 1,
        },
        classified: Classified { class: if group.is_multiple_of(2) { "even" } else { "odd" }.to_owned(), rule: None },
    }
}

fn seen(batch: i64, item: u8, group: u8, reason: u8, at: i64) -> IngestWork {
    let skipped = kind(group) == Kind::Skipped;
    let reasons = [None, Some("a"), Some("b"), Some(HARMLESS_SKIP)];
    let observation = Observation {
        item_id: format!("i{item}"),
        item_name: format!("n{}", item % 5),
        kind: kind(group),
        message: Some(format!("m{reason}")).filter(|_| reason > 0),
        skip_reason: reasons[usize::from(reason)].filter(|_| skipped).map(str::to_owned),
        job_id: None,
        job_record_id: None,
        started_at: None,
        completed_at: Some(timestamp(at * MINUTE)),
        effective_at: None,
    };
    let place =
        ListingContext { project_key: batch % 2 + 1, batch_key: batch, seen_at: NOW * MINUTE, baseline_until: 0 };
    IngestWork {
        groups: vec![group_id(group)],
        sightings: vec![Sighting::new(place, &observation)],
        ..IngestWork::default()
    }
}

fn ledger() -> Connection {
    let mut connection = in_memory();
    let batches = "INSERT INTO project (project_key, name, project_id, first_seen, list_read_at) VALUES (1, 'p', NULL, 0, NULL), (2, 'q', NULL, 0, NULL);
         INSERT INTO batch (batch_key, project_key, batch_id, job_type, status, first_seen, last_seen)
         SELECT value, value % 2 + 1, 'b' || value, iif(value < 3, 'parse', 'extract'), 'completed', 0, 9000000000
         FROM json_each('[1, 2, 3, 4]');
         UPDATE batch SET directory_id = 'd' WHERE batch_key IN (1, 4)";
    connection.execute_batch(batches).unwrap();
    let tx = connection.transaction().unwrap();
    ingest(&tx, &IngestWork { changes: (0..6).map(|group| change(group, None)).collect(), ..IngestWork::default() }, 1)
        .unwrap();
    tx.commit().unwrap();
    connection
}

fn take(connection: &mut Connection, step: &LedgerChange) {
    let tx = connection.transaction().unwrap();
    let mut counters = Counters::default();
    match *step {
        LedgerChange::See { batch, item, group, reason, at } => {
            ingest(&tx, &seen(batch, item, group, reason, at), 1).unwrap();
        }
        LedgerChange::Change { item, to } => {
            change_state(&tx, item, to, |_| true, &mut counters).unwrap();
        }
        LedgerChange::Recover { item } => {
            let at = (item * 47) % NOW * MINUTE;
            recover(&tx, item, &Recovery { at, by: "b", answered_until: 0 }, &mut counters).unwrap();
        }
        LedgerChange::Dismiss { group, back: false } => drop(dismissal::dismiss(&tx, group).unwrap()),
        LedgerChange::Dismiss { group, back: true } => drop(dismissal::undismiss(&tx, group).unwrap()),
        LedgerChange::Merge { from, into } if kind(from) == kind(into) => {
            let key = |id| store_group::key(&tx, group_id(id).as_str()).unwrap().unwrap();
            store_group::merge(&tx, key(from), key(into)).unwrap();
        }
        LedgerChange::Merge { .. } => {}
        LedgerChange::Prune { before } => {
            drop(prune(&tx, &PruneCutoff { items: before * MINUTE, digests: 0 }).unwrap())
        }
    }
    counters.write(&tx).unwrap();
    tx.commit().unwrap();
}

pub(crate) fn view_of<'a>(reading: &'a ReadTransaction, filter: &'a Filter, linker: &'a Linker) -> ReportView<'a> {
    ReportView::new(reading, filter, timestamp(NOW * MINUTE), linker).unwrap()
}

/// What the counters answer, against the same question put to the items.
fn compare(reading: &ReadTransaction, filter: &Filter) {
    let linker = Linker::shipped();
    let view = &view_of(reading, filter, &linker);
    let counted = count_items(view).unwrap();
    assert_eq!(counted, items::count(view, &view.item_clause_in_window().unwrap()).unwrap());
    let recounted = items::count(view, &view.item_clause().unwrap()).unwrap();
    assert_eq!(items::count_all(view).unwrap(), recounted);
    let window = filter.window_or(view.now, 24);
    let [since, until] = [window.since, window.until].map(|end| end.as_millisecond());
    let by_items = recovered::by_items(view, since, until).unwrap();
    assert_eq!(recovered::recovered(view, window).unwrap(), by_items, "recovered");
    let of_skipped = skipped(view).unwrap();
    assert_eq!(skipped::by_item_alone(view).unwrap(), of_skipped);
    let groups = groups(view).unwrap();
    if filter.state.is_empty() {
        // Without a window or a project, what a group ever had is reported.
        let ever = view.window().is_none() && !filter.narrows_items();
        assert!(ever || groups.items_in_window == counted.all(), "of groups");
        let unsolved = recounted.open + recounted.retrying;
        assert!(view.window().is_some() || groups.open_items == unsolved, "of open items");
    }
    let ids = |filter: &Filter| {
        let view = view_of(reading, filter, &linker);
        items(&view).unwrap().into_iter().map(|row| row.item_id).collect::<Vec<_>>()
    };
    let mut all = ids(&Filter { limit: None, ..filter.clone() });
    let picked = one_by_one(reading, filter);
    let unpicked = Filter {
        job_type: Vec::new(),
        directory: Vec::new(),
        batch: Vec::new(),
        item_name: None,
        matching: None,
        limit: None,
        ..filter.clone()
    };
    let expected: Vec<String> = ids(&unpicked).into_iter().filter(|id| picked.contains(id)).collect();
    assert_eq!(all, expected, "picked");
    all.truncate(3);
    assert_eq!(ids(&Filter { limit: Some(3), ..filter.clone() }), all);
}

/// The items that the filters pick which no counter knows, one item at a time.
fn one_by_one(reading: &ReadTransaction, filter: &Filter) -> HashSet<String> {
    let mut sql = "SELECT i.item_id, m.text, CASE n.kind WHEN 'skipped' THEN n.skip_reason END
         FROM item i JOIN observation n ON n.observation_key = i.observation_key
         LEFT JOIN message m ON m.message_key = n.message_key WHERE TRUE"
        .to_owned();
    for (column, words) in
        [("job_type", &filter.job_type), ("directory_id", &filter.directory), ("batch_id", &filter.batch)]
    {
        for word in words {
            sql.push_str(&format!(
                " AND EXISTS (SELECT 1 FROM observation o JOIN batch b ON b.batch_key = o.batch_key
                  WHERE o.item_key = i.item_key AND b.{column} = '{word}')"
            ));
        }
    }
    if let Some(glob) = &filter.item_name {
        sql.push_str(&format!(" AND i.item_name GLOB '{glob}'"));
    }
    let mut statement = reading.connection().prepare(&sql).unwrap();
    let rows =
        statement.query_map([], |row| row.try_into().map(|(id, message, reason)| (id, [message, reason]))).unwrap();
    let says = |texts: &[Option<String>; 2]| match &filter.matching {
        Some(regex) => texts.iter().flatten().any(|text| regex.is_match(text)),
        None => true,
    };
    rows.map(Result::unwrap).filter(|(_, texts)| says(texts)).map(|(id, _)| id).collect()
}

fn filter() -> impl Strategy<Value = Filter> {
    let state = proptest::option::weighted(0.3, prop_oneof![Just("open"), Just("recovered"), Just("ignored")]);
    let kind = proptest::option::weighted(0.3, prop_oneof![Just(Kind::Failed), Just(Kind::Skipped)]);
    let word = |word: &'static str| proptest::option::weighted(0.3, Just(word));
    let since = proptest::option::of(0..NOW);
    let until = proptest::option::weighted(0.2, 0..NOW);
    let group = proptest::option::weighted(0.2, 0_u8..6);
    let items = (word("parse"), word("d"), word("b4"), word("n[0-2]"), word("m1|a"));
    (state, kind, word("even"), word("p"), since, until, group, items).prop_map(
        |(state, kind, class, project, since, until, group, items)| Filter {
            state: state.into_iter().map(str::to_owned).collect(),
            kind,
            class: class.into_iter().map(str::to_owned).collect(),
            project: project.into_iter().map(str::to_owned).collect(),
            since: since.map(|at| timestamp(at * MINUTE)),
            until: until.map(|at| timestamp(at * MINUTE)),
            group: group.into_iter().map(|group| group_id(group).as_str().to_owned()).collect(),
            job_type: items.0.into_iter().map(str::to_owned).collect(),
            directory: items.1.into_iter().map(str::to_owned).collect(),
            batch: items.2.into_iter().map(str::to_owned).collect(),
            item_name: items.3.map(str::to_owned),
            matching: items.4.map(|pattern| Regex::new(pattern).unwrap()),
            ..Filter::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counters_and_items_give_the_same_answers(
        steps in proptest::collection::vec(step(), 1..60),
        filters in proptest::collection::vec(filter(), 1..8),
    ) {
        let mut connection = ledger();
        for step in &steps {
            take(&mut connection, step);
        }
        prop_assert_eq!(check(&connection).unwrap(), Vec::<String>::new());
        let reading = ReadTransaction::over(connection).unwrap();
        for filter in &filters {
            compare(&reading, filter);
        }
        // It looks into every group: often enough in a third of the cases.
        if steps.len().is_multiple_of(3) {
            places::compare(&reading, &Filter::default());
            places::compare(&reading, &filters[0]);
        }
    }
}
