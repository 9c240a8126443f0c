//! `report digests`, `report deliveries`, `report audit`.

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use crate::report::history::{AuditRow, DeliveryRow, DigestRow};
use crate::report::store::error::QueryError;
use crate::report::store::selection::clause::Clause;
use crate::report::store::selection::view::ReportView;
use crate::report::store::value;

/// The digests that match, newest first.
pub(crate) fn digests(view: &ReportView<'_>) -> Result<Vec<DigestRow>, QueryError> {
    let mut clause = Clause::all();
    within(view, &mut clause, "d.created_at");
    clause.one_of_keys("d.digest_id IN (SELECT digest_id FROM digest_item WHERE group_key", &view.group_keys, ")");
    let mut statement = view.connection.prepare(&format!(
        "SELECT d.digest_id, d.created_at, d.scheduled, d.reasons,
                (SELECT count(DISTINCT group_key) FROM digest_item n WHERE n.digest_id = d.digest_id) AS group_count,
                coalesce(v.sent, 0) AS sent, coalesce(v.pending, 0) AS pending, coalesce(v.dead, 0) AS dead
         FROM digest d LEFT JOIN (
             SELECT digest_id, sum(state = 'sent') AS sent, sum(state IN ('pending', 'sending')) AS pending,
                    sum(state = 'dead') AS dead FROM delivery GROUP BY digest_id) v
         ON v.digest_id = d.digest_id
         WHERE {} ORDER BY d.created_at DESC, d.digest_id DESC LIMIT {}",
        clause.text(),
        view.filter.sql_limit()
    ))?;
    let rows = statement.query_map(params_from_iter(clause.values()), |row| {
        let reasons: String = row.get("reasons")?;
        let reasons = reasons.split(',').map(str::trim).filter(|reason| !reason.is_empty());
        Ok(DigestRow {
            digest_id: row.get("digest_id")?,
            created_at: value::time(row, "created_at")?,
            scheduled: row.get("scheduled")?,
            reasons: reasons.map(str::to_owned).collect(),
            groups: value::count(row, "group_count")?,
            sent: value::count(row, "sent")?,
            pending: value::count(row, "pending")?,
            dead: value::count(row, "dead")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The deliveries that match, newest first. Superseded ones, whose news a newer delivery took along,
/// are left out unless asked for.
pub(crate) fn deliveries(view: &ReportView<'_>) -> Result<Vec<DeliveryRow>, QueryError> {
    let mut clause = Clause::all();
    within(view, &mut clause, "created_at");
    if view.filter.state.is_empty() {
        clause.and("state <> 'superseded'", []);
    }
    clause.one_of("state", &view.filter.state, "");
    if view.filter.failed {
        clause.and("(state = 'dead' OR state <> 'sent' AND last_error IS NOT NULL)", []);
    }
    select_deliveries(view, &clause)
}

/// All deliveries of one digest, newest first.
pub(crate) fn deliveries_of(view: &ReportView<'_>, digest_id: &str) -> Result<Vec<DeliveryRow>, QueryError> {
    let mut clause = Clause::all();
    clause.and("digest_id = ?", [Value::from(digest_id.to_owned())]);
    select_deliveries(view, &clause)
}

fn select_deliveries(view: &ReportView<'_>, clause: &Clause) -> Result<Vec<DeliveryRow>, QueryError> {
    let mut statement = view.connection.prepare(&format!(
        "SELECT delivery_id, digest_id, channel, state, attempts, last_error, created_at, sent_at,
                CASE WHEN state = 'pending' THEN not_before END AS next_try_at, superseded_by
         FROM delivery WHERE {} ORDER BY created_at DESC, delivery_id LIMIT {}",
        clause.text(),
        view.filter.sql_limit()
    ))?;
    let rows = statement.query_map(params_from_iter(clause.values()), |row| {
        Ok(DeliveryRow {
            delivery_id: row.get("delivery_id")?,
            digest_id: row.get("digest_id")?,
            channel: row.get("channel")?,
            state: row.get("state")?,
            attempts: value::count(row, "attempts")?,
            last_error: row.get("last_error")?,
            created_at: value::time(row, "created_at")?,
            sent_at: value::maybe_time(row, "sent_at")?,
            next_try_at: value::maybe_time(row, "next_try_at")?,
            superseded_by: row.get("superseded_by")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The lines of the audit log that match, newest first.
pub(crate) fn audit(view: &ReportView<'_>) -> Result<Vec<AuditRow>, QueryError> {
    let mut clause = Clause::all();
    within(view, &mut clause, "at");
    clause.one_of_keys("subject IN (SELECT group_id FROM error_group WHERE group_key", &view.group_keys, ")");
    if view.filter.matching.is_some() {
        let all = "coalesce(actor, '') || ' ' || action || ' ' || subject || ' ' || coalesce(reason, '')";
        clause.and(&format!("matches({all})"), []);
    }
    select_audit(view, &clause)
}

fn select_audit(view: &ReportView<'_>, clause: &Clause) -> Result<Vec<AuditRow>, QueryError> {
    let mut statement = view.connection.prepare(&format!(
        "SELECT audit_id, at, actor, action, subject, reason, detail FROM audit
         WHERE {} ORDER BY at DESC, audit_id DESC LIMIT {}",
        clause.text(),
        view.filter.sql_limit()
    ))?;
    let rows = statement.query_map(params_from_iter(clause.values()), |row| {
        Ok(AuditRow {
            audit_id: row.get("audit_id")?,
            at: value::time(row, "at")?,
            actor: row.get("actor")?,
            action: row.get("action")?,
            subject: row.get("subject")?,
            reason: row.get("reason")?,
            detail: row.get("detail")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn within(view: &ReportView<'_>, clause: &mut Clause, column: &str) {
    if let Some(window) = view.window() {
        let ends = [window.since, window.until].map(|t| Value::from(t.as_millisecond()));
        clause.and(&format!("{column} >= ? AND {column} < ?"), ends);
    }
}

/// A line of the audit log; none if there is no such number.
pub(crate) fn audit_line(view: &ReportView<'_>, audit_id: i64) -> Result<Option<AuditRow>, QueryError> {
    let mut clause = Clause::all();
    clause.and("audit_id = ?", [Value::from(audit_id)]);
    Ok(select_audit(view, &clause)?.pop())
}
