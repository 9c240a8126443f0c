//! The items that job types, directories, batches, names and patterns pick: found once for each report.
//!
//! No counter knows them, and to ask for them in every statement would read much of the ledger again and again.
//! So they are found by reading few columns from one end to the other, and statements then ask a set of bits.

use std::collections::HashSet;
use std::sync::Arc;

use regex::Regex;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use crate::report::store::error::QueryError;
use crate::report::store::selection::bitset::Bits;
use crate::report::store::selection::clause::Clause;

/// Up to so many items are named one by one, so that their own index finds them.
const FEW: u64 = if cfg!(test) { 3 } else { 2_000 };

/// Only what was skipped has a reason for it.
const REASON: &str = "CASE kind WHEN 'skipped' THEN skip_reason END";

/// What items are picked by; they have to fulfil all of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ItemCriteria {
    /// Lists of batches: an item needs an observation in one of each list.
    pub(crate) batches: Vec<Vec<i64>>,
    /// A glob over names.
    pub(crate) name: Option<String>,
    /// A pattern over the message or the skip reason of the newest observation.
    pub(crate) matching: Option<Regex>,
}

/// The items that were picked.
#[derive(Clone, Debug)]
pub(crate) struct Picked {
    /// By `item_key`.
    keys: Arc<Bits>,
    /// By `rowid`, which every index has.
    rows: Arc<Bits>,
}

impl Picked {
    /// Finds them, and makes `picked_key(item_key)` and `picked_row(rowid)` callable.
    pub(crate) fn find(connection: &Connection, wanted: &ItemCriteria) -> Result<Picked, QueryError> {
        let mut keys: Option<Bits> = None;
        let mut restrict = |found: Bits| {
            keys = Some(match &keys {
                Some(keys) => keys.and(&found),
                None => found,
            });
        };
        for batches in &wanted.batches {
            restrict(in_batches(connection, batches)?);
        }
        if let Some(regex) = &wanted.matching {
            restrict(matching(connection, regex)?);
        }
        let (keys, rows) = match &wanted.name {
            Some(glob) => named(connection, glob, keys.as_ref())?,
            None => {
                let keys = keys.unwrap_or_default();
                let rows = rows_of(connection, &keys)?;
                (keys, rows)
            }
        };
        let picked = Picked { keys: Arc::new(keys), rows: Arc::new(rows) };
        provide(connection, "picked_key", Arc::clone(&picked.keys))?;
        provide(connection, "picked_row", Arc::clone(&picked.rows))?;
        Ok(picked)
    }

    /// Adds the condition that `item AS i` is one of them.
    pub(crate) fn restrict(&self, clause: &mut Clause) {
        match few(&self.rows) {
            Some(rows) => clause.and(&format!("i.rowid IN ({rows})"), []),
            None => clause.and("picked_row(i.rowid)", []),
        }
    }

    /// Adds the condition that `observation AS w` is of one of them.
    pub(crate) fn restrict_observations(&self, clause: &mut Clause) {
        match few(&self.keys) {
            Some(keys) => clause.and(&format!("w.item_key IN ({keys})"), []),
            None => clause.and("picked_key(w.item_key)", []),
        }
    }
}

/// The numbers one by one, if they are few. An empty list would make SQLite refuse the index that a statement names,
/// so none are a number that nothing has.
fn few(bits: &Bits) -> Option<String> {
    let numbers = || bits.iter().map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
    match bits.count() {
        0 => Some("-1".to_owned()),
        1..=FEW => Some(numbers()),
        _ => None,
    }
}

fn provide(connection: &Connection, name: &str, bits: Arc<Bits>) -> Result<(), QueryError> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    Ok(connection.create_scalar_function(name, 1, flags, move |context| Ok(bits.has(context.get(0)?)))?)
}

/// Items with an observation in one of the batches.
fn in_batches(connection: &Connection, batches: &[i64]) -> Result<Bits, QueryError> {
    let mut keys = Bits::default();
    let mut statement = connection.prepare("SELECT item_key FROM observation WHERE batch_key = ?")?;
    for batch in batches {
        let mut rows = statement.query([batch])?;
        while let Some(row) = rows.next()? {
            keys.add(row.get(0)?);
        }
    }
    Ok(keys)
}

/// Items whose newest observation has a message or a skip reason that matches.
fn matching(connection: &Connection, regex: &Regex) -> Result<Bits, QueryError> {
    let messages = messages(connection, regex)?;
    let reasons = reasons(connection, regex)?;
    let (mut hit, mut missed) = (Bits::default(), Bits::default());
    if messages.count() == 0 && reasons.is_empty() {
        return Ok(hit);
    }
    let mut statement =
        connection.prepare(&format!("SELECT item_key, message_key, {REASON} AS reason FROM observation"))?;
    let column = |name| statement.column_index(name);
    let (item_key, message_key, reason) = (column("item_key")?, column("message_key")?, column("reason")?);
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let message: Option<i64> = row.get(message_key)?;
        let matches = message.is_some_and(|message| messages.has(message))
            || row.get_ref(reason)?.as_str_or_null().is_ok_and(|reason| reason.is_some_and(|it| reasons.contains(it)));
        if matches { &mut hit } else { &mut missed }.add(row.get(item_key)?);
    }
    // Nearly every item was observed once, or with one cause; of the others the newest observation tells.
    let mut keys = hit.without(&missed);
    let mut newest = connection.prepare(&format!(
        "SELECT message_key, {REASON} FROM observation
         WHERE observation_key = (SELECT observation_key FROM item WHERE item_key = ?)"
    ))?;
    for key in hit.and(&missed).iter() {
        let (message, reason): (Option<i64>, Option<String>) =
            newest.query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
        if message.is_some_and(|message| messages.has(message)) || reason.is_some_and(|it| reasons.contains(&it)) {
            keys.add(key);
        }
    }
    Ok(keys)
}

fn messages(connection: &Connection, regex: &Regex) -> Result<Bits, QueryError> {
    let mut keys = Bits::default();
    let mut statement = connection.prepare("SELECT message_key, text FROM message")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if row.get_ref(1)?.as_str().is_ok_and(|text| regex.is_match(text)) {
            keys.add(row.get(0)?);
        }
    }
    Ok(keys)
}

/// The counters hold every reason that a newest observation has.
fn reasons(connection: &Connection, regex: &Regex) -> Result<HashSet<String>, QueryError> {
    let mut statement = connection.prepare("SELECT DISTINCT skip_reason FROM item_count WHERE skip_reason <> ''")?;
    let all = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(all.into_iter().filter(|reason| regex.is_match(reason)).collect())
}

/// Items with such a name, of `among` if that is given.
fn named(connection: &Connection, glob: &str, among: Option<&Bits>) -> Result<(Bits, Bits), QueryError> {
    let (mut keys, mut found) = (Bits::default(), Bits::default());
    let mut statement = connection.prepare("SELECT item_key, rowid FROM item WHERE item_name GLOB ?")?;
    let mut rows = statement.query([glob])?;
    while let Some(row) = rows.next()? {
        let key = row.get(0)?;
        if among.is_none_or(|among| among.has(key)) {
            keys.add(key);
            found.add(row.get(1)?);
        }
    }
    Ok((keys, found))
}

/// The rows of these items: one by one if they are few, else by reading the whole index.
fn rows_of(connection: &Connection, keys: &Bits) -> Result<Bits, QueryError> {
    let mut found = Bits::default();
    if keys.count() <= FEW {
        let mut statement = connection.prepare("SELECT rowid FROM item WHERE item_key = ?")?;
        for key in keys.iter() {
            found.add(statement.query_row([key], |row| row.get(0))?);
        }
        return Ok(found);
    }
    let mut statement = connection.prepare("SELECT item_key, rowid FROM item ORDER BY item_key")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if keys.has(row.get(0)?) {
            found.add(row.get(1)?);
        }
    }
    Ok(found)
}
