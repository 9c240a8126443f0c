//! One file for each page: it asks the report's queries and fills a template.

pub(crate) mod audit;
pub(crate) mod batch;
pub(crate) mod digest;
pub(crate) mod group;
pub(crate) mod groups;
pub(crate) mod home;
pub(crate) mod incidents;
pub(crate) mod item;
pub(crate) mod plans;
pub(crate) mod search;

use jiff::SignedDuration;

use crate::console::desk::Desk;
use crate::console::error::PageError;
use crate::report::filter::{Filter, TimeRange};
use crate::report::format::html::hours::{self, Hours};
use crate::report::store::{Bucket, trend};

/// A query or a form: names and values, as they were sent.
pub(crate) type Pairs = Vec<(String, String)>;

/// The value of a field; empty if there is none.
pub(crate) fn value<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
}

/// Groups drawn in colours of their own.
const DRAWN: u64 = 6;

/// Failures by hour of the groups that a filter leaves, for so many hours.
fn chart(desk: &Desk<'_>, filter: Filter, hours: i64) -> Result<String, PageError> {
    let since = desk.now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(desk.now);
    let window = TimeRange { since, until: desk.now };
    let all = Filter { since: Some(since), limit: None, ..filter };
    let by_group = Filter { by: Some("group".to_owned()), limit: Some(DRAWN), ..all.clone() };
    let by_group = trend(&desk.view(&by_group)?, &Bucket::Hour, window)?.rows;
    let of_all = trend(&desk.view(&all)?, &Bucket::Hour, window)?.rows;
    let mut drawn = String::new();
    if of_all.iter().any(|hour| hour.failures > 0) {
        let hours = Hours { window: &window, by_group: &by_group, of_all: &of_all };
        hours::draw(hours, &desk.look(), &mut drawn);
    }
    Ok(drawn)
}
