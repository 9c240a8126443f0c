//! Deciding the classes of groups: of all after the rules have changed, else of those whose items have.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use crate::ledger::audit::{self, Act};
use crate::ledger::error::LedgerError;
use crate::ledger::meta::{meta, set_meta};
use crate::model::cause::Cause;
use crate::model::classified::Classified;
use crate::model::item::Kind;

/// The name of the fingerprint of the rules that every group was last judged by.
const JUDGED_BY: &str = "rules";

/// The name of the groups that may page since then, of which nothing was reported since, as JSON.
const TURNED: &str = "turned_paging";

/// Changed groups that the audit row names, at most.
const NAMED: usize = 50;

/// Open items, newest first, that are read for a group's class, at most.
const NEWEST: i64 = 200;

/// What one item of a group says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// The job type of the batch that the message came from.
    pub job_type: String,
    /// The item's name.
    pub item_name: String,
    /// The skip reason of that observation.
    pub skip_reason: Option<String>,
    /// Its message.
    pub message: Option<String>,
}

/// A group with what its class is judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    /// Its small number.
    pub group_key: i64,
    /// `g-…`.
    pub group_id: String,
    /// Failed or skipped.
    pub kind: Kind,
    /// The class and rule that it has.
    pub has: Classified,
    /// The class that a person gave it.
    pub set_class: Option<String>,
    /// What its newest open items say, newest first; of a group without any what one of its items said.
    pub said: Vec<Said>,
    /// What job records said about its items, newest first.
    pub causes: Vec<Cause>,
}

/// What a group becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reclassification {
    /// The group as it was.
    pub group: Judged,
    /// Its class and rule from now on.
    pub becomes: Classified,
    /// How likely the class is right, if a model decided.
    pub percent: Option<u8>,
    /// The words that decided.
    pub words: Option<String>,
    /// The classes of its items, and of how many.
    pub classes: BTreeMap<String, u64>,
    /// It pages from now on, and did not before.
    pub turns_paging: bool,
}

/// Whether the groups were last judged by other rules than those of this fingerprint.
pub(crate) fn is_due(connection: &Connection, fingerprint: &str) -> Result<bool, LedgerError> {
    Ok(meta(connection, JUDGED_BY)?.as_deref() != Some(fingerprint))
}

/// Every group that is none's part, open or not: one that recurs must not bring its old class along.
pub(crate) fn all_groups(connection: &Connection) -> Result<Vec<i64>, LedgerError> {
    keys(connection, "SELECT group_key FROM error_group WHERE merged_into IS NULL ORDER BY group_key")
}

/// The open groups that have other failures or other open items than when they were judged.
pub(crate) fn changed_groups(connection: &Connection) -> Result<Vec<i64>, LedgerError> {
    keys(
        connection,
        "SELECT group_key FROM error_group WHERE merged_into IS NULL AND open_items > 0
             AND (judged_failures IS NOT failures OR judged_open IS NOT open_items) ORDER BY group_key",
    )
}

fn keys(connection: &Connection, sql: &str) -> Result<Vec<i64>, LedgerError> {
    let mut statement = connection.prepare_cached(sql)?;
    let keys = statement.query_map([], |row| row.get(0))?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

/// The groups of these keys with what they say; those that no observation is left of are not among them.
///
/// # Errors
/// SQLite's, or a kind that is none.
pub(crate) fn groups(connection: &Connection, keys: &[i64]) -> Result<Vec<Judged>, LedgerError> {
    let mut causes = causes(connection)?;
    let mut find = connection
        .prepare_cached("SELECT group_id, kind, class, rule, set_class FROM error_group WHERE group_key = ?1")?;
    let mut groups = Vec::with_capacity(keys.len());
    for group_key in keys.iter().copied() {
        let said = said(connection, group_key)?;
        if said.is_empty() {
            continue;
        }
        let mut rows = find.query([group_key])?;
        let Some(row) = rows.next()? else { continue };
        let kind: String = row.get("kind")?;
        groups.push(Judged {
            group_key,
            group_id: row.get("group_id")?,
            kind: Kind::try_from(kind.as_str())
                .ok()
                .ok_or(LedgerError::Unreadable { what: "kind of group", value: kind })?,
            has: Classified { class: row.get("class")?, rule: row.get("rule")? },
            set_class: row.get("set_class")?,
            said,
            causes: causes.remove(&group_key).unwrap_or_default(),
        });
    }
    Ok(groups)
}

const SAID: &str = "SELECT b.job_type, i.item_name, o.skip_reason, m.text
    FROM observation o JOIN item i USING (item_key) JOIN batch b ON b.batch_key = o.batch_key
    LEFT JOIN message m ON m.message_key = o.message_key";

/// What the newest open items of a group say; if none is open, what one item said when it was in it.
fn said(connection: &Connection, group_key: i64) -> Result<Vec<Said>, LedgerError> {
    let mut open = connection.prepare_cached(&format!(
        "{SAID} WHERE o.observation_key IN (SELECT observation_key FROM item
             WHERE group_key = ?1 AND state = 'open' ORDER BY last_seen DESC LIMIT ?2) ORDER BY i.last_seen DESC"
    ))?;
    let said = open.query_map(params![group_key, NEWEST], read_said)?.collect::<rusqlite::Result<Vec<_>>>()?;
    if !said.is_empty() {
        return Ok(said);
    }
    let mut over = connection.prepare_cached(&format!(
        "{SAID} WHERE o.observation_key = coalesce(
             (SELECT observation_key FROM item WHERE group_key = ?1 LIMIT 1),
             (SELECT f.observation_key FROM item_group g JOIN observation f ON f.item_key = g.item_key
                  JOIN error_group h ON h.group_key = f.group_key
              WHERE g.group_key = ?1 AND coalesce(h.merged_into, h.group_key) = ?1 LIMIT 1))"
    ))?;
    Ok(over.query_row([group_key], read_said).optional()?.into_iter().collect())
}

fn read_said(row: &Row<'_>) -> rusqlite::Result<Said> {
    Ok(Said {
        job_type: row.get("job_type")?,
        item_name: row.get("item_name")?,
        skip_reason: row.get("skip_reason")?,
        message: row.get("text")?,
    })
}

/// The causes that were found, of every group, newest first.
fn causes(connection: &Connection) -> Result<HashMap<i64, Vec<Cause>>, LedgerError> {
    let mut statement = connection.prepare(
        "SELECT coalesce(g.merged_into, g.group_key) AS group_key, c.code, c.text
         FROM cause c JOIN observation o ON o.observation_key = c.observation_key
         JOIN error_group g ON g.group_key = o.group_key
         WHERE c.code IS NOT NULL OR c.text IS NOT NULL ORDER BY o.event_at DESC",
    )?;
    let mut rows = statement.query([])?;
    let mut causes: HashMap<i64, Vec<Cause>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let cause = Cause { code: row.get("code")?, text: row.get("text")? };
        causes.entry(row.get("group_key")?).or_default().push(cause);
    }
    Ok(causes)
}

/// Gives groups what they become; says in the audit how many got another class.
pub(crate) fn apply_reclassifications(
    tx: &Transaction<'_>,
    verdicts: &[Reclassification],
    now: Timestamp,
) -> Result<(), LedgerError> {
    let mut update = tx.prepare_cached(
        "UPDATE error_group SET class = ?2, rule = ?3, class_percent = ?4, class_words = ?5, classes = ?6,
             judged_failures = failures, judged_open = open_items
         WHERE group_key = ?1",
    )?;
    for Reclassification { group, becomes, percent, words, classes, .. } in verdicts {
        let classes = serde_json::json!(classes).to_string();
        update.execute((group.group_key, &becomes.class, &becomes.rule, percent, words, classes))?;
    }
    let changed: Vec<&Reclassification> =
        verdicts.iter().filter(|one| one.group.has.class != one.becomes.class).collect();
    if !changed.is_empty() {
        let named: Vec<String> = changed.iter().take(NAMED).map(|one| described(one)).collect();
        let detail = serde_json::json!({ "groups": changed.len(), "changes": named }).to_string();
        let subject = "ledger";
        let act = Act { actor: "auto:rules", action: "reclassify", subject, detail: Some(detail), ..Act::default() };
        audit::record(tx, &act, now)?;
    }
    let mut turned = newly_paging_groups(tx)?;
    turned.extend(verdicts.iter().filter(|one| one.turns_paging).map(|one| one.group.group_id.clone()));
    set_newly_paging_groups(tx, &turned)
}

/// Remembers by which rules all groups were judged.
pub(crate) fn mark_judged(tx: &Transaction<'_>, fingerprint: &str) -> Result<(), LedgerError> {
    set_meta(tx, JUDGED_BY, fingerprint)
}

/// Gives a group the class that a person says, until they take it back; it is judged again at the next scan.
pub(crate) fn set_class(tx: &Transaction<'_>, group_key: i64, class: Option<&str>) -> Result<(), LedgerError> {
    tx.execute(
        "UPDATE error_group SET set_class = ?2, class = coalesce(?2, class), judged_failures = NULL WHERE group_key = ?1",
        (group_key, class),
    )?;
    Ok(())
}

/// `g-…: transient to config`
fn described(one: &Reclassification) -> String {
    format!("{}: {} to {}", one.group.group_id, one.group.has.class, one.becomes.class)
}

/// The groups that new rules let page, and of which nothing was reported since.
pub(crate) fn newly_paging_groups(connection: &Connection) -> Result<BTreeSet<String>, LedgerError> {
    let kept = meta(connection, TURNED)?;
    Ok(kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Notes that a group was reported, with the class that it has now.
pub(crate) fn mark_announced(tx: &Transaction<'_>, group_id: &str) -> Result<(), LedgerError> {
    let mut turned = newly_paging_groups(tx)?;
    if turned.remove(group_id) { set_newly_paging_groups(tx, &turned) } else { Ok(()) }
}

fn set_newly_paging_groups(tx: &Transaction<'_>, turned: &BTreeSet<String>) -> Result<(), LedgerError> {
    if turned.is_empty() {
        tx.execute("DELETE FROM meta WHERE name = ?1", [TURNED])?;
        return Ok(());
    }
    set_meta(tx, TURNED, &serde_json::json!(turned).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::{Seed, t};

    #[test]
    fn every_group_is_read_with_a_message_of_its_own_whatever_became_of_its_items() {
        let seed = Seed::new();
        seed.batch("b", "completed");
        for (group, key) in [("open", 1), ("over", 2), ("left", 3), ("gone", 4)] {
            seed.fail(group, "b", 1, t(key));
            seed.run("INSERT INTO message (message_key, hash, text) VALUES (?1, 0, 'message ' || ?1)", [key]);
            seed.run("UPDATE observation SET message_key = ?1 WHERE observation_key = ?1", [key]);
        }
        seed.recover("over", t(9));
        // The item of one group failed again otherwise, and a group without any item was merged.
        seed.run("INSERT INTO item_group (group_key, item_key) VALUES (3, 3)", []);
        seed.run("UPDATE item SET group_key = 1, observation_key = 1 WHERE item_key IN (3, 4)", []);
        seed.run("UPDATE error_group SET merged_into = 1 WHERE group_key = 4", []);
        seed.run("INSERT INTO cause (observation_key, code, text, asked_at) VALUES (4, 'LOCKED', NULL, 0)", []);
        let groups = groups(&seed.connection, &all_groups(&seed.connection).unwrap()).unwrap();
        let read: Vec<(&str, Option<&str>)> =
            groups.iter().map(|group| (group.group_id.as_str(), group.said[0].message.as_deref())).collect();
        assert_eq!(read, [("open", Some("message 1")), ("over", Some("message 2")), ("left", Some("message 3"))]);
        assert_eq!(groups[0].causes.len(), 1, "what is known of a merged group is known of its survivor");
        assert_eq!((groups[0].said[0].job_type.as_str(), groups[0].has.class.as_str()), ("parse", "transient"));
    }

    #[test]
    fn a_group_that_turned_is_remembered_until_it_is_reported() {
        let mut seed = Seed::new();
        seed.batch("b", "completed");
        seed.fail("g", "b", 1, t(1));
        let group = groups(&seed.connection, &[1]).unwrap().remove(0);
        let becomes = Classified { class: "account".to_owned(), rule: Some("mine".to_owned()) };
        let classes = BTreeMap::from([("account".to_owned(), 1)]);
        let verdict = Reclassification { group, becomes, percent: None, words: None, classes, turns_paging: true };
        assert!(is_due(&seed.connection, "new").unwrap());
        assert_eq!(changed_groups(&seed.connection).unwrap(), [1]);
        seed.write(|tx| apply_reclassifications(tx, &[verdict], t(2)).and_then(|()| mark_judged(tx, "new"))).unwrap();
        assert_eq!(changed_groups(&seed.connection).unwrap(), [0_i64; 0], "the same items are judged once");
        assert!(!is_due(&seed.connection, "new").unwrap() && is_due(&seed.connection, "newer").unwrap());
        assert_eq!(seed.text("SELECT class || rule FROM error_group WHERE group_id = ?1", "g"), "accountmine");
        assert!(newly_paging_groups(&seed.connection).unwrap().contains("g"));
        seed.write(|tx| mark_announced(tx, "other").and_then(|()| mark_announced(tx, "g"))).unwrap();
        assert!(newly_paging_groups(&seed.connection).unwrap().is_empty());
    }
}
