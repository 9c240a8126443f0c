//! Retries that another copy of the ledger has sent, after a restore or from a cloned host: adopted, never sent again.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use crate::ledger::audit::{self, Act};
use crate::ledger::meta::{meta, set_meta};
use crate::ledger::{Connection, Transaction};
use crate::llamacloud::Cloud;
use crate::llamacloud::resubmit::Made;
use crate::model::batch_api::BatchApi;
use crate::model::item::ItemState;
use crate::reprocess::Reprocess;
use crate::reprocess::policy::item::Item;
use crate::reprocess::protocol::intent::IntentState;
use crate::reprocess::store::attempt;
use crate::reprocess::store::intent::{self, Intent, IntentItem};
use crate::reprocess::store::items::Which;
use crate::scan::source::Watched;
use crate::scan::store::batch;

/// Until when the retries that v2's job list shows are known, by the API's clock; by project.
const SEEN: &str = "retries_seen:";

/// Where that is not known, the list is read from so long ago.
const FIRST_LOOK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A job may be shown so much later than it was made.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

impl Reprocess<'_> {
    /// Adopts what another copy of the ledger has sent since the list was last read. It is for reports: whether
    /// anything is sent is decided by a look just before each POST.
    ///
    /// A ledger that never retried anything is not checked: there is nothing that it could have been set back from, or
    /// that look finds it.
    pub(crate) async fn adopt(&mut self) -> anyhow::Result<()> {
        for watched in self.projects.iter().filter(|watched| watched.source.serves(BatchApi::V2)) {
            let (name, key) = (watched.name.clone(), format!("{SEEN}{}", watched.name));
            let known = move |connection: &Connection| {
                let seen = meta(connection, &key)?.and_then(|at| at.parse::<Timestamp>().ok());
                let retries = !intent::newest(connection, 1)?.is_empty();
                Ok(retries.then_some((seen, batch::all_of(connection, &name)?)))
            };
            let Some((seen, batches)) = self.ledger.read(known).await? else { continue };
            let from = seen.map_or(self.now - FIRST_LOOK, |seen| seen - OVERLAP);
            match watched.source.unknown_retries(from, &batches).await {
                Ok((made, until)) => {
                    self.adopt_all(watched, made).await?;
                    let (key, until) = (format!("{SEEN}{}", watched.name), until.max(seen));
                    let keep =
                        move |tx: &Transaction<'_>| until.map_or(Ok(()), |at| set_meta(tx, &key, &at.to_string()));
                    self.ledger.write(keep).await?;
                }
                Err(error) => self.summary.errors.push(format!(
                    "could not look for retries of {} that another copy of this ledger sent: {error}",
                    watched.name
                )),
            }
        }
        Ok(())
    }

    async fn adopt_all(&mut self, watched: &Watched<Cloud>, made: Vec<(String, Made)>) -> anyhow::Result<()> {
        let ids: HashSet<String> = made.iter().map(|(item_id, _)| item_id.clone()).collect();
        let items = self.items(Which::These(ids.into_iter().collect())).await?;
        let open =
            |item: &Item| item.state == ItemState::Open && item.claimed_by.is_none() && item.project == watched.name;
        for (item_id, made) in made {
            let item = items.iter().find(|item| item.item_id == item_id && open(item));
            // What was made before the newest failure has been answered by it.
            let Some(item) = item.filter(|item| made.created_at.is_none_or(|at| at > item.failed_at)) else { continue };
            let intent = foreign(item, self.now);
            let new = intent.clone();
            if self.ledger.write(move |tx| intent::begin(tx, &new, "{}", None)).await? {
                watched.source.remember(&made.job_id, &item.job_type, &item_id);
                self.take_over(intent, &made).await?;
            }
        }
        Ok(())
    }

    /// The work of a planned intent was submitted already, as a rule by another copy of the ledger: nothing is sent, and its outcome is
    /// followed.
    pub(crate) async fn take_over(&mut self, planned: Intent, made: &Made) -> anyhow::Result<()> {
        let now = self.by_now();
        let intent = Intent {
            state: IntentState::Submitted,
            posting_at: Some(made.created_at.unwrap_or(now)),
            batch_ids: vec![made.job_id.clone()],
            ..planned
        };
        let items = intent.items.len();
        let adopt = move |tx: &Transaction<'_>| {
            if intent::get(tx, &intent.intent_id)?.is_none_or(|stored| stored.state != IntentState::Planned) {
                return Ok(false);
            }
            intent::keep(tx, &intent, now)?;
            attempt::begin(tx, &intent, now)?;
            let batch_id = intent.batch_ids.first();
            let detail = serde_json::json!({ "items": items, "group": intent.group_id, "batch": batch_id });
            let act = Act {
                actor: &intent.actor,
                action: "adopt",
                subject: &intent.intent_id,
                reason: Some("submitted already by another copy of this ledger"),
                detail: Some(detail.to_string()),
            };
            audit::record(tx, &act, now)?;
            Ok(true)
        };
        if self.ledger.write(adopt).await? {
            self.summary.adopted += u32::try_from(items).unwrap_or(u32::MAX);
        }
        Ok(())
    }
}

/// An intent for a retry of an item of which only its job is known: it was sent with the parameters that we would send, as far as is
/// known.
fn foreign(item: &Item, now: Timestamp) -> Intent {
    let in_episode = item.tried.iter().filter(|tried| tried.counts && tried.in_episode).count();
    let attempts = u32::try_from(in_episode).unwrap_or(u32::MAX);
    Intent {
        job_type: "parse".to_owned(),
        actor: "auto:adopt".to_owned(),
        items: vec![IntentItem { item_id: item.item_id.clone(), attempts, before: None }],
        ..Intent::planned(item, BatchApi::V2, now)
    }
}
