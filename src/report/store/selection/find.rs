//! Ids as people type them: shortened while unambiguous, and the nearest one when there is none.

use rusqlite::{Connection, OptionalExtension};

use crate::report::filter::Filter;
use crate::report::store::error::QueryError;
use crate::report::store::read_transaction::ReadTransaction;

const CANDIDATES: usize = 5;

/// The key of the group with this id, or of the only one whose id begins with it; `g-` may be left out.
/// A group that was merged gives its survivor.
///
/// # Errors
/// There is none, or several.
pub(crate) fn group(connection: &Connection, typed: &str) -> Result<i64, QueryError> {
    let is_whole = typed.starts_with("g-") || is_id(connection, typed)?;
    let id = if is_whole { typed.to_owned() } else { format!("g-{typed}") };
    let mut found = by_prefix(connection, "error_group", "group_id", &id)?;
    let keys = found.iter().map(|id| survivor(connection, id)).collect::<Result<Vec<_>, _>>()?;
    if let [first, rest @ ..] = keys.as_slice()
        && rest.iter().all(|key| key == first)
    {
        // A group and those merged into it are one, however their ids begin.
        found.truncate(1);
    }
    let id = one("group", typed, found, || close_matches(connection, &id))?;
    survivor(connection, &id)
}

fn is_id(connection: &Connection, typed: &str) -> Result<bool, QueryError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM error_group WHERE group_id = ?)";
    Ok(connection.query_row(sql, [typed], |row| row.get(0))?)
}

fn survivor(connection: &Connection, group_id: &str) -> Result<i64, QueryError> {
    let sql = "SELECT coalesce(merged_into, group_key) FROM error_group WHERE group_id = ?";
    Ok(connection.query_row(sql, [group_id], |row| row.get(0))?)
}

/// The id of the incident, or of the only one whose id begins with it; `n-` may be left out.
///
/// # Errors
/// There is none, or several.
pub(crate) fn incident(connection: &Connection, typed: &str) -> Result<String, QueryError> {
    let id = if typed.starts_with("n-") { typed.to_owned() } else { format!("n-{typed}") };
    let found = by_prefix(connection, "incident", "incident_id", &id)?;
    one("incident", typed, found, || neighbours(connection, "incident", "incident_id", &id))
}

/// The id of the item, or of the only one whose id begins with it.
pub(crate) fn item(connection: &Connection, typed: &str) -> Result<String, QueryError> {
    let found = by_prefix(connection, "item", "item_id", typed)?;
    one("item", typed, found, || neighbours(connection, "item", "item_id", typed))
}

/// The keys of the batch; several when two projects have a batch of the same id.
pub(crate) fn batches(connection: &Connection, typed: &str) -> Result<Vec<i64>, QueryError> {
    let found = by_prefix(connection, "batch", "batch_id", typed)?;
    let id = one("batch", typed, found, || neighbours(connection, "batch", "batch_id", typed))?;
    let mut statement = connection.prepare("SELECT batch_key FROM batch WHERE batch_id = ?")?;
    let keys = statement.query_map([id], |row| row.get(0))?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

/// The project of this name.
pub(crate) fn project(connection: &Connection, typed: &str) -> Result<i64, QueryError> {
    let key =
        connection.query_row("SELECT project_key FROM project WHERE name = ?", [typed], |row| row.get(0)).optional()?;
    match key {
        Some(key) => Ok(key),
        None => Err(QueryError::NotFound {
            what: "project",
            id: typed.to_owned(),
            nearest: ids(connection, "SELECT name FROM project ORDER BY name LIMIT 5", [])?,
        }),
    }
}

/// Words of the filters that nothing in the ledger has, with the option they were given to. Other words are ids or
/// names that have to be there, or come from a fixed list.
pub(crate) fn unknown_filter_values(
    reading: &ReadTransaction,
    filter: &Filter,
) -> Result<Vec<(&'static str, String)>, QueryError> {
    let asked = [
        ("class", &filter.class, "SELECT EXISTS (SELECT 1 FROM error_group WHERE class = ?)"),
        ("job-type", &filter.job_type, "SELECT EXISTS (SELECT 1 FROM batch WHERE job_type = ?)"),
        ("directory", &filter.directory, "SELECT EXISTS (SELECT 1 FROM batch WHERE directory_id = ?)"),
    ];
    let mut strangers = Vec::new();
    for (option, words, sql) in asked {
        for word in words {
            if !reading.connection().query_row(sql, [word], |row| row.get::<_, bool>(0))? {
                strangers.push((option, word.clone()));
            }
        }
    }
    Ok(strangers)
}

fn one(
    what: &'static str,
    typed: &str,
    mut found: Vec<String>,
    nearest: impl FnOnce() -> Result<Vec<String>, QueryError>,
) -> Result<String, QueryError> {
    let id = typed.to_owned();
    match found.len() {
        0 => Err(QueryError::NotFound { what, id, nearest: nearest()? }),
        1 => Ok(found.remove(0)),
        _ => Err(QueryError::Ambiguous { what, id, candidates: found }),
    }
}

/// The exact id alone, else some that begin with it.
fn by_prefix(connection: &Connection, table: &str, column: &str, prefix: &str) -> Result<Vec<String>, QueryError> {
    if prefix.is_empty() {
        return Ok(Vec::new());
    }
    let exact = ids(connection, &format!("SELECT DISTINCT {column} FROM {table} WHERE {column} = ?"), [prefix])?;
    if !exact.is_empty() {
        return Ok(exact);
    }
    // Ids are compared byte by byte; U+10FFFF sorts after whatever may follow the prefix.
    ids(
        connection,
        &format!(
            "SELECT DISTINCT {column} FROM {table} WHERE {column} > ?1 AND {column} < ?1 || char(1114111) \
             ORDER BY {column} LIMIT {CANDIDATES}"
        ),
        [prefix],
    )
}

/// The ids beside the place where the typed one would be: a typing error late in an id leaves it there.
fn neighbours(connection: &Connection, table: &str, column: &str, typed: &str) -> Result<Vec<String>, QueryError> {
    let mut near = ids(
        connection,
        &format!("SELECT {column} FROM {table} WHERE {column} >= ? ORDER BY {column} LIMIT 1"),
        [typed],
    )?;
    near.extend(ids(
        connection,
        &format!("SELECT {column} FROM {table} WHERE {column} < ? ORDER BY {column} DESC LIMIT 1"),
        [typed],
    )?);
    let shared = |id: &String| {
        let same = id.bytes().zip(typed.bytes()).take_while(|(a, b)| a == b);
        same.count()
    };
    // What shares less than half is another id, not a mistyped one.
    near.retain(|id| shared(id) * 2 >= typed.len());
    near.sort_by_key(|id| std::cmp::Reverse(shared(id)));
    near.truncate(1);
    Ok(near)
}

/// The group ids that differ least from the typed one; groups are few enough to look at all.
fn close_matches(connection: &Connection, typed: &str) -> Result<Vec<String>, QueryError> {
    let all = ids(connection, "SELECT group_id FROM error_group", [])?;
    let mut scored: Vec<(usize, String)> =
        all.into_iter().map(|id| (strsim::damerau_levenshtein(typed, &id), id)).collect();
    scored.sort();
    Ok(scored.into_iter().take(2).map(|(_, id)| id).collect())
}

fn ids<P: rusqlite::Params>(connection: &Connection, sql: &str, values: P) -> Result<Vec<String>, QueryError> {
    let mut statement = connection.prepare(sql)?;
    let found = statement.query_map(values, |row| row.get(0))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}
