//! Trends for people: bars over time, or a line of bars for each key.

use crate::model::item::Kind;
use crate::report::format::layout::AnswerLayout;
use crate::report::format::sheet::{Cell, Head, Sheet};
use crate::report::history::TrendRow;

/// The longest bar.
const WIDEST: u64 = 40;

/// One bar for each bucket; with keys one line of bars for each key.
pub(crate) fn sheet(rows: &[TrendRow], kind: Option<Kind>, look: &AnswerLayout) -> Sheet {
    // An item counts each time, unlike in the summary.
    let what = match kind {
        None => "times failed or skipped",
        Some(Kind::Failed) => "times failed",
        Some(Kind::Skipped) => "times skipped",
        Some(Kind::Cancelled) => "times cancelled",
        Some(Kind::Overdue) => "batches overdue",
        Some(Kind::Missing) => "batches with items that are not shown",
    };
    match rows.iter().any(|row| row.key.is_some()) {
        true => by_key(rows, what, look),
        false => bars(rows, what),
    }
}

fn bars(rows: &[TrendRow], what: &str) -> Sheet {
    let most = rows.iter().map(|row| row.failures).max().unwrap_or_default().max(1);
    let bar = |failures: u64| "█".repeat(usize::try_from((failures * WIDEST).div_ceil(most)).unwrap_or_default());
    Sheet {
        title: String::new(),
        columns: heads(&["from", what, ""]),
        rows: rows
            .iter()
            .map(|row| vec![Cell::Time(row.from), Cell::Count(row.failures), Cell::Text(bar(row.failures))])
            .collect(),
        empty: "no failures",
        cut: None,
    }
}

fn by_key(rows: &[TrendRow], what: &str, look: &AnswerLayout) -> Sheet {
    let mut lines: Vec<Vec<Cell>> = Vec::new();
    let mut over = String::new();
    for line in rows.chunk_by(|a, b| a.key == b.key) {
        let counts: Vec<u64> = line.iter().map(|row| row.failures).collect();
        if let (Some(first), Some(last)) = (line.first(), line.last()) {
            over = format!("{} to {}", look.time(first.from), look.time_and_zone(last.to));
            lines.push(vec![
                Cell::Text(first.key.clone().unwrap_or_default()),
                Cell::Count(counts.iter().sum()),
                Cell::Bars(counts),
                Cell::maybe(&first.title),
            ]);
        }
    }
    Sheet {
        title: String::new(),
        columns: heads(&["by", what, &over, "what"]),
        rows: lines,
        empty: "no failures",
        cut: None,
    }
}

fn heads(labels: &[&str]) -> Vec<Head> {
    let head =
        |label: &&str| Head { name: (*label).to_owned(), label: (*label).to_owned(), gives_way: *label == "what" };
    labels.iter().map(head).collect()
}
