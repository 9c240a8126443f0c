//! Markdown, for tickets and wikis. Outside text can neither end a cell nor become markup.

use crate::report::format::answer::Answer;
use crate::report::format::columns::{self, Section};
use crate::report::format::layout::AnswerLayout;
use crate::report::format::sheet::{Cell, Sheet};
use crate::report::format::{ReportError, asked};

/// Writes the answer.
///
/// # Errors
/// A chosen column is not there.
pub(crate) fn render(answer: &Answer, look: &AnswerLayout) -> Result<String, ReportError> {
    let mut out = String::new();
    if look.header {
        out.push_str(&format!("**{}**\n", escaped(&answer.heading.line(look))));
        if let Some(asked) = asked::words(&answer.heading.filter, look) {
            out.push_str(&format!("\n{}\n", escaped(&asked)));
        }
    }
    for section in columns::sections(answer, look)? {
        if !out.is_empty() {
            out.push('\n');
        }
        match section {
            Section::Facts(facts) => {
                for (name, value) in facts {
                    out.push_str(&format!("- {name}: {}\n", escaped(&value)));
                }
            }
            Section::Text(title, text) => out.push_str(&format!("{title}:\n\n{}", code(&text))),
            Section::Sheet(mut sheet) => {
                sheet.drop_empty_columns();
                write(&sheet, look, &mut out);
                if let Some(cut) = &sheet.cut {
                    out.push_str(&format!("\n{}\n", escaped(cut)));
                }
            }
        }
    }
    if let Some(line) = answer.heading.left_out(&answer.rows) {
        out.push_str(&format!("\n{}\n", escaped(&line)));
    }
    Ok(out)
}

fn write(sheet: &Sheet, look: &AnswerLayout, out: &mut String) {
    if !sheet.title.is_empty() {
        out.push_str(&format!("{}:\n\n", sheet.title));
    }
    if sheet.rows.is_empty() {
        out.push_str(&format!("{}\n", sheet.empty));
        return;
    }
    let heads: Vec<String> = sheet.columns.iter().map(|head| escaped(&head.label)).collect();
    let rules: Vec<&str> = (0..heads.len())
        .map(|at| match sheet.is_number(at) {
            true => "---:",
            false => "---",
        })
        .collect();
    out.push_str(&format!("| {} |\n| {} |\n", heads.join(" | "), rules.join(" | ")));
    for row in &sheet.rows {
        let cells: Vec<String> = row.iter().map(|cell| shown(cell, look)).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}

fn shown(cell: &Cell, look: &AnswerLayout) -> String {
    let text = escaped(&cell.shown(look));
    match cell {
        Cell::Link(_, link) if is_plain_link(link) => format!("[{text}](<{link}>)"),
        _ => text,
    }
}

/// A link that cannot end the brackets it is put in.
fn is_plain_link(link: &str) -> bool {
    link.starts_with("http") && !link.contains(['<', '>', '|', '\\', ' ', '\n', '\r', '`'])
}

/// Every character that Markdown could take for markup, behind a backslash; `<` and `&` as entities,
/// so that no viewer that lets HTML through sees a tag; `@` and `#` apart from what follows would still notify
/// people on some trackers, so they get a backslash too.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in crate::model::text::one_line(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '!' | '~' | '@' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    // An address in plain text becomes a link on most viewers.
    out.replace("://", ":\\//")
}

/// A code block whose fence the text cannot close: indented by four blanks.
fn code(text: &str) -> String {
    let lines = crate::model::text::lines(text);
    lines.lines().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_is_markup() {
        assert_eq!(escaped("a|b\nc"), "a\\|b c");
        assert_eq!(escaped("<script>&"), "&lt;script&gt;&amp;");
        assert_eq!(escaped("[x](javascript:1)"), "\\[x\\](javascript:1)");
        assert_eq!(escaped("see https://evil"), "see https:\\//evil");
    }
}
