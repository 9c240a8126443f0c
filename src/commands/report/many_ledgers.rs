//! One question asked of several ledgers: the answers put together in the format that was asked for.
//!
//! People get one answer after the other. Programs get one list, in which every row names its ledger;
//! limits, sorting and ids stay those of each ledger.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::commands::report::outcome::ReportOutcome;
use crate::model::text::one_line;
use crate::report::format::ReportFormat;

/// A ledger and what it answered, written in one format.
pub(crate) struct LedgerAnswer {
    pub(crate) ledger: PathBuf,
    pub(crate) text: String,
}

/// Puts answers together.
///
/// # Errors
/// The format cannot hold several ledgers.
pub(crate) fn join(parts: &[LedgerAnswer], format: ReportFormat, header: bool) -> Result<String, ReportOutcome> {
    match format {
        ReportFormat::Table | ReportFormat::Md => Ok(concatenate(parts, format)),
        ReportFormat::Tsv => Ok(lines(parts, header)),
        ReportFormat::Jsonl => Ok(objects(parts)),
        ReportFormat::Json => envelope(parts).map_err(ReportOutcome::failed),
        ReportFormat::Csv => records(parts, header).map_err(ReportOutcome::failed),
        ReportFormat::Html => {
            Err(ReportOutcome::Usage("--format html supports one ledger: run it once per --ledger".to_owned()))
        }
    }
}

fn name(part: &LedgerAnswer) -> String {
    one_line(&part.ledger.display().to_string()).into_owned()
}

fn concatenate(parts: &[LedgerAnswer], format: ReportFormat) -> String {
    let mark = if format == ReportFormat::Md { "# " } else { "ledger " };
    let sections: Vec<String> = parts.iter().map(|part| format!("{mark}{}\n\n{}", name(part), part.text)).collect();
    sections.join("\n")
}

fn lines(parts: &[LedgerAnswer], header: bool) -> String {
    let mut out = String::new();
    for (index, part) in parts.iter().enumerate() {
        for (number, line) in part.text.lines().enumerate() {
            match (header && number == 0, index) {
                (true, 0) => out.push_str(&format!("ledger\t{line}\n")),
                (true, _) => {}
                (false, _) => out.push_str(&format!("{}\t{line}\n", name(part))),
            }
        }
    }
    out
}

fn objects(parts: &[LedgerAnswer]) -> String {
    let named = |part: &LedgerAnswer| {
        let ledger = serde_json::Value::from(part.ledger.display().to_string());
        let rows = part.text.lines().filter_map(|line| line.strip_prefix('{'));
        rows.map(|rest| format!("{{\"ledger\":{ledger},{rest}\n")).collect::<String>()
    };
    parts.iter().map(named).collect()
}

#[derive(Deserialize)]
struct LedgersEnvelope<'a> {
    schema_version: u32,
    generated_at: Timestamp,
    ledger_as_of: Option<Timestamp>,
    query: &'a str,
    #[serde(borrow)]
    filters: &'a RawValue,
    #[serde(default)]
    matching: Option<u64>,
    #[serde(borrow)]
    rows: Vec<&'a RawValue>,
}

#[derive(Serialize)]
struct Joined<'a> {
    schema_version: u32,
    generated_at: Timestamp,
    /// The oldest of them; null if one of them never had a complete scan.
    ledger_as_of: Option<Timestamp>,
    ledgers: Vec<LedgerSource>,
    query: &'a str,
    filters: &'a RawValue,
    rows: Vec<Box<RawValue>>,
}

#[derive(Serialize)]
struct LedgerSource {
    ledger: String,
    ledger_as_of: Option<Timestamp>,
    /// How many of its rows match; only where fewer are here.
    #[serde(skip_serializing_if = "Option::is_none")]
    matching: Option<u64>,
}

fn envelope(parts: &[LedgerAnswer]) -> Result<String, serde_json::Error> {
    let mut ledgers = Vec::new();
    let mut rows = Vec::new();
    let mut last = None;
    for part in parts {
        let envelope: LedgersEnvelope<'_> = serde_json::from_str(&part.text)?;
        let ledger = part.ledger.display().to_string();
        for row in &envelope.rows {
            let rest = row.get().strip_prefix('{').unwrap_or(row.get());
            let named = format!("{{\n      \"ledger\": {},{rest}", serde_json::Value::from(ledger.as_str()));
            rows.push(RawValue::from_string(named)?);
        }
        ledgers.push(LedgerSource { ledger, ledger_as_of: envelope.ledger_as_of, matching: envelope.matching });
        last = Some(envelope);
    }
    let Some(last) = last else { return Ok(String::new()) };
    let never = ledgers.iter().any(|source| source.ledger_as_of.is_none());
    let joined = Joined {
        schema_version: last.schema_version,
        generated_at: last.generated_at,
        ledger_as_of: ledgers.iter().filter_map(|source| source.ledger_as_of).min().filter(|_| !never),
        ledgers,
        query: last.query,
        filters: last.filters,
        rows,
    };
    Ok(serde_json::to_string_pretty(&joined)? + "\n")
}

fn records(parts: &[LedgerAnswer], header: bool) -> Result<String, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for (index, part) in parts.iter().enumerate() {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(part.text.as_bytes());
        for (number, record) in reader.records().enumerate() {
            let record = record?;
            let is_header = header && number == 0;
            if is_header && index > 0 {
                continue;
            }
            let first = if is_header { "ledger".to_owned() } else { name(part) };
            writer.write_record(std::iter::once(first.as_str()).chain(record.iter()))?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(std::io::Error::other(error.to_string())))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(a: &str, b: &str) -> [LedgerAnswer; 2] {
        [("a.db", a), ("b.db", b)].map(|(ledger, text)| LedgerAnswer { ledger: ledger.into(), text: text.to_owned() })
    }

    #[test]
    fn every_row_names_its_ledger_and_the_header_comes_once() {
        let tsv = parts("x\ty\n1\t2\n", "x\ty\n3\t4\n");
        assert_eq!(join(&tsv, ReportFormat::Tsv, true).unwrap(), "ledger\tx\ty\na.db\t1\t2\nb.db\t3\t4\n");
        let csv = parts("x,y\r\n1,\"a\r\nb\"\r\n", "x,y\r\n3,4\r\n");
        assert_eq!(join(&csv, ReportFormat::Csv, true).unwrap(), "ledger,x,y\r\na.db,1,\"a\r\nb\"\r\nb.db,3,4\r\n");
        assert_eq!(join(&parts("1\n", "2\n"), ReportFormat::Tsv, false).unwrap(), "a.db\t1\nb.db\t2\n");
        let jsonl = join(&parts("{\"n\":1}\n", "{\"n\":2}\n"), ReportFormat::Jsonl, true).unwrap();
        assert_eq!(jsonl, "{\"ledger\":\"a.db\",\"n\":1}\n{\"ledger\":\"b.db\",\"n\":2}\n");
    }

    #[test]
    fn one_envelope_is_as_old_as_its_oldest_ledger() {
        let of = |as_of: &str, n: u32| {
            format!(
                r#"{{"schema_version":1,"generated_at":"2026-01-02T00:00:00Z","ledger_as_of":{as_of},"query":"groups","filters":{{"limit":5}},"rows":[{{"n":{n}}}]}}"#
            )
        };
        let (old, new) = (of("\"2026-01-01T00:00:00Z\"", 1), of("\"2026-01-01T09:00:00Z\"", 2));
        let read = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
        let both = read(join(&parts(&new, &old), ReportFormat::Json, true).unwrap());
        assert_eq!(both["ledger_as_of"], "2026-01-01T00:00:00Z");
        assert_eq!(both["rows"], serde_json::json!([{"ledger": "a.db", "n": 2}, {"ledger": "b.db", "n": 1}]));
        assert_eq!(both["ledgers"][0]["ledger_as_of"], "2026-01-01T09:00:00Z");
        let never = read(join(&parts(&new, &of("null", 3)), ReportFormat::Json, true).unwrap());
        assert_eq!(never["ledger_as_of"], serde_json::Value::Null);
    }

    #[test]
    fn a_page_shows_one_ledger() {
        assert!(matches!(join(&parts("", ""), ReportFormat::Html, true), Err(ReportOutcome::Usage(_))));
    }
}
