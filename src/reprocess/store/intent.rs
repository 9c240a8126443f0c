//! Intents: the items of one POST. A row is on disk with its claims before the first byte is sent.

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;
use crate::model::batch_api::BatchApi;
use crate::model::prior_jobs::PriorJobs;
use crate::reprocess::policy::chunk::set_hash;
use crate::reprocess::protocol::intent::{Intent, IntentState};
use crate::reprocess::store::claim;

/// An item of an intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentItem {
    /// The item.
    pub item_id: String,
    /// Counted attempts that it had behind it.
    pub attempts: u32,
    /// What was there before the POST; it finds the job of a retried extraction of API v2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<PriorJobs>,
}

/// An intent to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewIntent {
    /// A ULID.
    pub intent_id: String,
    /// The plan behind it.
    pub plan_id: Option<String>,
    /// The project's name.
    pub project: String,
    /// The API that it is posted through.
    pub api: BatchApi,
    /// The group's id.
    pub group_id: String,
    /// The job type of the new batch.
    pub job_type: String,
    /// `auto`, `canary` or `manual`.
    pub trigger: &'static str,
    /// A user, or `auto:…`.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// What is posted, without secrets; JSON.
    pub job_config: String,
    /// Hash of the parameters.
    pub parameters_hash: String,
    /// The items.
    pub items: Vec<IntentItem>,
    /// What it is thought to cost.
    pub credits: Option<f64>,
}

/// An intent as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredIntent {
    /// Its id.
    pub intent_id: String,
    /// The plan behind it.
    pub plan_id: Option<String>,
    /// The project's name.
    pub project: String,
    /// The API that it was posted through.
    pub api: BatchApi,
    /// The group that its items were in, as it is called today.
    pub group_id: String,
    /// The job type.
    pub job_type: String,
    /// `auto`, `canary` or `manual`.
    pub trigger: String,
    /// Who asked.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// Hash of the parameters.
    pub parameters_hash: String,
    /// The items.
    pub items: Vec<IntentItem>,
    /// Where it stands.
    pub intent: Intent,
    /// The word that the ledger keeps of that: `finished` once all its attempts have ended.
    pub word: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Complete listings in a row that showed no such batch.
    pub clean_listings: u32,
    /// When the first of them was made.
    pub clean_since: Option<Timestamp>,
    /// When a second batch of the same items was last looked for.
    pub checked_at: Option<Timestamp>,
    /// What went wrong.
    pub error: Option<String>,
}

impl StoredIntent {
    /// Its item ids.
    pub fn item_ids(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| item.item_id.as_str())
    }
}

/// Makes an intent and claims its items, all or nothing; false if another intent has one of them. Nothing is kept then.
///
/// # Errors
/// SQLite refuses.
pub fn begin(tx: &Transaction<'_>, new: &NewIntent, now: Timestamp) -> Result<bool, LedgerError> {
    let items_hash = set_hash(new.items.iter().map(|item| item.item_id.as_str()));
    let items = serde_json::to_string(&new.items)
        .map_err(|error| LedgerError::Unreadable { what: "item list", value: error.to_string() })?;
    tx.execute(
        "INSERT INTO intent (intent_id, plan_id, project_key, group_key, job_type, trigger, actor, reason, state, job_config,
             parameters_hash, items_hash, items, item_count, estimated_credits, created_at, api)
         SELECT ?1, ?2, p.project_key, g.group_key, ?5, ?6, ?7, ?8, 'planned', ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16
         FROM project p, error_group g WHERE p.name = ?3 AND g.group_id = ?4",
        params![
            new.intent_id,
            new.plan_id,
            new.project,
            new.group_id,
            new.job_type,
            new.trigger,
            new.actor,
            new.reason,
            new.job_config,
            new.parameters_hash,
            items_hash,
            items,
            u32::try_from(new.items.len()).unwrap_or(u32::MAX),
            new.credits,
            Millis(now),
            new.api.word(),
        ],
    )?;
    for item in &new.items {
        if !claim::take(tx, &item.item_id, &new.intent_id)? {
            claim::release_all(tx, &new.intent_id)?;
            tx.execute("DELETE FROM intent WHERE intent_id = ?1", [&new.intent_id])?;
            return Ok(false);
        }
    }
    Ok(true)
}

/// Keeps where an intent stands now; claims go when its state gives them back.
///
/// # Errors
/// SQLite refuses.
pub fn keep(
    tx: &Transaction<'_>,
    intent_id: &str,
    intent: &Intent,
    error: Option<&str>,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let batches = intent.state.batch_ids();
    let others = (batches.len() > 1).then(|| serde_json::json!(&batches[1..]).to_string());
    tx.prepare_cached(
        "UPDATE intent SET state = ?2, posting_at = ?3, batch_id = ?4, duplicate_batch_ids = ?5,
             error = coalesce(?6, error), settled_at = CASE WHEN ?7 THEN ?8 END,
             batches_known = CASE WHEN ?2 = 'posting' THEN (SELECT coalesce(max(batch_key), 0) FROM batch) ELSE batches_known END
         WHERE intent_id = ?1",
    )?
    .execute(params![
        intent_id,
        word(&intent.state),
        intent.posting_at.map(Millis),
        batches.first(),
        others,
        error,
        intent.state.releases(),
        Millis(now),
    ])?;
    if intent.state.releases() {
        claim::release_all(tx, intent_id)?;
    }
    Ok(())
}

/// Notes what was there before the POST of the one item of an intent.
///
/// # Errors
/// SQLite refuses.
pub fn note_before(tx: &Transaction<'_>, intent_id: &str, before: &PriorJobs) -> Result<(), LedgerError> {
    let before = serde_json::to_string(before)
        .map_err(|error| LedgerError::Unreadable { what: "jobs before a POST", value: error.to_string() })?;
    tx.execute(
        "UPDATE intent SET items = json_set(items, '$[0].before', json(?2)) WHERE intent_id = ?1",
        [intent_id, before.as_str()],
    )?;
    Ok(())
}

/// Notes a listing that was looked through for an intent: how many complete ones in a row showed nothing, and since when.
///
/// # Errors
/// SQLite refuses.
pub fn looked(tx: &Transaction<'_>, intent_id: &str, clean: u32, now: Timestamp) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "UPDATE intent SET clean_listings = ?2, checked_at = ?3,
             clean_since = CASE WHEN ?2 > 0 THEN coalesce(clean_since, ?3) END
         WHERE intent_id = ?1",
    )?
    .execute(params![intent_id, clean, Millis(now)])?;
    Ok(())
}

/// Notes that the API refused the one item of an intent alone; the newest refusal stays.
///
/// # Errors
/// SQLite refuses.
pub fn refuse_item(tx: &Transaction<'_>, intent_id: &str) -> Result<(), LedgerError> {
    tx.execute(
        "INSERT INTO refused_item (item_key, intent_id)
         SELECT i.item_key, n.intent_id FROM intent n, json_each(n.items) j JOIN item i ON i.item_id = j.value ->> 'item_id'
         WHERE n.intent_id = ?1 ON CONFLICT DO UPDATE SET intent_id = excluded.intent_id",
        [intent_id],
    )?;
    Ok(())
}

/// Notes that the API refused an intent and all others of its run: it was not the items, so the parameters are to blame.
///
/// # Errors
/// SQLite refuses.
pub fn blame_parameters(tx: &Transaction<'_>, intent_id: &str) -> Result<(), LedgerError> {
    tx.execute("UPDATE intent SET parameters_refused = 1 WHERE intent_id = ?1", [intent_id])?;
    Ok(())
}

/// Notes that all attempts of an intent have ended.
///
/// # Errors
/// SQLite refuses.
pub fn finish(tx: &Transaction<'_>, intent_id: &str, now: Timestamp) -> Result<(), LedgerError> {
    tx.prepare_cached("UPDATE intent SET state = 'finished', settled_at = ?2 WHERE intent_id = ?1")?
        .execute(params![intent_id, Millis(now)])?;
    claim::release_all(tx, intent_id)
}

const SELECT: &str = "SELECT n.intent_id, n.plan_id, p.name AS project,
        coalesce(s.group_id, '') AS group_id, n.job_type, n.trigger, n.actor,
        n.parameters_hash, n.items, n.state, n.posting_at, n.batch_id, n.duplicate_batch_ids,
        n.created_at, n.clean_listings, n.checked_at, n.error, n.reason, n.clean_since, n.api
     FROM intent n JOIN project p USING (project_key) LEFT JOIN error_group g ON g.group_key = n.group_key
     LEFT JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)";

/// Intents that are not over: planned, posting, unknown, or with attempts under way; oldest first.
///
/// # Errors
/// SQLite refuses, or a stored value cannot be read.
pub fn unsettled(connection: &Connection) -> Result<Vec<StoredIntent>, LedgerError> {
    select(connection, "WHERE n.state IN ('planned', 'posting', 'submitted', 'unknown') ORDER BY n.intent_id", ())
}

/// The newest intents, newest first.
///
/// # Errors
/// SQLite refuses, or a stored value cannot be read.
pub fn newest(connection: &Connection, most: u32) -> Result<Vec<StoredIntent>, LedgerError> {
    select(connection, "ORDER BY n.intent_id DESC LIMIT ?1", [most])
}

/// The intents of a plan, oldest first.
///
/// # Errors
/// SQLite refuses, or a stored value cannot be read.
pub fn of_plan(connection: &Connection, plan_id: &str) -> Result<Vec<StoredIntent>, LedgerError> {
    select(connection, "WHERE n.plan_id = ?1 ORDER BY n.created_at, n.intent_id", [plan_id])
}

/// The intent with this id; none if there is none.
///
/// # Errors
/// SQLite refuses, or a stored value cannot be read.
pub fn get(connection: &Connection, intent_id: &str) -> Result<Option<StoredIntent>, LedgerError> {
    Ok(select(connection, "WHERE n.intent_id = ?1", [intent_id])?.pop())
}

/// Every batch that belongs to some intent.
///
/// # Errors
/// SQLite refuses.
pub fn owned_batches(connection: &Connection) -> Result<std::collections::HashSet<String>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT batch_id FROM intent WHERE batch_id IS NOT NULL
         UNION SELECT j.value FROM intent n, json_each(n.duplicate_batch_ids) j WHERE n.duplicate_batch_ids IS NOT NULL",
    )?;
    let ids = statement.query_map((), |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// When the newest known failure of these items happened; none if none of them is known.
///
/// # Errors
/// SQLite refuses.
pub(crate) fn failed_at(connection: &Connection, item_ids: &[String]) -> Result<Option<Timestamp>, LedgerError> {
    let sql = "SELECT max(last_seen) FROM item WHERE item_id IN (SELECT value FROM json_each(?1))";
    let ids = serde_json::json!(item_ids).to_string();
    let at: Option<Millis> = connection.prepare_cached(sql)?.query_row([ids], |row| row.get(0))?;
    Ok(at.map(|at| at.0))
}

pub(crate) fn select(
    connection: &Connection,
    tail: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<StoredIntent>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} {tail}"))?;
    let rows = statement.query_map(parameters, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredIntent> {
    let time = |column| row.get::<_, Option<Millis>>(column).map(|at| at.map(|at| at.0));
    let word: String = row.get("state")?;
    let mut batch_ids: Vec<String> = row.get::<_, Option<String>>("batch_id")?.into_iter().collect();
    if let Some(others) = row.get::<_, Option<String>>("duplicate_batch_ids")? {
        batch_ids.extend(json::<Vec<String>>(row, "duplicate_batch_ids", &others)?);
    }
    Ok(StoredIntent {
        intent_id: row.get("intent_id")?,
        plan_id: row.get("plan_id")?,
        project: row.get("project")?,
        api: BatchApi::try_from(row.get_ref("api")?.as_str()?).unwrap_or(BatchApi::V1Beta),
        group_id: row.get("group_id")?,
        job_type: row.get("job_type")?,
        trigger: row.get("trigger")?,
        actor: row.get("actor")?,
        parameters_hash: row.get("parameters_hash")?,
        items: json(row, "items", row.get_ref("items")?.as_str()?)?,
        intent: Intent { state: state(&word, batch_ids), posting_at: time("posting_at")? },
        word,
        created_at: row.get::<_, Millis>("created_at")?.0,
        clean_listings: row.get("clean_listings")?,
        clean_since: time("clean_since")?,
        checked_at: time("checked_at")?,
        error: row.get("error")?,
        reason: row.get("reason")?,
    })
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str, text: &str) -> rusqlite::Result<T> {
    let index = row.as_ref().column_index(column)?;
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error)))
}

/// The ledger has one word for every state with a batch; the batches say which one it is.
fn word(state: &IntentState) -> &'static str {
    match state {
        IntentState::Submitted { .. } | IntentState::Adopted { .. } | IntentState::Duplicate { .. } => "submitted",
        other => other.name(),
    }
}

fn state(word: &str, mut batch_ids: Vec<String>) -> IntentState {
    match (word, batch_ids.len()) {
        ("planned", _) => IntentState::Planned,
        ("posting", _) => IntentState::Posting,
        ("rejected", _) => IntentState::Rejected,
        ("not_sent", _) => IntentState::NotSent,
        ("not_submitted", _) => IntentState::NotSubmitted,
        ("cancelled", _) => IntentState::Cancelled,
        ("submitted" | "finished", 1) => IntentState::Submitted { batch_id: batch_ids.remove(0) },
        ("submitted" | "finished", 2..) => IntentState::Duplicate { batch_ids },
        // The state from which nothing is posted and reconciliation looks: the safe reading of anything else.
        _ => IntentState::Unknown,
    }
}
