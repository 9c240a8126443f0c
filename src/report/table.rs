//! Tables for a terminal: one line a row, cut to the terminal's width, coloured and linked where it can be.

use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width};

use super::answer::Answer;
use super::columns::Section;
use super::sheet::{Cell, Sheet, Tone};
use super::{Look, ReportError, columns};
use crate::core::text::lines;

/// A sentence column never gets narrower than this.
const LEAST: u16 = 16;

/// Writes the answer.
///
/// # Errors
/// A chosen column is not there.
pub(super) fn render(answer: &Answer, look: &Look) -> Result<String, ReportError> {
    let mut out = String::new();
    if look.header {
        out.push_str(&format!("{}\n", dim(&answer.heading.line(look), look)));
    }
    for (at, section) in columns::sections(answer, look)?.into_iter().enumerate() {
        if at > 0 || look.header {
            out.push('\n');
        }
        match section {
            Section::Facts(pairs) => facts(&pairs, look, &mut out),
            Section::Text(title, text) => {
                out.push_str(&format!("{}\n", bold(title, look)));
                for line in lines(&text).lines() {
                    out.push_str(&format!("  {line}\n"));
                }
            }
            Section::Sheet(mut sheet) => {
                sheet.drop_empty_columns();
                if !sheet.title.is_empty() {
                    out.push_str(&format!("{}\n", bold(&sheet.title, look)));
                }
                write(&sheet, look, &mut out);
            }
        }
    }
    if let Some(line) = answer.heading.left_out(&answer.rows) {
        out.push_str(&format!("\n{}\n", dim(&line, look)));
    }
    Ok(out)
}

fn facts(pairs: &[(&'static str, String)], look: &Look, out: &mut String) {
    let widest = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in pairs {
        let padded = format!("{name:widest$}");
        out.push_str(&format!("{}  {value}\n", bold(&padded, look)));
    }
}

fn write(sheet: &Sheet, look: &Look, out: &mut String) {
    if sheet.rows.is_empty() {
        out.push_str(&format!("{}\n", sheet.empty));
        return;
    }
    let table = laid_out(sheet, look);
    for (at, line) in table.lines().enumerate() {
        let line = line.trim_end();
        let row = match look.header {
            true => at.checked_sub(1),
            false => Some(at),
        };
        match row.and_then(|row| sheet.rows.get(row)) {
            None => out.push_str(&bold(line, look)),
            Some(row) => out.push_str(&painted(line, row, look)),
        }
        out.push('\n');
    }
}

/// The plain lines, head first: each row is exactly one line.
fn laid_out(sheet: &Sheet, look: &Look) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).force_no_tty();
    match look.width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(width);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    if look.header {
        let heads: Vec<String> =
            sheet.columns.iter().map(|head| crate::core::text::one_line(&head.label).into_owned()).collect();
        let mut head = comfy_table::Row::from(heads);
        head.max_height(1);
        table.set_header(head);
    }
    for row in &sheet.rows {
        let mut line = comfy_table::Row::from(row.iter().map(|cell| cell.shown(look)).collect::<Vec<_>>());
        line.max_height(1);
        table.add_row(line);
    }
    for (at, head) in sheet.columns.iter().enumerate() {
        let Some(column) = table.column_mut(at) else {
            continue;
        };
        column.set_padding((0, 2));
        if sheet.rows.iter().any(|row| row[at].is_number()) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        column.set_constraint(match head.gives_way {
            true => ColumnConstraint::LowerBoundary(Width::Fixed(LEAST)),
            false => ColumnConstraint::ContentWidth,
        });
    }
    table
}

/// Colours and links are put in afterwards, so that they never count as width.
fn painted(line: &str, row: &[Cell], look: &Look) -> String {
    let mut out = line.to_owned();
    // From the right, so that what is put in does not move what is still to be found.
    for cell in row.iter().rev() {
        let text = cell.shown(look);
        let replacement = match cell {
            Cell::Word(_, tone) if look.colour => match style(*tone) {
                Some(style) => format!("{style}{text}{style:#}"),
                None => continue,
            },
            Cell::Link(_, link) if look.links => {
                format!("\u{1b}]8;;{link}\u{1b}\\{text}\u{1b}]8;;\u{1b}\\")
            }
            _ => continue,
        };
        if let Some(at) = out.find(&text) {
            out.replace_range(at..at + text.len(), &replacement);
        }
    }
    out
}

fn style(tone: Tone) -> Option<Style> {
    let colour = match tone {
        Tone::Bad => AnsiColor::Red,
        Tone::Warn => AnsiColor::Yellow,
        Tone::Good => AnsiColor::Green,
        Tone::Plain => return None,
    };
    Some(colour.on_default())
}

fn bold(text: &str, look: &Look) -> String {
    styled(text, Style::new().bold(), look)
}

fn dim(text: &str, look: &Look) -> String {
    styled(text, Style::new().dimmed(), look)
}

fn styled(text: &str, style: Style, look: &Look) -> String {
    match look.colour {
        true => format!("{style}{text}{style:#}"),
        false => text.to_owned(),
    }
}
