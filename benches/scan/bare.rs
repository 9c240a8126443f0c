//! The yardstick: a loop that inserts the same rows into one plain table, with the best settings found.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};

use super::parts::Clock;
use super::server::{Item, Shape};

const TABLE: &str = "CREATE TABLE item (
    item_id TEXT NOT NULL PRIMARY KEY, item_name TEXT NOT NULL, batch_id TEXT NOT NULL, status TEXT NOT NULL,
    error_message TEXT, skip_reason TEXT, job_id TEXT, job_record_id TEXT, completed_at INTEGER) STRICT";

const INSERT: &str = "INSERT OR IGNORE INTO item VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// Inserts every item of the account, 10,000 rows sorted by key in a transaction.
pub(crate) fn run(shape: &Shape, path: &Path) {
    let mut connection = Connection::open(path).expect("a database");
    for (pragma, value) in [("journal_mode", "wal"), ("synchronous", "normal"), ("cache_size", "-65536")] {
        connection.pragma_update(None, pragma, value).expect("a pragma");
    }
    connection.execute_batch(TABLE).expect("a table");
    let (mut seconds, mut processor) = (0.0, 0);
    for some in (0..shape.batches).collect::<Vec<_>>().chunks(10_000 / shape.listed()) {
        let rows: Vec<(usize, Item)> =
            some.iter().flat_map(|&b| (0..shape.listed()).map(move |n| (b, shape.item(b, n)))).collect();
        let (begun, mut clock) = (Instant::now(), Clock::start());
        insert(&mut connection, rows);
        seconds += begun.elapsed().as_secs_f64();
        processor += clock.lap();
    }
    let items = shape.batches * shape.listed();
    println!(
        "  bare loop, one plain table: {:>9.0} items/s  ({seconds:.2} s; {:.2} µs of processor time an item)",
        items as f64 / seconds,
        processor as f64 / items as f64 / 1000.0
    );
}

fn insert(connection: &mut Connection, mut rows: Vec<(usize, Item)>) {
    rows.sort_unstable_by(|a, b| a.1.item_id.cmp(&b.1.item_id));
    let transaction = connection.transaction().expect("a transaction");
    {
        let mut insert = transaction.prepare_cached(INSERT).expect("a statement");
        for (batch, item) in &rows {
            let batch_id = format!("bjb-{batch}");
            insert
                .execute(params![
                    item.item_id,
                    item.name,
                    batch_id,
                    item.status,
                    item.message,
                    item.skip_reason,
                    item.job_id,
                    item.record_id,
                    1_700_000_000_000_i64,
                ])
                .expect("a row");
        }
    }
    transaction.commit().expect("a commit");
}
