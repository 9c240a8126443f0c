//! The simulated accounts: documents with known causes behind wordings that tell them or hide them.

use super::world::{Account, Cause, GroupSpec};

pub(crate) const HOUR: i64 = 60;

/// What the vendor says most; it hides its cause.
const GENERIC: [&str; 4] =
    ["Failed to parse the file", "Internal processing failure", "Internal Server Error", "Parsing failed unexpectedly"];
/// Wordings of passing causes.
const CLEAR: [&str; 4] = [
    "503 Service Unavailable",
    "socket hang up",
    "Connection reset by peer while reading the page image",
    "Read timed out after 60 seconds talking to the OCR backend",
];

fn group(message: &'static str, items: u64, cause: Cause, lasting: f64) -> GroupSpec {
    GroupSpec { message, items, from: 0, to: 10, cause, poison: lasting }
}

/// Everything fails until then, and goes well afterwards.
fn outage(message: &'static str, items: u64, hours: i64) -> GroupSpec {
    group(message, items, Cause::Outage(hours * HOUR, 0.0), 0.0)
}

fn flaky(message: &'static str, items: u64, bad_luck: f64) -> GroupSpec {
    group(message, items, Cause::Flaky(bad_luck), 0.0)
}

fn lasting(message: &'static str, items: u64) -> GroupSpec {
    group(message, items, Cause::Permanent, 0.0)
}

fn account(name: &'static str, groups: Vec<GroupSpec>) -> Account {
    Account {
        name,
        groups,
        traffic: 250,
        lost_after: 0.0,
        lost_before: 0.0,
        busy: 0.0,
        broke: None,
        bad_ids: 0,
        days: 7,
    }
}

fn ordinary() -> Vec<GroupSpec> {
    vec![flaky(CLEAR[0], 140, 0.05), outage(CLEAR[1], 70, 3), outage(GENERIC[0], 50, 3), lasting(GENERIC[1], 25)]
}

fn behind(name: &'static str, message: &'static str, hours: i64) -> Account {
    account(name, vec![outage(message, 80, hours), flaky(CLEAR[2], 50, 0.05)])
}

fn mixed(name: &'static str, share: f64) -> Account {
    account(name, vec![group(GENERIC[0], 150, Cause::Flaky(0.05), share)])
}

fn unlucky(name: &'static str, share: f64) -> Account {
    account(name, vec![flaky(CLEAR[0], 150, share), flaky(GENERIC[0], 60, share)])
}

fn later(mut spec: GroupSpec, hours: i64) -> GroupSpec {
    spec.from += hours * HOUR;
    spec.to += hours * HOUR;
    spec
}

/// Every kind.
pub(crate) fn all() -> Vec<Account> {
    let two_outages = vec![
        outage(GENERIC[0], 80, 5),
        outage(CLEAR[0], 60, 5),
        later(outage(GENERIC[2], 80, 32), 26),
        later(outage(CLEAR[1], 60, 32), 26),
    ];
    let small = vec![flaky(CLEAR[0], 7, 0.05), outage(GENERIC[0], 6, 4), lasting(GENERIC[1], 7)];
    let large = vec![
        outage(GENERIC[0], 12_000, 6),
        flaky(CLEAR[0], 5_000, 0.05),
        group(GENERIC[2], 2_000, Cause::Flaky(0.05), 0.10),
        lasting(GENERIC[1], 1_000),
    ];
    vec![
        account("ordinary mix", ordinary()),
        behind("outage of 1 h, generic", GENERIC[0], 1),
        behind("outage of 1 h, clear", CLEAR[0], 1),
        behind("outage of 5 h, generic", GENERIC[0], 5),
        behind("outage of 5 h, clear", CLEAR[0], 5),
        behind("outage of 12 h, generic", GENERIC[0], 12),
        behind("outage of 12 h, clear", CLEAR[0], 12),
        behind("outage of 30 h, generic", GENERIC[0], 30),
        behind("outage of 30 h, clear", CLEAR[0], 30),
        account("two outages", two_outages),
        account(
            "hidden lasting causes alone",
            vec![lasting(GENERIC[0], 70), lasting(GENERIC[1], 40), lasting(GENERIC[2], 9)],
        ),
        mixed("10 % lasting in one wording", 0.10),
        mixed("25 % lasting in one wording", 0.25),
        mixed("50 % lasting in one wording", 0.50),
        unlucky("12 % bad luck", 0.12),
        unlucky("20 % bad luck", 0.20),
        Account { traffic: 6, ..account("small: 20 documents", small) },
        Account { traffic: 4_000, ..account("large: 20,000 documents", large) },
        Account { broke: Some((0, 24 * HOUR)), ..account("no credits for a day", ordinary()) },
        account(
            "rate limit storm",
            vec![
                group("429 Too Many Requests", 150, Cause::RateLimited(25), 0.0),
                group("Rate limit of the model provider exceeded", 150, Cause::RateLimited(25), 0.0),
                flaky(CLEAR[0], 50, 0.05),
            ],
        ),
        Account {
            traffic: 0,
            ..account("quiet account, outage of 4 h", vec![outage(GENERIC[0], 120, 4), lasting(GENERIC[1], 10)])
        },
    ]
}
