//! The policy at its barest: no budgets, no holds, no refusals, a cycle of half an hour. Ours must not be worse.

use super::world::{End, Random, World};

const HOUR: f64 = 60.0;
const CYCLE: i64 = 30;
const DELAYS: [f64; 3] = [15.0, 2.0 * HOUR, 12.0 * HOUR];
const RESTS: [f64; 6] = [HOUR, 3.0 * HOUR, 9.0 * HOUR, 27.0 * HOUR, 48.0 * HOUR, 48.0 * HOUR];
const STEPS: [usize; 3] = [5, 20, 100];
const WORTH: f64 = 0.25;

struct Item {
    at: usize,
    tries: usize,
    recovered: bool,
    next: f64,
}

struct Group {
    generic: bool,
    items: Vec<Item>,
    past: [Vec<(f64, bool)>; 4],
    lost: Option<usize>,
    rest: f64,
    step: usize,
    out: Vec<usize>,
}

impl Group {
    fn belief(&self, number: usize, now: f64) -> f64 {
        let (mut a, mut b) = if self.generic || number > 1 { (1.0, 1.0) } else { (4.0, 1.0) };
        let halves = if number == 1 { 12.0 * HOUR } else { 7.0 * 24.0 * HOUR };
        for (when, good) in &self.past[number] {
            let weight = 0.5_f64.powf((now - when) / halves);
            *(if *good { &mut a } else { &mut b }) += weight;
        }
        a / (a + b)
    }

    fn choose(&self, now: f64, random: &mut Random) -> Vec<usize> {
        let ready: Vec<usize> = (0..self.items.len())
            .filter(|at| {
                let item = &self.items[*at];
                !item.recovered && item.tries < 3 && item.next <= now
            })
            .collect();
        if ready.is_empty() {
            return ready;
        }
        if let Some(lost) = self.lost {
            let most = (self.items.len() as f64 / 2.0).max(1.0);
            if now < self.rest || lost >= 6 || lost as f64 > most {
                return Vec::new();
            }
            let fresh: Vec<usize> = ready.iter().copied().filter(|at| self.items[*at].tries == 0).collect();
            let from = if fresh.is_empty() { ready } else { fresh };
            return vec![from[random.below(from.len() as u64) as usize]];
        }
        let mut chosen = Vec::new();
        for number in 1..=3 {
            if self.belief(number, now) >= WORTH {
                let some = ready.iter().copied().filter(|at| self.items[*at].tries == number - 1);
                let good = self.past[number].iter().filter(|(_, good)| *good).count();
                chosen.extend(some.take(if number == 1 { usize::MAX } else { (4 * good).max(2) }));
            }
        }
        chosen.truncate(STEPS[self.step.min(2)]);
        chosen
    }

    fn settle(&mut self, world: &mut World, now: f64, random: &mut Random) {
        if self.out.is_empty() {
            return;
        }
        let mut any = false;
        for at in std::mem::take(&mut self.out) {
            let end = world.work(self.items[at].at, now as i64 - CYCLE);
            let item = &mut self.items[at];
            item.next = now + DELAYS[item.tries.min(2)] * (0.5 + random.fraction() / 2.0);
            if end == End::Throttled {
                item.tries -= 1;
                continue;
            }
            item.recovered = end == End::Recovered;
            any |= item.recovered;
            let (tries, recovered) = (item.tries, item.recovered);
            self.past[tries].push((now, recovered));
        }
        match self.lost {
            Some(_) if any => (self.lost, self.step) = (None, 0),
            Some(lost) => (self.rest, self.lost) = (now + RESTS[lost.min(5)], Some(lost + 1)),
            None if self.belief(1, now) < WORTH => (self.lost, self.rest) = (Some(1), now + RESTS[0]),
            None => self.step += 1,
        }
    }
}

pub(crate) fn run(world: &mut World, seed: u64) {
    let mut random = Random::new(seed ^ 0x5eed);
    let mut groups: Vec<Group> = world
        .account
        .groups
        .iter()
        .map(|spec| Group {
            generic: super::hides_its_cause(spec.message),
            items: Vec::new(),
            past: Default::default(),
            lost: Some(0),
            rest: 0.0,
            step: 0,
            out: Vec::new(),
        })
        .collect();
    for (at, document) in world.documents.iter().enumerate() {
        let next = document.failed_at as f64 + DELAYS[0] * (0.5 + random.fraction() / 2.0);
        groups[document.group].items.push(Item { at, tries: 0, recovered: false, next });
    }
    let mut now = 0;
    while now <= world.end() {
        for group in &mut groups {
            group.settle(world, now as f64, &mut random);
            if world.is_broke(now) {
                continue;
            }
            for at in group.choose(now as f64, &mut random) {
                group.items[at].tries += 1;
                group.out.push(at);
            }
        }
        now += CYCLE;
    }
}
