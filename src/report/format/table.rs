//! Tables for a terminal: one line a row, cut to the terminal's width, coloured and linked where it can be.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use crate::model::text::{lines, one_line};
use crate::report::format::answer::Answer;
use crate::report::format::columns::{self, Section};
use crate::report::format::fit::{self, GAP};
use crate::report::format::layout::AnswerLayout;
use crate::report::format::sheet::{Cell, Sheet, Tone};
use crate::report::format::{ReportError, asked};

/// Writes the answer.
///
/// # Errors
/// A chosen column is not there.
pub(crate) fn render(answer: &Answer, look: &AnswerLayout) -> Result<String, ReportError> {
    let mut out = String::new();
    if look.header {
        let asked = asked::words(&answer.heading.filter, look);
        for text in std::iter::once(answer.heading.line(look)).chain(asked) {
            for line in wrapped(&text, look.width.map_or(usize::MAX, usize::from)) {
                out.push_str(&format!("{}\n", dim(&line, look)));
            }
        }
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
                write(&mut sheet, look, &mut out);
                if let Some(cut) = &sheet.cut {
                    out.push_str(&format!("{}\n", dim(&one_line(cut), look)));
                }
            }
        }
    }
    if let Some(line) = answer.heading.left_out(&answer.rows) {
        out.push_str(&format!("\n{}\n", dim(&line, look)));
    }
    Ok(out)
}

fn facts(pairs: &[(&'static str, String)], look: &AnswerLayout, out: &mut String) {
    let widest = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let room = look.width.map_or(usize::MAX, |width| usize::from(width).saturating_sub(widest + GAP.len()));
    for (name, value) in pairs {
        let padded = format!("{name:widest$}");
        for (at, line) in wrapped(value, room).iter().enumerate() {
            let name = if at == 0 { bold(&padded, look) } else { " ".repeat(widest) };
            out.push_str(&format!("{name}{GAP}{line}\n"));
        }
    }
}

/// The text in lines of at most so many columns, broken between words only: an address stays whole.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            // What is too long for any line stays where it is: the terminal breaks it, and it can be copied.
            Some(line) if line.width() + 1 + word.width() <= columns || word.width() > columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn write(sheet: &mut Sheet, look: &AnswerLayout, out: &mut String) {
    if sheet.rows.is_empty() {
        out.push_str(&format!("{}\n", sheet.empty));
        return;
    }
    let fitted = fit::fit(sheet, look);
    if look.header {
        let heads = fitted.heads.iter().enumerate();
        let heads: Vec<String> = heads.map(|(at, head)| padded(head, fitted.widths[at], sheet.is_number(at))).collect();
        out.push_str(&format!("{}\n", bold(heads.join(GAP).trim_end(), look)));
    }
    for (cells, texts) in sheet.rows.iter().zip(&fitted.rows) {
        let mut line = String::new();
        for (at, (cell, text)) in cells.iter().zip(texts).enumerate() {
            let padded = padded(text, fitted.widths[at], sheet.is_number(at));
            // Only the text is coloured or linked, never the blanks around it.
            line.push_str(&padded.replacen(text.as_str(), &painted(cell, text, look), 1));
            line.push_str(GAP);
        }
        out.push_str(&format!("{}\n", line.trim_end()));
    }
}

/// The text with blanks up to the column's width; numbers stand at its right.
fn padded(text: &str, width: usize, number: bool) -> String {
    let blanks = " ".repeat(width.saturating_sub(text.width()));
    if number { format!("{blanks}{text}") } else { format!("{text}{blanks}") }
}

/// The text with its colour or link.
fn painted(cell: &Cell, text: &str, look: &AnswerLayout) -> String {
    match cell {
        Cell::Word(_, tone) if look.colour => match style(*tone) {
            Some(style) => format!("{style}{text}{style:#}"),
            None => text.to_owned(),
        },
        Cell::Link(_, link) if look.links && link.chars().all(|c| c.is_ascii_graphic()) => {
            format!("\u{1b}]8;;{link}\u{1b}\\{text}\u{1b}]8;;\u{1b}\\")
        }
        _ => text.to_owned(),
    }
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

fn bold(text: &str, look: &AnswerLayout) -> String {
    styled(text, Style::new().bold(), look)
}

fn dim(text: &str, look: &AnswerLayout) -> String {
    styled(text, Style::new().dimmed(), look)
}

fn styled(text: &str, style: Style, look: &AnswerLayout) -> String {
    match look.colour {
        true => format!("{style}{text}{style:#}"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_only() {
        assert_eq!(wrapped("one two  three", 100), ["one two  three"]);
        assert_eq!(
            wrapped("see https://example.com/a/long/path now", 10),
            ["see https://example.com/a/long/path", "now"]
        );
        assert_eq!(wrapped("日本 語語 x", 6), ["日本", "語語 x"]);
        assert_eq!(wrapped("", 10), [""]);
    }
}
