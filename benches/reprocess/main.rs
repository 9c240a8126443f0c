//! Reprocessing on simulated accounts with known causes, beside strategies that people write first.
//!
//! `cargo bench --bench reprocess` prints a table; `-- --only NAME` prints one account, `-- --log NAME` also its every step, `-- --canaries N` risks N canaries, `-- --seeds N` takes N seeds of ours alone, `--first N` begins with another than 1, `--why` says for each seed what held back what was not recovered.
//! Least possible credits: one attempt at every document that can be recovered; every attempt is billed, also one that fails.

#![expect(clippy::print_stdout, reason = "a benchmark prints its numbers")]

mod accounts;
mod facts;
mod mixtures;
mod naive;
mod ours;
mod world;

use accounts::Kind;
use llama_triage::internals::classify::shipped_rules;
use world::World;

const SEEDS: [u64; 5] = [1, 7, 42, 1234, 99991];

#[derive(Default)]
struct Row {
    recovered: f64,
    worst_recovered: f64,
    /// Of what was not left to a user.
    tried: f64,
    worst_tried: f64,
    credits: f64,
    worst_credits: f64,
    saved: f64,
    worst_saved: f64,
    duplicates: usize,
    posts: usize,
    broke: usize,
    waste: usize,
    hours: f64,
}

fn measure(kind: &Kind, seeds: &[u64], strategy: impl Fn(&mut World)) -> Row {
    let mut row = Row { worst_recovered: 1.0, worst_tried: 1.0, ..Row::default() };
    let count = seeds.len() as f64;
    for seed in seeds {
        let mut world = World::new(kind.account(*seed), *seed);
        strategy(&mut world);
        let tally = &world.tally;
        let recovered = if tally.recoverable == 0 { 1.0 } else { tally.recovered as f64 / tally.recoverable as f64 };
        let credits = if tally.least == 0.0 { tally.credits } else { tally.credits / tally.least };
        row.recovered += recovered / count;
        row.worst_recovered = row.worst_recovered.min(recovered);
        let saved = if tally.least == 0.0 { 0.0 } else { (tally.credits - tally.unknowable) / tally.least };
        row.saved += saved / count;
        row.worst_saved = row.worst_saved.max(saved);
        let tried = tally.recoverable - tally.left_to_person;
        let tried = if tried == 0 { 1.0 } else { tally.recovered as f64 / tried as f64 };
        row.tried += tried / count;
        row.worst_tried = row.worst_tried.min(tried);
        row.credits += credits / count;
        row.worst_credits = row.worst_credits.max(credits);
        row.duplicates += tally.duplicates;
        row.posts += tally.posts;
        row.broke = row.broke.max(tally.posts_broke);
        row.waste = row.waste.max(world.worst_waste_on_permanent());
        row.hours += tally.last_recovery as f64 / 60.0 / count;
    }
    row
}

fn print(name: &str, row: &Row, seeds: usize) {
    println!(
        "  {name:<24} {:>8.2} % {:>8.2} % {:>8.2} % {:>8.2} % {:>8.3} {:>8.3} {:>8.3} {:>8.3} {:>6} {:>7} {:>7} {:>7} {:>8.0} h",
        100.0 * row.recovered,
        100.0 * row.worst_recovered,
        100.0 * row.tried,
        100.0 * row.worst_tried,
        row.credits,
        row.worst_credits,
        row.saved,
        row.worst_saved,
        row.duplicates,
        row.waste,
        row.broke,
        row.posts / seeds,
        row.hours
    );
}

fn main() {
    let rules = shipped_rules().expect("the shipped rules compile");
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).and_then(|at| arguments.get(at + 1));
    let logged = value("--log");
    let canaries = value("--canaries").and_then(|n| n.parse().ok()).unwrap_or(1);
    let first = value("--first").and_then(|n| n.parse::<u64>().ok()).unwrap_or(1);
    let why = arguments.iter().any(|a| a == "--why");
    let seeds: Vec<u64> = match value("--seeds").and_then(|n| n.parse::<u64>().ok()) {
        Some(count) => (first..first + count).collect(),
        None => SEEDS.to_vec(),
    };
    println!(
        "mean and worst over {} seeds; credits against the least possible (for accounts with nothing to recover: credits spent);\n\
         if tried: recovered of what was not left to a person because the one canary of a wording that hides its cause failed;\n\
         knowable: credits without what nobody can know beforehand (chance, which document is broken, one canary of each permanent group)",
        seeds.len()
    );
    println!(
        "  {:<24} {:>10} {:>10} {:>10} {:>10} {:>8} {:>8} {:>8} {:>8} {:>6} {:>7} {:>7} {:>7} {:>10}",
        "",
        "recovered",
        "worst",
        "if tried",
        "worst",
        "credits",
        "worst",
        "knowable",
        "worst",
        "twice",
        "wasted",
        "broke",
        "posts",
        "last"
    );
    for kind in
        accounts::kinds().into_iter().filter(|kind| value("--only").or(logged).is_none_or(|name| name == kind.name))
    {
        println!("{}", kind.name);
        let log = logged.is_some_and(|name| name == kind.name);
        let ours = measure(&kind, &seeds, |world| {
            let left = ours::run(world, &rules, canaries, log);
            if why && !left.is_empty() {
                println!("    {:3} left of {}: {left:?}", world.lost(), world.tally.recoverable);
            }
        });
        print("ours", &ours, seeds.len());
        if value("--seeds").is_some() {
            continue;
        }
        for strategy in &naive::ALL {
            print(strategy.name, &measure(&kind, &seeds, |world| naive::run(world, strategy)), seeds.len());
        }
    }
}
