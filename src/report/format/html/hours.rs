//! Failures over time, by group.

use crate::model::text::cut_end;
use crate::report::filter::TimeRange;
use crate::report::format::html::chart::{COLOURS, Frame, Key, axis, stacked};
use crate::report::format::html::escaped;
use crate::report::format::layout::{AnswerLayout, grouped, window};
use crate::report::history::TrendRow;

/// More bars than this are put together: they would be thinner than a pixel on a phone.
const BARS: usize = 168;
const SLOT: u64 = 10;

/// Failures by hour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hours<'a> {
    /// The time drawn.
    pub(crate) window: &'a TimeRange,
    /// Of the groups that are drawn in colours of their own, group by group.
    pub(crate) by_group: &'a [TrendRow],
    /// Of all groups.
    pub(crate) of_all: &'a [TrendRow],
}

/// Draws the chart.
pub(crate) fn draw(charts: Hours<'_>, look: &AnswerLayout, page: &mut String) {
    let hours = charts.of_all.len().max(1);
    let together = hours.div_ceil(BARS);
    let all = sums(charts.of_all, together);
    let mut rest = all.clone();
    let mut layers: Vec<(&'static str, Vec<u64>)> = Vec::new();
    let mut keys = Vec::new();
    for (line, colour) in charts.by_group.chunk_by(|a, b| a.key == b.key).zip(COLOURS) {
        let counts = sums(line, together);
        rest.iter_mut().zip(&counts).for_each(|(rest, count)| *rest = rest.saturating_sub(*count));
        keys.push(Key { colour, label: label(line, counts.iter().sum()) });
        layers.push((colour, counts));
    }
    let others: u64 = rest.iter().sum();
    if others > 0 {
        let colour = COLOURS[COLOURS.len() - 1];
        keys.push(Key { colour, label: format!("all others: {}", grouped(others)) });
        layers.push((colour, rest));
    }
    let (top, left) = axis(all.iter().copied().max().unwrap_or_default());
    let mut drawing = stacked(&layers, top, SLOT);
    drawing.push_str(&tips(charts.of_all, together, look));
    let unit = if together == 1 { "hour".to_owned() } else { format!("{together} hours") };
    Frame {
        title: &format!(
            "Failed and skipped per {unit}, by group, {}: an item counts each time",
            window(charts.window, look)
        ),
        sentence: format!("{} times failed or skipped {}", grouped(all.iter().sum()), window(charts.window, look)),
        keys,
        left,
        below: dates(charts, look),
        width: all.len() as u64 * SLOT,
    }
    .write(&drawing, page);
}

fn sums(rows: &[TrendRow], together: usize) -> Vec<u64> {
    rows.chunks(together).map(|chunk| chunk.iter().map(|row| row.failures).sum()).collect()
}

fn label(line: &[TrendRow], failures: u64) -> String {
    let first = line.first();
    let id = first.and_then(|row| row.key.as_deref()).unwrap_or("-");
    let title = first.and_then(|row| row.title.as_deref()).unwrap_or_default();
    format!("{id} {}: {}", cut_end(title, 60), grouped(failures))
}

/// What the pointer shows over each bar.
fn tips(rows: &[TrendRow], together: usize, look: &AnswerLayout) -> String {
    let tip = |(at, chunk): (usize, &[TrendRow])| {
        let failures: u64 = chunk.iter().map(|row| row.failures).sum();
        let from = chunk.first().map(|row| look.time(row.from)).unwrap_or_default();
        let title = escaped(&format!("{from}: {}", grouped(failures)));
        let x = at as u64 * SLOT;
        format!("<rect x=\"{x}\" width=\"{SLOT}\" height=\"1000\" class=\"tip\"><title>{title}</title></rect>")
    };
    rows.chunks(together).enumerate().map(tip).collect()
}

/// Five times from the first to the last bar.
fn dates(charts: Hours<'_>, look: &AnswerLayout) -> Vec<String> {
    let (first, last) = (charts.of_all.first(), charts.of_all.last());
    let (Some(first), Some(last)) = (first, last) else {
        return Vec::new();
    };
    let span = last.to.duration_since(first.from);
    let long = span.as_hours() > 72;
    let at = |quarter: i32| first.from.checked_add(span / 4 * quarter).unwrap_or(last.to);
    let shown = |at: jiff::Timestamp| {
        let local = at.to_zoned_datetime(look.zone.clone());
        local.strftime(if long { "%b %-d" } else { "%-d. %H:%M" }).to_string()
    };
    (0..=4).map(|quarter| shown(at(quarter))).collect()
}
