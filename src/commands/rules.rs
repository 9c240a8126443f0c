//! `rules test`: which class each message gets, how likely it is right, what decided and by which words.

use std::io::{BufWriter, Write};

use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::classify::classifier::percent;
use crate::classify::rules::decide::{Decision, FailureFacts, Layer, Rules};
use crate::commands::input::{InputFailure, MessageArgs, OutputFormat, read_failures};
use crate::config::Config;
use crate::exit::Exit;
use crate::model::class::{Class, RuleKind};
use crate::model::text;

/// `rules`
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Print the class of each message, how likely it is right, and what decided
    Test(MessageArgs),
}

/// So many classes beside the one that was taken are shown.
const OTHERS: usize = 2;
/// A class that is less likely, in percent, is not shown.
const WORTH_SHOWING: u8 = 5;

/// Classifies all messages, with the rules of `config` first, if there is one.
pub(crate) fn run(command: RulesCommand, config: Option<&Config>) -> anyhow::Result<Exit> {
    let RulesCommand::Test(args) = command;
    let own = config.map(|config| config.rule.clone()).unwrap_or_default();
    let rules = Rules::shipped().with_user_rules(own)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for failure in read_failures(&args)? {
        let facts = facts_of(&failure);
        let decision = rules.explain(&facts);
        match args.format {
            OutputFormat::Jsonl => writeln!(out, "{}", as_json(&decision))?,
            OutputFormat::Table => {
                let shown =
                    if facts.message.is_empty() { facts.skip_reason.unwrap_or_default() } else { facts.message };
                writeln!(out, "{:15}  {}", decision.class.name(), text::cut_end(&text::one_line(shown), 160))?;
                writeln!(out, "{:15}  {}", "", in_words(&decision))?;
            }
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

fn facts_of(failure: &InputFailure) -> FailureFacts<'_> {
    FailureFacts {
        kind: if failure.skip_reason.is_some() { RuleKind::Skipped } else { RuleKind::Failed },
        message: failure.error_message.as_deref().unwrap_or_default(),
        item_name: failure.item_name.as_deref(),
        skip_reason: failure.skip_reason.as_deref(),
        job_type: failure.job_type.as_deref().unwrap_or_default(),
        ..FailureFacts::default()
    }
}

/// `class` and `rule`, and what a model's decision was taken from.
fn as_json(decision: &Decision<'_>) -> Value {
    let probabilities: Map<String, Value> =
        decision.probabilities.iter().map(|(class, p)| (class.name().to_owned(), json!(rounded(*p)))).collect();
    json!({
        "class": decision.class.name(),
        "rule": decision.rule,
        "layer": decision.layer.name(),
        "probability": rounded(decision.probability),
        "words": decision.why,
        "probabilities": probabilities,
    })
}

fn rounded(probability: f32) -> f64 {
    (f64::from(probability) * 1000.0).round() / 1000.0
}

/// `model, 93 %: "no healthy backend" (unknown 5 %)`.
fn in_words(decision: &Decision<'_>) -> String {
    let words: Vec<String> = decision.why.iter().map(|words| format!("\"{}\"", text::one_line(words))).collect();
    let words = if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) };
    let rule = decision.rule.unwrap_or_default();
    match decision.layer {
        Layer::Rule => format!("rule {rule}{words}"),
        Layer::Signal => format!("exact {rule}{words}"),
        Layer::Model => format!("model, {} %{words}{}", percent(decision.probability), others(decision)),
        Layer::State if decision.class == Class::Cancelled => "cancelled items need no message".to_owned(),
        Layer::State => "no message".to_owned(),
    }
}

fn others(decision: &Decision<'_>) -> String {
    let others = decision.probabilities.iter().filter(|(class, _)| *class != decision.class);
    let shown: Vec<String> = others
        .map(|(class, probability)| (class, percent(*probability)))
        .filter(|(_, percent)| *percent >= WORTH_SHOWING)
        .take(OTHERS)
        .map(|(class, percent)| format!("{class} {percent} %"))
        .collect();
    if shown.is_empty() { String::new() } else { format!(" ({})", shown.join(", ")) }
}
