//! What every query takes: the connection, the resolved filters, the time, the links.

use std::cell::OnceCell;
use std::collections::HashMap;

use jiff::Timestamp;
use regex::Regex;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use crate::config::reprocess::{Mode, ReprocessConfig};
use crate::model::links::linker::Linker;
use crate::report::filter::{Filter, TimeRange};
use crate::report::store::error::QueryError;
use crate::report::store::read_transaction::ReadTransaction;
use crate::report::store::selection::clause::Clause;
use crate::report::store::selection::find;
use crate::report::store::selection::matching_items::{ItemCriteria, Picked};

/// One report's view of the ledger.
pub(crate) struct ReportView<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) filter: &'a Filter,
    pub(crate) now: Timestamp,
    pub(crate) linker: &'a Linker,
    /// What retries of groups are decided by, as configured.
    pub(crate) retry_settings: ReprocessConfig,
    /// Groups asked for, with those merged into them; empty: all.
    pub(crate) group_keys: Vec<i64>,
    /// Batches asked for; empty: all.
    pub(crate) batch_keys: Vec<i64>,
    reading: &'a ReadTransaction,
    picked: OnceCell<Picked>,
    merged: HashMap<i64, Vec<i64>>,
    survivors: HashMap<i64, i64>,
}

impl<'a> ReportView<'a> {
    /// Resolves the ids in the filters.
    ///
    /// # Errors
    /// A group, batch or project is not there, or a shortened id is ambiguous.
    pub(crate) fn new(
        reading: &'a ReadTransaction,
        filter: &'a Filter,
        now: Timestamp,
        linker: &'a Linker,
    ) -> Result<ReportView<'a>, QueryError> {
        let connection = reading.connection();
        let mut view = ReportView {
            connection,
            filter,
            now,
            linker,
            retry_settings: ReprocessConfig { mode: Mode::Auto, ..ReprocessConfig::default() },
            group_keys: Vec::new(),
            batch_keys: Vec::new(),
            reading,
            picked: OnceCell::new(),
            merged: HashMap::new(),
            survivors: survivors(connection)?,
        };
        for (member, survivor) in &view.survivors {
            view.merged.entry(*survivor).or_default().push(*member);
        }
        for id in &filter.group {
            let key = find::group(connection, id)?;
            view.group_keys.extend(view.members(key));
        }
        for id in &filter.batch {
            view.batch_keys.extend(find::batches(connection, id)?);
        }
        for name in &filter.project {
            find::project(connection, name)?;
        }
        if let Some(regex) = &filter.matching {
            provide_matches(connection, regex.clone())?;
        }
        Ok(view)
    }

    /// A group and all that were merged into it.
    pub(crate) fn members(&self, group_key: i64) -> Vec<i64> {
        let mut members = vec![group_key];
        members.extend(self.merged.get(&group_key).into_iter().flatten());
        members
    }

    /// The group that the observations of a group count for now.
    pub(crate) fn survivor(&self, group_key: i64) -> i64 {
        self.survivors.get(&group_key).copied().unwrap_or(group_key)
    }

    /// The asked window, if any.
    pub(crate) fn window(&self) -> Option<TimeRange> {
        self.filter
            .window(self.now)
            .or_else(|| self.filter.until.map(|until| TimeRange { since: Timestamp::UNIX_EPOCH, until }))
    }

    /// Conditions on `item AS i` from everything but the window and the state.
    pub(crate) fn item_clause(&self) -> Result<Clause, QueryError> {
        let mut clause = self.item_clause_of_any_group()?;
        clause.one_of_keys("i.group_key", &self.group_keys, "");
        Ok(clause)
    }

    /// [`ReportView::item_clause`] without the group filter.
    pub(crate) fn item_clause_of_any_group(&self) -> Result<Clause, QueryError> {
        let filter = self.filter;
        let mut clause = Clause::all();
        if let Some(picked) = self.matching_items()? {
            picked.restrict(&mut clause);
        }
        if let Some(kind) = filter.kind {
            // An item is of its group's kind, and groups have an index.
            let kind = Value::from(kind.as_str().to_owned());
            clause.and("i.group_key IN (SELECT group_key FROM error_group WHERE kind = ?)", [kind]);
        }
        clause.one_of(
            "i.group_key IN (SELECT x.group_key FROM error_group x \
             JOIN error_group y ON y.group_key = coalesce(x.merged_into, x.group_key) WHERE y.class",
            &filter.class,
            ")",
        );
        clause.one_of("i.project_key IN (SELECT project_key FROM project WHERE name", &filter.project, ")");
        Ok(clause)
    }

    /// [`ReportView::item_clause`] and the item states and window.
    pub(crate) fn item_clause_in_window(&self) -> Result<Clause, QueryError> {
        let mut clause = self.item_clause()?;
        clause.one_of("i.state", &self.filter.state, "");
        if let Some(window) = self.window() {
            let (condition, values) = failed_within(window, self.now);
            clause.and(&condition, values);
        }
        Ok(clause)
    }

    /// The items that filters pick which no counter knows; none if there is no such filter.
    pub(crate) fn matching_items(&self) -> Result<Option<&Picked>, QueryError> {
        if !self.filter.needs_items() {
            return Ok(None);
        }
        if let Some(picked) = self.picked.get() {
            return Ok(Some(picked));
        }
        let picked = self.reading.picked(&self.item_criteria()?)?;
        Ok(Some(self.picked.get_or_init(|| picked)))
    }

    fn item_criteria(&self) -> Result<ItemCriteria, QueryError> {
        let filter = self.filter;
        let mut batches = Vec::new();
        for (column, words) in [("job_type", &filter.job_type), ("directory_id", &filter.directory)] {
            let mut clause = Clause::all();
            clause.one_of(column, words, "");
            if !words.is_empty() {
                batches.push(batches_with(self.connection, &clause)?);
            }
        }
        if !self.batch_keys.is_empty() {
            batches.push(self.batch_keys.clone());
        }
        Ok(ItemCriteria { batches, name: filter.item_name.clone(), matching: filter.matching.clone() })
    }
}

fn batches_with(connection: &Connection, clause: &Clause) -> Result<Vec<i64>, QueryError> {
    let mut statement = connection.prepare(&format!("SELECT batch_key FROM batch WHERE {}", clause.text()))?;
    let keys = statement.query_map(params_from_iter(clause.values()), |row| row.get(0))?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

/// The condition that `item AS i` was observed within the window, by event time.
///
/// An open end needs the newest observation only, which the item itself knows.
pub(crate) fn failed_within(window: TimeRange, now: Timestamp) -> (String, Vec<Value>) {
    let since = window.since.as_millisecond();
    let until = window.until.as_millisecond();
    if window.until >= now {
        return ("i.last_seen >= ?".to_owned(), vec![since.into()]);
    }
    let exact = "i.last_seen >= ? AND i.first_seen < ? AND (i.last_seen < ? OR EXISTS \
                 (SELECT 1 FROM observation w WHERE w.item_key = i.item_key \
                 AND w.event_at >= ? AND w.event_at < ?))";
    let values = [since, until, until, since, until].map(Value::from);
    (exact.to_owned(), values.into())
}

/// What each group that is part of another became part of.
fn survivors(connection: &Connection) -> Result<HashMap<i64, i64>, QueryError> {
    let mut statement =
        connection.prepare("SELECT group_key, merged_into FROM error_group WHERE merged_into IS NOT NULL")?;
    let pairs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(pairs.collect::<rusqlite::Result<_>>()?)
}

/// Makes the regular expression callable as `matches(text)`.
fn provide_matches(connection: &Connection, regex: Regex) -> Result<(), QueryError> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("matches", 1, flags, move |context| {
        let text = context.get_raw(0).as_str_or_null();
        Ok(matches!(text, Ok(Some(text)) if regex.is_match(text)))
    })?;
    Ok(())
}
