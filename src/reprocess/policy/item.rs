//! One failed or skipped item, as the ledger and the configuration have it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::config::reprocess::ReprocessConfig;
use crate::model::batch_api::BatchApi;
use crate::model::class::{Class, RuleKind};
use crate::model::item::ItemState;
use crate::reprocess::policy::belief::prior;
use crate::reprocess::protocol::job_config::{JobConfig, NoConfig};

/// An item with its newest failure, what was tried before, and how it is resubmitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The item.
    pub item_id: String,
    /// The project it was last seen in.
    pub project: String,
    /// State in the ledger.
    pub state: ItemState,
    /// The group of its newest failure.
    pub group_id: String,
    /// What its newest failure or skip said.
    pub said: Said,
    /// Class of that, or the one that a person gave its group.
    pub class: Class,
    /// Class that it had in the plan that a person approved; `None` if there is no such plan, or it is not known.
    pub planned_as: Option<Class>,
    /// Event time of its newest failure.
    pub failed_at: Timestamp,
    /// It failed before the first start.
    pub baseline: bool,
    /// The intent that claims it.
    pub claimed_by: Option<String>,
    /// A batch in which it is, or may be, pending or processing.
    pub running_in: Option<String>,
    /// The API refused it alone: with these parameters, and when.
    pub refused: Option<(String, Timestamp)>,
    /// POSTs of it alone that were refused, for whatever reason: another item is the better probe.
    pub refusals: u32,
    /// The newest batch it failed in that no retry made: where its configuration is from.
    pub batch_id: String,
    /// The job type of that batch.
    pub job_type: String,
    /// The directory of that batch.
    pub directory_id: Option<String>,
    /// The job that failed there.
    pub job_id: Option<String>,
    /// The API through which it is resubmitted; `None` if its project is not watched any more.
    pub api: Option<BatchApi>,
    /// The job configuration that it is resubmitted with.
    pub config: Result<Arc<JobConfig>, NoConfig>,
    /// Its attempts, oldest first.
    pub tried: Vec<Tried>,
}

/// The texts of a failure or skip, with the cause from its job record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What happened to it.
    pub kind: RuleKind,
    /// Empty if there is none.
    pub message: String,
    /// Why it was skipped.
    pub skip_reason: Option<String>,
    /// The item's name.
    pub item_name: String,
    /// The class that a person gave its group.
    pub set_class: Option<String>,
    /// A code of the job record; none if it was not asked, for that of another job proves nothing about this document.
    pub cause_code: Option<String>,
    /// The text of the job record.
    pub cause_text: Option<String>,
}

/// One attempt that was made at an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Hash of the parameters.
    pub parameters_hash: String,
    /// Whether it counts against the caps: throttled and cancelled ones do not.
    pub counts: bool,
    /// It belongs to the present episode of the item: the item has not recovered since, and no person resumed its group.
    pub in_episode: bool,
    /// When it was seen to be cancelled at LlamaCloud, if nothing of the item failed since it was sent.
    pub cancelled_at: Option<Timestamp>,
}

/// No delay is longer: a longer one would hide a failure.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// Wait after a throttled answer without a `Retry-After`.
pub(crate) const THROTTLED_WAIT: SignedDuration = SignedDuration::from_mins(15);

/// A refusal of one document is asked again after this: what was wrong at the API may be mended.
const REFUSAL_HOLDS: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Item {
    /// An open item that was never retried, of which no more is known.
    pub fn new(item_id: String, group_id: String, class: Class, failed_at: Timestamp) -> Item {
        Item {
            item_id,
            group_id,
            class,
            failed_at,
            project: String::new(),
            state: ItemState::Open,
            said: Said::default(),
            planned_as: None,
            baseline: false,
            claimed_by: None,
            running_in: None,
            refused: None,
            refusals: 0,
            batch_id: String::new(),
            job_type: String::new(),
            directory_id: None,
            job_id: None,
            api: None,
            config: Err(NoConfig::Unasked(String::new())),
            tried: Vec::new(),
        }
    }

    /// Hash of the parameters that a retry would use; `None` when no job config is known.
    pub(crate) fn config_hash(&self) -> Option<&str> {
        self.config.as_ref().ok().map(|config| config.hash())
    }

    /// Hash of the parameters that its newest attempt failed with; `None` when not known.
    pub(crate) fn failed_config_hash(&self) -> Option<&str> {
        self.tried.last().map(|tried| tried.parameters_hash.as_str())
    }

    /// Counted attempts with the parameters of now in this episode.
    pub fn attempts(&self) -> u32 {
        let hash = self.config_hash();
        self.counted(|tried| tried.in_episode && hash == Some(&tried.parameters_hash))
    }

    /// Counted attempts in its life.
    pub(crate) fn attempts_in_life(&self) -> u32 {
        self.counted(|_| true)
    }

    fn counted(&self, which: impl Fn(&Tried) -> bool) -> u32 {
        let counted = self.tried.iter().filter(|tried| tried.counts && which(tried));
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    }

    /// Whether it stands for all files of a batch that failed as a whole.
    pub(crate) fn is_whole_batch(&self) -> bool {
        self.item_id == self.batch_id && !self.batch_id.is_empty()
    }

    /// Whether the API refused this very item with these parameters lately.
    pub(crate) fn is_refused(&self, now: Timestamp) -> bool {
        let is_of_now =
            |(hash, at): &(String, Timestamp)| self.config_hash() == Some(hash.as_str()) && now - *at < REFUSAL_HOLDS;
        self.refused.as_ref().is_some_and(is_of_now)
    }

    /// The extension of its name, in lower case; empty if it has none.
    pub(crate) fn extension(&self) -> String {
        self.said.item_name.rsplit_once('.').map_or_else(String::new, |(_, end)| end.to_lowercase())
    }

    /// Whether its class has become one that a retry hardly helps since a person approved the plan.
    pub(crate) fn has_turned(&self) -> bool {
        prior(self.class).is_none_or(|_| matches!(self.class, Class::Config | Class::Account))
            && self.planned_as.is_some_and(|then| then != self.class)
    }

    /// The first moment at which the next attempt may be made: its delay, less up to half of it by chance.
    ///
    /// A throttled item waits 15 minutes, doubling with each further throttled answer.
    pub(crate) fn not_before(&self, config: &ReprocessConfig) -> Timestamp {
        if self.class == Class::Throttled {
            let waits = self.tried.iter().rev().take_while(|tried| !tried.counts).count();
            let wait = THROTTLED_WAIT.saturating_mul(1 << waits.saturating_sub(1).min(6));
            return later(self.failed_at, wait.min(LONGEST));
        }
        let attempts = self.attempts();
        let at = usize::try_from(attempts).unwrap_or(usize::MAX);
        let delay = config.delays.get(at).or(config.delays.last()).copied().unwrap_or(SignedDuration::ZERO);
        later(self.failed_at, delay.mul_f64(0.5 + jitter(&self.item_id, attempts) / 2.0).min(LONGEST))
    }
}

/// A fraction in `0.0..1.0` that is always the same for the same item and attempt.
///
/// Eligibility is asked again in every cycle; a fresh random number each time would make the shortest delay win.
pub(crate) fn jitter(item_id: &str, attempt: u32) -> f64 {
    let digest = Sha256::new().chain_update(item_id).chain_update(attempt.to_le_bytes()).finalize();
    let number = digest.iter().take(4).fold(0u32, |sum, byte| (sum << 8) | u32::from(*byte));
    f64::from(number) / (f64::from(u32::MAX) + 1.0)
}

/// `from + by`, at most the end of time.
pub(crate) fn later(from: Timestamp, by: SignedDuration) -> Timestamp {
    from.checked_add(by).unwrap_or(Timestamp::MAX)
}
