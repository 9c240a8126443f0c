//! The account that is watched while processes die: in every simulated minute a batch with a few faults, known and new.

use jiff::{SignedDuration, Timestamp};
use llama_triage::internals::simulator::{Failure, Random, ScriptedCause, World, WorldBuilder};

/// Everything of `minutes`, the first of which has happened.
pub(crate) fn account(random: &mut Random, start: Timestamp, minutes: u64) -> World {
    let mut world = WorldBuilder::at(start);
    for minute in 0..minutes {
        let made = i64::try_from(minute).unwrap() - 1;
        world = world.batch(&format!("b{minute}")).made_ago(SignedDuration::from_mins(-made));
        for number in 0..random.between(3, 9) {
            world = world.item(&format!("i{minute}-{number}")).cause(cause(random, minute));
        }
        if minute > 3 && random.chance(50) {
            let earlier = random.between(0, minute - 3);
            world = world.again(&format!("i{earlier}-0"));
        }
    }
    world.build()
}

fn cause(random: &mut Random, minute: u64) -> ScriptedCause {
    let page = random.between(1, 400);
    match random.between(0, 9) {
        0..=1 => ScriptedCause::Succeeds,
        3 => ScriptedCause::Permanent(Failure::text(format!("page {page} of the document is damaged"))),
        4 => ScriptedCause::Permanent(Failure::silent()),
        5 => ScriptedCause::Skipped { reason: Some("unsupported_type".to_owned()), message: None },
        2 | 6 | 8 => retriable(random, minute),
        7 => ScriptedCause::RecoversInPlace {
            failure: Failure::text(format!("timed out after {page} s")),
            after: SignedDuration::from_mins(2),
        },
        // A code that was never seen: news for people.
        _ => ScriptedCause::Permanent(Failure::text(format!("stage layout ended with code E{:04}", 1000 + minute))),
    }
}

/// What a retry mends, now and then only the second one. Every few minutes it is another group, which begins with its own canary.
fn retriable(random: &mut Random, minute: u64) -> ScriptedCause {
    let text = match random.between(0, 3) {
        0 => "the backend closed the connection".to_owned(),
        _ => format!("stage render gave way with code R{:04}", 1000 + minute / 8),
    };
    let succeeds_on = if random.chance(5) { 3 } else { 2 };
    ScriptedCause::Transient { succeeds_on, failure: Failure::text(text) }
}
