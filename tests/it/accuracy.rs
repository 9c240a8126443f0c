//! Holds the grouping's reached accuracy on labelled sets, where those lie beside this checkout.
//!
//! A set is `NAME.jsonl` (one JSON string a line) with `NAME.truth` (one label a line) in the folder that
//! `GROUPING_SETS` names, else in `../shared/grouping`. The sets are no part of this project.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The least share of messages in exactly right groups (GA), and of groups that are exactly right (FGA), by set.
const REACHED: [(&str, f64, f64); 13] = [
    ("Android", 0.990, 0.961),
    ("BGL", 0.997, 0.974),
    ("Domain-dev", 1.0, 1.0),
    ("HDFS", 1.0, 1.0),
    ("HealthApp", 1.0, 1.0),
    ("Linux", 0.754, 0.956),
    ("Named-dev", 1.0, 1.0),
    ("OpenSSH", 0.995, 0.941),
    ("Pairs-dev", 1.0, 1.0),
    ("Proxifier", 0.991, 0.823),
    ("Wild-dev", 1.0, 1.0),
    ("Words-dev", 1.0, 1.0),
    ("Zookeeper", 0.994, 0.960),
];

/// The same for the sets in `tests/fixtures/grouping`.
const FIXTURES: [(&str, f64, f64); 10] = [
    ("cloud", 1.0, 1.0),
    ("hostile", 1.0, 1.0),
    ("libraries", 0.962, 0.932),
    ("named", 1.0, 1.0),
    ("optional", 0.770, 0.686),
    ("pairs", 0.989, 0.978),
    ("platforms", 0.937, 0.897),
    ("wild", 0.933, 0.895),
    ("words", 1.0, 1.0),
    ("wrappers", 1.0, 1.0),
];

#[test]
fn accuracy_on_labelled_sets_stays_what_it_was() {
    let folder = std::env::var_os("GROUPING_SETS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/grouping"), PathBuf::from);
    if !folder.is_dir() {
        println!("NOT CHECKED: no labelled sets in {} (GROUPING_SETS names another folder)", folder.display());
        return;
    }
    let mut checked = 0;
    for (set, least_ga, least_fga) in REACHED {
        let messages = folder.join(format!("{set}.jsonl"));
        if !messages.exists() {
            println!("NOT CHECKED: {set} is missing in {}", folder.display());
            continue;
        }
        let truth = std::fs::read_to_string(folder.join(format!("{set}.truth"))).unwrap();
        let truth: Vec<String> = truth.lines().map(str::to_owned).collect();
        let (ga, fga) = score(&truth, &group(&messages));
        println!("{set}: GA {ga:.4}, FGA {fga:.4}");
        assert!(ga >= least_ga && fga >= least_fga, "{set}: GA {ga} (was {least_ga}), FGA {fga} (was {least_fga})");
        checked += 1;
    }
    println!("checked {checked} of {} sets", REACHED.len());
}

#[test]
fn accuracy_on_the_sets_of_this_repository_stays_what_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/grouping");
    let mut worse = Vec::new();
    for (set, least_ga, least_fga) in FIXTURES {
        let messages = folder.join(format!("{set}.jsonl"));
        let text = std::fs::read_to_string(&messages).unwrap();
        let label = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["label"].to_string();
        let truth: Vec<String> = text.lines().map(label).collect();
        let (ga, fga) = score(&truth, &group(&messages));
        println!("{set}: GA {ga:.4}, FGA {fga:.4}");
        if ga < least_ga || fga < least_fga {
            worse.push(format!("{set}: GA {ga} (was {least_ga}), FGA {fga} (was {least_fga})"));
        }
    }
    assert!(worse.is_empty(), "{worse:?}");
}

/// The scores are right themselves: two of three true groups are found, the third is spread over two.
#[test]
fn accuracy_counts_only_groups_that_are_exactly_right() {
    let labels = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (ga, fga) = score(&labels("a a b b c c"), &labels("1 1 2 2 3 4"));
    assert!((ga - 4.0 / 6.0).abs() < 1e-9 && (fga - 4.0 / 7.0).abs() < 1e-9, "{ga} {fga}");
    let (ga, fga) = score(&labels("a a b b"), &labels("1 1 1 1"));
    assert_eq!((ga, fga), (0.0, 0.0));
}

/// The group id of every message, from an empty state.
fn group(messages: &Path) -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_llama-triage"))
        .args(["grouping", "try", "--input-format", "jsonl", "--format", "jsonl"])
        .arg(messages)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let id =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["group_id"].as_str().map(str::to_owned);
    text.lines().map(|line| id(line).expect("every line has a group")).collect()
}

/// GA (Zhu et al., ICSE-SEIP 2019) and FGA (Jiang et al., ISSTA 2024).
fn score(truth: &[String], found: &[String]) -> (f64, f64) {
    assert_eq!(truth.len(), found.len(), "one group per message");
    let (mut of_truth, mut of_found, mut of_both) = (HashMap::new(), HashMap::new(), HashMap::new());
    for pair in truth.iter().zip(found) {
        *of_truth.entry(pair.0).or_insert(0_u32) += 1;
        *of_found.entry(pair.1).or_insert(0_u32) += 1;
        *of_both.entry(pair).or_insert(0_u32) += 1;
    }
    let exact = of_both.iter().filter(|((t, f), n)| of_truth[t] == **n && of_found[f] == **n);
    let (right, messages) = exact.fold((0.0, 0.0), |(groups, sum), (_, n)| (groups + 1.0, sum + f64::from(*n)));
    // The harmonic mean of right/found and right/true.
    let fga = 2.0 * right / (of_truth.len() + of_found.len()) as f64;
    (messages / truth.len() as f64, fga)
}
