//! One chunk, one intent, one POST.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::classify::rules::decide::FailureFacts;
use crate::ledger::audit::{self, Act};
use crate::ledger::error::LedgerError;
use crate::ledger::{Connection, Transaction, fault};
use crate::llamacloud::Cloud;
use crate::llamacloud::error::{CloudError, CreateError};
use crate::llamacloud::resubmit::{Known, Look, Resubmission};
use crate::model::batch_api::BatchApi;
use crate::model::class::Class;
use crate::reprocess::Reprocess;
use crate::reprocess::account::stop_account;
use crate::reprocess::plans::plan_result::{Reasons, cancelled_by, leave_out};
use crate::reprocess::policy::item::{Item, THROTTLED_WAIT};
use crate::reprocess::policy::plan::Chunk;
use crate::reprocess::protocol::intent::{IntentState, Refusal, Refusals, meaning};
use crate::reprocess::protocol::job_config::JobConfig;
use crate::reprocess::store::intent::{self, Intent, IntentItem};
use crate::reprocess::store::plan::{self, StoredPlan};
use crate::reprocess::store::{account, attempt};
use crate::scan::source::Watched;
use crate::scan::store::batch;

/// Why no other chunk is posted.
pub(crate) enum Halt {
    /// The process is to stop.
    Stop,
    /// Items that were not posted are left out for this.
    Because(String),
}

/// What one POST came to.
enum PostEnd {
    /// A batch.
    Made,
    /// There was nothing left to post.
    Gone,
    /// Nothing that is known yet: it did not leave, or its answer was unclear.
    Nothing,
    /// A refusal, of this intent.
    Refused(String, Refusal),
}

/// What a refusal of the account is about.
struct Stopped {
    projects: Vec<String>,
    /// What the API was asked with, if it refused the key: that does not concern other projects.
    refused_access: Option<String>,
}

impl Reprocess<'_> {
    /// Posts the chunks of one project, of a plan that a person approved or chosen by the service, and blames documents or parameters
    /// for refusals. Says why not all were posted, if so.
    ///
    /// # Errors
    /// The ledger refuses; an intent whose POST was begun is then of unclear outcome.
    pub(crate) async fn post_chunks(
        &mut self,
        chunks: Vec<Chunk>,
        items: &[Item],
        plan: Option<&StoredPlan>,
        reasons: &mut Reasons,
    ) -> anyhow::Result<Option<Halt>> {
        let mut refusals: BTreeMap<(String, String), Refusals> = BTreeMap::new();
        let mut halt = None;
        for chunk in chunks {
            if halt.is_none() {
                halt = self.halts(plan).await?;
            }
            match &halt {
                Some(Halt::Stop) => break,
                Some(Halt::Because(why)) => leave_out(reasons, chunk.item_ids, why),
                None => {
                    let shown = refusals.entry((chunk.group_id.clone(), chunk.config_hash.clone())).or_default();
                    if !self.post(chunk, items, plan, shown).await? {
                        let error = self.summary.errors.last().map_or("the API refused", String::as_str);
                        halt = Some(Halt::Because(format!("nothing was sent after this answer: {error}")));
                    }
                }
            }
        }
        let blame = move |tx: &Transaction<'_>| {
            for (documents, parameters) in refusals.into_values().map(Refusals::blame) {
                documents.iter().try_for_each(|intent_id| intent::refuse_item(tx, intent_id))?;
                parameters.iter().try_for_each(|intent_id| intent::blame_parameters(tx, intent_id))?;
            }
            Ok(())
        };
        self.ledger.write(blame).await?;
        Ok(halt)
    }

    /// Whether nothing more may be posted: the process is to stop, or a person cancelled the rest of the plan.
    async fn halts(&self, plan: Option<&StoredPlan>) -> Result<Option<Halt>, LedgerError> {
        if self.stop.is_cancelled() {
            return Ok(Some(Halt::Stop));
        }
        let Some(id) = plan.map(|plan| plan.plan_id.clone()) else { return Ok(None) };
        let stored = self.ledger.read(move |connection| plan::get(connection, &id)).await?;
        Ok(stored.and_then(|stored| stored.cancelled_by).map(|by| Halt::Because(cancelled_by(&by))))
    }

    /// Posts a chunk, and its halves if the API refuses it for an item of it. Whether another chunk of the project may follow:
    /// an API that does not answer one request is not sent the next one in this run.
    async fn post(
        &mut self,
        chunk: Chunk,
        items: &[Item],
        plan: Option<&StoredPlan>,
        shown: &mut Refusals,
    ) -> anyhow::Result<bool> {
        let mut waiting = vec![chunk];
        while let Some(chunk) = waiting.pop() {
            if shown.is_hopeless() {
                break;
            }
            match self.post_once(&chunk, items, plan).await? {
                PostEnd::Made => shown.accept(),
                PostEnd::Gone | PostEnd::Refused(_, Refusal::Item) => {}
                PostEnd::Refused(intent_id, Refusal::Request) => match chunk.item_ids.as_slice() {
                    [] | [_] => shown.suspect(intent_id),
                    // One bad id must not doom the rest.
                    many => {
                        let (left, right) = many.split_at(many.len() / 2);
                        waiting.extend([part(&chunk, right), part(&chunk, left)]);
                    }
                },
                PostEnd::Nothing | PostEnd::Refused(_, Refusal::Account | Refusal::Throttled) => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn post_once(&mut self, chunk: &Chunk, items: &[Item], plan: Option<&StoredPlan>) -> anyhow::Result<PostEnd> {
        let Some(watched) = self.project(&chunk.project) else { return Ok(PostEnd::Nothing) };
        let Some(item) = chunk.item_ids.first().and_then(|id| items.iter().find(|item| item.item_id == *id)) else {
            return Ok(PostEnd::Gone);
        };
        let (Some(api), Ok(config)) = (item.api, &item.config) else { return Ok(PostEnd::Gone) };
        let mut intent = self.planned(chunk, items, plan, item, api);
        let mut request = Resubmission {
            api,
            intent_id: intent.intent_id.clone(),
            job_type: intent.job_type.clone(),
            item_ids: chunk.item_ids.clone(),
            job_config: config.body(chunk.second_try, &intent.intent_id),
            directory_id: item.directory_id.clone(),
            job_id: item.job_id.clone(),
            before: None,
        };
        // What a team wrote may hold secrets; the ledger gets what the allow-list lets through.
        let stored = JobConfig::learnt(&config.body(chunk.second_try, ""));
        let stored = stored.map_or_else(|_| "{}".to_owned(), |config| config.body(false, "").to_string());
        let (new, credits) = (intent.clone(), (chunk.unpriced == 0).then_some(chunk.credits));
        if !self.ledger.write(move |tx| intent::begin(tx, &new, &stored, credits)).await? {
            self.summary.errors.push(format!("items of {} were claimed by another intent meanwhile", chunk.group_id));
            return Ok(PostEnd::Gone);
        }
        let known = self.known(&request, &watched.name).await?;
        let look = watched.source.list_prior_jobs(&request, &known, self.by_now()).await;
        let now = self.by_now();
        if let Ok(look) = &look {
            self.report_notes(watched, look).await?;
            if let Some(made) = &look.made {
                request.item_ids.iter().for_each(|id| watched.source.remember(&made.job_id, &request.job_type, id));
                self.take_over(intent, made).await?;
                return Ok(PostEnd::Gone);
            }
            if let Some(batch_id) = &look.doubtful {
                let why = format!("batch {batch_id} is new and may have the same items: they wait for the next scan");
                self.summary.errors.push(why.clone());
                let cancelled = Intent { state: IntentState::Cancelled, error: Some(why), ..intent };
                self.ledger.write(move |tx| intent::keep(tx, &cancelled, now)).await?;
                return Ok(PostEnd::Nothing);
            }
            request.before = look.before.clone();
        }
        (intent.state, intent.posting_at) = (IntentState::Posting, Some(now));
        if !self.keep_posting(&intent, &request).await? {
            return Ok(PostEnd::Gone);
        }
        // From here to the answer on disk nothing may run twice: a crash leaves `posting`, which is never posted again.
        let answered = match look {
            Ok(_) => watched.source.create_batch(&request).await,
            Err(error) => Err(CreateError::NotSent(error)),
        };
        let out_of_credits =
            matches!(answered, Err(CreateError::Rejected { status: 402, .. })) || self.blames_account(&answered);
        let (state, mut refusal) = meaning_of(&answered, chunk.item_ids.len());
        let mut stopped =
            Stopped { projects: vec![watched.name.clone()], refused_access: Some(watched.source.access_mark()) };
        if out_of_credits {
            refusal = Some(Refusal::Account);
            stopped = Stopped { projects: self.projects_of_account(&watched.name), refused_access: None };
        }
        let end = match (refusal, state) {
            (Some(refusal), _) => PostEnd::Refused(intent.intent_id.clone(), refusal),
            (None, IntentState::Submitted) => PostEnd::Made,
            (None, _) => PostEnd::Nothing,
        };
        (intent.state, intent.error) = (state, answered.as_ref().err().map(ToString::to_string));
        let wait_until = match &answered {
            Err(CreateError::Rejected { retry_after: Some(wait), .. }) => {
                SignedDuration::try_from(*wait).ok().and_then(|wait| now.checked_add(wait).ok())
            }
            _ => None,
        };
        intent.batch_ids.extend(answered.ok());
        self.record(intent, refusal, stopped, wait_until, now).await?;
        Ok(end)
    }

    /// What the ledger knows of the items of a request.
    async fn known(&self, request: &Resubmission, project: &str) -> Result<Known, LedgerError> {
        let (project, item_ids, now) = (project.to_owned(), request.item_ids.clone(), self.now);
        let known = move |connection: &Connection| {
            let failed_at = intent::failed_at(connection, &item_ids)?.unwrap_or(now);
            Ok(Known { failed_at, batches: batch::all_of(connection, &project)? })
        };
        self.ledger.read(known).await
    }

    /// Reports a problem where it cannot be seen what other copies of the ledger sent.
    async fn report_notes(&self, watched: &Watched<Cloud>, look: &Look) -> Result<(), LedgerError> {
        let Some(shows_notes) = look.shows_notes else { return Ok(()) };
        let (key, now) = (format!("notes:{}", watched.name), self.now);
        let text = format!(
            "LlamaCloud's job list of project {} does not show the notes of retries: a retry that another copy of this ledger submitted cannot be recognized and may be submitted again; run one copy only",
            watched.name
        );
        let report = move |tx: &Transaction<'_>| match shows_notes {
            true => fault::clear(tx, &key, now),
            false => fault::raise(tx, &key, &text, now),
        };
        self.ledger.write(report).await
    }

    /// The intent that a chunk becomes.
    fn planned(&self, chunk: &Chunk, items: &[Item], plan: Option<&StoredPlan>, first: &Item, api: BatchApi) -> Intent {
        let attempts = |id: &String| items.iter().find(|item| item.item_id == *id).map_or(0, Item::attempts);
        let item = |id: &String| IntentItem { item_id: id.clone(), attempts: attempts(id), before: None };
        let by_rule = || format!("auto:{}", self.judge(&first.said, &first.job_type).rule.unwrap_or("no rule"));
        let by_plan = |plan: &StoredPlan| plan.applied_by.clone().unwrap_or_else(|| plan.actor.clone());
        let trigger = match chunk.probe {
            None => "manual",
            Some(true) => "canary",
            Some(false) => "auto",
        };
        Intent {
            plan_id: plan.map(|plan| plan.plan_id.clone()),
            trigger: trigger.to_owned(),
            actor: plan.map_or_else(by_rule, by_plan),
            reason: plan.and_then(|plan| plan.reason.clone()),
            items: chunk.item_ids.iter().map(item).collect(),
            ..Intent::planned(first, api, self.now)
        }
    }

    /// Keeps that an intent is being posted; false if a command beside the service has cancelled it in the meantime.
    async fn keep_posting(&self, intent: &Intent, request: &Resubmission) -> Result<bool, LedgerError> {
        let (intent, before, now) = (intent.clone(), request.before.clone(), self.by_now());
        let keep = move |tx: &Transaction<'_>| {
            let stored = intent::get(tx, &intent.intent_id)?;
            if stored.is_none_or(|stored| stored.state != IntentState::Planned) {
                return Ok(false);
            }
            intent::keep(tx, &intent, now)?;
            before.iter().try_for_each(|before| intent::note_before(tx, &intent.intent_id, before))?;
            Ok(true)
        };
        self.ledger.write(keep).await
    }

    /// Whether the API words a refusal of the request as a problem of the account, as when a spending limit is reached.
    fn blames_account(&self, answered: &Result<String, CreateError>) -> bool {
        let said = answered.as_ref().err().map_or("", CreateError::quoted_message);
        let facts = FailureFacts { message: said, ..FailureFacts::default() };
        !said.is_empty() && self.rules.classify(&facts).class == Class::Account
    }

    /// Writes what became of a POST, with all that follows.
    async fn record(
        &mut self,
        intent: Intent,
        refusal: Option<Refusal>,
        stopped: Stopped,
        wait_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.summary.errors.extend(intent.error.clone());
        match intent.state {
            IntentState::Submitted => self.summary.submitted += u32::try_from(intent.items.len()).unwrap_or(u32::MAX),
            IntentState::Unknown => self.summary.unknown += 1,
            _ => {}
        }
        let record = move |tx: &Transaction<'_>| {
            intent::keep(tx, &intent, now)?;
            match refusal {
                Some(Refusal::Account) => {
                    let (why, access) = (intent.error.as_deref(), stopped.refused_access.as_deref());
                    let why = why.unwrap_or("the API refused");
                    stopped.projects.iter().try_for_each(|project| stop_account(tx, project, why, access, now))?;
                }
                Some(Refusal::Throttled) => {
                    let usual = now.checked_add(THROTTLED_WAIT).unwrap_or(now);
                    account::wait(tx, &intent.project, wait_until.unwrap_or(usual), now)?;
                }
                Some(Refusal::Item) => intent::refuse_item(tx, &intent.intent_id)?,
                Some(Refusal::Request) | None => {}
            }
            if intent.state == IntentState::Submitted {
                account::took_request(tx, &intent.project)?;
            }
            if !intent.state.releases() {
                attempt::begin(tx, &intent, now)?;
            }
            if intent.state == IntentState::Rejected || !intent.state.releases() {
                audit_post(tx, &intent, now)?;
            }
            Ok(())
        };
        self.ledger.write(record).await
    }
}

/// Some of the items of a chunk.
fn part(chunk: &Chunk, item_ids: &[String]) -> Chunk {
    #[expect(clippy::cast_precision_loss, reason = "a chunk has at most a hundred items")]
    let share = item_ids.len() as f64 / chunk.item_ids.len().max(1) as f64;
    Chunk { item_ids: item_ids.to_vec(), credits: chunk.credits * share, ..chunk.clone() }
}

fn audit_post(tx: &Transaction<'_>, intent: &Intent, now: Timestamp) -> Result<(), LedgerError> {
    let batch_id = intent.batch_ids.first();
    let mut detail = serde_json::json!({ "items": intent.items.len(), "group": intent.group_id, "batch": batch_id });
    if let (None, Some(error)) = (batch_id, &intent.error) {
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

fn meaning_of(answered: &Result<String, CreateError>, items: usize) -> (IntentState, Option<Refusal>) {
    match answered {
        Ok(_) => (IntentState::Submitted, None),
        Err(CreateError::Rejected { status, .. }) => meaning(*status),
        // What the request needs of this item is not to be had; another item may be.
        Err(CreateError::NotSent(error)) if items == 1 && lacks_something(error) => {
            (IntentState::NotSent, Some(Refusal::Item))
        }
        Err(CreateError::NotSent(_)) => (IntentState::NotSent, None),
        Err(CreateError::Unclear { .. }) => (IntentState::Unknown, None),
    }
}

fn lacks_something(error: &CloudError) -> bool {
    error.is_not_found() || matches!(error, CloudError::Unsupported { .. })
}
