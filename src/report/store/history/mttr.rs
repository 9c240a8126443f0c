//! `report mttr`: how long until things recover.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use crate::report::history::MttrRow;
use crate::report::store::error::QueryError;
use crate::report::store::selection::clause::Clause;
use crate::report::store::selection::view::ReportView;
use crate::report::store::value;

/// Episodes closed in the window, and those still open, put together; most episodes first.
///
/// Open episodes are counted with their age rather than left out: else recovery would look faster than it is.
pub(crate) fn mttr(view: &ReportView<'_>) -> Result<Vec<MttrRow>, QueryError> {
    let by_group = !matches!(view.filter.by.as_deref(), Some("class" | "kind"));
    let mut sums: BTreeMap<String, DurationSum> = BTreeMap::new();
    for episode in episodes(view)? {
        let sum = sums.entry(episode.key).or_default();
        sum.title = Some(episode.title).filter(|_| by_group);
        let end = episode.closed_at.unwrap_or(view.now);
        let seconds = end.duration_since(episode.opened_at).as_secs();
        let seconds = u64::try_from(seconds).unwrap_or_default();
        match (episode.closed_at, episode.closed_how.as_deref()) {
            (None, _) => sum.open.push(seconds),
            (Some(_), Some("recovered")) => sum.recovered.push(seconds),
            _ => sum.otherwise += 1,
        }
    }
    let mut rows: Vec<MttrRow> = sums.into_iter().map(|(key, sum)| sum.row(key)).collect();
    // Of as many episodes those come first that show how long it takes, then those that have been open longest.
    rows.sort_by_key(|row| {
        let episodes = row.recovered + row.open + row.ended_otherwise;
        std::cmp::Reverse((episodes, row.recovered, row.oldest_open_seconds))
    });
    let limit = view.filter.limit.and_then(|limit| usize::try_from(limit).ok());
    rows.truncate(limit.unwrap_or(usize::MAX));
    Ok(rows)
}

/// When each recovered episode of the window ended, and how many seconds it took; oldest first.
pub(crate) fn recovery_times(view: &ReportView<'_>) -> Result<Vec<(Timestamp, u64)>, QueryError> {
    let mut times: Vec<(Timestamp, u64)> = episodes(view)?
        .into_iter()
        .filter(|episode| episode.closed_how.as_deref() == Some("recovered"))
        .filter_map(|episode| {
            let closed_at = episode.closed_at?;
            let seconds = closed_at.duration_since(episode.opened_at).as_secs();
            Some((closed_at, u64::try_from(seconds).unwrap_or_default()))
        })
        .collect();
    times.sort();
    Ok(times)
}

#[derive(Default)]
struct DurationSum {
    title: Option<String>,
    recovered: Vec<u64>,
    open: Vec<u64>,
    otherwise: u64,
}

impl DurationSum {
    fn row(mut self, key: String) -> MttrRow {
        self.recovered.sort_unstable();
        MttrRow {
            key,
            title: self.title,
            recovered: self.recovered.len() as u64,
            median_seconds: percentile(&self.recovered, 50),
            p90_seconds: percentile(&self.recovered, 90),
            ended_otherwise: self.otherwise,
            open: self.open.len() as u64,
            oldest_open_seconds: self.open.into_iter().max(),
        }
    }
}

/// The smallest value that at least `percent` of the sorted values do not exceed (nearest rank).
fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

struct ClosedEpisode {
    key: String,
    title: String,
    opened_at: Timestamp,
    closed_at: Option<Timestamp>,
    closed_how: Option<String>,
}

fn episodes(view: &ReportView<'_>) -> Result<Vec<ClosedEpisode>, QueryError> {
    let key = match view.filter.by.as_deref() {
        Some("class") => "s.class",
        Some("kind") => "s.kind",
        _ => "s.group_id",
    };
    let mut clause = Clause::all();
    clause.one_of_keys("e.group_key", &view.group_keys, "");
    clause.one_of("s.class", &view.filter.class, "");
    if let Some(kind) = view.filter.kind {
        clause.and("s.kind = ?", [Value::from(kind.as_str().to_owned())]);
    }
    if let Some(window) = view.window() {
        let (since, until) = (window.since.as_millisecond(), window.until.as_millisecond());
        clause.and(
            "(e.closed_at IS NULL AND e.opened_at < ? OR e.closed_at >= ? AND e.closed_at < ?)",
            [until, since, until].map(Value::from),
        );
    }
    let mut statement = view.connection.prepare(&format!(
        "SELECT {key} AS key, coalesce(s.renamed, s.title) AS title, e.opened_at, e.closed_at, e.closed_how
         FROM episode e JOIN error_group g ON g.group_key = e.group_key
         JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)
         WHERE {}",
        clause.text()
    ))?;
    let rows = statement.query_map(params_from_iter(clause.values()), |row| {
        Ok(ClosedEpisode {
            key: row.get("key")?,
            title: row.get("title")?,
            opened_at: value::time(row, "opened_at")?,
            closed_at: value::maybe_time(row, "closed_at")?,
            closed_how: row.get("closed_how")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use crate::report::store::history::mttr::percentile;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(percentile(&[7], 90), Some(7));
        assert_eq!(percentile(&[1, 2, 3, 4], 50), Some(2));
        assert_eq!(percentile(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 90), Some(9));
    }
}
