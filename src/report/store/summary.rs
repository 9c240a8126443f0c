//! `report summary`: what is failing now, and whether the worker is well.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, params};
use strum::VariantArray as _;

use crate::llamacloud::status_page::store_status;
use crate::model::batch_api::{ApiState, BatchApi};
use crate::model::group_state::GroupState;
use crate::model::item::Kind;
use crate::report::filter::TimeRange;
use crate::report::store::error::QueryError;
use crate::report::store::history::{recovered, retries, scans, trend};
use crate::report::store::lists::groups::{self, Keep};
use crate::report::store::lists::items;
use crate::report::store::selection::counts;
use crate::report::store::selection::view::ReportView;
use crate::report::store::value;
use crate::report::summary::{
    ApiRow, BatchCounts, BudgetUsage, DeliveryCounts, FaultRow, GroupCounts, HoldRow, LastDigest, SummaryRow,
};
use crate::reprocess::plans::hold_summary::Hold;
use crate::reprocess::policy::group::{GroupFacts, Turn};
use crate::reprocess::store::budget_usage;
use crate::scan::store::{project, project_api};

/// Groups shown.
const TOP: usize = 10;

/// The budget as configured, where the configuration is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ConfiguredBudget {
    /// Items an hour.
    pub per_hour: Option<u64>,
    /// Items a day.
    pub per_day: Option<u64>,
}

/// What is failing now.
pub(crate) fn summary(view: &ReportView<'_>, budget: ConfiguredBudget) -> Result<SummaryRow, QueryError> {
    let window = view.filter.window_or(view.now, 24);
    let mut bases = groups::matching(view, Keep::All)?;
    // Items and groups are those of documents, unless the filter names another kind.
    let is_counted = |base: &&groups::Base| view.filter.kind.is_some() || !base.kind.is_of_batch();
    let mut group_counts = GroupCounts::default();
    bases.iter().filter(is_counted).for_each(|base| group_counts.add(base.state, base.open_items));
    // The summary says "failed": what was skipped is not among it.
    let items_in_window = bases.iter().filter(|base| base.kind == Kind::Failed).map(|base| base.items_in_window).sum();
    let open_of = |kind| bases.iter().filter(|base| base.kind == kind).map(|base| base.open_items).sum();
    let batches = BatchCounts { overdue: open_of(Kind::Overdue), missing: open_of(Kind::Missing) };
    let left_out: HashSet<i64> = bases.iter().filter(|base| !is_counted(base)).map(|base| base.key).collect();
    let items = items::count_in_groups(view, |group_key| !left_out.contains(&group_key))?;
    let hourly = hourly(view)?;
    bases.retain(|base| base.state != GroupState::Resolved);
    groups::sort(&mut bases, "urgency");
    bases.truncate(TOP);
    let remarks = counts::Remarks::read(view)?;
    let top_groups = bases.into_iter().map(|base| groups::complete(view, base, &remarks, None));
    Ok(SummaryRow {
        ledger_id: ledger_id(view)?,
        items,
        batches,
        groups: group_counts,
        window,
        items_in_window,
        recovered_in_window: recovered::recovered(view, window)?,
        hourly,
        top_groups: top_groups.collect::<Result<_, _>>()?,
        scans: scans::last_scans(view.connection)?,
        apis: apis(view)?,
        vendor: store_status::known(view.connection)?.map_or_else(Vec::new, |status| status.recent(view.now)),
        faults: faults(view)?,
        deliveries: deliveries(view, window)?,
        retries: retries::in_window(view)?,
        spent: spent(view, budget)?,
        holds: holds(view, &remarks.retried)?,
        last_digest: last_digest(view)?,
        next_digest_at: None,
    })
}

/// Failures that match in each of the last 24 hours, as `report trend --kind failed` counts them.
fn hourly(view: &ReportView<'_>) -> Result<Vec<u64>, QueryError> {
    // What only items know no counter of groups has.
    let of_all = match view.filter.narrows_items() {
        true => trend::last_hours(view, counts::SPARK_HOURS)?,
        false => counts::hourly_of_all(view)?,
    };
    let mut sums = vec![0; counts::SPARK_HOURS as usize];
    for of_group in trend::failed_groups(view)?.iter().filter_map(|key| of_all.get(key)) {
        sums.iter_mut().zip(of_group).for_each(|(sum, count)| *sum += count);
    }
    Ok(sums)
}

/// What was found of the batch APIs of each project.
fn apis(view: &ReportView<'_>) -> Result<Vec<ApiRow>, QueryError> {
    let mut statement = view.connection.prepare("SELECT project_key, name FROM project ORDER BY name")?;
    let projects = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut rows = Vec::new();
    for project in projects {
        let (key, name): (i64, String) = project?;
        let states = project_api::states(view.connection, key)?;
        for api in BatchApi::VARIANTS.iter().copied() {
            let state = *states.get(api);
            if let (Some(since), Some(asked_at)) = (state.since, state.asked_at) {
                let ApiState { presence, active, status, .. } = state;
                let says = state.describe();
                rows.push(ApiRow { project: name.clone(), api, presence, active, status, since, asked_at, says });
            }
        }
    }
    Ok(rows)
}

fn faults(view: &ReportView<'_>) -> Result<Vec<FaultRow>, QueryError> {
    let mut statement = view
        .connection
        .prepare("SELECT fault, text, since, count FROM worker_fault WHERE ended_at IS NULL ORDER BY since")?;
    let rows = statement.query_map([], |row| {
        Ok(FaultRow {
            fault: row.get("fault")?,
            text: row.get("text")?,
            since: value::time(row, "since")?,
            count: value::count(row, "count")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn deliveries(view: &ReportView<'_>, window: TimeRange) -> Result<DeliveryCounts, QueryError> {
    let counts = view.connection.query_row(
        "SELECT (SELECT count(*) FROM delivery WHERE state IN ('pending', 'sending')),
                (SELECT count(*) FROM delivery WHERE state = 'dead' AND created_at >= ?1 AND created_at < ?2)",
        params![window.since.as_millisecond(), window.until.as_millisecond()],
        |row| Ok(DeliveryCounts { pending: value::count(row, 0)?, dead: value::count(row, 1)? }),
    )?;
    Ok(counts)
}

/// What retries go by.
fn spent(view: &ReportView<'_>, budget: ConfiguredBudget) -> Result<BudgetUsage, QueryError> {
    let spent = budget_usage::until(view.connection, view.now)?;
    Ok(BudgetUsage {
        last_hour: spent.hour.into(),
        last_day: spent.day.into(),
        per_hour: budget.per_hour,
        per_day: budget.per_day,
    })
}

/// What holds retries back: of projects an account, a 429, a storm or an incident; of groups lost probes.
fn holds(view: &ReportView<'_>, retried: &[(String, GroupFacts)]) -> Result<Vec<HoldRow>, QueryError> {
    let mut rows = Vec::new();
    for project in project::names(view.connection)? {
        rows.extend(Hold::of_project(view.connection, &project, view.now)?.into_iter().map(|hold| HoldRow {
            scope: format!("project:{project}"),
            state: hold.state,
            until: hold.until,
            why: hold.why,
        }));
    }
    for (_, group) in retried {
        let outlook = group.outlook(&view.retry_settings, view.now);
        let (state, until) = match outlook.turn {
            _ if outlook.is_left_to_people() => continue,
            Turn::Rests(until) => ("resting", Some(until)),
            Turn::PersonDecides(_) => ("needs-decision", None),
            _ => continue,
        };
        rows.push(HoldRow {
            scope: group.group_id.clone(),
            state: state.to_owned(),
            until,
            why: Some(outlook.to_string()),
        });
    }
    Ok(rows)
}

fn ledger_id(view: &ReportView<'_>) -> Result<String, QueryError> {
    Ok(view.connection.query_row("SELECT value FROM meta WHERE name = 'ledger_id'", [], |row| row.get(0))?)
}

fn last_digest(view: &ReportView<'_>) -> Result<Option<LastDigest>, QueryError> {
    let sql = "SELECT digest_id, created_at FROM digest ORDER BY created_at DESC, digest_id DESC LIMIT 1";
    let row = view
        .connection
        .query_row(sql, [], |row| Ok(LastDigest { digest_id: row.get(0)?, created_at: value::time(row, 1)? }));
    Ok(row.optional()?)
}
