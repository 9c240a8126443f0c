//! The command against a real ledger file, as `main` calls it.

use clap::Parser;

use super::*;
use crate::ledger::query::fixture::{Filled, filled, now};

#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Report(Box<ReportArgs>),
}

/// What a run gave.
struct Ran {
    code: u8,
    out: String,
    err: String,
}

fn run_on(ledger: &Path, words: &[&str]) -> Ran {
    let line = ["llama-triage", "report"].iter().chain(words);
    let Command::Report(args) = Line::try_parse_from(line).unwrap_or_else(|error| panic!("{words:?}: {error}")).command;
    let around = Surroundings { ledger, config: None, next_digest_at: None, now: now(), terminal: Terminal::default() };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let outcome = run(&args, &around, &mut out, &mut err);
    let mut err = String::from_utf8(err).unwrap();
    err.push_str(&outcome.message().unwrap_or_default());
    Ran { code: outcome.code(), out: String::from_utf8(out).unwrap(), err }
}

fn ask(ledger: &Filled, words: &[&str]) -> Ran {
    run_on(&ledger.path, words)
}

#[test]
fn every_example_of_the_help_works() {
    let ledger = filled();
    for words in help::examples() {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert_eq!(words[0], "report");
        let mut words = words[1..].to_vec();
        if !words.contains(&"--format") {
            words.extend(["--format", "table", "--utc"]);
        }
        let ran = ask(&ledger, &words);
        let expected = if words.contains(&"open>0") { 10 } else { 0 };
        println!("$ {}\n{}{}\n", words.join(" "), ran.out, ran.err);
        assert_eq!(ran.code, expected, "{words:?}: {}", ran.err);
    }
}
