//! Chooses the items to retry now, in chunks, and says why the others are left out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::class::Class;
use crate::reprocess::policy::belief::{LAST_NUMBER, Prior};
use crate::reprocess::policy::budget::Spent;
use crate::reprocess::policy::chunk::{Chunk, Excluded};
use crate::reprocess::policy::delay::jitter;
use crate::reprocess::policy::eligibility::exclusion;
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::policy::facts::{ItemFacts, is_automatic, prior};
use crate::reprocess::policy::group::{GroupFacts, Turn};
use crate::reprocess::policy::hold::HoldReason;
use crate::reprocess::policy::limits::Limits;

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

impl Selection {
    pub(crate) fn is_manual(self) -> bool {
        matches!(self, Self::Manual { .. })
    }

    pub(crate) fn forces_attempts(self) -> bool {
        matches!(self, Self::Manual { force_attempts: true, .. })
    }
}

/// All a plan depends on.
#[derive(Clone, Copy, Debug)]
pub struct PlanInput<'a> {
    /// The moment.
    pub now: Timestamp,
    /// Who asks.
    pub selection: Selection,
    /// Groups that were retried; an item of another group is treated as of one without history.
    pub groups: &'a [GroupFacts],
    /// The items to choose from.
    pub items: &'a [ItemFacts],
    /// Since when the account is stopped.
    pub stopped_since: Option<Timestamp>,
    /// When an item of the project last completed.
    pub completed_at: Option<Timestamp>,
    /// What holds the project, and until when.
    pub hold: Option<(HoldReason, Timestamp)>,
    /// What was spent.
    pub spent: &'a Spent,
    /// The numbers.
    pub limits: &'a Limits,
}

/// What would be, or will be, posted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// One POST each, in this order.
    pub chunks: Vec<Chunk>,
    /// The others, by item id.
    pub excluded: Vec<Excluded>,
}

impl Plan {
    /// The chosen items.
    pub fn item_ids(&self) -> impl Iterator<Item = &str> {
        self.chunks.iter().flat_map(|chunk| chunk.item_ids.iter().map(String::as_str))
    }

    /// How many they are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.item_ids().count()).unwrap_or(u32::MAX)
    }

    /// Estimated credits of the items whose cost is known.
    pub fn credits(&self) -> f64 {
        total(self.chunks.iter().map(|chunk| chunk.credits))
    }
}

/// Chooses. The same input gives the same plan.
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let mut planner = Planner { input, spent: input.spent.clone(), plan: Plan::default() };
    let mut left = match input.selection {
        Selection::Manual { limit: Some(limit), .. } => usize::try_from(limit).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    for (group, items) in in_order(planner.eligible_by_group(), input) {
        match input.selection {
            Selection::Auto => planner.choose_turn(&group, items),
            Selection::Manual { permanent, .. } => planner.choose_by_hand(&group, items, permanent, &mut left),
        }
    }
    planner.plan.excluded.sort_by(|a, b| a.item_id.cmp(&b.item_id));
    planner.plan
}

/// A frozen plan against the facts of now: keeps its items that are still eligible, adds none.
pub(crate) fn shrink(frozen: &BTreeSet<String>, input: &PlanInput<'_>) -> Plan {
    let kept: Vec<ItemFacts> = input.items.iter().filter(|item| frozen.contains(&item.item_id)).cloned().collect();
    plan(&PlanInput { items: &kept, ..*input })
}

/// A group with its eligible items.
type Eligible<'a> = (GroupFacts, Vec<&'a ItemFacts>);

struct Planner<'a> {
    input: &'a PlanInput<'a>,
    spent: Spent,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn eligible_by_group(&mut self) -> Vec<Eligible<'a>> {
        let input = self.input;
        let known: BTreeMap<&str, &GroupFacts> = input.groups.iter().map(|g| (g.group_id.as_str(), g)).collect();
        let mut by_group: BTreeMap<&str, Vec<&'a ItemFacts>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for item in input.items.iter().filter(|item| seen.insert(item.item_id.as_str())) {
            by_group.entry(&item.group_id).or_default().push(item);
        }
        let mut eligible = Vec::with_capacity(by_group.len());
        for (group_id, items) in by_group {
            let documents = u32::try_from(items.len()).unwrap_or(u32::MAX);
            let untried = || GroupFacts::untried(group_id, class_of(&items, input.limits), documents);
            let group = known.get(group_id).map_or_else(untried, |group| (*group).clone());
            let (out, kept): (Vec<_>, Vec<_>) =
                items.into_iter().map(|item| (item, exclusion(item, input))).partition(|(_, why)| why.is_some());
            out.into_iter().for_each(|(item, why)| self.exclude(item, why));
            eligible.push((group, kept.into_iter().map(|(item, _)| item).collect()));
        }
        eligible
    }

    /// What the group's turn lets through.
    fn choose_turn(&mut self, group: &GroupFacts, items: Vec<&'a ItemFacts>) {
        let (limits, now) = (self.input.limits, self.input.now);
        if let Some(exclusion) = group.exclusion(limits, now) {
            return self.exclude_all(items, &exclusion);
        }
        let Turn::Step(rooms) = group.outlook(limits, now).turn else {
            let chosen = self.probe(&items);
            let rest = items.into_iter().filter(|item| chosen.is_none_or(|one| one.item_id != item.item_id));
            self.exclude_all(rest.collect(), &Exclusion::LaterStep);
            return self.post(group, chosen.into_iter().collect(), Some(true));
        };
        let mut left = rooms.map(|room| usize::try_from(room).unwrap_or(usize::MAX));
        let (mut chosen, mut rest) = (Vec::new(), Vec::new());
        for item in oldest_first(items) {
            let number = usize::try_from(item.attempts.min(LAST_NUMBER - 1)).unwrap_or(0);
            if rooms[number] == 0 {
                self.exclude(item, Some(Exclusion::LaterTriesFail));
            } else if left[number] == 0 {
                rest.push(item);
            } else {
                left[number] -= 1;
                chosen.push(item);
            }
        }
        self.exclude_all(rest, &Exclusion::LaterStep);
        self.post(group, chosen, Some(false));
    }

    fn choose_by_hand(&mut self, group: &GroupFacts, items: Vec<&'a ItemFacts>, permanent: bool, left: &mut usize) {
        let mut items = oldest_first(self.one_of_permanent(items, permanent));
        let over = items.split_off((*left).min(items.len()));
        *left -= items.len();
        self.exclude_all(over, &Exclusion::OverLimit);
        self.post(group, items, None);
    }

    /// Lets through one of the items that failed for what they are, or `all` of those of which the person knew that.
    fn one_of_permanent(&mut self, items: Vec<&'a ItemFacts>, all: bool) -> Vec<&'a ItemFacts> {
        let (hopeless, mut kept): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| item.class == Class::PermanentInput && (!all || item.has_turned()));
        let chosen = self.probe(&hopeless);
        for item in hopeless.into_iter().filter(|item| chosen.is_none_or(|one| one.item_id != item.item_id)) {
            let turned = Exclusion::ClassChanged { class: item.class };
            self.exclude(item, Some(if item.has_turned() { turned } else { Exclusion::OneOfPermanent }));
        }
        kept.extend(chosen);
        kept
    }

    /// The document that stands for its group: never refused alone and not tried before if there is one, then of a batch and a kind of
    /// file of which the fewest were, else chosen by chance: what one sender, batch or kind of file has may be no fault of the others.
    fn probe(&self, items: &[&'a ItemFacts]) -> Option<&'a ItemFacts> {
        let is_of_group = |other: &&ItemFacts| items.first().is_some_and(|item| item.group_id == other.group_id);
        let tried: Vec<&ItemFacts> =
            self.input.items.iter().filter(is_of_group).filter(|item| item.attempts > 0).collect();
        let alike = |item: &ItemFacts| -> u32 {
            let with = |other: &&ItemFacts| match (item.batch_id == other.batch_id, item.extension == other.extension) {
                (true, true) => 3 * other.attempts,
                (false, false) => 0,
                _ => other.attempts,
            };
            tried.iter().map(with).sum()
        };
        let rank = |item: &ItemFacts| (item.refusals, item.attempts, alike(item));
        let chance = |item: &ItemFacts| jitter(&item.item_id, u32::MAX);
        items.iter().copied().min_by(|a, b| rank(a).cmp(&rank(b)).then(chance(a).total_cmp(&chance(b))))
    }

    /// Debits the budgets and puts what fits into chunks by job type, parameters and whether it was tried before.
    ///
    /// `probe` is none where a person chose.
    fn post(&mut self, group: &GroupFacts, items: Vec<&'a ItemFacts>, probe: Option<bool>) {
        let mut by_config: BTreeMap<(&str, &str, bool), Vec<&ItemFacts>> = BTreeMap::new();
        for item in items {
            let Some(config_hash) = item.config_hash.as_deref() else { continue };
            let manual = self.input.selection.is_manual();
            let credits = item.credits.unwrap_or(0.0);
            if let Some(budget) = self.spent.exhausted(&group.group_id, credits, manual, self.input.limits) {
                self.exclude(item, Some(Exclusion::Budget { budget }));
                continue;
            }
            self.spent.debit(&group.group_id, credits);
            by_config.entry((&item.job_type, config_hash, item.attempts > 0)).or_default().push(item);
        }
        let size = usize::try_from(self.input.limits.chunk.max(1)).unwrap_or(usize::MAX);
        for ((job_type, config_hash, second_try), items) in by_config {
            for part in items.chunks(size) {
                let mut part = part.to_vec();
                part.sort_unstable_by(|a, b| a.item_id.cmp(&b.item_id));
                let unpriced = part.iter().filter(|item| item.credits.is_none()).count();
                self.plan.chunks.push(Chunk {
                    group_id: group.group_id.clone(),
                    job_type: job_type.to_owned(),
                    config_hash: config_hash.to_owned(),
                    second_try,
                    probe,
                    item_ids: part.iter().map(|item| item.item_id.clone()).collect(),
                    classes: part.iter().map(|item| item.class).collect(),
                    credits: total(part.iter().filter_map(|item| item.credits)),
                    unpriced: u32::try_from(unpriced).unwrap_or(u32::MAX),
                });
            }
        }
    }

    fn exclude_all(&mut self, items: Vec<&ItemFacts>, why: &Exclusion) {
        items.into_iter().for_each(|item| self.exclude(item, Some(why.clone())));
    }

    fn exclude(&mut self, item: &ItemFacts, why: Option<Exclusion>) {
        let excluded = why.map(|exclusion| Excluded { item_id: item.item_id.clone(), exclusion });
        self.plan.excluded.extend(excluded);
    }
}

/// The sum of these; of none it is 0, where `sum` gives -0.
pub(crate) fn total(credits: impl Iterator<Item = f64>) -> f64 {
    credits.fold(0.0, |sum, more| sum + more)
}

/// Groups that are probed first: that costs one item and opens the way; then the largest.
fn in_order<'a>(groups: Vec<Eligible<'a>>, input: &PlanInput<'_>) -> Vec<Eligible<'a>> {
    let mut ordered: Vec<(bool, Eligible<'a>)> = groups
        .into_iter()
        .map(|(group, items)| (group.outlook(input.limits, input.now).turn != Turn::Probe, (group, items)))
        .collect();
    ordered.sort_by(|(a_rank, (a, a_items)), (b_rank, (b, b_items))| {
        a_rank.cmp(b_rank).then(b_items.len().cmp(&a_items.len())).then_with(|| a.group_id.cmp(&b.group_id))
    });
    ordered.into_iter().map(|(_, group)| group).collect()
}

/// The class of most of these items that may be retried automatically, of two that are as many the one that more is thought of; of
/// all items if none may.
pub(crate) fn class_of(items: &[&ItemFacts], limits: &Limits) -> Class {
    let mut of_class: BTreeMap<Class, usize> = BTreeMap::new();
    items.iter().for_each(|item| *of_class.entry(item.class).or_default() += 1);
    let passes = |class| prior(class) == Some(Prior::Passing);
    let most = of_class.into_iter().max_by_key(|(class, items)| (is_automatic(*class, limits), *items, passes(*class)));
    most.map_or(Class::Unknown, |(class, _)| class)
}

/// Oldest failures first, because sources are kept for a limited time only.
fn oldest_first(mut items: Vec<&ItemFacts>) -> Vec<&ItemFacts> {
    items.sort_by(|a, b| a.failed_at.cmp(&b.failed_at).then_with(|| a.item_id.cmp(&b.item_id)));
    items
}
