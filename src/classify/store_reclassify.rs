//! Deciding the class of every group again, after the rules have changed.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

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

/// The audit names so many of the groups that changed.
const NAMED: usize = 50;

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
    /// The job type of the batch that the message came from.
    pub job_type: String,
    /// The skip reason of that observation.
    pub skip_reason: Option<String>,
    /// The message that reports show, which is that of its newest open item.
    pub message: Option<String>,
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
    /// It pages from now on, and did not before.
    pub turns_paging: bool,
}

/// Whether the groups were last judged by other rules than those of this fingerprint.
pub(crate) fn is_due(connection: &Connection, fingerprint: &str) -> Result<bool, LedgerError> {
    Ok(meta(connection, JUDGED_BY)?.as_deref() != Some(fingerprint))
}

/// Every group that has an observation left, open or not: one that recurs must not bring its old class along.
///
/// # Errors
/// SQLite's, or a kind that is none.
pub(crate) fn groups(connection: &Connection) -> Result<Vec<Judged>, LedgerError> {
    let mut causes = causes(connection)?;
    let mut statement = connection.prepare(
        "SELECT g.group_key, g.group_id, g.kind, g.class, g.rule, b.job_type, o.skip_reason, m.text
         FROM error_group g JOIN observation o ON o.observation_key = coalesce(
             (SELECT observation_key FROM item WHERE group_key = g.group_key AND state = 'open' ORDER BY last_seen DESC LIMIT 1),
             (SELECT observation_key FROM item WHERE group_key = g.group_key LIMIT 1),
             (SELECT f.observation_key FROM item_group i JOIN observation f ON f.item_key = i.item_key
                  JOIN error_group h ON h.group_key = f.group_key
              WHERE i.group_key = g.group_key AND coalesce(h.merged_into, h.group_key) = g.group_key LIMIT 1))
         JOIN batch b ON b.batch_key = o.batch_key LEFT JOIN message m ON m.message_key = o.message_key
         WHERE g.merged_into IS NULL ORDER BY g.group_key",
    )?;
    let mut rows = statement.query([])?;
    let mut groups = Vec::new();
    while let Some(row) = rows.next()? {
        let kind: String = row.get(2)?;
        let group_key = row.get(0)?;
        groups.push(Judged {
            group_key,
            group_id: row.get(1)?,
            kind: Kind::try_from(kind.as_str())
                .ok()
                .ok_or(LedgerError::Unreadable { what: "kind of group", value: kind })?,
            has: Classified { class: row.get(3)?, rule: row.get(4)? },
            job_type: row.get(5)?,
            skip_reason: row.get(6)?,
            message: row.get(7)?,
            causes: causes.remove(&group_key).unwrap_or_default(),
        });
    }
    Ok(groups)
}

/// The causes that were found, of every group, newest first.
fn causes(connection: &Connection) -> Result<HashMap<i64, Vec<Cause>>, LedgerError> {
    let mut statement = connection.prepare(
        "SELECT coalesce(g.merged_into, g.group_key), c.code, c.text
         FROM cause c JOIN observation o ON o.observation_key = c.observation_key
         JOIN error_group g ON g.group_key = o.group_key
         WHERE c.code IS NOT NULL OR c.text IS NOT NULL ORDER BY o.event_at DESC",
    )?;
    let mut rows = statement.query([])?;
    let mut causes: HashMap<i64, Vec<Cause>> = HashMap::new();
    while let Some(row) = rows.next()? {
        causes.entry(row.get(0)?).or_default().push(Cause { code: row.get(1)?, text: row.get(2)? });
    }
    Ok(causes)
}

/// Gives groups what they become, and remembers by which rules; says in the audit how many got another class.
pub(crate) fn apply_reclassifications(
    tx: &Transaction<'_>,
    verdicts: &[Reclassification],
    fingerprint: &str,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let mut update = tx.prepare_cached("UPDATE error_group SET class = ?2, rule = ?3 WHERE group_key = ?1")?;
    for Reclassification { group, becomes, .. } in verdicts {
        update.execute((group.group_key, &becomes.class, &becomes.rule))?;
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
    set_newly_paging_groups(tx, &turned)?;
    set_meta(tx, JUDGED_BY, fingerprint)
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
        let groups = groups(&seed.connection).unwrap();
        let read: Vec<(&str, Option<&str>)> =
            groups.iter().map(|group| (group.group_id.as_str(), group.message.as_deref())).collect();
        assert_eq!(read, [("open", Some("message 1")), ("over", Some("message 2")), ("left", Some("message 3"))]);
        assert_eq!(groups[0].causes.len(), 1, "what is known of a merged group is known of its survivor");
        assert_eq!((groups[0].job_type.as_str(), groups[0].has.class.as_str()), ("parse", "transient"));
    }

    #[test]
    fn a_group_that_turned_is_remembered_until_it_is_reported() {
        let mut seed = Seed::new();
        seed.batch("b", "completed");
        seed.fail("g", "b", 1, t(1));
        let group = groups(&seed.connection).unwrap().remove(0);
        let becomes = Classified { class: "account".to_owned(), rule: Some("mine".to_owned()) };
        let verdict = Reclassification { group, becomes, turns_paging: true };
        assert!(is_due(&seed.connection, "new").unwrap());
        seed.write(|tx| apply_reclassifications(tx, &[verdict], "new", t(2))).unwrap();
        assert!(!is_due(&seed.connection, "new").unwrap() && is_due(&seed.connection, "newer").unwrap());
        assert_eq!(seed.text("SELECT class || rule FROM error_group WHERE group_id = ?1", "g"), "accountmine");
        assert!(newly_paging_groups(&seed.connection).unwrap().contains("g"));
        seed.write(|tx| mark_announced(tx, "other").and_then(|()| mark_announced(tx, "g"))).unwrap();
        assert!(newly_paging_groups(&seed.connection).unwrap().is_empty());
    }
}
