//! Drives the decision functions through a simulated account, as the service does: a cycle every five minutes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use llama_triage::internals::classify::Rules;
use llama_triage::internals::model::Class;
use llama_triage::internals::reprocess::{
    After, AfterRefusal, AfterStatus, AttemptResult, Blame, Candidate, Chunk, Ended, Gate, GroupFacts, Intent,
    IntentEvent, IntentState, ItemFacts, ItemState, Limits, Listing, PlanInput, Record, Refusal, Selection, Sender,
    StepResult, Trial, Vote, Weather, after_refusal, global_breaker_trips, incident, outcome, plan, reconcile,
};

use super::facts::{at, facts};
use super::world::{End, World};

mod look;

const CYCLE: i64 = 5;

struct Running {
    intent: Intent,
    chunk: Chunk,
    /// The batch that exists, whether or not we know of it.
    batch: Option<(String, i64)>,
    weather: Weather,
    listings: Vec<Listing>,
    debits: Vec<usize>,
}

struct Debit {
    at: i64,
    group: String,
    credits: f64,
    released: bool,
    recovered: bool,
}

struct Driver<'w> {
    world: &'w mut World,
    limits: Limits,
    items: Vec<ItemFacts>,
    groups: Vec<GroupFacts>,
    seen: usize,
    gate: Gate,
    debits: Vec<Debit>,
    running: Vec<Running>,
    ended: Vec<AttemptResult>,
    /// First retries that ended outside storms, by group: whether each recovered.
    first_retries: BTreeMap<String, Vec<bool>>,
    turned: Vec<(Timestamp, String)>,
    opened: BTreeMap<usize, i64>,
    intents: u64,
    wait_until: i64,
    log: bool,
}

pub(crate) fn run(world: &mut World, rules: &Rules, canaries: u32, log: bool) -> BTreeMap<String, usize> {
    let scale = world.account.scale;
    let standard = Limits::default();
    let limits = Limits {
        per_run: standard.per_run * scale,
        per_hour: standard.per_hour * scale,
        per_day: standard.per_day * scale,
        per_group_per_day: standard.per_group_per_day * scale,
        canaries,
        ..standard
    };
    let (groups, items) = facts(world, rules);
    let mut driver = Driver {
        world,
        limits,
        items,
        groups,
        seen: 0,
        gate: Gate::Open,
        debits: Vec::new(),
        running: Vec::new(),
        ended: Vec::new(),
        first_retries: BTreeMap::new(),
        turned: Vec::new(),
        opened: BTreeMap::new(),
        intents: 0,
        wait_until: 0,
        log,
    };
    let mut minute = 0;
    while minute <= driver.world.end() {
        driver.cycle(minute);
        minute += CYCLE;
    }
    let parked = |item: &ItemFacts| {
        driver.groups.iter().any(|group| group.group_id == item.group_id && group.state.parked.is_some())
    };
    let lost = driver.items.iter().enumerate().filter(|(at, item)| parked(item) && driver.world.is_lost(*at)).count();
    let left = driver.left(minute);
    driver.world.tally.left_to_person = lost;
    left
}

impl Driver<'_> {
    fn cycle(&mut self, minute: i64) {
        self.see_failures(minute);
        self.end_batches(minute);
        self.reconcile_unknown(minute);
        let weather = self.weather(minute);
        if !self.world.is_broke(minute) && self.world.account.traffic > 0 {
            self.gate = self.gate.saw_completion(at(minute), &self.limits);
        }
        let trips = global_breaker_trips(at(minute), &self.ended);
        self.gate = self.gate.observe(at(minute), incident(at(minute), &self.turned), trips, weather, &self.limits);
        if minute >= self.wait_until {
            self.post_plan(minute, weather);
        }
    }

    fn see_failures(&mut self, minute: i64) {
        while self.seen < self.items.len() && self.world.documents[self.seen].failed_at <= minute {
            let document = &self.world.documents[self.seen];
            let group = document.group;
            if let std::collections::btree_map::Entry::Vacant(entry) = self.opened.entry(group) {
                entry.insert(document.failed_at);
                if retried_class(self.items[self.seen].class) {
                    self.turned.push((at(document.failed_at), format!("g-{group}")));
                }
            }
            self.groups[group].last_failure = at(document.failed_at);
            self.seen += 1;
        }
    }

    fn end_batches(&mut self, minute: i64) {
        let (done, still): (Vec<Running>, Vec<Running>) =
            std::mem::take(&mut self.running).into_iter().partition(|running| {
                matches!(running.intent.state, IntentState::Submitted { .. } | IntentState::Adopted { .. })
                    && running.batch.as_ref().is_some_and(|(_, ends)| *ends <= minute)
            });
        self.running = still;
        for running in done {
            let record = self.record(&running.chunk.group_id);
            let ends = running.batch.as_ref().map_or(minute, |(_, ends)| *ends);
            for (id, debit) in running.chunk.item_ids.iter().zip(&running.debits) {
                self.end_item(id, ends, minute, &running, record);
                self.debits[*debit].recovered = self.items[self.world.by_id[id]].state == ItemState::Recovered;
            }
        }
    }

    fn end_item(&mut self, id: &str, ends: i64, minute: i64, running: &Running, record: Record) {
        let index = self.world.by_id[id];
        let end = self.world.work(index, ends);
        let item = &mut self.items[index];
        let group_id = item.group_id.clone();
        let after = match end {
            End::Recovered => After { status: AfterStatus::Completed, group_id: "", class: item.class },
            End::Failed => After { status: AfterStatus::Failed, group_id: &group_id, class: item.class },
            End::Throttled => After { status: AfterStatus::Failed, group_id: &group_id, class: Class::Throttled },
        };
        let result = outcome(&group_id, &after, at(ends), at(minute), &self.limits);
        item.claimed_by = None;
        let before = item.attempts;
        if result.uses_attempt(after.class) {
            item.attempts += 1;
            item.attempts_in_life += 1;
            item.throttled_waits = 0;
        } else {
            item.throttled_waits += 1;
        }
        item.failed_at = at(ends);
        if result.recovers(true) {
            item.state = ItemState::Recovered;
        }
        let vote = result.vote(after.class, true);
        self.vote(&group_id, vote, before, minute, running, record);
        if before == 0 && vote != Vote::Neutral && running.weather != Weather::Storm {
            let recovered = vote == Vote::Recovered;
            self.first_retries.entry(group_id.clone()).or_default().push(recovered);
            let directory = self.items[index].directory.clone();
            if let Some(group) = self.groups.iter_mut().find(|group| group.group_id == group_id) {
                let none = Sender { recovered: 0, failed: 0, last: at(ends) };
                let sender = group.senders.entry(directory).or_insert(none);
                sender.recovered += u32::from(recovered);
                sender.failed += u32::from(!recovered);
                sender.last = at(ends);
            }
        }
    }

    fn vote(&mut self, group_id: &str, vote: Vote, before: u32, minute: i64, running: &Running, record: Record) {
        let limits = self.limits.clone();
        let Some(group) = self.groups.iter_mut().find(|group| group.group_id == group_id) else { return };
        let ctx = Ended {
            now: at(minute),
            limits: &limits,
            generic: group.generic,
            weather: running.weather,
            probe: running.chunk.probe,
            record,
        };
        let step = group.state.ramp;
        let result = group.state.ended(vote, before, &ctx);
        if self.log && result != StepResult::Waiting {
            let name = group_id
                .strip_prefix("g-")
                .and_then(|n| n.parse().ok())
                .map_or("", |n: usize| self.world.account.groups[n].name);
            println!(
                "    {:5.1} h {group_id} {name} {step:?} {vote:?} -> {result:?} {:?} gate {:?}",
                minute as f64 / 60.0,
                group.state.breaker,
                self.gate
            );
        }
        if vote != Vote::Neutral {
            self.ended.push(AttemptResult {
                at: at(minute),
                group_id: group_id.to_owned(),
                failed: vote == Vote::Failed,
            });
        }
        if running.chunk.probe {
            let recovered = match vote {
                Vote::Recovered => Some(true),
                Vote::Failed => Some(false),
                Vote::Neutral | Vote::Cancelled => None,
            };
            self.gate = self.gate.probe_ended(at(minute), recovered, &limits);
        }
    }

    fn reconcile_unknown(&mut self, minute: i64) {
        let mut released = Vec::new();
        for (index, running) in self.running.iter_mut().enumerate() {
            if !running.intent.state.needs_reconciliation() {
                continue;
            }
            let Some(posting_at) = running.intent.posting_at else { continue };
            let ids: BTreeSet<String> = running.chunk.item_ids.iter().cloned().collect();
            let candidates = running
                .batch
                .iter()
                .map(|(batch_id, _)| Candidate {
                    batch_id: batch_id.clone(),
                    created_at: Some(posting_at),
                    job_type: "parse".into(),
                    total_items: ids.len() as u64,
                    ended: false,
                    item_ids: Some(ids.clone()),
                })
                .collect();
            running.listings.push(Listing { at: at(minute), complete: true, candidates });
            let verdict = reconcile("parse", &ids, posting_at, at(minute), &running.listings);
            let Ok((intent, _)) = running.intent.clone().after(IntentEvent::Reconciled(verdict)) else { continue };
            running.intent = intent;
            if running.intent.state.releases() {
                released.push(index);
            }
        }
        for index in released.into_iter().rev() {
            let running = self.running.remove(index);
            self.release(&running, minute);
        }
    }

    fn release(&mut self, running: &Running, minute: i64) {
        for id in &running.chunk.item_ids {
            let index = self.world.by_id[id];
            self.items[index].claimed_by = None;
            let before = self.items[index].attempts;
            let group_id = self.items[index].group_id.clone();
            self.vote(&group_id, Vote::Neutral, before, minute, running, Record::default());
        }
        for debit in &running.debits {
            self.debits[*debit].released = true;
        }
    }

    fn post_plan(&mut self, minute: i64, weather: Weather) {
        let spent = self.spent(minute);
        let plan = plan(&PlanInput {
            now: at(minute),
            selection: Selection::Auto,
            groups: &self.groups,
            items: &self.items[..self.seen],
            gate: self.gate,
            weather,
            spent: &spent,
            limits: &self.limits,
        });
        let mut trials: BTreeMap<String, Trial> = BTreeMap::new();
        let mut queue: Vec<(Chunk, u32)> = plan.chunks.into_iter().rev().map(|chunk| (chunk, 0)).collect();
        while let Some((chunk, split)) = queue.pop() {
            let trial = trials.entry(chunk.group_id.clone()).or_default();
            if trial.is_hopeless() {
                continue;
            }
            for part in self.post(chunk.clone(), split, trial, minute, weather) {
                queue.push((Chunk { item_ids: part, ..chunk.clone() }, split + 1));
            }
            if matches!(self.gate, Gate::AccountStop { .. }) || minute < self.wait_until {
                break;
            }
        }
        for (group_id, trial) in trials {
            self.judge(&group_id, trial.blame(), minute);
        }
    }

    fn judge(&mut self, group_id: &str, blame: Blame, minute: i64) {
        for id in blame.items {
            self.items[self.world.by_id[&id]].refused = true;
        }
        let limits = self.limits.clone();
        if let Some(group) = self.groups.iter_mut().find(|group| blame.parameters && group.group_id == group_id) {
            group.state.breaker = group.state.breaker.open(at(minute), &limits);
        }
    }

    fn post(&mut self, chunk: Chunk, split: u32, trial: &mut Trial, minute: i64, weather: Weather) -> Vec<Vec<String>> {
        self.intents += 1;
        let indexes: Vec<usize> = chunk.item_ids.iter().map(|id| self.world.by_id[id]).collect();
        let mut debits = Vec::new();
        for index in &indexes {
            let item = &mut self.items[*index];
            item.claimed_by = Some(format!("i-{}", self.intents));
            debits.push(self.debits.len());
            self.debits.push(Debit {
                at: minute,
                group: item.group_id.clone(),
                credits: item.credits.unwrap_or(0.0),
                released: false,
                recovered: false,
            });
        }
        if let Some(group) = self.groups.iter_mut().find(|group| group.group_id == chunk.group_id) {
            indexes.iter().for_each(|index| group.state.posted(self.items[*index].attempts));
        }
        if chunk.probe {
            self.gate = self.gate.probe_posted();
        }
        let (batch, answer) = self.world.post(minute, &indexes);
        let duration = self.world.duration();
        let posting =
            Intent::default().after(IntentEvent::Post { at: at(minute) }).expect("a new intent can be posted").0;
        let (intent, refusal) = posting.after(IntentEvent::Answered(answer)).expect("a posting intent can be answered");
        let running = Running {
            intent,
            chunk,
            batch: batch.map(|id| (id, minute + duration)),
            weather,
            listings: Vec::new(),
            debits,
        };
        if !running.intent.state.releases() {
            if matches!(running.intent.state, IntentState::Submitted { .. }) {
                trial.accept();
            }
            self.running.push(running);
            return Vec::new();
        }
        self.release(&running, minute);
        refusal.map(|refusal| self.refused(refusal, &running.chunk, split, trial, minute)).unwrap_or_default()
    }

    fn refused(
        &mut self,
        refusal: Refusal,
        chunk: &Chunk,
        split: u32,
        trial: &mut Trial,
        minute: i64,
    ) -> Vec<Vec<String>> {
        match after_refusal(refusal, &chunk.item_ids, split) {
            AfterRefusal::StopAccount => self.gate = self.gate.stop_account(at(minute)),
            AfterRefusal::WaitUntil(_) => self.wait_until = minute + 15,
            AfterRefusal::Split(left, right) => {
                trial.split();
                return vec![right, left];
            }
            AfterRefusal::SuspectItem => {
                let id = chunk.item_ids[0].clone();
                self.items[self.world.by_id[&id]].refusals += 1;
                trial.suspect(id);
            }
            AfterRefusal::RefuseItem | AfterRefusal::RefuseConfig => {}
        }
        Vec::new()
    }
}

fn retried_class(class: Class) -> bool {
    matches!(class, Class::Transient | Class::Throttled | Class::Unknown)
}
