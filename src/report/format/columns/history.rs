//! Columns of what happened over time, and of free SQL.

use crate::report::format::ReportError;
use crate::report::format::columns::lists::column;
use crate::report::format::sheet::{Cell, Choice, Column, Head, Sheet, Tone};
use crate::report::history::{
    AttemptRow, AuditRow, DeliveryRow, DigestRow, MttrRow, RetryRow, SqlRow, SqlValue, TrendRow,
};

/// Columns of trends.
pub(crate) const TREND: &[Column<TrendRow>] = &[
    column("from", "from", |row| Cell::Time(row.from)),
    column("to", "", |row| Cell::Time(row.to)),
    column("key", "by", |row| Cell::maybe(&row.key)),
    column("failures", "failures", |row| Cell::Count(row.failures)),
];

/// Columns of attempts.
pub(crate) const ATTEMPTS: &[Column<AttemptRow>] = &[
    column("attempt_id", "", |row| Cell::Text(row.attempt_id.clone())),
    column("started_at", "began", |row| Cell::Age(row.started_at)),
    column("item_id", "item", |row| Cell::Text(row.item_id.clone())),
    column("group_id", "group", |row| Cell::Text(row.group_id.clone())),
    column("n", "try", |row| Cell::Count(row.n)),
    column("trigger", "trigger", |row| Cell::Text(row.trigger.clone())),
    column("outcome", "outcome", |row| outcome(&row.outcome)),
    column("batch_id", "batch", |row| Cell::maybe(&row.batch_id)),
    column("actor", "by", |row| Cell::Text(row.actor.clone())),
    column("intent_id", "", |row| Cell::Text(row.intent_id.clone())),
    column("finished_at", "", |row| Cell::maybe_time(row.finished_at)),
    column("job_id", "", |row| Cell::maybe(&row.job_id)),
    column("group_after", "", |row| Cell::maybe(&row.group_after)),
    column("credits", "", |row| row.credits.map_or(Cell::None, Cell::Real)),
    column("billed", "", |row| row.billed.map_or(Cell::None, Cell::Real)),
    column("reason", "", |row| Cell::maybe(&row.reason)),
];

/// Columns of attempts put together.
pub(crate) const RETRIES: &[Column<RetryRow>] = &[
    column("key", "by", |row| Cell::Text(row.key.clone())),
    column("attempts", "attempts", |row| Cell::Count(row.attempts)),
    column("recovered", "recovered", |row| Cell::Count(row.recovered)),
    column("failed_same", "same", |row| Cell::Count(row.failed_same)),
    column("failed_differently", "different", |row| Cell::Count(row.failed_differently)),
    column("running", "running", |row| Cell::Count(row.running)),
    column("unknown", "unknown", |row| Cell::Count(row.unknown)),
    column("ended_otherwise", "other", |row| Cell::Count(row.ended_otherwise)),
    column("success_rate", "success", |row| row.success_rate.map_or(Cell::None, Cell::Share)),
    column("credits", "", |row| row.credits.map_or(Cell::None, Cell::Real)),
    column("billed", "billed", |row| row.billed.map_or(Cell::None, Cell::Real)),
    column("credits_per_recovery", "credits each", |row| row.credits_per_recovery.map_or(Cell::None, Cell::Real)),
    column("title", "error", |row| Cell::maybe(&row.title)),
];

/// Columns of recovery times.
pub(crate) const MTTR: &[Column<MttrRow>] = &[
    column("key", "by", |row| Cell::Text(row.key.clone())),
    column("recovered", "recovered", |row| Cell::Count(row.recovered)),
    column("median_seconds", "median", |row| row.median_seconds.map_or(Cell::None, Cell::Seconds)),
    column("p90_seconds", "p90", |row| row.p90_seconds.map_or(Cell::None, Cell::Seconds)),
    column("ended_otherwise", "other end", |row| Cell::Count(row.ended_otherwise)),
    column("open", "open", |row| Cell::Count(row.open)),
    column("oldest_open_seconds", "oldest open", |row| row.oldest_open_seconds.map_or(Cell::None, Cell::Seconds)),
    column("title", "error", |row| Cell::maybe(&row.title)),
];

/// Columns of digests.
pub(crate) const DIGESTS: &[Column<DigestRow>] = &[
    column("digest_id", "digest", |row| Cell::Text(row.digest_id.clone())),
    column("created_at", "decided", |row| Cell::Age(row.created_at)),
    column("scheduled", "daily", |row| Cell::Flag(row.scheduled)),
    column("reasons", "reasons", |row| Cell::Text(row.reasons.join(","))),
    column("groups", "groups", |row| Cell::Count(row.groups)),
    column("sent", "sent", |row| Cell::Count(row.sent)),
    column("pending", "pending", |row| Cell::Count(row.pending)),
    column("dead", "undeliverable", |row| Cell::Count(row.dead)),
];

/// Columns of deliveries.
pub(crate) const DELIVERIES: &[Column<DeliveryRow>] = &[
    column("delivery_id", "", |row| Cell::Text(row.delivery_id.clone())),
    column("digest_id", "digest", |row| Cell::Text(row.digest_id.clone())),
    column("channel", "channel", |row| Cell::Text(row.channel.clone())),
    column("state", "state", |row| delivery_state(&row.state)),
    column("attempts", "tries", |row| Cell::Count(row.attempts)),
    column("created_at", "decided", |row| Cell::Age(row.created_at)),
    column("sent_at", "sent", |row| row.sent_at.map_or(Cell::None, Cell::Age)),
    column("next_try_at", "next try", |row| Cell::maybe_time(row.next_try_at)),
    column("last_error", "error", |row| Cell::maybe(&row.last_error)),
    column("superseded_by", "", |row| Cell::maybe(&row.superseded_by)),
];

/// Columns of the audit log.
pub(crate) const AUDIT: &[Column<AuditRow>] = &[
    column("audit_id", "", |row| Cell::Integer(row.audit_id)),
    column("at", "when", |row| Cell::Time(row.at)),
    column("actor", "who", |row| Cell::Text(row.actor.clone())),
    column("action", "did", |row| Cell::Text(row.action.clone())),
    column("subject", "to", |row| Cell::Text(row.subject.clone())),
    column("reason", "why", |row| Cell::maybe(&row.reason)),
    column("detail", "", |row| Cell::maybe(&row.detail)),
];

/// The sheet of free SQL: its columns are known only when it has run.
pub(crate) fn sql(names: &[String], rows: &[SqlRow], choice: Choice<'_>) -> Result<Sheet, ReportError> {
    let chosen: Vec<usize> = match choice {
        Choice::All | Choice::Usual => (0..names.len()).collect(),
        Choice::These(wanted) => wanted
            .iter()
            .map(|name| {
                let place = names.iter().position(|known| known == name.trim());
                place.ok_or_else(|| ReportError::Column { name: name.clone(), known: names.join(", ") })
            })
            .collect::<Result<_, _>>()?,
    };
    let cell = |value: &SqlValue| match value {
        SqlValue::Null => Cell::None,
        SqlValue::Integer(integer) => Cell::Integer(*integer),
        SqlValue::Real(real) => Cell::Real(*real),
        SqlValue::Text(text) => Cell::Text(text.clone()),
    };
    Ok(Sheet {
        title: String::new(),
        columns: chosen
            .iter()
            .map(|index| Head { name: names[*index].clone(), label: names[*index].clone(), gives_way: true })
            .collect(),
        rows: rows.iter().map(|row| chosen.iter().map(|index| cell(&row.fields[*index].1)).collect()).collect(),
        empty: "no rows",
        cut: None,
    })
}

fn outcome(word: &str) -> Cell {
    match word {
        "recovered" => Cell::Word("recovered", Tone::Good),
        "already_processed" => Cell::Word("already_processed", Tone::Good),
        "failed_same" => Cell::Word("failed_same", Tone::Bad),
        "failed_differently" => Cell::Word("failed_differently", Tone::Bad),
        "running" => Cell::Word("running", Tone::Warn),
        "unknown" => Cell::Word("unknown", Tone::Warn),
        word => Cell::Text(word.to_owned()),
    }
}

fn delivery_state(word: &str) -> Cell {
    match word {
        "sent" => Cell::Word("sent", Tone::Good),
        "dead" => Cell::Word("dead", Tone::Bad),
        "pending" => Cell::Word("pending", Tone::Warn),
        "sending" => Cell::Word("sending", Tone::Warn),
        word => Cell::Text(word.to_owned()),
    }
}
