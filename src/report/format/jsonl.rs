//! One JSON object a line, without the envelope: for streams and `jq -c`.

use serde::Serialize;

use crate::report::format::ReportError;
use crate::report::format::answer::{Answer, AnswerRows};
use crate::report::format::json::inert;

/// Writes the answer.
///
/// # Errors
/// A value cannot be written as JSON.
pub(crate) fn render(answer: &Answer) -> Result<String, ReportError> {
    match &answer.rows {
        AnswerRows::Summary(rows) => lines(rows),
        AnswerRows::Groups(rows) => lines(rows),
        AnswerRows::Group(rows) => lines(rows),
        AnswerRows::Incidents(rows) => lines(rows),
        AnswerRows::Incident(rows) => lines(rows),
        AnswerRows::Items(rows) => lines(rows),
        AnswerRows::Item(rows) => lines(rows),
        AnswerRows::Batches(rows) => lines(rows),
        AnswerRows::Batch(rows) => lines(rows),
        AnswerRows::Skipped(rows) => lines(rows),
        AnswerRows::Missing(rows) => lines(rows),
        AnswerRows::Trend(rows) => lines(rows),
        AnswerRows::Attempts(rows) => lines(rows),
        AnswerRows::Retries(rows) => lines(rows),
        AnswerRows::Mttr(rows) => lines(rows),
        AnswerRows::Digests(rows) => lines(rows),
        AnswerRows::Deliveries(rows) => lines(rows),
        AnswerRows::Audit(rows) => lines(rows),
        AnswerRows::Sql { rows, .. } => lines(rows),
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
