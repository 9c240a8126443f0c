//! What the page of the summary draws.

use super::Outcome;
use super::ask::Asked;
use crate::core::report::filter::Filter;
use crate::ledger::query::{self, Bucket};
use crate::report::Charts;

/// Groups drawn in colours of their own; all others are one.
const DRAWN: u64 = 6;
/// Rows of the page's tables.
const ROWS: u64 = 30;

/// Reads what the page draws: the asked window, else the last seven days.
pub(super) fn charts(asked: &Asked<'_>) -> Result<Charts, Outcome> {
    let window = asked.filter.window_or(asked.now, 24 * 7);
    let in_window = Filter { since: Some(window.since), limit: Some(ROWS), ..asked.filter.clone() };
    let by_group = Filter { by: Some("group".to_owned()), limit: Some(DRAWN), ..in_window.clone() };
    let by_day = Filter { by: Some("day".to_owned()), limit: None, ..in_window.clone() };
    let view = asked.view(&in_window)?;
    Ok(Charts {
        window,
        groups: query::groups(&view)?.rows,
        by_group: query::trend(&asked.view(&by_group)?, &Bucket::Hour, window)?,
        all: query::trend(&view, &Bucket::Hour, window)?,
        retries: query::retries(&asked.view(&by_day)?, asked.zone)?,
        recoveries: query::recovery_times(&view)?,
        mttr: query::mttr(&view)?,
        batches: query::batches(&view)?,
        skipped: query::skipped(&view)?,
    })
}
