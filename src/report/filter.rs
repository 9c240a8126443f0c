//! Filters, read and checked, with ids still as typed: the ledger resolves shortened ones.

use jiff::{SignedDuration, Timestamp};
use regex::Regex;
use serde::Serialize;

use crate::model::item::Kind;
use crate::model::time::HOUR;

/// What a report is narrowed to. An empty list means no narrowing.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Filter {
    /// From this time on, event time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Before this time, event time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// States, in the words of the question.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<String>,
    /// Only deliveries that failed and have not succeeded since.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// What kind of problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub class: Vec<String>,
    /// Configured project names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub project: Vec<String>,
    /// Job types.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub job_type: Vec<String>,
    /// Directory ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub directory: Vec<String>,
    /// Batch ids, possibly shortened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub batch: Vec<String>,
    /// Group ids, possibly shortened.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group: Vec<String>,
    /// A glob over item names: `*`, `?`, `[…]`; case matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_name: Option<String>,
    /// A regular expression over error messages and skip reasons.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none", serialize_with = "pattern")]
    pub matching: Option<Regex>,
    /// How rows are put together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The order of rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// The most rows; none for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Rows before the first that is shown: pages of the console.
    #[serde(skip)]
    pub offset: u64,
    /// Words that the title or the template of a group has; only groups are narrowed by it.
    #[serde(skip)]
    pub words: Option<String>,
}

impl Filter {
    /// Whether it narrows by something that only single items know, so that a group's counters cannot answer.
    pub(crate) fn narrows_items(&self) -> bool {
        !self.project.is_empty() || self.needs_items()
    }

    /// Whether it narrows by something that no counter of items knows: only the items themselves can answer.
    pub(crate) fn needs_items(&self) -> bool {
        !(self.job_type.is_empty() && self.directory.is_empty() && self.batch.is_empty())
            || self.item_name.is_some()
            || self.matching.is_some()
    }

    /// The asked window, if one was asked; an open end is `now`.
    pub(crate) fn window(&self, now: Timestamp) -> Option<TimeRange> {
        let since = self.since?;
        Some(TimeRange { since, until: self.until.unwrap_or(now) })
    }

    /// As [`Filter::window`], with the last `hours` where nothing was asked.
    pub(crate) fn window_or(&self, now: Timestamp, hours: i64) -> TimeRange {
        let until = self.until.unwrap_or(now);
        let since = self
            .since
            .unwrap_or_else(|| until.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MIN));
        TimeRange { since, until }
    }

    /// The limit and the offset as SQL has them after `LIMIT`.
    pub(crate) fn sql_limit(&self) -> String {
        let limit = self.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        format!("{limit} OFFSET {}", i64::try_from(self.offset).unwrap_or(i64::MAX))
    }
}

/// From `since` on, before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TimeRange {
    /// The first instant in it.
    pub since: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
}

impl TimeRange {
    /// Its hours since 1970, the first to the last it touches, end not included.
    pub(crate) fn hours(&self) -> (i64, i64) {
        let from = self.since.as_millisecond().div_euclid(HOUR);
        let to = (self.until.as_millisecond() - 1).div_euclid(HOUR) + 1;
        (from, to.max(from))
    }
}

fn pattern<S: serde::Serializer>(regex: &Option<Regex>, to: S) -> Result<S::Ok, S::Error> {
    regex.as_ref().map(Regex::as_str).serialize(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_touches_the_hours_it_begins_and_ends_in() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let window = TimeRange { since: at("1970-01-01T01:30:00Z"), until: at("1970-01-01T03:00:00Z") };
        assert_eq!(window.hours(), (1, 3));
    }

    #[test]
    fn filters_show_only_what_was_asked() {
        let filter = Filter { matching: Some(Regex::new("time.?out").unwrap()), limit: Some(3), ..Filter::default() };
        assert_eq!(serde_json::to_string(&filter).unwrap(), r#"{"match":"time.?out","limit":3}"#);
    }
}
