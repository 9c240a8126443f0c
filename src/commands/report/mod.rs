//! `report`: answers questions from the ledger. Reads only; works while the service writes and while the API is down.

pub(crate) mod args;
pub(crate) mod ask;
pub(crate) mod charts;
pub(crate) mod help;
pub(crate) mod narrow;
pub(crate) mod outcome;
pub(crate) mod several;
pub(crate) mod terminal;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod time_limit;

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::commands::report::args::ReportArgs;
use crate::commands::report::outcome::Outcome;
use crate::commands::report::terminal::Terminal;

use crate::config::Config;
use crate::model::links::linker::Linker;
use crate::report::format::answer::{Answer, Heading};
use crate::report::format::look::{Look, ago};
use crate::report::format::{Format, render};
use crate::report::store::{Budget, Freshness, Reading, addresses, freshness};

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
pub fn run(args: &ReportArgs, around: &Surroundings<'_>, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    answer(args, around, out, err).unwrap_or_else(|outcome| outcome)
}

fn answer(
    args: &ReportArgs,
    around: &Surroundings<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Outcome> {
    let format = args.format.unwrap_or(match around.terminal.is_terminal {
        true => Format::Table,
        false => Format::Tsv,
    });
    if let [ledger] = around.ledgers {
        let asked = ask_one(args, around, ledger, format)?;
        return tell(asked.outcome, &asked.text, &asked.warnings, out, err);
    }
    let (outcome, parts, warnings) = ask_all(args, around, format)?;
    tell(outcome, &several::join(&parts, format, !args.no_header)?, &warnings, out, err)
}

type Answers = (Outcome, Vec<several::Part>, Vec<String>);

/// Asks every ledger. A condition holds if it holds for one of them; an id has to be in one of them.
fn ask_all(args: &ReportArgs, around: &Surroundings<'_>, format: Format) -> Result<Answers, Outcome> {
    let (mut parts, mut warnings, mut outcome, mut missing) = (Vec::new(), Vec::new(), Outcome::Done, None);
    for ledger in around.ledgers {
        match ask_one(args, around, ledger, format) {
            Ok(asked) => {
                let named = |warning: &String| format!("{}: {warning}", ledger.display());
                warnings.extend(asked.warnings.iter().map(named));
                if !matches!(outcome, Outcome::Stale(_)) && !matches!(asked.outcome, Outcome::Done) {
                    outcome = asked.outcome;
                }
                parts.push(several::Part { ledger: ledger.clone(), text: asked.text });
            }
            Err(Outcome::NotFound(why)) => missing = Some(Outcome::NotFound(why)),
            Err(other) => return Err(other),
        }
    }
    match missing {
        Some(missing) if parts.is_empty() => Err(missing),
        _ => Ok((outcome, parts, warnings)),
    }
}

/// What one ledger answered.
struct Asked {
    text: String,
    warnings: Vec<String>,
    outcome: Outcome,
}

fn tell(
    outcome: Outcome,
    text: &str,
    warnings: &[String],
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Outcome, Outcome> {
    write(out, text)?;
    for warning in warnings {
        writeln!(err, "warning: {warning}").map_err(Outcome::failed)?;
    }
    Ok(outcome)
}

fn ask_one(args: &ReportArgs, around: &Surroundings<'_>, ledger: &Path, format: Format) -> Result<Asked, Outcome> {
    let zone = zone(args, around.config)?;
    let filter = narrow::filter(args, around.now, &zone, format)?;
    let reading = Reading::open(ledger).map_err(Outcome::ledger)?;
    let fresh = freshness(&reading)?;
    let linker = around.config.map_or_else(Linker::shipped, Config::linker).located(addresses(&reading)?);
    let asked = ask::Asked {
        args,
        filter: &filter,
        reading: &reading,
        linker: &linker,
        zone: &zone,
        format,
        now: around.now,
        budget: budget(around.config),
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
    let mut outcome = Outcome::Done;
    for condition in args.fail_if.iter().rev() {
        if condition.holds(&found.measures).map_err(Outcome::usage)? {
            outcome = Outcome::FailIf(condition.to_string());
        }
    }
    if let Some(stale) = stale(args, &fresh, around.now) {
        outcome = stale;
    }
    let warnings = found.warnings.into_iter().chain(warnings(&fresh, around)).collect();
    Ok(Asked { text, warnings, outcome })
}

/// A reader that has seen enough (`| head`) is no failure.
fn write(out: &mut dyn Write, text: &str) -> Result<(), Outcome> {
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(Outcome::failed),
    }
}

fn zone(args: &ReportArgs, config: Option<&Config>) -> Result<TimeZone, Outcome> {
    if args.utc {
        return Ok(TimeZone::UTC);
    }
    let named = args.tz.as_deref().or(config.map(|config| config.schedule.timezone.as_str()));
    match named {
        Some(name) => TimeZone::get(name)
            .map_err(|_| Outcome::Usage(format!("unknown time zone {name:?}: use an IANA name such as Europe/Berlin"))),
        None => Ok(TimeZone::try_system().unwrap_or(TimeZone::UTC)),
    }
}

fn look(args: &ReportArgs, around: &Surroundings<'_>, zone: TimeZone, format: Format) -> Look {
    let terminal = &around.terminal;
    Look {
        zone,
        now: around.now,
        relative: format == Format::Table,
        width: terminal.width.filter(|_| format == Format::Table),
        colour: terminal.colour,
        links: terminal.links,
        header: !args.no_header,
        columns: (!args.columns.is_empty()).then(|| args.columns.clone()),
        csv_safe: args.csv_safe,
    }
}

fn budget(config: Option<&Config>) -> Budget {
    let retrying = config
        .map(|config| &config.reprocess)
        .filter(|reprocess| reprocess.mode != crate::config::reprocess::Mode::Off);
    Budget {
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

fn stale(args: &ReportArgs, fresh: &Freshness, now: Timestamp) -> Option<Outcome> {
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
    Some(Outcome::Stale(why))
}
