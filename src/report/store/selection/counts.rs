//! Numbers and marks of single groups, from the counters and small tables around them.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::params;

use crate::model::time::HOUR;
use crate::report::filter::TimeRange;
use crate::report::store::error::QueryError;
use crate::report::store::selection::clause::Clause;
use crate::report::store::selection::view::ReportView;
use crate::report::store::value;
use crate::reprocess::policy::group::GroupFacts;
use crate::reprocess::store::history;
use crate::triage::store::silence::{self, ActiveSilences};

/// Hours a sparkline shows.
pub(crate) const SPARK_HOURS: i64 = 24;

/// Groups of a list from which on it is quicker to read some counters as a whole.
const TOGETHER_FROM: usize = 100;

/// Items that failed within the window.
pub(crate) fn items_in_window(view: &ReportView<'_>, members: &[i64], window: TimeRange) -> Result<u64, QueryError> {
    let (condition, mut values) = crate::report::store::selection::view::failed_within(window, view.now);
    let mut clause = Clause::all();
    clause.one_of("i.project_key IN (SELECT project_key FROM project WHERE name", &view.filter.project, ")");
    values.extend(clause.values().cloned());
    // One range of the index for each state: the newest observation's time is its last column.
    let mut statement = view.connection.prepare_cached(&format!(
        "SELECT count(*) FROM item i WHERE i.group_key = ?
         AND i.state IN ('open', 'retrying', 'recovered', 'dismissed', 'ignored') AND {condition} AND {}",
        clause.text()
    ))?;
    let mut sum = 0;
    for member in members {
        let bound = std::iter::once((*member).into()).chain(values.iter().cloned());
        sum += statement.query_row(rusqlite::params_from_iter(bound), |row| value::count(row, 0))?;
    }
    Ok(sum)
}

/// What is read once for all groups of a list that is long.
pub(crate) struct Together {
    batches: HashMap<i64, u64>,
    hourly: HashMap<i64, Vec<u64>>,
}

impl Together {
    /// Reads it, if so many groups are shown that looking into each would take longer.
    pub(crate) fn read(view: &ReportView<'_>, shown: usize) -> Result<Option<Together>, QueryError> {
        if shown < TOGETHER_FROM {
            return Ok(None);
        }
        let mut statement =
            view.connection.prepare("SELECT group_key, count(*) FROM group_batch GROUP BY group_key")?;
        let batches = statement.query_map([], |row| Ok((row.get(0)?, value::count(row, 1)?)))?;
        Ok(Some(Together { batches: batches.collect::<rusqlite::Result<_>>()?, hourly: hourly_of_all(view)? }))
    }

    /// As [`batches`].
    pub(crate) fn batches(&self, group: i64) -> u64 {
        self.batches.get(&group).copied().unwrap_or_default()
    }

    /// As [`hourly`].
    pub(crate) fn hourly(&self, group: i64) -> Vec<u64> {
        self.hourly.get(&group).cloned().unwrap_or_else(no_hours)
    }
}

/// Observations in each of the last 24 hours, as [`hourly`] gives them, of every group that has any.
pub(crate) fn hourly_of_all(view: &ReportView<'_>) -> Result<HashMap<i64, Vec<u64>>, QueryError> {
    let last = view.now.as_millisecond().div_euclid(HOUR);
    let first = last - SPARK_HOURS + 1;
    let mut statement =
        view.connection.prepare("SELECT group_key, hour, failures FROM group_hour WHERE hour BETWEEN ? AND ?")?;
    let mut rows = statement.query([first, last])?;
    let mut groups: HashMap<i64, Vec<u64>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let at = usize::try_from(row.get::<_, i64>("hour")? - first).unwrap_or_default();
        groups.entry(row.get("group_key")?).or_insert_with(no_hours)[at] += value::count(row, "failures")?;
    }
    Ok(groups)
}

fn no_hours() -> Vec<u64> {
    vec![0; usize::try_from(SPARK_HOURS).unwrap_or_default()]
}

/// Batches with observations of the group.
pub(crate) fn batches(view: &ReportView<'_>, members: &[i64]) -> Result<u64, QueryError> {
    if let [only] = members {
        let mut statement = view.connection.prepare_cached("SELECT count(*) FROM group_batch WHERE group_key = ?")?;
        return Ok(statement.query_row([only], |row| value::count(row, 0))?);
    }
    let mut statement = view.connection.prepare_cached("SELECT batch_key FROM group_batch WHERE group_key = ?")?;
    let mut seen = std::collections::HashSet::new();
    for member in members {
        for batch in statement.query_map([member], |row| row.get::<_, i64>(0))? {
            seen.insert(batch?);
        }
    }
    Ok(seen.len() as u64)
}

/// Observations in each of the last 24 hours, the current one included, oldest first.
pub(crate) fn hourly(view: &ReportView<'_>, members: &[i64]) -> Result<Vec<u64>, QueryError> {
    let last = view.now.as_millisecond().div_euclid(HOUR);
    let first = last - SPARK_HOURS + 1;
    let mut hours = no_hours();
    let mut statement = view
        .connection
        .prepare_cached("SELECT hour, failures FROM group_hour WHERE group_key = ? AND hour BETWEEN ? AND ?")?;
    for member in members {
        let mut rows = statement.query(params![member, first, last])?;
        while let Some(row) = rows.next()? {
            let at = usize::try_from(row.get::<_, i64>(0)? - first).unwrap_or_default();
            hours[at] += value::count(row, 1)?;
        }
    }
    Ok(hours)
}

/// Observations in the window's hours and in as many hours before; none if no window was asked.
pub(crate) fn failures_in_window(
    view: &ReportView<'_>,
    members: &[i64],
) -> Result<(Option<u64>, Option<u64>), QueryError> {
    let Some(window) = view.filter.window(view.now) else {
        return Ok((None, None));
    };
    let (from, to) = window.hours();
    let before = from.saturating_sub(to - from);
    let mut statement = view.connection.prepare_cached(
        "SELECT coalesce(sum(failures) FILTER (WHERE hour >= ?2), 0),
                coalesce(sum(failures) FILTER (WHERE hour < ?2), 0)
         FROM group_hour WHERE group_key = ?1 AND hour >= ?3 AND hour < ?4",
    )?;
    let mut sums = (0, 0);
    for member in members {
        let (in_window, earlier) = statement
            .query_row(params![member, from, before, to], |row| Ok((value::count(row, 0)?, value::count(row, 1)?)))?;
        sums = (sums.0 + in_window, sums.1 + earlier);
    }
    Ok((Some(sums.0), Some(sums.1)))
}

/// Acks, silences, retries and notes of all groups; there are never many.
pub(crate) struct Remarks {
    acks: HashMap<(i64, u32), ()>,
    silences: ActiveSilences,
    /// The groups that were retried, each with its project.
    pub(crate) retried: Vec<(String, GroupFacts)>,
    notes: HashMap<i64, String>,
}

impl Remarks {
    /// Reads those that hold now.
    pub(crate) fn read(view: &ReportView<'_>) -> Result<Remarks, QueryError> {
        let now = view.now.as_millisecond();
        let connection = view.connection;
        let mut acks = connection.prepare_cached(
            "SELECT group_key, episode FROM ack
             WHERE ended_at IS NULL AND (expires_at IS NULL OR expires_at > ?)",
        )?;
        let acks = acks.query_map([now], |row| Ok(((row.get(0)?, row.get(1)?), ())))?;
        // Of several notes the last one inserted stays in the map: the newest.
        let mut notes = connection.prepare_cached("SELECT group_key, text FROM note ORDER BY created_at, note_id")?;
        let notes = notes.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Remarks {
            acks: acks.collect::<rusqlite::Result<_>>()?,
            silences: ActiveSilences::new(silence::in_force(connection, view.now)?),
            retried: history::retried(connection)?,
            notes: notes.collect::<rusqlite::Result<_>>()?,
        })
    }

    /// Whether the episode is acknowledged.
    pub(crate) fn acked(&self, group_key: i64, episode: Option<u32>) -> bool {
        episode.is_some_and(|episode| self.acks.contains_key(&(group_key, episode)))
    }

    /// Until when the group is silenced, as digests see it.
    pub(crate) fn silenced_until(
        &self,
        view: &ReportView<'_>,
        group_key: i64,
        group_id: &str,
    ) -> Result<Option<Timestamp>, QueryError> {
        Ok(self.silences.covers(view.connection, group_key, group_id)?)
    }

    /// What retries of the group have shown and what is next, for each project that retried it; none without retries.
    pub(crate) fn retry_outlook(&self, view: &ReportView<'_>, group_id: &str) -> Option<String> {
        let of_group = self.retried.iter().filter(|(_, group)| group.group_id == group_id);
        let outlooks = of_group.map(|(project, group)| (project, group.outlook(&view.retry_settings, view.now)));
        outlooks.fold(None, |said, (project, outlook)| match said {
            None => Some(outlook.to_string()),
            Some(said) => Some(format!("{said}; {project}: {outlook}")),
        })
    }

    /// The newest note.
    pub(crate) fn note(&self, group_key: i64) -> Option<String> {
        self.notes.get(&group_key).cloned()
    }
}
