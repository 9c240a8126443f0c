//! Finds the batches of POSTs whose answer never came, and batches that were made twice of one POST. Nothing is ever sent again.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::ledger::audit::{self, Act};
use crate::ledger::error::LedgerError;
use crate::ledger::{Transaction, fault};
use crate::llamacloud::resubmit::{Candidates, Resubmission};
use crate::model::batch_api::BatchApi;
use crate::reprocess::protocol::intent::{Intent, IntentEvent, IntentState};
use crate::reprocess::protocol::reconcile::{Candidate, Listing, Verdict, reconcile};
use crate::reprocess::store::intent::{self, StoredIntent};
use crate::reprocess::store::{abandoned, attempt};
use crate::reprocess::{Reprocess, Summary};
use crate::scan::store::batch;

/// An unclear intent is looked for again after this, also between cycles.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(2);

/// The late job of a retry of v2 that was given up is looked for so often.
const LOOK_FOR_LATE: SignedDuration = SignedDuration::from_hours(1);

/// The batch of an intent that was given up may show up so much later.
const GIVEN_UP_FOR: SignedDuration = SignedDuration::from_hours(24);

/// An intent that stays of unclear outcome for longer than this is reported as a problem.
const PATIENCE: SignedDuration = SignedDuration::from_mins(30);

impl Reprocess<'_> {
    /// Recovers the intents that an earlier process left: what was planned is released, what was being posted is of unclear outcome.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn recover(&self, now: Timestamp) -> Result<(), LedgerError> {
        self.ledger
            .write(move |tx| {
                for intent in intent::unsettled(tx)? {
                    take_up(tx, &intent, now)?;
                }
                Ok(())
            })
            .await
    }

    /// Between two cycles: looks for what is of unclear outcome every two minutes, and executes approved plans.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn between(
        &self,
        now: Timestamp,
        stop: &CancellationToken,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        let unclear = self.ledger.read(intent::unsettled).await?;
        let mut unclear = unclear.iter().filter(|intent| intent.intent.state.needs_reconciliation());
        if unclear.any(|intent| intent.checked_at.or(intent.intent.posting_at).is_none_or(|at| now - at >= LOOK_AGAIN))
        {
            self.reconcile(now, stop, summary).await?;
        }
        self.execute_approved(now, stop, summary).await
    }

    /// Looks for the batches of intents of unclear outcome, and for second batches of the others where one may have shown up.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn reconcile(
        &self,
        now: Timestamp,
        stop: &CancellationToken,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        self.adopt(now, summary).await?;
        let since = now - GIVEN_UP_FOR;
        let unsettled = self.ledger.read(intent::unsettled).await?.into_iter().map(|intent| (intent, None));
        let doubtful = self.ledger.read(move |tx| abandoned::finished_after(tx, since)).await?.into_iter();
        let doubtful = doubtful.map(|(later, earlier)| (later, Some(earlier)));
        for (intent, earlier) in unsettled.chain(doubtful) {
            if stop.is_cancelled() || !self.is_looked_for(&intent, earlier.is_some(), now).await? {
                continue;
            }
            let listing = match self.look(&intent, earlier.as_ref(), now).await {
                Ok(listing) => listing,
                Err(error) => {
                    summary
                        .errors
                        .push(format!("could not look for the batch of intent {}: {error}", intent.intent_id));
                    Listing { at: now, complete: false, candidates: Vec::new() }
                }
            };
            let still_unclear = self.ledger.write(move |tx| judge(tx, intent, listing, now)).await?;
            summary.unknown += u32::from(still_unclear);
        }
        Ok(())
    }

    /// Whether batches are to be listed now for an intent; `doubtful` is one whose items a retry that was given up has sent before.
    async fn is_looked_for(&self, intent: &StoredIntent, doubtful: bool, now: Timestamp) -> Result<bool, LedgerError> {
        if self.project(&intent.project).is_none() {
            return Ok(false);
        }
        // The job list of v2 never shows the jobs of retries, so nothing says when to look for one.
        let unseen =
            intent.api == BatchApi::V2 && intent.checked_at.is_none_or(|at| doubtful && now - at >= LOOK_FOR_LATE);
        Ok(unseen || intent.intent.state.needs_reconciliation() || self.may_be_double(intent).await?)
    }

    /// Whether a batch has shown up that may do the work of this intent a second time.
    async fn may_be_double(&self, intent: &StoredIntent) -> Result<bool, LedgerError> {
        if matches!(intent.intent.state, IntentState::Duplicate { .. }) {
            return Ok(false);
        }
        let since = intent.intent.posting_at.unwrap_or(intent.created_at);
        let (project, job_type, items) = (intent.project.clone(), intent.job_type.clone(), intent.items.len());
        let since = since.as_millisecond();
        self.ledger.read(move |connection| batch::has_double(connection, &project, &job_type, items, since)).await
    }

    /// Lists what may be the batch of an intent, or of the `earlier` one of the same items that was given up.
    async fn look(
        &self,
        intent: &StoredIntent,
        earlier: Option<&StoredIntent>,
        now: Timestamp,
    ) -> anyhow::Result<Listing> {
        let sent = earlier.unwrap_or(intent);
        let posted = sent.intent.posting_at.unwrap_or(sent.created_at);
        let project = self
            .project(&intent.project)
            .ok_or_else(|| anyhow::anyhow!("project {} is no longer in the configuration", intent.project))?;
        let request = Resubmission {
            api: sent.api,
            intent_id: sent.intent_id.clone(),
            job_type: intent.job_type.clone(),
            item_ids: intent.item_ids().map(str::to_owned).collect(),
            job_config: serde_json::Value::Null,
            directory_id: None,
            job_id: None,
            before: intent.items.first().and_then(|item| item.before.clone()),
        };
        let intent_id = intent.intent_id.clone();
        let others = move |connection: &_| {
            let mut others = intent::owned_batches(connection)?;
            others.extend(batch::known_before(connection, &intent_id)?);
            Ok(others)
        };
        let others = self.ledger.read(others).await?;
        let mut found = project.source.find_batches(&request, posted, &others).await?;
        if intent.error.is_none() && earlier.is_none() {
            // Its POST was answered clearly: whoever made another batch of these items since, it was not that POST, unless
            // LlamaCloud shows so.
            found.found.retain(|one| one.is_noted);
        }
        Ok(listing(found, now))
    }
}

fn listing(found: Candidates, at: Timestamp) -> Listing {
    let candidates = found.found.into_iter().map(|one| Candidate {
        created_at: one.batch.created_at,
        job_type: one.batch.job_type,
        total_items: one.batch.total_items.unwrap_or(0),
        ended: one.batch.status.is_terminal(),
        batch_id: one.batch.batch_id,
        item_ids: one.item_ids,
    });
    Listing { at, complete: found.complete, candidates: candidates.collect() }
}

fn take_up(tx: &Transaction<'_>, stored: &StoredIntent, now: Timestamp) -> Result<(), LedgerError> {
    let event = match stored.intent.state {
        IntentState::Planned => IntentEvent::Cancel,
        IntentState::Posting => IntentEvent::Restarted,
        _ => return Ok(()),
    };
    let after = next(&stored.intent, event)?;
    intent::keep(tx, &stored.intent_id, &after, Some("the program ended before an answer came"), now)?;
    if after.state.releases() { Ok(()) } else { attempt::begin(tx, stored, None) }
}

/// Draws the conclusion from what was found; says whether the intent is still of unclear outcome.
fn judge(
    tx: &Transaction<'_>,
    stored: StoredIntent,
    mut listing: Listing,
    now: Timestamp,
) -> Result<bool, LedgerError> {
    let posted = stored.intent.posting_at.unwrap_or(stored.created_at);
    let ids: BTreeSet<String> = stored.item_ids().map(str::to_owned).collect();
    if !stored.intent.state.needs_reconciliation() {
        // Beside a known batch, only one of exactly the same items does the work twice.
        listing.candidates.retain(|one| one.item_ids.as_ref() == Some(&ids));
    }
    let is_clean = listing.is_clean(&stored.job_type, &ids);
    // Earlier clean listings are kept as a number: they showed nothing, so nothing of them is needed.
    // All of them were made after the POST, whatever the clock said.
    let first = stored.clean_since.unwrap_or(posted).max(posted + SignedDuration::from_millis(1));
    let earlier = Listing { at: first, complete: true, candidates: Vec::new() };
    let mut listings = vec![earlier; usize::try_from(stored.clean_listings.min(4)).unwrap_or(0)];
    listings.push(listing);
    let verdict = reconcile(&stored.job_type, &ids, posted, now, &listings);
    let clean = if is_clean { stored.clean_listings.saturating_add(1) } else { 0 };
    intent::looked(tx, &stored.intent_id, clean, now)?;
    if stored.intent.state.needs_reconciliation() {
        let still_unclear = matches!(verdict, Verdict::StillUnknown { .. });
        explain(tx, &stored, verdict, posted, now)?;
        return Ok(still_unclear);
    }
    let other = match verdict {
        Verdict::Adopt { batch_id } => Some(batch_id),
        Verdict::Duplicates { batch_ids } => batch_ids.into_iter().next(),
        Verdict::StillUnknown { .. } | Verdict::NotSubmitted => None,
    };
    other.map_or(Ok(()), |batch_id| twice(tx, &stored, batch_id, now))?;
    Ok(false)
}

/// What was found about an intent of unclear outcome.
fn explain(
    tx: &Transaction<'_>,
    stored: &StoredIntent,
    verdict: Verdict,
    posted: Timestamp,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let id = &stored.intent_id;
    let key = format!("retry:{id}");
    if let Verdict::StillUnknown { why } = &verdict {
        if now - posted > PATIENCE {
            let text = format!("it is not known whether retry {id} of {} items arrived: {why}", stored.items.len());
            fault::raise(tx, &key, &text, now)?;
        }
        return Ok(());
    }
    let after = next(&stored.intent, IntentEvent::Reconciled(verdict))?;
    intent::keep(tx, id, &after, None, now)?;
    fault::clear(tx, &key, now)?;
    match after.state.batch_ids().first() {
        Some(batch_id) => {
            batch::expect(tx, &stored.project, batch_id, &stored.job_type, stored.items.len(), now.as_millisecond())?;
            attempt::adopt(tx, id, batch_id)?;
        }
        None => attempt::withdraw(tx, id)?,
    }
    if let IntentState::Duplicate { batch_ids } = &after.state {
        tell_duplicate(tx, id, batch_ids, now)?;
    }
    note(tx, id, after.state.name(), now)
}

/// A second batch of the same items beside the one that is known.
fn twice(tx: &Transaction<'_>, stored: &StoredIntent, other: String, now: Timestamp) -> Result<(), LedgerError> {
    if matches!(stored.intent.state, IntentState::Duplicate { .. }) {
        return Ok(());
    }
    let after = next(&stored.intent, IntentEvent::Reconciled(Verdict::Adopt { batch_id: other }))?;
    intent::keep(tx, &stored.intent_id, &after, None, now)?;
    if stored.word == "finished" {
        intent::finish(tx, &stored.intent_id, now)?;
    }
    let batch_ids: Vec<String> = after.state.batch_ids().into_iter().map(str::to_owned).collect();
    tell_duplicate(tx, &stored.intent_id, &batch_ids, now)?;
    note(tx, &stored.intent_id, after.state.name(), now)
}

fn tell_duplicate(tx: &Transaction<'_>, id: &str, batch_ids: &[String], now: Timestamp) -> Result<(), LedgerError> {
    let sent = match abandoned::before(tx, id)? {
        None => "one POST was sent, LlamaCloud may bill each".to_owned(),
        Some(earlier) => format!(
            "its items were sent before by retry {earlier}, which was given up before LlamaCloud showed its batch; \
             LlamaCloud may bill each POST"
        ),
    };
    let text = format!("retry {id} was carried out {} times ({}): {sent}", batch_ids.len(), batch_ids.join(", "));
    fault::raise(tx, &format!("duplicate:{id}"), &text, now)
}

fn note(tx: &Transaction<'_>, intent_id: &str, state: &str, now: Timestamp) -> Result<(), LedgerError> {
    let detail = serde_json::json!({ "state": state }).to_string();
    let act =
        Act { actor: "auto:reconcile", action: "reconcile", subject: intent_id, reason: None, detail: Some(detail) };
    audit::record(tx, &act, now)?;
    Ok(())
}

fn next(intent: &Intent, event: IntentEvent) -> Result<Intent, LedgerError> {
    let after = intent.clone().after(event);
    after.map(|(after, _)| after).map_err(|error| LedgerError::Unreadable { what: "intent", value: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::{Seed, t};

    /// An intent of the item `x` that was posted at minute `n`.
    fn intent(seed: &Seed, n: i64, items_hash: &str, state: &str) {
        seed.run(
            "INSERT INTO intent (intent_id, project_key, job_type, trigger, actor, state, job_config, parameters_hash, items_hash,
                 items, item_count, created_at, posting_at, batch_id)
             VALUES ('i' || ?1, 1, 'parse', 'auto', 'auto', ?2, '{}', '', ?3, '[{\"item_id\": \"x\", \"attempts\": 0}]', 1,
                 ?4, ?4, CASE ?2 WHEN 'finished' THEN 'own' || ?1 END)",
            (n, state, items_hash, t(n).as_millisecond()),
        );
    }

    #[test]
    fn what_was_there_before_a_post_does_not_hang_on_clocks() {
        let mut seed = Seed::new();
        seed.batch("older", "completed");
        intent(&seed, 50, "same", "planned");
        let posting = Intent { state: IntentState::Posting, posting_at: Some(t(50)) };
        seed.write(|tx| intent::keep(tx, "i50", &posting, None, t(50))).unwrap();
        // The clock is set back, and the batch of the POST is seen before the time at which it was sent.
        seed.batch("ours", "running");
        seed.run("UPDATE batch SET first_seen = ?1", [t(40).as_millisecond()]);
        let unknown = Intent { state: IntentState::Unknown, ..posting };
        seed.write(|tx| intent::keep(tx, "i50", &unknown, None, t(41))).unwrap();
        let known = batch::known_before(&seed.connection, "i50").unwrap();
        assert_eq!(known.into_iter().collect::<Vec<_>>(), ["older"]);
    }

    #[test]
    fn what_a_person_gave_up_is_doubtful_like_what_the_service_gave_up() {
        let seed = Seed::new();
        intent(&seed, 1, "same", "finished");
        intent(&seed, 2, "same", "finished");
        let doubtful = || {
            let found = abandoned::finished_after(&seed.connection, t(0)).unwrap();
            found.into_iter().map(|(later, earlier)| (later.intent_id, earlier.intent_id)).collect::<Vec<_>>()
        };
        assert_eq!(doubtful(), [], "it has its batch");
        seed.run("UPDATE intent SET batch_id = NULL WHERE intent_id = 'i1'", ());
        assert_eq!(doubtful(), [("i2".to_owned(), "i1".to_owned())]);
        seed.run("UPDATE intent SET batch_id = NULL", ());
        assert_eq!(doubtful(), [], "a given-up retry is not looked for");
    }

    fn told(seed: &Seed, id: &str) -> String {
        seed.text("SELECT coalesce(max(text), '') FROM worker_fault WHERE fault = 'duplicate:' || ?1", id)
    }

    #[test]
    fn a_batch_that_shows_up_after_its_intent_was_given_up_is_told_as_what_it_is() {
        let mut seed = Seed::new();
        intent(&seed, 1, "same", "not_submitted");
        intent(&seed, 2, "other", "finished");
        intent(&seed, 3, "same", "finished");
        let doubtful = |seed: &Seed, since| abandoned::finished_after(&seed.connection, t(since)).unwrap();
        assert!(doubtful(&seed, 4).is_empty(), "after a day it is not looked for any more");
        let [(later, earlier)] = <[_; 1]>::try_from(doubtful(&seed, 0)).unwrap();
        assert_eq!(earlier.intent_id, "i1");
        let late = Candidate {
            created_at: None,
            job_type: "parse".to_owned(),
            total_items: 1,
            ended: true,
            batch_id: "late".to_owned(),
            item_ids: Some(BTreeSet::from(["x".to_owned()])),
        };
        let listing = Listing { at: t(90), complete: true, candidates: vec![late] };
        seed.write(|tx| judge(tx, later, listing, t(90))).unwrap();
        let text = told(&seed, "i3");
        assert!(text.contains("(own3, late): its items were sent before by retry i1, which was given up"), "{text}");
        assert_eq!(seed.text("SELECT state FROM intent WHERE intent_id = ?1", "i3"), "finished");
        assert!(doubtful(&seed, 0).is_empty(), "it is reported once");
        seed.write(|tx| tell_duplicate(tx, "i2", &["a".to_owned(), "b".to_owned()], t(91))).unwrap();
        assert!(told(&seed, "i2").ends_with("one POST was sent, LlamaCloud may bill each"));
    }
}
