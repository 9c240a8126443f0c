//! Makes small worlds by hand, for tests that need to know every item.
//!
//! Names stand for ids: the item `"i1"` has the id [`item_id`]`("i1")` in every world.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::simulator::world::bulk::Bulk;
use crate::simulator::world::cause::{Failure, ScriptedCause};
use crate::simulator::world::model::{Break, Directory, Item, JobType, ScheduledEvent, SimulatedProject, Submission};
use crate::simulator::world::random::uuid_of;
use crate::simulator::world::state::{BatchPace, Outage, World};

/// The bearer key of the project that a builder starts with.
pub(crate) const DEFAULT_KEY: &str = "llx-simulated-0001";

/// The time at which built worlds stand unless told otherwise: a Monday morning.
pub const DEFAULT_NOW: &str = "2026-03-02T08:00:00Z";

/// The id of the item with this name: `dfl-` and a uuid.
pub fn item_id(name: &str) -> String {
    format!("dfl-{}", uuid_of(&format!("item {name}")))
}

/// The v1 id of the batch with this name: `bjb-` and a uuid.
pub fn batch_id(name: &str) -> String {
    format!("bjb-{}", uuid_of(&format!("batch {name}")))
}

/// The v2 id of the batch with this name: `bat-` and the same uuid.
pub fn v2_batch_id(name: &str) -> String {
    format!("bat-{}", uuid_of(&format!("batch {name}")))
}

/// The id of the directory with this name: `dir-` and a uuid. Every project has one named like itself.
pub(crate) fn directory_id(name: &str) -> String {
    format!("dir-{}", uuid_of(&format!("directory {name}")))
}

/// The bare uuid of the project with this name, as it is used in queries.
pub fn project_id(name: &str) -> String {
    uuid_of(&format!("project {name}"))
}

/// Builds a [`World`]; item methods speak of the item named last, batch methods of the batch named last.
#[derive(Debug)]
pub struct WorldBuilder {
    world: World,
    now: Timestamp,
    batches: Vec<(Timestamp, Submission)>,
}

impl WorldBuilder {
    /// One project named `default` with `DEFAULT_KEY`, at `DEFAULT_NOW`; every batch was made an hour before.
    pub fn new() -> Self {
        let now = DEFAULT_NOW.parse().expect("the default time is well formed");
        Self::at(now)
    }

    /// The same at another time.
    pub fn at(now: Timestamp) -> Self {
        let mut world = World::empty(1, now - SignedDuration::from_hours(24 * 365));
        world.pace = BatchPace { start_delay: (1, 1), item: (1, 2), lanes: 1_000 };
        add_project(&mut world, "default", DEFAULT_KEY);
        Self { world, now, batches: Vec::new() }
    }

    /// Adds a project with its own key; batches named from now on are its own.
    pub fn project(mut self, name: &str, api_key: &str) -> Self {
        add_project(&mut self.world, name, api_key);
        self
    }

    /// What the current project may still spend when the world is built.
    pub fn credits(mut self, credits: u64) -> Self {
        let project = self.world.projects.len() - 1;
        self.world.schedule(self.now, ScheduledEvent::Credits(project, Some(credits)));
        self
    }

    /// How fast batches run, from the first one on.
    pub fn pace(mut self, pace: BatchPace) -> Self {
        self.world.pace = pace;
        self
    }

    /// A time of problem.
    pub fn outage(mut self, outage: Outage) -> Self {
        self.world.add_outage(outage);
        self
    }

    /// Starts a batch of the current project: a parse of the items that follow.
    pub fn batch(mut self, name: &str) -> Self {
        let project = self.world.projects.len() - 1;
        let mut submission = Submission::of_items(project, Vec::new(), default_config());
        submission.id = Some(uuid_of(&format!("batch {name}")));
        self.batches.push((self.now - SignedDuration::from_hours(1), submission));
        self
    }

    /// How long ago the batch was made.
    pub fn made_ago(mut self, ago: SignedDuration) -> Self {
        let at = self.now - ago;
        self.current().0 = at;
        self
    }

    /// What the batch does.
    pub fn job_type(mut self, job_type: JobType) -> Self {
        self.current().1.job_type = job_type;
        self
    }

    /// The batch's configuration.
    pub fn config(mut self, config: Value) -> Self {
        self.current().1.config = config;
        self
    }

    /// The batch was made from the project's directory instead of a list of items.
    pub fn from_directory(mut self) -> Self {
        let (_, submission) = self.current();
        let directory = submission.project;
        submission.directory = Some(directory);
        submission.origin = crate::simulator::world::model::BatchOrigin::Directory;
        self
    }

    /// The batch itself breaks this long after it was made.
    pub fn breaks(self, after: SignedDuration, message: &str) -> Self {
        self.ends(after, Break::Fails(Some(message.to_owned())))
    }

    /// The batch ends like this, this long after it was made.
    pub fn ends(mut self, after: SignedDuration, how: Break) -> Self {
        let (at, submission) = self.current();
        submission.breaks = Some((*at + after, how));
        self
    }

    /// The batch's id is this, after its prefix; [`batch_id`] does not know it.
    pub fn with_batch_id(mut self, id: &str) -> Self {
        self.current().1.id = Some(id.to_owned());
        self
    }

    /// Adds a new item to the batch; it succeeds unless told otherwise.
    pub fn item(mut self, name: &str) -> Self {
        let project = self.current().1.project;
        let item = Item {
            id: item_id(name),
            name: format!("{name}.pdf"),
            project,
            directory: project,
            file_id: uuid_of(&format!("file {name}")),
            pages: 1,
            bad_pages: Vec::new(),
            cause: ScriptedCause::Succeeds,
            attempts: 0,
            first_takes: None,
            results: Vec::new(),
            unwritable: false,
            unlisted: false,
            deleted: false,
        };
        let index = self.world.add_item(item);
        self.current().1.items.push(index);
        self
    }

    /// Adds an item of an earlier batch to this one.
    pub fn again(mut self, name: &str) -> Self {
        let index = self.world.item_index[&item_id(name)];
        self.current().1.items.push(index);
        self
    }

    /// Adds this many items named `prefix-0`, `prefix-1`, … with the same cause.
    pub fn items(mut self, count: usize, prefix: &str, cause: ScriptedCause) -> Self {
        for number in 0..count {
            self = self.item(&format!("{prefix}-{number}")).cause(cause.clone());
        }
        self
    }

    /// The item succeeds (as it does when nothing is said).
    pub fn succeeds(self) -> Self {
        self.cause(ScriptedCause::Succeeds)
    }

    /// The item always fails with this text.
    pub fn fails(self, message: &str) -> Self {
        self.cause(ScriptedCause::Permanent(Failure::text(message)))
    }

    /// The item fails with this text until its attempt of this number, counted from 1, which completes.
    pub fn fails_until(self, succeeds_on: u32, message: &str) -> Self {
        self.cause(ScriptedCause::Transient { succeeds_on, failure: Failure::text(message) })
    }

    /// The item fails without any message.
    pub fn fails_silently(self) -> Self {
        self.cause(ScriptedCause::Permanent(Failure::silent()))
    }

    /// The item is skipped for this reason.
    pub fn skipped(self, reason: &str) -> Self {
        self.cause(ScriptedCause::Skipped { reason: Some(reason.to_owned()), message: None })
    }

    /// Any cause.
    pub fn cause(mut self, cause: ScriptedCause) -> Self {
        self.last_item().cause = cause;
        self
    }

    /// The item's file name.
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.last_item().name);
        self
    }

    /// The server cannot write the item: a page of items that holds it is answered with 500.
    pub fn unwritable(mut self) -> Self {
        self.last_item().unwritable = true;
        self
    }

    /// No list of a batch's items shows the item although the batch counts it, until [`World::list_all`].
    pub fn unlisted(mut self) -> Self {
        self.last_item().unlisted = true;
        self
    }

    /// The item's pages.
    pub fn pages(mut self, pages: u64) -> Self {
        self.last_item().pages = pages;
        self
    }

    /// Pages that fail within an attempt of the item that completes, counted from 1.
    pub fn bad_pages(mut self, pages: &[u64]) -> Self {
        pages.clone_into(&mut self.last_item().bad_pages);
        self
    }

    /// How long the item's first attempt takes; longer than the batch's age leaves it in processing.
    pub fn takes(mut self, time: SignedDuration) -> Self {
        self.last_item().first_takes = Some(time);
        self
    }

    /// The world at its time, with everything before it already happened.
    pub fn build(mut self) -> World {
        for (at, submission) in self.batches {
            self.world.submit_at(at, submission);
        }
        self.world.advance_to(self.now);
        self.world
    }

    fn current(&mut self) -> &mut (Timestamp, Submission) {
        if self.batches.is_empty() {
            *self = std::mem::take(self).batch("default");
        }
        self.batches.last_mut().expect("a batch was just added")
    }

    fn last_item(&mut self) -> &mut Item {
        self.world.items.last_mut().expect("an item method follows an item")
    }
}

impl Default for WorldBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// Lists show every item from now on.
    pub fn list_all(&mut self) {
        self.items.iter_mut().for_each(|item| item.unlisted = false);
    }

    /// Adds a document and returns its index.
    pub(crate) fn add_item(&mut self, item: Item) -> usize {
        let index = self.items.len();
        self.item_index.insert(item.id.clone(), index);
        self.directories[item.directory].items.push(index);
        self.items.push(item);
        index
    }
}

/// The parse configuration that built batches use.
pub fn default_config() -> Value {
    json!({"job_name": "parse_raw_file_job", "parameters": {"tier": "cost_effective", "version": "latest"}})
}

/// Adds a project and its directory, which have the same index.
pub(crate) fn add_project(world: &mut World, name: &str, api_key: &str) {
    let project = world.projects.len();
    world.projects.push(SimulatedProject {
        name: name.to_owned(),
        id: project_id(name),
        api_key: api_key.to_owned(),
        credits: None,
        billed: 0,
    });
    world.directories.push(Directory::new(directory_id(name), project, name, world.now));
}

/// An account of `batches` finished batches with this many failed and skipped items each, and one running world around it.
/// Completed items can be set on the result's [`World::bulk_mut`].
#[cfg(test)]
pub(crate) fn large(batches: usize, failed: usize, skipped: usize, seed: u64) -> World {
    let now: Timestamp = DEFAULT_NOW.parse().expect("the default time is well formed");
    let mut world = World::empty(seed, now);
    add_project(&mut world, "default", DEFAULT_KEY);
    world.bulk =
        Some(Bulk { batches, failed, skipped, completed: 0, seed, newest: now, apart: SignedDuration::from_mins(10) });
    world
}

impl World {
    /// The same account with generated batches beside its real ones, in its first project.
    #[must_use]
    pub fn with_bulk(mut self, bulk: Bulk) -> World {
        self.bulk = Some(bulk);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::world::model::{SimulatedBatchStatus, SimulatedItemStatus};

    #[test]
    fn a_built_batch_has_ended() {
        let world = WorldBuilder::new().batch("b1").item("i1").fails("timeout").item("i2").build();
        let batch = world.batch(&batch_id("b1")).unwrap();
        assert_eq!(batch.status, SimulatedBatchStatus::Completed);
        assert_eq!(world.current_states()[item_id("i1").as_str()], SimulatedItemStatus::Failed);
        assert_eq!(world.truth().failures[0].error_message.as_deref(), Some("timeout"));
        assert_eq!(world.truth().credits_billed, 3);
    }

    #[test]
    fn a_long_item_keeps_its_batch_running_until_time_passes() {
        let hours = SignedDuration::from_hours;
        let mut world = WorldBuilder::new().batch("b1").item("i1").takes(hours(2)).build();
        assert_eq!(world.batch(&batch_id("b1")).unwrap().status, SimulatedBatchStatus::Running);
        world.advance(hours(2));
        assert_eq!(world.batch(&batch_id("b1")).unwrap().status, SimulatedBatchStatus::Completed);
    }

    #[test]
    fn a_second_batch_counts_as_the_second_attempt() {
        let world = WorldBuilder::new()
            .batch("b1")
            .item("i1")
            .fails_until(2, "busy")
            .batch("b2")
            .made_ago(SignedDuration::from_mins(30))
            .again("i1")
            .build();
        assert_eq!(world.current_states()[item_id("i1").as_str()], SimulatedItemStatus::Completed);
        assert_eq!(world.item(&item_id("i1")).unwrap().attempts, 2);
    }

    #[test]
    fn a_finished_item_is_skipped_the_second_time_and_not_billed() {
        let world = WorldBuilder::new()
            .batch("b1")
            .item("i1")
            .batch("b2")
            .made_ago(SignedDuration::from_mins(30))
            .again("i1")
            .build();
        let again = &world.batch(&batch_id("b2")).unwrap().runs[0];
        assert_eq!(again.skip_reason.as_deref(), Some("already_processed"));
        assert_eq!(world.truth().credits_billed, 3);
    }

    #[test]
    fn an_empty_account_fails_what_would_cost() {
        let mut world = WorldBuilder::new().credits(2).batch("b1").item("i1").build();
        let item = world.item_index[&item_id("i1")];
        let config = json!({"parameters": {"tier": "agentic"}});
        world.submit(Submission::of_items(0, vec![item], config));
        world.settle();
        assert_eq!(world.batches()[1].runs[0].status, SimulatedItemStatus::Failed);
        assert_eq!(world.projects()[0].billed, 3);
    }

    #[test]
    fn an_item_repaired_in_place_stays_in_the_truth() {
        let cause =
            ScriptedCause::RecoversInPlace { failure: Failure::text("hiccup"), after: SignedDuration::from_mins(5) };
        let world = WorldBuilder::new().batch("b1").item("i1").cause(cause).build();
        assert!(world.open_failures().is_empty());
        assert_eq!(world.truth().failures.len(), 1);
    }
}
