//! The envelope: `schema_version`, `generated_at`, `ledger_as_of`, `filters`, `rows`. Documented in `docs/report-json.md`.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::text::is_steering;
use crate::report::filter::Filter;
use crate::report::format::ReportError;
use crate::report::format::answer::{Answer, AnswerRows};
use crate::report::history::SqlRow;

/// The version of the rows; raised when a field goes or changes its meaning, not when one is added.
const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct JsonEnvelope<'a> {
    schema_version: u32,
    generated_at: Timestamp,
    ledger_as_of: Option<Timestamp>,
    query: &'static str,
    filters: &'a Filter,
    /// How many rows match; only where `rows` are fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    matching: Option<u64>,
    rows: AsRows<'a>,
}

/// The rows as an array, whatever they are kept in.
#[derive(Serialize)]
#[serde(untagged)]
enum AsRows<'a> {
    Own(&'a AnswerRows),
    Sql(&'a [SqlRow]),
}

/// Writes the answer.
///
/// # Errors
/// A value cannot be written as JSON.
pub(crate) fn render(answer: &Answer) -> Result<String, ReportError> {
    let rows = match &answer.rows {
        AnswerRows::Sql { rows, .. } => AsRows::Sql(rows),
        rows => AsRows::Own(rows),
    };
    let envelope = JsonEnvelope {
        schema_version: SCHEMA_VERSION,
        generated_at: answer.heading.generated_at,
        ledger_as_of: answer.heading.ledger_as_of,
        query: answer.heading.question.as_str(),
        filters: &answer.heading.filter,
        matching: answer.heading.cut_from(&answer.rows),
        rows,
    };
    let mut out = inert(serde_json::to_string_pretty(&envelope)?);
    out.push('\n');
    Ok(out)
}

/// JSON that steers no terminal it is shown on: the same value, with what JSON leaves raw written as `\uXXXX`.
///
/// Outside of its strings JSON has no such characters but line breaks.
pub(crate) fn inert(json: String) -> String {
    let steers = |c: char| c != '\n' && is_steering(c);
    if !json.contains(steers) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if steers(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inert_json_is_the_same_value() {
        let text = "a\u{202e}b\u{7f}\u{9b}c\u{e0041}\n\u{1b}";
        let json = inert(serde_json::to_string(text).unwrap());
        assert!(json.is_ascii(), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
