//! The digest's line about retries: what is left of the budgets, and what holds retries back.

use jiff::Timestamp;

use super::facts::limits;
use super::{Hold, Reprocess, Summary};
use crate::config::reprocess::Mode;
use crate::ledger::{LedgerError, breaker, gate, spent};

impl Reprocess<'_> {
    /// "430 of 500 retries left today, 190 of 200 this hour; the breakers of 2 groups are open"; none where nothing is retried by itself.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(super) async fn budget_line(&self, summary: &Summary, now: Timestamp) -> Result<Option<String>, LedgerError> {
        if self.config.mode == Mode::Off {
            return Ok(None);
        }
        let (spent, gates, resting) = self
            .ledger
            .read(move |connection| {
                let resting = breaker::resting(connection)?.into_iter().filter(|group| now < group.until).count();
                Ok((spent::until(connection, now)?, gate::closed(connection)?, resting))
            })
            .await?;
        let limits = limits(self.config);
        let mut line = format!(
            "{} of {} retries left today, {} of {} this hour",
            limits.per_day.saturating_sub(spent.day),
            limits.per_day,
            limits.per_hour.saturating_sub(spent.hour),
            limits.per_hour
        );
        if summary.would_cost > 0.0 {
            line.push_str(&format!("; what would be retried costs about {:.0} credits", summary.would_cost));
        }
        match resting {
            0 => {}
            1 => line.push_str("; the breaker of 1 group is open"),
            more => line.push_str(&format!("; the breakers of {more} groups are open")),
        }
        for hold in gates.iter().filter_map(|(project, stored)| Hold::of(project, stored)) {
            let why = hold.why.unwrap_or(hold.state);
            line.push_str(&format!("; retries of project {} are held ({why})", hold.project));
        }
        Ok(Some(line))
    }
}
