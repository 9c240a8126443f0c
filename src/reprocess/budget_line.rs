//! The digest's line about retries: what is left of the budgets, and what holds retries back.

use jiff::Timestamp;

use crate::config::reprocess::Mode;
use crate::ledger::error::LedgerError;
use crate::model::text::count;
use crate::reprocess::facts::limits;
use crate::reprocess::policy::group::{GroupFacts, Turn};
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::store::{account, budget_usage, history};
use crate::reprocess::{Reprocess, Summary};

impl Reprocess<'_> {
    /// The digest's line about retries, for a digest that is made without a step of retries before it.
    ///
    /// # Errors
    /// The ledger refuses.
    pub async fn budget(&self, now: Timestamp) -> Result<Option<String>, LedgerError> {
        self.budget_line(&Summary::default(), now).await
    }

    /// "430 of 500 retries left today, 190 of 200 this hour; 7 items in g-… need a decision"; none in mode `off`.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn budget_line(&self, summary: &Summary, now: Timestamp) -> Result<Option<String>, LedgerError> {
        if self.config.mode == Mode::Off {
            return Ok(None);
        }
        let limits = limits(self.config);
        let (spent, accounts, groups) = self
            .ledger
            .read(move |connection| {
                let groups = history::retried(connection)?;
                Ok((budget_usage::until(connection, now)?, account::stopped(connection)?, groups))
            })
            .await?;
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
        line.push_str(&waiting_for_decisions(&groups, &limits, now));
        for (project, stored) in accounts {
            let why = stored.why.unwrap_or_default();
            line.push_str(&format!("; retries of project {project} are stopped ({why})"));
        }
        Ok(Some(line))
    }
}

/// Groups that the line names; `reprocess status` has all.
const MOST_NAMED: usize = 3;

/// The groups of which all probes were lost: nothing of them is retried again before a person decides.
fn waiting_for_decisions(groups: &[(String, GroupFacts)], limits: &Limits, now: Timestamp) -> String {
    let waits = |group: &&GroupFacts| matches!(group.outlook(limits, now).turn, Turn::PersonDecides { .. });
    let waiting: Vec<&GroupFacts> = groups.iter().map(|(_, group)| group).filter(waits).collect();
    let Some(first) = waiting.first() else { return String::new() };
    let items: u64 = waiting.iter().map(|group| u64::from(group.open())).sum();
    let named: Vec<&str> = waiting.iter().take(MOST_NAMED).map(|group| group.group_id.as_str()).collect();
    let more = match waiting.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "; {} in {}{more} need a decision, because every probe was lost: `llama-triage reprocess resume {} --reason TEXT` tries again",
        count(items, "item", "items"),
        named.join(", "),
        first.group_id
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reprocess::policy::belief::{Prior, Try, TryResult};

    #[test]
    fn groups_that_need_a_decision_are_named() {
        let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
        let lost = |n: u32, probes: i64| {
            let lost =
                |hour| Try { number: 1, started_at: at(hour), ended_at: Some(at(hour + 1)), result: TryResult::Lost };
            let tries = (0..probes).map(|n| lost(n * 2)).collect();
            ("prod".to_owned(), GroupFacts { tries, ..GroupFacts::untried(&format!("g-{n}"), Prior::Open, n) })
        };
        let said = |groups: &[(String, GroupFacts)]| waiting_for_decisions(groups, &Limits::default(), at(1000));
        assert_eq!(said(&[lost(12, 5)]), "");
        let said = said(&[1, 2, 3, 4, 5].map(|n| lost(n, 3)));
        assert!(said.starts_with("; 15 items in g-1, g-2, g-3 and 2 more need a decision"), "{said}");
        assert!(said.contains("reprocess resume g-1 --reason"), "{said}");
    }
}
