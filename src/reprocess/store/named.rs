//! Ids of plans and intents as people type and read them: a part is enough.
//! Everything here fails if SQLite refuses.

use rusqlite::Connection;

use crate::ledger::error::LedgerError;

/// What plan ids begin with.
const PLAN: &str = "P-";

/// Fewer characters are no name: they fit by chance.
const FEWEST: usize = 4;

/// Characters of an id that people read. It begins with its time, so that its end tells ids apart.
const SHOWN: usize = 8;

/// The plans whose ids begin or end with what was typed; one if it is a whole id.
pub(crate) fn plans(connection: &Connection, typed: &str) -> Result<Vec<String>, LedgerError> {
    named(connection, "SELECT plan_id, replace(plan_id, 'P-', '') AS bare FROM plan", typed)
}

/// The same of intents.
pub(crate) fn intents(connection: &Connection, typed: &str) -> Result<Vec<String>, LedgerError> {
    named(connection, "SELECT intent_id, intent_id AS bare FROM intent", typed)
}

fn named(connection: &Connection, ids: &str, typed: &str) -> Result<Vec<String>, LedgerError> {
    let bare = typed.strip_prefix(PLAN).or_else(|| typed.strip_prefix("p-")).unwrap_or(typed);
    let part =
        if bare.len() < FEWEST { "0" } else { "upper(?1) IN (substr(bare, 1, length(?1)), substr(bare, -length(?1)))" };
    let mut statement =
        connection.prepare_cached(&format!("{ids} WHERE bare = ?1 OR {part} ORDER BY bare <> ?1, 1"))?;
    let found = statement.query_map([bare], |row| Ok((row.get(0)?, row.get::<_, String>(1)? == bare)))?;
    let found: Vec<(String, bool)> = found.collect::<Result<_, _>>()?;
    let whole = found.first().is_some_and(|(_, is_whole)| *is_whole);
    Ok(found.into_iter().take(if whole { 1 } else { usize::MAX }).map(|(id, _)| id).collect())
}

/// An id as people read it, and may type it: its end.
pub(crate) fn short(id: &str) -> String {
    let bare = id.strip_prefix(PLAN).unwrap_or(id);
    let end = bare.char_indices().rev().nth(SHOWN - 1).and_then(|(at, _)| bare.get(at..)).unwrap_or(bare);
    format!("{}{end}", if bare.len() < id.len() { PLAN } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::seed::Seed;

    #[test]
    fn a_beginning_or_an_end_of_four_characters_names_a_plan() {
        let seed = Seed::new();
        for id in ["P-01AAAAXX11", "P-01AAAAYY22", "P-01AA"] {
            let add = "INSERT INTO plan (plan_id, created_at, expires_at, actor, request, model) VALUES (?1, 1, 1, '', '', '')";
            seed.run(add, [id]);
        }
        let of = |typed: &str| plans(&seed.connection, typed).unwrap();
        for typed in ["P-01AAAAXX11", "XX11", "P-XX11", "p-xx11", "01AAAAXX", "P-01AAAAX"] {
            assert_eq!(of(typed), ["P-01AAAAXX11"], "{typed}");
        }
        assert_eq!(of("01AAAA"), ["P-01AAAAXX11", "P-01AAAAYY22"], "two begin so");
        assert_eq!(of("P-01AA"), ["P-01AA"], "a whole id names one, whatever begins with it");
        assert!(of("X11").is_empty() && of("").is_empty() && of("AAAA").is_empty() && of("%X11").is_empty());
        assert_eq!((short("P-01ARZ3NDEKTSV4RRFFQ69G5FAV"), short("i1")), ("P-Q69G5FAV".to_owned(), "i1".to_owned()));
        assert_eq!(of(&short("P-01AAAAXX11")), ["P-01AAAAXX11"]);
    }
}
