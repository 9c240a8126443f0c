//! From rows of the ledger to the facts that the core decides on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::classify::classifier::SET_BY_HAND;
use crate::classify::rules::decide::{Decision, FailureFacts};
use crate::config::reprocess::Mode;
use crate::ledger::error::LedgerError;
use crate::model::batch_api::BatchApi;
use crate::model::class::{Class, RuleKind};
use crate::reprocess::Reprocess;
use crate::reprocess::account::hold_of;
use crate::reprocess::intents::job_config::JobConfigs;
use crate::reprocess::policy::budget::Spent;
use crate::reprocess::policy::facts::ItemFacts;
use crate::reprocess::policy::group::GroupFacts;
use crate::reprocess::policy::hold::HoldReason;
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::policy::plan::{PlanInput, Selection, class_of};
use crate::reprocess::store::account::{self, StoredAccount};
use crate::reprocess::store::history::{self, Asked};
use crate::reprocess::store::retriable::{self, Retriable, Said, Which};
use crate::reprocess::store::{budget_usage, project_health};

/// All that one plan for one project depends on, beside the moment.
pub(crate) struct Facts {
    pub(crate) items: Vec<ItemFacts>,
    pub(crate) groups: Vec<GroupFacts>,
    pub(crate) stored_account: StoredAccount,
    pub(crate) completed_at: Option<Timestamp>,
    pub(crate) hold: Option<(HoldReason, Timestamp)>,
    pub(crate) spent: Spent,
}

impl Facts {
    /// What the policy decides on.
    pub(crate) fn input<'a>(&'a self, selection: Selection, limits: &'a Limits, now: Timestamp) -> PlanInput<'a> {
        PlanInput {
            now,
            selection,
            groups: &self.groups,
            items: &self.items,
            stopped_since: self.stored_account.account.stopped_since,
            completed_at: self.completed_at,
            hold: self.hold,
            spent: &self.spent,
            limits,
        }
    }
}

/// The limits of the configuration.
pub(crate) fn limits(config: &crate::config::reprocess::ReprocessConfig) -> Limits {
    Limits {
        per_run: config.per_run,
        per_hour: config.per_hour,
        per_day: config.per_day,
        per_group_per_day: config.per_group_per_day,
        max_share: config.max_share,
        attempts: config.attempts,
        delays: config.delays.clone(),
        rests: config.rests.clone(),
        share_floor: config.share_floor,
        credits_per_day: config.credits_per_day,
        attempts_in_life: config.attempts_in_life,
        worth: config.worth,
        probe_unknown: config.probes_unknown(),
        automatic: config.mode == Mode::Auto,
        ..Limits::default()
    }
}

/// What is resubmitted alike: items of one project through one API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    pub(crate) project: String,
    /// None if the project is not in the configuration any more.
    pub(crate) api: Option<BatchApi>,
}

impl Lane {
    fn of(row: &Retriable, configs: &JobConfigs) -> Lane {
        Lane { project: row.project.clone(), api: configs.api(row) }
    }
}

impl Reprocess<'_> {
    /// The rows of the items that are asked for.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn rows(&self, which: Which) -> Result<Vec<Retriable>, LedgerError> {
        self.ledger.read(move |connection| retriable::items(connection, &which)).await
    }

    /// The facts about the part of `rows` that is in one lane.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn facts(
        &self,
        lane: &Lane,
        rows: &[Retriable],
        configs: &JobConfigs,
        now: Timestamp,
    ) -> Result<Facts, LedgerError> {
        let rows: Vec<&Retriable> = rows.iter().filter(|row| Lane::of(row, configs) == *lane).collect();
        let items: Vec<ItemFacts> = rows.iter().map(|row| self.item(row, configs, now)).collect();
        let project = lane.project.clone();
        let limits = limits(self.config);
        self.ledger
            .read(move |connection| {
                let groups = groups(connection, &project, &items, &limits)?;
                let stored_account = account::get(connection, &project)?;
                let for_the_account = items.iter().filter(|item| item.class == Class::Account);
                let completed_at = match for_the_account.map(|item| item.failed_at).max() {
                    Some(since) => project_health::completion_since(connection, &project, since)?,
                    None => None,
                };
                let hold = hold_of(connection, &project, now)?;
                let spent = budget_usage::until(connection, now)?;
                Ok(Facts { items, groups, stored_account, completed_at, hold, spent })
            })
            .await
    }

    fn item(&self, row: &Retriable, configs: &JobConfigs, now: Timestamp) -> ItemFacts {
        let config_hash = configs.of(row).map(|config| config.hash().to_owned());
        let counted = |in_episode: bool| {
            let counts = row.attempts.iter().filter(|tried| {
                tried.counts
                    && (!in_episode || (tried.in_episode && config_hash.as_ref() == Some(&tried.parameters_hash)))
            });
            u32::try_from(counts.count()).unwrap_or(u32::MAX)
        };
        let waits = row.attempts.iter().rev().take_while(|tried| !tried.counts).count();
        let (attempts, attempts_in_life) = (counted(true), counted(false));
        ItemFacts {
            item_id: row.item_id.clone(),
            group_id: row.group_id.clone(),
            job_type: row.origin.job_type.clone(),
            batch_id: row.origin.batch_id.clone(),
            extension: row.item_name.rsplit_once('.').map_or_else(String::new, |(_, end)| end.to_lowercase()),
            state: row.state,
            class: self.class_of(row),
            planned_as: None,
            failed_at: row.failed_at,
            failed_config_hash: row.attempts.last().map(|tried| tried.parameters_hash.clone()),
            refused: row
                .refused
                .as_ref()
                .is_some_and(|(hash, at)| Some(hash) == config_hash.as_ref() && now - *at < REFUSAL_HOLDS),
            refusals: row.refusals,
            cancelled_at: row.attempts.last().and_then(|tried| tried.cancelled_at),
            config_hash,
            claimed_by: row.claimed_by.clone(),
            running_in: row.running_in.clone(),
            whole_batch: row.item_id == row.origin.batch_id,
            baseline: row.baseline && !self.config.baseline,
            attempts,
            attempts_in_life,
            throttled_waits: u32::try_from(waits).unwrap_or(u32::MAX),
            credits: self.config.credits_per_item,
        }
    }

    /// The class of the item's own newest message, or the one that a person gave its group.
    pub(crate) fn class_of(&self, row: &Retriable) -> Class {
        self.judge(&row.said, &row.origin.job_type).class
    }

    /// What a person said of its group, else what the rules say of a failure or skip.
    pub(crate) fn judge(&self, said: &Said, job_type: &str) -> Decision<'_> {
        let decision = self.rules.classify(&FailureFacts {
            kind: if said.skipped { RuleKind::Skipped } else { RuleKind::Failed },
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

    /// The projects that these rows are of, by name.
    pub(crate) fn projects_of(rows: &[Retriable]) -> BTreeSet<String> {
        rows.iter().map(|row| row.project.clone()).collect()
    }

    /// The lanes of a project's part of these rows.
    pub(crate) fn lanes_of(project: &str, rows: &[Retriable], configs: &JobConfigs) -> BTreeSet<Lane> {
        rows.iter().filter(|row| row.project == project).map(|row| Lane::of(row, configs)).collect()
    }
}

/// The groups of these items with their retries under the parameters that the items would be retried with.
fn groups(
    connection: &crate::ledger::Connection,
    project: &str,
    items: &[ItemFacts],
    limits: &Limits,
) -> Result<Vec<GroupFacts>, LedgerError> {
    let mut by_group: BTreeMap<&str, Vec<&ItemFacts>> = BTreeMap::new();
    for item in items {
        by_group.entry(&item.group_id).or_default().push(item);
    }
    let mut groups = Vec::with_capacity(by_group.len());
    for (group_id, items) in by_group {
        let hashes: BTreeSet<&String> = items.iter().filter_map(|item| item.config_hash.as_ref()).collect();
        let hashes: Vec<String> = hashes.into_iter().cloned().collect();
        let asked = Asked { group_id, project, parameters: Some(&hashes) };
        let group = history::of_group(connection, asked)?;
        groups.extend(group.map(|group| GroupFacts { class: class_of(&items, limits), ..group }));
    }
    Ok(groups)
}

/// A refusal of one document is asked again after this: what was wrong at the API may be mended.
const REFUSAL_HOLDS: SignedDuration = SignedDuration::from_hours(7 * 24);
