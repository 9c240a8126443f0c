//! The command against a real ledger file, as `main` calls it.

mod codes;
mod filters;
mod formats;
mod hostile;
mod schema;
use clap::Parser;

use crate::report::store::tests::fixture::{Filled, filled, now};

use super::*;

#[derive(Debug, Parser)]
struct ReportLine {
    #[command(subcommand)]
    command: ReportCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ReportCommand {
    Report(Box<ReportArgs>),
}

/// What a run gave.
struct Ran {
    code: u8,
    out: String,
    err: String,
}

impl Ran {
    /// The rows of a JSON answer.
    fn rows(&self) -> Vec<serde_json::Value> {
        let envelope: serde_json::Value = serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{}", self.err));
        envelope["rows"].as_array().unwrap().clone()
    }
}

fn parse(words: &[&str]) -> ReportArgs {
    let line = ["llama-triage", "report"].iter().chain(words);
    let ReportCommand::Report(args) =
        ReportLine::try_parse_from(line).unwrap_or_else(|error| panic!("{words:?}: {error}")).command;
    *args
}

fn run_on(ledger: &Path, words: &[&str], terminal: Terminal, config: Option<&Config>) -> Ran {
    let around = Surroundings { ledgers: &[ledger.to_owned()], config, next_digest_at: None, now: now(), terminal };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let outcome = run(&parse(words), &around, &mut out, &mut err);
    let mut err = String::from_utf8(err).unwrap();
    err.push_str(&outcome.message().unwrap_or_default());
    Ran { code: crate::exit::Exit::from(&outcome) as u8, out: String::from_utf8(out).unwrap(), err }
}

/// Asks as a script does: standard output is no terminal.
fn ask(ledger: &Filled, words: &[&str]) -> Ran {
    run_on(&ledger.path, words, Terminal::default(), None)
}

fn json(ledger: &Filled, words: &[&str]) -> Vec<serde_json::Value> {
    ask(ledger, &[words, &["--format", "json"]].concat()).rows()
}

#[test]
fn every_example_of_the_help_works() {
    let ledger = filled();
    // A job record is asked from LlamaCloud, which a ledger alone does not name.
    for words in help::examples().into_iter().filter(|words| words.get(1).is_none_or(|word| word != "record")) {
        let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        let ran = ask(&ledger, &words);
        let expected = if words.contains(&"open>0") { 10 } else { 0 };
        assert_eq!(ran.code, expected, "{words:?}: {}", ran.err);
        assert!(!ran.out.is_empty(), "{words:?}");
    }
}

#[test]
fn filters_may_stand_before_the_query() {
    let ledger = filled();
    let before = ask(&ledger, &["--state", "open", "--format", "json", "items"]);
    let after = ask(&ledger, &["items", "--state", "open", "--format", "json"]);
    assert_eq!(before.out, after.out);
    assert_eq!(before.rows().len(), 5);
}

#[test]
fn a_report_sees_one_instant_while_the_service_writes() {
    let ledger = filled();
    let reading = ReadTransaction::open(&ledger.path).unwrap();
    let linker = Linker::shipped();
    let filter = crate::report::filter::Filter::default();
    let view = crate::report::store::ReportView::new(&reading, &filter, now(), &linker).unwrap();
    let before = crate::report::store::count_items(&view).unwrap();
    ledger.writer.execute("UPDATE item SET state = 'recovered'", []).unwrap();
    crate::ledger::tests::seed::recount(&ledger.writer);
    assert_eq!(crate::report::store::count_items(&view).unwrap(), before);
    assert_eq!(json(&ledger, &["items", "--state", "open"]).len(), 0);
}
