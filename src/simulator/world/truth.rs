//! What really happened, kept by the server for tests to compare with what a worker believes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::simulator::http::endpoint::Endpoint;
use crate::simulator::world::model::SimulatedItemStatus;

/// One failed or skipped state that the account has shown, kept even when the service overwrote it later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownFailure {
    /// The item.
    pub item_id: String,
    /// The batch in its v1 form (`bjb-…`).
    pub batch_id: String,
    /// The bare uuid of the job; `None` for skipped items.
    pub job_id: Option<String>,
    /// Failed or skipped.
    pub status: SimulatedItemStatus,
    /// The item's message.
    pub error_message: Option<String>,
    /// The item's skip reason.
    pub skip_reason: Option<String>,
    /// When it happened, in simulated time.
    pub at: Timestamp,
    /// Whether a complete answer of the server has contained it; a worker cannot know the others.
    pub served: bool,
}

/// One POST as it arrived.
#[derive(Debug, Clone)]
pub struct Post {
    /// When, in simulated time.
    pub at: Timestamp,
    /// Which call.
    pub endpoint: Endpoint,
    /// Index of the project whose key was used.
    pub project: usize,
    /// The body; null when it was no JSON.
    pub body: Value,
    /// The status that was decided, whether or not it reached the client.
    pub status: u16,
    /// The batches or single jobs that it made, bare uuids: none, one, or two after a double acceptance.
    pub created: Vec<String>,
    /// Whether the answer was withheld.
    pub reply_lost: bool,
}

/// The server's own account of things.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// Every failed and skipped state, oldest first.
    pub failures: Vec<ShownFailure>,
    /// Every POST that passed the key check, oldest first.
    pub posts: Vec<Post>,
    /// Credits billed over all projects.
    pub credits_billed: u64,
    /// Requests by endpoint, refused ones included.
    pub requests: BTreeMap<Endpoint, u64>,
}

impl Truth {
    /// Requests served by one endpoint so far.
    pub fn requests_to(&self, endpoint: Endpoint) -> u64 {
        self.requests.get(&endpoint).copied().unwrap_or(0)
    }

    /// Requests served so far.
    pub fn all_requests(&self) -> u64 {
        self.requests.values().sum()
    }

    /// The failures that a worker had the chance to see.
    pub fn served_failures(&self) -> impl Iterator<Item = &ShownFailure> {
        self.failures.iter().filter(|failure| failure.served)
    }
}
