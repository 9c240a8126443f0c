//! `report`: answers questions from the ledger. Reads only; works while the service writes and while the API is down.

mod args;
mod ask;
mod charts;
mod help;
mod narrow;
mod outcome;
mod terminal;

use std::io::Write;
use std::path::Path;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub use args::ReportArgs;
pub(super) use args::regex;
pub use outcome::Outcome;
pub use terminal::Terminal;

use crate::config::Config;
use crate::core::report::linker::{Host, Linker};
use crate::ledger::query::{Budget, Freshness, Reading, freshness};
use crate::report::{Answer, Format, Heading, Look, render};

/// What a report needs beyond its arguments.
pub struct Surroundings<'a> {
    /// The ledger to ask.
    pub ledger: &'a Path,
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
    let zone = zone(args, around.config)?;
    let format = args.format.unwrap_or(match around.terminal.is_terminal {
        true => Format::Table,
        false => Format::Tsv,
    });
    let filter = narrow::filter(args, around.now, &zone, format)?;
    let reading = Reading::open(around.ledger).map_err(Outcome::ledger)?;
    let fresh = freshness(&reading)?;
    let linker = linker(around.config);
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
            question: args.query,
            ledger: around.ledger.to_owned(),
            generated_at: around.now,
            ledger_as_of: fresh.as_of,
            filter,
            matching: found.matching,
        },
        rows: found.rows,
        charts: found.charts,
    };
    let text = render(&answer, format, &look(args, around, zone, format))?;
    write(out, &text)?;
    for warning in found.warnings.into_iter().chain(warnings(&fresh, around)) {
        writeln!(err, "warning: {warning}").map_err(Outcome::failed)?;
    }
    if let Some(stale) = stale(args, &fresh, around.now) {
        return Err(stale);
    }
    for condition in &args.fail_if {
        if condition.holds(&found.measures).map_err(Outcome::usage)? {
            return Ok(Outcome::FailIf(condition.to_string()));
        }
    }
    Ok(Outcome::Done)
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
        Some(name) => TimeZone::get(name).map_err(|_| {
            Outcome::Usage(format!("there is no time zone {name:?}: write an IANA name such as Europe/Berlin"))
        }),
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

fn linker(config: Option<&Config>) -> Linker {
    let Some(config) = config else {
        return Linker::shipped();
    };
    let console = config.links.console.as_deref();
    let hosts = config.project.iter().map(|project| {
        let host = Host::new(&project.base_url, console, project.project_id.as_deref());
        (project.name.clone(), host)
    });
    Linker::new(config.links.templates.clone(), hosts.collect())
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

/// What a person should know about the ledger's age.
fn warnings(fresh: &Freshness, around: &Surroundings<'_>) -> Vec<String> {
    let mut warnings: Vec<String> = fresh
        .never_complete
        .iter()
        .map(|project| {
            format!("no scan of project {project:?} was ever complete: it may have failures that are not here")
        })
        .collect();
    let interval = around.config.and_then(scan_interval);
    if let (Some(as_of), Some(interval)) = (fresh.as_of, interval) {
        let age = around.now.duration_since(as_of);
        if age > interval * 3 {
            warnings.push(format!(
                "the last complete scan ended {age:#.0}, longer than three scan intervals ago: is the service running?",
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
        (_, [project, ..]) => format!("no scan of project {project:?} was ever complete"),
        (None, []) => "no scan was ever complete".to_owned(),
        (Some(as_of), []) => {
            let age = now.duration_since(as_of);
            if age <= limit {
                return None;
            }
            format!("the last complete scan ended {age:#} ago, --require-fresh allows {limit:#}")
        }
    };
    Some(Outcome::Stale(why))
}

#[cfg(test)]
mod tests;
