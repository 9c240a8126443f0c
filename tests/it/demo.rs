//! The first command of the README does the whole job, and refuses to destroy what is not its own.

use std::collections::BTreeSet;

use crate::serve::wait_for;
use crate::site::{binary, files};

#[test]
fn the_demo_leaves_a_ledger_and_digests_and_prints_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("demo");
    let run = binary().args(["demo", "--fast", "--dir"]).arg(&place).assert().success();
    let printed = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    assert!(printed.contains("items open") && printed.contains("Try next:"), "{printed}");
    assert!(place.join("ledger.db").exists() && place.join("config.toml").exists());
    let mails = files(&place.join("digests"), ".eml");
    assert!(!mails.is_empty());
    assert_eq!(files(&place.join("digests"), ".html").len(), mails.len());

    let report = binary()
        .args(["report", "groups", "--format", "json", "--ledger"])
        .arg(place.join("ledger.db"))
        .assert()
        .success();
    let answer: serde_json::Value = serde_json::from_slice(&report.get_output().stdout).unwrap();
    assert!(answer["rows"].as_array().unwrap().len() > 5, "{answer}");

    binary().args(["demo", "--fast", "--dir"]).arg(&place).assert().success();
}

#[test]
fn the_demo_shows_the_same_account_through_api_v2() {
    let dir = tempfile::tempdir().unwrap();
    let told = |api: &str| -> (BTreeSet<String>, i64) {
        let place = dir.path().join(api);
        binary().args(["demo", "--fast", "--api", api, "--dir"]).arg(&place).assert().success();
        assert!(!files(&place.join("digests"), ".eml").is_empty());
        let config = std::fs::read_to_string(place.join("config.toml")).unwrap();
        assert!(config.contains(&format!("api = \"{api}\"")), "{config}");
        let report = binary()
            .args(["report", "groups", "--kind", "failed", "--format", "json", "--ledger"])
            .arg(place.join("ledger.db"))
            .assert()
            .success();
        let answer: serde_json::Value = serde_json::from_slice(&report.get_output().stdout).unwrap();
        let rows = answer["rows"].as_array().unwrap();
        let groups = rows.iter().map(|row| row["title"].as_str().unwrap().to_owned()).collect();
        let ledger = rusqlite::Connection::open(place.join("ledger.db")).unwrap();
        let recovered = "SELECT count(*) FROM item WHERE state = 'recovered'";
        (groups, ledger.query_row(recovered, (), |row| row.get(0)).unwrap())
    };
    let ((v1, recovered), (v2, recovered_by_v2)) = (told("v1-beta"), told("v2"));
    assert!(
        recovered > 10 && recovered == recovered_by_v2,
        "{recovered} recover as v1 tells it, {recovered_by_v2} as v2"
    );
    let both = v1.intersection(&v2).count();
    assert!(both >= 20, "only {both} groups of v1 are seen through v2: {v1:#?} {v2:#?}");
}

#[test]
fn the_demo_never_empties_a_folder_that_is_not_its_own() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("precious"), "data").unwrap();
    let run = binary().args(["demo", "--dir"]).arg(dir.path()).assert().failure().code(1);
    assert!(String::from_utf8_lossy(&run.get_output().stderr).contains("--dir"));
    assert!(dir.path().join("precious").exists());
}

#[test]
fn the_printed_part_of_a_demo_fits_on_a_screen_or_two() {
    let dir = tempfile::tempdir().unwrap();
    let run = binary().args(["demo", "--dir"]).arg(dir.path().join("demo")).assert().success();
    let printed = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    assert!(printed.lines().count() <= 60, "{} lines:\n{printed}", printed.lines().count());
    let help = binary().args(["demo", "--help"]).assert().success();
    let help = String::from_utf8(help.get_output().stdout.clone()).unwrap();
    assert!(help.contains("[default: llama-triage-demo]"), "{help}");
}

/// Ends a process that a test started, whatever becomes of the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_demo_that_serves_has_new_failures_news_and_retries_that_end() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("demo");
    let demo = std::process::Command::new(env!("CARGO_BIN_EXE_llama-triage"))
        .args(["demo", "--fast", "--serve", "--dir"])
        .arg(&place)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let _demo = Running(demo);
    let config = place.join("config.toml");
    wait_for("the account to live", || std::fs::read_to_string(&config).is_ok_and(|text| text.contains("[reprocess]")));
    let asked = |sql: &str| -> i64 {
        rusqlite::Connection::open(place.join("ledger.db")).unwrap().query_row(sql, (), |row| row.get(0)).unwrap()
    };
    let (digests, observations) = ("SELECT count(*) FROM digest", "SELECT count(*) FROM observation");
    let before = (asked(digests), asked(observations));
    let retried = "SELECT count(*) FROM attempt WHERE outcome = 'recovered'";
    wait_for("failures, news and a retry that recovered", || {
        binary().args(["cycle", "--config"]).arg(&config).assert().success();
        asked(retried) > 0 && asked(digests) > before.0 && asked(observations) > before.1
    });
}
