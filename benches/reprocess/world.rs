//! A simulated account: what fails, why, and what a retry of it does. Time is in minutes.

use std::collections::BTreeMap;

use llama_triage::internals::reprocess::PostAnswer;

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
    /// The first retry fails whatever the cause is.
    pub(crate) stubborn: bool,
    pub(crate) directory: String,
    pub(crate) credits: f64,
}

#[derive(Clone, Debug)]
pub(crate) struct GroupSpec {
    pub(crate) name: &'static str,
    pub(crate) message: &'static str,
    pub(crate) items: u64,
    /// Failures happen between these minutes.
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) cause: Cause,
    /// Share of items that never succeed although the group does.
    pub(crate) poison: f64,
    /// Share of items that fail their first retry and succeed from the second on.
    pub(crate) stubborn: f64,
    /// Items of one directory never succeed, whatever the rest of the group does.
    pub(crate) sender: bool,
}

impl Default for GroupSpec {
    fn default() -> Self {
        Self {
            name: "",
            message: "",
            items: 0,
            from: 0,
            to: 0,
            cause: Cause::Permanent,
            poison: 0.0,
            stubborn: 0.0,
            sender: false,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: &'static str,
    pub(crate) groups: Vec<GroupSpec>,
    /// Items of the account's own finished per half hour.
    pub(crate) traffic: u64,
    /// Minutes in which the account's own work mostly fails.
    pub(crate) outages: Vec<(i64, i64)>,
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
    pub(crate) scale: u32,
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
    batches: u64,
    bad: Vec<bool>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) credits: f64,
    pub(crate) least: f64,
    /// Credits that no one could have saved without knowing chance or single documents beforehand: attempts that failed by chance,
    /// the first attempt at a broken document of a group that recovers, the first canary of a group in which nothing can.
    pub(crate) unknowable: f64,
    pub(crate) recoverable: usize,
    pub(crate) recovered: usize,
    pub(crate) duplicates: usize,
    pub(crate) posts: usize,
    pub(crate) posts_broke: usize,
    pub(crate) wasted_by_group: BTreeMap<usize, usize>,
    pub(crate) last_recovery: i64,
    /// Documents of groups that were left to a user, recovered or not; those of them that could have been recovered.
    pub(crate) left_to_person: usize,
}

impl World {
    pub(crate) fn new(account: Account, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut documents = Vec::new();
        for (group, spec) in account.groups.iter().enumerate() {
            for n in 0..spec.items {
                let span = u64::try_from(spec.to - spec.from).unwrap_or(0) + 1;
                let poison = random.fraction() < spec.poison;
                let stubborn = spec.stubborn > 0.0 && random.fraction() < spec.stubborn;
                let id = format!("dfl-{:016x}-{group}-{n}", random.next());
                let failed_at = spec.from + i64::try_from(random.below(span)).unwrap_or(0);
                let directory = random.below(6);
                let lasting = poison || (spec.sender && directory == 0);
                documents.push(Document {
                    id,
                    group,
                    failed_at,
                    cause: if lasting { Cause::Permanent } else { spec.cause },
                    stubborn,
                    directory: format!("dir-{directory}"),
                    credits: (1 + random.below(20)) as f64,
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
                tally.least += document.credits;
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
            batches: 0,
            bad,
        }
    }

    pub(crate) fn end(&self) -> i64 {
        self.account.days * 24 * 60
    }

    pub(crate) fn is_broke(&self, now: i64) -> bool {
        self.account.broke.is_some_and(|(from, to)| (from..to).contains(&now))
    }

    pub(crate) fn in_outage(&self, now: i64) -> bool {
        self.account.outages.iter().any(|(from, to)| (*from..*to).contains(&now))
    }

    /// Posts items; the batch, if one was made, and the answer.
    pub(crate) fn post(&mut self, now: i64, items: &[usize]) -> (Option<String>, PostAnswer) {
        self.tally.posts += 1;
        let refuse = |status| (None, PostAnswer::Status { status, retry_after: None });
        if self.is_broke(now) {
            self.tally.posts_broke += 1;
            return refuse(402);
        }
        if self.random.fraction() < self.account.busy {
            return refuse(429);
        }
        if items.iter().any(|at| self.bad[*at]) {
            return refuse(422);
        }
        if self.random.fraction() < self.account.lost_before {
            return (None, PostAnswer::Lost);
        }
        self.batches += 1;
        let batch_id = format!("bjb-{:08}", self.batches);
        if self.random.fraction() < self.account.lost_after {
            return (Some(batch_id), PostAnswer::Status { status: 504, retry_after: None });
        }
        (Some(batch_id.clone()), PostAnswer::Accepted { batch_id })
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
            Cause::Permanent => {
                self.count_unknowable(at);
                End::Failed
            }
            Cause::Flaky(_) if document.stubborn && self.billed[at] == 0 => {
                self.tally.unknowable += document.credits;
                End::Failed
            }
            Cause::Flaky(bad_luck) => self.luck(at, bad_luck),
            Cause::Outage(until, _) if now < until => End::Failed,
            Cause::Outage(_, bad_luck) => self.luck(at, bad_luck),
            Cause::RateLimited(most) => {
                if self.quarter.0 != quarter {
                    self.quarter = (quarter, 0);
                }
                self.quarter.1 += 1;
                if self.quarter.1 > most { End::Throttled } else { End::Recovered }
            }
        };
        if end != End::Throttled {
            self.tally.credits += document.credits;
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

    fn luck(&mut self, at: usize, bad: f64) -> End {
        if self.random.fraction() < bad {
            self.tally.unknowable += self.documents[at].credits;
            End::Failed
        } else {
            End::Recovered
        }
    }

    fn count_unknowable(&mut self, at: usize) {
        let group = self.documents[at].group;
        let first_of_group = !self.tally.wasted_by_group.contains_key(&group);
        let broken_alone = self.account.groups[group].cause != Cause::Permanent;
        if (broken_alone && self.billed[at] == 0) || first_of_group {
            self.tally.unknowable += self.documents[at].credits;
        }
    }

    /// Whether a document could have been recovered and was not.
    pub(crate) fn is_lost(&self, at: usize) -> bool {
        self.documents[at].cause != Cause::Permanent && !self.bad[at] && !self.recovered[at]
    }

    /// How many are.
    pub(crate) fn lost(&self) -> usize {
        (0..self.documents.len()).filter(|at| self.is_lost(*at)).count()
    }

    /// Most attempts wasted on a group in which nothing can succeed.
    pub(crate) fn worst_waste_on_permanent(&self) -> usize {
        let wasted = |at: &usize| self.tally.wasted_by_group.get(at).copied().unwrap_or(0);
        self.account
            .groups
            .iter()
            .enumerate()
            .filter(|(_, spec)| spec.cause == Cause::Permanent)
            .map(|(at, _)| wasted(&at))
            .max()
            .unwrap_or(0)
    }
}
