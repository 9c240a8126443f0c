//! Reprocessing on simulated accounts with known causes, over seven days: ours, the bare policy, and everything three times.
//!
//! `cargo bench --bench reprocess` prints a table; `-- --only NAME` one account, `-- --log NAME` its first seed step by step,
//! `-- --seeds N` so many seeds (40), `-- --first N` from another than the first.
//! Knowable: the attempts of one who knows everything but which documents of a mixed wording last, and chance.

#![expect(clippy::print_stdout, reason = "a benchmark prints its numbers")]

mod accounts;
mod naive;
mod ours;
mod sketch;
mod world;

use llama_triage::internals::classify::{FailureFacts, Rules};
use llama_triage::internals::config::{Mode, ReprocessConfig};
use llama_triage::internals::model::Class;
use world::{Account, World};

/// The class of a wording.
pub(crate) fn class(message: &str) -> Class {
    let rules = Rules::shipped();
    rules.classify(&FailureFacts { message, job_type: "parse", ..FailureFacts::default() }).class
}

/// Whether a wording hides its cause.
pub(crate) fn hides_its_cause(message: &str) -> bool {
    class(message) == Class::Unknown
}

/// A larger account is played over four seeds: chance hardly shows in it.
const MOST_FOR_ALL_SEEDS: u64 = 5_000;

#[derive(Default)]
struct Row {
    recovered: f64,
    worst: f64,
    attempts: f64,
    knowable: f64,
    /// Most attempts at a group in which nothing can recover.
    lost: usize,
    /// Seeds in which a group that can recover did not at all.
    whole: usize,
    twice: usize,
    broke: usize,
    hours: f64,
}

fn measure(account: &Account, seeds: &[u64], strategy: impl Fn(&mut World, u64)) -> Row {
    let mut row = Row { worst: 1.0, ..Row::default() };
    let count = seeds.len() as f64;
    for seed in seeds {
        let mut world = World::new(account.clone(), *seed);
        strategy(&mut world, *seed);
        let tally = &world.tally;
        let recovered = if tally.recoverable == 0 { 1.0 } else { tally.recovered as f64 / tally.recoverable as f64 };
        row.recovered += recovered / count;
        row.worst = row.worst.min(recovered);
        row.attempts += tally.attempts as f64 / count;
        row.knowable += world.knowable() / count;
        row.lost = row.lost.max(world.most_lost_on_lasting());
        row.whole += usize::from(world.lost_a_whole_group());
        row.twice += tally.duplicates;
        row.broke = row.broke.max(tally.posts_broke);
        row.hours += tally.last_recovery as f64 / 60.0 / count;
    }
    row
}

fn print(name: &str, row: &Row) {
    println!(
        "  {name:<18} {:>9.4} {:>7.3} {:>9.0} {:>7.2} {:>6} {:>6} {:>6} {:>6} {:>6.0} h",
        row.recovered,
        row.worst,
        row.attempts,
        if row.knowable == 0.0 { f64::NAN } else { row.attempts / row.knowable },
        row.lost,
        row.whole,
        row.twice,
        row.broke,
        row.hours
    );
}

/// The defaults, in mode `auto`.
fn auto() -> ReprocessConfig {
    let mut config = ReprocessConfig::default();
    config.mode = Mode::Auto;
    config
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let number = |name: &str, or: u64| value(name).and_then(|n| n.parse().ok()).unwrap_or(or);
    let logged = value("--log");
    let first = number("--first", 1);
    let seeds: Vec<u64> = (first..first + if logged.is_some() { 1 } else { number("--seeds", 40) }).collect();
    println!(
        "{} seeds; lost: most attempts at a group in which nothing can recover; whole: seeds that lost a group;",
        seeds.len()
    );
    println!("broke: most POSTs without credits; last: mean time of the last recovery");
    println!(
        "  {:<18} {:>9} {:>7} {:>9} {:>7} {:>6} {:>6} {:>6} {:>6} {:>8}",
        "", "recovered", "worst", "attempts", "ratio", "lost", "whole", "twice", "broke", "last"
    );
    let wanted = value("--only").or(logged);
    for account in accounts::all().into_iter().filter(|account| wanted.is_none_or(|name| name == account.name)) {
        let documents: u64 = account.groups.iter().map(|group| group.items).sum();
        let seeds = if documents > MOST_FOR_ALL_SEEDS { &seeds[..seeds.len().min(4)] } else { &seeds[..] };
        println!("{}, {} seeds", account.name, seeds.len());
        print("ours", &measure(&account, seeds, |world, _| ours::run(world, auto(), logged.is_some())));
        print("bare policy", &measure(&account, seeds, sketch::run));
        print("three times", &measure(&account, seeds, |world, _| naive::run(world)));
    }
}
