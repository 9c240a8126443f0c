//! The crash harness: the built binary is killed again and again, at random instants and at named points, and must lose nothing.
//!
//! The same seed gives the same account, commands and points; `CRASH_SEED` sets another. The long run:
//! `CRASHES=500 cargo test --test it crash -- --ignored --nocapture`.

pub(crate) mod digests;
mod point;
mod promises;
mod retries;
mod rig;
pub(crate) mod sinks;
mod world;

use std::collections::BTreeMap;

use llama_triage::internals::simulator::Random;

use self::point::Point;
use self::rig::Rig;

/// Kills between two looks at the promises.
const STRIKES: u64 = 5;

/// Survives so many kills, and says how many there were at each point.
async fn survive(kills: u64) -> BTreeMap<String, u64> {
    let seed = std::env::var("CRASH_SEED").map_or(7, |seed| seed.parse().unwrap());
    let mut random = Random::new(seed);
    let mut rig = Rig::new(&mut random, kills * 2 + 20).await;
    let (mut looks, mut runs) = (0, 0);
    while rig.kills < kills {
        for _ in 0..STRIKES {
            if random.chance(60) {
                rig.pass_a_minute();
            }
            let command = if random.chance(20) { "serve" } else { "cycle" };
            let point = Point::draw(&mut random);
            rig.inject_post_faults(&mut random);
            rig.strike(command, point);
            runs += 1;
        }
        rig.run_until_idle();
        promises::hold(&mut rig);
        looks += 1;
    }
    let mails = rig.sinks.mails();
    let copies: usize = mails.values().map(Vec::len).sum();
    let retried = retries::carried_out(&rig.site.cloud.world());
    eprintln!(
        "seed {seed}: {runs} runs, {} killed, {looks} looks; {} failures shown, {} digests, {copies} mails, {} retries",
        rig.kills,
        rig.site.cloud.world().truth().served_failures().count(),
        mails.len(),
        retried,
    );
    rig.killed_at
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_process_is_killed() {
    survive(12).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: CRASHES=500 cargo test --test it crash -- --ignored --nocapture"]
async fn nothing_is_lost_in_hundreds_of_crashes() {
    let kills = std::env::var("CRASHES").map_or(500, |count| count.parse().unwrap());
    let killed_at = survive(kills).await;
    eprintln!("{killed_at:#?}");
    let spared: Vec<String> = Point::names().filter(|name| !killed_at.contains_key(name)).collect();
    assert!(kills < 500 || spared.is_empty(), "never killed at {spared:?}");
}
