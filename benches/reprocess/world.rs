//! A simulated account: what fails, why, and what a retry of it does. Time is in minutes.

use std::collections::BTreeMap;

use llama_triage::internals::reprocess::{IntentState, Refusal, meaning};

/// A small deterministic generator (splitmix64), so that a seed always gives the same account.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cause {
    /// A retry succeeds but for this share of bad luck.
    Flaky(f64),
    /// Nothing succeeds before this minute; then as `Flaky`.
    Outage(i64, f64),
    /// Nothing ever succeeds.
    Permanent,
    /// Succeeds while not more than this many go in a quarter of an hour.
    RateLimited(u32),
}

#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) id: String,
    pub(crate) group: usize,
    pub(crate) failed_at: i64,
    pub(crate) cause: Cause,
}

#[derive(Clone, Debug)]
pub(crate) struct GroupSpec {
    pub(crate) message: &'static str,
    pub(crate) items: u64,
    /// Failures happen between these minutes.
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) cause: Cause,
    /// Share of items that never succeed although the group does.
    pub(crate) poison: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: &'static str,
    pub(crate) groups: Vec<GroupSpec>,
    /// Items of the account's own finished per half hour.
    pub(crate) traffic: u64,
    /// Share of POSTs accepted whose answer is lost.
    pub(crate) lost_after: f64,
    /// Share of POSTs whose request is lost.
    pub(crate) lost_before: f64,
    /// Share of POSTs answered 429.
    pub(crate) busy: f64,
    /// From here to there every POST is answered 402.
    pub(crate) broke: Option<(i64, i64)>,
    /// Items whose id the API refuses (422 for the whole POST).
    pub(crate) bad_ids: u64,
    pub(crate) days: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    Recovered,
    Failed,
    Throttled,
}

pub(crate) struct World {
    pub(crate) account: Account,
    pub(crate) documents: Vec<Document>,
    pub(crate) by_id: BTreeMap<String, usize>,
    random: Random,
    quarter: (i64, u32),
    pub(crate) tally: Tally,
    billed: Vec<u32>,
    recovered: Vec<bool>,
    bad: Vec<bool>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) attempts: usize,
    pub(crate) recoverable: usize,
    pub(crate) recovered: usize,
    pub(crate) duplicates: usize,
    pub(crate) posts: usize,
    pub(crate) posts_broke: usize,
    pub(crate) wasted_by_group: BTreeMap<usize, usize>,
    pub(crate) last_recovery: i64,
}

impl World {
    pub(crate) fn new(account: Account, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut documents = Vec::new();
        for (group, spec) in account.groups.iter().enumerate() {
            for n in 0..spec.items {
                let span = u64::try_from(spec.to - spec.from).unwrap_or(0) + 1;
                let poison = (n as f64) < spec.poison * spec.items as f64;
                let id = format!("dfl-{:016x}-{group}-{n}", random.next());
                let failed_at = spec.from + i64::try_from(random.below(span)).unwrap_or(0);
                // Drawn so that the accounts stay those that were measured before.
                random.next();
                documents.push(Document {
                    id,
                    group,
                    failed_at,
                    cause: if poison { Cause::Permanent } else { spec.cause },
                });
            }
        }
        documents.sort_by_key(|document| document.failed_at);
        let mut tally = Tally::default();
        let mut bad = vec![false; documents.len()];
        for _ in 0..account.bad_ids {
            let at = usize::try_from(random.below(documents.len() as u64)).unwrap_or(0);
            bad[at] = true;
        }
        for (at, document) in documents.iter().enumerate() {
            if document.cause != Cause::Permanent && !bad[at] {
                tally.recoverable += 1;
            }
        }
        let by_id = documents.iter().enumerate().map(|(at, document)| (document.id.clone(), at)).collect();
        let count = documents.len();
        Self {
            account,
            documents,
            by_id,
            random,
            quarter: (0, 0),
            tally,
            billed: vec![0; count],
            recovered: vec![false; count],
            bad,
        }
    }

    pub(crate) fn end(&self) -> i64 {
        self.account.days * 24 * 60
    }

    pub(crate) fn is_broke(&self, now: i64) -> bool {
        self.account.broke.is_some_and(|(from, to)| (from..to).contains(&now))
    }

    /// Posts items; what the answer means.
    pub(crate) fn post(&mut self, now: i64, items: &[usize]) -> (IntentState, Option<Refusal>) {
        self.tally.posts += 1;
        if self.is_broke(now) {
            self.tally.posts_broke += 1;
            return meaning(402);
        }
        if self.random.fraction() < self.account.busy {
            return meaning(429);
        }
        if items.iter().any(|at| self.bad[*at]) {
            return meaning(422);
        }
        if self.random.fraction() < self.account.lost_before {
            return (IntentState::Unknown, None);
        }
        if self.random.fraction() < self.account.lost_after {
            return meaning(504);
        }
        (IntentState::Submitted, None)
    }

    /// How long a batch takes.
    pub(crate) fn duration(&mut self) -> i64 {
        3 + i64::try_from(self.random.below(15)).unwrap_or(0)
    }

    /// Works on one document; bills it unless it was throttled.
    pub(crate) fn work(&mut self, at: usize, now: i64) -> End {
        let document = self.documents[at].clone();
        let quarter = now / 15;
        let end = match document.cause {
            Cause::Permanent => End::Failed,
            Cause::Outage(until, _) if now < until => End::Failed,
            Cause::Flaky(bad_luck) | Cause::Outage(_, bad_luck) => {
                if self.random.fraction() < bad_luck {
                    End::Failed
                } else {
                    End::Recovered
                }
            }
            Cause::RateLimited(most) => {
                if self.quarter.0 != quarter {
                    self.quarter = (quarter, 0);
                }
                self.quarter.1 += 1;
                if self.quarter.1 > most { End::Throttled } else { End::Recovered }
            }
        };
        if end != End::Throttled {
            self.tally.attempts += 1;
            self.billed[at] += 1;
            if self.recovered[at] {
                self.tally.duplicates += 1;
            }
        }
        match end {
            End::Recovered if !self.recovered[at] => {
                self.recovered[at] = true;
                self.tally.recovered += 1;
                self.tally.last_recovery = now;
            }
            End::Failed => *self.tally.wasted_by_group.entry(document.group).or_insert(0) += 1,
            _ => {}
        }
        end
    }

    /// The attempts that one must make who cannot tell the lasting documents of a wording that also recovers.
    pub(crate) fn knowable(&self) -> f64 {
        let of = |document: &Document| {
            let cause = self.account.groups[document.group].cause;
            match cause {
                Cause::Permanent => 0.0,
                _ if document.cause == Cause::Permanent => 1.0,
                Cause::Flaky(bad_luck) | Cause::Outage(_, bad_luck) => 1.0 / (1.0 - bad_luck),
                Cause::RateLimited(_) => 1.0,
            }
        };
        self.documents.iter().map(of).sum()
    }

    /// Most attempts made at a group in which nothing can recover.
    pub(crate) fn most_lost_on_lasting(&self) -> usize {
        let groups = self.account.groups.iter().enumerate().filter(|(_, spec)| spec.cause == Cause::Permanent);
        let lost = groups.map(|(at, _)| self.tally.wasted_by_group.get(&at).copied().unwrap_or(0));
        lost.max().unwrap_or(0)
    }

    /// Whether nothing of a group was recovered of which something could be.
    pub(crate) fn lost_a_whole_group(&self) -> bool {
        (0..self.account.groups.len()).any(|group| {
            let mut of_group = (0..self.documents.len()).filter(|at| self.documents[*at].group == group);
            let can = of_group.clone().any(|at| self.documents[at].cause != Cause::Permanent && !self.bad[at]);
            can && of_group.all(|at| !self.recovered[at])
        })
    }
}
