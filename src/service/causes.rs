//! Asking job records for the causes behind generic messages: a few samples of each group, a few requests each cycle, each once.
//!
//! A cause is a help and never a need: whatever goes wrong here is counted and shown, and costs the cycle nothing.

use std::fmt;

use jiff::Timestamp;

use super::classify::classify_by_causes;
use super::scan::Watched;
use crate::cloud::{Cloud, MOST_REQUESTS_FOR_A_RECORD};
use crate::core::cause::{Cause, together};
use crate::core::rules::Rules;
use crate::ledger::cause::{self, Sample, Unexplained};
use crate::ledger::{Ledger, LedgerError};

/// Requests that one cycle may spend on causes, over all projects.
const MOST_REQUESTS: u64 = 20;

/// What asking for causes came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CauseSummary {
    /// Job records that were asked.
    pub asked: u64,
    /// Of them: those that said more than the item's message.
    pub found: u64,
    /// Requests that failed.
    pub failed: u64,
}

impl fmt::Display for CauseSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CauseSummary { asked, found, failed } = self;
        if *asked > 0 {
            write!(f, ", {found} causes in {asked} job records")?;
        }
        if *failed > 0 {
            write!(f, ", {failed} job records could not be asked")?;
        }
        Ok(())
    }
}

/// One round of asking.
struct Asking<'a> {
    ledger: &'a Ledger,
    projects: &'a [Watched<Cloud>],
    rules: &'a Rules,
    now: Timestamp,
    spent: u64,
    summary: CauseSummary,
    /// Projects whose records cannot be had at the moment.
    unwell: Vec<String>,
}

/// Asks for the causes of open groups with a generic message.
///
/// # Errors
/// Only the ledger's.
pub async fn ask(
    ledger: &Ledger,
    projects: &[Watched<Cloud>],
    rules: &Rules,
    now: Timestamp,
) -> Result<CauseSummary, LedgerError> {
    let groups = ledger.read(cause::unexplained).await?;
    let summary = CauseSummary::default();
    let mut asking = Asking { ledger, projects, rules, now, spent: 0, summary, unwell: Vec::new() };
    for group in groups.into_iter().filter(|group| is_generic(rules, group)) {
        if !asking.may_ask() {
            break;
        }
        asking.ask_group(group).await?;
    }
    Ok(asking.summary)
}

/// Whether the group's message hides the cause: no rule or a generic one decided, or a cause was found behind it before.
fn is_generic(rules: &Rules, group: &Unexplained) -> bool {
    let rule = group.rule.as_deref().and_then(|name| rules.iter().find(|rule| rule.name == name));
    group.has_cause || rule.is_none_or(|rule| rule.generic || rule.class == crate::core::rules::Class::Unknown)
}

impl Asking<'_> {
    fn may_ask(&self) -> bool {
        self.spent + MOST_REQUESTS_FOR_A_RECORD <= MOST_REQUESTS
    }

    async fn ask_group(&mut self, group: Unexplained) -> Result<(), LedgerError> {
        let asked_for = group.clone();
        let samples = self.ledger.read(move |connection| cause::samples(connection, &asked_for)).await?;
        let before = self.summary.found;
        for sample in &samples {
            if self.may_ask() && !self.unwell.contains(&sample.project) {
                self.ask_sample(group.group_key, sample).await?;
            }
        }
        match samples.into_iter().next() {
            Some(sample) if self.summary.found > before => self.explain(group.group_key, sample).await,
            _ => Ok(()),
        }
    }

    async fn ask_sample(&mut self, group_key: i64, sample: &Sample) -> Result<(), LedgerError> {
        let Some(project) = self.projects.iter().find(|project| project.name == sample.project) else {
            return Ok(());
        };
        let before = project.source.requests();
        let record = project.source.job_record(&sample.job_type, &sample.job_id).await;
        self.spent += project.source.requests() - before;
        let cause = match record {
            Ok(record) => {
                self.summary.asked += 1;
                let said = record.map(|record| (record.error_code, record.error_message));
                said.and_then(|(code, text)| Cause::beyond(sample.message.as_deref(), code, text))
            }
            Err(error) => {
                tracing::warn!(project = %sample.project, job.id = %sample.job_id, %error, "could not ask a job record for a cause");
                self.summary.failed += 1;
                if error.is_transient() || error.stops_scan() {
                    // It may be had in a later cycle; now the next one would only fail as well.
                    self.unwell.push(sample.project.clone());
                    return Ok(());
                }
                None
            }
        };
        self.summary.found += u64::from(cause.is_some());
        let (observation_key, now) = (sample.observation_key, self.now);
        self.ledger.write(move |tx| cause::note(tx, group_key, observation_key, cause.as_ref(), now)).await
    }

    /// Gives the group its cause, and a class if all causes lead to the same one.
    async fn explain(&self, group_key: i64, sample: Sample) -> Result<(), LedgerError> {
        let causes = self.ledger.read(move |connection| cause::found(connection, group_key)).await?;
        let Some(cause) = together(&causes) else { return Ok(()) };
        let classified = classify_by_causes(self.rules, sample.message.as_deref(), &sample.job_type, &causes);
        self.ledger.write(move |tx| cause::explain(tx, group_key, &cause, classified.as_ref())).await
    }
}
