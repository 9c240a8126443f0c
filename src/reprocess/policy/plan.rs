//! Chooses the items to retry now, in chunks, and says why the others are left out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::reprocess::ReprocessConfig;
use crate::model::class::Class;
use crate::model::item::ItemState;
use crate::reprocess::policy::belief::{LAST_NUMBER, Prior, is_automatic, prior};
use crate::reprocess::policy::budget::Spent;
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::policy::group::{GroupFacts, Turn};
use crate::reprocess::policy::hold::HoldReason;
use crate::reprocess::policy::item::{Item, jitter, later};

/// What is known of a project; the ledger fills it in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The items to choose from.
    pub items: Vec<Item>,
    /// Groups that were retried; an item of another group is treated as of one without history.
    pub groups: Vec<GroupFacts>,
    /// Since when the account is stopped.
    pub stopped_since: Option<Timestamp>,
    /// When an item of the project last completed.
    pub completed_at: Option<Timestamp>,
    /// What holds the project, and until when.
    pub hold: Option<(HoldReason, Timestamp)>,
    /// What was spent.
    pub spent: Spent,
}

/// Who asks, and for how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The service: every rule holds.
    Auto,
    /// A person: class, delay, holds and the group's turn do not hold; claims, budgets and the account stop do.
    Manual {
        /// Most items.
        limit: Option<u32>,
        /// `--force-attempts`: caps do not hold either.
        force_attempts: bool,
        /// All items of a class that no retry is known to help; else one of each group, for a filter may choose them unseen.
        permanent: bool,
    },
}

/// Items of one group that go in one POST: they share API, job type and parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chunk {
    /// The project.
    pub project: String,
    /// The group.
    pub group_id: String,
    /// `parse`, `extract` or `classify`.
    pub job_type: String,
    /// Hash of the parameters.
    pub config_hash: String,
    /// Whether these items were tried before; then the cache is cleared, because failures were cached once.
    pub second_try: bool,
    /// Whether it is one document that stands for its group; `None` when a person chose the items.
    pub probe: Option<bool>,
    /// Sorted.
    pub item_ids: Vec<String>,
    /// The class of each, in the same order; none in a plan that an older version froze.
    pub classes: Vec<Class>,
    /// Estimated credits; 0 if no price is known.
    pub credits: f64,
    /// Items whose cost is not known.
    pub unpriced: u32,
}

/// Most items in one POST.
const LARGEST_CHUNK: usize = 100;

/// What would be, or will be, posted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// One POST each, in this order.
    pub chunks: Vec<Chunk>,
    /// The others by item id, each with the reason.
    pub excluded: Vec<(String, Exclusion)>,
}

impl Plan {
    /// The chosen items.
    pub(crate) fn item_ids(&self) -> impl Iterator<Item = &str> {
        self.chunks.iter().flat_map(|chunk| chunk.item_ids.iter().map(String::as_str))
    }

    /// How many they are.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.item_ids().count()).unwrap_or(u32::MAX)
    }
}

/// Chooses. The same input gives the same plan.
pub fn plan(facts: &Facts, selection: Selection, config: &ReprocessConfig, now: Timestamp) -> Plan {
    let mut planner = Planner { facts, selection, config, now, spent: facts.spent.clone(), plan: Plan::default() };
    let mut left = match selection {
        Selection::Manual { limit: Some(limit), .. } => usize::try_from(limit).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    for (group, items) in planner.eligible_by_group() {
        match selection {
            Selection::Auto => planner.choose_turn(&group, items),
            Selection::Manual { permanent, .. } => planner.choose_by_hand(&group, items, permanent, &mut left),
        }
    }
    planner.plan.excluded.sort_by(|(a, _), (b, _)| a.cmp(b));
    planner.plan
}

struct Planner<'a> {
    facts: &'a Facts,
    selection: Selection,
    config: &'a ReprocessConfig,
    now: Timestamp,
    spent: Spent,
    plan: Plan,
}

impl<'a> Planner<'a> {
    /// Groups with their eligible items: those that are probed first, which costs one item and opens the way; then the largest.
    fn eligible_by_group(&mut self) -> Vec<(GroupFacts, Vec<&'a Item>)> {
        let (facts, config, now) = (self.facts, self.config, self.now);
        let known: BTreeMap<&str, &GroupFacts> = facts.groups.iter().map(|g| (g.group_id.as_str(), g)).collect();
        let mut by_group: BTreeMap<&str, Vec<&'a Item>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for item in facts.items.iter().filter(|item| seen.insert(item.item_id.as_str())) {
            by_group.entry(&item.group_id).or_default().push(item);
        }
        let mut eligible = Vec::with_capacity(by_group.len());
        for (group_id, items) in by_group {
            let documents = u32::try_from(items.len()).unwrap_or(u32::MAX);
            let untried = || GroupFacts::untried(group_id, class_of(&items, config), documents);
            let group = known.get(group_id).map_or_else(untried, |group| (*group).clone());
            let mut kept = Vec::with_capacity(items.len());
            for item in items {
                match exclusion(item, facts, self.selection, config, now) {
                    Some(why) => self.exclude([item], &why),
                    None => kept.push(item),
                }
            }
            eligible.push((group, kept));
        }
        eligible.sort_by_cached_key(|(group, items)| {
            let is_probed = group.outlook(config, now).turn == Turn::Probe;
            (!is_probed, std::cmp::Reverse(items.len()), group.group_id.clone())
        });
        eligible
    }

    /// What the group's turn lets through.
    fn choose_turn(&mut self, group: &GroupFacts, items: Vec<&'a Item>) {
        let turn = group.outlook(self.config, self.now).turn;
        if let Some(why) = turn.exclusion() {
            return self.exclude(items, &why);
        }
        let Turn::Step(rooms) = turn else {
            let chosen = self.probe(&items);
            self.exclude(items.into_iter().filter(|item| !is_it(chosen, item)), &Exclusion::LaterStep);
            return self.post(group, chosen.into_iter().collect(), Some(true));
        };
        let mut left = rooms;
        let (mut chosen, mut rest) = (Vec::new(), Vec::new());
        for item in oldest_first(items) {
            let number = usize::try_from(item.attempts().min(LAST_NUMBER - 1)).unwrap_or(0);
            if rooms[number] == 0 {
                self.exclude([item], &Exclusion::LaterTriesFail);
            } else if left[number] == 0 {
                rest.push(item);
            } else {
                left[number] -= 1;
                chosen.push(item);
            }
        }
        self.exclude(rest, &Exclusion::LaterStep);
        self.post(group, chosen, Some(false));
    }

    fn choose_by_hand(&mut self, group: &GroupFacts, items: Vec<&'a Item>, permanent: bool, left: &mut usize) {
        let mut items = oldest_first(self.one_of_permanent(items, permanent));
        let over = items.split_off((*left).min(items.len()));
        *left -= items.len();
        self.exclude(over, &Exclusion::OverLimit);
        self.post(group, items, None);
    }

    /// Lets through one of the items that failed for what they are, or `all` of those of which the person knew that.
    fn one_of_permanent(&mut self, items: Vec<&'a Item>, all: bool) -> Vec<&'a Item> {
        let (hopeless, mut kept): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| item.class == Class::PermanentInput && (!all || item.has_turned()));
        let chosen = self.probe(&hopeless);
        for item in hopeless.into_iter().filter(|item| !is_it(chosen, item)) {
            let turned = Exclusion::ClassChanged(item.class);
            self.exclude([item], if item.has_turned() { &turned } else { &Exclusion::OneOfPermanent });
        }
        kept.extend(chosen);
        kept
    }

    /// The document that stands for its group: never refused alone and not tried before if there is one, then of a batch and a kind of
    /// file of which the fewest were, else chosen by chance: what one sender, batch or kind of file has may be no fault of the others.
    fn probe(&self, items: &[&'a Item]) -> Option<&'a Item> {
        let group_id = &items.first()?.group_id;
        let of_group = self.facts.items.iter().filter(|item| item.group_id == *group_id);
        let tried: Vec<(&Item, u32)> =
            of_group.map(|item| (item, item.attempts())).filter(|(_, attempts)| *attempts > 0).collect();
        let alike = |item: &Item| -> u32 {
            let (extension, batch_id) = (item.extension(), &item.batch_id);
            let with = |(other, attempts): &(&Item, u32)| match (
                *batch_id == other.batch_id,
                extension == other.extension(),
            ) {
                (true, true) => 3 * attempts,
                (false, false) => 0,
                _ => *attempts,
            };
            tried.iter().map(with).sum()
        };
        let rank = |item: &Item| (item.refusals, item.attempts(), alike(item));
        let chance = |item: &Item| jitter(&item.item_id, u32::MAX);
        let ranked = items.iter().map(|item| (rank(item), chance(item), *item));
        let best = ranked.min_by(|(a, a_chance, _), (b, b_chance, _)| a.cmp(b).then(a_chance.total_cmp(b_chance)));
        best.map(|(_, _, item)| item)
    }

    /// Debits the budgets and puts what fits into chunks by API, job type, parameters and whether it was tried before.
    ///
    /// `probe` is none where a person chose.
    fn post(&mut self, group: &GroupFacts, items: Vec<&'a Item>, probe: Option<bool>) {
        let mut by_config = BTreeMap::<_, Vec<&Item>>::new();
        for item in items {
            let Some(config_hash) = item.config_hash() else { continue };
            let is_manual = self.selection != Selection::Auto;
            if let Some(budget) = self.spent.exhausted(&group.group_id, is_manual, self.config) {
                self.exclude([item], &Exclusion::Budget(budget));
                continue;
            }
            self.spent.debit(&group.group_id, self.config);
            by_config.entry((item.api, &item.job_type, config_hash, item.attempts() > 0)).or_default().push(item);
        }
        for ((api, job_type, config_hash, second_try), items) in by_config {
            let most = api.and_then(|api| api.items_per_request()).unwrap_or(LARGEST_CHUNK);
            for part in items.chunks(most) {
                let mut part = part.to_vec();
                part.sort_unstable_by(|a, b| a.item_id.cmp(&b.item_id));
                let (items, price) = (u32::try_from(part.len()).unwrap_or(u32::MAX), self.config.credits_per_item);
                self.plan.chunks.push(Chunk {
                    project: part.first().map(|item| item.project.clone()).unwrap_or_default(),
                    group_id: group.group_id.clone(),
                    job_type: job_type.clone(),
                    config_hash: config_hash.to_owned(),
                    second_try,
                    probe,
                    item_ids: part.iter().map(|item| item.item_id.clone()).collect(),
                    classes: part.iter().map(|item| item.class).collect(),
                    credits: f64::from(items) * price.unwrap_or(0.0),
                    unpriced: if price.is_some() { 0 } else { items },
                });
            }
        }
    }

    fn exclude<'i>(&mut self, items: impl IntoIterator<Item = &'i Item>, why: &Exclusion) {
        self.plan.excluded.extend(items.into_iter().map(|item| (item.item_id.clone(), why.clone())));
    }
}

fn is_it(chosen: Option<&Item>, item: &Item) -> bool {
    chosen.is_some_and(|chosen| chosen.item_id == item.item_id)
}

/// The class of most of these items that may be retried automatically, of two that are as many the one that more is thought of; of
/// all items if none may.
pub(crate) fn class_of(items: &[&Item], config: &ReprocessConfig) -> Class {
    let mut of_class: BTreeMap<Class, usize> = BTreeMap::new();
    items.iter().for_each(|item| *of_class.entry(item.class).or_default() += 1);
    let passes = |class| prior(class) == Some(Prior::Passing);
    let most = of_class.into_iter().max_by_key(|(class, items)| (is_automatic(*class, config), *items, passes(*class)));
    most.map_or(Class::Unknown, |(class, _)| class)
}

/// Oldest failures first, because sources are kept for a limited time only.
fn oldest_first(mut items: Vec<&Item>) -> Vec<&Item> {
    items.sort_by(|a, b| a.failed_at.cmp(&b.failed_at).then_with(|| a.item_id.cmp(&b.item_id)));
    items
}

/// Hash of a set of item ids, in any order: what a plan freezes and what reconciliation compares.
pub(crate) fn set_hash<'a>(item_ids: impl IntoIterator<Item = &'a str>) -> String {
    let ids: BTreeSet<&str> = item_ids.into_iter().collect();
    let mut hasher = Sha256::new();
    ids.into_iter().for_each(|id| hasher.update([id.as_bytes(), &[0]].concat()));
    hex::encode(hasher.finalize())
}

/// The first reason not to retry `item`, whatever its group's turn and the budgets; `None` when it is eligible.
///
/// Reasons that always hold come first, then those that a person may override.
pub(crate) fn exclusion(
    item: &Item,
    facts: &Facts,
    selection: Selection,
    config: &ReprocessConfig,
    now: Timestamp,
) -> Option<Exclusion> {
    let forced = matches!(selection, Selection::Manual { force_attempts: true, .. });
    // Of items that turned out to have failed for what they are, one of each group goes; the planner chooses it.
    let turned = item.has_turned() && item.class != Class::PermanentInput;
    never(item)
        .or_else(|| if forced { None } else { caps(item, config) })
        .or_else(|| facts.stopped_since.map(Exclusion::AccountStopped))
        .or_else(|| turned.then_some(Exclusion::ClassChanged(item.class)))
        .or_else(|| if selection == Selection::Auto { automatic(item, facts, config, now) } else { None })
}

fn never(item: &Item) -> Option<Exclusion> {
    // Parameters that it failed with and that are not known are taken for others only by hand.
    let has_same_config = item.failed_config_hash().is_some() && item.failed_config_hash() == item.config_hash();
    match item.state {
        ItemState::Recovered => return Some(Exclusion::Recovered),
        ItemState::Dismissed => return Some(Exclusion::Dismissed),
        ItemState::Ignored if item.class == Class::Cancelled => return Some(Exclusion::Cancelled),
        ItemState::Ignored => return Some(Exclusion::Harmless),
        ItemState::Open | ItemState::Retrying => {}
    }
    match (item.class, &item.claimed_by, &item.running_in, &item.config) {
        (Class::Done, ..) => Some(Exclusion::Done),
        (_, Some(intent_id), ..) => Some(Exclusion::Claimed(intent_id.clone())),
        (_, _, Some(batch_id), _) => Some(Exclusion::Running(batch_id.clone())),
        _ if item.is_whole_batch() => Some(Exclusion::WholeBatch),
        (.., Err(none)) => Some(Exclusion::NoJobConfig(none.to_string())),
        (Class::Config, ..) if has_same_config => Some(Exclusion::SameConfig),
        _ => None,
    }
}

fn caps(item: &Item, config: &ReprocessConfig) -> Option<Exclusion> {
    let (attempts, in_life) = (item.attempts(), item.attempts_in_life());
    let lifetime = (in_life >= config.attempts_in_life).then_some(Exclusion::AttemptsInLife(in_life));
    lifetime.or_else(|| (attempts >= config.attempts).then_some(Exclusion::Attempts(attempts)))
}

fn automatic(item: &Item, facts: &Facts, config: &ReprocessConfig, now: Timestamp) -> Option<Exclusion> {
    if item.is_refused(now) {
        return Some(Exclusion::Refused);
    }
    if let Some(at) = item.tried.last().and_then(|tried| tried.cancelled_at) {
        return Some(Exclusion::RetryCancelled(at));
    }
    if item.baseline && !config.baseline {
        return Some(Exclusion::Baseline);
    }
    // The parameters have changed since, if those it failed with are known.
    let may_be_config = item.class != Class::Config || item.failed_config_hash().is_some();
    if !is_automatic(item.class, config) || !may_be_config {
        return Some(Exclusion::Class(item.class));
    }
    if item.class == Class::Account && facts.completed_at.is_none_or(|at| at <= item.failed_at) {
        return Some(Exclusion::AccountUnproven);
    }
    if let Some((reason, until)) = facts.hold {
        return Some(Exclusion::Held(reason, until));
    }
    // How long ago a failure was that another clock dated into the future is not known, and waiting for its time to come would stop
    // retries for as long as the clocks differ.
    let is_ahead = item.failed_at > later(now, SignedDuration::from_hours(1));
    let until = item.not_before(config);
    (now < until && !is_ahead).then_some(Exclusion::Delay(until))
}
