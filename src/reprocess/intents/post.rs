//! One chunk, one intent, one POST.

use jiff::{SignedDuration, Timestamp};
use ulid::Ulid;

use crate::ledger::Transaction;
use crate::ledger::audit::{self, Act};
use crate::ledger::error::LedgerError;
use crate::llamacloud::error::{CloudError, CreateError};
use crate::llamacloud::resubmit::{Look, Resubmission};
use crate::reprocess::account::stop_account;
use crate::reprocess::intents::adopt::PriorJobs;
use crate::reprocess::intents::trials::Trials;
use crate::reprocess::order::Order;
use crate::reprocess::protocol::intent::{Intent, IntentEvent, IntentState};
use crate::reprocess::protocol::post::{AfterRefusal, PostAnswer, Refusal, after_refusal};
use crate::reprocess::store::intent::{self, NewIntent, StoredIntent};
use crate::reprocess::store::{account, attempt};
use crate::reprocess::{Reprocess, Summary};
use crate::scan::store::batch;

/// Whether another chunk of the project may be posted now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    GoOn,
    /// Not in this run.
    Rest,
}

/// What one POST came to.
#[derive(Debug)]
enum PostEnd {
    /// A batch.
    Made,
    /// There was nothing left to post.
    Gone,
    /// Nothing that is known yet: it did not leave, or its answer was unclear.
    Nothing,
    /// A refusal, of this intent.
    Refused(String, AfterRefusal),
}

/// What an account stop is about.
struct Stopped {
    projects: Vec<String>,
    /// What the API was asked with, if it refused the key: that does not concern other projects.
    refused_access: Option<String>,
}

impl Reprocess<'_> {
    /// Posts a chunk, and its halves if the API refuses it for an item of it. `trials` belong to one run.
    ///
    /// # Errors
    /// The ledger refuses; an intent whose POST was begun is then of unclear outcome.
    pub(crate) async fn post(
        &self,
        order: Order,
        trials: &mut Trials,
        now: Timestamp,
        summary: &mut Summary,
    ) -> anyhow::Result<Next> {
        let trial = trials.of(&order);
        let mut waiting = vec![order];
        while let Some(order) = waiting.pop() {
            if trial.is_hopeless() {
                break;
            }
            match self.post_once(&order, now, summary).await? {
                PostEnd::Made => trial.accept(),
                PostEnd::Gone => {}
                // An API that does not answer one request is not sent the next one in this run.
                PostEnd::Nothing => return Ok(Next::Rest),
                PostEnd::Refused(intent_id, follows) => match follows {
                    AfterRefusal::Split(left, right) => {
                        waiting.push(order.part(&right));
                        waiting.push(order.part(&left));
                    }
                    AfterRefusal::SuspectItem => trial.suspect(intent_id),
                    AfterRefusal::RefuseItem => {}
                    AfterRefusal::StopAccount | AfterRefusal::WaitUntil(_) => return Ok(Next::Rest),
                },
            }
        }
        Ok(Next::GoOn)
    }

    async fn post_once(&self, order: &Order, now: Timestamp, summary: &mut Summary) -> anyhow::Result<PostEnd> {
        let Some(watched) = self.project(&order.intent.project) else { return Ok(PostEnd::Nothing) };
        let intent_id = Ulid::generate().to_string();
        let request = Resubmission {
            api: order.intent.api,
            intent_id: intent_id.clone(),
            job_type: order.intent.job_type.clone(),
            item_ids: order.item_ids(),
            job_config: order.config.body(order.second_try, &intent_id),
            directory_id: order.directory_id.clone(),
            job_id: order.job_id.clone(),
            before: None,
        };
        let new = NewIntent { intent_id: intent_id.clone(), ..order.intent.clone() };
        if !self.ledger.write(move |tx| intent::begin(tx, &new, now)).await? {
            summary.errors.push(format!("items of {} were claimed by another intent meanwhile", order.intent.group_id));
            return Ok(PostEnd::Gone);
        }
        let look = self.list_prior_jobs(watched, &request, now).await?;
        let now = self.by_now(now);
        if let PriorJobs::Read(Look { made: Some(made), .. }) = &look {
            request.item_ids.iter().for_each(|id| watched.source.remember(&made.job_id, &request.job_type, id));
            self.take_over(&intent_id, made, now, summary).await?;
            return Ok(PostEnd::Gone);
        }
        if let PriorJobs::Read(Look { doubtful: Some(batch_id), .. }) = &look {
            let why = format!("batch {batch_id} is new and may have the same items: they wait for the next scan");
            let (cancelled, _) = Intent::default().after(IntentEvent::Cancel)?;
            let nothing = Stopped { projects: Vec::new(), refused_access: None };
            self.record(intent_id, cancelled, Some(why), None, nothing, now, summary).await?;
            return Ok(PostEnd::Nothing);
        }
        let (posting, _) = Intent::default().after(IntentEvent::Post { at: now })?;
        let (id, kept) = (intent_id.clone(), posting.clone());
        let noted = match &look {
            PriorJobs::Read(look) => look.before.clone(),
            PriorJobs::Unread(_) => None,
        };
        let planned = self
            .ledger
            .write(move |tx| {
                // A command beside the service may have cancelled it in the meantime.
                let planned = intent::get(tx, &id)?.is_some_and(|stored| stored.intent.state == IntentState::Planned);
                if planned {
                    intent::keep(tx, &id, &kept, None, now)?;
                    noted.map_or(Ok(()), |before| intent::note_before(tx, &id, &before))?;
                }
                Ok(planned)
            })
            .await?;
        if !planned {
            return Ok(PostEnd::Gone);
        }
        // From here to the answer on disk nothing may run twice: a crash leaves `posting`, which is never posted again.
        let answered = match look {
            PriorJobs::Read(Look { before, .. }) => {
                watched.source.create_batch(&Resubmission { before, ..request }).await
            }
            PriorJobs::Unread(error) => Err(CreateError::NotSent(error)),
        };
        let error = answered.as_ref().err().map(ToString::to_string);
        let (after, refusal) = posting.after(IntentEvent::Answered(meaning(&answered, now)))?;
        let out_of_credits =
            matches!(answered, Err(CreateError::Rejected { status: 402, .. })) || self.blames_account(&answered);
        let refusal = if out_of_credits { Some(Refusal::Account) } else { refusal };
        let mut follows = refusal.map(|refusal| after_refusal(refusal, &order.item_ids()));
        if let (Err(CreateError::NotSent(error)), [_]) = (&answered, order.intent.items.as_slice())
            && (error.is_not_found() || matches!(error, CloudError::Unsupported { .. }))
        {
            // What the request needs of this item is not to be had; another item may be.
            follows = Some(AfterRefusal::RefuseItem);
        }
        let made = matches!(after.state, IntentState::Submitted { .. });
        let stopped = if out_of_credits {
            Stopped { projects: self.projects_of_account(&watched.name), refused_access: None }
        } else {
            Stopped { projects: vec![watched.name.clone()], refused_access: Some(watched.source.access_mark()) }
        };
        self.record(intent_id.clone(), after, error, follows.clone(), stopped, now, summary).await?;
        Ok(match follows {
            Some(follows) => PostEnd::Refused(intent_id, follows),
            None if made => PostEnd::Made,
            None => PostEnd::Nothing,
        })
    }

    /// Writes what became of a POST, with all that follows; `stopped` is what an account stop is about.
    #[expect(clippy::too_many_arguments, reason = "all that one answer means, used in one place")]
    async fn record(
        &self,
        intent_id: String,
        after: Intent,
        error: Option<String>,
        follows: Option<AfterRefusal>,
        stopped: Stopped,
        now: Timestamp,
        summary: &mut Summary,
    ) -> Result<(), LedgerError> {
        if let Some(error) = &error {
            summary.errors.push(error.clone());
        }
        let limits = crate::reprocess::facts::limits(self.config);
        let (submitted, unknown) = self
            .ledger
            .write(move |tx| {
                intent::keep(tx, &intent_id, &after, error.as_deref(), now)?;
                let Some(stored) = intent::get(tx, &intent_id)? else { return Ok((0, 0)) };
                let items = u32::try_from(stored.items.len()).unwrap_or(u32::MAX);
                match &follows {
                    Some(AfterRefusal::StopAccount) => {
                        let why = stored.error.as_deref().unwrap_or("the API refused");
                        let access = stopped.refused_access.as_deref();
                        stopped.projects.iter().try_for_each(|project| stop_account(tx, project, why, access, now))?;
                    }
                    Some(AfterRefusal::RefuseItem) => intent::refuse_item(tx, &intent_id)?,
                    Some(AfterRefusal::WaitUntil(until)) => {
                        let usual = now.checked_add(limits.throttled_wait).unwrap_or(now);
                        account::wait(tx, &stored.project, until.unwrap_or(usual), now)?;
                    }
                    _ => {}
                }
                if after.state == IntentState::Rejected {
                    audit_post(tx, &stored, None, now)?;
                }
                if after.state.releases() {
                    return Ok((0, 0));
                }
                let batch_id = after.state.batch_ids().first().map(|id| (*id).to_owned());
                if let Some(batch_id) = &batch_id {
                    account::took_request(tx, &stored.project)?;
                    let at = now.as_millisecond();
                    batch::expect(tx, &stored.project, batch_id, &stored.job_type, stored.items.len(), at)?;
                }
                attempt::begin(tx, &stored, batch_id.as_deref())?;
                audit_post(tx, &stored, batch_id.as_deref(), now)?;
                Ok(if batch_id.is_some() { (items, 0) } else { (0, 1) })
            })
            .await?;
        summary.submitted += submitted;
        summary.unknown += unknown;
        Ok(())
    }
}

fn audit_post(
    tx: &Transaction<'_>,
    intent: &StoredIntent,
    batch_id: Option<&str>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let mut detail = serde_json::json!({ "items": intent.items.len(), "group": intent.group_id, "batch": batch_id });
    if batch_id.is_none()
        && let Some(error) = &intent.error
    {
        // Refused, or of unclear outcome: the answer says which.
        detail["answer"] = serde_json::json!(error);
    }
    let act = Act {
        actor: &intent.actor,
        action: "reprocess",
        subject: &intent.intent_id,
        reason: intent.reason.as_deref(),
        detail: Some(detail.to_string()),
    };
    audit::record(tx, &act, now)?;
    Ok(())
}

fn meaning(answered: &Result<String, CreateError>, now: Timestamp) -> PostAnswer {
    match answered {
        Ok(batch_id) => PostAnswer::Accepted { batch_id: batch_id.clone() },
        Err(CreateError::Rejected { status, retry_after, .. }) => {
            let wait = retry_after.and_then(|wait| SignedDuration::try_from(wait).ok());
            let retry_after = wait.and_then(|wait| now.checked_add(wait).ok());
            PostAnswer::Status { status: *status, retry_after }
        }
        Err(CreateError::NotSent(_)) => PostAnswer::NotConnected,
        Err(CreateError::Unclear { .. }) => PostAnswer::Lost,
    }
}
