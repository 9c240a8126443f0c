//! Intents: the items of one POST. A row is on disk with its claims before the first byte is sent.
//!
//! An item belongs to at most one intent that is not over. Everything here fails if SQLite refuses or a stored value cannot be read.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;
use crate::model::batch_api::BatchApi;
use crate::model::prior_jobs::PriorJobs;
use crate::reprocess::policy::item::Item;
use crate::reprocess::policy::plan::set_hash;
use crate::reprocess::protocol::intent::IntentState;

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

/// An intent.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// A ULID.
    pub intent_id: String,
    /// The plan behind it.
    pub plan_id: Option<String>,
    /// The project's name.
    pub project: String,
    /// The API that it is posted through.
    pub api: BatchApi,
    /// The group that its items were in, as it is called today.
    pub group_id: String,
    /// The job type of the new batch.
    pub job_type: String,
    /// `auto`, `canary` or `manual`.
    pub trigger: String,
    /// A user, or `auto:…`.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// Hash of the parameters.
    pub parameters_hash: String,
    /// The items.
    pub items: Vec<IntentItem>,
    /// Where it stands.
    pub state: IntentState,
    /// When the POST was begun; none before.
    pub posting_at: Option<Timestamp>,
    /// The batches that do its work; none while that is not known.
    pub batch_ids: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the first of the complete listings was made that in a row showed no such batch.
    pub clean_since: Option<Timestamp>,
    /// When its batch, or a second one of the same items, was last looked for.
    pub checked_at: Option<Timestamp>,
    /// What went wrong.
    pub error: Option<String>,
}

impl Intent {
    /// A planned intent for work like that of this item; its items, and who wants it, are to be added.
    pub(crate) fn planned(item: &Item, api: BatchApi, now: Timestamp) -> Intent {
        Intent {
            intent_id: Ulid::generate().to_string(),
            plan_id: None,
            project: item.project.clone(),
            api,
            group_id: item.group_id.clone(),
            job_type: item.job_type.clone(),
            trigger: "auto".to_owned(),
            actor: String::new(),
            reason: None,
            parameters_hash: item.config_hash().or(item.failed_config_hash()).unwrap_or_default().to_owned(),
            items: Vec::new(),
            state: IntentState::Planned,
            posting_at: None,
            batch_ids: Vec::new(),
            created_at: now,
            clean_since: None,
            checked_at: None,
            error: None,
        }
    }

    /// Its item ids.
    pub fn item_ids(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(|item| item.item_id.as_str())
    }

    /// When it was posted, or made.
    pub(crate) fn sent_at(&self) -> Timestamp {
        self.posting_at.unwrap_or(self.created_at)
    }

    /// Whether it is not known, or never was, if a batch does its work.
    pub(crate) fn is_unclear(&self) -> bool {
        let is_open = matches!(self.state, IntentState::Posting | IntentState::Unknown | IntentState::Finished);
        is_open && self.batch_ids.is_empty()
    }
}

/// Makes a planned intent and claims its items, all or nothing; false if another intent has one of them. Nothing is kept then.
/// `job_config` is what is posted, without secrets; JSON. `credits` are what it is thought to cost.
pub fn begin(tx: &Transaction<'_>, new: &Intent, job_config: &str, credits: Option<f64>) -> Result<bool, LedgerError> {
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
            job_config,
            new.parameters_hash,
            set_hash(new.item_ids()),
            serde_json::json!(new.items).to_string(),
            u32::try_from(new.items.len()).unwrap_or(u32::MAX),
            credits,
            Millis(new.created_at),
            new.api.word(),
        ],
    )?;
    let mut claim = tx.prepare_cached(
        "INSERT INTO claim (item_key, intent_id) SELECT item_key, ?2 FROM item WHERE item_id = ?1
         ON CONFLICT (item_key) DO NOTHING",
    )?;
    for item_id in new.item_ids() {
        if claim.execute([item_id, &new.intent_id])? == 0 {
            release_claims(tx, &new.intent_id)?;
            tx.execute("DELETE FROM intent WHERE intent_id = ?1", [&new.intent_id])?;
            return Ok(false);
        }
    }
    Ok(true)
}

fn release_claims(tx: &Transaction<'_>, intent_id: &str) -> Result<(), LedgerError> {
    tx.prepare_cached("DELETE FROM claim WHERE intent_id = ?1")?.execute([intent_id])?;
    Ok(())
}

/// Gives one item of an intent back.
pub(crate) fn release(tx: &Transaction<'_>, item_key: i64, intent_id: &str) -> Result<(), LedgerError> {
    tx.prepare_cached("DELETE FROM claim WHERE item_key = ?1 AND intent_id = ?2")?
        .execute(params![item_key, intent_id])?;
    Ok(())
}

/// Keeps where an intent stands now, with its batches and what went wrong; claims are given back once it is over.
/// It is refused if the state that is kept does not lead there: in particular an intent is posted at most once.
pub fn keep(tx: &Transaction<'_>, intent: &Intent, now: Timestamp) -> Result<(), LedgerError> {
    let word: String =
        tx.query_row("SELECT state FROM intent WHERE intent_id = ?1", [&intent.intent_id], |row| row.get(0))?;
    if !state(&word).may_become(intent.state) {
        let value = format!("an intent that is {word} cannot be {}", intent.state);
        return Err(LedgerError::Unreadable { what: "intent", value });
    }
    let others = intent.batch_ids.get(1..).filter(|others| !others.is_empty());
    let is_over = intent.state.releases() || intent.state == IntentState::Finished;
    tx.prepare_cached(
        "UPDATE intent SET state = ?2, posting_at = ?3, batch_id = ?4, duplicate_batch_ids = ?5,
             error = coalesce(?6, error), settled_at = CASE WHEN ?7 THEN ?8 END,
             batches_known = CASE WHEN ?2 = 'posting' THEN (SELECT coalesce(max(batch_key), 0) FROM batch) ELSE batches_known END
         WHERE intent_id = ?1",
    )?
    .execute(params![
        intent.intent_id,
        <&str>::from(intent.state),
        intent.posting_at.map(Millis),
        intent.batch_ids.first(),
        others.map(|others| serde_json::json!(others).to_string()),
        intent.error,
        is_over,
        Millis(now),
    ])?;
    if is_over { release_claims(tx, &intent.intent_id) } else { Ok(()) }
}

/// Notes what was there before the POST of the one item of an intent.
pub(crate) fn note_before(tx: &Transaction<'_>, intent_id: &str, before: &PriorJobs) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE intent SET items = json_set(items, '$[0].before', json(?2)) WHERE intent_id = ?1",
        [intent_id, &serde_json::json!(before).to_string()],
    )?;
    Ok(())
}

/// Notes a listing that was looked through for an intent: whether it was complete and showed nothing.
pub(crate) fn looked(tx: &Transaction<'_>, intent_id: &str, clean: bool, now: Timestamp) -> Result<(), LedgerError> {
    tx.prepare_cached(
        "UPDATE intent SET clean_listings = CASE WHEN ?2 THEN clean_listings + 1 ELSE 0 END, checked_at = ?3,
             clean_since = CASE WHEN ?2 THEN coalesce(clean_since, ?3) END
         WHERE intent_id = ?1",
    )?
    .execute(params![intent_id, clean, Millis(now)])?;
    Ok(())
}

/// Notes that the API refused the one item of an intent alone; the newest refusal stays.
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
pub(crate) fn blame_parameters(tx: &Transaction<'_>, intent_id: &str) -> Result<(), LedgerError> {
    tx.execute("UPDATE intent SET parameters_refused = 1 WHERE intent_id = ?1", [intent_id])?;
    Ok(())
}

const SELECT: &str = "SELECT n.*, p.name AS project, coalesce(s.group_id, '') AS group_id
     FROM intent n JOIN project p USING (project_key) LEFT JOIN error_group g ON g.group_key = n.group_key
     LEFT JOIN error_group s ON s.group_key = coalesce(g.merged_into, g.group_key)";

/// Intents that are not over: planned, posting, unknown, or with attempts under way; oldest first.
pub fn unsettled(connection: &Connection) -> Result<Vec<Intent>, LedgerError> {
    select(connection, "WHERE n.state IN ('planned', 'posting', 'submitted', 'unknown') ORDER BY n.intent_id", ())
}

/// The newest intents, newest first.
pub(crate) fn newest(connection: &Connection, most: u32) -> Result<Vec<Intent>, LedgerError> {
    select(connection, "ORDER BY n.intent_id DESC LIMIT ?1", [most])
}

/// The intents of a plan, oldest first.
pub(crate) fn of_plan(connection: &Connection, plan_id: &str) -> Result<Vec<Intent>, LedgerError> {
    select(connection, "WHERE n.plan_id = ?1 ORDER BY n.created_at, n.intent_id", [plan_id])
}

/// The intent with this id; none if there is none.
pub fn get(connection: &Connection, intent_id: &str) -> Result<Option<Intent>, LedgerError> {
    Ok(select(connection, "WHERE n.intent_id = ?1", [intent_id])?.pop())
}

/// That an intent `e` was posted and then given up, by the service or by a person.
const GIVEN_UP: &str = "(e.state = 'not_submitted' OR (e.state = 'finished' AND e.batch_id IS NULL))";

/// Intents that are finished and were posted since, each with the earlier one of the same items that was given up: the batch
/// of that one may still show up.
pub(crate) fn after_given_up(connection: &Connection, since: Timestamp) -> Result<Vec<(Intent, Intent)>, LedgerError> {
    let tail = format!(
        "WHERE n.state = 'finished' AND n.batch_id IS NOT NULL AND n.duplicate_batch_ids IS NULL AND n.posting_at >= ?1
            AND n.items_hash IN (SELECT e.items_hash FROM intent e WHERE {GIVEN_UP}) ORDER BY n.intent_id"
    );
    let mut doubtful = Vec::new();
    for later in select(connection, &tail, [Millis(since)])? {
        let earlier = given_up_before(connection, &later.intent_id)?;
        doubtful.extend(earlier.map(|earlier| (later, earlier)));
    }
    Ok(doubtful)
}

/// The newest earlier intent of exactly the same items that was posted and then given up, because no batch of it was found.
pub(crate) fn given_up_before(connection: &Connection, intent_id: &str) -> Result<Option<Intent>, LedgerError> {
    let tail = format!(
        "WHERE n.intent_id = (SELECT max(e.intent_id) FROM intent l JOIN intent e USING (project_key, items_hash, job_type)
             WHERE l.intent_id = ?1 AND e.intent_id < ?1 AND {GIVEN_UP})"
    );
    Ok(select(connection, &tail, [intent_id])?.pop())
}

/// Projects with the number of their newest tries, none older than `since`, that made no batch and were not refused either.
/// Nothing was tried where a document lacks what its request needs: that says nothing about the project.
pub(crate) fn unheard(connection: &Connection, since: Timestamp) -> Result<Vec<(String, u32)>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT p.name, count(*) FROM intent n JOIN project p USING (project_key)
         WHERE n.state IN ('not_submitted', 'not_sent') AND n.intent_id NOT IN (SELECT intent_id FROM refused_item)
             AND n.posting_at > max(?1, coalesce((
             SELECT max(y.posting_at) FROM intent y WHERE y.project_key = n.project_key AND y.posting_at > ?1
                 AND y.state IN ('submitted', 'finished', 'rejected')), 0))
         GROUP BY 1 ORDER BY 1",
    )?;
    let rows = statement.query_map([Millis(since)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Every batch that belongs to some intent.
pub(crate) fn owned_batches(connection: &Connection) -> Result<HashSet<String>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT batch_id FROM intent WHERE batch_id IS NOT NULL
         UNION SELECT j.value FROM intent n, json_each(n.duplicate_batch_ids) j WHERE n.duplicate_batch_ids IS NOT NULL",
    )?;
    let ids = statement.query_map((), |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// When the newest known failure of these items happened; none if none of them is known.
pub(crate) fn failed_at(connection: &Connection, item_ids: &[String]) -> Result<Option<Timestamp>, LedgerError> {
    let sql = "SELECT max(last_seen) FROM item WHERE item_id IN (SELECT value FROM json_each(?1))";
    let ids = serde_json::json!(item_ids).to_string();
    let at: Option<Millis> = connection.prepare_cached(sql)?.query_row([ids], |row| row.get(0))?;
    Ok(at.map(|at| at.0))
}

fn select(connection: &Connection, tail: &str, parameters: impl rusqlite::Params) -> Result<Vec<Intent>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} {tail}"))?;
    let rows = statement.query_map(parameters, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Intent> {
    let time = |column| row.get::<_, Option<Millis>>(column).map(|at| at.map(|at| at.0));
    let mut batch_ids: Vec<String> = row.get::<_, Option<String>>("batch_id")?.into_iter().collect();
    batch_ids.extend(json::<Vec<String>>(row, "duplicate_batch_ids")?.unwrap_or_default());
    Ok(Intent {
        intent_id: row.get("intent_id")?,
        plan_id: row.get("plan_id")?,
        project: row.get("project")?,
        api: BatchApi::try_from(row.get_ref("api")?.as_str()?).unwrap_or(BatchApi::V1Beta),
        group_id: row.get("group_id")?,
        job_type: row.get("job_type")?,
        trigger: row.get("trigger")?,
        actor: row.get("actor")?,
        reason: row.get("reason")?,
        parameters_hash: row.get("parameters_hash")?,
        items: json(row, "items")?.unwrap_or_default(),
        state: state(row.get_ref("state")?.as_str()?),
        posting_at: time("posting_at")?,
        batch_ids,
        created_at: row.get::<_, Millis>("created_at")?.0,
        clean_since: time("clean_since")?,
        checked_at: time("checked_at")?,
        error: row.get("error")?,
    })
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
    let index = row.as_ref().column_index(column)?;
    let text: Option<String> = row.get(index)?;
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, Box::new(error)))
}

/// The state from which nothing is posted and reconciliation looks is the safe reading of a word of the future.
fn state(word: &str) -> IntentState {
    IntentState::try_from(word).unwrap_or(IntentState::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::{Seed, t};

    #[test]
    fn a_document_that_lacks_what_its_request_needs_says_nothing_about_its_project() {
        let mut seed = Seed::new();
        seed.batch("b", "completed");
        seed.fail("g-1", "b", 3, t(0));
        for n in 1..=3 {
            seed.retried("g-1", n, "unknown", "h", 0);
        }
        seed.run(
            "UPDATE intent SET state = 'not_sent', items = '[{\"item_id\": \"g-1-' || substr(intent_id, 2) || '\"}]'",
            (),
        );
        assert_eq!(unheard(&seed.connection, t(0)).unwrap(), [("prod".to_owned(), 3)]);
        seed.write(|tx| ["i1", "i2", "i3"].map(|id| refuse_item(tx, id).unwrap()));
        assert_eq!(unheard(&seed.connection, t(0)).unwrap(), []);
    }
}
