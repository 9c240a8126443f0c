//! Accounts drawn by chance: every seed is another mixture of causes, shares, wordings, traffic and trouble.

use super::accounts::{HOUR, calm, outage};
use super::world::{Account, Cause, GroupSpec, Random};

/// Wordings that name a passing cause, and wordings that hide their cause.
const WORDINGS: [&str; 10] = [
    "socket hang up",
    "503 Service Unavailable",
    "The worker was lost while the job ran",
    "Connection reset by peer while reading the page image",
    "The model is overloaded, please try again later",
    "Failed to parse the file",
    "Internal Server Error",
    "Internal processing failure",
    "502 Bad Gateway from the layout service",
    "Read timed out after 60 seconds talking to the OCR backend",
];

fn between(random: &mut Random, low: f64, high: f64) -> f64 {
    low + (high - low) * random.fraction()
}

fn among(random: &mut Random, low: u64, high: u64) -> u64 {
    low + random.below(high - low + 1)
}

fn hours(random: &mut Random) -> (i64, i64) {
    let from = among(random, 0, 30) as i64;
    (from * HOUR, (from + among(random, 6, 60) as i64) * HOUR)
}

/// Groups of one wording each, over passing and lasting causes, with chance and documents that need two retries.
pub(crate) fn mixed(seed: u64) -> Account {
    let mut random = Random::new(seed ^ 0x6D69_7865);
    let random = &mut random;
    let groups = (0..among(random, 2, 6)).map(|_| passing(random, 0.35)).collect();
    Account { traffic: among(random, 40, 400), ..calm("mixed", distinct(groups)) }
}

/// Anything: mixtures of all causes in any proportion, outages or none, a good or a bad network, much traffic or none.
pub(crate) fn anything(seed: u64) -> Account {
    let mut random = Random::new(seed ^ 0x616E_7974);
    let random = &mut random;
    let mut groups: Vec<GroupSpec> = (0..among(random, 1, 5)).map(|_| passing(random, 0.20)).collect();
    groups.extend((0..among(random, 0, 3)).map(|_| {
        let (from, to) = hours(random);
        let message = WORDINGS[5 + random.below(3) as usize];
        GroupSpec { message, items: among(random, 3, 60), from, to, cause: Cause::Permanent, ..GroupSpec::default() }
    }));
    let mut groups = distinct(groups);
    let mut outages = Vec::new();
    if random.below(2) == 0 {
        let from = among(random, 1, 40) as i64;
        let to = from + among(random, 1, 6) as i64;
        outages.push((from * HOUR, to * HOUR));
        groups.extend(outage(among(random, 10, 120), (from, to), among(random, 1, 6) as usize));
    }
    let traffic = if random.below(4) == 0 { 0 } else { among(random, 20, 400) };
    let mut bad = |share: f64| if random.below(3) == 0 { share } else { 0.0 };
    let (lost_after, lost_before, busy) = (bad(0.1), bad(0.05), bad(0.05));
    Account { traffic, outages, lost_after, lost_before, busy, ..calm("anything", groups) }
}

/// One wording whose lasting causes are all of one directory: a customer's broken export among healthy ones.
pub(crate) fn one_sender(seed: u64) -> Account {
    let mut random = Random::new(seed ^ 0x7365_6E64);
    let random = &mut random;
    let groups = (0..among(random, 1, 3)).map(|_| GroupSpec { poison: 0.0, sender: true, ..passing(random, 0.0) });
    let groups = distinct(groups.collect());
    Account { traffic: among(random, 100, 400), ..calm("one sender", groups) }
}

fn passing(random: &mut Random, poison: f64) -> GroupSpec {
    let (from, to) = hours(random);
    GroupSpec {
        message: WORDINGS[random.below(WORDINGS.len() as u64) as usize],
        items: among(random, 10, 200),
        from,
        to,
        cause: Cause::Flaky(between(random, 0.0, 0.1)),
        poison: between(random, 0.0, poison),
        stubborn: between(random, 0.0, 0.12),
        ..GroupSpec::default()
    }
}

/// Groups are distinguished by their wording, so each has one of its own.
fn distinct(groups: Vec<GroupSpec>) -> Vec<GroupSpec> {
    let mut kept: Vec<GroupSpec> = Vec::new();
    for group in groups {
        if kept.iter().all(|known| known.message != group.message) {
            kept.push(group);
        }
    }
    kept
}
