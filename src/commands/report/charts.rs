//! What the page of the summary draws.

use crate::commands::report::outcome::ReportOutcome;
use crate::commands::report::request::ReportRequest;
use crate::report::filter::Filter;
use crate::report::format::answer::Charts;
use crate::report::store::{self, Bucket};

/// Groups drawn in colours of their own; all others are one.
const DRAWN: u64 = 6;
/// Rows of the page's tables.
const ROWS: usize = 30;

/// Reads what the page draws: the asked window, else the last seven days.
pub(crate) fn charts(asked: &ReportRequest<'_>) -> Result<Charts, ReportOutcome> {
    let window = asked.filter.window_or(asked.now, 24 * 7);
    let in_window = Filter { since: Some(window.since), limit: None, ..asked.filter.clone() };
    let shown = Filter { limit: Some(ROWS as u64), ..in_window.clone() };
    let by_group = Filter { by: Some("group".to_owned()), limit: Some(DRAWN), ..in_window.clone() };
    let by_day = Filter { by: Some("day".to_owned()), ..in_window.clone() };
    let view = asked.view(&in_window)?;
    let groups = store::groups(&asked.view(&shown)?)?;
    let (mut mttr, mut batches, mut skipped) = (store::mttr(&view)?, store::batches(&view)?, store::skipped(&view)?);
    let all = [groups.counts.all(), mttr.len() as u64, batches.len() as u64, skipped.len() as u64];
    mttr.truncate(ROWS);
    batches.truncate(ROWS);
    skipped.truncate(ROWS);
    Ok(Charts {
        window,
        groups: groups.rows,
        by_group: store::trend(&asked.view(&by_group)?, &Bucket::Hour, window)?.rows,
        of_all: store::trend(&view, &Bucket::Hour, window)?.rows,
        retries: store::retries(&asked.view(&by_day)?, asked.zone)?,
        recoveries: store::recovery_times(&view)?,
        mttr,
        batches,
        skipped,
        all,
    })
}
