//! Retries that another copy of the ledger has sent, after a restore or from a cloned host: adopted, never sent again.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use ulid::Ulid;

use crate::ledger::audit::{self, Act};
use crate::ledger::error::LedgerError;
use crate::ledger::meta::{meta, set_meta};
use crate::ledger::{Transaction, fault};
use crate::llamacloud::Cloud;
use crate::llamacloud::error::CloudError;
use crate::llamacloud::resubmit::{Known, Look, Made, Resubmission};
use crate::model::batch_api::BatchApi;
use crate::model::item::ItemState;
use crate::reprocess::protocol::intent::{Intent, IntentEvent, IntentState};
use crate::reprocess::store::attempt;
use crate::reprocess::store::intent::{self, IntentItem, NewIntent};
use crate::reprocess::store::retriable::{Retriable, Which};
use crate::reprocess::{Reprocess, Summary};
use crate::scan::source::Watched;
use crate::scan::store::batch;

/// Until when the retries that v2's job list shows are known, by the API's clock; by project.
const SEEN: &str = "retries_seen:";

/// Where that is not known, the list is read from so long ago.
const FIRST_LOOK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A job may be shown so much later than it was made.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// What the look just before a POST came to.
pub(crate) enum PriorJobs {
    /// What there is.
    Read(Look),
    /// The API could not be asked: nothing is sent.
    Unread(CloudError),
}

impl Reprocess<'_> {
    /// Adopts what another copy of the ledger has sent since the list was last read. It is for reports: whether
    /// anything is sent is decided by a look just before each POST.
    ///
    /// A ledger that never retried anything is not checked: there is nothing that it could have been set back from, or
    /// that look finds it.
    ///
    /// # Errors
    /// The ledger refuses. Errors of the API are in the summary.
    pub(crate) async fn adopt(&self, now: Timestamp, summary: &mut Summary) -> anyhow::Result<()> {
        for watched in self.projects.iter().filter(|watched| watched.source.serves(BatchApi::V2)) {
            let project = watched.name.clone();
            let known = move |connection: &_| {
                let seen = meta(connection, &format!("{SEEN}{project}"))?.and_then(|at| at.parse::<Timestamp>().ok());
                let retries = !intent::newest(connection, 1)?.is_empty();
                Ok(retries.then_some((seen, batch::all_of(connection, &project)?)))
            };
            let Some((seen, batches)) = self.ledger.read(known).await? else { continue };
            let from = seen.map_or(now - FIRST_LOOK, |seen| seen - OVERLAP);
            match watched.source.unknown_retries(from, &batches).await {
                Ok((made, until)) => {
                    self.adopt_all(watched, made, now, summary).await?;
                    let key = format!("{SEEN}{}", watched.name);
                    let until = until.max(seen);
                    self.ledger
                        .write(move |tx| until.map_or(Ok(()), |until| set_meta(tx, &key, &until.to_string())))
                        .await?;
                }
                Err(error) => summary.errors.push(format!(
                    "could not look for retries of {} that another copy of this ledger sent: {error}",
                    watched.name
                )),
            }
        }
        Ok(())
    }

    async fn adopt_all(
        &self,
        watched: &Watched<Cloud>,
        made: Vec<(String, Made)>,
        now: Timestamp,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        let ids: HashSet<String> = made.iter().map(|(item_id, _)| item_id.clone()).collect();
        let rows = self.rows(Which::Items(ids.into_iter().collect())).await?;
        let configs = self.job_configs(&rows, now).await?;
        let open =
            |row: &Retriable| row.state == ItemState::Open && row.claimed_by.is_none() && row.project == watched.name;
        for (item_id, made) in made {
            let row = rows.iter().find(|row| row.item_id == item_id && open(row));
            // What was made before the newest failure has been answered by it.
            let Some(row) = row.filter(|row| made.created_at.is_none_or(|at| at > row.failed_at)) else { continue };
            // It was sent with the parameters that we would send, as far as anybody knows.
            let parameters = configs.of(row).map(|config| config.hash().to_owned());
            let new = foreign(row, Ulid::generate().to_string(), parameters);
            let intent_id = new.intent_id.clone();
            if self.ledger.write(move |tx| intent::begin(tx, &new, now)).await? {
                watched.source.remember(&made.job_id, &row.origin.job_type, &item_id);
                self.take_over(&intent_id, &made, now, summary).await?;
            }
        }
        Ok(())
    }

    /// What there is before the POST of a request. A problem is reported where it cannot be seen what other copies of the ledger sent.
    pub(crate) async fn list_prior_jobs(
        &self,
        watched: &Watched<Cloud>,
        request: &Resubmission,
        now: Timestamp,
    ) -> Result<PriorJobs, LedgerError> {
        let (project, item_ids) = (watched.name.clone(), request.item_ids.clone());
        let known = move |connection: &_| {
            let failed_at = intent::failed_at(connection, &item_ids)?.unwrap_or(now);
            Ok(Known { failed_at, batches: batch::all_of(connection, &project)? })
        };
        let known = self.ledger.read(known).await?;
        let look = match watched.source.list_prior_jobs(request, &known, self.by_now(now)).await {
            Ok(look) => look,
            Err(error) => return Ok(PriorJobs::Unread(error)),
        };
        if let Some(shows_notes) = look.shows_notes {
            let key = format!("notes:{}", watched.name);
            let text = format!(
                "LlamaCloud's job list of project {} does not show the notes of retries: a retry that another copy of this ledger submitted cannot be recognized and may be submitted again; run one copy only",
                watched.name
            );
            let tell = move |tx: &Transaction<'_>| match shows_notes {
                true => fault::clear(tx, &key, now),
                false => fault::raise(tx, &key, &text, now),
            };
            self.ledger.write(tell).await?;
        }
        Ok(PriorJobs::Read(look))
    }

    /// The work was submitted already, as a rule by another copy of the ledger: nothing is sent, and its outcome is followed.
    pub(crate) async fn take_over(
        &self,
        intent_id: &str,
        made: &Made,
        now: Timestamp,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        let (id, batch_id) = (intent_id.to_owned(), made.job_id.clone());
        let found = IntentEvent::Found { batch_id: batch_id.clone(), at: made.created_at.unwrap_or(now) };
        let (adopted, _) = Intent::default().after(found)?;
        let items = self
            .ledger
            .write(move |tx| {
                let planned = intent::get(tx, &id)?.filter(|stored| stored.intent.state == IntentState::Planned);
                if planned.is_none() {
                    return Ok(0);
                }
                intent::keep(tx, &id, &adopted, None, now)?;
                let Some(stored) = intent::get(tx, &id)? else { return Ok(0) };
                let items = stored.items.len();
                batch::expect(tx, &stored.project, &batch_id, &stored.job_type, items, now.as_millisecond())?;
                attempt::begin(tx, &stored, Some(&batch_id))?;
                let detail = serde_json::json!({ "items": items, "group": stored.group_id, "batch": batch_id });
                let act = Act {
                    actor: &stored.actor,
                    action: "adopt",
                    subject: &id,
                    reason: Some("submitted already by another copy of this ledger"),
                    detail: Some(detail.to_string()),
                };
                audit::record(tx, &act, now)?;
                Ok(items)
            })
            .await?;
        summary.adopted += u32::try_from(items).unwrap_or(u32::MAX);
        Ok(())
    }
}

/// An intent for a retry of an item of which only its job is known.
fn foreign(row: &Retriable, intent_id: String, parameters: Option<String>) -> NewIntent {
    let attempts = row.attempts.iter().filter(|tried| tried.counts && tried.in_episode).count();
    let item = IntentItem {
        item_id: row.item_id.clone(),
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        before: None,
    };
    NewIntent {
        intent_id,
        plan_id: None,
        project: row.project.clone(),
        api: BatchApi::V2,
        group_id: row.group_id.clone(),
        job_type: "parse".to_owned(),
        trigger: "auto",
        actor: "auto:adopt".to_owned(),
        reason: None,
        job_config: "{}".to_owned(),
        parameters_hash: parameters
            .or_else(|| row.attempts.last().map(|tried| tried.parameters_hash.clone()))
            .unwrap_or_default(),
        items: vec![item],
        credits: None,
    }
}
