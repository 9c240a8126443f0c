//! What the answer to the one POST means, and what follows from a refusal.

use jiff::Timestamp;

/// What came back, as the cloud edge saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostAnswer {
    /// A 2xx with a readable batch id.
    Accepted {
        /// The new batch.
        batch_id: String,
    },
    /// Any other HTTP answer.
    Status {
        /// The status; a 2xx whose body could not be read is given as such.
        status: u16,
        /// `Retry-After`, as a time.
        retry_after: Option<Timestamp>,
    },
    /// Name resolution, connect or TLS failed: no byte of the request was sent.
    NotConnected,
    /// Time-out, reset, or the process ended: nobody knows.
    Lost,
}

/// Why the API definitely refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 401, 402, 403: everything stops.
    Account,
    /// 429: come back later.
    Throttled {
        /// When, if it said so.
        retry_after: Option<Timestamp>,
    },
    /// 400, 404, 413, 422: an item, the parameters, or too many at once.
    Request,
}

/// What an answer means for the intent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostMeaning {
    /// A batch exists.
    Submitted {
        /// It.
        batch_id: String,
    },
    /// No batch exists and none will.
    Rejected(Refusal),
    /// The request never left.
    NotSent,
    /// A batch may exist; only reconciliation can tell.
    Unknown,
}

impl PostAnswer {
    /// Only answers that prove that nothing was created count as refusals; 408, 409, 410, 5xx and unreadable 2xx do not.
    pub fn meaning(&self) -> PostMeaning {
        match self {
            Self::Accepted { batch_id } => PostMeaning::Submitted { batch_id: batch_id.clone() },
            Self::Status { status: 401..=403, .. } => PostMeaning::Rejected(Refusal::Account),
            Self::Status { status: 429, retry_after } => {
                PostMeaning::Rejected(Refusal::Throttled { retry_after: *retry_after })
            }
            Self::Status { status: 400 | 404 | 413 | 422, .. } => PostMeaning::Rejected(Refusal::Request),
            Self::NotConnected => PostMeaning::NotSent,
            Self::Status { .. } | Self::Lost => PostMeaning::Unknown,
        }
    }
}

/// What to do after a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterRefusal {
    /// Stop everything: no other POST of any plan.
    StopAccount,
    /// No other POST before this time; `None` means the usual wait.
    WaitUntil(Option<Timestamp>),
    /// Make new intents of each half, so that one bad id does not doom the rest.
    Split(Vec<String>, Vec<String>),
    /// This very item is refused, if others like it are accepted in the same run (see [`crate::reprocess::policy::holds::trial::Trial`]); else it was not the item.
    SuspectItem,
    /// What the request needs of this item is not to be had; nothing was sent.
    RefuseItem,
    /// Not the items: the parameters are refused, so the group's breaker opens.
    RefuseConfig,
}

/// So many refused POSTs of one chunk find up to two bad ids among a hundred; more are not worth it.
const MOST_REFUSALS: u32 = 16;

/// What follows from `refusal` of a POST with these sorted items.
///
/// `refused_before` counts refused POSTs that came from the same chunk.
pub fn after_refusal(refusal: Refusal, item_ids: &[String], refused_before: u32) -> AfterRefusal {
    match refusal {
        Refusal::Account => AfterRefusal::StopAccount,
        Refusal::Throttled { retry_after } => AfterRefusal::WaitUntil(retry_after),
        Refusal::Request => match item_ids {
            [] => AfterRefusal::RefuseConfig,
            [_] => AfterRefusal::SuspectItem,
            _ if refused_before >= MOST_REFUSALS => AfterRefusal::RefuseConfig,
            many => {
                let (left, right) = many.split_at(many.len() / 2);
                AfterRefusal::Split(left.to_vec(), right.to_vec())
            }
        },
    }
}
