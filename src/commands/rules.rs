//! `rules test`: which class and rule each message gets, and which words decided.

use std::io::{BufWriter, Write};

use clap::Subcommand;
use serde_json::json;

use crate::classify::rules::decide::FailureFacts;
use crate::classify::rules::shipped::shipped_rules;
use crate::commands::input::{InputFailure, MessageArgs, OutputFormat, read_failures};
use crate::config::Config;
use crate::exit::Exit;
use crate::model::class::RuleKind;
use crate::model::text;

/// `rules`
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Print the class and rule of each message
    Test(MessageArgs),
}

/// Classifies all messages with the rules of `config`, if there is one, before the shipped ones.
pub(crate) fn run(command: RulesCommand, config: Option<&Config>) -> anyhow::Result<Exit> {
    let RulesCommand::Test(args) = command;
    let own = config.map(|config| config.rule.clone()).unwrap_or_default();
    let rules = shipped_rules()?.with_user_rules(own)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for failure in read_failures(&args)? {
        let facts = facts_of(&failure);
        let decision = rules.classify(&facts);
        match args.format {
            OutputFormat::Jsonl => {
                writeln!(out, "{}", json!({ "class": decision.class.name(), "rule": decision.rule }))?
            }
            OutputFormat::Table => {
                let shown =
                    if facts.message.is_empty() { facts.skip_reason.unwrap_or_default() } else { facts.message };
                writeln!(out, "{:15}  {}", decision.class.name(), text::cut_end(&text::one_line(shown), 160))?;
                let rule = decision.rule.unwrap_or("no rule matched");
                match decision.why {
                    Some(why) => writeln!(out, "{:15}  {rule}: \"{}\"", "", text::one_line(why))?,
                    None => writeln!(out, "{:15}  {rule}", "")?,
                }
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
        skip_reason: failure.skip_reason.as_deref(),
        job_type: failure.job_type.as_deref().unwrap_or_default(),
        ..FailureFacts::default()
    }
}
