//! Tables of the page: plain HTML, sorted by the script where there is one.

use crate::report::format::html::escaped;
use crate::report::format::layout::AnswerLayout;
use crate::report::format::sheet::{Cell, Sheet, Tone};

/// Writes the sheet as a table that scrolls sideways alone on a narrow screen.
pub(crate) fn write(sheet: &Sheet, look: &AnswerLayout, page: &mut String) {
    if !sheet.title.is_empty() {
        page.push_str(&format!("<h2>{}</h2>\n", escaped(&sheet.title)));
    }
    if sheet.rows.is_empty() {
        page.push_str(&format!("<p class=\"quiet\">{}</p>\n", escaped(sheet.empty)));
        return;
    }
    page.push_str("<div class=\"scroll\"><table>\n<thead><tr>");
    for (at, head) in sheet.columns.iter().enumerate() {
        let class = if sheet.is_number(at) { " class=\"n\"" } else { "" };
        page.push_str(&format!("<th scope=\"col\"{class}>{}</th>", escaped(&head.label)));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in &sheet.rows {
        page.push_str("<tr>");
        for (at, (cell, head)) in row.iter().zip(&sheet.columns).enumerate() {
            match cell {
                Cell::None if sheet.is_number(at) => page.push_str("<td class=\"n\">–</td>"),
                cell => page.push_str(&written(cell, head.gives_way, look)),
            }
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
    if let Some(cut) = &sheet.cut {
        page.push_str(&format!("<p class=\"quiet\">{}</p>\n", escaped(cut)));
    }
}

/// `data-v` is what the script sorts by where the shown text would sort wrongly.
fn written(cell: &Cell, wide: bool, look: &AnswerLayout) -> String {
    let shown = escaped(&cell.shown(look));
    let wide = if wide { " class=\"w\"" } else { "" };
    match cell {
        Cell::None => "<td>–</td>".to_owned(),
        Cell::Link(_, link) if link.starts_with("https://") || link.starts_with("http://") => {
            format!("<td{wide}><a href=\"{}\" rel=\"noopener noreferrer\">{shown}</a></td>", escaped(link))
        }
        Cell::Word(_, tone) => format!("<td><span class=\"{}\">{shown}</span></td>", class(*tone)),
        Cell::Spark(counts) | Cell::Bars(counts) => {
            format!("<td data-v=\"{}\">{}</td>", counts.iter().sum::<u64>(), spark(counts))
        }
        Cell::Count(_) | Cell::Integer(_) | Cell::Real(_) | Cell::Share(_) | Cell::Seconds(_) => {
            format!("<td class=\"n\" data-v=\"{}\">{shown}</td>", escaped(&cell.exact()))
        }
        Cell::Time(at) | Cell::Age(at) => {
            format!("<td class=\"t\"><time datetime=\"{at}\">{shown}</time></td>")
        }
        Cell::Text(_) | Cell::Link(..) | Cell::Flag(_) => format!("<td{wide}>{shown}</td>"),
    }
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Bad => "word bad",
        Tone::Warn => "word warn",
        Tone::Good => "word good",
        Tone::Plain => "word",
    }
}

/// Bars as small as a word.
pub(crate) fn spark(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    let mut path = String::new();
    for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let high = (count * 20).div_ceil(most);
        path.push_str(&format!("M{} {}h3v{high}h-3z", at * 4, 20 - high));
    }
    let width = counts.len() * 4;
    format!(
        "<svg class=\"spark\" role=\"img\" aria-label=\"{} in 24 hours\" viewBox=\"0 0 {width} 20\"><path d=\"{path}\"/></svg>",
        counts.iter().sum::<u64>()
    )
}
