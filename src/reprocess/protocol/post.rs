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
    /// Time-out, reset, or the process ended: it is not known whether a batch was made.
    Lost,
}

/// Why the API definitely refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 401, 402, 403: everything stops.
    Account,
    /// 429: too many requests.
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
        /// Its id.
        batch_id: String,
    },
    /// No batch exists and none will.
    Rejected(Refusal),
    /// The request never left.
    NotSent,
    /// A batch may exist; only reconciliation can find out.
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
    /// This very item is refused, if others like it are accepted in the same run (see `Refusals`); else it was not the item.
    SuspectItem,
    /// What the request needs of this item is not to be had; nothing was sent.
    RefuseItem,
}

/// What follows from `refusal` of a POST with these sorted items.
pub fn after_refusal(refusal: Refusal, item_ids: &[String]) -> AfterRefusal {
    match refusal {
        Refusal::Account => AfterRefusal::StopAccount,
        Refusal::Throttled { retry_after } => AfterRefusal::WaitUntil(retry_after),
        Refusal::Request => match item_ids {
            [] | [_] => AfterRefusal::SuspectItem,
            many => {
                let (left, right) = many.split_at(many.len() / 2);
                AfterRefusal::Split(left.to_vec(), right.to_vec())
            }
        },
    }
}

/// So many single documents refused in a row are no accident: the rest is not asked.
const MOST_IN_A_ROW: usize = 3;

/// What the POSTs of one run have shown about one group and its parameters.
///
/// A refusal names no document, so one is blamed only by comparison: the same request without it was accepted in the same run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    accepted: bool,
    /// Intents of single documents that were refused before another was accepted.
    proven: Vec<String>,
    /// Those since.
    suspects: Vec<String>,
}

/// Who is to blame for the refusals of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Blame {
    /// Intents whose only document the API refuses while it accepts others like it.
    pub items: Vec<String>,
    /// An intent whose parameters, or address, the API refuses: nothing was accepted to compare with.
    pub parameters: Option<String>,
}

impl Refusals {
    /// A POST was accepted, so that the documents refused before it were refused for themselves.
    pub(crate) fn accept(&mut self) {
        self.accepted = true;
        self.proven.append(&mut self.suspects);
    }

    /// The POST of a single document, in this intent, was refused.
    pub(crate) fn suspect(&mut self, intent_id: String) {
        self.suspects.push(intent_id);
    }

    /// Whether asking on is of no use.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.suspects.len() >= MOST_IN_A_ROW
    }

    /// The blame. A single suspect at the end is blamed if others were accepted before it: an API that begins to refuse all leaves more of them.
    pub(crate) fn blame(self) -> Blame {
        let Refusals { accepted, proven: mut items, mut suspects } = self;
        if accepted && suspects.len() == 1 {
            items.append(&mut suspects);
        }
        let parameters = if accepted { None } else { suspects.into_iter().next() };
        Blame { items, parameters }
    }
}
