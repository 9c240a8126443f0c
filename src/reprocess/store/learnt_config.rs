//! Job configurations learnt from the API, stripped by the allow-list before they come here.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::Millis;

/// What is known of the configuration that a batch ran with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LearntConfig {
    /// JSON; or why no usable one can be had.
    pub config: Result<String, String>,
    /// Parameters that were left out of it although they may decide the result.
    pub lost: Vec<String>,
    /// When the API was asked.
    pub learnt_at: Timestamp,
}

/// What was learnt about a batch; none if it was not asked for yet.
pub(crate) fn get(connection: &Connection, project: &str, batch_id: &str) -> Result<Option<LearntConfig>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT l.job_config, coalesce(l.why, '') AS why, l.lost, l.learnt_at
         FROM learnt_config l JOIN project p USING (project_key) WHERE p.name = ?1 AND l.scope = ?2",
    )?;
    let found = statement.query_row([project, batch_id], |row| {
        let (lost, why): (Option<String>, String) = (row.get("lost")?, row.get("why")?);
        Ok(LearntConfig {
            config: row.get::<_, Option<String>>("job_config")?.ok_or(why),
            lost: lost.and_then(|names| serde_json::from_str(&names).ok()).unwrap_or_default(),
            learnt_at: row.get::<_, Millis>("learnt_at")?.0,
        })
    });
    Ok(found.optional()?)
}

/// Keeps what was learnt about a batch.
pub(crate) fn keep(
    tx: &Transaction<'_>,
    project: &str,
    batch_id: &str,
    learnt: &LearntConfig,
) -> Result<(), LedgerError> {
    let lost = (!learnt.lost.is_empty()).then(|| serde_json::json!(learnt.lost).to_string());
    tx.prepare_cached(
        "INSERT INTO learnt_config (project_key, scope, job_config, why, lost, learnt_at)
         SELECT project_key, ?2, ?3, ?4, ?5, ?6 FROM project WHERE name = ?1
         ON CONFLICT (project_key, scope) DO UPDATE SET job_config = ?3, why = ?4, lost = ?5, learnt_at = ?6",
    )?
    .execute(params![
        project,
        batch_id,
        learnt.config.as_ref().ok(),
        learnt.config.as_ref().err(),
        lost,
        Millis(learnt.learnt_at)
    ])?;
    Ok(())
}
