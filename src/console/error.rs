//! Why a page cannot be shown.

use crate::actions::act::ActError;
use crate::ledger::error::LedgerError;
use crate::report::store::QueryError;

/// Why a page cannot be shown or an act was not done. Texts are fragments for people.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// There is no such thing.
    #[error("no {0}")]
    NotFound(String),
    /// A shortened id is ambiguous.
    #[error("{0}")]
    Several(String),
    /// It makes no sense as asked.
    #[error("{0}")]
    Refused(String),
    /// The user is not allowed to do this.
    #[error("{0}")]
    Forbidden(String),
    /// Too many ask at once, or the ledger is busy.
    #[error("{0}")]
    Busy(String),
    /// LlamaCloud does not answer as it should.
    #[error("{0}")]
    LlamaCloud(String),
    /// The ledger cannot be read.
    #[error("the ledger cannot be read")]
    Ledger(#[from] LedgerError),
    /// The console itself fails.
    #[error("the page cannot be rendered")]
    Internal(#[source] anyhow::Error),
}

impl From<QueryError> for PageError {
    fn from(error: QueryError) -> PageError {
        ActError::from(error).into()
    }
}

impl From<ActError> for PageError {
    fn from(error: ActError) -> PageError {
        match error {
            ActError::NotFound(what) => PageError::NotFound(what),
            ActError::Several(what) => PageError::Several(what),
            ActError::Refused(why) => PageError::Refused(why),
            ActError::Ledger(error) => PageError::Ledger(error),
        }
    }
}

impl From<minijinja::Error> for PageError {
    fn from(error: minijinja::Error) -> PageError {
        PageError::Internal(error.into())
    }
}

impl From<anyhow::Error> for PageError {
    fn from(error: anyhow::Error) -> PageError {
        match error.downcast::<ActError>() {
            Ok(act) => act.into(),
            Err(error) => match error.downcast::<LedgerError>() {
                Ok(ledger) => PageError::Ledger(ledger),
                Err(error) => PageError::Internal(error),
            },
        }
    }
}

impl PageError {
    /// The status of the answer.
    pub(crate) fn status(&self) -> u16 {
        match self {
            PageError::NotFound(_) | PageError::Several(_) => 404,
            PageError::Refused(_) => 422,
            PageError::Forbidden(_) => 403,
            PageError::Busy(_) => 503,
            PageError::LlamaCloud(_) => 502,
            PageError::Ledger(error) if error.is_transient() => 503,
            PageError::Ledger(_) | PageError::Internal(_) => 500,
        }
    }
}
