//! One request's view of the simulated service: who asks, what is asked, and the checks all calls share.

use serde_json::Value;

use crate::model::id::is_uuid;
use crate::simulator::http::endpoint::{Endpoint, EndpointCall};
use crate::simulator::http::query::Query;
use crate::simulator::http::reply::Reply;
use crate::simulator::options::{Options, PagingOptions, Shift};
use crate::simulator::storage::{configurations, directories, files, uploads};
use crate::simulator::v1::classifier;
use crate::simulator::v2::{self, acts, classify};
use crate::simulator::world::model::BatchOrigin;
use crate::simulator::world::state::World;

/// Everything a call needs to be answered; `project` is the index of the project whose key was shown.
pub(crate) struct SimulatedService<'a> {
    pub(crate) world: &'a mut World,
    pub(crate) options: &'a mut Options,
    pub(crate) query: &'a Query,
    pub(crate) project: usize,
    /// How many requests this endpoint has had, this one included.
    pub(crate) request: u64,
}

impl SimulatedService<'_> {
    /// Answers a call; errors are answers too.
    pub(crate) fn answer(&mut self, call: &EndpointCall<'_>, body: &Value) -> Reply {
        if let Some(status) = self.options.v1_gone.filter(|_| call.endpoint.is_v1_batch()) {
            return Reply::error(status, "Not Found");
        }
        if let Some(status) = self.options.v2_gone.filter(|_| call.endpoint.is_v2_batch()) {
            return Reply::error(status, "Not Found");
        }
        if self.is_of_the_other_api(call) {
            return Reply::error(404, "No such batch in this project");
        }
        let answer = match call.endpoint {
            endpoint if files::serves(endpoint) => files::answer(self, call),
            endpoint if directories::serves(endpoint) => directories::answer(self, call, body),
            endpoint if uploads::serves(endpoint) => uploads::answer(self, call, body),
            endpoint if configurations::serves(endpoint) => configurations::answer(self, call, body),
            endpoint if classify::serves(endpoint) => classify::answer(self, call, body),
            endpoint if classifier::serves(endpoint) => classifier::answer(self, call, body),
            endpoint if acts::serves(endpoint) => acts::answer(self, call, body),
            endpoint if v2::serves(endpoint) => v2::answer(self, call, body),
            _ => self.v1(call, body),
        };
        answer.unwrap_or_else(|refusal| refusal)
    }

    /// Whether the batch that a call names is one of the other API, by its id, or by how it was made where that counts.
    fn is_of_the_other_api(&self, call: &EndpointCall<'_>) -> bool {
        let (of_v1, of_v2) = (call.endpoint.is_v1_batch(), call.endpoint.is_v2_batch());
        if call.first.is_empty() || call.endpoint == Endpoint::ProcessingResults || !(of_v1 || of_v2) {
            return false;
        }
        let foreign = if of_v1 { "bat-" } else { "bjb-" };
        let hidden = self.world.find_batch(call.first).is_some_and(|index| !self.shows(index, of_v2));
        call.first.starts_with(foreign) || hidden
    }

    /// Whether an API shows this batch.
    pub(crate) fn shows(&self, index: usize, to_v2: bool) -> bool {
        !self.options.apart || (self.world.batches[index].origin == BatchOrigin::Directory) == to_v2
    }

    pub(crate) fn paging(&self) -> &PagingOptions {
        &self.options.paging
    }

    /// Whether this page is to be followed by this change; each answer of yes uses one change up.
    pub(crate) fn shifts(&mut self, shift: Shift) -> bool {
        let paging = &mut self.options.paging;
        let due = paging.shift == shift && paging.shifts_left > 0;
        if due {
            paging.shifts_left -= 1;
        }
        due
    }

    pub(crate) fn own_batch(&self, id: &str) -> Result<usize, Reply> {
        self.world
            .find_batch(id)
            .filter(|&batch| self.world.batches[batch].project == self.project && self.is_retained(batch))
            .ok_or_else(|| Reply::error(404, "No such batch in this project"))
    }

    /// Whether this batch is not too old to be known.
    pub(crate) fn is_retained(&self, batch: usize) -> bool {
        let age = self.world.now.duration_since(self.world.batches[batch].created_at);
        self.options.keeps_batches_for.is_none_or(|kept| age <= kept)
    }

    pub(crate) fn own_job(&self, id: &str) -> Result<(usize, usize), Reply> {
        self.world
            .find_job(id)
            .filter(|&(batch, run)| self.world.batches[batch].project == self.project && self.world.shows(batch, run))
            .ok_or_else(|| Reply::error(404, "No such job in this project"))
    }

    /// The extraction that this parsing went before, if the id is that of such a parsing.
    pub(crate) fn own_parse_step(&self, id: &str) -> Option<(usize, usize)> {
        let bare = id.strip_prefix("pjb-")?;
        let found = self.world.parse_steps.get(bare).copied();
        found.filter(|&(batch, _)| self.world.batches[batch].project == self.project)
    }

    pub(crate) fn own_directory(&self, id: &str) -> Result<usize, Reply> {
        let directories = &self.world.directories;
        directories
            .iter()
            .position(|directory| directory.id == id && directory.project == self.project && directory.is_listed())
            .ok_or_else(|| Reply::error(404, "No such directory in this project"))
    }

    pub(crate) fn check_solvent(&self) -> Result<(), Reply> {
        match self.world.projects[self.project].credits {
            Some(0) => Err(Reply::error(402, "The balance of this organisation is used up")),
            _ => Ok(()),
        }
    }
}

/// The project that a request may act for, from its bearer key and its `project_id`.
pub(crate) fn authorize(world: &World, authorization: Option<&str>, query: &Query) -> Result<usize, Reply> {
    let key = authorization.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or("");
    let project = world
        .projects
        .iter()
        .position(|project| project.api_key == key)
        .ok_or_else(|| Reply::error(401, "This key opens nothing here"))?;
    for name in ["project_id", "organization_id"] {
        if query.get(name).is_some_and(|id| !is_uuid(id)) {
            return Err(Reply::invalid(&["query", name], "not a uuid"));
        }
    }
    match query.get("project_id") {
        Some(id) if id != world.projects[project].id => Err(Reply::error(403, "This key belongs to another project")),
        _ => Ok(project),
    }
}
