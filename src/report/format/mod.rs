//! An answer's rows as table, tsv, json, jsonl, csv, md or html; one file for each format.
//!
//! Text from outside stays text in every format: each one neutralises what is special to it.

pub(crate) mod answer;
pub(crate) mod asked;
pub(crate) mod columns;
pub(crate) mod command;
pub(crate) mod csv;
pub(crate) mod fit;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod jsonl;
pub(crate) mod layout;
pub(crate) mod md;
pub(crate) mod sheet;
pub(crate) mod table;
pub(crate) mod tsv;

use crate::report::format::answer::Answer;
use crate::report::format::layout::AnswerLayout;

/// What an answer is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum ReportFormat {
    /// For people at a terminal.
    Table,
    /// Tab separated, one row a line.
    Tsv,
    /// One envelope.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// RFC 4180.
    Csv,
    /// Markdown.
    Md,
    /// One self-contained page.
    Html,
}

impl ReportFormat {
    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether people rather than programs read it: then long lists are cut, and columns chosen for reading.
    pub fn is_for_people(self) -> bool {
        matches!(self, ReportFormat::Table | ReportFormat::Md | ReportFormat::Html)
    }
}

/// Why an answer cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// `--columns` names one that is not there.
    #[error("unknown column {name:?}; allowed: {known}")]
    Column {
        /// What was asked.
        name: String,
        /// What could be asked.
        known: String,
    },
    /// JSON always holds every field.
    #[error("--columns is for table, tsv, csv, md and html: {0} always holds every field")]
    ColumnsOfJson(&'static str),
    /// A value cannot be written as JSON.
    #[error("cannot write JSON")]
    Json(#[from] serde_json::Error),
    /// A row cannot be written as CSV.
    #[error("cannot write CSV")]
    Csv(#[from] ::csv::Error),
}

impl ReportError {
    /// Never: the same answer gives the same error.
    pub fn is_transient(&self) -> bool {
        false
    }
}

/// Writes the answer.
///
/// # Errors
/// A chosen column is not there, or a value cannot be written.
pub(crate) fn render(answer: &Answer, format: ReportFormat, look: &AnswerLayout) -> Result<String, ReportError> {
    if look.columns.is_some() && matches!(format, ReportFormat::Json | ReportFormat::Jsonl) {
        return Err(ReportError::ColumnsOfJson(format.as_str()));
    }
    match format {
        ReportFormat::Table => table::render(answer, look),
        ReportFormat::Tsv => tsv::render(answer, look),
        ReportFormat::Json => json::render(answer),
        ReportFormat::Jsonl => jsonl::render(answer),
        ReportFormat::Csv => csv::render(answer, look),
        ReportFormat::Md => md::render(answer, look),
        ReportFormat::Html => html::render(answer, look),
    }
}
