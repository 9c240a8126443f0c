//! What is submitted to the simulated account, and what will happen to it at set times.

use jiff::Timestamp;
use serde_json::Value;

use crate::simulator::world::model::{BatchOrigin, JobType};

/// How a batch ends before all its items have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Break {
    /// It fails with this message, or without any; what waits goes on waiting.
    Fails(Option<String>),
    /// The service cancels it and names an error; what waits is cancelled with it.
    Cancelled(String),
    /// It claims to be completed; what waits goes on waiting.
    EndsShort,
}

/// Items to process with one configuration.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The new batch's id as a bare uuid; the world chooses one when absent.
    pub id: Option<String>,
    /// Index of the project that pays.
    pub project: usize,
    /// What to do.
    pub job_type: JobType,
    /// Indices of the items.
    pub items: Vec<usize>,
    /// Index of the directory, when a whole one is processed.
    pub directory: Option<usize>,
    /// How the work came.
    pub origin: BatchOrigin,
    /// The configuration as sent.
    pub config: Value,
    /// Given back with single v2 jobs.
    pub user_metadata: Value,
    /// When the batch itself breaks, if it does.
    pub breaks: Option<(Timestamp, Break)>,
}

impl Submission {
    /// A list of items to parse.
    pub fn of_items(project: usize, items: Vec<usize>, config: Value) -> Self {
        Self {
            id: None,
            project,
            job_type: JobType::Parse,
            items,
            directory: None,
            origin: BatchOrigin::ItemList,
            config,
            user_metadata: Value::Null,
            breaks: None,
        }
    }

    /// A directory with these items to parse.
    pub fn of_directory(project: usize, directory: usize, items: Vec<usize>, config: Value) -> Self {
        Self { directory: Some(directory), origin: BatchOrigin::Directory, ..Self::of_items(project, items, config) }
    }
}

/// Something that will happen at a set time.
#[derive(Debug, Clone)]
pub(crate) enum ScheduledEvent {
    Submit(Box<Submission>),
    BatchStarts(usize),
    BatchBreaks(usize, Break),
    RunStarts(usize, usize),
    RunEnds(usize, usize),
    RunRepairs(usize, usize),
    Credits(usize, Option<u64>),
    /// The next piece of a life that goes on for ever, see [`crate::simulator::world::life`].
    Life(u64),
}
