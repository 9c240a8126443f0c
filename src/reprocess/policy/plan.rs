//! Chooses the items to retry now, in chunks, and says why the others are left out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::class::Class;
use crate::reprocess::policy::budget::Spent;
use crate::reprocess::policy::choice::{canary, spread};
use crate::reprocess::policy::chunk::{Chunk, Excluded, set_hash};
use crate::reprocess::policy::eligibility::{Circumstances, exclusion};
use crate::reprocess::policy::exclusion::Exclusion;
use crate::reprocess::policy::facts::{GroupFacts, ItemFacts};
use crate::reprocess::policy::holds::delay::later;
use crate::reprocess::policy::holds::directory_stats::held_until;
use crate::reprocess::policy::holds::gate::Gate;
use crate::reprocess::policy::holds::outage_signal::Weather;
use crate::reprocess::policy::limits::Limits;
use crate::reprocess::policy::ramp::Step;

/// Who asks, and for how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The service: every rule holds.
    Auto,
    /// A person: class, delay, parking, holds and ramp do not hold; claims, breakers, budgets and the account stop do.
    Manual {
        /// Most items.
        limit: Option<u32>,
        /// `--force-attempts`: caps do not hold either.
        force_attempts: bool,
        /// All items of groups that no retry is known to help; else one of each, for whoever chose by a filter may not know of them.
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
    /// Every group that the items name; an item of a group that is not here is treated as of a group without history.
    pub groups: &'a [GroupFacts],
    /// The items to choose from.
    pub items: &'a [ItemFacts],
    /// The gate.
    pub gate: Gate,
    /// The weather of now.
    pub weather: Weather,
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
    /// Hash of all chosen items.
    pub set_hash: String,
    /// Estimated credits of the items whose cost is known.
    pub credits: f64,
    /// Chosen items whose cost is not known.
    pub unpriced: u32,
}

impl Plan {
    /// The chosen items.
    pub fn item_ids(&self) -> impl Iterator<Item = &str> {
        self.chunks.iter().flat_map(|chunk| chunk.item_ids.iter().map(String::as_str))
    }

    fn close(mut self) -> Self {
        self.excluded.sort_by(|a, b| a.item_id.cmp(&b.item_id));
        self.set_hash = set_hash(self.item_ids());
        self.credits = total(self.chunks.iter().map(|chunk| chunk.credits));
        self.unpriced = self.chunks.iter().map(|chunk| chunk.unpriced).sum();
        self
    }
}

/// Chooses. The same input gives the same plan.
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let mut planner = Planner { input, spent: input.spent.clone(), plan: Plan::default() };
    let groups = planner.eligible_by_group();
    if input.selection.is_manual() {
        planner.choose_by_hand(groups);
    } else if input.gate.wants_probe(input.now) {
        planner.choose_probe(groups);
    } else {
        for (group, items) in in_order(groups) {
            planner.choose_step(group, items);
        }
    }
    planner.plan.close()
}

/// A frozen plan against the facts of now: keeps its items that are still eligible, adds none.
pub(crate) fn shrink(frozen: &BTreeSet<String>, input: &PlanInput<'_>) -> Plan {
    let (kept, dropped): (Vec<ItemFacts>, Vec<ItemFacts>) =
        input.items.iter().cloned().partition(|item| frozen.contains(&item.item_id));
    drop(dropped);
    plan(&PlanInput { items: &kept, ..*input })
}

/// What goes instead of a canary that the API refused: one of the same group with the same parameters, in its place in the budgets.
/// Whether that one is accepted tells if the document or the parameters are to blame.
pub(crate) fn another_canary(refused: &Chunk, input: &PlanInput<'_>) -> Option<Chunk> {
    let is_like = |item: &&ItemFacts| {
        item.group_id == refused.group_id
            && item.config_hash.as_ref() == Some(&refused.config_hash)
            && !refused.item_ids.contains(&item.item_id)
    };
    let alike: Vec<ItemFacts> = input.items.iter().filter(is_like).cloned().collect();
    plan(&PlanInput { items: &alike, ..*input }).chunks.into_iter().next()
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
        let known: BTreeMap<&str, &GroupFacts> = self.input.groups.iter().map(|g| (g.group_id.as_str(), g)).collect();
        let mut by_group: BTreeMap<&str, Vec<&'a ItemFacts>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let input = self.input;
        for item in input.items.iter().filter(|item| seen.insert(item.item_id.as_str())) {
            by_group.entry(&item.group_id).or_default().push(item);
        }
        by_group
            .into_iter()
            .map(|(group_id, items)| {
                let group = known.get(group_id).map_or_else(|| without_history(group_id), |group| (*group).clone());
                let eligible = items.into_iter().filter(|item| self.keep(item, &group)).collect();
                (group, eligible)
            })
            .collect()
    }

    fn keep(&mut self, item: &ItemFacts, group: &GroupFacts) -> bool {
        let PlanInput { now, selection, gate, weather, limits, .. } = *self.input;
        let ctx = Circumstances { now, selection, group: &group.state, gate, weather, limits };
        match exclusion(item, &ctx) {
            Some(reason) => {
                self.exclude(item, reason);
                false
            }
            None => true,
        }
    }

    /// One item of one group: with a wording that says most, not tried before, of a group that lost fewest canaries, with most to win.
    ///
    /// A wording that hides its cause is asked last: its failure would not tell a storm from a broken document.
    /// Neither would that of a document which failed a retry before.
    fn choose_probe(&mut self, groups: Vec<Eligible<'a>>) {
        let groups: Vec<Eligible<'a>> =
            groups.into_iter().map(|(group, items)| self.fit_to_probe(group, items)).collect();
        let best = groups
            .iter()
            .filter(|(group, items)| !items.is_empty() && !group.state.ramp.is_waiting())
            .min_by_key(|(group, items)| {
                let tried = items.iter().all(|item| item.attempts > 0);
                let GroupFacts { group_id, generic, state, .. } = group;
                (*generic, tried, state.lost_canaries, std::cmp::Reverse(items.len()), group_id.clone())
            })
            .map(|(group, _)| group.group_id.clone());
        for (group, items) in groups {
            let chosen = (Some(&group.group_id) == best.as_ref()).then(|| canary(&fresh_or_all(&items))).flatten();
            for item in items.into_iter().filter(|item| chosen.is_none_or(|c| c.item_id != item.item_id)) {
                self.exclude(item, Exclusion::ProbeElsewhere);
            }
            if let Some(item) = chosen {
                self.post(&group, vec![item], Some(Step::One), true);
            }
        }
    }

    /// A probe in a wording that hides its cause is also the only canary of its group, so it waits for the same quiet.
    fn fit_to_probe(&mut self, group: GroupFacts, items: Vec<&'a ItemFacts>) -> Eligible<'a> {
        match self.quiet_at(&group, Step::One) {
            Some(until) => {
                items.into_iter().for_each(|item| self.exclude(item, Exclusion::StillFailing { until }));
                (group, Vec::new())
            }
            None => {
                let items = self.worth_trying(&group, items);
                (group, items)
            }
        }
    }

    fn worth_trying(&mut self, group: &GroupFacts, items: Vec<&'a ItemFacts>) -> Vec<&'a ItemFacts> {
        let items = self.hold_senders(group, items);
        self.hold_later_tries(group, items)
    }

    fn choose_step(&mut self, group: GroupFacts, items: Vec<&'a ItemFacts>) {
        let half_open = group.state.breaker.is_half_open(self.input.now);
        let step = if half_open { Step::One } else { group.state.ramp.step };
        let room = group.state.ramp.room(self.input.limits.last_step).min(step.size(self.input.limits.last_step));
        if room == 0 {
            items.into_iter().for_each(|item| self.exclude(item, Exclusion::StepRunning));
            return;
        }
        if let Some(until) = self.quiet_at(&group, step) {
            items.into_iter().for_each(|item| self.exclude(item, Exclusion::StillFailing { until }));
            return;
        }
        let items = self.worth_trying(&group, items);
        let chosen = match step {
            Step::One => canary(&fresh_or_all(&items)).into_iter().collect(),
            _ => spread(&items, usize::try_from(room).unwrap_or(usize::MAX)),
        };
        let ids: BTreeSet<&str> = chosen.iter().map(|item| item.item_id.as_str()).collect();
        for item in items.iter().filter(|item| !ids.contains(item.item_id.as_str())) {
            self.exclude(item, Exclusion::LaterStep);
        }
        self.post(&group, chosen, Some(step), false);
    }

    /// The only canary of a wording that hides its cause is not spent while the group fails and nothing else tells whether the service works.
    ///
    /// It waits as long as an item waits for its second attempt.
    fn quiet_at(&self, group: &GroupFacts, step: Step) -> Option<Timestamp> {
        let unproven =
            group.state.is_unproven(group.generic) && step == Step::One && self.input.weather == Weather::Still;
        let limits = self.input.limits;
        let wait = limits.delays.get(1).or(limits.delays.last()).copied().unwrap_or_default();
        unproven.then(|| later(group.last_failure, wait)).filter(|until| self.input.now < *until)
    }

    /// Holds back documents of a directory of which no retry recovers; now and then one of them tries for all.
    fn hold_senders(&mut self, group: &GroupFacts, items: Vec<&'a ItemFacts>) -> Vec<&'a ItemFacts> {
        let mut trying = BTreeSet::new();
        let mut kept = Vec::with_capacity(items.len());
        for item in items {
            match held_until(&group.senders, &item.directory, self.input.limits) {
                Some(until) if self.input.now < until || !trying.insert(item.directory.as_str()) => {
                    self.exclude(item, Exclusion::SenderFails { until });
                }
                _ => kept.push(item),
            }
        }
        kept
    }

    /// Lets through only as many items that failed an attempt before as the group's later tries have earned.
    fn hold_later_tries(&mut self, group: &GroupFacts, items: Vec<&'a ItemFacts>) -> Vec<&'a ItemFacts> {
        let mut room: BTreeMap<u32, u32> = (0..3).map(|before| (before, group.state.room_for(before))).collect();
        let mut kept = Vec::with_capacity(items.len());
        for item in items {
            match room.get_mut(&item.attempts.min(2)) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    kept.push(item);
                }
                _ => self.exclude(item, Exclusion::LaterTriesFail),
            }
        }
        kept
    }

    fn choose_by_hand(&mut self, groups: Vec<Eligible<'a>>) {
        let Selection::Manual { limit, permanent, .. } = self.input.selection else { return };
        let mut left = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        for (group, items) in in_order(groups) {
            let items = self.one_of_permanent(items, permanent);
            let chosen = spread(&items, left);
            left -= chosen.len();
            let ids: BTreeSet<&str> = chosen.iter().map(|item| item.item_id.as_str()).collect();
            for item in items.iter().filter(|item| !ids.contains(item.item_id.as_str())) {
                self.exclude(item, Exclusion::OverLimit);
            }
            self.post(&group, chosen, None, false);
        }
    }

    /// Lets through one of the items that failed for what they are, or `all` of those of which the person knew that.
    fn one_of_permanent(&mut self, items: Vec<&'a ItemFacts>, all: bool) -> Vec<&'a ItemFacts> {
        let (hopeless, mut kept): (Vec<_>, Vec<_>) =
            items.into_iter().partition(|item| item.class == Class::PermanentInput && (!all || item.has_turned()));
        let chosen = canary(&fresh_or_all(&hopeless));
        for item in hopeless.into_iter().filter(|item| chosen.is_none_or(|one| one.item_id != item.item_id)) {
            let turned = Exclusion::ClassChanged { class: item.class };
            self.exclude(item, if item.has_turned() { turned } else { Exclusion::OneOfPermanent });
        }
        kept.extend(chosen);
        kept
    }

    /// Debits the budgets and puts what fits into chunks by job type, parameters and whether it was tried before.
    fn post(&mut self, group: &GroupFacts, items: Vec<&'a ItemFacts>, step: Option<Step>, probe: bool) {
        let mut by_config: BTreeMap<(&str, &str, bool), Vec<&ItemFacts>> = BTreeMap::new();
        for item in items {
            let Some(config_hash) = item.config_hash.as_deref() else { continue };
            let manual = self.input.selection.is_manual();
            let credits = item.credits.unwrap_or(0.0);
            if let Some(budget) = self.spent.exhausted(&group.group_id, credits, manual, self.input.limits) {
                self.exclude(item, Exclusion::Budget { budget });
                continue;
            }
            self.spent.debit(&group.group_id, credits);
            by_config.entry((&item.job_type, config_hash, item.attempts > 0)).or_default().push(item);
        }
        let size = usize::try_from(self.input.limits.chunk.max(1)).unwrap_or(usize::MAX);
        for ((job_type, config_hash, second_try), items) in by_config {
            for part in items.chunks(size) {
                let mut item_ids: Vec<String> = part.iter().map(|item| item.item_id.clone()).collect();
                item_ids.sort_unstable();
                self.plan.chunks.push(Chunk {
                    group_id: group.group_id.clone(),
                    job_type: job_type.to_owned(),
                    config_hash: config_hash.to_owned(),
                    second_try,
                    step,
                    probe,
                    item_ids,
                    credits: total(part.iter().filter_map(|item| item.credits)),
                    unpriced: u32::try_from(part.iter().filter(|item| item.credits.is_none()).count())
                        .unwrap_or(u32::MAX),
                });
            }
        }
    }

    fn exclude(&mut self, item: &ItemFacts, exclusion: Exclusion) {
        self.plan.excluded.push(Excluded { item_id: item.item_id.clone(), exclusion });
    }
}

/// The sum of these; of none it is 0, where `sum` gives -0.
pub(crate) fn total(credits: impl Iterator<Item = f64>) -> f64 {
    credits.fold(0.0, |sum, more| sum + more)
}

/// Canaries first: they cost one item and open the way; then the groups that have come farthest, the largest first.
fn in_order(mut groups: Vec<Eligible<'_>>) -> Vec<Eligible<'_>> {
    groups.sort_by(|(a, a_items), (b, b_items)| {
        let rank = |group: &GroupFacts| if group.state.ramp.step == Step::One { 0 } else { 1 };
        rank(a).cmp(&rank(b)).then_with(|| b_items.len().cmp(&a_items.len())).then_with(|| a.group_id.cmp(&b.group_id))
    });
    groups
}

/// A canary that was tried before says less, so one that was not goes if there is one.
fn fresh_or_all<'a>(items: &[&'a ItemFacts]) -> Vec<&'a ItemFacts> {
    let fresh: Vec<&ItemFacts> = items.iter().copied().filter(|item| item.attempts == 0).collect();
    if fresh.is_empty() { items.to_vec() } else { fresh }
}

fn without_history(group_id: &str) -> GroupFacts {
    GroupFacts {
        group_id: group_id.to_owned(),
        generic: true,
        last_failure: Timestamp::MIN,
        state: crate::reprocess::policy::group_state::GroupState::default(),
        senders: crate::reprocess::policy::holds::directory_stats::Senders::new(),
    }
}
