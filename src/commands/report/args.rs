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

/// Answer questions from the ledger
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = help::QUESTIONS, after_help = help::SHORT)]
pub struct ReportArgs {
    /// What to ask
    #[arg(value_parser = question(), default_value = "summary", hide_possible_values = true)]
    pub query: Question,

    /// The id (it may be shortened) for group, item and batch; the statement for sql
    #[arg(value_name = "ID")]
    pub subject: Option<String>,

    /// From when on: 90m, 24h, 7d, today, yesterday, 2026-11-02, 2026-11-02T14:30, RFC 3339
    #[arg(long, value_name = "TIME", help_heading = "Filters")]
    pub since: Option<String>,

    /// Until when, in the same forms
    #[arg(long, value_name = "TIME", help_heading = "Filters")]
    pub until: Option<String>,

    /// States, in the words of the query (open, new, escalating, dead, …)
    #[arg(long, value_name = "STATE", value_delimiter = ',', help_heading = "Filters")]
    pub state: Vec<String>,

    /// failed or skipped
    #[arg(long, value_parser = kind(), help_heading = "Filters")]
    pub kind: Option<Kind>,

    /// Classes (transient, throttled, permanent-input, config, account, cancelled, done, unknown)
    #[arg(long, value_name = "CLASS", value_delimiter = ',', help_heading = "Filters")]
    pub class: Vec<String>,

    /// Projects, by configured name
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = "Filters")]
    pub project: Vec<String>,

    /// Job types (parse, extract, classify)
    #[arg(long, value_name = "TYPE", value_delimiter = ',', help_heading = "Filters")]
    pub job_type: Vec<String>,

    /// Directory ids
    #[arg(long, value_name = "ID", value_delimiter = ',', help_heading = "Filters")]
    pub directory: Vec<String>,

    /// Batch ids; they may be shortened
    #[arg(long, visible_alias = "job", value_name = "ID", value_delimiter = ',', help_heading = "Filters")]
    pub batch: Vec<String>,

    /// Group ids; they may be shortened
    #[arg(long, value_name = "ID", value_delimiter = ',', help_heading = "Filters")]
    pub group: Vec<String>,

    /// Item names like this: * ? and […] stand for others
    #[arg(long, visible_alias = "name", value_name = "GLOB", help_heading = "Filters")]
    pub item_name: Option<String>,

    /// Error messages and skip reasons that match
    #[arg(long = "match", value_name = "REGEX", value_parser = regex, help_heading = "Filters")]
    pub matching: Option<Regex>,

    /// Only deliveries that failed and have not arrived since
    #[arg(long, help_heading = "Filters")]
    pub failed: bool,

    /// Put rows together (trend, retries, mttr)
    #[arg(long, value_name = "WHAT", help_heading = "Rows")]
    pub by: Option<String>,

    /// Width of a trend's buckets; by default hours for up to three days
    #[arg(long, value_parser = PossibleValuesParser::new(["1h", "1d"]), help_heading = "Rows")]
    pub bucket: Option<String>,

    /// The order of rows (groups, items, batches)
    #[arg(long, value_name = "KEY", help_heading = "Rows")]
    pub sort: Option<String>,

    /// The most rows; 0 for all. Default: 50 for people, all for programs
    #[arg(long, value_name = "N", help_heading = "Rows")]
    pub limit: Option<u64>,

    /// Only these columns, in this order
    #[arg(long, value_name = "NAMES", value_delimiter = ',', help_heading = "Output")]
    pub columns: Vec<String>,

    /// No heading and no column names
    #[arg(long, help_heading = "Output")]
    pub no_header: bool,

    /// How to write the answer. Default: table on a terminal, tsv elsewhere
    #[arg(long, short = 'f', value_parser = format(), help_heading = "Output")]
    pub format: Option<ReportFormat>,

    /// Show times in UTC
    #[arg(long, conflicts_with = "tz", help_heading = "Output")]
    pub utc: bool,

    /// Show times in this IANA zone. Default: the configured one, else the system's
    #[arg(long, value_name = "ZONE", help_heading = "Output")]
    pub tz: Option<String>,

    /// Whether CSV cells that a spreadsheet would run get a quote before them
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set, help_heading = "Output")]
    pub csv_safe: bool,

    /// Exit with 10 if this holds for all that matches: open>0, dead>=1, rows=0 (may be repeated)
    #[arg(long, value_name = "CONDITION", help_heading = "For scripts")]
    pub fail_if: Vec<Condition>,

    /// Exit with 5 if the last complete scan is longer ago: 30m, 2h, 7d
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
    PossibleValuesParser::new(["failed", "skipped"])
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
