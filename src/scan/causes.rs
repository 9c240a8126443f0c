//! Asking job records for the causes behind generic messages: a few samples of each group, a few requests each cycle, each once.
//!
//! A cause is a help and never a need: whatever goes wrong here is counted and shown, and costs the cycle nothing.

use std::collections::HashMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::classify::classifier::classify_by_causes;
use crate::classify::rules::decide::{Rules, is_vague};
use crate::ledger::Ledger;
use crate::ledger::error::LedgerError;
use crate::llamacloud::error::CloudError;
use crate::llamacloud::{Cloud, MOST_REQUESTS_FOR_A_RECORD};
use crate::model::cause::{Cause, together};
use crate::model::class::Class;
use crate::model::text::count;
use crate::scan::source::Watched;
use crate::scan::store::cause::{self, CauseSample, Unexplained};

/// Requests that one cycle may spend on causes, over all projects.
const MOST_REQUESTS: u64 = 20;

/// For so long a project that refuses its job records is not asked for any.
const REST: SignedDuration = SignedDuration::from_hours(1);

/// An answer that no one can make sense of is asked for again so often, and no longer than this after the failure.
const TRIES: u32 = 3;
const TRIED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What a process learnt by asking: what it need not say again, and whom not to ask for a while.
#[derive(Debug, Default)]
pub struct CauseMemory {
    /// Projects whose records could not be fetched, and until when they are not queried.
    unwell: HashMap<String, Option<Timestamp>>,
    /// How often an answer about an observation made no sense.
    odd: HashMap<i64, u32>,
}

impl CauseMemory {
    fn is_backing_off(&self, project: &str, now: Timestamp) -> bool {
        self.unwell.get(project).copied().flatten().is_some_and(|until| now < until)
    }

    /// Records that a project's records cannot be fetched; true if this is new.
    fn note_error(&mut self, project: &str, error: &CloudError, now: Timestamp) -> bool {
        let until = if error.stops_scan() { now.checked_add(REST).ok() } else { None };
        self.unwell.insert(project.to_owned(), until).is_none()
    }

    /// Whether another try may make sense of the answer about this failure.
    fn tries_again(&mut self, sample: &CauseSample, error: &CloudError, now: Timestamp) -> bool {
        let is_odd = matches!(error, CloudError::NotJson { .. } | CloudError::Decode { .. });
        let tries = self.odd.entry(sample.observation_key).or_default();
        *tries += 1;
        let again = is_odd && *tries < TRIES && now - sample.seen_at < TRIED_FOR;
        if !again {
            self.odd.remove(&sample.observation_key);
        }
        again
    }
}

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
            let found = count(*found, "cause", "causes");
            write!(f, ", {found} in {}", count(*asked, "job record", "job records"))?;
        }
        if *failed > 0 {
            write!(f, ", {} could not be read", count(*failed, "job record", "job records"))?;
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
    memory: &'a mut CauseMemory,
    /// Projects whose records cannot be had at the moment.
    unwell: Vec<String>,
}

/// Asks for the causes of open groups with a generic message.
pub async fn ask(
    ledger: &Ledger,
    projects: &[Watched<Cloud>],
    rules: &Rules,
    memory: &mut CauseMemory,
    now: Timestamp,
) -> Result<CauseSummary, LedgerError> {
    let groups = ledger.read(cause::unexplained).await?;
    let summary = CauseSummary::default();
    let resting = projects.iter().map(|project| &project.name).filter(|name| memory.is_backing_off(name, now));
    let unwell = resting.cloned().collect();
    let mut asking = Asking { ledger, projects, rules, now, spent: 0, summary, memory, unwell };
    for group in groups.into_iter().filter(|group| is_generic(rules, group)) {
        if !asking.may_ask() {
            break;
        }
        asking.ask_group(group).await?;
    }
    Ok(asking.summary)
}

/// Whether the group's message hides the cause: a rule of the team or the wording says so, or a cause was found behind it before.
fn is_generic(rules: &Rules, group: &Unexplained) -> bool {
    let own = group.rule.as_deref().and_then(|name| rules.iter().find(|rule| rule.name == name));
    let hides = own.map_or_else(|| is_vague(&group.class, group.rule.as_deref()), |rule| rule.generic);
    group.has_cause || hides || group.class == Class::Unknown.name()
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

    async fn ask_sample(&mut self, group_key: i64, sample: &CauseSample) -> Result<(), LedgerError> {
        let Some(project) = self.projects.iter().find(|project| project.name == sample.project) else {
            return Ok(());
        };
        let cause = if project.source.record_has_more(&sample.job_type, &sample.job_id) {
            let Some(cause) = self.request(project.source.as_ref(), sample).await else { return Ok(()) };
            cause
        } else {
            None
        };
        self.summary.found += u64::from(cause.is_some());
        let (observation_key, now) = (sample.observation_key, self.now);
        self.ledger.write(move |tx| cause::note(tx, group_key, observation_key, cause.as_ref(), now)).await
    }

    /// What the record says; none if that is to be asked again in a later cycle.
    async fn request(&mut self, source: &Cloud, sample: &CauseSample) -> Option<Option<Cause>> {
        let before = source.requests();
        let record = source.job_record(&sample.job_type, &sample.job_id).await;
        self.spent += source.requests() - before;
        let error = match record {
            Ok(record) => {
                self.summary.asked += 1;
                self.memory.unwell.remove(&sample.project);
                let said = record.map(|record| (record.error_code, record.error_message));
                return Some(said.and_then(|(code, text)| Cause::beyond(sample.message.as_deref(), code, text)));
            }
            Err(error) => error,
        };
        self.summary.failed += 1;
        let said = "cannot read a job record for its cause";
        if self.memory.note_error(&sample.project, &error, self.now) {
            tracing::warn!(project = %sample.project, job.id = %sample.job_id, %error, "{said}; further ones are logged at level debug");
        } else {
            tracing::debug!(project = %sample.project, job.id = %sample.job_id, %error, "{said}");
        }
        if error.is_transient() || error.stops_scan() || matches!(error, CloudError::NotJson { .. }) {
            // Now the next one would only fail as well.
            self.unwell.push(sample.project.clone());
        }
        let later = error.is_transient() || error.stops_scan() || self.memory.tries_again(sample, &error, self.now);
        if later { None } else { Some(None) }
    }

    /// Gives the group its cause, and a class if all causes lead to the same one.
    async fn explain(&self, group_key: i64, sample: CauseSample) -> Result<(), LedgerError> {
        let causes = self.ledger.read(move |connection| cause::found(connection, group_key)).await?;
        let Some(cause) = together(&causes) else { return Ok(()) };
        let classified = classify_by_causes(self.rules, sample.message.as_deref(), &sample.job_type, &causes);
        self.ledger.write(move |tx| cause::explain(tx, group_key, &cause, classified.as_ref())).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn refused() -> CloudError {
        CloudError::Forbidden { detail: String::new() }
    }

    #[test]
    fn a_project_that_refuses_its_records_is_named_once_and_asked_once_an_hour() {
        let mut memory = CauseMemory::default();
        assert!(memory.note_error("prod", &refused(), at(0)) && !memory.note_error("prod", &refused(), at(0)));
        assert!(
            memory.is_backing_off("prod", at(3599))
                && !memory.is_backing_off("prod", at(3600))
                && !memory.is_backing_off("other", at(1))
        );
        let dead = CloudError::CutShort { path: String::new(), problem: String::new() };
        assert!(
            !memory.note_error("prod", &dead, at(3600)) && !memory.is_backing_off("prod", at(3600)),
            "it may be well again"
        );
    }

    #[test]
    fn an_answer_without_sense_is_asked_for_three_times_and_a_refused_request_once() {
        let sample = CauseSample {
            observation_key: 1,
            project: "prod".to_owned(),
            job_type: "parse".to_owned(),
            job_id: "j".to_owned(),
            message: None,
            seen_at: at(0),
        };
        let odd = CloudError::Decode { path: String::new(), at: String::new(), problem: String::new() };
        let mut memory = CauseMemory::default();
        let tries: Vec<bool> = (0..3).map(|_| memory.tries_again(&sample, &odd, at(60))).collect();
        assert_eq!(tries, [true, true, false]);
        assert!(!memory.tries_again(&sample, &odd, at(86_400)), "the failure is a day old");
        let refused = CloudError::Refused { status: 400, path: String::new(), detail: String::new() };
        assert!(!memory.tries_again(&sample, &refused, at(60)));
    }

    #[test]
    fn one_record_is_one() {
        let summary = CauseSummary { asked: 1, found: 1, failed: 1 };
        assert_eq!(summary.to_string(), ", 1 cause in 1 job record, 1 job record could not be read");
    }
}
