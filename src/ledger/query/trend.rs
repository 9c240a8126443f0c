//! `report trend`: observations over time.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::clause::Clause;
use super::{QueryError, View, value};
use crate::core::report::filter::Window;
use crate::core::report::history::TrendRow;

/// The width of a bucket.
#[derive(Clone, Debug)]
pub enum Bucket {
    /// An hour.
    Hour,
    /// A calendar day in this zone.
    Day(TimeZone),
}

const HOUR: i64 = 3_600_000;

impl Bucket {
    /// When the bucket that holds `at` begins.
    fn start(&self, at: Timestamp) -> Timestamp {
        let hour = at.as_millisecond().div_euclid(HOUR) * HOUR;
        let start = match self {
            Bucket::Hour => Timestamp::from_millisecond(hour).ok(),
            Bucket::Day(zone) => {
                let day = at.to_zoned_datetime(zone.clone()).start_of_day();
                day.ok().map(|day| day.timestamp())
            }
        };
        start.unwrap_or(at)
    }

    /// When the next one begins.
    fn next(&self, start: Timestamp) -> Timestamp {
        let next = match self {
            Bucket::Hour => start.checked_add(1.hour()).ok(),
            Bucket::Day(zone) => {
                let day = start.to_zoned_datetime(zone.clone()).checked_add(1.day());
                day.ok().map(|day| day.timestamp())
            }
        };
        next.unwrap_or(Timestamp::MAX)
    }
}

/// Observations in each bucket of the window, buckets without any included, oldest first; with `--by` for each key
/// that has any, the largest key first.
///
/// # Errors
/// The ledger cannot be read.
pub fn trend(view: &View<'_>, bucket: &Bucket, window: Window) -> Result<Vec<TrendRow>, QueryError> {
    let key = match view.filter.by.as_deref() {
        Some("group") => "s.group_id",
        Some("class") => "s.class",
        Some("kind") => "s.kind",
        _ => "NULL",
    };
    let hours = if view.filter.narrows_items() {
        from_observations(view, key, window)?
    } else {
        from_counters(view, key, window)?
    };
    let mut keys: BTreeMap<Option<String>, Line> = BTreeMap::new();
    if key == "NULL" {
        keys.insert(None, Line::default());
    }
    for hour in hours {
        let line = keys.entry(hour.key).or_default();
        line.title = hour.title;
        line.failures += hour.failures;
        *line.buckets.entry(bucket.start(hour.at)).or_default() += hour.failures;
    }
    let mut keys: Vec<(Option<String>, Line)> = keys.into_iter().collect();
    keys.sort_by_key(|(_, line)| std::cmp::Reverse(line.failures));
    let limit = view.filter.limit.and_then(|limit| usize::try_from(limit).ok());
    keys.truncate(limit.unwrap_or(usize::MAX));
    let rows = keys.into_iter().flat_map(|(key, line)| line.rows(bucket, window, key.as_deref()));
    Ok(rows.collect())
}

/// What one key had in each bucket.
#[derive(Default)]
struct Line {
    title: Option<String>,
    failures: u64,
    buckets: BTreeMap<Timestamp, u64>,
}

impl Line {
    fn rows(&self, bucket: &Bucket, window: Window, key: Option<&str>) -> Vec<TrendRow> {
        let mut rows = Vec::new();
        let mut from = bucket.start(window.since);
        while from < window.until {
            let to = bucket.next(from);
            rows.push(TrendRow {
                from,
                to,
                key: key.map(str::to_owned),
                title: self.title.clone(),
                failures: self.buckets.get(&from).copied().unwrap_or_default(),
            });
            from = to;
        }
        rows
    }
}

/// Observations of one key in one hour.
struct Hour {
    key: Option<String>,
    title: Option<String>,
    at: Timestamp,
    failures: u64,
}

fn from_counters(view: &View<'_>, key: &str, window: Window) -> Result<Vec<Hour>, QueryError> {
    let (from, to) = window.hours();
    let mut clause = Clause::all();
    clause.and("h.hour >= ? AND h.hour < ?", [from, to].map(Value::from));
    group_clause(view, &mut clause);
    read(
        view,
        &format!(
            "SELECT {key}, h.hour * {HOUR}, sum(h.failures), max(coalesce(s.renamed, s.title))
             FROM error_group g JOIN group_hour h ON h.group_key = g.group_key
             JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
             WHERE {} GROUP BY 1, 2",
            clause.text()
        ),
        &clause,
    )
}

/// Counters do not know single items: their observations are read.
fn from_observations(view: &View<'_>, key: &str, window: Window) -> Result<Vec<Hour>, QueryError> {
    let mut clause = view.item_clause();
    let ends = [window.since, window.until].map(|t| Value::from(t.as_millisecond()));
    clause.and("w.event_at >= ? AND w.event_at < ?", ends);
    read(
        view,
        &format!(
            "SELECT {key}, w.event_at / {HOUR} * {HOUR}, count(*), max(coalesce(s.renamed, s.title))
             FROM item i JOIN observation w ON w.item_key = i.item_key
             JOIN error_group g ON g.group_key = w.group_key
             JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
             WHERE {} GROUP BY 1, 2",
            clause.text()
        ),
        &clause,
    )
}

fn group_clause(view: &View<'_>, clause: &mut Clause) {
    clause.one_of_keys("g.group_key", &view.group_keys, "");
    clause.one_of("s.class", &view.filter.class, "");
    if let Some(kind) = view.filter.kind {
        clause.and("s.kind = ?", [Value::from(kind.as_str().to_owned())]);
    }
}

fn read(view: &View<'_>, sql: &str, clause: &Clause) -> Result<Vec<Hour>, QueryError> {
    let by_group = view.filter.by.as_deref() == Some("group");
    let mut statement = view.connection.prepare(sql)?;
    let rows = statement.query_map(params_from_iter(clause.values()), |row| {
        let title: String = row.get(3)?;
        Ok(Hour {
            key: row.get(0)?,
            title: Some(title).filter(|_| by_group),
            at: value::time(row, 1)?,
            failures: value::count(row, 2)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
