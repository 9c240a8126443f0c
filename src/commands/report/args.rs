//! The command line of `report`.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use jiff::SignedDuration;
use regex::Regex;

use crate::commands::report::help;
use crate::model::item::Kind;
use crate::report::condition::Condition;
use crate::report::format::ReportFormat;
use crate::report::question::Question;
use strum::VariantNames as _;

/// Query the ledger: groups, items, batches, retries, digests
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = help::QUESTIONS, after_help = help::SHORT)]
pub struct ReportArgs {
    /// Query
    #[arg(value_parser = question(), default_value = "summary", hide_possible_values = true)]
    pub query: Question,

    /// Id for group, incident, item, record and batch (may be shortened); statement for sql
    #[arg(value_name = "ID")]
    pub subject: Option<String>,

    /// Start of the time window: 90m, 24h, 7d, today, yesterday, 2026-11-02, 2026-11-02T14:30, RFC 3339
    #[arg(long, value_name = "TIME", help_heading = "Filters")]
    pub since: Option<String>,

    /// End of the time window, in the same forms
    #[arg(long, value_name = "TIME", help_heading = "Filters")]
    pub until: Option<String>,

    /// States, as the query names them (open, new, escalating, dead, …)
    #[arg(long, value_name = "STATE", value_delimiter = ',', help_heading = "Filters")]
    pub state: Vec<String>,

    /// Items of this kind only
    #[arg(long, value_parser = kind(), help_heading = "Filters")]
    pub kind: Option<Kind>,

    /// Classes (transient, throttled, permanent-input, config, account, cancelled, done, unknown)
    #[arg(long, value_name = "CLASS", value_delimiter = ',', help_heading = "Filters")]
    pub class: Vec<String>,

    /// Project names, as configured
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "Filters")]
    pub project: Vec<String>,

    /// Job types (parse, extract, classify)
    #[arg(long, value_name = "TYPE", value_delimiter = ',', help_heading = "Filters")]
    pub job_type: Vec<String>,

    /// Directory ids
    #[arg(long, value_name = "ID", value_delimiter = ',', help_heading = "Filters")]
    pub directory: Vec<String>,

    /// Batch ids; may be shortened
    #[arg(long, visible_alias = "job", value_name = "ID", value_delimiter = ',', help_heading = "Filters")]
    pub batch: Vec<String>,

    /// Group ids; may be shortened
    #[arg(long, value_name = "ID", value_delimiter = ',', help_heading = "Filters")]
    pub group: Vec<String>,

    /// Item names; * ? and […] are wildcards
    #[arg(long, visible_alias = "name", value_name = "GLOB", help_heading = "Filters")]
    pub item_name: Option<String>,

    /// Regular expression for error messages and skip reasons
    #[arg(long = "match", value_name = "REGEX", value_parser = regex, help_heading = "Filters")]
    pub matching: Option<Regex>,

    /// Only deliveries that failed and have not succeeded since
    #[arg(long, help_heading = "Filters")]
    pub failed: bool,

    /// Group rows by this key (trend, retries, mttr)
    #[arg(long, value_name = "WHAT", help_heading = "Rows")]
    pub by: Option<String>,

    /// Bucket width of a trend [default: 1h for up to three days, else 1d]
    #[arg(long, value_parser = PossibleValuesParser::new(["1h", "1d"]), help_heading = "Rows")]
    pub bucket: Option<String>,

    /// Sort order (groups, items, batches)
    #[arg(long, value_name = "KEY", help_heading = "Rows")]
    pub sort: Option<String>,

    /// Maximum number of rows; 0 for all [default: 50 for table, md and html, else all]
    #[arg(long, value_name = "N", help_heading = "Rows")]
    pub limit: Option<u64>,

    /// Columns to print, in this order
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = "Output")]
    pub columns: Vec<String>,

    /// Omit the heading and column names
    #[arg(long, help_heading = "Output")]
    pub no_header: bool,

    /// Output format [default: table on a terminal, else tsv]
    #[arg(long, short = 'f', value_parser = format(), help_heading = "Output")]
    pub format: Option<ReportFormat>,

    /// Show times in UTC
    #[arg(long, conflicts_with = "tz", help_heading = "Output")]
    pub utc: bool,

    /// Show times in this IANA time zone [default: schedule.timezone, else the system's]
    #[arg(long, value_name = "ZONE", help_heading = "Output")]
    pub tz: Option<String>,

    /// Quote CSV cells that a spreadsheet would evaluate
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, help_heading = "Output")]
    pub csv_safe: bool,

    /// Exit with 10 if the condition holds for all matching rows: open>0, dead>=1, rows=0; repeatable
    #[arg(long, value_name = "CONDITION", help_heading = "For scripts")]
    pub fail_if: Vec<Condition>,

    /// Exit with 5 if the last complete scan is older than this: 30m, 2h, 7d
    #[arg(long, value_name = "DURATION", value_parser = age, help_heading = "For scripts")]
    pub require_fresh: Option<SignedDuration>,
}

/// An age in the words of the configuration: days count, as they do for `--since`.
fn age(text: &str) -> Result<SignedDuration, String> {
    let age = crate::config::duration::parse(text)?;
    SignedDuration::try_from(age).map_err(|error| error.to_string())
}

fn question() -> impl TypedValueParser<Value = Question> {
    let words = <Question as strum::VariantNames>::VARIANTS.iter().copied().chain(["jobs", "job"]);
    PossibleValuesParser::new(words.collect::<Vec<_>>())
        .try_map(|word| Question::from_word(&word).ok_or("no such query"))
}

fn kind() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(<Kind as strum::VariantNames>::VARIANTS)
        .try_map(|word| Kind::try_from(word.as_str()).ok().ok_or("no such kind"))
}

fn format() -> impl TypedValueParser<Value = ReportFormat> {
    PossibleValuesParser::new(ReportFormat::VARIANTS)
        .try_map(|word| ReportFormat::try_from(word.as_str()).ok().ok_or("no such format"))
}

/// A pattern that cannot eat all memory.
pub(crate) fn regex(pattern: &str) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(pattern).size_limit(1 << 20).build()
}
