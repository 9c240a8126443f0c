//! From rows of the ledger to the facts that the core decides on.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::classify::rules::decide::Rules;
use crate::ledger::error::LedgerError;
use crate::model::batch_api::BatchApi;
use crate::model::class::Class;
use crate::model::item;
use crate::reprocess::Reprocess;
use crate::reprocess::gate::weather_of;
use crate::reprocess::intents::job_config::JobConfigs;
use crate::reprocess::policy::budget::Spent;
use crate::reprocess::policy::facts::{GroupFacts, ItemFacts, ItemState};
use crate::reprocess::policy::holds::outage_signal::Weather;
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::store::gate::{self, StoredGate};
use crate::reprocess::store::retriable::{self, Retriable, Which};
use crate::reprocess::store::{breaker, budget_usage, record};

/// All that one plan for one project depends on, beside the moment.
pub(crate) struct Facts {
    pub(crate) items: Vec<ItemFacts>,
    pub(crate) groups: Vec<GroupFacts>,
    pub(crate) stored_gate: StoredGate,
    pub(crate) spent: Spent,
    pub(crate) weather: Weather,
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
        share_floor: config.share_floor,
        credits_per_day: config.credits_per_day,
        attempts_in_life: config.attempts_in_life,
        canaries: config.canaries,
        breaker_open: signed(config.breaker_open),
        hold: signed(config.hold),
        unknown_canary: config.unknown_canary,
        ..Limits::default()
    }
}

fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
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
        let items = rows.iter().map(|row| self.item(row, configs, now)).collect();
        let mut named = BTreeMap::new();
        for row in &rows {
            let generic = is_generic(self.rules, row.rule.as_deref());
            named.insert(row.group_id.clone(), (generic, row.group_last_seen));
        }
        let project = lane.project.clone();
        self.ledger
            .read(move |connection| {
                let mut groups = Vec::with_capacity(named.len());
                for (group_id, (generic, last_failure)) in named {
                    let state = breaker::group(connection, &group_id)?;
                    let senders = record::senders(connection, &group_id)?;
                    groups.push(GroupFacts { group_id, generic, last_failure, state, senders });
                }
                let stored_gate = gate::get(connection, &project)?;
                let weather = weather_of(connection, &project, now)?;
                Ok(Facts { items, groups, stored_gate, weather, spent: budget_usage::until(connection, now)? })
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
            directory: row.origin.directory_id.clone().unwrap_or_else(|| row.origin.batch_id.clone()),
            size: None,
            state: state(row.state),
            class: Class::try_from(row.class.as_str()).unwrap_or(Class::Unknown),
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
            deleted: false,
            baseline: row.baseline && !self.config.baseline,
            attempts,
            attempts_in_life,
            throttled_waits: u32::try_from(waits).unwrap_or(u32::MAX),
            retry_after: None,
            credits: self.config.credits_per_item,
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

/// Whether a group's wording hides its cause: its rule says so, or none matched.
pub(crate) fn is_generic(rules: &Rules, rule: Option<&str>) -> bool {
    rule.and_then(|name| rules.iter().find(|rule| rule.name == name)).is_none_or(|rule| rule.generic)
}

fn state(state: item::ItemState) -> ItemState {
    match state {
        item::ItemState::Open => ItemState::Open,
        item::ItemState::Retrying => ItemState::Retrying,
        item::ItemState::Recovered => ItemState::Recovered,
        item::ItemState::Dismissed => ItemState::Dismissed,
        item::ItemState::Ignored => ItemState::Ignored,
    }
}

/// A refusal of one document is asked again after this: what was wrong at the API may be mended.
const REFUSAL_HOLDS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A plan can be approved for this long.
pub(crate) const PLAN_LIFE: SignedDuration = crate::reprocess::store::plan::LIFE;
