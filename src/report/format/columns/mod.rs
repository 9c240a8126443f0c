//! Which columns each kind of row has. Names are those of the JSON; columns without a label are for programs.

pub(crate) mod detail;
pub(crate) mod history;
pub(crate) mod incident;
pub(crate) mod lists;
pub(crate) mod summary;
pub(crate) mod trend;

use crate::model::text::length;
use crate::report::format::ReportError;
use crate::report::format::answer::{Answer, AnswerRows, Heading};
use crate::report::format::columns::history::{MTTR, RETRIES};
use crate::report::format::columns::lists::{BATCHES, GROUPS, MISSING, SKIPPED};
use crate::report::format::layout::{AnswerLayout, age, grouped};
use crate::report::format::sheet::{Choice, Sheet};
use crate::report::history::RetryRow;

/// A part of an answer for people.
#[derive(Clone, Debug)]
pub(crate) enum Section {
    /// Names and values.
    Facts(Vec<(&'static str, String)>),
    /// A table.
    Sheet(Sheet),
    /// Outside text of several lines under a title.
    Text(&'static str, String),
}

/// "65 tried: 29 recovered, 8 same error, 10 outcome unknown".
fn tried(retries: &RetryRow) -> String {
    let rest = [
        (retries.failed_same, "same error"),
        (retries.failed_differently, "another error"),
        (retries.running, "running"),
        (retries.unknown, "outcome unknown"),
        (retries.ended_otherwise, "cancelled or expired"),
    ];
    let rest = rest.into_iter().filter(|(count, _)| *count > 0);
    let rest: String = rest.map(|(count, words)| format!(", {} {words}", grouped(count))).collect();
    format!("{} tried: {} recovered{rest}", grouped(retries.attempts), grouped(retries.recovered))
}

/// The answer's rows as one sheet: what programs get, and people for lists.
pub(crate) fn sheet(answer: &Answer, choice: Choice<'_>) -> Result<Sheet, ReportError> {
    match &answer.rows {
        AnswerRows::Summary([summary]) => Sheet::new(std::slice::from_ref(&**summary), summary::SUMMARY, choice, ""),
        AnswerRows::Groups(rows) => Sheet::new(rows, GROUPS, choice, "no groups"),
        AnswerRows::Group([group]) => Sheet::new(std::slice::from_ref(&group.group), GROUPS, choice, ""),
        AnswerRows::Incidents(rows) => Sheet::new(rows, lists::INCIDENTS, choice, "no incidents"),
        AnswerRows::Incident([incident]) => {
            Sheet::new(std::slice::from_ref(&incident.incident), lists::INCIDENTS, choice, "")
        }
        AnswerRows::Items(rows) => Sheet::new(rows, lists::ITEMS, choice, "no items"),
        AnswerRows::Item(items) => {
            let events: Vec<_> =
                items.iter().flat_map(|item| item.timeline.iter().map(move |event| (item, event))).collect();
            detail::events(&events, choice)
        }
        AnswerRows::Batches(rows) => Sheet::new(rows, BATCHES, choice, "no batches"),
        AnswerRows::Batch(rows) => {
            let rows: Vec<_> = rows.iter().map(|detail| detail.batch.clone()).collect();
            Sheet::new(&rows, BATCHES, choice, "")
        }
        AnswerRows::Skipped(rows) => Sheet::new(rows, SKIPPED, choice, "no skipped items"),
        AnswerRows::Missing(rows) => Sheet::new(rows, MISSING, choice, "no item lacks a result"),
        AnswerRows::Trend(rows) => Sheet::new(rows, history::TREND, choice, "no failures"),
        AnswerRows::Attempts(rows) => Sheet::new(rows, history::ATTEMPTS, choice, "no attempts"),
        AnswerRows::Retries(rows) => Sheet::new(rows, RETRIES, choice, "no attempts"),
        AnswerRows::Mttr(rows) => Sheet::new(rows, MTTR, choice, "no episodes"),
        AnswerRows::Digests(rows) => Sheet::new(rows, history::DIGESTS, choice, "no digests"),
        AnswerRows::Deliveries(rows) => Sheet::new(rows, history::DELIVERIES, choice, "no deliveries"),
        AnswerRows::Audit(rows) => Sheet::new(rows, history::AUDIT, choice, "nothing in the audit log"),
        AnswerRows::Sql { names, rows } => history::sql(names, rows, choice),
    }
}

/// The answer for people: facts and tables. Chosen columns leave one table.
pub(crate) fn sections(answer: &Answer, look: &AnswerLayout) -> Result<Vec<Section>, ReportError> {
    if let Some(columns) = &look.columns {
        let mut sheet = sheet(answer, Choice::These(columns))?;
        name_window(&mut sheet, &answer.heading, look);
        return Ok(vec![Section::Sheet(sheet)]);
    }
    Ok(match &answer.rows {
        AnswerRows::Summary([summary]) => summary::sections(summary, &answer.heading, look),
        AnswerRows::Group([group]) => detail::group(group, &answer.heading, look),
        AnswerRows::Incident([incident]) => incident::sections(incident, look),
        AnswerRows::Item(items) => items.iter().flat_map(|item| detail::item(item, look)).collect(),
        AnswerRows::Batch(batches) => batches.iter().flat_map(|batch| detail::batch(batch, look)).collect(),
        AnswerRows::Trend(rows) => vec![Section::Sheet(trend::sheet(rows, answer.heading.filter.kind, look))],
        _ => {
            let mut sheet = sheet(answer, Choice::Usual)?;
            name_window(&mut sheet, &answer.heading, look);
            vec![Section::Sheet(sheet)]
        }
    })
}

/// Says over the items of a window which one it is. Where it was not asked for, all that there ever were are counted.
pub(crate) fn name_window(sheet: &mut Sheet, heading: &Heading, look: &AnswerLayout) {
    let filter = &heading.filter;
    let label = match (filter.since, filter.until) {
        (None, None) => "total".to_owned(),
        (Some(since), None) => match age(since, look.now).div_ceil(3600) {
            hours @ ..=72 => format!("in {hours} h"),
            hours => format!("in {}", length(hours * 3600)),
        },
        // The line above has both ends.
        (_, Some(_)) => "in that time".to_owned(),
    };
    sheet.rename_column("items_in_window", &label);
}
