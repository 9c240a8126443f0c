//! One JSON object a line, without the envelope: for streams and `jq -c`.

use serde::Serialize;

use crate::report::format::ReportError;
use crate::report::format::answer::{Answer, Rows};
use crate::report::format::json::inert;

/// Writes the answer.
///
/// # Errors
/// A value cannot be written as JSON.
pub(crate) fn render(answer: &Answer) -> Result<String, ReportError> {
    match &answer.rows {
        Rows::Summary(rows) => lines(rows),
        Rows::Groups(rows) => lines(rows),
        Rows::Group(rows) => lines(rows),
        Rows::Items(rows) => lines(rows),
        Rows::Item(rows) => lines(rows),
        Rows::Batches(rows) => lines(rows),
        Rows::Batch(rows) => lines(rows),
        Rows::Skipped(rows) => lines(rows),
        Rows::Trend(rows) => lines(rows),
        Rows::Attempts(rows) => lines(rows),
        Rows::Retries(rows) => lines(rows),
        Rows::Mttr(rows) => lines(rows),
        Rows::Digests(rows) => lines(rows),
        Rows::Deliveries(rows) => lines(rows),
        Rows::Audit(rows) => lines(rows),
        Rows::Sql { rows, .. } => lines(rows),
    }
}

fn lines<R: Serialize>(rows: &[R]) -> Result<String, ReportError> {
    let mut out = String::new();
    for row in rows {
        out.push_str(&inert(serde_json::to_string(row)?));
        out.push('\n');
    }
    Ok(out)
}
