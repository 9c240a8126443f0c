//! No statement of the console's pages costs more because there is more: on a ledger where one hour, one group, one directory
//! and one batch each hold everything, and on one that holds four times that.

use jiff::SignedDuration;

use crate::ledger::tests::seed::{Seed, t};
use crate::ledger::tests::steps::{self, Steps};
use crate::model::links::linker::Linker;
use crate::report::filter::{Filter, TimeRange};
use crate::report::store::read_transaction::ReadTransaction;
use crate::report::store::{
    Bucket, ConfiguredBudget, ReportView, attempts, audit, batch, batches, freshness, group, groups, item, items,
    skipped, summary, trend,
};
use crate::service::store_health;

/// More than any statement looks at.
const FEW: u64 = 2_500;

/// Rows of a list that a page shows.
const ROWS: u64 = 50;

/// What is there beside the three items that the pages show.
#[derive(Clone, Copy)]
struct Beside {
    /// Items and batches of the same group.
    items: u64,
    batches: u64,
    /// Retries of another group, and hours, all after the first one, in which its items failed.
    retries: i64,
    hours: i64,
}

const LITTLE: Beside = Beside { items: ROWS, batches: 1, retries: 0, hours: 0 };

/// What all pages read, three hours after an outage.
fn pages_after_outage(beside: Beside) -> Steps {
    let Beside { items, batches, retries, hours } = beside;
    let mut seed = Seed::new();
    seed.batch("b", "completed");
    seed.fail("g", "b", 3, t(1));
    seed.crowd("g", "b", items, t(1));
    seed.older_batches(batches);
    seed.retried("g", 60, "failed_same", "h", 0);
    seed.fail("recovered", "b", 1, t(2));
    seed.recover("recovered", t(3));
    (0..retries).for_each(|n| seed.retried("recovered", 61 + n, "recovered", "h", 0));
    let hour = t(0).as_second() / 3600;
    (0..hours).for_each(|n| {
        seed.run(
            "INSERT INTO item_hour (hour, group_key, project_key, state, items)
             SELECT ?1, group_key, 1, 'recovered', 1 FROM error_group WHERE group_id = 'recovered'",
            [hour + 1 + n],
        );
    });
    steps::count(&mut seed.connection);
    read_all(&ReadTransaction::over(seed.connection).unwrap());
    steps::take()
}

fn read_all(reading: &ReadTransaction) {
    let (linker, now) = (Linker::shipped(), t(180));
    let of = |filter: &Filter, look: &dyn Fn(&mut ReportView<'_>)| {
        look(&mut ReportView::new(reading, filter, now, &linker).unwrap());
    };
    let whole = Filter::default();
    let day = Filter { since: Some(t(180 - 24 * 60)), ..Filter::default() };
    let rows = Filter { limit: Some(ROWS), ..Filter::default() };
    let of_group = Filter { group: vec!["g".to_owned()], ..rows.clone() };
    let of_batch = Filter { batch: vec!["b".to_owned()], ..rows.clone() };
    let week = TimeRange { since: now - SignedDuration::from_hours(24 * 7), until: now };
    freshness(reading).unwrap();
    store_health::read(reading.connection()).unwrap();
    of(&day, &|view| drop(summary(view, ConfiguredBudget::default()).unwrap()));
    of(&whole, &|view| drop(trend(view, &Bucket::Hour, week).unwrap()));
    of(&rows, &|view| assert_eq!(groups(view).unwrap().rows.len(), 2));
    of(&whole, &|view| drop(group(view, "g").unwrap()));
    of(&of_group, &|view| assert_eq!(items(view).unwrap().len() as u64, ROWS));
    of(&of_group, &|view| drop(trend(view, &Bucket::Hour, week).unwrap()));
    of(&of_group, &|view| drop((attempts(view).unwrap(), audit(view).unwrap())));
    of(&whole, &|view| drop(batch(view, "b").unwrap()));
    of(&of_batch, &|view| assert_eq!(items(view).unwrap().len() as u64, ROWS));
    of(&rows, &|view| drop(batches(view).unwrap()));
    of(&whole, &|view| drop(item(view, "g-1").unwrap()));
    of(&day, &|view| drop(skipped(view).unwrap()));
}

/// A list of items is sorted among those that failed in one millisecond; that of a batch is found by its observations, and a
/// batch that holds a large part of all items by going through these. About ten steps an item.
const OF_A_LIST: [&str; 3] =
    ["picked", "SELECT item_key FROM observation WHERE batch_key", "SELECT item_key, rowid FROM item"];

#[test]
fn no_statement_of_the_console_grows_with_what_is_open() {
    let [few, many] = [FEW, 4 * FEW].map(|items| pages_after_outage(Beside { items, ..LITTLE }));
    let grown = others(steps::grown(&few, &many), &OF_A_LIST);
    assert_eq!(grown, Vec::<String>::new(), "{grown:#?}");
}

/// Batches are found by their id, counted and ranked by going through them. A few steps a batch.
const OF_BATCHES: [&str; 2] = ["FROM batch WHERE batch_id = ?", "FROM group_batch"];

#[test]
fn no_statement_of_the_console_grows_with_the_batches_of_a_group() {
    let [few, many] = [FEW, 4 * FEW].map(|batches| pages_after_outage(Beside { batches, ..LITTLE }));
    let grown = others(steps::grown(&few, &many), &OF_BATCHES);
    assert_eq!(grown, Vec::<String>::new(), "{grown:#?}");
}

/// What the attempts of a day or an hour came to is counted over all of them, which budgets keep few; a metric counts all
/// attempts by outcome, and an item lists those it had. Ten to ninety steps an attempt.
const OF_RETRIES: [&str; 5] =
    ["AS summed_by", "WITH spent", "AS lost FROM attempt", "FROM attempt GROUP BY outcome", "WHERE a.item_key = ?"];

#[test]
fn no_statement_of_the_console_grows_with_the_retries_of_other_groups() {
    let [few, many] = [100, 400].map(|retries| pages_after_outage(Beside { retries, ..LITTLE }));
    let grown = others(steps::grown(&few, &many), &OF_RETRIES);
    assert_eq!(grown, Vec::<String>::new(), "{grown:#?}");
}

/// What all groups come to in a window is summed over its hours.
const OF_A_WINDOW: [&str; 1] = ["c WHERE TRUE AND c.hour >= ?"];

#[test]
fn no_statement_of_the_console_grows_with_the_hours_of_other_groups() {
    let [few, many] = [500, 2_000].map(|hours| pages_after_outage(Beside { hours, ..LITTLE }));
    let grown = others(steps::grown(&few, &many), &OF_A_WINDOW);
    assert_eq!(grown, Vec::<String>::new(), "{grown:#?}");
}

/// Those without any of these words.
fn others(mut grown: Vec<String>, words: &[&str]) -> Vec<String> {
    grown.retain(|found| !words.iter().any(|word| found.contains(word)));
    grown
}
