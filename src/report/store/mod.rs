//! The SQL of reports: read-only, one read transaction for each report, never migrating.
//!
//! Every function takes a `View`: the connection, the filters with their ids resolved, the time.

pub(crate) mod error;
pub(crate) mod history;
pub(crate) mod lists;
pub(crate) mod read_transaction;
pub(crate) mod selection;
pub(crate) mod sql;
pub(crate) mod summary;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod value;

pub(crate) use crate::report::store::error::QueryError;
pub(crate) use crate::report::store::history::deliveries::{audit, audit_line, deliveries, deliveries_of, digests};
pub(crate) use crate::report::store::history::mttr::{mttr, recovery_times};
pub(crate) use crate::report::store::history::retries::{attempts, retries};
pub(crate) use crate::report::store::history::scans::{Freshness, addresses, freshness};
pub(crate) use crate::report::store::history::trend::{Bucket, trend};
pub(crate) use crate::report::store::lists::batches::{batch, batches};
pub(crate) use crate::report::store::lists::group::group;
pub(crate) use crate::report::store::lists::groups::groups;
pub(crate) use crate::report::store::lists::incidents::{incident, incidents};
pub(crate) use crate::report::store::lists::item::items_named;
pub(crate) use crate::report::store::lists::item::timeline as item;
pub(crate) use crate::report::store::lists::items::{count_items, items, items_by_id};
pub(crate) use crate::report::store::lists::missing::missing;
pub(crate) use crate::report::store::lists::skipped::skipped;
pub(crate) use crate::report::store::read_transaction::ReadTransaction;
pub(crate) use crate::report::store::selection::find::{
    group as group_named, incident as incident_named, unknown_filter_values,
};
pub(crate) use crate::report::store::selection::view::ReportView;
pub(crate) use crate::report::store::sql::{SqlLimits, limit_memory, sql};
pub(crate) use crate::report::store::summary::{ConfiguredBudget, summary};
