//! Arguments to filters; an error for an invalid argument lists the valid ones.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::commands::report::args::ReportArgs;
use crate::commands::report::outcome::ReportOutcome;
use crate::report::filter::Filter;
use crate::report::format::ReportFormat;
use crate::report::question::{FilterName, Question};
use crate::report::when;

/// The most rows for people, unless they ask for more.
const FOR_PEOPLE: u64 = 50;

/// The filters, checked against the question.
pub(crate) fn filter(
    args: &ReportArgs,
    now: Timestamp,
    zone: &TimeZone,
    format: ReportFormat,
) -> Result<Filter, ReportOutcome> {
    check_subject(args)?;
    check_taken(args)?;
    let question = args.query;
    let sort = word("--sort", question, args.sort.as_deref(), question.sorts())?;
    let by = word("--by", question, args.by.as_deref(), question.bys())?;
    for state in &args.state {
        if !question.states().is_empty() {
            word("--state", question, Some(state), question.states())?;
        }
    }
    let time = |text: &Option<String>| {
        let parsed = text.as_deref().map(|text| when::parse(text, now, zone));
        parsed.transpose().map_err(ReportOutcome::usage)
    };
    let (since, until) = (time(&args.since)?, time(&args.until)?);
    if let (Some(since), Some(until)) = (since, until)
        && since >= until
    {
        return Err(ReportOutcome::Usage(format!("--since {since} is not before --until {until}")));
    }
    Ok(Filter {
        since,
        until,
        state: args.state.clone(),
        failed: args.failed,
        kind: args.kind,
        class: args.class.clone(),
        project: args.project.clone(),
        job_type: args.job_type.clone(),
        directory: args.directory.clone(),
        batch: args.batch.clone(),
        group: args.group.clone(),
        item_name: args.item_name.clone(),
        matching: args.matching.clone(),
        by,
        sort,
        limit: limit(args, format),
        ..Filter::default()
    })
}

fn limit(args: &ReportArgs, format: ReportFormat) -> Option<u64> {
    match args.limit {
        Some(0) => None,
        Some(limit) => Some(limit),
        None if !args.query.takes(FilterName::Limit) => None,
        None if args.query == Question::Sql => Some(if format.is_for_people() { 1000 } else { 100_000 }),
        None if args.query == Question::Trend => format.is_for_people().then_some(10),
        None => format.is_for_people().then_some(FOR_PEOPLE),
    }
}

fn check_subject(args: &ReportArgs) -> Result<(), ReportOutcome> {
    let question = args.query;
    let word = question.as_str();
    match (question.subject(), &args.subject) {
        (None, Some(id))
            if matches!(question, Question::Groups | Question::Incidents | Question::Items | Question::Batches) =>
        {
            let single = word.trim_end_matches("es").trim_end_matches('s');
            let single = if question == Question::Batches { "batch" } else { single };
            Err(ReportOutcome::Usage(format!("`report {word}` takes no id: use `report {single} {id}`")))
        }
        (None, Some(extra)) => Err(ReportOutcome::Usage(format!("`report {word}` takes no argument, got {extra:?}"))),
        (Some(_), None) if question == Question::Item && args.item_name.is_some() => Ok(()),
        (Some(what), None) => Err(ReportOutcome::Usage(format!("`report {word}` needs {what}: `report {word} …`"))),
        _ => Ok(()),
    }
}

/// Refuses a filter that the question cannot use, and says which can.
fn check_taken(args: &ReportArgs) -> Result<(), ReportOutcome> {
    for name in given_filters(args) {
        if !args.query.takes(name) {
            let takers: Vec<&str> = name.questions().iter().map(|q| q.as_str()).collect();
            return Err(ReportOutcome::Usage(format!(
                "`report {}` does not support {}; supported by: {}",
                args.query.as_str(),
                name.flag(),
                takers.join(", ")
            )));
        }
    }
    Ok(())
}

fn given_filters(args: &ReportArgs) -> Vec<FilterName> {
    let all = [
        (FilterName::Since, args.since.is_some()),
        (FilterName::Until, args.until.is_some()),
        (FilterName::State, !args.state.is_empty()),
        (FilterName::Kind, args.kind.is_some()),
        (FilterName::Class, !args.class.is_empty()),
        (FilterName::Project, !args.project.is_empty()),
        (FilterName::JobType, !args.job_type.is_empty()),
        (FilterName::Directory, !args.directory.is_empty()),
        (FilterName::Batch, !args.batch.is_empty()),
        (FilterName::Group, !args.group.is_empty()),
        (FilterName::ItemName, args.item_name.is_some()),
        (FilterName::Match, args.matching.is_some()),
        (FilterName::By, args.by.is_some()),
        (FilterName::Bucket, args.bucket.is_some()),
        (FilterName::Sort, args.sort.is_some()),
        (FilterName::Limit, args.limit.is_some()),
        (FilterName::Failed, args.failed),
    ];
    all.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
}

fn word(flag: &str, question: Question, word: Option<&str>, known: &[&str]) -> Result<Option<String>, ReportOutcome> {
    match word {
        Some(word) if !known.contains(&word) => Err(ReportOutcome::Usage(format!(
            "`report {}` does not know {flag} {word:?}; allowed: {}",
            question.as_str(),
            known.join(", ")
        ))),
        word => Ok(word.map(str::to_owned)),
    }
}
