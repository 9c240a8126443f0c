//! Exit codes and what is said with them.

use super::*;
use crate::exit::Exit;

#[test]
fn an_empty_answer_is_an_answer() {
    let ran = ask(&filled(), &["items", "--item-name", "nothing-*"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out.lines().count(), 1);
}

#[test]
fn invalid_arguments_are_refused_with_the_valid_ones() {
    let ledger = filled();
    for (words, said) in [
        (
            &["mttr", "--item-name", "*"][..],
            "`report mttr` does not support --item-name; supported by: summary, groups",
        ),
        (&["groups", "--bucket", "1h"], "`report groups` does not support --bucket; supported by: trend"),
        (
            &["groups", "--sort", "size"],
            "does not know --sort \"size\"; allowed: urgency, open, new, count, last, first",
        ),
        (&["items", "--state", "new"], "does not know --state \"new\"; allowed: open, retrying"),
        (&["group"], "`report group` needs a group id"),
        (&["items", "5b2e"], "use `report item 5b2e`"),
        (&["batches", "bjb"], "use `report batch bjb`"),
        (&["summary", "x"], "takes no argument"),
        (&["groups", "--since", "soon"], "cannot understand the time \"soon\""),
        (&["groups", "--since", "1h", "--until", "2h"], "is not before"),
        (&["groups", "--columns", "nope"], "unknown column \"nope\"; allowed: group_id, state"),
        (&["groups", "--format", "json", "--columns", "title"], "--columns is for table"),
        (&["groups", "--tz", "Mars/Base"], "unknown time zone \"Mars/Base\""),
        (&["groups", "--fail-if", "opne>0"], "unknown measure \"opne\""),
        (&["sql", "DELETE FROM item"], "only statements that read"),
        (&["sql", "SELECT * FROM nowhere"], "no such table"),
        (&["sql", "SELECT 1; SELECT 2"], "statement refused"),
    ] {
        let ran = ask(&ledger, words);
        assert_eq!(ran.code, 2, "{words:?}");
        assert!(ran.err.contains(said), "{words:?}: {}", ran.err);
    }
}

#[test]
fn an_unknown_id_suggests_the_nearest() {
    let ledger = filled();
    for (words, said) in [
        (&["group", "g-81bb0d3f"][..], "did you mean g-81bb0d3e"),
        (&["item", "7d400004-0000-4000-8000-00000000000f"], "did you mean 7d400004-0000-4000-8000-000000000004"),
        (&["batch", "bjb-7009"], "did you mean bjb-7001"),
        (&["items", "--group", "zzz"], "no group \"zzz\""),
        (&["items", "--project", "prd"], "did you mean prod or staging"),
        (&["item", "5b2e"], "is ambiguous: 5b2e0001"),
        (&["item", "--name", "nothing"], "no item named"),
    ] {
        let ran = ask(&ledger, words);
        assert_eq!(ran.code, 3, "{words:?}");
        assert!(ran.err.contains(said), "{words:?}: {}", ran.err);
    }
}

#[test]
fn an_id_that_is_like_none_gets_no_suggestion() {
    let ran = ask(&filled(), &["item", "zzz"]);
    assert_eq!((ran.code, ran.err.contains("did you mean")), (3, false), "{}", ran.err);
}

#[test]
fn a_word_that_nothing_has_is_reported_beside_the_empty_answer() {
    let ledger = filled();
    for (option, word) in [("--class", "transinet"), ("--job-type", "prase"), ("--directory", "dir-z")] {
        let ran = ask(&ledger, &["groups", option, word]);
        assert_eq!(ran.code, 0);
        assert!(ran.err.contains(&format!("{option}: nothing in the ledger has \"{word}\"")), "{}", ran.err);
    }
    assert_eq!(ask(&ledger, &["groups", "--class", "transient", "--job-type", "parse"]).err, "");
}

#[test]
fn freshness_may_be_asked_for_in_days() {
    assert_eq!(ask(&filled(), &["summary", "--require-fresh", "7d"]).code, 0);
}

#[test]
fn ids_may_be_shortened_and_merged_groups_lead_to_their_survivor() {
    let ledger = filled();
    for id in ["g-81", "81bb0d3e", "g-81bb0d3e"] {
        assert_eq!(json(&ledger, &["group", id])[0]["group_id"], "g-81bb0d3e");
    }
    for id in ["g-4f77aaaa", "g-4f", "4f77"] {
        assert_eq!(json(&ledger, &["group", id])[0]["group_id"], "g-4f2a90c1");
    }
    assert_eq!(json(&ledger, &["item", "7d4"])[0]["item_name"], "a.pdf");
    assert_eq!(json(&ledger, &["items", "--group", "4f7"]).len(), 4);
}

#[test]
fn a_ledger_that_cannot_be_read_is_distinguished() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("text"), "this is no database, but long enough to be looked at as one".repeat(20)).unwrap();
    std::fs::write(at("empty"), "").unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    rusqlite::Connection::open(at("strange")).unwrap().execute_batch("CREATE TABLE ours (x)").unwrap();
    let newer = filled();
    newer.writer.pragma_update(None, "user_version", 99).unwrap();
    for (path, said) in [
        (at("missing"), "no ledger at"),
        (at("text"), "not a database"),
        (at("empty"), "no ledger at"),
        (at("strange"), "no llama-triage ledger"),
        (at("folder"), "is a directory"),
        (newer.path.clone(), "newer than this program"),
    ] {
        let ran = run_on(&path, &["summary"], Terminal::default(), None);
        assert_eq!(ran.code, 4, "{}", ran.err);
        assert!(ran.err.contains(said), "{}", ran.err);
        assert!(ran.out.is_empty());
    }
    assert!(!at("missing").exists(), "a report makes no ledger");
}

#[test]
fn staleness_is_reported_and_counts_before_conditions() {
    let ledger = filled();
    let fresh = ["groups", "--require-fresh", "20m"];
    let stale = ["groups", "--require-fresh", "10m", "--fail-if", "open>0"];
    assert_eq!(ask(&ledger, &fresh).code, 0);
    let ran = ask(&ledger, &stale);
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains("19 min ago"), "{}", ran.err);
    assert!(!ran.out.is_empty(), "the answer is written all the same");
    ledger.writer.execute("DELETE FROM scan WHERE complete = 1 AND project_key = 2", []).unwrap();
    let ran = ask(&ledger, &["groups", "--require-fresh", "10h"]);
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains("project \"staging\" has no complete scan yet"), "{}", ran.err);
}

#[test]
fn a_known_scan_interval_gives_a_warning_after_three() {
    let ledger = filled();
    let mut config = Config::default();
    let warns = |config: &Config| run_on(&ledger.path, &["groups"], Terminal::default(), Some(config)).err;
    assert!(warns(&config).contains("is the service running?"), "{}", warns(&config));
    config.schedule.scan = "10m".to_owned();
    assert_eq!(warns(&config), "");
}

#[test]
fn conditions_count_what_matches_whatever_is_shown() {
    let ledger = filled();
    for (words, code) in [
        (&["items", "--limit", "1", "--fail-if", "rows>8"][..], 10),
        (&["items", "--limit", "1", "--fail-if", "rows>9"], 0),
        (&["groups", "--limit", "1", "--fail-if", "open>=6"], 10),
        (&["groups", "--class", "throttled", "--fail-if", "open>0"], 0),
        (&["deliveries", "--limit", "1", "--fail-if", "dead>0"], 10),
        (&["summary", "--fail-if", "faults>1", "--fail-if", "new=2"], 10),
        (&["sql", "SELECT count(*) FROM item", "--fail-if", "value=9"], 10),
    ] {
        assert_eq!(ask(&ledger, words).code, code, "{words:?}");
    }
}

#[test]
fn a_statement_that_takes_for_ever_is_stopped() {
    let ledger = filled();
    let reading = ReadTransaction::open(&ledger.path).unwrap();
    let endless = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n";
    let limits = crate::report::store::SqlLimits { rows: 10, time: std::time::Duration::from_millis(20) };
    let stopped = crate::report::store::sql(&reading, endless, limits);
    assert!(matches!(stopped, Err(crate::report::store::QueryError::TooSlow(_))));
    let ran = ask(&ledger, &["sql", "SELECT item_id FROM item", "--limit", "2"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 3));
    assert!(ran.err.contains("more than 2 rows"), "{}", ran.err);
}

#[test]
fn a_statement_that_asks_for_too_much_is_stopped_and_the_next_one_is_not() {
    let ledger = filled();
    let many = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 1000000)";
    for (statement, says) in [
        ("SELECT hex(zeroblob(400000000))".to_owned(), "one of its values is larger than 8 MiB"),
        ("SELECT length(printf('%.*c', 900000000, 'x'))".to_owned(), "larger than 8 MiB"),
        (format!("{many} SELECT group_concat(n, 'and so on') FROM n"), "larger than 8 MiB"),
        (format!("{many} SELECT hex(randomblob(1000000)) FROM n"), "its answer is larger than 32 MiB"),
    ] {
        let ran = ask(&ledger, &["sql", &statement]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{statement}: {}", ran.err);
        assert!(ran.err.contains(says), "{statement}: {}", ran.err);
        assert_eq!(ask(&ledger, &["sql", "SELECT count(*) FROM item"]).code, 0);
    }
}

#[test]
fn several_ledgers_are_asked_as_one() {
    let (one, other) = (filled(), filled());
    let both = [one.path.clone(), other.path.clone()];
    let missing = [one.path.clone(), one.path.with_file_name("none.db")];
    let run_both = |ledgers: &[std::path::PathBuf], words: &[&str]| {
        let around =
            Surroundings { ledgers, config: None, next_digest_at: None, now: now(), terminal: Terminal::default() };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let outcome = run(&parse(words), &around, &mut out, &mut err);
        (Exit::from(&outcome) as u8, String::from_utf8(out).unwrap())
    };
    let alone = ask(&one, &["groups"]).out.lines().count();
    let (code, out) = run_both(&both, &["groups"]);
    assert_eq!((code, out.lines().count()), (0, 2 * alone - 1), "one header: {out}");
    assert!(out.lines().last().unwrap().starts_with(&format!("{}\t", other.path.display())), "{out}");
    assert_eq!(run_both(&both, &["groups", "--fail-if", "open>0"]).0, 10);
    assert_eq!(run_both(&both, &["group", "g-nonesuch"]).0, 3);
    assert_eq!(run_both(&missing, &["groups"]).0, 4);
    one.writer.execute("DELETE FROM scan", []).unwrap();
    assert_eq!(run_both(&both, &["groups", "--require-fresh", "20m"]).0, 5);
}
