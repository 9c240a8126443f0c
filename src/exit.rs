//! Exit codes: what scripts and systemd may rely on.

use std::process::ExitCode;

use crate::actions::act::ActError;
use crate::commands::report::outcome::ReportOutcome;
use crate::config::load::ConfigError;
use crate::ledger::error::LedgerError;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done; an empty answer is done, too.
    Done = 0,
    /// Something failed at run time.
    Failed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// No such id.
    NotFound = 3,
    /// The ledger is missing, unreadable or newer than the program.
    Ledger = 4,
    /// The ledger is older than `--require-fresh` allows.
    Stale = 5,
    /// The condition of `--fail-if` holds.
    Matched = 10,
    /// The configuration has mistakes (`EX_CONFIG`); systemd does not restart for this one.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl From<&ReportOutcome> for Exit {
    fn from(outcome: &ReportOutcome) -> Exit {
        match outcome {
            ReportOutcome::Done => Exit::Done,
            ReportOutcome::Failed(_) => Exit::Failed,
            ReportOutcome::Usage(_) => Exit::Usage,
            ReportOutcome::NotFound(_) => Exit::NotFound,
            ReportOutcome::Ledger(_) => Exit::Ledger,
            ReportOutcome::Stale(_) => Exit::Stale,
            ReportOutcome::FailIf(_) => Exit::Matched,
        }
    }
}

/// The exit code for an error that reached `main`.
pub(crate) fn from_error(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if cause.is::<ConfigError>() {
            return Exit::Config;
        }
        if let Some(act) = cause.downcast_ref::<ActError>() {
            match act {
                ActError::NotFound(_) | ActError::Several(_) => return Exit::NotFound,
                ActError::Refused(_) => return Exit::Usage,
                ActError::Ledger(_) => {}
            }
        }
        if let Some(ledger) = cause.downcast_ref::<LedgerError>() {
            return match ledger {
                LedgerError::Missing(_)
                | LedgerError::Newer { .. }
                | LedgerError::Older { .. }
                | LedgerError::Denied { .. }
                | LedgerError::File { .. }
                | LedgerError::Corrupt(_)
                | LedgerError::Migration(_) => Exit::Ledger,
                LedgerError::Sqlite(sqlite) if is_unreadable(sqlite) => Exit::Ledger,
                _ => Exit::Failed,
            };
        }
    }
    Exit::Failed
}

fn is_unreadable(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(CannotOpen | DatabaseCorrupt | NotADatabase))
}
