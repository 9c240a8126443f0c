//! An answer: its rows and what is said around them.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use crate::report::detail::{BatchDetail, GroupDetail, IncidentDetail, ItemDetail};
use crate::report::filter::{Filter, TimeRange};
use crate::report::format::layout::{AnswerLayout, ago, grouped};
use crate::report::history::{AttemptRow, AuditRow, DeliveryRow, DigestRow, MttrRow, RetryRow, SqlRow, TrendRow};
use crate::report::question::Question;
use crate::report::rows::{BatchRow, GroupRow, IncidentRow, ItemRow, MissingRow, SkipRow};
use crate::report::summary::SummaryRow;

/// An answer, ready to be written in any format.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// What is said around the rows.
    pub heading: Heading,
    /// The rows.
    pub rows: AnswerRows,
    /// What the page of the summary draws; none elsewhere.
    pub charts: Option<Charts>,
}

/// What is said around the rows.
#[derive(Clone, Debug)]
pub(crate) struct Heading {
    /// The question.
    pub question: Question,
    /// The ledger that was asked.
    pub ledger: PathBuf,
    /// When it was asked.
    pub generated_at: Timestamp,
    /// The end of the newest complete scan; none before the first.
    pub ledger_as_of: Option<Timestamp>,
    /// What was asked for.
    pub filter: Filter,
    /// How many match; none where that is not counted.
    pub matching: Option<u64>,
    /// How many of those are shown, where they are not the rows; else the rows are counted.
    pub shown: Option<u64>,
    /// More match than are shown, and no one counted how many.
    pub more: bool,
    /// The ledger was named by `--ledger`, and a command has to name it, too.
    pub is_ledger_named: bool,
}

impl Heading {
    /// A heading for this question to a ledger, with nothing narrowed and nothing left out.
    pub(crate) fn new(question: Question, ledger: PathBuf, generated_at: Timestamp) -> Heading {
        Heading {
            question,
            ledger,
            generated_at,
            ledger_as_of: None,
            filter: Filter::default(),
            matching: None,
            shown: None,
            more: false,
            is_ledger_named: false,
        }
    }

    /// "groups, most urgent first · ledger as of 2026-11-23 18:58 UTC (scan 4 min ago)".
    pub(crate) fn line(&self, look: &AnswerLayout) -> String {
        let order = self.order().map_or_else(String::new, |order| format!(", {order}"));
        format!("{}{order} · {}", self.question.as_str(), self.freshness(look))
    }

    /// How the rows are sorted; none where there is one row.
    pub(crate) fn order(&self) -> Option<&'static str> {
        self.question.order(self.filter.sort.as_deref(), self.filter.by.as_deref())
    }

    /// "ledger as of 2026-11-23 18:58 UTC (scan 4 min ago)".
    pub(crate) fn freshness(&self, look: &AnswerLayout) -> String {
        match self.ledger_as_of {
            Some(at) => {
                format!("data as of {} ({})", look.time_and_zone(at), ago(at, self.generated_at))
            }
            // The zone of all times that are shown stands nowhere else.
            None => format!("no complete scan yet (now {})", look.time_and_zone(self.generated_at)),
        }
    }

    /// How many match, where fewer are shown; none if all are shown, or no one counted.
    pub(crate) fn cut_from(&self, rows: &AnswerRows) -> Option<u64> {
        self.matching.filter(|all| *all > self.shown.unwrap_or(rows.len()))
    }

    /// Says how many rows are not shown; none if all are.
    pub(crate) fn left_out(&self, rows: &AnswerRows) -> Option<String> {
        let shown = grouped(self.shown.unwrap_or(rows.len()));
        match self.cut_from(rows) {
            Some(all) => Some(format!("{shown} of {} shown; --limit 0 shows all", grouped(all))),
            None if self.more => Some(format!("{shown} shown, more exist; --limit 0 shows all")),
            None => None,
        }
    }
}

impl AnswerRows {
    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        let len = match self {
            AnswerRows::Summary(_) | AnswerRows::Group(_) | AnswerRows::Incident(_) => 1,
            AnswerRows::Incidents(rows) => rows.len(),
            AnswerRows::Groups(rows) => rows.len(),
            AnswerRows::Items(rows) => rows.len(),
            AnswerRows::Item(rows) => rows.len(),
            AnswerRows::Batches(rows) => rows.len(),
            AnswerRows::Batch(rows) => rows.len(),
            AnswerRows::Skipped(rows) => rows.len(),
            AnswerRows::Missing(rows) => rows.len(),
            AnswerRows::Trend(rows) => rows.len(),
            AnswerRows::Attempts(rows) => rows.len(),
            AnswerRows::Retries(rows) => rows.len(),
            AnswerRows::Mttr(rows) => rows.len(),
            AnswerRows::Digests(rows) => rows.len(),
            AnswerRows::Deliveries(rows) => rows.len(),
            AnswerRows::Audit(rows) => rows.len(),
            AnswerRows::Sql { rows, .. } => rows.len(),
        };
        len as u64
    }

    /// Cuts a list; answers about one thing stay whole.
    pub(crate) fn truncate(&mut self, limit: Option<u64>) {
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.unwrap_or(usize::MAX);
        match self {
            AnswerRows::Summary(_) | AnswerRows::Group(_) | AnswerRows::Incident(_) => {}
            AnswerRows::Incidents(rows) => rows.truncate(limit),
            AnswerRows::Groups(rows) => rows.truncate(limit),
            AnswerRows::Items(rows) => rows.truncate(limit),
            AnswerRows::Item(rows) => rows.truncate(limit),
            AnswerRows::Batches(rows) => rows.truncate(limit),
            AnswerRows::Batch(rows) => rows.truncate(limit),
            AnswerRows::Skipped(rows) => rows.truncate(limit),
            AnswerRows::Missing(rows) => rows.truncate(limit),
            AnswerRows::Trend(rows) => rows.truncate(limit),
            AnswerRows::Attempts(rows) => rows.truncate(limit),
            AnswerRows::Retries(rows) => rows.truncate(limit),
            AnswerRows::Mttr(rows) => rows.truncate(limit),
            AnswerRows::Digests(rows) => rows.truncate(limit),
            AnswerRows::Deliveries(rows) => rows.truncate(limit),
            AnswerRows::Audit(rows) => rows.truncate(limit),
            AnswerRows::Sql { rows, .. } => rows.truncate(limit),
        }
    }
}

/// The rows of an answer.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum AnswerRows {
    Summary([Box<SummaryRow>; 1]),
    Groups(Vec<GroupRow>),
    Group([Box<GroupDetail>; 1]),
    Incidents(Vec<IncidentRow>),
    Incident([Box<IncidentDetail>; 1]),
    Items(Vec<ItemRow>),
    Item(Vec<ItemDetail>),
    Batches(Vec<BatchRow>),
    Batch(Vec<BatchDetail>),
    Skipped(Vec<SkipRow>),
    Missing(Vec<MissingRow>),
    Trend(Vec<TrendRow>),
    Attempts(Vec<AttemptRow>),
    Retries(Vec<RetryRow>),
    Mttr(Vec<MttrRow>),
    Digests(Vec<DigestRow>),
    Deliveries(Vec<DeliveryRow>),
    Audit(Vec<AuditRow>),
    Sql { names: Vec<String>, rows: Vec<SqlRow> },
}

/// What the page of the summary draws.
#[derive(Clone, Debug)]
pub(crate) struct Charts {
    /// The time drawn.
    pub window: TimeRange,
    /// Failures by hour of the groups that failed most in it, group by group.
    pub by_group: Vec<TrendRow>,
    /// Failures by hour of all groups.
    pub of_all: Vec<TrendRow>,
    /// The groups with failures in the window, most urgent first.
    pub groups: Vec<GroupRow>,
    /// Attempts by day, newest first.
    pub retries: Vec<RetryRow>,
    /// When each episode recovered, and how many seconds that took; oldest first.
    pub recoveries: Vec<(Timestamp, u64)>,
    /// Recovery by group.
    pub mttr: Vec<MttrRow>,
    /// The newest batches.
    pub batches: Vec<BatchRow>,
    /// Skip reasons.
    pub skipped: Vec<SkipRow>,
    /// How many groups, recoveries by group, batches and skip reasons there are; the lists may be cut.
    pub all: [u64; 4],
}
