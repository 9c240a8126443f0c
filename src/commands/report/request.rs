//! The question with all that answers it.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::commands::report::args::ReportArgs;
use crate::commands::report::outcome::ReportOutcome;
use crate::config::reprocess::ReprocessConfig;
use crate::model::links::linker::Linker;
use crate::report::filter::Filter;
use crate::report::format::ReportFormat;
use crate::report::store::{ConfiguredBudget, ReadTransaction, ReportView};

/// A question, its filters, and the ledger that it is asked.
pub(crate) struct ReportRequest<'a> {
    pub(crate) args: &'a ReportArgs,
    pub(crate) filter: &'a Filter,
    pub(crate) reading: &'a ReadTransaction,
    pub(crate) linker: &'a Linker,
    pub(crate) zone: &'a TimeZone,
    pub(crate) format: ReportFormat,
    pub(crate) now: Timestamp,
    pub(crate) budget: ConfiguredBudget,
    /// Those of the configuration, if there is one.
    pub(crate) retry_settings: Option<ReprocessConfig>,
    pub(crate) next_digest_at: Option<Timestamp>,
}

impl ReportRequest<'_> {
    /// Sees the ledger through a filter that is not quite the asked one.
    pub(crate) fn view<'b>(&'b self, filter: &'b Filter) -> Result<ReportView<'b>, ReportOutcome> {
        let mut view = ReportView::new(self.reading, filter, self.now, self.linker)?;
        view.retry_settings = self.retry_settings.clone().unwrap_or(view.retry_settings);
        Ok(view)
    }
}
