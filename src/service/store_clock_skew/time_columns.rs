//! Every column of the ledger that holds a time, and how one that lies ahead of now is set right.
//!
//! A test holds this list and `NO_TIMES` against the schema: each column of whole numbers must be in one of them.

use crate::model::batch::LONGEST_REST;
use crate::model::time::DAY;

/// How a time is set right once the host's clock, which was ahead when it was written, has been set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnRepair {
    /// A moment that was: it was now at the latest.
    Past,
    /// The end of what began at another column of its row: where that moment is set right, the end keeps its distance.
    /// An end that a user asked for at the right time stays, however far ahead it is.
    EndOf(&'static str),
    /// As [`ColumnRepair::EndOf`], and never further ahead than so many milliseconds, the longest that the worker asks for.
    EndWithin(&'static str, i64),
    /// By statements of its own in the module above.
    Own,
    /// By statements of its own in `events`: it is counted by the hour.
    Event,
    /// It stays, for this reason.
    Stays(&'static str),
}

use ColumnRepair::{EndOf, EndWithin, Event, Own, Past, Stays};

const OF_THE_API: &str = "LlamaCloud's own clock wrote it";

/// A table's name and the columns of it that hold times.
type Table = (&'static str, &'static [(&'static str, ColumnRepair)]);

/// All of them.
pub(crate) const TIMES: &[Table] = &[
    ("project", &[("first_seen", Past), ("list_read_at", Past)]),
    ("scan", &[("started_at", Past), ("finished_at", Past)]),
    (
        "batch",
        &[
            ("created_at", Stays(OF_THE_API)),
            ("updated_at", Stays(OF_THE_API)),
            ("started_at", Stays(OF_THE_API)),
            ("completed_at", Stays(OF_THE_API)),
            ("first_seen", Past),
            ("last_seen", Past),
            ("listed_at", Past),
            ("odd_since", Past),
            ("relist_at", EndWithin("listed_at", LONGEST_REST)),
            ("gone_at", Past),
        ],
    ),
    ("error_group", &[("first_seen", Event), ("last_seen", Event), ("resumed_at", Past)]),
    ("item", &[("first_seen", Event), ("last_seen", Event), ("recovered_at", Event), ("answered_until", Event)]),
    (
        "observation",
        &[
            ("started_at", Stays(OF_THE_API)),
            ("completed_at", Stays(OF_THE_API)),
            ("effective_at", Stays(OF_THE_API)),
            ("event_at", Event),
            ("first_seen", Event),
            ("last_seen", Event),
        ],
    ),
    ("group_hour", &[("hour", Event)]),
    ("item_hour", &[("hour", Event)]),
    ("recovery_hour", &[("hour", Stays("triggers move it with item.recovered_at"))]),
    // One that closed as quiet opens again: by the right time it may not be quiet.
    ("episode", &[("opened_at", Past), ("noticed_at", Past), ("closed_at", Own)]),
    ("announcement", &[("announced_at", Past)]),
    ("channel", &[("since", Past), ("gone_at", Past)]),
    ("project_api", &[("since", Past), ("asked_at", Past)]),
    ("unread", &[("since", Past), ("at", Past), ("until", EndWithin("at", DAY))]),
    ("escalation", &[("fired_at", Past), ("above_at", Past)]),
    ("digest", &[("created_at", Past)]),
    (
        "delivery",
        &[
            ("not_before", EndWithin("created_at", DAY + DAY / 10)),
            // Of a try under way; of a dead one, how long its news is carried.
            ("lease_until", Own),
            // What waits unsent is dated anew with it.
            ("created_at", Own),
            ("sent_at", Past),
        ],
    ),
    ("silence", &[("created_at", Past), ("expires_at", EndOf("created_at")), ("ended_at", Past)]),
    // One that ended with an episode which opens again holds again.
    ("ack", &[("created_at", Past), ("expires_at", EndOf("created_at")), ("ended_at", Own)]),
    ("note", &[("created_at", Past)]),
    ("audit", &[("at", Past)]),
    ("worker_fault", &[("since", Past), ("last_seen", Past), ("ended_at", Past), ("over_told", Past)]),
    // Work that is due later comes again.
    ("run", &[("due_at", Own), ("ran_at", Past)]),
    ("pager_alert", &[("opened_at", Past), ("resolved_at", Past)]),
    ("incident", &[("started_at", Past), ("noticed_at", Past), ("last_failure_at", Past), ("ended_at", Past)]),
    ("onset", &[("at", Past), ("noticed_at", Past)]),
    // How long ago it was made or approved is not known: it is too old to be executed.
    ("plan", &[("created_at", Own), ("expires_at", Own), ("applied_at", Own), ("executed_at", Past)]),
    (
        "intent",
        &[
            ("created_at", Past),
            ("posting_at", Past),
            ("settled_at", Past),
            ("checked_at", Past),
            ("clean_since", Past),
        ],
    ),
    ("attempt", &[("started_at", Past), ("finished_at", Past)]),
    (
        "account",
        &[("stopped_since", Past), ("moved_at", Past), ("wait_until", EndWithin("asked_at", DAY)), ("asked_at", Past)],
    ),
    ("learnt_config", &[("learnt_at", Past)]),
    ("cause", &[("asked_at", Past)]),
];

/// The names of times in the table `meta`, which are moments that were.
pub(crate) const META: [&str; 3] = ["first_start", "told_until", "clock"];

/// Whole numbers that are no times: keys, counts, flags and hashes, in any table.
#[cfg(test)]
const NO_TIMES: &[&str] = &[
    "above",
    "active",
    "attempts",
    "baseline",
    "batch_key",
    "batches_known",
    "compared",
    "batches_listed",
    "batches_read",
    "before",
    "cause_asked",
    "class_percent",
    "clean_listings",
    "complete",
    "content",
    "count",
    "counts",
    "end_announced",
    "ended_items",
    "episode",
    "escalated",
    "failed_items",
    "failures",
    "greeted",
    "grouping_version",
    "hash",
    "identity",
    "in_vain",
    "item_count",
    "items",
    "items_listed",
    "items_new",
    "judged_failures",
    "judged_open",
    "late",
    "missed",
    "n",
    "open_items",
    "ordinal",
    "page",
    "paged",
    "pager",
    "parameters_refused",
    "present",
    "processed_items",
    "project_key",
    "requests",
    "said",
    "scans",
    "scheduled",
    "skipped_items",
    "status",
    "tier",
    "total_items",
    "uncertain",
    "unclear_items",
    "unreadable",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ledger::open;

    fn schema() -> BTreeSet<(String, String)> {
        let connection = open::in_memory();
        let mut statement = connection
            .prepare(
                "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
                 WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND c.type = 'INTEGER'",
            )
            .unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    fn is_no_time(column: &str) -> bool {
        column.ends_with("_key")
            || column.ends_with("_id")
            || column == "merged_into"
            || column == "group_after"
            || NO_TIMES.contains(&column)
    }

    #[test]
    fn every_whole_number_of_the_schema_is_a_listed_time_or_no_time() {
        let listed: BTreeSet<(String, String)> = TIMES
            .iter()
            .flat_map(|(table, columns)| columns.iter().map(|(column, _)| ((*table).to_owned(), (*column).to_owned())))
            .collect();
        let schema = schema();
        let unknown: Vec<_> = schema.iter().filter(|(_, column)| !is_no_time(column)).collect();
        let forgotten: Vec<_> = unknown.iter().filter(|column| !listed.contains(column)).collect();
        assert!(forgotten.is_empty(), "say in TIMES how these are set right, or list them in NO_TIMES: {forgotten:?}");
        let gone: Vec<_> = listed.iter().filter(|column| !schema.contains(column)).collect();
        assert!(gone.is_empty(), "there are no such columns: {gone:?}");
        let both: Vec<_> = listed.iter().filter(|(_, column)| is_no_time(column)).collect();
        assert!(both.is_empty(), "in both lists: {both:?}");
    }

    #[test]
    fn an_end_names_a_beginning_that_is_set_right() {
        for (table, columns) in TIMES {
            let begins = |name| columns.iter().any(|(column, repair)| *column == name && matches!(repair, Past | Own));
            for (column, repair) in *columns {
                if let EndOf(from) | EndWithin(from, _) = repair {
                    assert!(begins(*from), "{table}.{column} ends {from}");
                }
            }
        }
    }
}
