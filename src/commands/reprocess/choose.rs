//! Which items `reprocess plan` is about: a group, items by name, or whatever the filters of a report match.

use std::path::Path;

use clap::Args;
use clap::builder::PossibleValuesParser;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use regex::Regex;

use crate::actions::act::ActError;
use crate::actions::plan::{PLANNED_STATES, item_ids};
use crate::commands::report::args::regex;
use crate::model::class::Class;
use crate::report::filter::Filter;
use crate::report::when;

/// The filters of `report items`, for open items and dismissed ones.
#[derive(Debug, Args)]
pub(crate) struct ChooseArgs {
    /// Group ids; may be shortened
    #[arg(long, value_name = "ID", value_delimiter = ',', conflicts_with = "item")]
    group: Vec<String>,
    /// Item id; repeatable
    #[arg(long, value_name = "ID")]
    pub(crate) item: Vec<String>,
    /// Failed since: 90m, 24h, 7d, today, yesterday, RFC 3339
    #[arg(long, value_name = "TIME", help_heading = "Filters", conflicts_with = "item")]
    since: Option<String>,
    /// Failed before, in the same forms
    #[arg(long, value_name = "TIME", help_heading = "Filters", conflicts_with = "item")]
    until: Option<String>,
    /// Classes (transient, throttled, …)
    #[arg(
        long,
        value_name = "CLASS",
        value_parser = PossibleValuesParser::new(<Class as strum::VariantNames>::VARIANTS),
        hide_possible_values = true,
        value_delimiter = ',',
        help_heading = "Filters",
        conflicts_with = "item"
    )]
    class: Vec<String>,
    /// Project names, as configured
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "Filters", conflicts_with = "item")]
    project: Vec<String>,
    /// Job types (parse, extract, classify)
    #[arg(long, value_name = "TYPE", value_delimiter = ',', help_heading = "Filters", conflicts_with = "item")]
    job_type: Vec<String>,
    /// Directory ids
    #[arg(long, value_name = "ID", value_delimiter = ',', help_heading = "Filters", conflicts_with = "item")]
    directory: Vec<String>,
    /// Batch ids; may be shortened
    #[arg(long, value_name = "ID", value_delimiter = ',', help_heading = "Filters", conflicts_with = "item")]
    batch: Vec<String>,
    /// Item names; * ? and […] are wildcards
    #[arg(long, value_name = "GLOB", help_heading = "Filters", conflicts_with = "item")]
    item_name: Option<String>,
    /// Regular expression for error messages and skip reasons
    #[arg(long = "match", value_name = "REGEX", value_parser = regex, help_heading = "Filters", conflicts_with = "item")]
    matching: Option<Regex>,
}

impl ChooseArgs {
    /// Nothing was asked for.
    fn is_empty(&self) -> bool {
        let lists = [&self.group, &self.item, &self.class, &self.project, &self.job_type, &self.directory, &self.batch];
        lists.iter().all(|list| list.is_empty())
            && [&self.since, &self.until, &self.item_name].iter().all(|text| text.is_none())
            && self.matching.is_none()
    }

    /// Groups or items were named by their ids: whoever does knows what they are.
    pub(crate) fn names_them(&self) -> bool {
        !self.group.is_empty() || !self.item.is_empty()
    }

    fn filter(self, now: Timestamp, zone: &TimeZone) -> Result<Filter, ActError> {
        let time = |text: Option<String>| {
            let parsed = text.as_deref().map(|text| when::parse(text, now, zone));
            parsed.transpose().map_err(|error| ActError::Refused(error.to_string()))
        };
        Ok(Filter {
            since: time(self.since)?,
            until: time(self.until)?,
            state: PLANNED_STATES.map(str::to_owned).to_vec(),
            class: self.class,
            project: self.project,
            job_type: self.job_type,
            directory: self.directory,
            batch: self.batch,
            group: self.group,
            item_name: self.item_name,
            matching: self.matching,
            ..Filter::default()
        })
    }
}

/// The ids of the items that are asked for.
///
/// # Errors
/// Nothing was asked for, or a group or batch does not exist.
pub(crate) fn chosen(
    args: ChooseArgs,
    ledger: &Path,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<Vec<String>, ActError> {
    if args.is_empty() {
        let text = "nothing selected: use --group ID, --item ID, or filters such as --class transient --since 24h";
        return Err(ActError::Refused(text.to_owned()));
    }
    if !args.item.is_empty() {
        return Ok(args.item);
    }
    item_ids(ledger, &args.filter(now, zone)?, now)
}
