//! Silences: stored, listed, ended, and held against the open items of a group.

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};

use crate::ledger::error::LedgerError;
use crate::ledger::time::{Count, Millis};
use crate::triage::silence::{CompiledMatcher, ItemView, Matcher};

/// A silence as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Silence {
    /// Its number.
    pub silence_id: i64,
    /// What it covers.
    pub matcher: Matcher,
    /// Who asked for it.
    pub author: String,
    /// The reason.
    pub reason: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// When it was taken back early.
    pub ended_at: Option<Timestamp>,
}

impl Silence {
    /// When it ends or ended: its expiry, or earlier if it was taken back.
    pub(crate) fn until(&self) -> Timestamp {
        self.ended_at.map_or(self.expires_at, |ended| ended.min(self.expires_at))
    }
}

/// Adds a silence; returns its number. The matcher must compile.
pub(crate) fn add(tx: &Transaction<'_>, silence: &Silence) -> Result<i64, LedgerError> {
    tx.execute(
        "INSERT INTO silence (matcher, author, reason, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            serde_json::to_string(&silence.matcher).unwrap_or_default(),
            silence.author,
            silence.reason,
            Millis(silence.created_at),
            Millis(silence.expires_at)
        ],
    )?;
    Ok(tx.last_insert_rowid())
}

/// Takes a silence back; false if there is none in force with this number.
pub(crate) fn end(tx: &Transaction<'_>, silence_id: i64, now: Timestamp) -> Result<bool, LedgerError> {
    let ended = tx.execute(
        "UPDATE silence SET ended_at = ?2 WHERE silence_id = ?1 AND ended_at IS NULL AND expires_at > ?2",
        params![silence_id, Millis(now)],
    )?;
    Ok(ended > 0)
}

/// The silences in force, the oldest first.
///
/// # Errors
/// SQLite refuses, or a stored matcher cannot be read.
pub(crate) fn in_force(connection: &Connection, now: Timestamp) -> Result<Vec<Silence>, LedgerError> {
    select(connection, "ended_at IS NULL AND expires_at > ?1", now)
}

/// The silences that ended after `since`, up to `now`.
///
/// # Errors
/// As [`in_force`].
pub(crate) fn ended_since(
    connection: &Connection,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<Silence>, LedgerError> {
    let ended = select(connection, "min(coalesce(ended_at, expires_at), expires_at) <= ?1", now)?;
    Ok(ended.into_iter().filter(|silence| silence.until() > since).collect())
}

fn select(connection: &Connection, condition: &str, now: Timestamp) -> Result<Vec<Silence>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT silence_id, matcher, author, reason, created_at, expires_at, ended_at FROM silence
         WHERE {condition} ORDER BY created_at, silence_id"
    ))?;
    let mut rows = statement.query([Millis(now)])?;
    let mut silences = Vec::new();
    while let Some(row) = rows.next()? {
        silences.push(silence(row)?);
    }
    Ok(silences)
}

fn silence(row: &Row<'_>) -> Result<Silence, LedgerError> {
    let matcher: String = row.get("matcher")?;
    let matcher = serde_json::from_str(&matcher)
        .map_err(|_| LedgerError::Unreadable { what: "silence matcher", value: matcher })?;
    Ok(Silence {
        silence_id: row.get("silence_id")?,
        matcher,
        author: row.get("author")?,
        reason: row.get("reason")?,
        created_at: row.get::<_, Millis>("created_at")?.0,
        expires_at: row.get::<_, Millis>("expires_at")?.0,
        ended_at: row.get::<_, Option<Millis>>("ended_at")?.map(|at| at.0),
    })
}

/// A group that a silence would touch.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Covered {
    /// The group.
    pub group_id: String,
    /// What people call it.
    pub title: String,
    /// Open items that it would cover.
    pub covered: u64,
    /// All open items. The group is silenced only where every one is covered.
    pub open_items: u64,
}

/// The groups with open items that a matcher covers, the most items first.
pub(crate) fn covered(connection: &Connection, matcher: &CompiledMatcher) -> Result<Vec<Covered>, LedgerError> {
    let mut statement = connection.prepare(
        "SELECT group_key, group_id, coalesce(renamed, title) AS title, open_items FROM error_group
         WHERE merged_into IS NULL AND open_items > 0",
    )?;
    let groups = statement.query_map([], |row| {
        let Count(open_items) = row.get("open_items")?;
        let group = Covered { group_id: row.get("group_id")?, title: row.get("title")?, covered: 0, open_items };
        Ok((row.get::<_, i64>("group_key")?, group))
    })?;
    let mut found = Vec::new();
    for group in groups {
        let (key, mut group) = group?;
        if !matcher.may_touch(&group.group_id) {
            continue;
        }
        group.covered = match matcher.is_whole_group() {
            true => group.open_items,
            false => count_covered(connection, key, &group.group_id, matcher)?,
        };
        if group.covered > 0 {
            found.push(group);
        }
    }
    found.sort_by(|a, b| b.covered.cmp(&a.covered).then_with(|| a.group_id.cmp(&b.group_id)));
    Ok(found)
}

fn count_covered(
    connection: &Connection,
    group_key: i64,
    group_id: &str,
    matcher: &CompiledMatcher,
) -> Result<u64, LedgerError> {
    let mut statement = connection.prepare_cached(OPEN_ITEMS)?;
    let mut rows = statement.query([group_key])?;
    let mut covered = 0;
    while let Some(row) = rows.next()? {
        covered += u64::from(matcher.covers(&item_view(row, group_id)?));
    }
    Ok(covered)
}

/// What a silence looks at of the open items of a group.
const OPEN_ITEMS: &str = "SELECT coalesce(m.text, ''), b.job_type, p.name, coalesce(b.directory_id, ''), b.batch_id,
            i.item_name, coalesce(o.skip_reason, '')
     FROM item i JOIN observation o ON o.observation_key = i.observation_key
     JOIN batch b ON b.batch_key = o.batch_key JOIN project p ON p.project_key = i.project_key
     LEFT JOIN message m ON m.message_key = o.message_key
     WHERE i.group_key = ?1 AND i.state IN ('open', 'retrying')";

fn item_view<'r>(row: &'r Row<'_>, group_id: &'r str) -> Result<ItemView<'r>, rusqlite::Error> {
    let text = |index: usize| row.get_ref(index).and_then(|value| Ok(value.as_str()?));
    Ok(ItemView {
        group_id,
        message: text(0)?,
        job_type: text(1)?,
        project: text(2)?,
        directory: text(3)?,
        batch_id: text(4)?,
        item_name: text(5)?,
        skip_reason: text(6)?,
    })
}

/// Silences with their patterns compiled.
pub(crate) struct ActiveSilences(Vec<(CompiledMatcher, Timestamp)>);

impl ActiveSilences {
    /// Compiles; a silence whose pattern no longer compiles covers nothing, so that no one misses news by it.
    pub(crate) fn new(silences: Vec<Silence>) -> ActiveSilences {
        let compiled = silences.into_iter().filter_map(|silence| {
            let until = silence.until();
            Some((silence.matcher.compile().ok()?, until))
        });
        ActiveSilences(compiled.collect())
    }

    /// Until when the group is silenced; none unless every open item is covered by one of the silences.
    ///
    /// The answer is the first time that an item is no longer covered.
    pub(crate) fn covers(
        &self,
        connection: &Connection,
        group_key: i64,
        group_id: &str,
    ) -> Result<Option<Timestamp>, LedgerError> {
        let touching: Vec<&(CompiledMatcher, Timestamp)> =
            self.0.iter().filter(|(matcher, _)| matcher.may_touch(group_id)).collect();
        let whole = touching.iter().filter(|(matcher, _)| matcher.is_whole_group()).map(|(_, end)| *end).max();
        if touching.iter().all(|(matcher, _)| matcher.is_whole_group()) {
            return Ok(whole);
        }
        let mut statement = connection.prepare_cached(OPEN_ITEMS)?;
        let mut rows = statement.query([group_key])?;
        let mut until: Option<Timestamp> = None;
        while let Some(row) = rows.next()? {
            let item = item_view(row, group_id)?;
            let Some(end) = touching.iter().filter(|(m, _)| m.covers(&item)).map(|(_, end)| *end).max() else {
                return Ok(None);
            };
            until = Some(until.map_or(end, |known| known.min(end)));
        }
        Ok(until.or(whole))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::ledger::tests::seed::Seed;

    #[test]
    fn a_group_is_silenced_while_every_open_item_is_covered_and_until_the_first_is_not() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(100);
        let hours = |hours| now + SignedDuration::from_hours(hours);
        let seed = Seed::new();
        seed.batch("one", "completed");
        seed.batch("two", "completed");
        seed.fail("g", "one", 2, now);
        let key = seed.number("SELECT group_key FROM error_group WHERE group_id = ?1", "g");
        let silence = |matcher, expires_at| Silence {
            silence_id: 0,
            matcher,
            author: String::new(),
            reason: String::new(),
            created_at: now,
            expires_at,
            ended_at: None,
        };
        let batch = |id: &str| Matcher { batch: Some(id.to_owned()), ..Matcher::default() };
        let group = |id: &str| Matcher { group: Some(id.to_owned()), ..Matcher::default() };
        let until = |silences| ActiveSilences::new(silences).covers(&seed.connection, key, "g").unwrap();
        let one = silence(batch("one"), hours(5));
        assert_eq!(until(vec![one.clone()]), Some(hours(5)));
        seed.fail("g", "two", 1, now);
        assert_eq!(until(vec![one.clone()]), None, "an item of another batch is not covered");
        assert_eq!(until(vec![one.clone(), silence(batch("two"), hours(2))]), Some(hours(2)));
        assert_eq!(until(vec![one.clone(), silence(group("g"), hours(3))]), Some(hours(3)));
        assert_eq!(until(vec![silence(group("g"), hours(3)), silence(group("other"), hours(9))]), Some(hours(3)));
        seed.recover("g", now);
        assert_eq!(until(vec![silence(group("g"), hours(3))]), Some(hours(3)));
        assert_eq!(until(vec![one]), None);
    }
}
