//! From rows of the ledger to the facts that the policy decides on.

use std::collections::{BTreeMap, BTreeSet};

use crate::classify::classifier::SET_BY_HAND;
use crate::classify::rules::decide::{Decision, FailureFacts};
use crate::config::reprocess::ReprocessConfig;
use crate::ledger::Connection;
use crate::ledger::error::LedgerError;
use crate::model::class::Class;
use crate::reprocess::Reprocess;
use crate::reprocess::account::hold_of;
use crate::reprocess::policy::group::GroupFacts;
use crate::reprocess::policy::item::{Item, Said};
use crate::reprocess::policy::plan::Facts;
use crate::reprocess::policy::plan::class_of;
use crate::reprocess::store::history::{self, Asked};
use crate::reprocess::store::items::{self, Which};
use crate::reprocess::store::{account, budget_usage, project_health};

impl<'w> Reprocess<'w> {
    /// The items that are asked for, each with its class and how it is resubmitted.
    ///
    /// # Errors
    /// The ledger refuses, or a `[[reprocess.job-config]]` cannot be used.
    pub(crate) async fn items(&self, which: Which) -> anyhow::Result<Vec<Item>> {
        let mut items = self.ledger.read(move |connection| items::items(connection, &which)).await?;
        for item in &mut items {
            item.class = self.judge(&item.said, &item.job_type).class;
            item.api = self.project(&item.project).map(|watched| watched.source.api_to_resubmit(&item.batch_id));
        }
        self.find_configs(&mut items).await?;
        Ok(items)
    }

    /// The facts about items of a project.
    pub(crate) async fn facts(&self, project: &str, items: Vec<Item>) -> Result<Facts, LedgerError> {
        let (project, config, now) = (project.to_owned(), self.config.clone(), self.now);
        let read = move |connection: &Connection| {
            let for_the_account = items.iter().filter(|item| item.class == Class::Account);
            let completed_at = match for_the_account.map(|item| item.failed_at).max() {
                Some(since) => project_health::completion_since(connection, &project, since)?,
                None => None,
            };
            Ok(Facts {
                groups: groups(connection, &project, &items, &config)?,
                stopped_since: account::get(connection, &project)?.stopped_since,
                completed_at,
                hold: hold_of(connection, &project, now)?,
                spent: budget_usage::until(connection, now)?,
                items,
            })
        };
        self.ledger.read(read).await
    }

    /// What a person said of its group, else what the rules say of a failure or skip.
    pub(crate) fn judge(&self, said: &Said, job_type: &str) -> Decision<'w> {
        let decision = self.rules.classify(&FailureFacts {
            kind: said.kind,
            message: &said.message,
            item_name: Some(&said.item_name),
            skip_reason: said.skip_reason.as_deref(),
            job_type,
            cause_code: said.cause_code.as_deref(),
            cause_text: said.cause_text.as_deref(),
        });
        match said.set_class.as_deref().and_then(|class| Class::try_from(class).ok()) {
            Some(class) => Decision { class, rule: Some(SET_BY_HAND), ..decision },
            None => decision,
        }
    }
}

/// The items of each project.
pub(crate) fn by_project(items: Vec<Item>) -> BTreeMap<String, Vec<Item>> {
    let mut projects: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    items.into_iter().for_each(|item| projects.entry(item.project.clone()).or_default().push(item));
    projects
}

/// The groups of these items with their retries under the parameters that the items would be retried with.
fn groups(
    connection: &Connection,
    project: &str,
    items: &[Item],
    config: &ReprocessConfig,
) -> Result<Vec<GroupFacts>, LedgerError> {
    let mut by_group: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    items.iter().for_each(|item| by_group.entry(&item.group_id).or_default().push(item));
    let mut groups = Vec::with_capacity(by_group.len());
    for (group_id, items) in by_group {
        let hashes: BTreeSet<&str> = items.iter().filter_map(|item| item.config_hash()).collect();
        let asked = Asked { group_id, project, parameters: Some(&hashes) };
        let group = history::of_group(connection, asked)?;
        groups.extend(group.map(|group| GroupFacts { class: class_of(&items, config), ..group }));
    }
    Ok(groups)
}
