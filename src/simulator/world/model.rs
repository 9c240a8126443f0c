//! The things a simulated LlamaCloud project consists of.
//! Indices are positions in the vectors of [`crate::simulator::world::state::World`]; nothing is ever removed, so they stay valid.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::simulator::world::cause::ScriptedCause;

/// What a batch does with its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum JobType {
    /// Turns documents into text.
    Parse,
    /// Pulls structured data out of documents.
    Extract,
    /// Sorts documents into kinds.
    Classify,
}

impl JobType {
    /// The lower-case word of the v1 API.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// The state of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum SimulatedBatchStatus {
    /// Accepted, nothing begun.
    Pending,
    /// Handed to workers, waiting for room; v2 calls it throttled.
    Dispatched,
    /// Items are being processed.
    Running,
    /// Every item has ended, well or not.
    Completed,
    /// The batch itself broke; items that had not ended never will.
    Failed,
    /// Someone stopped it.
    Cancelled,
}

impl SimulatedBatchStatus {
    /// The lower-case word of the v1 API.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// The upper-case word of the v2 API.
    pub fn v2_word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Dispatched => "THROTTLED",
            Self::Running => "RUNNING",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether the batch will start nothing more.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// The state of an item in one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum SimulatedItemStatus {
    /// Waiting for its turn.
    Pending,
    /// Has a job that runs.
    Processing,
    /// Has a result.
    Completed,
    /// Its job ended with an error.
    Failed,
    /// Never got a job.
    Skipped,
    /// Its batch was stopped before its turn.
    Cancelled,
}

impl SimulatedItemStatus {
    /// The lower-case word of the v1 API.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// The upper-case word that v2 uses for the underlying job.
    pub fn v2_word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Processing => "RUNNING",
            Self::Completed | Self::Skipped => "COMPLETED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether the item is through with this batch.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Processing)
    }
}

/// How a batch came into being.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchOrigin {
    /// From all files of a directory.
    Directory,
    /// From a list of items.
    ItemList,
    /// A single v2 job; no list of batches shows it.
    SingleJob,
}

/// One project with its own key.
#[derive(Debug, Clone)]
pub struct SimulatedProject {
    /// A short name for people.
    pub name: String,
    /// The bare uuid.
    pub id: String,
    /// The bearer key that opens this project.
    pub api_key: String,
    /// Credits left; `None` is without limit.
    pub credits: Option<u64>,
    /// Credits billed so far.
    pub billed: u64,
}

/// A folder of files.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    /// `dir-` and a uuid.
    pub id: String,
    /// Index of the owner.
    pub project: usize,
    /// The name of the project.
    pub name: String,
    /// What its maker says about it.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it only keeps files that were uploaded into no directory; the API never shows such a one.
    pub hidden: bool,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Indices of its items.
    pub items: Vec<usize>,
}

impl Directory {
    /// An empty directory.
    pub(crate) fn new(id: String, project: usize, name: impl Into<String>, created_at: Timestamp) -> Self {
        let (name, items) = (name.into(), Vec::new());
        Self { id, project, name, description: None, created_at, hidden: false, deleted: false, items }
    }

    /// Whether the API shows it.
    pub(crate) fn is_listed(&self) -> bool {
        !self.hidden && !self.deleted
    }
}

/// A document with its hidden cause.
#[derive(Debug, Clone)]
pub struct Item {
    /// `dfl-` and a uuid, unless a test chose another id.
    pub id: String,
    /// The file's name.
    pub name: String,
    /// Index of the owner.
    pub project: usize,
    /// Index of its directory.
    pub directory: usize,
    /// The file behind the directory entry, a bare uuid.
    pub file_id: String,
    /// Pages, which are what is billed.
    pub pages: u64,
    /// Pages that fail within an attempt that completes, counted from 1.
    pub bad_pages: Vec<u64>,
    /// Why it ends as it does.
    pub cause: ScriptedCause,
    /// Attempts begun so far, over all batches.
    pub attempts: u32,
    /// How long its first attempt takes, if the world's pace is not to decide.
    pub first_takes: Option<SignedDuration>,
    /// Its finished work, oldest first.
    pub results: Vec<FinishedWork>,
    /// Whether the server fails to write it: a page of items that holds it is answered with 500.
    pub unwritable: bool,
    /// Whether no list of a batch's items shows it although the batch counts it.
    pub unlisted: bool,
    /// Whether someone removed the file; later requests for it are refused.
    pub deleted: bool,
}

/// One result of an item: what `processing-results` lists.
#[derive(Debug, Clone)]
pub struct FinishedWork {
    /// Bare uuid.
    pub id: String,
    /// Index of the batch that did it.
    pub batch: usize,
    /// Position of the item in that batch.
    pub run: usize,
    /// The time of it.
    pub at: Timestamp,
}

/// An item's part in one batch.
#[derive(Debug, Clone)]
pub struct ItemRun {
    /// Index of the item.
    pub item: usize,
    /// Which attempt of the item this is; 0 before it starts.
    pub attempt: u32,
    /// Where it stands.
    pub status: SimulatedItemStatus,
    /// The underlying job, a bare uuid.
    pub job: Option<String>,
    /// The record of the present status, a bare uuid.
    pub job_record: Option<String>,
    /// The item's `error_message`.
    pub error_message: Option<String>,
    /// The job's `error_code`.
    pub error_code: Option<String>,
    /// What the job says instead of the item's message.
    pub job_message: Option<String>,
    /// Why it was passed over.
    pub skip_reason: Option<String>,
    /// When the job began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// When the present status began.
    pub effective_at: Timestamp,
    /// Billed credits; `None` until the job has ended.
    pub credits: Option<u64>,
    /// Its batch ended before its turn, and no one stopped it.
    pub abandoned: bool,
    /// Where this failure stands in the list of the truth.
    pub(crate) failure: Option<usize>,
}

/// A batch with its items.
#[derive(Debug, Clone)]
pub struct SimulatedBatch {
    /// Bare uuid; v1 shows it after `bjb-`, v2 after `bat-`.
    pub id: String,
    /// Index of the owner.
    pub project: usize,
    /// Index of the directory, if it was made from one.
    pub directory: Option<usize>,
    /// What is done.
    pub job_type: JobType,
    /// How it came into being.
    pub origin: BatchOrigin,
    /// Where it stands.
    pub status: SimulatedBatchStatus,
    /// Why the batch itself broke.
    pub error_message: Option<String>,
    /// The job configuration as sent.
    pub config: Value,
    /// The part of the configuration that makes two pieces of work the same.
    pub config_hash: String,
    /// `user_metadata` of a single v2 job.
    pub user_metadata: Value,
    /// Its items.
    pub runs: Vec<ItemRun>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When anything in it changed last.
    pub updated_at: Timestamp,
    /// When its first item could start.
    pub started_at: Option<Timestamp>,
    /// When it became terminal.
    pub completed_at: Option<Timestamp>,
}

/// How many items of a batch are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatusCounts {
    /// With a result.
    pub completed: usize,
    /// With an error.
    pub failed: usize,
    /// Passed over.
    pub skipped: usize,
    /// Stopped.
    pub cancelled: usize,
}

impl SimulatedBatch {
    /// Counts its items by state.
    pub fn counts(&self) -> StatusCounts {
        let mut counts = StatusCounts::default();
        for run in &self.runs {
            match run.status {
                SimulatedItemStatus::Completed => counts.completed += 1,
                SimulatedItemStatus::Failed => counts.failed += 1,
                SimulatedItemStatus::Skipped => counts.skipped += 1,
                SimulatedItemStatus::Cancelled => counts.cancelled += 1,
                SimulatedItemStatus::Pending | SimulatedItemStatus::Processing => {}
            }
        }
        counts
    }
}

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
