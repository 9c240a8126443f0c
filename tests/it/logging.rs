//! Log lines go to stderr, and are JSON on request; answers alone go to stdout.

use assert_cmd::Command;
use serde_json::Value;

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
