//! Making a table's lines fit a terminal: which columns stay, and how wide each is.
//!
//! Nothing wraps: one row is one line. Sentences are cut first, then columns that matter least go, then ids are
//! shortened (they are understood shortened), then sentences are cut more and more columns go, and only then is
//! everything cut. Columns that were asked for by name never go.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::report::format::layout::AnswerLayout;
use crate::report::format::sheet::Sheet;

/// Blanks between columns.
pub(crate) const GAP: &str = "  ";
/// A sentence gets no narrower than this while other columns can go.
const SENTENCE: usize = 20;
/// Nor than this while there is anything left that can go.
const SHORT_SENTENCE: usize = 14;
/// Enough of a uuid to find it again.
const SHORT_ID: usize = 13;
/// No column gets narrower than this.
const LEAST: usize = 4;

/// Columns that go when the line is too narrow, the first one first.
const GIVEN_UP: [&str; 16] = [
    "first_seen",
    "change",
    "project",
    "class",
    "actor",
    "n",
    "ended_otherwise",
    "unknown",
    "running",
    "job_type",
    "skipped_items",
    "groups",
    "scheduled",
    "next_try_at",
    "attempts",
    "marks",
];

/// Columns that go at last: a row says more by whole words in few columns than by stumps in many.
const GIVEN_UP_AT_LAST: [&str; 10] = [
    "credits_per_recovery",
    "p90_seconds",
    "failures",
    "trigger",
    "hourly",
    "items_in_window",
    "failed_differently",
    "failed_same",
    "group_id",
    "item_name",
];

/// Columns of ids that people may shorten.
const SHORTENED: [&str; 3] = ["item_id", "subject", "batch_id"];

/// The cells as text, cut to their columns.
pub(crate) struct Fitted {
    /// The columns' labels.
    pub(crate) heads: Vec<String>,
    /// The rows' texts.
    pub(crate) rows: Vec<Vec<String>>,
    /// The columns' widths, as a terminal shows them.
    pub(crate) widths: Vec<usize>,
}

/// Makes the sheet fit; takes columns away from it where it must.
pub(crate) fn fit(sheet: &mut Sheet, look: &AnswerLayout) -> Fitted {
    let mut fitted = texts(sheet, look);
    let width = look.width.map_or(usize::MAX, usize::from);
    give_up(&GIVEN_UP, SENTENCE, sheet, &mut fitted, look);
    if needed(sheet, &fitted, SENTENCE) > width {
        shorten_ids(sheet, &mut fitted);
        give_up(&GIVEN_UP_AT_LAST, SHORT_SENTENCE, sheet, &mut fitted, look);
        shorten_ids(sheet, &mut fitted);
    }
    fitted.widths = widths(sheet, &fitted, width);
    fitted.cut();
    fitted
}

/// Takes columns away, in this order, until the line is narrow enough.
fn give_up(names: &[&str], sentence: usize, sheet: &mut Sheet, fitted: &mut Fitted, look: &AnswerLayout) {
    let width = look.width.map_or(usize::MAX, usize::from);
    if look.columns.is_some() {
        return;
    }
    for name in names {
        if needed(sheet, fitted, sentence) <= width {
            break;
        }
        if sheet.columns.len() > 3 && may_go(sheet, name) {
            sheet.drop_columns(&[*name]);
            *fitted = texts(sheet, look);
            if sentence == SHORT_SENTENCE {
                shorten_ids(sheet, fitted);
            }
        }
    }
}

/// The first column names the row. How often an item failed may go; of a trend or a batch that is the answer.
fn may_go(sheet: &Sheet, name: &str) -> bool {
    let first = sheet.columns.first().is_some_and(|head| head.name == name);
    let of_items = sheet.columns.iter().any(|head| head.name == "item_name");
    !first && (name != "failures" || of_items)
}

fn texts(sheet: &Sheet, look: &AnswerLayout) -> Fitted {
    let head = |head: &crate::report::format::sheet::Head| crate::model::text::one_line(&head.label).into_owned();
    Fitted {
        heads: sheet.columns.iter().map(head).collect(),
        rows: sheet.rows.iter().map(|row| row.iter().map(|cell| cell.shown(look)).collect()).collect(),
        widths: Vec::new(),
    }
}

impl Fitted {
    /// The widest text of a column.
    fn natural(&self, at: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[at].width());
        cells.chain([self.heads[at].width()]).max().unwrap_or_default()
    }

    fn cut(&mut self) {
        for row in std::iter::once(&mut self.heads).chain(&mut self.rows) {
            for (text, width) in row.iter_mut().zip(&self.widths) {
                if text.width() > *width {
                    *text = cut_to(text, *width);
                }
            }
        }
    }
}

/// The least width without cutting anything but sentences.
fn needed(sheet: &Sheet, fitted: &Fitted, sentence: usize) -> usize {
    let columns = sheet.columns.iter().enumerate().map(|(at, head)| match head.gives_way {
        true => fitted.natural(at).min(sentence),
        false => fitted.natural(at),
    });
    columns.sum::<usize>() + gaps(sheet)
}

fn gaps(sheet: &Sheet) -> usize {
    GAP.len() * sheet.columns.len().saturating_sub(1)
}

fn shorten_ids(sheet: &Sheet, fitted: &mut Fitted) {
    for (at, _) in sheet.columns.iter().enumerate().filter(|(_, head)| SHORTENED.contains(&head.name.as_str())) {
        for row in &mut fitted.rows {
            row[at] = row[at].chars().take(SHORT_ID).collect();
        }
    }
}

/// Every column's width: what is left over goes to the sentences, what is missing is taken from the widest.
fn widths(sheet: &Sheet, fitted: &Fitted, width: usize) -> Vec<usize> {
    let natural: Vec<usize> = (0..sheet.columns.len()).map(|at| fitted.natural(at)).collect();
    let mut widths: Vec<usize> = sheet
        .columns
        .iter()
        .zip(&natural)
        .map(|(head, natural)| if head.gives_way { (*natural).min(SENTENCE) } else { *natural })
        .collect();
    let room = width.saturating_sub(gaps(sheet));
    let mut spare = room.saturating_sub(widths.iter().sum());
    for (at, wide) in widths.iter_mut().enumerate().rev() {
        let more = (natural[at] - *wide).min(spare);
        *wide += more;
        spare -= more;
    }
    while widths.iter().sum::<usize>() > room {
        match widths.iter_mut().max() {
            Some(widest) if *widest > LEAST => *widest -= 1,
            _ => break,
        }
    }
    widths
}

/// The beginning of a text, so many columns wide, the cut visible.
fn cut_to(text: &str, columns: usize) -> String {
    let mut left = columns.saturating_sub(1);
    let fits = |c: &char| {
        let wide = c.width().unwrap_or_default();
        let fits = wide <= left;
        left = left.saturating_sub(wide);
        fits
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_count_columns_not_characters() {
        assert_eq!(cut_to("日本語のメッセージ", 7), "日本語…");
        assert_eq!(cut_to("abcdefgh", 4), "abc…");
    }
}
