//! Attempts by day and outcome.

use crate::report::format::answer::Charts;
use crate::report::format::html::chart::{COLOURS, Frame, Key, axis, stacked};
use crate::report::format::layout::{AnswerLayout, grouped};
use crate::report::history::RetryRow;

const SLOT: u64 = 40;
/// Days drawn at most, the newest ones.
const DAYS: usize = 31;

/// An outcome: its words, its colour, its count.
type Layer = (&'static str, &'static str, fn(&RetryRow) -> u64);

const LAYERS: [Layer; 5] = [
    ("recovered", COLOURS[2], |row| row.recovered),
    ("same error", COLOURS[5], |row| row.failed_same),
    ("another error", COLOURS[1], |row| row.failed_differently),
    ("pending", COLOURS[4], |row| row.running + row.unknown),
    ("cancelled or expired", COLOURS[6], |row| row.ended_otherwise),
];

/// Draws the chart, or says that there were none.
pub(crate) fn draw(charts: &Charts, look: &AnswerLayout, page: &mut String) {
    if charts.retries.is_empty() {
        page.push_str("<figure>\n<figcaption>Retries and outcomes</figcaption>\n<p class=\"quiet\">no retries in this time</p></figure>\n");
        return;
    }
    let (days, all) = days(charts, look);
    let layers: Vec<(&'static str, Vec<u64>)> =
        LAYERS.iter().map(|(_, colour, count)| (*colour, days.iter().map(count).collect())).collect();
    let sum = |count: fn(&RetryRow) -> u64| days.iter().map(count).sum::<u64>();
    let keys = LAYERS
        .iter()
        .filter(|(_, _, count)| sum(*count) > 0)
        .map(|(word, colour, count)| Key { colour, label: format!("{word}: {}", grouped(sum(*count))) });
    let (top, left) = axis(days.iter().map(|day| day.attempts).max().unwrap_or_default());
    let ends = [days.first(), days.last()];
    Frame {
        title: &match all > days.len() {
            true => format!("Retries and outcomes, by day, the newest {} of {all} days", days.len()),
            false => "Retries and outcomes, by day".to_owned(),
        },
        sentence: format!("{} attempts, {} recovered", sum(|day| day.attempts), sum(|day| day.recovered)),
        keys: keys.collect(),
        left,
        below: ends.into_iter().flatten().map(|day| day.key.clone()).collect(),
        width: days.len() as u64 * SLOT,
    }
    .write(&stacked(&layers, top, SLOT), page);
}

/// A row for each day of the window, also for those without retries; the newest days if there are many. And how many
/// days there are.
fn days(charts: &Charts, look: &AnswerLayout) -> (Vec<RetryRow>, usize) {
    let date = |at: jiff::Timestamp| at.to_zoned_datetime(look.zone.clone()).date();
    let (first, last) = (date(charts.window.since), date(charts.window.until));
    let all = first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last);
    let mut days: Vec<RetryRow> = all
        .map(|day| {
            let key = day.to_string();
            let known = charts.retries.iter().find(|row| row.key == key);
            known.cloned().unwrap_or(RetryRow { key, ..RetryRow::default() })
        })
        .collect();
    let all = days.len();
    (days.split_off(all.saturating_sub(DAYS)), all)
}
