//! From the chunks of a plan to what is posted: each with its job configuration and who wants it.

use crate::model::batch_api::BatchApi;
use crate::reprocess::facts::Facts;
use crate::reprocess::intents::job_config::JobConfigs;
use crate::reprocess::policy::chunk::Chunk;
use crate::reprocess::policy::facts::ItemFacts;
use crate::reprocess::protocol::job_config::JobConfig;
use crate::reprocess::store::retriable::Retriable;

/// Who wants retries, and why.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) plan_id: Option<String>,
    /// A user, or `auto:…`.
    pub(crate) actor: String,
    pub(crate) reason: Option<String>,
}

/// A chunk to post, with what that takes.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) project: String,
    pub(crate) api: BatchApi,
    pub(crate) chunk: Chunk,
    /// The attempts that each item of the chunk has behind it, in order.
    pub(crate) attempts: Vec<u32>,
    pub(crate) config: JobConfig,
    pub(crate) directory_id: Option<String>,
    pub(crate) job_id: Option<String>,
    pub(crate) wish: Wish,
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
        Some(Order {
            project: project.to_owned(),
            api: configs.api(row)?,
            attempts: attempts(&chunk, &facts.items),
            config: configs.of(row)?.clone(),
            directory_id: row.origin.directory_id.clone(),
            job_id: row.origin.job_id.clone(),
            wish: wish.clone(),
            chunk,
        })
    }

    /// `manual`, `canary` or `auto`.
    pub(crate) fn trigger(&self) -> &'static str {
        match self.chunk.probe {
            None => "manual",
            Some(true) => "canary",
            Some(false) => "auto",
        }
    }

    /// The same for some of its items.
    pub(crate) fn part(&self, item_ids: &[String]) -> Order {
        let mut part = self.clone();
        let of = |id: &String| self.chunk.item_ids.iter().position(|one| one == id);
        part.attempts =
            item_ids.iter().map(|id| of(id).and_then(|at| self.attempts.get(at)).copied().unwrap_or(0)).collect();
        part.chunk.item_ids = item_ids.to_vec();
        #[expect(clippy::cast_precision_loss, reason = "a chunk has at most a hundred items")]
        let share = item_ids.len() as f64 / self.chunk.item_ids.len().max(1) as f64;
        part.chunk.credits = self.chunk.credits * share;
        part
    }
}

fn attempts(chunk: &Chunk, items: &[ItemFacts]) -> Vec<u32> {
    let of = |id: &String| items.iter().find(|item| item.item_id == *id).map_or(0, |item| item.attempts);
    chunk.item_ids.iter().map(of).collect()
}
