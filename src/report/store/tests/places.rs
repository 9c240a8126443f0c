//! A number that several places show is the same in all of them: summary, groups, items, skip reasons, batches, trends,
//! digests and metrics.

use jiff::{SignedDuration, Timestamp};

use crate::model::item::Kind;
use crate::model::links::linker::Linker;
use crate::model::time::HOUR;
use crate::report::filter::{Filter, TimeRange};
use crate::report::store::read_transaction::ReadTransaction;
use crate::report::store::tests::agreement::view_of;
use crate::report::store::{
    Bucket, ConfiguredBudget, batches, count_items, group, groups, items, skipped, summary, trend,
};
use crate::report::summary::SummaryRow;
use crate::service::store_health;
use crate::triage::digest::model::Window as Told;
use crate::triage::store::digest::totals;

/// Compares the places for the filters that a summary takes.
pub(crate) fn compare(reading: &ReadTransaction, filter: &Filter) {
    let filter = &Filter { state: Vec::new(), ..filter.clone() };
    let linker = Linker::shipped();
    let now = view_of(reading, filter, &linker).now;
    let ever = &Filter { since: None, until: None, ..filter.clone() };
    let window = filter.window_or(now, 24);
    let windowed = &Filter { since: Some(window.since), ..filter.clone() };
    let summary = summary(&view_of(reading, windowed, &linker), ConfiguredBudget::default()).unwrap();
    assert_eq!(summary.items, count_items(&view_of(reading, ever, &linker)).unwrap(), "items");
    compare_groups(reading, ever, &summary);
    compare_failures(reading, windowed, &summary, now);
    compare_skipped(reading, windowed);
    if ever.kind.is_none() && ever.class.is_empty() && ever.group.is_empty() && !ever.narrows_items() {
        compare_digest(reading, &summary);
        compare_details(reading);
    }
}

fn compare_groups(reading: &ReadTransaction, ever: &Filter, summary: &SummaryRow) {
    let linker = Linker::shipped();
    let groups = groups(&view_of(reading, ever, &linker)).unwrap();
    let unsolved = summary.items.open + summary.items.retrying;
    assert_eq!((groups.open_items, groups.counts), (unsolved, summary.groups), "groups");
    assert_eq!(groups.rows.iter().map(|row| row.open_items).sum::<u64>(), unsolved, "rows of groups");
    let open = groups.rows.iter().filter(|row| row.open_items > 0).count() as u64;
    assert_eq!(summary.groups.open() + summary.groups.given_up, open, "open groups");
}

fn compare_failures(reading: &ReadTransaction, windowed: &Filter, summary: &SummaryRow, now: Timestamp) {
    if windowed.kind == Some(Kind::Skipped) {
        assert_eq!((summary.items_in_window, summary.hourly.iter().sum()), (0, 0), "only skipped");
        return;
    }
    let linker = Linker::shipped();
    let failed = Filter { kind: Some(Kind::Failed), ..windowed.clone() };
    let view = view_of(reading, &failed, &linker);
    assert_eq!(count_items(&view).unwrap().all(), summary.items_in_window, "items that failed");
    assert_eq!(groups(&view).unwrap().items_in_window, summary.items_in_window, "items that failed, of groups");
    let hour = now.as_millisecond().div_euclid(HOUR) - 23;
    let day = TimeRange {
        since: Timestamp::from_millisecond(hour * HOUR).unwrap(),
        until: now + SignedDuration::from_millis(1),
    };
    let all = trend(&view, &Bucket::Hour, day).unwrap();
    let hourly: Vec<u64> = all.rows.iter().map(|row| row.failures).collect();
    assert_eq!(hourly, summary.hourly, "failures by hour");
    let by = |by: &str, limit| {
        let filter = Filter { by: Some(by.to_owned()), limit, ..failed.clone() };
        trend(&view_of(reading, &filter, &linker), &Bucket::Hour, day).unwrap()
    };
    let by_group = by("group", None);
    assert_eq!(by_group.rows.iter().map(|row| row.failures).sum::<u64>(), all.failures, "of all lines");
    let cut = by("group", Some(1));
    assert_eq!((cut.failures, cut.keys, cut.all_rows), (all.failures, by_group.keys, by_group.rows.len() as u64));
    assert!(cut.shown <= 1 && cut.shown * 24 == cut.rows.len() as u64);
}

fn compare_skipped(reading: &ReadTransaction, windowed: &Filter) {
    if windowed.kind.is_some() {
        return;
    }
    let linker = Linker::shipped();
    let only = Filter { kind: Some(Kind::Skipped), ..windowed.clone() };
    let counts = count_items(&view_of(reading, &only, &linker)).unwrap();
    let reasons = skipped(&view_of(reading, windowed, &linker)).unwrap();
    let sum = |of: fn(&(u64, u64)) -> u64| reasons.iter().map(|row| of(&(row.items, row.open_items))).sum::<u64>();
    assert_eq!((sum(|row| row.0), sum(|row| row.1)), (counts.all(), counts.open), "skip reasons");
}

/// What a digest of the summary's time says of the whole ledger.
fn compare_digest(reading: &ReadTransaction, summary: &SummaryRow) {
    // A digest's window holds its end and not its beginning.
    let before = |at: Timestamp| at - SignedDuration::from_millis(1);
    let window = Told { from: before(summary.window.since), to: before(summary.window.until) };
    let told = totals(reading.connection(), window).unwrap();
    assert_eq!(told.open_items, summary.items.open + summary.items.retrying, "open items of the digest");
    assert_eq!(told.open_groups, summary.groups.open() + summary.groups.given_up, "open groups of the digest");
    let health = store_health::read(reading.connection()).unwrap();
    let measured: u64 = health.open_items.iter().map(|(_, _, items)| items).sum();
    assert_eq!((measured, health.open_groups), (told.open_items, told.open_groups), "metrics");
    assert_eq!(told.recovered_items, summary.recovered_in_window, "recovered items of the digest");
}

/// What the page of each group says, and what the lists that it names say.
fn compare_details(reading: &ReadTransaction) {
    let linker = Linker::shipped();
    let all = Filter::default();
    for row in groups(&view_of(reading, &all, &linker)).unwrap().rows {
        let of_group = Filter { group: vec![row.group_id.clone()], ..Filter::default() };
        let detail = group(&mut view_of(reading, &all, &linker), &row.group_id).unwrap();
        let listed = items(&view_of(reading, &of_group, &linker)).unwrap();
        assert_eq!(detail.present_items, listed.len() as u64, "items of {}", row.group_id);
        assert_eq!((detail.group.open_items, detail.group.batches), (row.open_items, row.batches));
        let in_batches = batches(&view_of(reading, &of_group, &linker)).unwrap();
        assert_eq!(row.batches, in_batches.len() as u64, "batches of {}", row.group_id);
        let open = Filter { state: vec!["open".to_owned(), "retrying".to_owned()], ..of_group };
        let open = items(&view_of(reading, &open, &linker)).unwrap();
        assert_eq!(row.open_items, open.len() as u64, "open items of {}", row.group_id);
    }
}
