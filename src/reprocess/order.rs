//! From the chunks of a plan to the intents that are posted, each with its job configuration and who wants it.

use crate::reprocess::facts::Facts;
use crate::reprocess::intents::job_config::JobConfigs;
use crate::reprocess::policy::chunk::Chunk;
use crate::reprocess::protocol::job_config::JobConfig;
use crate::reprocess::store::intent::{IntentItem, NewIntent};
use crate::reprocess::store::retriable::Retriable;

/// Who wants retries, and why.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) plan_id: Option<String>,
    /// A user, or `auto:…`.
    pub(crate) actor: String,
    pub(crate) reason: Option<String>,
}

/// An intent to make and post, with what that takes.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Its id is that of the next POST.
    pub(crate) intent: NewIntent,
    pub(crate) config: JobConfig,
    /// Whether the cache is cleared, because the items were tried before.
    pub(crate) second_try: bool,
    pub(crate) directory_id: Option<String>,
    pub(crate) job_id: Option<String>,
}

impl Order {
    /// The order for a chunk; none if its items or their configuration have gone since it was chosen.
    pub(crate) fn new(
        project: &str,
        chunk: Chunk,
        facts: &Facts,
        rows: &[Retriable],
        configs: &JobConfigs,
        wish: &Wish,
    ) -> Option<Order> {
        let first = chunk.item_ids.first()?;
        let row = rows.iter().find(|row| row.item_id == *first)?;
        let attempts =
            |id: &String| facts.items.iter().find(|item| item.item_id == *id).map_or(0, |item| item.attempts);
        let item = |id: &String| IntentItem { item_id: id.clone(), attempts: attempts(id), before: None };
        let config = configs.of(row)?.clone();
        // What a team wrote may hold secrets; the ledger gets what the allow-list lets through.
        let stored = JobConfig::learnt(&config.body(chunk.second_try, ""));
        let intent = NewIntent {
            intent_id: String::new(),
            plan_id: wish.plan_id.clone(),
            project: project.to_owned(),
            api: configs.api(row)?,
            trigger: match chunk.probe {
                None => "manual",
                Some(true) => "canary",
                Some(false) => "auto",
            },
            actor: wish.actor.clone(),
            reason: wish.reason.clone(),
            job_config: stored.map_or_else(|_| "{}".to_owned(), |config| config.body(false, "").to_string()),
            items: chunk.item_ids.iter().map(item).collect(),
            credits: (chunk.unpriced == 0).then_some(chunk.credits),
            group_id: chunk.group_id,
            job_type: chunk.job_type,
            parameters_hash: chunk.config_hash,
        };
        let (directory_id, job_id) = (row.origin.directory_id.clone(), row.origin.job_id.clone());
        Some(Order { intent, config, second_try: chunk.second_try, directory_id, job_id })
    }

    pub(crate) fn item_ids(&self) -> Vec<String> {
        self.intent.items.iter().map(|item| item.item_id.clone()).collect()
    }

    /// The same for some of its items.
    pub(crate) fn part(&self, item_ids: &[String]) -> Order {
        let mut part = self.clone();
        part.intent.items.retain(|item| item_ids.contains(&item.item_id));
        #[expect(clippy::cast_precision_loss, reason = "a chunk has at most a hundred items")]
        let share = part.intent.items.len() as f64 / self.intent.items.len().max(1) as f64;
        part.intent.credits = self.intent.credits.map(|credits| credits * share);
        part
    }
}
