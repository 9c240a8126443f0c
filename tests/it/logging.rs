//! Log lines go to stderr, and are JSON on request; answers alone go to stdout.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use assert_cmd::Command;
use llama_triage::internals::simulator::{FaultRule, InjectedFault, Options, WorldBuilder};
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
    let config = "[log]\nformat = \"json\"\n[[channel]]\nname = \"out\"\nkind = \"file\"\ndir = \"out\"\n";
    let site = Site::new(world, Options::default(), config).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_one_line_in_its_span_and_an_error_is_logged_once() {
    let world = WorldBuilder::at(jiff::Timestamp::now()).batch("b1").item("i1").fails("it broke").build();
    let config = "[log]\nformat = \"json\"\n[[channel]]\nname = \"out\"\nkind = \"file\"\ndir = \"out\"\n";
    let site = Site::new(world, Options::default(), config).await;
    site.cloud.set_faults(vec![FaultRule::new(InjectedFault::Status(401)).every(1)]);
    let mut child = Serving(command(&site, "serve").stderr(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let lines = lines.map_while(Result::ok).map(|line| serde_json::from_str::<Value>(&line).unwrap());
    let mut seen = Vec::new();
    for line in lines {
        let is_last = line["duration_ms"].is_u64();
        seen.push(line);
        if is_last {
            break;
        }
    }
    let holding = |text: &str| -> Vec<&Value> {
        seen.iter().filter(|line| line["message"].as_str().is_some_and(|message| message.contains(text))).collect()
    };
    let names = |line: &Value| -> Vec<String> {
        line["spans"].as_array().unwrap().iter().map(|span| span["name"].as_str().unwrap().to_owned()).collect()
    };
    let errors = holding("refused the API key");
    assert_eq!(errors.len(), 1, "{seen:?}");
    assert_eq!(names(errors[0]), ["cycle", "scan"]);
    assert_eq!(errors[0]["span"]["project"], "default");
    let sent = holding("sent digest");
    assert_eq!(sent.len(), 1, "{seen:?}");
    assert_eq!(names(sent[0]), ["cycle", "delivery"]);
    assert!(sent[0]["span"]["delivery.id"].is_string(), "{}", sent[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_post_that_costs_credits_is_one_line_with_its_intent() {
    let world = WorldBuilder::at(jiff::Timestamp::now()).batch("b1").item("i1").fails_until(2, "503 try later").build();
    let site = Site::new(world, Options::default(), "").await;
    site.command(&["scan"]).assert().success();
    let plan = site.command(&["reprocess", "plan", "--class", "transient", "--format", "json"]).assert().success();
    let plan: Value = serde_json::from_slice(&plan.get_output().stdout).unwrap();
    let apply = ["reprocess", "apply", plan["plan_id"].as_str().unwrap(), "--reason", "x", "--yes", "-vv"];
    let apply = site.command(&[&apply[..], &["--log-format", "json"]].concat()).assert().success();
    let log = String::from_utf8(apply.get_output().stderr.clone()).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let posts: Vec<Value> = lines.filter(|line| line["batch.id"].is_string() && line["level"] == "INFO").collect();
    assert_eq!(posts.len(), 1, "{log}");
    assert_eq!((&posts[0]["items"], &posts[0]["span"]["name"]), (&1.into(), &"intent".into()), "{log}");
    let intent = posts[0]["span"]["intent.id"].as_str().unwrap();
    assert_eq!(site.texts("SELECT intent_id FROM intent"), [intent]);
}
