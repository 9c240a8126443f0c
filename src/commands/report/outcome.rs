//! How a report went, and which exit code says so.

use crate::ledger::error::LedgerError;
use crate::report::format::ReportError;
use crate::report::store::QueryError;

/// How a report went.
#[derive(Debug)]
pub enum Outcome {
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

impl Outcome {
    /// The exit code of the contract.
    pub fn code(&self) -> u8 {
        match self {
            Outcome::Done => 0,
            Outcome::Failed(_) => 1,
            Outcome::Usage(_) => 2,
            Outcome::NotFound(_) => 3,
            Outcome::Ledger(_) => 4,
            Outcome::Stale(_) => 5,
            Outcome::FailIf(_) => 10,
        }
    }

    /// What to tell on standard error; none when all is done.
    pub fn message(&self) -> Option<String> {
        match self {
            Outcome::Done => None,
            Outcome::Failed(error) => Some(format!("{error:#}")),
            Outcome::Usage(text) | Outcome::NotFound(text) => Some(text.clone()),
            Outcome::Ledger(error) => {
                let source = std::error::Error::source(error);
                let source = source.map_or_else(String::new, |source| format!(": {source}"));
                Some(format!("{error}{source}"))
            }
            Outcome::Stale(text) => Some(format!("stale: {text}")),
            Outcome::FailIf(condition) => Some(format!("{condition} holds")),
        }
    }

    pub(crate) fn ledger(error: LedgerError) -> Outcome {
        Outcome::Ledger(error)
    }

    pub(crate) fn failed(error: impl Into<anyhow::Error>) -> Outcome {
        Outcome::Failed(error.into())
    }

    pub(crate) fn usage(error: impl std::fmt::Display) -> Outcome {
        Outcome::Usage(error.to_string())
    }
}

impl From<QueryError> for Outcome {
    fn from(error: QueryError) -> Outcome {
        match error {
            QueryError::Ledger(error) => Outcome::Ledger(error),
            QueryError::NotFound { .. } | QueryError::Ambiguous { .. } => Outcome::NotFound(error.to_string()),
            QueryError::Statement(_) => Outcome::Usage(error.to_string()),
            QueryError::TooSlow(_) | QueryError::TooLarge { .. } => Outcome::failed(error),
        }
    }
}

impl From<ReportError> for Outcome {
    fn from(error: ReportError) -> Outcome {
        match error {
            ReportError::Column { .. } | ReportError::ColumnsOfJson(_) => Outcome::usage(error),
            error => Outcome::failed(error),
        }
    }
}
