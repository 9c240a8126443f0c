//! The end of a statement that SQLite cannot interrupt: one call of a function may take years.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::complain;
use crate::exit::Exit;
use crate::report::store::QueryError;

/// What SQLite gets on top, so that it ends a statement itself wherever it can.
const GRACE: Duration = Duration::from_secs(2);

/// Ends the process if it is not dropped in time. A report only reads, so nothing is lost.
pub(crate) struct TimeLimit {
    _dropped_in_time: Sender<()>,
}

impl TimeLimit {
    /// Starts to count.
    pub(crate) fn start(limit: Duration) -> TimeLimit {
        let (dropped_in_time, dropped) = channel();
        std::thread::spawn(move || {
            if dropped.recv_timeout(limit + GRACE) == Err(RecvTimeoutError::Timeout) {
                complain!("{}", QueryError::TooSlow(limit.as_secs()));
                std::process::exit(Exit::Failed as i32);
            }
        });
        TimeLimit { _dropped_in_time: dropped_in_time }
    }
}
