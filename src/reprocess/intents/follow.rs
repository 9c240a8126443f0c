//! Finds the outcomes of the attempts under way: from LlamaCloud, with the failures that scans recorded.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::ledger::Transaction;
use crate::ledger::error::LedgerError;
use crate::llamacloud::Cloud;
use crate::llamacloud::error::CloudError;
use crate::model::class::Class;
use crate::model::item::ItemStatus;
use crate::reprocess::facts::limits;
use crate::reprocess::protocol::outcome::{AfterStatus, Outcome, RetriedItem, outcome};
use crate::reprocess::store::attempt::{self, End, Running, Seen};
use crate::reprocess::store::intent::{self, StoredIntent};
use crate::reprocess::{Reprocess, Summary};
use crate::scan::store::batch;

/// What a retry was billed is asked for so long after it ended.
const BILLED_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// Retries that are asked for it in one go, at most.
const MOST_BILLS: u32 = 20;

/// What LlamaCloud says about the items of one intent.
#[derive(Debug, Default)]
struct Standing {
    statuses: HashMap<String, AfterStatus>,
    /// Skipped items with processing results.
    results: HashSet<String>,
    /// For items that no batch shows: missing once all batches have ended, running before.
    otherwise: Option<AfterStatus>,
    /// Skipped items of which it could not be asked whether they have results: nothing is concluded about them.
    unasked: HashSet<String>,
    /// Nothing of the batches can be under way any more: they have ended, or LlamaCloud has not known them for a day.
    over: bool,
}

impl Standing {
    fn of(&self, item_id: &str) -> AfterStatus {
        self.statuses.get(item_id).copied().or(self.otherwise).unwrap_or(AfterStatus::Running)
    }
}

impl Reprocess<'_> {
    /// Ends the attempts whose outcome is known by now.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn follow(
        &self,
        now: Timestamp,
        stop: &CancellationToken,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        for intent in self.ledger.read(intent::unsettled).await? {
            if intent.intent.state.batch_ids().is_empty() {
                continue;
            }
            if stop.is_cancelled() {
                break;
            }
            let id = intent.intent_id.clone();
            let running = self.ledger.read(move |connection| attempt::running(connection, &id)).await?;
            let standing = match self.project(&intent.project) {
                // An API that is gone cannot be asked either; its attempts expire, and are looked at again
                // if it returns.
                Some(project) if !project.source.serves(intent.api) => Standing::default(),
                Some(project) => {
                    let asked = self.ask(&project.source, &intent, &running, now, summary).await?;
                    // A request that failed proves nothing: no attempt expires by it.
                    let Some(standing) = asked else { continue };
                    standing
                }
                // There is no API to ask any more; the attempts expire.
                None => Standing::default(),
            };
            let attempts = running.len();
            let ends = self.ends(&intent, running, &standing, now).await?;
            let may_end_otherwise = ends.iter().any(|end| end.outcome == Outcome::Expired && !standing.over);
            let is_over = ends.len() == attempts && !may_end_otherwise;
            summary.recovered += count(&ends, |end| !end.attempt.expired && end.recovers);
            summary.failed += count(&ends, |end| !end.attempt.expired && !end.recovers);
            self.ledger.write(move |tx| conclude(tx, &intent, &ends, is_over, now)).await?;
        }
        Ok(self.read_bills(now, stop).await?)
    }

    /// How the attempts of an intent have ended; those that have not are left out, and those whose failure no scan has recorded yet.
    async fn ends(
        &self,
        intent: &StoredIntent,
        running: Vec<Running>,
        standing: &Standing,
        now: Timestamp,
    ) -> Result<Vec<End>, LedgerError> {
        let failed =
            |attempt: &Running| matches!(standing.of(&attempt.item_id), AfterStatus::Failed | AfterStatus::Skipped);
        let keys: Vec<i64> = running.iter().filter(|one| failed(one)).map(|one| one.item_key).collect();
        let batch_ids: Vec<String> = intent.intent.state.batch_ids().into_iter().map(str::to_owned).collect();
        let read = move |connection: &_| {
            let seen = keys.into_iter().map(|key| Ok((key, attempt::seen(connection, key, &batch_ids)?)));
            seen.collect::<Result<HashMap<_, _>, LedgerError>>()
        };
        let mut seen = self.ledger.read(read).await?;
        let ends = running.into_iter().filter_map(|attempt| {
            let seen = seen.remove(&attempt.item_key).flatten();
            self.end(intent, attempt, seen, standing, now)
        });
        Ok(ends.collect())
    }

    /// How one attempt ended; none while it has not, or while no scan has recorded its failure yet.
    fn end(
        &self,
        intent: &StoredIntent,
        attempt: Running,
        seen: Option<Seen>,
        standing: &Standing,
        now: Timestamp,
    ) -> Option<End> {
        if standing.unasked.contains(&attempt.item_id) {
            return None;
        }
        let status = match standing.of(&attempt.item_id) {
            AfterStatus::Failed | AfterStatus::Skipped if seen.is_none() => AfterStatus::Running,
            status => status,
        };
        let class = match &seen {
            Some(seen) if seen.harmless => Class::Done,
            Some(seen) => self.judge(&seen.said, &intent.job_type).class,
            None => Class::Unknown,
        };
        let group_id = seen.as_ref().map_or("", |seen| seen.group_id.as_str());
        let after = RetriedItem { status, group_id, class };
        let outcome = outcome(&intent.group_id, &after, attempt.started_at, now, &limits(self.config));
        if outcome == Outcome::Running {
            return None;
        }
        let recovers = outcome.recovers(standing.results.contains(&attempt.item_id));
        // A skip without a result anywhere proves nothing: what became of the item is not known.
        let outcome = if outcome == Outcome::AlreadyProcessed && !recovers { Outcome::Unknown } else { outcome };
        Some(End { attempt, outcome, counts: outcome.uses_attempt(class), recovers, seen })
    }

    /// Asks what recovered retries were billed. LlamaCloud may know it later than their outcome.
    async fn read_bills(&self, now: Timestamp, stop: &CancellationToken) -> Result<(), LedgerError> {
        let unbilled =
            self.ledger.read(move |connection| attempt::unbilled(connection, now - BILLED_WITHIN, MOST_BILLS)).await?;
        for (attempt_id, project, batch_id) in unbilled {
            let Some(project) = self.project(&project).filter(|_| !stop.is_cancelled()) else { continue };
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
    async fn ask(
        &self,
        cloud: &Cloud,
        intent: &StoredIntent,
        running: &[Running],
        now: Timestamp,
        summary: &mut Summary,
    ) -> Result<Option<Standing>, LedgerError> {
        let batch_ids: Vec<String> = intent.intent.state.batch_ids().into_iter().map(str::to_owned).collect();
        let at = now.as_millisecond();
        let lost = move |connection: &_| {
            let gone = batch::gone_for_good(connection, &batch_ids, at)?;
            Ok((gone, batch::shown_or_old(connection, &batch_ids, at)?))
        };
        let (gone, mut shown) = self.ledger.read(lost).await?;
        if self.half_seen.contains(&intent.project) {
            // A failing server may answer for any batch that it does not exist.
            shown.clear();
        }
        let id = intent.intent_id.clone();
        let failed = self.ledger.read(move |connection| attempt::failed_before(connection, &id)).await?;
        let mut standing = match batches(cloud, intent, running, (&gone, &shown), now).await {
            Ok(standing) => standing,
            Err(error) => {
                summary.errors.push(format!("could not request the outcome of intent {}: {error}", intent.intent_id));
                return Ok(None);
            }
        };
        let skipped = standing.statuses.iter().filter(|(_, status)| **status == AfterStatus::Skipped);
        for (item_id, _) in skipped {
            // A result from before the failure is of other work and proves nothing.
            let Some(failed_at) = failed.get(item_id) else { continue };
            match cloud.has_result(intent.api, &intent.job_type, item_id, *failed_at).await {
                Ok(true) => drop(standing.results.insert(item_id.clone())),
                Ok(false) => {}
                Err(error) => {
                    summary.errors.push(format!("could not request results of item {item_id}: {error}"));
                    standing.unasked.insert(item_id.clone());
                }
            }
        }
        Ok(Some(standing))
    }
}

/// Asks about every batch of an intent. More than one is a duplicate: the best news of an item counts. `shown` are those
/// that must be there: one that is not has gone.
async fn batches(
    cloud: &Cloud,
    intent: &StoredIntent,
    running: &[Running],
    (gone, shown): (&HashSet<String>, &HashSet<String>),
    now: Timestamp,
) -> Result<Standing, CloudError> {
    let wanted: HashSet<&str> = running.iter().map(|attempt| attempt.item_id.as_str()).collect();
    let mut standing = Standing { otherwise: Some(AfterStatus::Missing), over: true, ..Standing::default() };
    for batch_id in intent.intent.state.batch_ids() {
        let Some(batch) = cloud.batch(batch_id).await? else {
            // Perhaps it only is not shown yet; the attempts expire if it never is.
            if !shown.contains(batch_id) {
                standing.otherwise = Some(AfterStatus::Running);
            } else if standing.otherwise == Some(AfterStatus::Missing) {
                standing.otherwise = Some(AfterStatus::Gone);
            }
            standing.over &= gone.contains(batch_id);
            continue;
        };
        standing.over &= batch.status.is_terminal();
        let mut each = |page: Vec<(String, ItemStatus)>| {
            for (item_id, status) in page.into_iter().filter(|(id, _)| wanted.contains(id.as_str())) {
                let left_undone = batch.undone_statuses().contains(&status) && batch.has_abandoned(&status, now);
                let status = if left_undone { AfterStatus::Failed } else { after(&status) };
                let known = standing.statuses.entry(item_id).or_insert(status);
                if rank(status) < rank(*known) {
                    *known = status;
                }
            }
            ControlFlow::Continue(())
        };
        let listed = cloud.list_statuses(&batch, &mut each).await?;
        if !batch.status.is_terminal() || !listed.complete || listed.unreadable > 0 {
            standing.otherwise = Some(AfterStatus::Running);
        }
    }
    Ok(standing)
}

fn after(status: &ItemStatus) -> AfterStatus {
    match status {
        ItemStatus::Completed => AfterStatus::Completed,
        ItemStatus::Failed => AfterStatus::Failed,
        ItemStatus::Skipped => AfterStatus::Skipped,
        ItemStatus::Cancelled => AfterStatus::Cancelled,
        // An unknown status is not taken for an end.
        ItemStatus::Pending | ItemStatus::Processing | ItemStatus::Unknown(_) => AfterStatus::Running,
    }
}

fn rank(status: AfterStatus) -> u8 {
    match status {
        AfterStatus::Completed => 0,
        AfterStatus::Running => 1,
        AfterStatus::Failed => 2,
        AfterStatus::Skipped => 3,
        AfterStatus::Cancelled => 4,
        AfterStatus::Missing => 5,
        AfterStatus::Gone => 6,
    }
}

fn count(ends: &[End], which: impl Fn(&End) -> bool) -> u32 {
    u32::try_from(ends.iter().filter(|end| which(end)).count()).unwrap_or(u32::MAX)
}

/// Writes the ends and the items' states in one transaction; the intent is finished if `is_over`.
fn conclude(
    tx: &Transaction<'_>,
    intent: &StoredIntent,
    ends: &[End],
    is_over: bool,
    now: Timestamp,
) -> Result<(), LedgerError> {
    for end in ends {
        // An attempt that expired stays so until its batch says what became of it.
        if !end.attempt.expired || !matches!(end.outcome, Outcome::Expired | Outcome::Unknown) {
            attempt::end(tx, intent, end, now)?;
        }
    }
    if is_over { intent::finish(tx, &intent.intent_id, now) } else { Ok(()) }
}
