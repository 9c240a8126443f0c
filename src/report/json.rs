//! The envelope: `schema_version`, `generated_at`, `ledger_as_of`, `filters`, `rows`. Documented in `docs/report-json.md`.

use jiff::Timestamp;
use serde::Serialize;

use super::ReportError;
use super::answer::{Answer, Rows};
use crate::core::report::filter::Filter;

/// The version of the rows; raised when a field goes or changes its meaning, not when one is added.
pub(super) const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Envelope<'a> {
    schema_version: u32,
    generated_at: Timestamp,
    ledger_as_of: Option<Timestamp>,
    query: &'static str,
    filters: &'a Filter,
    rows: AsRows<'a>,
}

/// The rows as an array, whatever they are kept in.
#[derive(Serialize)]
#[serde(untagged)]
enum AsRows<'a> {
    Own(&'a Rows),
    Sql(&'a [crate::core::report::history::SqlRow]),
}

/// Writes the answer.
///
/// # Errors
/// A value cannot be written as JSON.
pub(super) fn render(answer: &Answer) -> Result<String, ReportError> {
    let rows = match &answer.rows {
        Rows::Sql { rows, .. } => AsRows::Sql(rows),
        rows => AsRows::Own(rows),
    };
    let envelope = Envelope {
        schema_version: SCHEMA_VERSION,
        generated_at: answer.heading.generated_at,
        ledger_as_of: answer.heading.ledger_as_of,
        query: answer.heading.question.as_str(),
        filters: &answer.heading.filter,
        rows,
    };
    let mut out = serde_json::to_string_pretty(&envelope)?;
    out.push('\n');
    Ok(out)
}
