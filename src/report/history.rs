//! What happened over time: trends, retries, recovery times, digests, deliveries, the audit log; and free SQL.

use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// Observations in one bucket of time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct TrendRow {
    /// When the bucket begins.
    pub from: Timestamp,
    /// When it ends.
    pub to: Timestamp,
    /// What `--by` splits by: a group id, a class, a kind; none without it.
    pub key: Option<String>,
    /// What a user would call it, where the key is a group.
    pub title: Option<String>,
    /// Observations in it, event time.
    pub failures: u64,
}

/// One reprocessing attempt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct AttemptRow {
    /// The attempt.
    pub attempt_id: String,
    /// The submission it was part of.
    pub intent_id: String,
    /// The item.
    pub item_id: String,
    /// The group it was in when it was retried.
    pub group_id: String,
    /// Which attempt at this item it is, from 1.
    pub n: u64,
    /// `auto`, `canary`, `manual`.
    pub trigger: String,
    /// The batch it was resubmitted in; none before it was.
    pub batch_id: Option<String>,
    /// `running`, `recovered`, `failed_same`, `failed_differently`, `already_processed`, `cancelled`, `expired`, `unknown`.
    pub outcome: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When its outcome was known.
    pub finished_at: Option<Timestamp>,
    /// The job that worked on it.
    pub job_id: Option<String>,
    /// The group it fell into, where it failed differently.
    pub group_after: Option<String>,
    /// Its estimated credits, if known.
    pub credits: Option<f64>,
    /// What LlamaCloud says it billed; none if it does not say.
    pub billed: Option<f64>,
    /// Who started it.
    pub actor: String,
    /// The reason.
    pub reason: Option<String>,
}

/// Aggregated attempts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct RetryRow {
    /// The group id, rule, class, trigger, outcome or day.
    pub key: String,
    /// What a user would call it, where the key is a group.
    pub title: Option<String>,
    /// Attempts.
    pub attempts: u64,
    /// Of them: recovered, or found to have been done already.
    pub recovered: u64,
    /// Of them: the same error again.
    pub failed_same: u64,
    /// Of them: another error.
    pub failed_differently: u64,
    /// Of them: not known yet.
    pub running: u64,
    /// Of them: unclear whether they were ever submitted.
    pub unknown: u64,
    /// Of them: cancelled or expired.
    pub ended_otherwise: u64,
    /// Recovered as a share of those whose outcome is known, 0 to 1; none if none is.
    pub success_rate: Option<f64>,
    /// Their estimated credits, if known.
    pub credits: Option<f64>,
    /// What LlamaCloud says it billed, in all; none if it says so of none.
    pub billed: Option<f64>,
    /// Credits for each recovered item; none if none recovered or the cost is unknown.
    pub credits_per_recovery: Option<f64>,
}

impl RetryRow {
    /// Adds another row's attempts.
    pub(crate) fn add(&mut self, other: &RetryRow) {
        self.attempts += other.attempts;
        self.recovered += other.recovered;
        self.failed_same += other.failed_same;
        self.failed_differently += other.failed_differently;
        self.running += other.running;
        self.unknown += other.unknown;
        self.ended_otherwise += other.ended_otherwise;
        let sum = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a + b).or(a).or(b);
        self.credits = sum(self.credits, other.credits);
        self.billed = sum(self.billed, other.billed);
        self.rate();
    }

    /// Works out the rate and the price from the counts. What was cancelled tells nothing about retrying.
    pub(crate) fn rate(&mut self) {
        let known = self.recovered + self.failed_same + self.failed_differently;
        self.success_rate = (known > 0).then(|| self.recovered as f64 / known as f64);
        self.credits_per_recovery =
            self.credits.filter(|_| self.recovered > 0).map(|credits| credits / self.recovered as f64);
    }
}

/// How long episodes took to recover.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct MttrRow {
    /// The group id, class or kind.
    pub key: String,
    /// What a user would call it, where the key is a group.
    pub title: Option<String>,
    /// Episodes that ended because everything recovered.
    pub recovered: u64,
    /// The middle one's seconds from first failure to last recovery.
    pub median_seconds: Option<u64>,
    /// Nine of ten took at most this.
    pub p90_seconds: Option<u64>,
    /// Episodes that ended otherwise: dismissed, quiet. They are no recoveries and have no time.
    pub ended_otherwise: u64,
    /// Episodes still open.
    pub open: u64,
    /// The age of the oldest open one.
    pub oldest_open_seconds: Option<u64>,
}

/// One digest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct DigestRow {
    /// `D-YYYYMMDD-NN`.
    pub digest_id: String,
    /// When it was decided.
    pub created_at: Timestamp,
    /// Whether it was the daily one.
    pub scheduled: bool,
    /// Why it was sent.
    pub reasons: Vec<String>,
    /// Groups it named.
    pub groups: u64,
    /// Channels it reached.
    pub sent: u64,
    /// Channels it has not reached yet.
    pub pending: u64,
    /// Channels it will not reach.
    pub dead: u64,
}

/// One delivery.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct DeliveryRow {
    /// The same on every try.
    pub delivery_id: String,
    /// The digest.
    pub digest_id: String,
    /// The channel.
    pub channel: String,
    /// `pending`, `sending`, `sent`, `dead`; `superseded` only when asked for.
    pub state: String,
    /// Tries so far.
    pub attempts: u64,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When it was put into the outbox.
    pub created_at: Timestamp,
    /// When it arrived.
    pub sent_at: Option<Timestamp>,
    /// When it is tried next; only while pending.
    pub next_try_at: Option<Timestamp>,
    /// The delivery that it was merged into.
    pub superseded_by: Option<String>,
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct AuditRow {
    /// Its number.
    pub audit_id: i64,
    /// The time of it.
    pub at: Timestamp,
    /// A user, or `auto:…`.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what: a group, item, plan or silence id.
    pub subject: String,
    /// The reason.
    pub reason: Option<String>,
    /// More, as JSON text.
    pub detail: Option<String>,
}

/// A row of free SQL.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SqlRow {
    /// Names and values, in the statement's order.
    pub fields: Vec<(String, SqlValue)>,
}

/// A value of free SQL.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum SqlValue {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A number.
    Real(f64),
    /// Text, or the hexadecimal digits of a blob.
    Text(String),
}

impl Serialize for SqlRow {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.fields.len()))?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
