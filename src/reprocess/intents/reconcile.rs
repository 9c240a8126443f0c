//! Finds the batches of POSTs whose answer never came, and batches that were made twice of one POST. Nothing is ever sent again.

use jiff::{SignedDuration, Timestamp};

use crate::ledger::audit::{self, Act};
use crate::ledger::error::LedgerError;
use crate::ledger::{Connection, Transaction, fault};
use crate::llamacloud::resubmit::Resubmission;
use crate::model::batch_api::BatchApi;
use crate::model::candidates::Candidates;
use crate::reprocess::Reprocess;
use crate::reprocess::protocol::intent::IntentState;
use crate::reprocess::protocol::reconcile::{Sought, Verdict};
use crate::reprocess::store::attempt;
use crate::reprocess::store::intent::{self, Intent};
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
    pub(crate) async fn recover(&self) -> Result<(), LedgerError> {
        let now = self.now;
        let recover = move |tx: &Transaction<'_>| {
            for mut intent in intent::unsettled(tx)? {
                intent.state = match intent.state {
                    IntentState::Planned => IntentState::Cancelled,
                    IntentState::Posting => IntentState::Unknown,
                    _ => continue,
                };
                intent.error = Some("the program ended before an answer came".to_owned());
                intent::keep(tx, &intent, now)?;
                if intent.state == IntentState::Unknown {
                    attempt::begin(tx, &intent, now)?;
                }
            }
            Ok(())
        };
        self.ledger.write(recover).await
    }

    /// Whether an intent is of unclear outcome that was not looked for in the last two minutes.
    pub(crate) async fn is_unclear_for_long(&self) -> Result<bool, LedgerError> {
        let unsettled = self.ledger.read(intent::unsettled).await?;
        let mut unclear = unsettled.iter().filter(|intent| intent.state == IntentState::Unknown);
        Ok(unclear.any(|intent| intent.checked_at.or(intent.posting_at).is_none_or(|at| self.now - at >= LOOK_AGAIN)))
    }

    /// Adopts what others sent; looks for the batches of intents of unclear outcome, and for second batches of the others where one may
    /// have shown up.
    pub(crate) async fn reconcile(&mut self) -> anyhow::Result<()> {
        self.adopt().await?;
        let since = self.now - GIVEN_UP_FOR;
        let unsettled = self.ledger.read(intent::unsettled).await?.into_iter().map(|intent| (intent, None));
        let doubtful = self.ledger.read(move |connection| intent::after_given_up(connection, since)).await?;
        let doubtful = doubtful.into_iter().map(|(later, earlier)| (later, Some(earlier)));
        for (intent, earlier) in unsettled.chain(doubtful) {
            if self.stop.is_cancelled() || !self.is_looked_for(&intent, earlier.is_some()).await? {
                continue;
            }
            let listing = self.look(&intent, earlier.as_ref()).await.unwrap_or_else(|error| {
                let text = format!("could not look for the batch of intent {}: {error}", intent.intent_id);
                self.summary.errors.push(text);
                Candidates { found: Vec::new(), complete: false }
            });
            let now = self.now;
            let still_unclear = self.ledger.write(move |tx| conclude(tx, intent, listing, now)).await?;
            self.summary.unknown += u32::from(still_unclear);
        }
        Ok(())
    }

    /// Whether batches are to be listed now for an intent; `doubtful` is one whose items a retry that was given up has sent before.
    async fn is_looked_for(&self, intent: &Intent, doubtful: bool) -> Result<bool, LedgerError> {
        if self.project(&intent.project).is_none() {
            return Ok(false);
        }
        // The job list of v2 never shows the jobs of retries, so nothing says when to look for one.
        let is_late = |at: Timestamp| doubtful && self.now - at >= LOOK_FOR_LATE;
        let is_unseen = intent.api == BatchApi::V2 && intent.checked_at.is_none_or(is_late);
        if is_unseen || intent.state == IntentState::Unknown || intent.batch_ids.len() > 1 {
            return Ok(is_unseen || intent.state == IntentState::Unknown);
        }
        // A batch may have shown up that does its work a second time.
        let (since, items) = (intent.sent_at().as_millisecond(), intent.items.len());
        let (project, job_type) = (intent.project.clone(), intent.job_type.clone());
        self.ledger.read(move |connection| batch::has_double(connection, &project, &job_type, items, since)).await
    }

    /// Lists what may be the batch of an intent, or of the `earlier` one of the same items that was given up.
    async fn look(&self, intent: &Intent, earlier: Option<&Intent>) -> anyhow::Result<Candidates> {
        let sent = earlier.unwrap_or(intent);
        let Some(watched) = self.project(&intent.project) else {
            anyhow::bail!("project {} is no longer in the configuration", intent.project);
        };
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
        let others = move |connection: &Connection| {
            let mut others = intent::owned_batches(connection)?;
            others.extend(batch::known_before(connection, &intent_id)?);
            Ok(others)
        };
        let others = self.ledger.read(others).await?;
        let mut listing = watched.source.find_batches(&request, sent.sent_at(), &others).await?;
        if intent.error.is_none() && earlier.is_none() {
            // Its POST was answered clearly: whoever made another batch of these items since, it was not that POST, unless
            // LlamaCloud shows so.
            listing.found.retain(|one| one.is_noted);
        }
        Ok(listing)
    }
}

/// Draws the conclusion from what was found; says whether the intent is still of unclear outcome.
fn conclude(
    tx: &Transaction<'_>,
    intent: Intent,
    mut listing: Candidates,
    now: Timestamp,
) -> Result<bool, LedgerError> {
    let sought = Sought {
        job_type: intent.job_type.clone(),
        item_ids: intent.item_ids().map(str::to_owned).collect(),
        posted: intent.sent_at(),
        clean_since: intent.clean_since,
    };
    let is_unknown = intent.state == IntentState::Unknown;
    if !is_unknown {
        // Beside a known batch, only one of exactly the same items does the work twice.
        listing.found.retain(|one| one.item_ids.as_ref() == Some(&sought.item_ids));
    }
    intent::looked(tx, &intent.intent_id, sought.is_clean(&listing), now)?;
    match sought.judge(&listing, now) {
        Verdict::StillUnknown(why) if is_unknown => {
            if now - sought.posted > PATIENCE {
                let (id, items) = (&intent.intent_id, intent.items.len());
                let text = format!("it is not known whether retry {id} of {items} items arrived: {why}");
                fault::raise(tx, &format!("retry:{id}"), &text, now)?;
            }
            return Ok(true);
        }
        Verdict::NotSubmitted if is_unknown => {
            attempt::withdraw(tx, &intent.intent_id)?;
            settle(tx, &Intent { state: IntentState::NotSubmitted, ..intent }, now)?;
        }
        Verdict::Batches(batch_ids) if is_unknown => {
            let intent = Intent { state: IntentState::Submitted, batch_ids, ..intent };
            attempt::adopt(tx, &intent, now)?;
            settle(tx, &intent, now)?;
        }
        // A second batch of the same items beside the one that is known.
        Verdict::Batches(others) if intent.batch_ids.len() == 1 => {
            let batch_ids = intent.batch_ids.iter().cloned().chain(others.into_iter().take(1)).collect();
            settle(tx, &Intent { batch_ids, ..intent }, now)?;
        }
        _ => {}
    }
    Ok(false)
}

/// Keeps what was found out about an intent; that its work was done more than once is reported.
fn settle(tx: &Transaction<'_>, intent: &Intent, now: Timestamp) -> Result<(), LedgerError> {
    let id = &intent.intent_id;
    intent::keep(tx, &Intent { error: None, ..intent.clone() }, now)?;
    fault::clear(tx, &format!("retry:{id}"), now)?;
    let found = match intent.batch_ids.len() {
        0 => "not_submitted",
        1 => "adopted",
        _ => {
            report_duplicate(tx, id, &intent.batch_ids, now)?;
            "duplicate"
        }
    };
    let detail = Some(serde_json::json!({ "state": found }).to_string());
    let act = Act { actor: "auto:reconcile", action: "reconcile", subject: id, reason: None, detail };
    audit::record(tx, &act, now)?;
    Ok(())
}

fn report_duplicate(tx: &Transaction<'_>, id: &str, batch_ids: &[String], now: Timestamp) -> Result<(), LedgerError> {
    let sent = match intent::given_up_before(tx, id)? {
        None => "one POST was sent, LlamaCloud may bill each".to_owned(),
        Some(earlier) => format!(
            "its items were sent before by retry {}, which was given up before LlamaCloud showed its batch; \
             LlamaCloud may bill each POST",
            earlier.intent_id
        ),
    };
    let text = format!("retry {id} was carried out {} times ({}): {sent}", batch_ids.len(), batch_ids.join(", "));
    fault::raise(tx, &format!("duplicate:{id}"), &text, now)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ledger::tests::seed::{Seed, t};
    use crate::model::batch::{Batch, BatchStatus};
    use crate::model::candidates::Candidate;

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

    fn stored(seed: &Seed, id: &str, change: impl Fn(&mut Intent)) -> Intent {
        let mut intent = intent::get(&seed.connection, id).unwrap().unwrap();
        change(&mut intent);
        intent
    }

    #[test]
    fn what_was_there_before_a_post_does_not_hang_on_clocks() {
        let mut seed = Seed::new();
        seed.batch("older", "completed");
        intent(&seed, 50, "same", "planned");
        let posting = stored(&seed, "i50", |intent| {
            (intent.state, intent.posting_at) = (IntentState::Posting, Some(t(50)));
        });
        seed.write(|tx| intent::keep(tx, &posting, t(50))).unwrap();
        // The clock is set back, and the batch of the POST is seen before the time at which it was sent.
        seed.batch("ours", "running");
        seed.run("UPDATE batch SET first_seen = ?1", [t(40).as_millisecond()]);
        let unknown = Intent { state: IntentState::Unknown, ..posting };
        seed.write(|tx| intent::keep(tx, &unknown, t(41))).unwrap();
        let known = batch::known_before(&seed.connection, "i50").unwrap();
        assert_eq!(known.into_iter().collect::<Vec<_>>(), ["older"]);
    }

    #[test]
    fn what_a_person_gave_up_is_doubtful_like_what_the_service_gave_up() {
        let seed = Seed::new();
        intent(&seed, 1, "same", "finished");
        intent(&seed, 2, "same", "finished");
        let doubtful = || {
            let found = intent::after_given_up(&seed.connection, t(0)).unwrap();
            found.into_iter().map(|(later, earlier)| (later.intent_id, earlier.intent_id)).collect::<Vec<_>>()
        };
        assert_eq!(doubtful(), [], "it has its batch");
        seed.run("UPDATE intent SET batch_id = NULL WHERE intent_id = 'i1'", ());
        assert_eq!(doubtful(), [("i2".to_owned(), "i1".to_owned())]);
        seed.run("UPDATE intent SET batch_id = NULL", ());
        assert_eq!(doubtful(), [], "a given-up retry is not looked for");
    }

    /// A batch of the item `x` that has ended.
    fn late() -> Candidate {
        let batch = Batch {
            batch_id: "late".to_owned(),
            project_id: None,
            directory_id: None,
            job_type: "parse".to_owned(),
            status: BatchStatus::Completed,
            total_items: Some(1),
            processed_items: None,
            failed_items: None,
            skipped_items: None,
            error_message: None,
            created_at: None,
            updated_at: None,
            started_at: None,
            completed_at: None,
        };
        Candidate { batch, item_ids: Some(BTreeSet::from(["x".to_owned()])), is_noted: false }
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
        let doubtful = |seed: &Seed, since| intent::after_given_up(&seed.connection, t(since)).unwrap();
        assert!(doubtful(&seed, 4).is_empty(), "after a day it is not looked for any more");
        let [(later, earlier)] = <[_; 1]>::try_from(doubtful(&seed, 0)).unwrap();
        assert_eq!(earlier.intent_id, "i1");
        let listing = Candidates { found: vec![late()], complete: true };
        seed.write(|tx| conclude(tx, later, listing, t(90))).unwrap();
        let text = told(&seed, "i3");
        assert!(text.contains("(own3, late): its items were sent before by retry i1, which was given up"), "{text}");
        assert_eq!(seed.text("SELECT state FROM intent WHERE intent_id = ?1", "i3"), "finished");
        assert!(doubtful(&seed, 0).is_empty(), "it is reported once");
        seed.write(|tx| report_duplicate(tx, "i2", &["a".to_owned(), "b".to_owned()], t(91))).unwrap();
        assert!(told(&seed, "i2").ends_with("one POST was sent, LlamaCloud may bill each"));
    }
}
