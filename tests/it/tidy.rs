//! The shape of the code: what may use what. These tests hold what reviews would otherwise repeat.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below `folder`, with their text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut todo = vec![root().join(folder)];
    while let Some(dir) = todo.pop() {
        for entry in std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// The text without comments and without the tests at its end.
fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    before_tests.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Files that exist for tests alone may use anything.
fn is_test(name: &str) -> bool {
    let alone = ["src/service/scan/model.rs", "src/service/scan/worlds.rs", "src/ledger/seed.rs"];
    name.contains("/tests/") || name.ends_with("tests.rs") || alone.contains(&name)
}

fn offenders(folder: &str, words: &[&str]) -> Vec<String> {
    let hits = sources(folder).into_iter().filter(|(name, _)| !is_test(name)).flat_map(|(name, text)| {
        let code = code(&text);
        words.iter().filter(|w| code.contains(**w)).map(|w| format!("{name}: {w}")).collect::<Vec<_>>()
    });
    hits.collect()
}

#[test]
fn the_core_is_pure() {
    let words = [
        "tokio",
        "reqwest",
        "rusqlite",
        "lettre",
        "tracing::",
        "async fn",
        "std::fs",
        "std::net",
        "std::env",
        "SystemTime",
        "Instant",
        "::now(",
        "crate::cloud",
        "crate::ledger",
        "crate::notify",
        "crate::report",
        "crate::service",
        "crate::commands",
        "crate::demo",
        "crate::config",
    ];
    assert_eq!(offenders("src/core", &words), Vec::<String>::new());
}

#[test]
fn the_edges_do_not_know_each_other() {
    for edge in ["cloud", "ledger", "notify", "report"] {
        let others: Vec<String> = ["cloud", "ledger", "notify", "report", "service", "commands", "demo"]
            .iter()
            .filter(|other| **other != edge)
            .map(|other| format!("crate::{other}::"))
            .collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        assert_eq!(offenders(&format!("src/{edge}"), &others), Vec::<String>::new());
    }
}

#[test]
fn each_fact_has_one_owner() {
    let rules: [(&[&str], &[&str]); 5] = [
        (&["rusqlite::", "prepare_cached("], &["src/ledger/", "src/exit.rs"]),
        (&["tokio_cron_scheduler"], &["src/service/scheduler.rs", "src/telemetry.rs"]),
        (
            &["Timestamp::now(", "Zoned::now(", "ZonedDateTime::now(", "SystemTime::now("],
            &["src/service/", "src/commands/", "src/demo/"],
        ),
        (&["lettre::"], &["src/notify/", "src/config/check.rs"]),
        // They panic when the disk is full or the reader has gone.
        (&["println!(", "print!("], &["src/commands/output.rs"]),
    ];
    for (words, owners) in rules {
        let strangers: Vec<_> =
            offenders("src", words).into_iter().filter(|hit| !owners.iter().any(|o| hit.starts_with(o))).collect();
        assert_eq!(strangers, Vec::<String>::new());
    }
}

#[test]
fn files_stay_small() {
    let long: Vec<String> = ["src", "tests"]
        .iter()
        .flat_map(|folder| sources(folder))
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|(_, lines)| *lines > 400)
        .map(|(name, lines)| format!("{name}: {lines} lines"))
        .collect();
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<String> = sources("src")
        .into_iter()
        .filter(|(name, text)| !name.ends_with("tests.rs") && !text.starts_with("//!"))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn nothing_is_named_after_nothing() {
    for (name, _) in sources("src") {
        let stem = Path::new(&name).file_stem().unwrap().to_string_lossy().into_owned();
        assert!(
            !["util", "utils", "helper", "helpers", "manager", "common", "misc"].contains(&stem.as_str()),
            "{name}"
        );
    }
}
