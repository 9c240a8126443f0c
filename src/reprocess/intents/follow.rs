//! Finds the outcomes of the attempts under way: from LlamaCloud, with the failures that scans recorded.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use jiff::SignedDuration;

use crate::ledger::error::LedgerError;
use crate::ledger::{Connection, Transaction};
use crate::llamacloud::Cloud;
use crate::llamacloud::error::CloudError;
use crate::model::class::Class;
use crate::model::item::ItemStatus;
use crate::reprocess::Reprocess;
use crate::reprocess::protocol::intent::IntentState;
use crate::reprocess::protocol::outcome::{Outcome, Standing};
use crate::reprocess::store::attempt::{self, Attempt, Seen};
use crate::reprocess::store::intent::{self, Intent};
use crate::scan::store::batch;

/// What a retry was billed is asked for so long after it ended.
const BILLED_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// Retries that are asked for it in one go, at most.
const MOST_BILLS: u32 = 20;

/// What LlamaCloud says about the items of one intent.
#[derive(Debug, Default)]
struct Answers {
    standings: HashMap<String, Standing>,
    /// Skipped items with processing results.
    results: HashSet<String>,
    /// For items that no batch shows: missing once all batches have ended, running before.
    otherwise: Option<Standing>,
    /// Skipped items of which it could not be asked whether they have results: nothing is concluded about them.
    unasked: HashSet<String>,
    /// Nothing of the batches can be under way any more: they have ended, or LlamaCloud has not known them for a day.
    over: bool,
}

impl Answers {
    fn of(&self, item_id: &str) -> Standing {
        self.standings.get(item_id).copied().or(self.otherwise).unwrap_or(Standing::Running)
    }
}

impl Reprocess<'_> {
    /// Ends the attempts whose outcome is known by now.
    pub(crate) async fn follow(&mut self) -> anyhow::Result<()> {
        for intent in self.ledger.read(intent::unsettled).await? {
            if intent.batch_ids.is_empty() {
                continue;
            }
            if self.stop.is_cancelled() {
                break;
            }
            let id = intent.intent_id.clone();
            let running = self.ledger.read(move |connection| attempt::running(connection, &id)).await?;
            let answers = match self.project(&intent.project).filter(|project| project.source.serves(intent.api)) {
                Some(project) => self.ask_outcome(&project.source, &intent, &running).await?,
                // There is no API to ask any more: the attempts expire, and are looked at again if it returns.
                None => Some(Answers::default()),
            };
            // A request that failed proves nothing: no attempt expires by it.
            let Some(answers) = answers else { continue };
            let attempts = running.len();
            let ends = self.ends(&intent, running, &answers).await?;
            let may_end_otherwise = ends.iter().any(|end| end.outcome == Outcome::Expired && !answers.over);
            let is_over = ends.len() == attempts && !may_end_otherwise;
            for end in ends.iter().filter(|end| !end.expired) {
                self.summary.recovered += u32::from(end.recovers);
                self.summary.failed += u32::from(!end.recovers);
            }
            let now = self.now;
            let conclude = move |tx: &Transaction<'_>| {
                for end in &ends {
                    // An attempt that expired stays so until its batch says what became of it.
                    if !end.expired || !matches!(end.outcome, Outcome::Expired | Outcome::Unknown) {
                        attempt::end(tx, &intent, end, now)?;
                    }
                }
                let finished = Intent { state: IntentState::Finished, ..intent };
                if is_over { intent::keep(tx, &finished, now) } else { Ok(()) }
            };
            self.ledger.write(conclude).await?;
        }
        Ok(self.read_bills().await?)
    }

    /// How the attempts of an intent have ended; those that have not are left out, and those whose failure no scan has recorded yet.
    async fn ends(
        &self,
        intent: &Intent,
        running: Vec<Attempt>,
        answers: &Answers,
    ) -> Result<Vec<Attempt>, LedgerError> {
        let failed = |one: &&Attempt| matches!(answers.of(&one.item_id), Standing::Failed | Standing::Skipped);
        let keys: Vec<i64> = running.iter().filter(failed).map(|one| one.item_key).collect();
        let batch_ids = intent.batch_ids.clone();
        let read = move |connection: &Connection| {
            let seen = keys.into_iter().map(|key| Ok((key, attempt::seen(connection, key, &batch_ids)?)));
            seen.collect::<Result<HashMap<_, _>, LedgerError>>()
        };
        let mut seen = self.ledger.read(read).await?;
        let ends = running.into_iter().filter_map(|attempt| {
            let seen = seen.remove(&attempt.item_key).flatten();
            self.end(intent, attempt, seen, answers)
        });
        Ok(ends.collect())
    }

    /// How one attempt ended; none while it has not, or while no scan has recorded its failure yet.
    fn end(&self, intent: &Intent, attempt: Attempt, seen: Option<Seen>, answers: &Answers) -> Option<Attempt> {
        if answers.unasked.contains(&attempt.item_id) {
            return None;
        }
        let standing = match answers.of(&attempt.item_id) {
            Standing::Failed | Standing::Skipped if seen.is_none() => Standing::Running,
            standing => standing,
        };
        let class = match &seen {
            Some(seen) if seen.harmless => Class::Done,
            Some(seen) => self.judge(&seen.said, &intent.job_type).class,
            None => Class::Unknown,
        };
        let same_group = seen.as_ref().is_some_and(|seen| seen.group_id == intent.group_id);
        let outcome = match Outcome::of(standing, same_group, class, self.now - attempt.started_at) {
            Outcome::Running => return None,
            // A skip without a result anywhere proves nothing: what became of the item is not known.
            Outcome::AlreadyProcessed if !answers.results.contains(&attempt.item_id) => Outcome::Unknown,
            outcome => outcome,
        };
        let recovers = matches!(outcome, Outcome::Recovered | Outcome::AlreadyProcessed);
        Some(Attempt { outcome, counts: outcome.counts(class), recovers, seen, ..attempt })
    }

    /// Asks what recovered retries were billed. LlamaCloud may know it later than their outcome.
    async fn read_bills(&self) -> Result<(), LedgerError> {
        let since = self.now - BILLED_WITHIN;
        let unbilled = self.ledger.read(move |connection| attempt::unbilled(connection, since, MOST_BILLS)).await?;
        for (attempt_id, project, batch_id) in unbilled {
            let Some(project) = self.project(&project).filter(|_| !self.stop.is_cancelled()) else { continue };
            match project.source.billed(&batch_id).await {
                Ok(None) => {}
                Ok(Some(credits)) => {
                    self.ledger.write(move |tx| attempt::bill(tx, &attempt_id, credits)).await?;
                }
                // Nothing depends on it.
                Err(error) => {
                    tracing::debug!(batch_id, %error, "could not request the credits that a retry was billed")
                }
            }
        }
        Ok(())
    }

    /// What LlamaCloud says about an intent; none if the request failed.
    async fn ask_outcome(
        &mut self,
        cloud: &Cloud,
        intent: &Intent,
        running: &[Attempt],
    ) -> Result<Option<Answers>, LedgerError> {
        let (id, batch_ids, at) = (intent.intent_id.clone(), intent.batch_ids.clone(), self.now.as_millisecond());
        let read = move |connection: &Connection| {
            let gone = batch::gone_for_good(connection, &batch_ids, at)?;
            let shown = batch::shown_or_old(connection, &batch_ids, at)?;
            Ok((gone, shown, attempt::failed_before(connection, &id)?))
        };
        let (gone, mut shown, failed) = self.ledger.read(read).await?;
        if self.half_seen.contains(&intent.project) {
            // A failing server may answer for any batch that it does not exist.
            shown.clear();
        }
        let mut answers = match self.ask_batches(cloud, intent, running, (&gone, &shown)).await {
            Ok(answers) => answers,
            Err(error) => {
                let text = format!("could not request the outcome of intent {}: {error}", intent.intent_id);
                self.summary.errors.push(text);
                return Ok(None);
            }
        };
        let skipped = answers.standings.iter().filter(|(_, standing)| **standing == Standing::Skipped);
        for (item_id, _) in skipped {
            // A result from before the failure is of other work and proves nothing.
            let Some(failed_at) = failed.get(item_id) else { continue };
            match cloud.has_result(intent.api, &intent.job_type, item_id, *failed_at).await {
                Ok(true) => drop(answers.results.insert(item_id.clone())),
                Ok(false) => {}
                Err(error) => {
                    self.summary.errors.push(format!("could not request results of item {item_id}: {error}"));
                    answers.unasked.insert(item_id.clone());
                }
            }
        }
        Ok(Some(answers))
    }

    /// Asks about every batch of an intent. More than one is a duplicate: the best news of an item counts. `shown` are those
    /// that must be there: one that is not has gone.
    async fn ask_batches(
        &self,
        cloud: &Cloud,
        intent: &Intent,
        running: &[Attempt],
        (gone, shown): (&HashSet<String>, &HashSet<String>),
    ) -> Result<Answers, CloudError> {
        let wanted: HashSet<&str> = running.iter().map(|attempt| attempt.item_id.as_str()).collect();
        let mut answers = Answers { otherwise: Some(Standing::Missing), over: true, ..Answers::default() };
        for batch_id in &intent.batch_ids {
            let Some(batch) = cloud.batch(batch_id).await? else {
                // Perhaps it only is not shown yet; the attempts expire if it never is.
                if !shown.contains(batch_id) {
                    answers.otherwise = Some(Standing::Running);
                } else if answers.otherwise == Some(Standing::Missing) {
                    answers.otherwise = Some(Standing::Gone);
                }
                answers.over &= gone.contains(batch_id);
                continue;
            };
            answers.over &= batch.status.is_terminal();
            let mut each = |page: Vec<(String, ItemStatus)>| {
                for (item_id, status) in page.into_iter().filter(|(id, _)| wanted.contains(id.as_str())) {
                    let left_undone =
                        batch.undone_statuses().contains(&status) && batch.has_abandoned(&status, self.now);
                    let standing = if left_undone { Standing::Failed } else { Standing::from(&status) };
                    let known = answers.standings.entry(item_id).or_insert(standing);
                    *known = standing.min(*known);
                }
                ControlFlow::Continue(())
            };
            let listed = cloud.list_statuses(&batch, &mut each).await?;
            if !batch.status.is_terminal() || !listed.complete || listed.unreadable > 0 {
                answers.otherwise = Some(Standing::Running);
            }
        }
        Ok(answers)
    }
}
