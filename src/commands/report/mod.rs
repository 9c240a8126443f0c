//! `report`: answers questions from the ledger. Reads only; works while the service writes and while the API is down.

pub(crate) mod args;
pub(crate) mod ask;
pub(crate) mod charts;
pub(crate) mod filters;
pub(crate) mod help;
pub(crate) mod many_ledgers;
pub(crate) mod outcome;
pub(crate) mod record;
pub(crate) mod request;
pub(crate) mod terminal;
#[cfg(test)]
mod tests;
pub(crate) mod time_limit;

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::commands::report::args::ReportArgs;
use crate::commands::report::outcome::ReportOutcome;
use crate::commands::report::terminal::Terminal;

use crate::config::Config;
use crate::model::links::linker::Linker;
use crate::report::format::answer::{Answer, Heading};
use crate::report::format::layout::{AnswerLayout, ago};
use crate::report::format::{ReportFormat, render};
use crate::report::store::{ConfiguredBudget, Freshness, ReadTransaction, addresses, freshness};

/// What a report needs beyond its arguments.
pub struct Surroundings<'a> {
    /// The ledgers to ask: mostly one.
    pub ledgers: &'a [PathBuf],
    /// The configuration, if there is one: links, zone, budget, scan interval.
    pub config: Option<&'a Config>,
    /// When the next scheduled digest is due, where that is known.
    pub next_digest_at: Option<Timestamp>,
    /// The time.
    pub now: Timestamp,
    /// What standard output is.
    pub terminal: Terminal,
}

/// Answers on `out`; warnings go to `err`. The outcome says how it went and which exit code that is.
pub fn run(args: &ReportArgs, around: &Surroundings<'_>, out: &mut dyn Write, err: &mut dyn Write) -> ReportOutcome {
    answer(args, around, out, err).unwrap_or_else(|outcome| outcome)
}

fn answer(
    args: &ReportArgs,
    around: &Surroundings<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ReportOutcome, ReportOutcome> {
    let format = args.format.unwrap_or(match around.terminal.is_terminal {
        true => ReportFormat::Table,
        false => ReportFormat::Tsv,
    });
    if let [ledger] = around.ledgers {
        let asked = ask_one(args, around, ledger, format)?;
        return write_answer(asked.outcome, &asked.text, &asked.warnings, out, err);
    }
    let (outcome, parts, warnings) = ask_all(args, around, format)?;
    write_answer(outcome, &many_ledgers::join(&parts, format, !args.no_header)?, &warnings, out, err)
}

type Answers = (ReportOutcome, Vec<many_ledgers::LedgerAnswer>, Vec<String>);

/// Asks every ledger. A condition holds if it holds for one of them; an id has to be in one of them.
fn ask_all(args: &ReportArgs, around: &Surroundings<'_>, format: ReportFormat) -> Result<Answers, ReportOutcome> {
    let (mut parts, mut warnings, mut outcome, mut missing) = (Vec::new(), Vec::new(), ReportOutcome::Done, None);
    for ledger in around.ledgers {
        match ask_one(args, around, ledger, format) {
            Ok(asked) => {
                let named = |warning: &String| format!("{}: {warning}", ledger.display());
                warnings.extend(asked.warnings.iter().map(named));
                if !matches!(outcome, ReportOutcome::Stale(_)) && !matches!(asked.outcome, ReportOutcome::Done) {
                    outcome = asked.outcome;
                }
                parts.push(many_ledgers::LedgerAnswer { ledger: ledger.clone(), text: asked.text });
            }
            Err(ReportOutcome::NotFound(why)) => missing = Some(ReportOutcome::NotFound(why)),
            Err(other) => return Err(other),
        }
    }
    match missing {
        Some(missing) if parts.is_empty() => Err(missing),
        _ => Ok((outcome, parts, warnings)),
    }
}

/// What one ledger answered.
struct LedgerReply {
    text: String,
    warnings: Vec<String>,
    outcome: ReportOutcome,
}

fn write_answer(
    outcome: ReportOutcome,
    text: &str,
    warnings: &[String],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ReportOutcome, ReportOutcome> {
    write(out, text)?;
    for warning in warnings {
        writeln!(err, "warning: {warning}").map_err(ReportOutcome::failed)?;
    }
    Ok(outcome)
}

fn ask_one(
    args: &ReportArgs,
    around: &Surroundings<'_>,
    ledger: &Path,
    format: ReportFormat,
) -> Result<LedgerReply, ReportOutcome> {
    let zone = zone(args, around.config)?;
    let filter = filters::filter(args, around.now, &zone, format)?;
    let reading = ReadTransaction::open(ledger).map_err(ReportOutcome::ledger)?;
    let fresh = freshness(&reading)?;
    let linker = around.config.map_or_else(Linker::shipped, Config::linker_to_console).located(addresses(&reading)?);
    let asked = request::ReportRequest {
        args,
        filter: &filter,
        reading: &reading,
        linker: &linker,
        zone: &zone,
        format,
        now: around.now,
        budget: budget(around.config),
        retry_settings: around.config.map(|config| config.reprocess.clone()),
        next_digest_at: around.next_digest_at,
    };
    let found = ask::ask(&asked)?;
    let answer = Answer {
        heading: Heading {
            ledger_as_of: fresh.as_of,
            filter,
            matching: found.matching,
            shown: found.shown,
            more: found.more,
            is_ledger_named: around.config.is_none() || around.ledgers.len() > 1,
            ..Heading::new(args.query, ledger.to_owned(), around.now)
        },
        rows: found.rows,
        charts: found.charts,
    };
    let text = render(&answer, format, &look(args, around, zone, format))?;
    let mut outcome = ReportOutcome::Done;
    for condition in args.fail_if.iter().rev() {
        if condition.holds(&found.measures).map_err(ReportOutcome::usage)? {
            outcome = ReportOutcome::FailIf(condition.to_string());
        }
    }
    if let Some(stale) = stale(args, &fresh, around.now) {
        outcome = stale;
    }
    let warnings = found.warnings.into_iter().chain(warnings(&fresh, around)).collect();
    Ok(LedgerReply { text, warnings, outcome })
}

/// A reader that has seen enough (`| head`) is no failure.
fn write(out: &mut dyn Write, text: &str) -> Result<(), ReportOutcome> {
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(ReportOutcome::failed),
    }
}

fn zone(args: &ReportArgs, config: Option<&Config>) -> Result<TimeZone, ReportOutcome> {
    if args.utc {
        return Ok(TimeZone::UTC);
    }
    let named = args.tz.as_deref().or(config.map(|config| config.schedule.timezone.as_str()));
    match named {
        Some(name) => TimeZone::get(name).map_err(|_| {
            ReportOutcome::Usage(format!("unknown time zone {name:?}: use an IANA name such as Europe/Berlin"))
        }),
        None => Ok(TimeZone::try_system().unwrap_or(TimeZone::UTC)),
    }
}

fn look(args: &ReportArgs, around: &Surroundings<'_>, zone: TimeZone, format: ReportFormat) -> AnswerLayout {
    let terminal = &around.terminal;
    AnswerLayout {
        zone,
        now: around.now,
        relative: format == ReportFormat::Table,
        width: terminal.width.filter(|_| format == ReportFormat::Table),
        colour: terminal.colour,
        links: terminal.links,
        header: !args.no_header,
        columns: (!args.columns.is_empty()).then(|| args.columns.clone()),
        csv_safe: args.csv_safe,
    }
}

fn budget(config: Option<&Config>) -> ConfiguredBudget {
    let retrying = config
        .map(|config| &config.reprocess)
        .filter(|reprocess| reprocess.mode != crate::config::reprocess::Mode::Off);
    ConfiguredBudget {
        per_hour: retrying.map(|reprocess| u64::from(reprocess.per_hour)),
        per_day: retrying.map(|reprocess| u64::from(reprocess.per_day)),
    }
}

/// What a user should know about the ledger's age.
fn warnings(fresh: &Freshness, around: &Surroundings<'_>) -> Vec<String> {
    let mut warnings: Vec<String> = fresh
        .never_complete
        .iter()
        .map(|project| format!("project {project:?} has no complete scan yet: failures may be missing here"))
        .collect();
    let interval = around.config.and_then(scan_interval);
    if let (Some(as_of), Some(interval)) = (fresh.as_of, interval) {
        let age = around.now.duration_since(as_of);
        if age > interval * 3 {
            warnings.push(format!(
                "the last complete scan ended {}, longer than three scan intervals: is the service running?",
                ago(as_of, around.now)
            ));
        }
    }
    warnings
}

/// The time between two scans; none where they are at times of day.
fn scan_interval(config: &Config) -> Option<SignedDuration> {
    config.schedule.scan.parse().ok()
}

fn stale(args: &ReportArgs, fresh: &Freshness, now: Timestamp) -> Option<ReportOutcome> {
    let limit = args.require_fresh?;
    let why = match (fresh.as_of, fresh.never_complete.as_slice()) {
        (_, [project, ..]) => format!("project {project:?} has no complete scan yet"),
        (None, []) => "no complete scan yet".to_owned(),
        (Some(as_of), []) => {
            let age = now.duration_since(as_of);
            if age <= limit {
                return None;
            }
            format!("the last complete scan ended {}, --require-fresh allows {limit:#}", ago(as_of, now))
        }
    };
    Some(ReportOutcome::Stale(why))
}
