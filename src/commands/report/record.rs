//! `report record`: the record of an item's job, asked from LlamaCloud with the project's key and printed as JSON.

use crate::actions::act::ActError;
use crate::actions::record::{self, RecordError};
use crate::commands::report::args::ReportArgs;
use crate::commands::report::filters;
use crate::commands::report::outcome::ReportOutcome;
use crate::exit::Exit;
use crate::ledger::Ledger;
use crate::report::filter::Filter;
use crate::report::format::ReportFormat;
use crate::report::format::json::inert;
use crate::report::store::{ReadTransaction, ReportView};
use crate::scan::apis::restore_apis;
use crate::service::setup::Setup;
use crate::{complain, say};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Asks and prints; secrets are masked. A record that LlamaCloud no longer has is not found.
///
/// # Errors
/// The item is not in the ledger, has no job or no key, or LlamaCloud does not answer as it should.
pub(crate) async fn run(args: &ReportArgs, setup: &Setup) -> anyhow::Result<Exit> {
    if let Err(outcome) = check(args) {
        complain!("{}", outcome.message().unwrap_or_default());
        return Ok(Exit::from(&outcome));
    }
    let ledger = Ledger::open_shared(&setup.config.ledger.path).await?;
    restore_apis(&ledger, &setup.projects).await?;
    let key = {
        let (reading, whole) = (ReadTransaction::open(&setup.config.ledger.path)?, Filter::default());
        let linker = setup.config.linker();
        let view = ReportView::new(&reading, &whole, Timestamp::now(), &linker).map_err(ActError::from)?;
        record::key(&view, args.subject.as_deref().unwrap_or_default()).map_err(ActError::from)?
    };
    let asked = record::ask(&setup.projects, &key).await.map_err(|error| match error {
        RecordError::NoJob(item) => ActError::NotFound(format!("job of item {item}: LlamaCloud named none")).into(),
        error => anyhow::Error::new(error),
    });
    match asked? {
        Some(record) => say!("{}", inert(record)),
        None => {
            let job = key.job_id.unwrap_or_default();
            return Err(ActError::NotFound(format!("record of job {job}: LlamaCloud no longer has it")).into());
        }
    }
    Ok(Exit::Done)
}

/// Refuses what lists alone can be asked for.
fn check(args: &ReportArgs) -> Result<(), ReportOutcome> {
    filters::filter(args, Timestamp::now(), &TimeZone::UTC, ReportFormat::Json)?;
    let is_list = !args.columns.is_empty() || !args.fail_if.is_empty() || args.require_fresh.is_some();
    match args.format {
        None | Some(ReportFormat::Json) if !is_list => Ok(()),
        _ => {
            Err(ReportOutcome::Usage("`report record` prints JSON, and takes no columns and no conditions".to_owned()))
        }
    }
}
