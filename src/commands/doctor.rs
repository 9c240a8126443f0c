//! `doctor`: everything the service needs, a line for each, and what to do.

use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use anyhow::Context;

use crate::cli::{DoctorArgs, DoctorFormat, Global};
use crate::config::load;
use crate::credentials::Credentials;
use crate::exit::Exit;
use crate::say;
use crate::service::doctor::{self, CheckResult, CheckStatus};

/// Prints what was found; exit 1 if anything does not work.
pub(crate) async fn run(global: &Global, args: &DoctorArgs) -> anyhow::Result<Exit> {
    let path = load::find(global.config.as_deref()).unwrap_or_else(|_| PathBuf::from("(none)"));
    let findings =
        doctor::examine(&path, crate::commands::configuration(global), &Credentials::from_environment_or_beside(&path))
            .await;
    match args.format {
        DoctorFormat::Json => {
            say!("{}", serde_json::to_string_pretty(&findings).context("cannot write JSON")?);
        }
        DoctorFormat::Text => findings.iter().for_each(print),
    }
    let failed = findings.iter().any(|finding| finding.verdict == CheckStatus::Fail);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn print(finding: &CheckResult) {
    let (word, colour) = match finding.verdict {
        CheckStatus::Ok => ("ok  ", AnsiColor::Green),
        CheckStatus::Warn => ("warn", AnsiColor::Yellow),
        CheckStatus::Fail => ("FAIL", AnsiColor::Red),
    };
    let style = Style::new().fg_color(Some(colour.into()));
    let subject = if finding.subject.is_empty() { String::new() } else { format!(" {}", finding.subject) };
    say!("{style}{word}{style:#} {}{subject}: {}", finding.check, finding.says);
    if let Some(advice) = &finding.advice {
        say!("     do: {advice}");
    }
}
