//! `report sql`: a user's own statement, read-only and limited.

use std::time::{Duration, Instant};

use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, Row};

use crate::report::history::{SqlRow, SqlValue};
use crate::report::store::error::QueryError;
use crate::report::store::read_transaction::ReadTransaction;

/// Limits of a user's own statement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SqlLimits {
    /// The most rows; further ones are not read.
    pub rows: usize,
    /// The most time, looked at between two instructions of SQLite's machine. One function may take longer: whoever
    /// cannot wait for it has to end the process.
    pub time: Duration,
}

/// The largest text or blob that a statement may make or read, in bytes: twice the largest stored message and more.
const LARGEST_VALUE: i32 = 8 << 20;

/// The most memory that SQLite may take in this process from then on, in bytes.
const MEMORY: i64 = 256 << 20;

/// The largest answer, in MiB of its values; it is kept in memory before it is shown.
const LARGEST_ANSWER_MIB: u32 = 32;

/// The longest pattern of LIKE and GLOB, in bytes: the time that one comparison takes grows with the power of its wildcards.
const LONGEST_PATTERN: i32 = 1_000;

/// Runs one statement that only reads; returns its column names, its rows, and whether there were more.
///
/// The connection is read-only and `query_only` is on, so even a statement that passes the check writes nothing.
///
/// # Errors
/// It writes, is no single valid statement, takes too long, or needs too much memory.
pub(crate) fn sql(
    reading: &ReadTransaction,
    statement: &str,
    limits: SqlLimits,
) -> Result<(Vec<String>, Vec<SqlRow>, bool), QueryError> {
    let connection = reading.connection();
    confine(connection)?;
    let mut prepared = connection.prepare(statement).map_err(refused)?;
    if !prepared.readonly() || prepared.column_count() == 0 {
        return Err(QueryError::Statement("only statements that read and return rows are allowed".to_owned()));
    }
    reading.stop_at(Some(Instant::now() + limits.time));
    let names: Vec<String> = prepared.column_names().map(str::to_owned).collect();
    let slow = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => QueryError::TooSlow(limits.time.as_secs()),
        _ => refused(error),
    };
    let (mut found, mut bytes) = (Vec::new(), 0);
    let mut rows = prepared.query([]).map_err(refused)?;
    let mut more = false;
    while let Some(row) = rows.next().map_err(slow)? {
        if found.len() == limits.rows {
            more = true;
            break;
        }
        let row = sql_row(&names, row).map_err(refused)?;
        bytes += row.fields.iter().map(size_of).sum::<usize>();
        if bytes > (LARGEST_ANSWER_MIB as usize) << 20 {
            return Err(QueryError::TooLarge { what: "its answer is larger than", mib: LARGEST_ANSWER_MIB.into() });
        }
        found.push(row);
    }
    drop(rows);
    reading.stop_at(None);
    Ok((names, found, more))
}

/// Bounds what statements of this connection may take. Nothing spills into files: a disk is shared with the ledger.
fn confine(connection: &Connection) -> Result<(), QueryError> {
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, LARGEST_VALUE)?;
    connection.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LONGEST_PATTERN)?;
    connection.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    Ok(())
}

/// Bounds the memory that SQLite may take in this process, whichever connection asks for it.
pub(crate) fn limit_memory() -> Result<(), QueryError> {
    let any = Connection::open_in_memory()?;
    any.query_row(&format!("PRAGMA hard_heap_limit = {MEMORY}"), [], |_| Ok(()))?;
    Ok(())
}

/// Bytes that a value of an answer takes, about.
fn size_of((name, value): &(String, SqlValue)) -> usize {
    let text = if let SqlValue::Text(text) = value { text.len() } else { 0 };
    text + name.len() + 2 * size_of_val(value)
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
    match error.sqlite_error_code() {
        Some(ErrorCode::OutOfMemory) => QueryError::TooLarge { what: "it needs more memory than", mib: MEMORY >> 20 },
        Some(ErrorCode::TooBig) => {
            QueryError::TooLarge { what: "one of its values is larger than", mib: i64::from(LARGEST_VALUE >> 20) }
        }
        _ => QueryError::Statement(error.to_string()),
    }
}
