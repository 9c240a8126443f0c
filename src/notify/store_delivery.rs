//! The outbox: one delivery for each digest and channel, claimed with a lease, sent at least once.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::fault;
use crate::ledger::time::Millis;
use crate::model::text::count;
use crate::notify::outbox::{DeliveryResult, DeliveryTry, Fate, is_carried, jitter, next_state};
use crate::triage::digest::model::Digest;
use crate::triage::store::digest;

/// Longer than the longest single try, so that no one else takes a delivery that is under way.
pub(crate) const LEASE: SignedDuration = SignedDuration::from_mins(15);

/// For so long the news of a dead delivery is part of the channel's next digest; later no one takes it for news.
pub(crate) const CARRIED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A delivery that this process may send now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Claimed {
    /// The same on every try.
    pub delivery_id: String,
    /// The channel.
    pub channel: String,
    /// What to render, frozen.
    pub content: Digest,
    /// Which try this is, from 1.
    pub attempts: u32,
    /// An earlier try may have arrived.
    pub uncertain: bool,
    /// How much smaller it must be rendered.
    pub tier: u8,
    /// Whether the digest pages.
    pub page: bool,
    /// Recipients or events that are done.
    pub done: Vec<String>,
}

/// How many deliveries were tried, did not arrive, and are tried again.
pub(crate) fn count_waiting(connection: &Connection) -> Result<u32, LedgerError> {
    let waiting = "SELECT count(*) FROM delivery WHERE state = 'pending' AND attempts > 0";
    Ok(connection.prepare_cached(waiting)?.query_row([], |row| row.get(0))?)
}

/// What a channel would be sent next, whenever that is; none if nothing waits for it.
pub fn next_content(connection: &Connection, channel: &str) -> Result<Option<Digest>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT content FROM delivery WHERE channel = ?1 AND state = 'pending' ORDER BY created_at DESC LIMIT 1",
    )?;
    let content: Option<String> = statement.query_row([channel], |row| row.get(0)).optional()?;
    content.as_deref().map(digest::deserialize).transpose()
}

/// Takes the channel's oldest due delivery and marks it as being sent; none if there is none or one is under way.
///
/// A try whose lease ran out counts as one that may have arrived. During quiet hours only paging ones are taken, and none
/// that `waits`, which is asked whether a scheduled digest is in it and when it was decided.
pub(crate) fn claim(
    tx: &Transaction<'_>,
    channel: &str,
    page_only: bool,
    waits: impl Fn(bool, Timestamp) -> bool,
    now: Timestamp,
) -> Result<Option<Claimed>, LedgerError> {
    let mut statement = tx.prepare_cached(
        "SELECT delivery_id, content, attempts, uncertain OR state = 'sending' AS uncertain, tier, done, page, created_at FROM delivery
         WHERE channel = ?1 AND (page = 1 OR ?2 = 0)
           AND ((state = 'pending' AND not_before <= ?3) OR (state = 'sending' AND lease_until <= ?3))
           AND NOT EXISTS (SELECT 1 FROM delivery b WHERE b.channel = ?1 AND b.state = 'sending' AND b.lease_until > ?3)
         ORDER BY created_at, delivery_id LIMIT 1",
    )?;
    let Some(found) = statement.query_row(params![channel, page_only, Millis(now)], stored).optional()? else {
        return Ok(None);
    };
    let content = digest::deserialize(&found.content)?;
    if waits(content.scheduled, found.created_at) {
        return Ok(None);
    }
    let attempts = found.attempts + 1;
    tx.prepare_cached(
        "UPDATE delivery SET state = 'sending', attempts = ?2, lease_until = ?3, uncertain = ?4 WHERE delivery_id = ?1",
    )?
    .execute(params![found.delivery_id, attempts, Millis(now + LEASE), found.uncertain])?;
    let done = serde_json::from_str(&found.done)
        .map_err(|_| LedgerError::Unreadable { what: "list of done recipients", value: found.done })?;
    Ok(Some(Claimed {
        delivery_id: found.delivery_id,
        channel: channel.to_owned(),
        content,
        attempts,
        uncertain: found.uncertain,
        tier: found.tier,
        page: found.page,
        done,
    }))
}

struct StoredDelivery {
    delivery_id: String,
    content: String,
    attempts: u32,
    uncertain: bool,
    tier: u8,
    done: String,
    page: bool,
    created_at: Timestamp,
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredDelivery> {
    Ok(StoredDelivery {
        delivery_id: row.get("delivery_id")?,
        content: row.get("content")?,
        attempts: row.get("attempts")?,
        uncertain: row.get("uncertain")?,
        tier: row.get("tier")?,
        done: row.get("done")?,
        page: row.get("page")?,
        created_at: row.get::<_, Millis>("created_at")?.0,
    })
}

/// Records what a try came to, and returns what becomes of the delivery.
///
/// A dead delivery becomes a worker fault, which is reported through the other channels with what was `missed`; one that
/// arrives ends it.
pub(crate) fn record(
    tx: &Transaction<'_>,
    claimed: &Claimed,
    answer: &DeliveryResult,
    missed: &str,
    now: Timestamp,
) -> Result<Fate, LedgerError> {
    let tried = DeliveryTry {
        attempts: claimed.attempts,
        tier: claimed.tier,
        page: claimed.page,
        uncertain: claimed.uncertain,
        jitter: jitter(&claimed.delivery_id, claimed.attempts),
    };
    let fate = next_state(answer, &tried, now);
    let fault = format!("delivery:{}", claimed.channel);
    match &fate {
        Fate::Sent => {
            record_result(tx, &claimed.delivery_id, "sent", Some(now))?;
            fault::clear(tx, &fault, now)?;
            raise_refused_fault(tx, claimed, answer, now)?;
        }
        Fate::Dead => {
            record_result(tx, &claimed.delivery_id, "dead", None)?;
            let carried = is_carried(answer, &claimed.done);
            if carried {
                tx.execute(
                    "UPDATE delivery SET lease_until = ?2 WHERE delivery_id = ?1",
                    params![claimed.delivery_id, Millis(now + CARRIED)],
                )?;
            }
            let error = error_of(answer).unwrap_or("no answer");
            let later = match carried {
                true => "its next digest includes the missed news; send it now with `llama-triage digest --now`",
                false => "this digest is not sent to it again, later ones are; `llama-triage report` has the same news",
            };
            let text = format!(
                "Channel {} did not get {} ({missed}) in {}: {error}. Fix the channel and test it with `llama-triage notify test {}`; {later}.",
                claimed.channel,
                claimed.content.digest_id,
                count(u64::from(claimed.attempts), "try", "tries"),
                claimed.channel
            );
            fault::raise(tx, &fault, &text, now)?;
        }
        Fate::Again { at, tier } => {
            tx.execute(
                "UPDATE delivery SET state = 'pending', lease_until = NULL, not_before = ?2, tier = ?3 WHERE delivery_id = ?1",
                params![claimed.delivery_id, Millis(*at), tier],
            )?;
        }
    }
    note_answer(tx, claimed, answer)?;
    Ok(fate)
}

/// Someone on the list who never gets digests does not know it: the others get the news of it.
fn raise_refused_fault(
    tx: &Transaction<'_>,
    claimed: &Claimed,
    answer: &DeliveryResult,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let fault = format!("recipients:{}", claimed.channel);
    match answer {
        DeliveryResult::Arrived { refused, .. } if !refused.is_empty() => {
            let text = format!(
                "Channel {} accepted only part of {}: {}. Fix its `to` or the cause above, then test it with `llama-triage notify test {}`.",
                claimed.channel,
                claimed.content.digest_id,
                refused.join("; "),
                claimed.channel
            );
            fault::raise(tx, &fault, &text, now)
        }
        _ => fault::clear(tx, &fault, now),
    }
}

fn record_result(
    tx: &Transaction<'_>,
    delivery_id: &str,
    state: &str,
    sent_at: Option<Timestamp>,
) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE delivery SET state = ?2, lease_until = NULL, sent_at = ?3 WHERE delivery_id = ?1",
        params![delivery_id, state, sent_at.map(Millis)],
    )?;
    Ok(())
}

/// Keeps what the peer said, who is done, and whether the digest may have arrived.
fn note_answer(tx: &Transaction<'_>, claimed: &Claimed, answer: &DeliveryResult) -> Result<(), LedgerError> {
    let (said, refused) = match answer {
        DeliveryResult::Arrived { answer, refused } => (Some(answer.as_str()), refused.join("; ")),
        _ => (None, String::new()),
    };
    let (done, arrived) = match answer {
        DeliveryResult::Later { done, may_have_arrived, .. } => (Some(done), *may_have_arrived),
        DeliveryResult::TooLarge { done, .. } => (Some(done), false),
        _ => (None, false),
    };
    let mut all_done = claimed.done.clone();
    all_done.extend(done.into_iter().flatten().filter(|one| !claimed.done.contains(one)).cloned());
    let error = error_of(answer).map(str::to_owned).or_else(|| (!refused.is_empty()).then_some(refused));
    tx.execute(
        "UPDATE delivery SET provider_answer = coalesce(?2, provider_answer), last_error = coalesce(?3, last_error),
           uncertain = ?4, done = ?5 WHERE delivery_id = ?1",
        params![
            claimed.delivery_id,
            said,
            error,
            claimed.uncertain || arrived,
            serde_json::to_string(&all_done).unwrap_or_else(|_| "[]".to_owned())
        ],
    )?;
    Ok(())
}

fn error_of(answer: &DeliveryResult) -> Option<&str> {
    match answer {
        DeliveryResult::Arrived { .. } => None,
        DeliveryResult::Later { error, .. }
        | DeliveryResult::TooLarge { error, .. }
        | DeliveryResult::Never { error, .. } => Some(error),
    }
}

/// Frees what an earlier process was sending when it died: it is sent again at once, as one that may have arrived.
///
/// Only for the start of a process that holds the ledger's lock. Returns how many there were.
pub(crate) fn requeue_interrupted(tx: &Transaction<'_>, now: Timestamp) -> Result<usize, LedgerError> {
    Ok(tx.execute(
        "UPDATE delivery SET state = 'pending', uncertain = 1, lease_until = NULL, not_before = ?1 WHERE state = 'sending'",
        [Millis(now)],
    )?)
}

/// Dates what waits unsent, was never tried, and was decided by a clock that was ahead: no digest has a date in the future.
/// Returns how many there were.
pub(crate) fn redate(tx: &Transaction<'_>, limit: Timestamp, now: Timestamp) -> Result<usize, LedgerError> {
    let mut statement = tx.prepare_cached(
        "SELECT delivery_id, content FROM delivery
         WHERE state = 'pending' AND attempts = 0 AND created_at > ?1",
    )?;
    let waiting = statement.query_map([Millis(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let waiting = waiting.collect::<Result<Vec<(String, String)>, _>>()?;
    for (delivery_id, content) in &waiting {
        let mut content = digest::deserialize(content)?;
        content.redate(now);
        let sql = "UPDATE delivery SET content = ?2 WHERE delivery_id = ?1";
        tx.execute(sql, [delivery_id, &digest::serialize(&content)?])?;
    }
    Ok(waiting.len())
}

/// Channels whose newest settled delivery is dead, by name; none of those that the configuration no longer has.
pub(crate) fn dead_channels(connection: &Connection) -> Result<Vec<String>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT channel FROM delivery d WHERE state = 'dead' AND created_at =
           (SELECT max(created_at) FROM delivery n WHERE n.channel = d.channel AND n.state IN ('sent', 'dead'))
           AND channel NOT IN (SELECT name FROM channel WHERE gone_at IS NOT NULL)
         GROUP BY channel ORDER BY channel",
    )?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names)
}
