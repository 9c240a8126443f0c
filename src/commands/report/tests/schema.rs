//! Every query's JSON against the schema that is documented.

use super::*;
use crate::report::question::Question;

const SCHEMA: &str = include_str!("../../../../docs/report.schema.json");

#[test]
fn every_answer_fulfils_the_schema() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let ledger = filled();
    let more = [
        &["groups", "--since", "24h", "--match", "timed"][..],
        &["retries", "--by", "group"],
        &["trend", "--by", "group"],
        &["mttr", "--by", "class"],
        &["item", "--name", "*"],
    ];
    // A job record is LlamaCloud's JSON.
    let of_ledger =
        <Question as strum::VariantArray>::VARIANTS.iter().filter(|question| **question != Question::Record);
    let every = of_ledger.map(|question| match question {
        Question::Group => vec!["group", "4f2"],
        Question::Incident => vec!["incident", "n-5d"],
        Question::Item => vec!["item", "5b2e0001"],
        Question::Batch => vec!["batch", "bjb-71"],
        Question::Sql => vec!["sql", "SELECT 1 AS a, 'b', NULL, 1.5, x'00ff'"],
        question => vec![question.as_str()],
    });
    for words in every.into_iter().chain(more.map(<[&str]>::to_vec)) {
        let ran = ask(&ledger, &[&words[..], &["--format", "json"]].concat());
        let answer: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert!(!answer["rows"].as_array().unwrap().is_empty(), "{words:?}");
        let wrong: Vec<String> =
            validator.iter_errors(&answer).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(wrong.is_empty(), "{words:?}: {wrong:#?}");
        let lines = ask(&ledger, &[&words[..], &["--format", "jsonl"]].concat()).out;
        let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(&lines, answer["rows"].as_array().unwrap(), "{words:?}");
    }
}

#[test]
fn the_schema_refuses_what_the_contract_does_not_know() {
    let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let ledger = filled();
    let ran = ask(&ledger, &["groups", "--format", "json"]);
    let mut answer: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    answer["rows"][0]["surprise"] = 1.into();
    assert!(!validator.is_valid(&answer));
}
