//! All SQL of reports: read-only, one read transaction for each report, never migrating.
//!
//! Every function takes a [`View`]: the connection, the filters with their ids resolved, the time.
//! What the rows mean is said in `core::report`; how they look is the edge `report`'s business.

#[cfg(test)]
mod agreement;
mod batches;
mod bits;
mod clause;
mod counts;
mod deliveries;
mod error;
mod find;
#[cfg(test)]
pub(crate) mod fixture;
mod group;
mod groups;
mod item;
mod items;
mod mttr;
mod picked;
#[cfg(test)]
mod places;
mod reading;
mod recovered;
mod retries;
mod scans;
mod skipped;
mod sql;
mod summary;
mod tally;
mod trend;
mod value;
mod view;

pub use batches::{batch, batches};
pub use deliveries::{audit, deliveries, digests};
pub use error::QueryError;
pub use find::{group as group_named, strangers};
pub use group::group;
pub use groups::{Groups, groups};
pub use item::items_named;
pub use item::timeline as item;
pub use items::{count_items, items};
pub use mttr::{mttr, recovery_times};
pub use reading::Reading;
pub use retries::{attempts, retries};
pub use scans::{Freshness, addresses, freshness};
pub use skipped::skipped;
pub use sql::{SqlLimits, sql};
pub use summary::{Budget, summary};
pub use trend::{Bucket, trend};
pub use view::View;
