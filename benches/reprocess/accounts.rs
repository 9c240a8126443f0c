//! Account shapes: the same causes in different mixtures.

use super::mixtures;
use super::world::{Account, Cause, GroupSpec};

pub(crate) const HOUR: i64 = 60;

fn group(
    name: &'static str,
    message: &'static str,
    items: u64,
    hours: (i64, i64),
    cause: Cause,
    poison: f64,
) -> GroupSpec {
    GroupSpec { name, message, items, from: hours.0 * HOUR, to: hours.1 * HOUR, cause, poison, ..GroupSpec::default() }
}

pub(crate) fn outage(items: u64, hours: (i64, i64), groups: usize) -> Vec<GroupSpec> {
    const WORDINGS: [(&str, &str); 6] = [
        ("outage/gateway", "502 Bad Gateway from the layout service"),
        ("outage/generic", "Failed to parse the file"),
        ("outage/reset", "Connection reset by peer while reading the page image"),
        ("outage/internal", "internal error, please contact support"),
        ("outage/overload", "The model is overloaded, please try again later"),
        ("outage/timeout", "Read timed out after 60 seconds talking to the OCR backend"),
    ];
    let cause = Cause::Outage(hours.1 * HOUR, 0.01);
    WORDINGS.into_iter().take(groups).map(|(name, message)| group(name, message, items, hours, cause, 0.0)).collect()
}

fn disguised(items: u64) -> Vec<GroupSpec> {
    vec![
        group("disguised/a", "Failed to parse the file.", items, (1, 30), Cause::Permanent, 0.0),
        group("disguised/b", "Internal processing failure", items, (3, 50), Cause::Permanent, 0.0),
        group("disguised/c", "Internal Server Error", items, (20, 26), Cause::Permanent, 0.0),
    ]
}

fn recognised(items: u64) -> Vec<GroupSpec> {
    vec![
        group("protected", "This PDF is password protected", items, (0, 60), Cause::Permanent, 0.0),
        group("unsupported", "Files of type .exe are not supported", items, (2, 20), Cause::Permanent, 0.0),
        group("parameters", "Unknown parse mode 'superb'", items, (5, 6), Cause::Permanent, 0.0),
    ]
}

fn steady(items: u64, poison: f64) -> Vec<GroupSpec> {
    vec![
        group("hang-up", "socket hang up", items, (0, 72), Cause::Flaky(0.03), poison),
        group("unavailable", "503 Service Unavailable", items, (0, 48), Cause::Flaky(0.05), poison),
        group("worker", "The worker was lost while the job ran", items, (10, 40), Cause::Flaky(0.02), poison),
    ]
}

pub(crate) fn calm(name: &'static str, groups: Vec<GroupSpec>) -> Account {
    Account {
        name,
        groups,
        traffic: 250,
        outages: Vec::new(),
        lost_after: 0.0,
        lost_before: 0.0,
        busy: 0.0,
        broke: None,
        bad_ids: 0,
        days: 9,
        scale: 1,
    }
}

/// One wording over passing and lasting causes, documents that need two retries, and chance.
fn mixed(name: &'static str, message: &'static str, items: u64, lasting: f64) -> GroupSpec {
    let spec = group(name, message, items, (0, 72), Cause::Flaky(0.025), lasting);
    GroupSpec { stubborn: 0.10, ..spec }
}

/// A kind of account: the same for every seed but for chance, or drawn by the seed.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    make: Box<dyn Fn(u64) -> Account>,
}

impl Kind {
    pub(crate) fn account(&self, seed: u64) -> Account {
        (self.make)(seed)
    }
}

/// Every kind.
pub(crate) fn kinds() -> Vec<Kind> {
    let fixed = all().into_iter().map(|account| Kind { name: account.name, make: Box::new(move |_| account.clone()) });
    type Draw = fn(u64) -> Account;
    let drawn: [(&'static str, Draw); 3] = [
        ("drawn: lasting causes within each wording", mixtures::mixed),
        ("drawn: anything", mixtures::anything),
        ("drawn: lasting causes of one sender", mixtures::one_sender),
    ];
    fixed.chain(drawn.map(|(name, make)| Kind { name, make: Box::new(make) })).collect()
}

/// Every fixed shape.
fn all() -> Vec<Account> {
    let everything = || {
        let mut groups = outage(120, (12, 15), 5);
        groups.extend(steady(80, 0.02));
        groups.extend(disguised(30));
        groups.extend(recognised(50));
        groups.push(group("rate-limited", "429 Too Many Requests", 150, (4, 8), Cause::RateLimited(25), 0.0));
        groups
    };
    let stormy = vec![(12 * HOUR, 15 * HOUR)];
    let quiet_night = [outage(60, (2, 5), 3), disguised(10)].concat();
    vec![
        Account { outages: stormy.clone(), ..calm("everything", everything()) },
        Account {
            outages: stormy.clone(),
            lost_after: 0.10,
            lost_before: 0.05,
            busy: 0.05,
            bad_ids: 3,
            ..calm("everything, bad network", everything())
        },
        Account { traffic: 0, ..calm("outage in a quiet night", quiet_night) },
        Account { outages: vec![(12 * HOUR, 15 * HOUR)], ..calm("outage of two groups", outage(150, (12, 15), 2)) },
        calm("steady trickle", [steady(120, 0.03), recognised(40)].concat()),
        calm("disguised only", disguised(60)),
        Account { traffic: 6, ..calm("small account", [steady(12, 0.0), recognised(4), disguised(3)].concat()) },
        Account {
            traffic: 4000,
            outages: stormy,
            scale: 10,
            ..calm(
                "large account, budgets x10",
                [outage(900, (12, 15), 6), steady(600, 0.02), disguised(200), recognised(300)].concat(),
            )
        },
        calm(
            "unlucky: 12 % fail again",
            vec![
                group("hang-up", "socket hang up", 150, (0, 48), Cause::Flaky(0.12), 0.0),
                group("generic", "Failed to parse the file", 150, (10, 40), Cause::Flaky(0.12), 0.0),
            ],
        ),
        calm(
            "poisoned: 10 % never recover",
            vec![
                group("hang-up", "socket hang up", 200, (0, 48), Cause::Flaky(0.02), 0.10),
                group("generic", "Failed to parse the file", 100, (10, 40), Cause::Flaky(0.02), 0.10),
            ],
        ),
        Account {
            outages: vec![(12 * HOUR, 15 * HOUR), (20 * HOUR, 23 * HOUR)],
            ..calm("two outages", [outage(100, (12, 15), 4), outage(80, (20, 23), 6), disguised(20)].concat())
        },
        Account {
            traffic: 0,
            ..calm(
                "generic outage, no traffic",
                vec![group(
                    "outage/generic",
                    "Failed to parse the file",
                    120,
                    (1, 4),
                    Cause::Outage(4 * HOUR, 0.01),
                    0.0,
                )],
            )
        },
        calm(
            "mixed: 5 to 30 % never recover",
            vec![
                mixed("generic", "Failed to parse the file", 130, 0.15),
                mixed("internal", "Internal Server Error", 130, 0.08),
                mixed("stage", "Internal error in stage render", 130, 0.30),
                mixed("upstream", "HTTP 503 from the upstream renderer", 130, 0.05),
            ],
        ),
        Account {
            broke: Some((6 * HOUR, 60 * HOUR)),
            ..calm("no credits for two days", [steady(100, 0.0), recognised(20)].concat())
        },
    ]
}
