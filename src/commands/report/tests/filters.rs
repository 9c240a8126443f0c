//! What each filter keeps.

use super::*;

fn names(rows: &[serde_json::Value], field: &str) -> Vec<String> {
    let mut names: Vec<String> = rows.iter().map(|row| row[field].as_str().unwrap_or("-").to_owned()).collect();
    names.sort();
    names
}

#[test]
fn items_are_narrowed() {
    let ledger = filled();
    for (words, expected) in [
        (&["--item-name", "invoice-*"][..], "invoice-001.pdf invoice-002.pdf invoice-008.pdf"),
        (&["--project", "staging"], "report.pdf"),
        (&["--kind", "skipped"], "done.pdf huge.pdf"),
        (&["--class", "throttled"], "busy.pdf"),
        (&["--match", "(?i)password"], "a.pdf"),
        (&["--match", "^size_limit"], "huge.pdf"),
        (&["--job-type", "extract", "--kind", "failed"], "invoice-001.pdf x"),
        (&["--directory", "dir-b", "--state", "open"], "huge.pdf invoice-001.pdf x"),
        (&["--batch", "bat"], "report.pdf"),
        (&["--state", "retrying,recovered"], "busy.pdf invoice-002.pdf invoice-008.pdf"),
        (&["--since", "1h"], "done.pdf huge.pdf invoice-001.pdf x"),
        // Its newest failure is later, an older one is within.
        (&["--since", "2026-11-22T02:00Z", "--until", "2026-11-22T03:00Z"], "invoice-001.pdf invoice-008.pdf"),
        (&["--since", "1h", "--state", "open", "--kind", "failed"], "invoice-001.pdf x"),
    ] {
        let rows = json(&ledger, &[&["items"], words].concat());
        assert_eq!(names(&rows, "item_name").join(" "), expected, "{words:?}");
    }
}

#[test]
fn batches_are_filtered_by_what_hit_them() {
    let ledger = filled();
    for (words, expected) in [
        (&["--class", "throttled"][..], "bjb-7001"),
        (&["--kind", "skipped"], "bjb-7102"),
        (&["--class", "transient", "--kind", "failed"], "bat-0001 bjb-7001 bjb-7102"),
        (&["--class", "transient", "--group", "81bb"], ""),
        (&["--batch", "bat,bjb-70"], "bat-0001 bjb-7001"),
    ] {
        let rows = json(&ledger, &[&["batches"], words].concat());
        assert_eq!(names(&rows, "batch_id").join(" "), expected, "{words:?}");
    }
}

#[test]
fn filters_that_keep_nothing_answer_with_nothing() {
    let ledger = filled();
    for words in [&["--match", "no such text"][..], &["--directory", "x"], &["--item-name", "none*"]] {
        for question in ["summary", "groups", "items", "skipped", "trend", "retries"] {
            let ran = ask(&ledger, &[&[question], words, &["--format", "json"]].concat());
            assert_eq!(ran.code, 0, "{question} {words:?}: {}", ran.err);
        }
        assert_eq!(json(&ledger, &[&["summary"], words].concat())[0]["items"]["open"], 0);
    }
}

#[test]
fn groups_count_what_matches() {
    let ledger = filled();
    let count = |words: &[&str]| -> Vec<String> {
        let rows = json(&ledger, &[&["groups"], words].concat());
        let text = |row: &serde_json::Value| {
            format!(
                "{} {}/{}/{}",
                row["group_id"].as_str().unwrap(),
                row["open_items"],
                row["total_items"],
                row["items_in_window"]
            )
        };
        let mut rows: Vec<String> = rows.iter().map(text).collect();
        rows.sort();
        rows
    };
    assert_eq!(count(&["--project", "staging"]), ["g-4f2a90c1 1/1/1"]);
    assert_eq!(count(&["--class", "transient"]), ["g-4f2a90c1 3/4/4"]);
    assert_eq!(count(&["--class", "transient", "--since", "24h"]), ["g-4f2a90c1 3/4/2"]);
    assert_eq!(count(&["--item-name", "invoice-*", "--since", "24h"]), ["g-4f2a90c1 2/3/1"]);
    assert_eq!(count(&["--state", "regressed,resolved"]).len(), 3);
    assert_eq!(count(&["--kind", "skipped", "--state", "new"]), ["g-e9e9e9e9 1/1/1"]);
}

#[test]
fn groups_stand_where_the_rule_says() {
    let ledger = filled();
    let rows = json(&ledger, &["groups"]);
    let of = |id: &str| rows.iter().find(|row| row["group_id"] == id).unwrap();
    for (id, state) in [
        ("g-ffff0007", "new"),
        ("g-e9e9e9e9", "new"),
        ("g-4f2a90c1", "regressed"),
        ("g-81bb0d3e", "ongoing"),
        ("g-c0ffee00", "resolved"),
    ] {
        assert_eq!(of(id)["state"], state, "{id}");
    }
    assert_eq!(rows.len(), 6, "the merged group is no row");
    assert_eq!(rows[0]["state"], "new", "the most urgent first");
    assert_eq!(of("g-4f2a90c1")["acked"], true);
    assert_eq!(of("g-4f2a90c1")["note"], "vendor answers tomorrow");
    let outlook = of("g-4f2a90c1")["retry_outlook"].as_str().unwrap_or_default().to_owned();
    assert_eq!(outlook, "no first try has ended: waiting for those under way");
    assert_eq!(of("g-81bb0d3e")["silenced_until"], "2026-11-23T20:20:00Z");
    assert_eq!(of("g-4f2a90c1")["silenced_until"], serde_json::Value::Null);
    assert_eq!(of("g-c0ffee00")["title"], "Too many requests", "people's title goes before the miner's");
}

#[test]
fn an_item_shows_all_that_happened_to_it() {
    let ledger = filled();
    let item = &json(&ledger, &["item", "5b2e0001"])[0];
    let events: Vec<&str> = item["timeline"].as_array().unwrap().iter().map(|e| e["event"].as_str().unwrap()).collect();
    assert_eq!(
        events,
        ["failed", "attempt", "attempt_ended", "dismiss", "undismiss", "failed", "digest", "ack", "failed", "attempt"]
    );
    assert_eq!(item["timeline"][5]["group_id"], "g-4f2a90c1", "merged groups are told as their survivor");
}

#[test]
fn trends_have_every_bucket() {
    let ledger = filled();
    let hours = json(&ledger, &["trend"]);
    assert_eq!(hours.len(), 24);
    assert_eq!(hours[22]["from"], "2026-11-23T11:00:00Z");
    let days = json(&ledger, &["trend", "--bucket", "1d", "--tz", "Europe/Berlin", "--group", "4f2"]);
    assert_eq!(days.len(), 24);
    assert_eq!(days[23]["from"], "2026-11-22T23:00:00Z");
    let sum = |rows: &[serde_json::Value]| rows.iter().map(|row| row["failures"].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum(&days), 6);
    // The same question from the counters and from the observations.
    let counted = json(&ledger, &["trend", "--since", "2d", "--kind", "failed"]);
    let observed = json(&ledger, &["trend", "--since", "2d", "--kind", "failed", "--item-name", "*"]);
    assert_eq!(counted, observed);
}

#[test]
fn retries_and_recovery_are_put_together() {
    let ledger = filled();
    let rows = json(&ledger, &["retries", "--by", "day", "--utc"]);
    assert_eq!(names(&rows, "key"), ["2026-11-21", "2026-11-22", "2026-11-23"]);
    let rows = json(&ledger, &["retries", "--by", "group", "--group", "c0ff"]);
    assert_eq!((&rows[0]["success_rate"], &rows[0]["credits_per_recovery"]), (&1.0.into(), &3.0.into()));
    assert_eq!(json(&ledger, &["retries", "--state", "running"]).len(), 2);
    let rows = json(&ledger, &["mttr", "--by", "kind"]);
    assert_eq!(rows[0]["key"], "failed");
    assert_eq!((&rows[0]["recovered"], &rows[0]["open"]), (&2.into(), &2.into()));
    assert_eq!(rows[0]["median_seconds"], 63_000);
}

#[test]
fn deliveries_leave_out_what_was_taken_along() {
    let ledger = filled();
    assert_eq!(json(&ledger, &["deliveries"]).len(), 3);
    assert_eq!(json(&ledger, &["deliveries", "--state", "superseded"]).len(), 1);
    assert_eq!(names(&json(&ledger, &["deliveries", "--failed"]), "state"), ["dead", "pending"]);
}

#[test]
fn the_summary_counts_retries_and_failures_of_what_matches() {
    let ledger = filled();
    let summary = |words: &[&str]| json(&ledger, &[&["summary", "--since", "7d"], words].concat())[0].clone();
    for (words, attempts, failures) in [
        (&[][..], 4.into(), 3),
        (&["--project", "staging"], serde_json::Value::Null, 1),
        (&["--class", "throttled"], 1.into(), 0),
        (&["--item-name", "invoice-001*"], 2.into(), 1),
    ] {
        let summary = summary(words);
        assert_eq!(summary["retries"]["attempts"], attempts, "{words:?}");
        let hourly = summary["hourly"].as_array().unwrap().iter().map(|hour| hour.as_u64().unwrap()).sum::<u64>();
        assert_eq!(hourly, failures, "{words:?}");
    }
}

#[test]
fn the_summary_counts_of_the_budget_what_retries_count() {
    let ledger = filled();
    let spent = || json(&ledger, &["summary"])[0]["spent"].clone();
    assert_eq!((&spent()["last_hour"], &spent()["last_day"]), (&2.into(), &2.into()));
    ledger.writer.execute("UPDATE attempt SET outcome = 'recovered' WHERE attempt_id = 'at-4'", ()).unwrap();
    assert_eq!((&spent()["last_hour"], &spent()["last_day"]), (&1.into(), &1.into()));
}
