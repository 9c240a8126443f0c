//! Problems reported for items that wait: exhausted budgets, missing job configurations.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::ledger::error::LedgerError;
use crate::ledger::fault;
use crate::model::class::Class;
use crate::model::text::count;
use crate::reprocess::Reprocess;
use crate::reprocess::intents::job_config::JobConfigs;
use crate::reprocess::policy::budget::Budget;
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::store::retriable::Retriable;
use crate::reprocess::store::{abandoned, intent};

/// Worker faults of items without a known job configuration, by project.
const MISSING: &str = "job-config:";
/// Worker faults of projects whose POSTs make no batch.
const UNHEARD: &str = "unheard:";
/// So many tries in a row that made no batch are no accident.
const ENOUGH_UNHEARD: u32 = 3;
/// Worker faults of projects that were removed from the configuration while retries of theirs were under way.
const ORPHAN: &str = "orphan:";
/// Worker faults of budgets.
const BUDGET: &str = "budget:";

impl Reprocess<'_> {
    /// Reports which budgets of a day are exhausted, and ends the report when they are not any more.
    pub(crate) async fn tell_budgets(&self, left_out: &[Exclusion], now: Timestamp) -> Result<(), LedgerError> {
        let mut faults = BTreeMap::new();
        for budget in [Budget::PerDay, Budget::PerGroupPerDay, Budget::CreditsPerDay, Budget::MaxShare] {
            let waiting = left_out.iter().filter(|one| **one == Exclusion::Budget { budget }).count();
            if waiting > 0 {
                let text = format!("{budget} budget of retries exhausted: {waiting} items wait");
                faults.insert(budget.to_string(), text);
            }
        }
        self.ledger.write(move |tx| fault::replace(tx, BUDGET, &faults, now)).await
    }

    /// Reports items whose job configuration LlamaCloud does not show: only a person can give it.
    pub(crate) async fn tell_missing(
        &self,
        rows: &[Retriable],
        configs: &JobConfigs,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let mut missing: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
        // Items of class `config` wait for other parameters anyhow.
        for row in rows.iter().filter(|row| self.class_of(row) != Class::Config) {
            if let Some(why) = configs.missing(row) {
                missing.entry(&row.project).or_insert((0, why)).0 += 1;
            }
        }
        let faults = missing.into_iter().map(|(project, (items, why))| {
            let items = count(items, "item", "items");
            let text = format!(
                "{items} of project {project} cannot be retried, because their job config is not known ({why}): add a [[reprocess.job-config]]"
            );
            (project.to_owned(), text)
        });
        let faults = faults.collect();
        self.ledger.write(move |tx| fault::replace(tx, MISSING, &faults, now)).await
    }

    /// Reports a project whose POSTs make no batch, one after the other: each is given up safely, so nothing else would show it.
    pub(crate) async fn tell_unheard(&self, now: Timestamp) -> Result<(), LedgerError> {
        self.ledger
            .write(move |tx| {
                let unheard = abandoned::unheard(tx, now - SignedDuration::from_hours(24))?.into_iter();
                let faults = unheard.filter(|(_, tries)| *tries >= ENOUGH_UNHEARD).map(|(project, tries)| {
                    let text = format!(
                        "the last {tries} retries of project {project} made no batch: see each in `llama-triage reprocess status`"
                    );
                    (project, text)
                });
                fault::replace(tx, UNHEARD, &faults.collect(), now)
            })
            .await
    }

    /// Reports the projects that are not in the configuration any more and have retries that are not over.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn tell_orphans(&self, now: Timestamp) -> Result<(), LedgerError> {
        let mut orphans: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for intent in self.ledger.read(intent::unsettled).await? {
            if self.project(&intent.project).is_none() {
                orphans.entry(intent.project).or_default().push(intent.intent_id);
            }
        }
        let faults = orphans.into_iter().map(|(project, intents)| {
            let text = format!(
                "project {project} is no longer in the configuration, and the outcome of its retries cannot be requested ({}): add it again under this name, or end each with `llama-triage reprocess give-up ID --reason TEXT`",
                intents.join(", ")
            );
            (project, text)
        });
        let faults = faults.collect();
        self.ledger.write(move |tx| fault::replace(tx, ORPHAN, &faults, now)).await
    }

    /// Ends the reports about what waits once nothing is retried automatically.
    pub(crate) async fn tell_nothing(&self, now: Timestamp) -> Result<(), LedgerError> {
        let nothing = BTreeMap::new();
        self.ledger
            .write(move |tx| [BUDGET, MISSING].iter().try_for_each(|prefix| fault::replace(tx, prefix, &nothing, now)))
            .await
    }
}
