//! Each question to its query, and the numbers that `--fail-if` may compare.

use std::time::Duration;

use jiff::SignedDuration;

use crate::commands::report::charts;
use crate::commands::report::outcome::ReportOutcome;
use crate::commands::report::request::ReportRequest;
use crate::commands::report::time_limit::TimeLimit;
use crate::model::item::ItemState;
use crate::report::condition::AnswerMeasures;
use crate::report::filter::{Filter, TimeRange};
use crate::report::format::ReportFormat;
use crate::report::format::answer::{AnswerRows, Charts};
use crate::report::history::{RetryRow, SqlRow, SqlValue};
use crate::report::question::Question;
use crate::report::rows::Lack;
use crate::report::store::{self, Bucket, SqlLimits};
use crate::report::summary::{GroupCounts, ItemCounts};

/// The answer.
pub(crate) struct ReportResult {
    pub(crate) rows: AnswerRows,
    pub(crate) measures: AnswerMeasures,
    /// How many match, where that is known.
    pub(crate) matching: Option<u64>,
    /// How many of those are shown, where they are not the rows.
    pub(crate) shown: Option<u64>,
    /// There are more rows than are shown; the total is not counted.
    pub(crate) more: bool,
    pub(crate) charts: Option<Charts>,
    pub(crate) warnings: Vec<String>,
}

/// The time a user's own statement may take.
const STATEMENT_TIME: Duration = Duration::from_secs(10);

/// Runs the query, and warns about filter values that are not in the ledger: they may be mistyped.
pub(crate) fn ask(asked: &ReportRequest<'_>) -> Result<ReportResult, ReportOutcome> {
    let mut found = answer(asked)?;
    for (option, word) in store::unknown_filter_values(asked.reading, asked.filter)? {
        found.warnings.push(format!("--{option}: nothing in the ledger has {word:?}"));
    }
    Ok(found)
}

fn answer(asked: &ReportRequest<'_>) -> Result<ReportResult, ReportOutcome> {
    let subject = asked.args.subject.as_deref().unwrap_or_default();
    match asked.args.query {
        Question::Summary => summary(asked),
        Question::Groups => {
            let groups = store::groups(&asked.view(asked.filter)?)?;
            let mut measures = group_measures(&groups.counts);
            measures.insert("open", groups.open_items as f64);
            measures.insert("failed", groups.items_in_window as f64);
            Ok(found(AnswerRows::Groups(groups.rows), measures, Some(groups.counts.all())))
        }
        Question::Group => {
            let group = store::group(&mut asked.view(asked.filter)?, subject)?;
            let measures = AnswerMeasures::from([
                ("open", group.group.open_items as f64),
                ("failed", group.group.items_in_window as f64),
            ]);
            Ok(found(AnswerRows::Group([Box::new(group)]), measures, None))
        }
        Question::Incident => {
            let incident = store::incident(&asked.view(asked.filter)?, subject)?;
            let measures = AnswerMeasures::from([
                ("open", incident.incident.open_items as f64),
                ("failed", incident.incident.items as f64),
            ]);
            Ok(found(AnswerRows::Incident([Box::new(incident)]), measures, None))
        }
        Question::Items => {
            let view = asked.view(asked.filter)?;
            let cut = asked.filter.limit.is_some();
            let counted = asked.format.is_for_people() || cut || !asked.args.fail_if.is_empty();
            let counts = counted.then(|| store::count_items(&view)).transpose()?;
            let measures = counts.as_ref().map(item_measures).unwrap_or_default();
            let rows = AnswerRows::Items(store::items(&view)?);
            Ok(found(rows, measures, counts.map(|counts| counts.all())))
        }
        Question::Missing => {
            let missing = store::missing(&asked.view(asked.filter)?)?;
            let items = |lack| missing.items.get(&lack).copied().unwrap_or_default() as f64;
            let measures = AnswerMeasures::from([
                ("running", items(Lack::Running)),
                ("not_shown", items(Lack::NotShown)),
                ("failed", items(Lack::Failed)),
                ("skipped", items(Lack::Skipped)),
                ("cancelled", items(Lack::Cancelled)),
            ]);
            Ok(found(AnswerRows::Missing(missing.rows), measures, Some(missing.all)))
        }
        Question::Item => {
            let view = asked.view(asked.filter)?;
            if asked.args.subject.is_some() {
                let item = store::item(&view, subject)?;
                let open = if item.item.state == ItemState::Open { 1.0 } else { 0.0 };
                return Ok(found(AnswerRows::Item(vec![item]), AnswerMeasures::from([("open", open)]), None));
            }
            let counts = store::count_items(&view)?;
            let measures = AnswerMeasures::from([("open", counts.open as f64)]);
            Ok(found(AnswerRows::Item(store::items_named(&view)?), measures, Some(counts.all())))
        }
        Question::Batch => {
            let batches = store::batch(&asked.view(asked.filter)?, subject)?;
            let failed = batches.iter().filter_map(|batch| batch.batch.failed_items).sum::<u64>();
            let measures = AnswerMeasures::from([("failed", failed as f64)]);
            Ok(found(AnswerRows::Batch(batches), measures, None))
        }
        Question::Trend => {
            let (bucket, window) = buckets(asked);
            let trend = store::trend(&asked.view(asked.filter)?, &bucket, window)?;
            let measures = AnswerMeasures::from([("failures", trend.failures as f64)]);
            let mut found = found(AnswerRows::Trend(trend.rows), measures, Some(trend.all_rows));
            // What `--limit` counts are lines.
            (found.shown, found.matching) = (Some(trend.shown), Some(trend.keys));
            Ok(found)
        }
        Question::Sql => sql(asked, subject),
        Question::Record => Err(ReportOutcome::Usage("a job record is asked for with a configuration".to_owned())),
        _ => list(asked),
    }
}

/// Questions whose rows are few: all are read and counted, then cut.
fn list(asked: &ReportRequest<'_>) -> Result<ReportResult, ReportOutcome> {
    let unlimited = Filter { limit: None, ..asked.filter.clone() };
    let view = asked.view(&unlimited)?;
    let by_attempt = matches!(asked.filter.by.as_deref(), None | Some("attempt"));
    let mut measures = AnswerMeasures::new();
    let mut rows = match asked.args.query {
        Question::Incidents => {
            let rows = store::incidents(&view)?;
            let open = rows.iter().filter(|row| row.ended_at.is_none()).count();
            measures.insert("open", open as f64);
            measures.insert("items", rows.iter().map(|row| row.items).sum::<u64>() as f64);
            AnswerRows::Incidents(rows)
        }
        Question::Batches => {
            let rows = store::batches(&view)?;
            let failed = rows.iter().filter_map(|row| row.failed_items).sum::<u64>();
            measures.insert("failed", failed as f64);
            AnswerRows::Batches(rows)
        }
        Question::Skipped => {
            let rows = store::skipped(&view)?;
            measures.insert("items", rows.iter().map(|row| row.items).sum::<u64>() as f64);
            measures.insert("open", rows.iter().map(|row| row.open_items).sum::<u64>() as f64);
            AnswerRows::Skipped(rows)
        }
        Question::Retries => {
            let mut sum = RetryRow::default();
            let sums = store::retries(&view, asked.zone)?;
            sums.iter().for_each(|row| sum.add(row));
            measures.extend(retry_measures(&sum));
            match by_attempt {
                true => AnswerRows::Attempts(store::attempts(&view)?),
                false => AnswerRows::Retries(sums),
            }
        }
        Question::Mttr => {
            let rows = store::mttr(&view)?;
            measures.insert("open", rows.iter().map(|row| row.open).sum::<u64>() as f64);
            measures.insert("recovered", rows.iter().map(|row| row.recovered).sum::<u64>() as f64);
            AnswerRows::Mttr(rows)
        }
        Question::Digests => {
            let rows = store::digests(&view)?;
            measures.insert("dead", rows.iter().map(|row| row.dead).sum::<u64>() as f64);
            measures.insert("pending", rows.iter().map(|row| row.pending).sum::<u64>() as f64);
            AnswerRows::Digests(rows)
        }
        Question::Deliveries => {
            let rows = store::deliveries(&view)?;
            for state in ["pending", "sending", "sent", "dead"] {
                let count = rows.iter().filter(|row| row.state == state).count();
                measures.insert(state, count as f64);
            }
            AnswerRows::Deliveries(rows)
        }
        _ => AnswerRows::Audit(store::audit(&view)?),
    };
    let matching = rows.len();
    rows.truncate(asked.filter.limit);
    Ok(found(rows, measures, Some(matching)))
}

fn summary(asked: &ReportRequest<'_>) -> Result<ReportResult, ReportOutcome> {
    // The window always counts; where none was asked it is the last day.
    let window = asked.filter.window_or(asked.now, 24);
    let filter = Filter { since: Some(window.since), ..asked.filter.clone() };
    let mut summary = store::summary(&asked.view(&filter)?, asked.budget)?;
    summary.next_digest_at = asked.next_digest_at;
    let mut measures = group_measures(&summary.groups);
    measures.extend(item_measures(&summary.items));
    // As in `groups`: what is being retried is not well yet.
    measures.insert("open", (summary.items.open + summary.items.retrying) as f64);
    measures.insert("overdue", summary.batches.overdue as f64);
    measures.insert("missing", summary.batches.missing as f64);
    measures.insert("open_groups", (summary.groups.open() + summary.groups.given_up) as f64);
    measures.insert("failed", summary.items_in_window as f64);
    measures.insert("recovered", summary.recovered_in_window as f64);
    measures.insert("faults", summary.faults.len() as f64);
    measures.insert("dead", summary.deliveries.dead as f64);
    measures.insert("pending", summary.deliveries.pending as f64);
    let charts = match asked.format {
        ReportFormat::Html => Some(charts::charts(asked)?),
        _ => None,
    };
    Ok(ReportResult { charts, ..found(AnswerRows::Summary([Box::new(summary)]), measures, None) })
}

fn sql(asked: &ReportRequest<'_>, statement: &str) -> Result<ReportResult, ReportOutcome> {
    let rows = asked.filter.limit.and_then(|limit| usize::try_from(limit).ok());
    let limits = SqlLimits { rows: rows.unwrap_or(usize::MAX), time: STATEMENT_TIME };
    let _limit = TimeLimit::start(STATEMENT_TIME);
    let (names, rows, more) = store::sql(asked.reading, statement, limits)?;
    let mut measures = AnswerMeasures::new();
    if let [SqlRow { fields }] = rows.as_slice()
        && let [(_, value)] = fields.as_slice()
    {
        match value {
            SqlValue::Integer(integer) => measures.insert("value", *integer as f64),
            SqlValue::Real(real) => measures.insert("value", *real),
            _ => None,
        };
    }
    let mut found = found(AnswerRows::Sql { names, rows }, measures, None);
    found.more = more;
    if more {
        found.warnings.push(format!("more than {} rows match: raise --limit, or 0 for all", limits.rows));
    }
    Ok(found)
}

/// The asked window and bucket; by default the last 24 buckets, hours for up to three days.
fn buckets(asked: &ReportRequest<'_>) -> (Bucket, TimeRange) {
    let day = || Bucket::Day(asked.zone.clone());
    // The present moment belongs to the window, also at the full hour.
    let present = asked.now.checked_add(SignedDuration::from_millis(1)).unwrap_or(asked.now);
    let window = |hours| asked.filter.window_or(present, hours);
    match (asked.args.bucket.as_deref(), asked.filter.since) {
        (Some("1d"), _) => (day(), window(24 * 23)),
        (Some(_), _) | (None, None) => (Bucket::Hour, window(23)),
        (None, Some(_)) => {
            let window = window(24);
            let short = window.until.duration_since(window.since) <= SignedDuration::from_hours(72);
            (if short { Bucket::Hour } else { day() }, window)
        }
    }
}

fn found(rows: AnswerRows, mut measures: AnswerMeasures, matching: Option<u64>) -> ReportResult {
    measures.insert("rows", matching.unwrap_or(rows.len()) as f64);
    ReportResult { rows, measures, matching, shown: None, more: false, charts: None, warnings: Vec::new() }
}

fn group_measures(counts: &GroupCounts) -> AnswerMeasures {
    AnswerMeasures::from([
        ("new", counts.new as f64),
        ("regressed", counts.regressed as f64),
        ("escalating", counts.escalating as f64),
        ("ongoing", counts.ongoing as f64),
        ("resolved", counts.resolved as f64),
    ])
}

fn item_measures(counts: &ItemCounts) -> AnswerMeasures {
    AnswerMeasures::from([
        ("open", counts.open as f64),
        ("retrying", counts.retrying as f64),
        ("recovered", counts.recovered as f64),
        ("dismissed", counts.dismissed as f64),
        ("ignored", counts.ignored as f64),
    ])
}

fn retry_measures(sum: &RetryRow) -> AnswerMeasures {
    AnswerMeasures::from([
        ("attempts", sum.attempts as f64),
        ("recovered", sum.recovered as f64),
        ("failed", (sum.failed_same + sum.failed_differently) as f64),
        ("running", sum.running as f64),
        ("unknown", sum.unknown as f64),
    ])
}
