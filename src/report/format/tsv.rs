//! Tab separated, for `cut` and `awk`: one row a line, times in UTC, a tab or line break in a text is a blank.

use crate::model::text::one_line;
use crate::report::format::answer::Answer;
use crate::report::format::layout::AnswerLayout;
use crate::report::format::sheet::{Choice, Sheet};
use crate::report::format::{ReportError, columns};

/// Writes the answer.
///
/// # Errors
/// A chosen column is not there.
pub(crate) fn render(answer: &Answer, look: &AnswerLayout) -> Result<String, ReportError> {
    let sheet = columns::sheet(answer, choice(look))?;
    Ok(write(&sheet, look))
}

/// The chosen columns, else all: programs pick what they need.
pub(crate) fn choice(look: &AnswerLayout) -> Choice<'_> {
    look.columns.as_deref().map_or(Choice::All, Choice::These)
}

fn write(sheet: &Sheet, look: &AnswerLayout) -> String {
    let mut out = String::new();
    let mut line = |cells: Vec<String>| {
        out.push_str(&cells.join("\t"));
        out.push('\n');
    };
    if look.header {
        line(sheet.columns.iter().map(|head| one_line(&head.name).into_owned()).collect());
    }
    for row in &sheet.rows {
        line(row.iter().map(|cell| one_line(&cell.exact()).into_owned()).collect());
    }
    out
}
