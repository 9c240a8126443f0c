//! How a report went.

use crate::ledger::error::LedgerError;
use crate::report::format::ReportError;
use crate::report::store::QueryError;

/// How a report went.
#[derive(Debug)]
pub enum ReportOutcome {
    /// Answered, also when the answer is empty.
    Done,
    /// Something failed.
    Failed(anyhow::Error),
    /// The arguments are invalid.
    Usage(String),
    /// An id is not there, or a shortened one fits several.
    NotFound(String),
    /// The ledger is missing, unreadable, older or newer.
    Ledger(LedgerError),
    /// Answered, but the ledger is older than `--require-fresh` allows.
    Stale(String),
    /// Answered, and this `--fail-if` holds.
    FailIf(String),
}

impl ReportOutcome {
    /// What to tell on standard error; none when all is done.
    pub fn message(&self) -> Option<String> {
        match self {
            ReportOutcome::Done => None,
            ReportOutcome::Failed(error) => Some(format!("{error:#}")),
            ReportOutcome::Usage(text) | ReportOutcome::NotFound(text) => Some(text.clone()),
            ReportOutcome::Ledger(error) => {
                let source = std::error::Error::source(error);
                let source = source.map_or_else(String::new, |source| format!(": {source}"));
                Some(format!("{error}{source}"))
            }
            ReportOutcome::Stale(text) => Some(format!("stale: {text}")),
            ReportOutcome::FailIf(condition) => Some(format!("--fail-if {condition} matched")),
        }
    }

    pub(crate) fn ledger(error: LedgerError) -> ReportOutcome {
        ReportOutcome::Ledger(error)
    }

    pub(crate) fn failed(error: impl Into<anyhow::Error>) -> ReportOutcome {
        ReportOutcome::Failed(error.into())
    }

    pub(crate) fn usage(error: impl std::fmt::Display) -> ReportOutcome {
        ReportOutcome::Usage(error.to_string())
    }
}

impl From<QueryError> for ReportOutcome {
    fn from(error: QueryError) -> ReportOutcome {
        match error {
            QueryError::Ledger(error) => ReportOutcome::Ledger(error),
            QueryError::NotFound { .. } | QueryError::Ambiguous { .. } => ReportOutcome::NotFound(error.to_string()),
            QueryError::Statement(_) => ReportOutcome::Usage(error.to_string()),
            QueryError::TooSlow(_) | QueryError::TooLarge { .. } => ReportOutcome::failed(error),
        }
    }
}

impl From<ReportError> for ReportOutcome {
    fn from(error: ReportError) -> ReportOutcome {
        match error {
            ReportError::Column { .. } | ReportError::ColumnsOfJson(_) => ReportOutcome::usage(error),
            error => ReportOutcome::failed(error),
        }
    }
}
