//! `rules test`: which class and rule each message gets, and which words decided.

use std::io::{BufWriter, Write};

use clap::Subcommand;
use serde_json::json;

use crate::classify::rules::decide::FailureFacts;
use crate::classify::rules::shipped::shipped_rules;
use crate::commands::input::{MessageArgs, OutputFormat, read_messages};
use crate::config::Config;
use crate::exit::Exit;
use crate::model::redact::mask_secrets;
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
    for message in read_messages(&args)? {
        let message = message.unwrap_or_default();
        let masked = mask_secrets(&message);
        let decision = rules.classify(&FailureFacts { message: &masked, ..FailureFacts::default() });
        match args.format {
            OutputFormat::Jsonl => {
                writeln!(out, "{}", json!({ "class": decision.class.name(), "rule": decision.rule }))?
            }
            OutputFormat::Table => {
                writeln!(out, "{:15}  {}", decision.class.name(), text::cut_end(&text::one_line(&masked), 160))?;
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
