//! `report sql`: a user's own statement, read-only and limited.

use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{ErrorCode, Row};

use super::{QueryError, Reading};
use crate::core::report::history::{SqlRow, SqlValue};

/// Limits of a user's own statement.
#[derive(Clone, Copy, Debug)]
pub struct SqlLimits {
    /// The most rows; further ones are not read.
    pub rows: usize,
    /// The most time.
    pub time: Duration,
}

/// Instructions of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;

/// Runs one statement that only reads; returns its column names, its rows, and whether there were more.
///
/// The connection is read-only and `query_only` is on, so even a statement that passes the check writes nothing.
///
/// # Errors
/// It writes, is no single valid statement, or takes too long.
pub fn sql(
    reading: &Reading,
    statement: &str,
    limits: SqlLimits,
) -> Result<(Vec<String>, Vec<SqlRow>, bool), QueryError> {
    let connection = reading.connection();
    let mut prepared = connection.prepare(statement).map_err(refused)?;
    if !prepared.readonly() || prepared.column_count() == 0 {
        return Err(QueryError::Statement("only statements that read and answer rows are run here".to_owned()));
    }
    let deadline = Instant::now() + limits.time;
    connection.progress_handler(STEPS, Some(move || Instant::now() > deadline))?;
    let names: Vec<String> = prepared.column_names().iter().map(|name| (*name).to_owned()).collect();
    let slow = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => QueryError::TooSlow(limits.time.as_secs()),
        _ => refused(error),
    };
    let mut found = Vec::new();
    let mut rows = prepared.query([]).map_err(refused)?;
    let mut more = false;
    while let Some(row) = rows.next().map_err(slow)? {
        if found.len() == limits.rows {
            more = true;
            break;
        }
        found.push(sql_row(&names, row).map_err(refused)?);
    }
    drop(rows);
    connection.progress_handler(STEPS, None::<fn() -> bool>)?;
    Ok((names, found, more))
}

fn sql_row(names: &[String], row: &Row<'_>) -> rusqlite::Result<SqlRow> {
    let mut fields = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let value = match row.get_ref(index)? {
            ValueRef::Null => SqlValue::Null,
            ValueRef::Integer(integer) => SqlValue::Integer(integer),
            ValueRef::Real(real) => SqlValue::Real(real),
            ValueRef::Text(text) => SqlValue::Text(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Blob(bytes) => SqlValue::Text(hex::encode(bytes)),
        };
        fields.push((name.clone(), value));
    }
    Ok(SqlRow { fields })
}

fn refused(error: rusqlite::Error) -> QueryError {
    QueryError::Statement(error.to_string())
}
