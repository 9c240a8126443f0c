//! Log lines go to stderr, and are JSON on request; answers alone go to stdout.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use assert_cmd::Command;
use llama_triage::internals::simulator::{Options, WorldBuilder};
use serde_json::Value;

use crate::serve::{Serving, command};
use crate::site::Site;

/// One cycle against a port where nothing listens: it fails, and says so in its log.
fn failing_cycle(arguments: &[&str]) -> (String, String) {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.toml");
    let ledger = dir.path().join("ledger.db");
    let text = format!(
        "[ledger]\npath = {ledger:?}\n[[project]]\nname = \"prod\"\nbase-url = \"http://127.0.0.1:1\"\nrequest-timeout = \"1s\"\n"
    );
    std::fs::write(&config, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_llama-triage"))
        .env("LLAMA_CLOUD_API_KEY", "llx-very-secret")
        .env_remove("JOURNAL_STREAM")
        .arg("--config")
        .arg(&config)
        .args(arguments)
        .arg("cycle")
        .output()
        .unwrap();
    (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn json_lines_hold_level_message_and_fields_and_no_secret() {
    let (stdout, stderr) = failing_cycle(&["--log-format", "json", "-vv"]);
    let lines: Vec<Value> = stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(!lines.is_empty(), "{stderr}");
    for line in &lines {
        assert!(line["level"].is_string() && line["message"].is_string() && line["timestamp"].is_string(), "{line}");
    }
    assert!(!stdout.contains("\"level\"") && !stderr.contains("very-secret"), "{stdout}{stderr}");
}

#[test]
fn text_lines_have_no_colour_codes_outside_a_terminal() {
    let (_, stderr) = failing_cycle(&["--log-format", "text", "-vv"]);
    assert!(!stderr.contains('\u{1b}'), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_of_a_cycle_has_its_facts_as_fields() {
    let world = WorldBuilder::at(jiff::Timestamp::now()).batch("b1").item("i1").fails("it broke").build();
    let site = Site::new(world, Options::default(), "[log]\nformat = \"json\"\n").await;
    let mut child = Serving(command(&site, "serve").stderr(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let lines = lines.map_while(Result::ok).map(|line| serde_json::from_str::<Value>(&line).unwrap());
    let mut lines = lines.filter(|line| line["level"] == "INFO");
    let serving = lines.next().unwrap();
    assert_eq!(serving["message"], format!("serving 1 project from {}", site.path("ledger.db").display()));
    let cycle = lines.find(|line| line["duration_ms"].is_u64()).unwrap();
    let digest = cycle["digest.id"].as_str().unwrap();
    assert!(cycle["message"].as_str().unwrap().contains(digest), "{cycle}");
    assert_eq!(cycle["observations"], 1, "{cycle}");
}
