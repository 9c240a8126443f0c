//! One self-contained page: nothing is loaded, nothing runs but an optional script that sorts tables.
//!
//! Reads well without script, in the light and in the dark, on a phone and on paper.

pub(crate) mod chart;
pub(crate) mod hours;
pub(crate) mod recovery;
pub(crate) mod retries;
pub(crate) mod table;

use crate::model::text::lines;
use crate::report::filter::Filter;
use crate::report::format::answer::{Answer, AnswerRows, Charts, Heading};
use crate::report::format::columns::{self, Section};
use crate::report::format::layout::{AnswerLayout, grouped, window};
use crate::report::format::sheet::Sheet;
use crate::report::format::{ReportError, asked, command};
use crate::report::question::Question;
use crate::report::summary::SummaryRow;

/// The style of all pages.
pub(crate) const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Writes the answer.
///
/// # Errors
/// A chosen column is not there.
pub(crate) fn render(answer: &Answer, look: &AnswerLayout) -> Result<String, ReportError> {
    let mut page = head(answer, look);
    match (&answer.rows, &answer.charts) {
        (AnswerRows::Summary([summary]), Some(charts)) if look.columns.is_none() => {
            overview(summary, charts, &answer.heading, look, &mut page);
        }
        _ => {
            for section in columns::sections(answer, look)? {
                write(section, look, &mut page);
            }
        }
    }
    if let Some(line) = answer.heading.left_out(&answer.rows) {
        page.push_str(&format!("<p class=\"quiet\">{}</p>\n", escaped(&line)));
    }
    page.push_str(&format!("</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"));
    Ok(page)
}

/// Text as text, in elements and in quoted attributes; steering characters become visible.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in lines(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn head(answer: &Answer, look: &AnswerLayout) -> String {
    let heading = &answer.heading;
    let question = heading.question.as_str();
    let order = heading.order().map_or_else(String::new, |order| format!("{order} · "));
    // The policy holds even if an escape were missed: no loading, no foreign script, no forms.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <title>llama-triage {question}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header><h1>llama-triage <span>{question}</span></h1>\n<p class=\"quiet\">{}</p>{}</header>\n",
        escaped(&(order + &heading.freshness(look))),
        filters(answer, look),
    )
}

/// What was asked for, so that a page found in a mail box a week later still says what it shows.
fn filters(answer: &Answer, look: &AnswerLayout) -> String {
    let heading = &answer.heading;
    let asked = asked::words(&heading.filter, look);
    let asked = asked.map_or_else(String::new, |asked| format!("<p class=\"asked\">{}</p>", escaped(&asked)));
    format!(
        "{asked}<p class=\"quiet\">created {} from {}</p>",
        escaped(&look.time_and_zone(heading.generated_at)),
        escaped(&heading.ledger.display().to_string())
    )
}

fn write(section: Section, look: &AnswerLayout, page: &mut String) {
    match section {
        Section::Facts(facts) => {
            page.push_str("<dl>\n");
            for (name, value) in facts {
                page.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(&value)));
            }
            page.push_str("</dl>\n");
        }
        Section::Text(title, text) => {
            page.push_str(&format!("<h2>{}</h2>\n<pre>{}</pre>\n", escaped(title), escaped(&text)));
        }
        Section::Sheet(mut sheet) => {
            sheet.drop_empty_columns();
            // A page is read from the left, and scrolls there on a phone; what is open comes before what it is.
            let counted = sheet.columns.iter().any(|head| head.name == "open_items");
            sheet.move_column("title", if counted { 3 } else { 1 });
            table::write(&sheet, look, page);
        }
    }
}

fn overview(summary: &SummaryRow, charts: &Charts, heading: &Heading, look: &AnswerLayout, page: &mut String) {
    tiles(summary, look, page);
    faults(summary, look, page);
    write(Section::Facts(crate::report::format::columns::summary::worker(summary, look)), look, page);
    let hours = hours::Hours { window: &charts.window, by_group: &charts.by_group, of_all: &charts.of_all };
    hours::draw(hours, look, page);
    let [mut groups, mttr, batches, skipped] = tables(charts, heading, look);
    groups.drop_columns(&["first_seen"]);
    write(Section::Sheet(groups), look, page);
    page.push_str("<div class=\"pair\">\n");
    retries::draw(charts, look, page);
    recovery::draw(charts, look, page);
    page.push_str("</div>\n");
    for sheet in [mttr, batches, skipped] {
        write(Section::Sheet(sheet), look, page);
    }
}

/// The tables of the page, each with the command that shows all of it where it was cut.
fn tables(charts: &Charts, heading: &Heading, look: &AnswerLayout) -> [Sheet; 4] {
    let time = window(&charts.window, look);
    // Episodes are of groups: what only items know does not narrow them.
    let whole = if heading.filter.narrows_items() { ", of these groups as a whole" } else { "" };
    let filter = Filter { since: Some(charts.window.since), ..heading.filter.clone() };
    let mut sheets = [
        Sheet::titled(
            &format!("Groups that failed {time}, most urgent first"),
            &charts.groups,
            crate::report::format::columns::lists::GROUPS,
        ),
        Sheet::titled(
            &format!("Time to recovery, by group, {time}{whole}"),
            &charts.mttr,
            crate::report::format::columns::history::MTTR,
        ),
        Sheet::titled(
            &format!("Batches created {time}, newest first"),
            &charts.batches,
            crate::report::format::columns::lists::BATCHES,
        ),
        Sheet::titled(&format!("Skipped {time}"), &charts.skipped, crate::report::format::columns::lists::SKIPPED),
    ];
    for ((sheet, list), all) in
        sheets.iter_mut().zip([Question::Groups, Question::Mttr, Question::Batches, Question::Skipped]).zip(charts.all)
    {
        sheet.rename_column("items_in_window", "in that time");
        sheet.cut = command::cut(sheet.rows.len() as u64, all, &command::all_of(heading, list, &[], &filter));
    }
    sheets
}

fn tiles(summary: &SummaryRow, look: &AnswerLayout, page: &mut String) {
    let groups = &summary.groups;
    let failed = format!("items failed {}", window(&summary.window, look));
    let tiles = [
        (summary.items.open + summary.items.retrying, "open items", "bad"),
        (groups.open() + groups.given_up, "open groups", ""),
        (groups.new, "new", "bad"),
        (groups.regressed, "regressed", "bad"),
        (groups.escalating, "escalating", "bad"),
        (summary.items_in_window, failed.as_str(), ""),
        (summary.recovered_in_window, "recovered in that time", "good"),
        (summary.items.retrying, "being retried", ""),
    ];
    page.push_str("<ul class=\"tiles\">\n");
    for (count, label, tone) in tiles {
        let tone = if count == 0 { "" } else { tone };
        page.push_str(&format!("<li class=\"{tone}\"><b>{}</b> {}</li>\n", grouped(count), escaped(label)));
    }
    page.push_str("</ul>\n");
}

/// What is wrong with the worker itself.
fn faults(summary: &SummaryRow, look: &AnswerLayout, page: &mut String) {
    for fault in &summary.faults {
        page.push_str(&format!(
            "<p class=\"fault\"><b>llama-triage problem</b> {} <span class=\"quiet\">since {}</span></p>\n",
            escaped(&fault.text),
            escaped(&look.time_and_zone(fault.since))
        ));
    }
}
