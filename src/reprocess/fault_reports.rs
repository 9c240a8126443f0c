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
use crate::reprocess::store::abandoned;
use crate::reprocess::store::retriable::Retriable;

/// Worker faults of items without a known job configuration, by project.
const MISSING: &str = "job-config:";
/// Worker faults of projects whose POSTs make no batch.
const UNHEARD: &str = "unheard:";
/// So many tries in a row that made no batch are no accident.
const ENOUGH_UNHEARD: u32 = 3;
/// Worker faults of budgets.
const BUDGET: &str = "budget:";

impl Reprocess<'_> {
    /// Reports which budgets of a day are exhausted, and ends the report when they are not any more.
    pub(crate) async fn tell_budgets(&self, left_out: &[Exclusion], now: Timestamp) -> Result<(), LedgerError> {
        let told = [Budget::PerDay, Budget::PerGroupPerDay, Budget::CreditsPerDay, Budget::MaxShare].map(|budget| {
            let waiting = left_out.iter().filter(|one| **one == Exclusion::Budget { budget }).count();
            (
                format!("{BUDGET}{budget}"),
                format!("{budget} budget of retries exhausted: {waiting} items wait"),
                waiting,
            )
        });
        self.ledger
            .write(move |tx| {
                for (key, text, waiting) in told {
                    match waiting {
                        0 => fault::clear(tx, &key, now)?,
                        _ => fault::raise(tx, &key, &text, now)?,
                    }
                }
                Ok(())
            })
            .await
    }

    /// Reports items whose job configuration LlamaCloud does not show: only a person can give it.
    pub(crate) async fn tell_missing(
        &self,
        rows: &[Retriable],
        configs: &JobConfigs,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let mut missing: BTreeMap<String, (u64, String)> = BTreeMap::new();
        // Items of class `config` wait for other parameters anyhow.
        for row in rows.iter().filter(|row| self.class_of(row) != Class::Config) {
            if let Some(why) = configs.missing(row) {
                missing.entry(row.project.clone()).or_insert_with(|| (0, why.to_owned())).0 += 1;
            }
        }
        self.ledger
            .write(move |tx| {
                for key in fault::active_with_prefix(tx, MISSING)? {
                    if !missing.contains_key(&key[MISSING.len()..]) {
                        fault::clear(tx, &key, now)?;
                    }
                }
                for (project, (items, why)) in missing {
                    let text = format!(
                        "{} of project {project} cannot be retried, because their job config is not known ({why}): add a [[reprocess.job-config]]",
                        count(items, "item", "items")
                    );
                    fault::raise(tx, &format!("{MISSING}{project}"), &text, now)?;
                }
                Ok(())
            })
            .await
    }

    /// Reports a project whose POSTs make no batch, one after the other: each is given up safely, so nothing else would show it.
    pub(crate) async fn tell_unheard(&self, now: Timestamp) -> Result<(), LedgerError> {
        self.ledger
            .write(move |tx| {
                let mut unheard = abandoned::unheard(tx, now - SignedDuration::from_hours(24))?;
                unheard.retain(|(_, tries)| *tries >= ENOUGH_UNHEARD);
                for key in fault::active_with_prefix(tx, UNHEARD)? {
                    if unheard.iter().all(|(project, _)| key[UNHEARD.len()..] != *project) {
                        fault::clear(tx, &key, now)?;
                    }
                }
                for (project, tries) in unheard {
                    let text = format!(
                        "the last {tries} retries of project {project} made no batch: see each in `llama-triage reprocess status`"
                    );
                    fault::raise(tx, &format!("{UNHEARD}{project}"), &text, now)?;
                }
                Ok(())
            })
            .await
    }

    /// Ends all of these reports once nothing is retried automatically.
    pub(crate) async fn tell_nothing(&self, now: Timestamp) -> Result<(), LedgerError> {
        let told = |connection: &_| {
            Ok([fault::active_with_prefix(connection, BUDGET)?, fault::active_with_prefix(connection, MISSING)?])
        };
        let told = self.ledger.read(told).await?.concat();
        if told.is_empty() {
            return Ok(());
        }
        self.ledger.write(move |tx| told.iter().try_for_each(|key| fault::clear(tx, key, now))).await
    }
}
