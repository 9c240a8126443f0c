//! What people learn about retries beside their outcome: the digest's line about budgets and decisions, and problems of retries that
//! wait or are lost.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::config::reprocess::{Mode, ReprocessConfig};
use crate::ledger::error::LedgerError;
use crate::ledger::{Connection, fault};
use crate::model::class::Class;
use crate::model::text::count;
use crate::reprocess::Reprocess;
use crate::reprocess::policy::budget::Budget;
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::policy::group::{GroupFacts, Outlook};
use crate::reprocess::policy::item::Item;
use crate::reprocess::protocol::job_config::NoConfig;
use crate::reprocess::store::{account, budget_usage, history, intent};

/// So many tries in a row that made no batch are no accident.
const ENOUGH_UNHEARD: u32 = 3;

impl Reprocess<'_> {
    /// The items whose job configuration LlamaCloud does not show, so that only a person can give it: each with its project and why.
    /// Items of class `config` wait for other parameters anyhow.
    pub(crate) fn missing_configs(&self, items: &[Item]) -> Vec<(String, String)> {
        let missing = items.iter().filter(|item| item.class != Class::Config).filter_map(|item| match &item.config {
            Err(NoConfig::Nothing(why)) => Some((item.project.clone(), why.clone())),
            _ => None,
        });
        missing.collect()
    }

    /// Reports which budgets of a day are exhausted and which job configurations are missing, and ends the reports once none is.
    pub(crate) async fn report_waiting(
        &self,
        left_out: &[Exclusion],
        missing: &[(String, String)],
    ) -> Result<(), LedgerError> {
        let mut budgets = BTreeMap::new();
        for budget in [Budget::PerDay, Budget::PerGroupPerDay, Budget::CreditsPerDay, Budget::MaxShare] {
            let waiting = left_out.iter().filter(|one| **one == Exclusion::Budget(budget)).count();
            if waiting > 0 {
                let text = format!("{budget} budget of retries exhausted: {waiting} items wait");
                budgets.insert(budget.to_string(), text);
            }
        }
        let mut of_project: BTreeMap<&String, (u64, &String)> = BTreeMap::new();
        missing.iter().for_each(|(project, why)| of_project.entry(project).or_insert((0, why)).0 += 1);
        let configs = of_project.into_iter().map(|(project, (items, why))| {
            let items = count(items, "item", "items");
            let text = format!(
                "{items} of project {project} cannot be retried, because their job config is not known ({why}): add a [[reprocess.job-config]]"
            );
            (project.clone(), text)
        });
        let (configs, now) = (configs.collect(), self.now);
        let replace = move |tx: &crate::ledger::Transaction<'_>| {
            fault::replace(tx, "budget:", &budgets, now)?;
            fault::replace(tx, "job-config:", &configs, now)
        };
        self.ledger.write(replace).await
    }

    /// Reports projects whose POSTs make no batch, one after the other: each is given up safely, so nothing else would show it; and
    /// projects that are not in the configuration any more and have retries that are not over.
    pub(crate) async fn report_lost(&self) -> Result<(), LedgerError> {
        let configured: Vec<String> = self.projects.iter().map(|project| project.name.clone()).collect();
        let now = self.now;
        let replace = move |tx: &crate::ledger::Transaction<'_>| {
            let unheard = intent::unheard(tx, now - SignedDuration::from_hours(24))?.into_iter();
            let unheard = unheard.filter(|(_, tries)| *tries >= ENOUGH_UNHEARD).map(|(project, tries)| {
                let text = format!(
                    "the last {tries} retries of project {project} made no batch: see each in `llama-triage reprocess status`"
                );
                (project, text)
            });
            fault::replace(tx, "unheard:", &unheard.collect(), now)?;
            let mut orphans: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for intent in intent::unsettled(tx)?.into_iter().filter(|intent| !configured.contains(&intent.project)) {
                orphans.entry(intent.project).or_default().push(intent.intent_id);
            }
            let orphans = orphans.into_iter().map(|(project, intents)| {
                let text = format!(
                    "project {project} is no longer in the configuration, and the outcome of its retries cannot be requested ({}): add it again under this name, or end each with `llama-triage reprocess give-up ID --reason TEXT`",
                    intents.join(", ")
                );
                (project, text)
            });
            fault::replace(tx, "orphan:", &orphans.collect(), now)
        };
        self.ledger.write(replace).await
    }
}

impl Reprocess<'_> {
    /// "430 of 500 retries left today, 190 of 200 this hour; a person decides about 7 items in g-…"; none in mode `off`.
    ///
    /// # Errors
    /// The ledger refuses.
    pub async fn budget_line(&self) -> Result<Option<String>, LedgerError> {
        if self.config.mode == Mode::Off {
            return Ok(None);
        }
        let (config, summary, now) = (self.config, &self.summary, self.now);
        let read = move |connection: &Connection| {
            let spent = budget_usage::until(connection, now)?;
            Ok((spent, account::stopped(connection)?, history::retried(connection)?))
        };
        let (spent, accounts, groups) = self.ledger.read(read).await?;
        let mut line = format!(
            "{} of {} retries left today, {} of {} this hour",
            config.per_day.saturating_sub(spent.day),
            config.per_day,
            config.per_hour.saturating_sub(spent.hour),
            config.per_hour
        );
        if summary.would_cost > 0.0 {
            line.push_str(&format!("; what would be retried costs about {:.0} credits", summary.would_cost));
        }
        line.push_str(&waiting_for_decisions(&groups, config, now));
        for (project, account) in accounts {
            let why = account.why.unwrap_or_default();
            line.push_str(&format!("; retries of project {project} are stopped ({why})"));
        }
        Ok(Some(line))
    }
}

/// Groups that the line names; `reprocess status` has all.
const MOST_NAMED: usize = 3;

/// What is not retried again before a person decides: whole groups, and documents of groups of which others recover.
fn waiting_for_decisions(groups: &[(String, GroupFacts)], config: &ReprocessConfig, now: Timestamp) -> String {
    let outlooks = groups.iter().map(|(_, group)| (group.group_id.as_str(), group.outlook(config, now)));
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
        let said = |groups: &[(String, GroupFacts)]| {
            waiting_for_decisions(groups, &ReprocessConfig { mode: Mode::Auto, ..ReprocessConfig::default() }, at(1000))
        };
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
