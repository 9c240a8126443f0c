//! How a report went, and which exit code says so.

use crate::ledger::error::LedgerError;
use crate::report::format::ReportError;
use crate::report::store::QueryError;

/// How a report went.
#[derive(Debug)]
pub enum ReportOutcome {
    /// Answered, also when the answer is empty. Exit code 0.
    Done,
    /// Something failed. Exit code 1.
    Failed(anyhow::Error),
    /// The question makes no sense. Exit code 2.
    Usage(String),
    /// An id is not there, or a shortened one fits several. Exit code 3.
    NotFound(String),
    /// The ledger is missing, unreadable, older or newer. Exit code 4.
    Ledger(LedgerError),
    /// Answered, but the ledger is older than `--require-fresh` allows. Exit code 5.
    Stale(String),
    /// Answered, and this `--fail-if` holds. Exit code 10.
    FailIf(String),
}

impl ReportOutcome {
    /// The exit code of the contract.
    pub fn code(&self) -> u8 {
        match self {
            ReportOutcome::Done => 0,
            ReportOutcome::Failed(_) => 1,
            ReportOutcome::Usage(_) => 2,
            ReportOutcome::NotFound(_) => 3,
            ReportOutcome::Ledger(_) => 4,
            ReportOutcome::Stale(_) => 5,
            ReportOutcome::FailIf(_) => 10,
        }
    }

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
            ReportOutcome::FailIf(condition) => Some(format!("{condition} holds")),
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
