//! The accounts: days of batches with known causes.

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::simulator::{BatchPace, Failure, Outage, ScriptedCause, World, WorldBuilder};

/// Items of a batch that simply succeed.
const FINE: usize = 110;
/// Hours in which the service fails most of what it gets.
pub(crate) const OUTAGE: (i64, i64) = (12, 15);
/// Hours in which the account has no credits.
pub(crate) const BROKE: (i64, i64) = (60, 61);
/// Hours in which batches are made.
const HOURS: i64 = 80;
/// Hours that are played.
pub(crate) const PLAYED: i64 = 7 * 24;

const FLAKY: [&str; 3] = ["503 Service Unavailable", "socket hang up", "The worker was lost while the job ran"];
const OUTAGE_TEXTS: [&str; 5] = [
    "502 Bad Gateway from the layout service",
    "Failed to parse the file",
    "Connection reset by peer while reading the page image",
    "internal error, please contact support",
    "The model is overloaded, please try again later",
];
/// Wordings that hide that nothing will ever help.
pub(crate) const DISGUISED: [&str; 2] = ["Internal processing failure", "An unknown error occurred during processing."];

/// A group that promises that a retry helps: most items need one, a few two, one in fifty never recovers.
fn flaky(n: i64, text: &str) -> ScriptedCause {
    let failure = Failure::text(text).billed();
    match n % 50 {
        7 => ScriptedCause::Poison(failure),
        n if n % 20 == 3 => ScriptedCause::Transient { succeeds_on: 3, failure },
        _ => ScriptedCause::Transient { succeeds_on: 2, failure },
    }
}

const GENERIC: &str = "Failed to parse the file";

/// An account at `start`, with everything that will happen; none of that name.
pub(crate) fn world(account: &str, start: Timestamp) -> Option<World> {
    match account {
        "everything" => Some(everything(start)),
        "outage" => Some(outage(start)),
        "mixed" => Some(mixed(start)),
        _ => None,
    }
}

/// Work that goes well all the time, a batch each half hour.
fn traffic(start: Timestamp) -> WorldBuilder {
    let mut builder = WorldBuilder::at(start).pace(BatchPace { start_delay: (5, 40), item: (15, 80), lanes: 10 });
    for n in 0..PLAYED * 2 {
        let name = format!("h{n}");
        builder = builder.batch(&name).made_ago(SignedDuration::from_mins(-30 * n - 1));
        builder = builder.items(FINE, &format!("{name}-fine"), ScriptedCause::Succeeds);
    }
    builder
}

/// Twelve hours in which 80 documents fail behind a wording that hides it, beside 50 that need one retry and a few two.
fn outage(start: Timestamp) -> World {
    let from = start - SignedDuration::from_hours(1);
    let (name, until) = ("parser".to_owned(), start + SignedDuration::from_hours(12));
    let outage = Outage { name: name.clone(), from, until, share_percent: 0, failures: Vec::new() };
    let failure = Failure::text(GENERIC).billed();
    let cause = ScriptedCause::Outage { name, failure, then: Box::new(ScriptedCause::Succeeds) };
    let mut builder = traffic(start).outage(outage).batch("down").made_ago(SignedDuration::from_mins(-5));
    builder = builder.items(80, "down", cause).batch("flaky").made_ago(SignedDuration::from_mins(-5));
    for n in 0..50 {
        builder = builder.item(&format!("flaky{n}")).cause(transient(n, FLAKY[1]));
    }
    builder.build()
}

/// One wording that hides its cause: a quarter of 150 documents never recovers.
fn mixed(start: Timestamp) -> World {
    let mut builder = traffic(start).batch("mixed").made_ago(SignedDuration::from_mins(-5));
    for n in 0..150 {
        let cause = match n % 4 {
            1 => ScriptedCause::Poison(Failure::text(GENERIC).billed()),
            _ => transient(n, GENERIC),
        };
        builder = builder.item(&format!("mixed{n}")).cause(cause);
    }
    builder.build()
}

/// Most need one retry, one in twenty needs two.
fn transient(n: i64, text: &str) -> ScriptedCause {
    let succeeds_on = if n % 20 == 3 { 3 } else { 2 };
    ScriptedCause::Transient { succeeds_on, failure: Failure::text(text).billed() }
}

/// Four days with all that can happen, a rate limit and an hour without credits among it.
fn everything(start: Timestamp) -> World {
    let at = |hour: i64| start + SignedDuration::from_hours(hour);
    let mut builder =
        WorldBuilder::at(start).pace(BatchPace { start_delay: (5, 40), item: (15, 80), lanes: 10 }).outage(Outage {
            name: "router".to_owned(),
            from: at(OUTAGE.0),
            until: at(OUTAGE.1),
            share_percent: 80,
            failures: OUTAGE_TEXTS.iter().map(|text| Failure::text(*text)).collect(),
        });
    for n in 0..HOURS * 2 {
        let name = format!("h{n}");
        builder = builder.batch(&name).made_ago(SignedDuration::from_mins(-30 * n - 1));
        builder = builder.items(FINE, &format!("{name}-fine"), ScriptedCause::Succeeds);
        for (group, text) in FLAKY.iter().enumerate() {
            builder = builder.item(&format!("{name}-flaky{group}")).cause(flaky(n + 16 * group as i64, text));
        }
        builder =
            builder.item(&format!("{name}-locked")).cause(ScriptedCause::Permanent(Failure::text("PDF_IS_PROTECTED")));
        if (40..80).contains(&n) {
            let text = DISGUISED[usize::from(n % 2 == 0)];
            builder =
                builder.item(&format!("{name}-hidden")).cause(ScriptedCause::Poison(Failure::text(text).billed()));
        }
    }
    let busy = ScriptedCause::RateLimited { most_at_once: 25, failure: Failure::text("429 Too Many Requests") };
    builder.batch("busy").made_ago(SignedDuration::from_hours(-30)).items(100, "busy", busy).build()
}
