//! Drives the decision functions through a simulated account, as the service does: a cycle every five minutes.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::config::ReprocessConfig;
use llama_triage::internals::model::{Class, ItemState};
use llama_triage::internals::reprocess::{
    Account, EndedTry, Facts, GroupFacts, IntentState, Item, JobConfig, Refusal, Selection, Spent, Tried, Try,
    TryResult, choose, hold,
};

use super::world::{End, World};

const CYCLE: i64 = 5;
const MOST_UNTRIED: usize = 500;

fn at(minute: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minute)
}

fn tried(job_config: &JobConfig, counts: bool) -> Tried {
    Tried { parameters_hash: job_config.hash().to_owned(), counts, in_episode: true, cancelled_at: None }
}

/// A retry under way, or ended.
struct Sent {
    item: usize,
    number: u32,
    posted: i64,
    ends: i64,
    result: TryResult,
    seen: bool,
}

struct Driver<'w> {
    world: &'w mut World,
    config: ReprocessConfig,
    job_config: Arc<JobConfig>,
    items: Vec<Item>,
    groups: Vec<GroupFacts>,
    seen: usize,
    account: Account,
    sent: Vec<Sent>,
    /// When each group began.
    began: Vec<Timestamp>,
    /// When each incident was noticed.
    incidents: Vec<Timestamp>,
    wait_until: i64,
    log: bool,
}

pub(crate) fn run(world: &mut World, config: ReprocessConfig, log: bool) {
    let groups = world
        .account
        .groups
        .iter()
        .enumerate()
        .map(|(n, spec)| GroupFacts::untried(&format!("g-{n}"), super::class(spec.message), 0));
    let groups: Vec<GroupFacts> = groups.collect();
    let classes: Vec<Class> = world.account.groups.iter().map(|spec| super::class(spec.message)).collect();
    let job_config = Arc::new(JobConfig::given(serde_json::json!({ "parameters": {} })).expect("an object"));
    let items = world.documents.iter().map(|document| Item {
        job_type: "parse".into(),
        batch_id: "batch".into(),
        config: Ok(Arc::clone(&job_config)),
        ..Item::new(
            document.id.clone(),
            format!("g-{}", document.group),
            classes[document.group],
            at(document.failed_at),
        )
    });
    let items = items.collect();
    let mut driver = Driver {
        world,
        config,
        job_config,
        items,
        groups,
        seen: 0,
        account: Account::default(),
        sent: Vec::new(),
        began: Vec::new(),
        incidents: Vec::new(),
        wait_until: 0,
        log,
    };
    let mut minute = 0;
    while minute <= driver.world.end() {
        driver.cycle(minute);
        minute += CYCLE;
    }
}

impl Driver<'_> {
    fn cycle(&mut self, minute: i64) {
        self.see_failures(minute);
        self.end(minute);
        let completes = self.world.account.traffic > 0 && !self.world.is_broke(minute);
        if completes && self.account.is_proven_by(at(minute)) {
            self.account = Account { in_vain: self.account.in_vain + 1, ..Account::default() };
        }
        if minute < self.wait_until {
            return;
        }
        let spent = self.spent(minute);
        let ended: Vec<EndedTry> = self
            .sent
            .iter()
            .filter(|one| one.seen && one.ends > minute - 120)
            .filter(|one| matches!(one.result, TryResult::Recovered | TryResult::Lost))
            .map(|one| EndedTry {
                at: at(one.ends),
                group_id: self.items[one.item].group_id.clone(),
                lost: one.result == TryResult::Lost,
            })
            .collect();
        let facts = Facts {
            items: self.candidates(),
            groups: self.groups.clone(),
            stopped_since: self.account.stopped_since,
            completed_at: completes.then(|| at(minute)),
            hold: hold(at(minute), &ended, &self.incidents),
            spent,
        };
        let plan = choose(&facts, Selection::Auto, &self.config, at(minute));
        if self.log && minute % 60 == 0 {
            let mut left: BTreeMap<String, usize> = BTreeMap::new();
            for (_, why) in &plan.excluded {
                *left.entry(format!("{why:?}").chars().take(24).collect()).or_default() += 1;
            }
            println!("    {:4} h: {left:?}", minute / 60);
        }
        for chunk in plan.chunks {
            if self.log {
                let group = self.groups.iter().find(|group| group.group_id == chunk.group_id);
                let outlook = group.map(|group| group.outlook(&self.config, at(minute)).to_string());
                println!(
                    "    {:4}:{:02} {} {:3} items: {}",
                    minute / 60,
                    minute % 60,
                    chunk.group_id,
                    chunk.item_ids.len(),
                    outlook.unwrap_or_default()
                );
            }
            let items: Vec<usize> = chunk.item_ids.iter().map(|id| self.world.by_id[id]).collect();
            if !self.post(minute, &chunk.group_id, &items) {
                break;
            }
        }
    }

    /// The open items, of each group the oldest that were not tried yet: the ledger gives no more of a large one.
    fn candidates(&self) -> Vec<Item> {
        let mut untried = vec![0; self.groups.len()];
        let mut items = Vec::new();
        for (at, item) in self.items[..self.seen].iter().enumerate() {
            let group = self.world.documents[at].group;
            if item.state == ItemState::Recovered || (item.attempts() == 0 && untried[group] == MOST_UNTRIED) {
                continue;
            }
            untried[group] += usize::from(item.attempts() == 0);
            items.push(item.clone());
        }
        items
    }

    fn see_failures(&mut self, minute: i64) {
        while self.seen < self.items.len() && self.world.documents[self.seen].failed_at <= minute {
            let group = self.world.documents[self.seen].group;
            if self.groups[group].documents == 0 {
                self.began.push(at(self.world.documents[self.seen].failed_at));
                // Three groups within ten minutes, as an account without other news has it.
                let newest = self.began.iter().rev().take(3).collect::<Vec<_>>();
                if let [last, _, first] = newest[..]
                    && *last - *first <= SignedDuration::from_mins(10)
                    && self.incidents.last().is_none_or(|before| at(minute) - *before > SignedDuration::from_hours(1))
                {
                    self.incidents.push(at(minute));
                }
            }
            self.groups[group].documents += 1;
            self.seen += 1;
        }
    }

    /// Whether other chunks may follow.
    fn post(&mut self, minute: i64, group_id: &str, items: &[usize]) -> bool {
        let duration = self.world.duration();
        match self.world.post(minute, items) {
            (IntentState::Submitted, _) => {
                self.account.in_vain = 0;
                for item in items {
                    self.items[*item].claimed_by = Some("intent".into());
                    let number = self.items[*item].attempts() + 1;
                    let (item, posted) = (*item, minute);
                    self.sent.push(Sent {
                        item,
                        number,
                        posted,
                        ends: minute + duration,
                        result: TryResult::Running,
                        seen: false,
                    });
                    let group = self.groups.iter_mut().find(|group| group.group_id == group_id);
                    if let Some(group) = group {
                        group.tries.push(Try {
                            number,
                            started_at: at(minute),
                            ended_at: None,
                            result: TryResult::Running,
                        });
                    }
                }
                true
            }
            (_, Some(Refusal::Account)) => {
                self.account.stopped_since.get_or_insert(at(minute));
                false
            }
            (_, Some(Refusal::Throttled)) => {
                self.wait_until = minute + 15;
                false
            }
            (_, refusal) => refusal.is_some(),
        }
    }

    fn end(&mut self, minute: i64) {
        let mut changed = false;
        for sent in self.sent.iter_mut().filter(|one| !one.seen && one.ends <= minute) {
            let end = self.world.work(sent.item, sent.ends);
            let item = &mut self.items[sent.item];
            item.claimed_by = None;
            (sent.seen, changed) = (true, true);
            sent.result = match end {
                End::Recovered => {
                    item.state = ItemState::Recovered;
                    TryResult::Recovered
                }
                End::Failed => {
                    item.failed_at = at(sent.ends);
                    item.tried.push(tried(&self.job_config, true));
                    TryResult::Lost
                }
                End::Throttled => {
                    (item.failed_at, item.class) = (at(sent.ends), Class::Throttled);
                    item.tried.push(tried(&self.job_config, false));
                    TryResult::Neutral
                }
            };
        }
        if changed {
            self.rebuild();
        }
    }

    fn rebuild(&mut self) {
        for group in &mut self.groups {
            group.tries.clear();
        }
        for sent in &self.sent {
            let group = self.world.documents[sent.item].group;
            let ended_at = sent.seen.then(|| at(sent.ends));
            self.groups[group].tries.push(Try {
                number: sent.number,
                started_at: at(sent.posted),
                ended_at,
                result: sent.result,
            });
        }
        for group in &mut self.groups {
            let over = group.tries.len().saturating_sub(1_000);
            group.tries.drain(..over);
        }
    }

    fn spent(&self, minute: i64) -> Spent {
        let mut spent = Spent { processed_day: self.world.account.traffic * 48, ..Spent::default() };
        for sent in self.sent.iter().filter(|one| one.posted > minute - 24 * 60 && one.result != TryResult::Recovered) {
            spent.day += 1;
            spent.hour += u32::from(sent.posted > minute - 60);
            *spent.group_day.entry(self.items[sent.item].group_id.clone()).or_default() += 1;
        }
        spent
    }
}
