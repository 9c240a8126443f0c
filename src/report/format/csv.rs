//! RFC 4180, safe to open in a spreadsheet: a cell that would run as a formula gets a quote before it.

use crate::report::format::answer::Answer;
use crate::report::format::layout::AnswerLayout;
use crate::report::format::sheet::Cell;
use crate::report::format::{ReportError, columns, tsv};

/// Writes the answer.
///
/// # Errors
/// A chosen column is not there.
pub(crate) fn render(answer: &Answer, look: &AnswerLayout) -> Result<String, ReportError> {
    let sheet = columns::sheet(answer, tsv::choice(look))?;
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if look.header {
        writer.write_record(sheet.columns.iter().map(|head| text(&head.name, look)))?;
    }
    for row in &sheet.rows {
        writer.write_record(row.iter().map(|cell| written(cell, look)))?;
    }
    let bytes = writer.into_inner().map_err(|error| csv::Error::from(std::io::Error::other(error.to_string())))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Numbers are written as they are: a minus before digits is no formula.
fn written(cell: &Cell, look: &AnswerLayout) -> String {
    match cell {
        Cell::Text(value) | Cell::Link(value, _) => text(value, look),
        cell => cell.exact(),
    }
}

/// Spreadsheets run a cell that begins with one of these, also behind white space or a byte order mark;
/// other software then shows the quote, which `--csv-safe false` leaves out.
fn text(value: &str, look: &AnswerLayout) -> String {
    let shown = crate::model::text::lines(value);
    let first = shown.trim_start().chars().next();
    let runs = matches!(first, Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠' | '|' | '%'));
    let runs = runs || shown.starts_with(['\t', '\r', '\n']);
    match look.csv_safe && runs {
        true => format!("'{shown}"),
        false => shown.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_quoted_unless_asked_otherwise() {
        let safe = AnswerLayout::default();
        for formula in ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", " =1", "\t=1", "\u{feff}=1"] {
            let shown = text(formula, &safe);
            assert!(shown.starts_with('\'') || !shown.starts_with(['=', '+', '-', '@']), "{shown}");
        }
        assert_eq!(text("a=1", &safe), "a=1");
        let raw = AnswerLayout { csv_safe: false, ..AnswerLayout::default() };
        assert_eq!(text("=1+1", &raw), "=1+1");
    }
}
