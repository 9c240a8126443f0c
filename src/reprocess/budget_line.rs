//! The digest's line about retries: what is left of the budgets, and what holds retries back.

use jiff::Timestamp;

use crate::config::reprocess::Mode;
use crate::ledger::error::LedgerError;
use crate::model::text::count;
use crate::reprocess::facts::limits;
use crate::reprocess::policy::group::{GroupFacts, Outlook};
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

    /// "430 of 500 retries left today, 190 of 200 this hour; a person decides about 7 items in g-…"; none in mode `off`.
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

/// What is not retried again before a person decides: whole groups, and documents of groups of which others recover.
fn waiting_for_decisions(groups: &[(String, GroupFacts)], limits: &Limits, now: Timestamp) -> String {
    let outlooks = groups.iter().map(|(_, group)| (group.group_id.as_str(), group.outlook(limits, now)));
    let undecided = outlooks.filter(|(_, outlook)| outlook.undecided() > 0);
    let (whole, parts): (Vec<_>, Vec<_>) = undecided.partition(|(_, outlook)| outlook.decision_since().is_some());
    let clauses = [(whole, "of which every probe was lost"), (parts, "that failed all tries")];
    clauses.into_iter().map(|(groups, why)| decision(&groups, why)).collect()
}

fn decision(groups: &[(&str, Outlook)], why: &str) -> String {
    let Some((first, _)) = groups.first() else { return String::new() };
    let items: u64 = groups.iter().map(|(_, outlook)| u64::from(outlook.undecided())).sum();
    let named: Vec<&str> = groups.iter().take(MOST_NAMED).map(|(group_id, _)| *group_id).collect();
    let more = match groups.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "; a person decides about {} in {}{more} {why}: `llama-triage reprocess resume {first} --reason TEXT` tries again",
        count(items, "item", "items"),
        named.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::class::Class;
    use crate::reprocess::policy::belief::{Try, TryResult};

    #[test]
    fn groups_that_need_a_decision_are_named() {
        let at = |hour: i64| Timestamp::from_second(hour * 3600).unwrap();
        let lost = |n: u32, probes: i64| {
            let lost =
                |hour| Try { number: 1, started_at: at(hour), ended_at: Some(at(hour + 1)), result: TryResult::Lost };
            let tries = (0..probes).map(|n| lost(n * 2)).collect();
            ("prod".to_owned(), GroupFacts { tries, ..GroupFacts::untried(&format!("g-{n}"), Class::Unknown, n) })
        };
        let said = |groups: &[(String, GroupFacts)]| waiting_for_decisions(groups, &Limits::default(), at(1000));
        assert_eq!(said(&[lost(12, 5)]), "");
        let decided = said(&[1, 2, 3, 4, 5].map(|n| lost(n, 3)));
        assert!(
            decided.starts_with("; a person decides about 15 items in g-1, g-2, g-3 and 2 more of which every"),
            "{decided}"
        );
        assert!(decided.contains("reprocess resume g-1 --reason"), "{decided}");
        // Six of twelve went on, and three of those failed all their tries.
        let mut recovering = lost(12, 0);
        recovering.1.failed = [2, 1, 3];
        assert_eq!(
            said(&[recovering.clone()]),
            "; a person decides about 3 items in g-12 that failed all tries: `llama-triage reprocess resume g-12 --reason TEXT` tries again"
        );
        // Of a class that only people retry there is nothing to decide.
        recovering.1.class = Class::PermanentInput;
        assert_eq!(said(&[recovering]), "");
    }
}
