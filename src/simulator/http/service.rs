//! One request's view of the simulated service: who asks, what is asked, and the checks all calls share.

use crate::model::id::is_uuid;
use crate::simulator::http::query::Query;
use crate::simulator::http::reply::Reply;
use crate::simulator::options::{Options, PagingOptions, Shift};
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
