//! `report trend`: observations over time.

use std::collections::{BTreeMap, HashMap};

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use crate::model::item::Kind;
use crate::model::time::HOUR;
use crate::report::filter::TimeRange;
use crate::report::history::TrendRow;
use crate::report::store::error::QueryError;
use crate::report::store::selection::clause::Clause;
use crate::report::store::selection::view::ReportView;
use crate::report::store::value;

/// The width of a bucket.
#[derive(Clone, Debug)]
pub(crate) enum Bucket {
    /// An hour.
    Hour,
    /// A calendar day in this zone.
    Day(TimeZone),
}

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

/// Observations over time.
pub(crate) struct Trend {
    /// Those in each bucket of the window, buckets without any included, oldest first; with `--by` for each key that has
    /// any, the largest key first, and at most as many keys as asked.
    pub rows: Vec<TrendRow>,
    /// Keys in the rows; 1 without `--by`.
    pub shown: u64,
    /// Keys that have any observation.
    pub keys: u64,
    /// Rows that all keys have.
    pub all_rows: u64,
    /// Observations of all keys.
    pub failures: u64,
}

/// Observations in each bucket of the window.
pub(crate) fn trend(view: &ReportView<'_>, bucket: &Bucket, window: TimeRange) -> Result<Trend, QueryError> {
    let key = match view.filter.by.as_deref() {
        Some("group") => "s.group_id",
        Some("class") => "s.class",
        Some("kind") => "s.kind",
        _ => "NULL",
    };
    let mut keys: BTreeMap<Option<String>, TrendLine> = BTreeMap::new();
    if key == "NULL" {
        keys.insert(None, TrendLine::default());
    }
    let mut hours = HourlyCounts { groups: groups(view, key)?, lines: Vec::new() };
    hours.lines.resize_with(hours.groups.len(), TrendLine::default);
    if view.filter.narrows_items() {
        hours.add(bucket, &from_observations(view, window)?);
    } else {
        hours.add(bucket, &from_counters(view, window)?);
    }
    for (group, line) in hours.groups.into_iter().zip(hours.lines).filter(|(_, line)| line.failures > 0) {
        let sum = keys.entry(group.key).or_default();
        sum.title = group.title;
        line.buckets.into_iter().for_each(|(start, failures)| sum.add(start, failures));
    }
    let mut keys: Vec<(Option<String>, TrendLine)> = keys.into_iter().collect();
    keys.sort_by_key(|(_, line)| std::cmp::Reverse(line.failures));
    let (all, failures) = (keys.len() as u64, keys.iter().map(|(_, line)| line.failures).sum());
    let limit = view.filter.limit.and_then(|limit| usize::try_from(limit).ok());
    if key != "NULL" {
        keys.truncate(limit.unwrap_or(usize::MAX));
    }
    let shown = keys.len() as u64;
    let rows: Vec<TrendRow> =
        keys.into_iter().flat_map(|(key, line)| line.rows(bucket, window, key.as_deref())).collect();
    let all_rows = (rows.len() as u64).checked_div(shown).unwrap_or_default() * all;
    Ok(Trend { rows, shown, keys: all, all_rows, failures })
}

/// The groups of failed items that match.
pub(crate) fn failed_groups(view: &ReportView<'_>) -> Result<Vec<i64>, QueryError> {
    let failed = |group: &Named| group.key.as_deref() == Some(Kind::Failed.as_str());
    Ok(groups(view, "s.kind")?.into_iter().filter(failed).map(|group| group.group_key).collect())
}

/// Observations of the items that match, in each of the last `hours`, the current one included, by group.
pub(crate) fn last_hours(view: &ReportView<'_>, hours: i64) -> Result<HashMap<i64, Vec<u64>>, QueryError> {
    let last = view.now.as_millisecond().div_euclid(HOUR);
    let first = last - hours + 1;
    let begin = |hour: i64| Timestamp::from_millisecond(hour * HOUR).unwrap_or_default();
    let mut groups: HashMap<i64, Vec<u64>> = HashMap::new();
    for hour in from_observations(view, TimeRange { since: begin(first), until: begin(last + 1) })? {
        let of_group = groups.entry(hour.group_key).or_insert_with(|| vec![0; usize::try_from(hours).unwrap_or(0)]);
        of_group[usize::try_from(hour.hour - first).unwrap_or(0)] += hour.failures;
    }
    Ok(groups)
}

/// What one key had in each bucket.
#[derive(Default)]
struct TrendLine {
    title: Option<String>,
    failures: u64,
    buckets: BTreeMap<Timestamp, u64>,
}

impl TrendLine {
    fn add(&mut self, bucket: Timestamp, failures: u64) {
        self.failures += failures;
        *self.buckets.entry(bucket).or_default() += failures;
    }

    fn rows(&self, bucket: &Bucket, window: TimeRange, key: Option<&str>) -> Vec<TrendRow> {
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

/// What the groups that match had in each bucket, in the order of the groups.
struct HourlyCounts {
    groups: Vec<Named>,
    lines: Vec<TrendLine>,
}

/// Observations of one group in one hour.
struct Hour {
    hour: i64,
    group_key: i64,
    failures: u64,
}

impl HourlyCounts {
    /// Adds hours, the oldest first: the bucket of an hour is worked out once and not for each group.
    fn add(&mut self, bucket: &Bucket, hours: &[Hour]) {
        let place: HashMap<i64, usize> =
            self.groups.iter().enumerate().map(|(at, group)| (group.group_key, at)).collect();
        let mut begun: Option<(i64, Timestamp)> = None;
        for Hour { hour, group_key, failures } in hours {
            let Some(&at) = place.get(group_key) else { continue };
            let start = match begun {
                Some((known, start)) if known == *hour => start,
                _ => bucket.start(Timestamp::from_millisecond(hour * HOUR).unwrap_or_default()),
            };
            begun = Some((*hour, start));
            self.lines[at].add(start, *failures);
        }
    }
}

/// The hours of groups, as counted.
fn from_counters(view: &ReportView<'_>, window: TimeRange) -> Result<Vec<Hour>, QueryError> {
    let (from, to) = window.hours();
    let mut statement = view
        .connection
        .prepare("SELECT hour, group_key, failures FROM group_hour WHERE hour >= ? AND hour < ? ORDER BY hour")?;
    let rows = statement.query_map([from, to], |row| {
        Ok(Hour { hour: row.get("hour")?, group_key: row.get("group_key")?, failures: value::count(row, "failures")? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The same of single items, which no counter knows: their observations are read and added up here, because
/// SQLite would sort them all.
fn from_observations(view: &ReportView<'_>, window: TimeRange) -> Result<Vec<Hour>, QueryError> {
    let mut clause = Clause::all();
    if let Some(picked) = view.matching_items()? {
        picked.restrict_observations(&mut clause);
    }
    let ends = [window.since, window.until].map(|t| Value::from(t.as_millisecond()));
    clause.and("w.event_at >= ? AND w.event_at < ?", ends);
    clause.one_of(
        "w.item_key IN (SELECT i.item_key FROM item i JOIN project p ON p.project_key = i.project_key WHERE p.name",
        &view.filter.project,
        ")",
    );
    let sql = format!("SELECT w.group_key, w.event_at FROM observation w WHERE {}", clause.text());
    let mut statement = view.connection.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(clause.values()))?;
    let mut sums: BTreeMap<(i64, i64), u64> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let hour = row.get::<_, i64>(1)?.div_euclid(HOUR);
        *sums.entry((hour, view.survivor(row.get(0)?))).or_default() += 1;
    }
    Ok(sums.into_iter().map(|((hour, group_key), failures)| Hour { hour, group_key, failures }).collect())
}

/// A group that matches, and what its line is called.
struct Named {
    group_key: i64,
    key: Option<String>,
    title: Option<String>,
}

/// The groups that match. Those that became part of another have no hours of their own left.
fn groups(view: &ReportView<'_>, key: &str) -> Result<Vec<Named>, QueryError> {
    let mut clause = Clause::all();
    clause.one_of_keys("s.group_key", &view.group_keys, "");
    clause.one_of("s.class", &view.filter.class, "");
    match view.filter.kind {
        Some(kind) => clause.and("s.kind = ?", [Value::from(kind.as_str().to_owned())]),
        // A trend counts failures unless the filter names another kind, or all.
        None if key != "s.kind" && view.group_keys.is_empty() => clause.and("s.kind IN ('failed', 'skipped')", []),
        None => {}
    }
    let by_group = view.filter.by.as_deref() == Some("group");
    let mut statement = view.connection.prepare(&format!(
        "SELECT s.group_key, {key} AS key, coalesce(s.renamed, s.title) AS title FROM error_group s WHERE {}",
        clause.text()
    ))?;
    let rows = statement.query_map(params_from_iter(clause.values()), |row| {
        let title: String = row.get("title")?;
        Ok(Named { group_key: row.get("group_key")?, key: row.get("key")?, title: Some(title).filter(|_| by_group) })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
