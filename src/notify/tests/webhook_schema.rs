//! The JSON of webhooks against the schema that is documented; `BLESS=1 cargo test webhook_schema` writes the table of
//! fields at the end of `docs/webhook.md` again.

use std::path::PathBuf;

use jsonschema::Validator;
use serde_json::Value;

use crate::notify::render::json;
use crate::notify::tests::sample::{at, busy, hostile};
use crate::triage::digest::model::Digest;
use crate::triage::digest::size_limit::Tier;
use crate::triage::digest::test_digest::trial;

const SCHEMA: &str = include_str!("../../../docs/webhook.schema.json");

/// Where the table begins in the page.
const FIELDS: &str = "`file` channels write the same.\n\n";

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn validator() -> Validator {
    jsonschema::validator_for(&schema()).unwrap()
}

/// Bodies of every kind.
fn bodies() -> Vec<Value> {
    let empty = Digest { changes: Vec::new(), still_open: Vec::new(), retries: None, budget: None, ..busy() };
    let unknown = Digest {
        ledger_as_of: None,
        next_digest_at: None,
        ledger_id: String::new(),
        ..trial("", "UTC", at("2026-08-23T07:00:00Z"))
    };
    let with_console = Digest { public_url: Some("https://triage.example.com".into()), ..busy() };
    let mut taken = busy();
    for entry in taken.changes.iter_mut().chain(&mut taken.still_open) {
        (entry.acked, entry.assigned) = (Some("Ann".into()), Some("Bob".into()));
        (entry.ticket, entry.alert_scope) = (Some("https://t.example.com/1".into()), Some("old".into()));
    }
    let digests = [busy(), empty, unknown, with_console, taken, hostile(3, "<b>\u{0}")];
    let tiers = [Tier::Full, Tier::TotalsOnly];
    let render = |digest: &Digest, tier| serde_json::from_str(&json::render(digest, tier).0).unwrap();
    digests.iter().flat_map(|digest| tiers.map(|tier| render(digest, tier))).collect()
}

#[test]
fn every_body_fulfils_the_schema() {
    let validator = validator();
    for body in bodies() {
        let wrong: Vec<String> =
            validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

#[test]
fn the_schema_refuses_what_the_contract_does_not_know() {
    let validator = validator();
    for path in ["", "/totals", "/groups/0", "/groups/0/samples/0", "/faults/0", "/window", "/retries"] {
        let mut body = bodies().remove(0);
        body.pointer_mut(path).unwrap()["surprise"] = 1.into();
        assert!(!validator.is_valid(&body), "{path}");
    }
    let mut body = bodies().remove(0);
    body.as_object_mut().unwrap().remove("totals");
    assert!(!validator.is_valid(&body));
}

#[test]
fn every_field_of_the_schema_is_sent() {
    let bodies = bodies();
    let mut unsent = Vec::new();
    for_each_field(&schema(), "", &mut |path, _| {
        if !bodies.iter().any(|body| is_sent(body, path)) {
            unsent.push(path.to_owned());
        }
    });
    assert_eq!(unsent, Vec::<String>::new());
}

/// Whether a body has a field; `[]` stands for some entry of a list.
fn is_sent(body: &Value, path: &str) -> bool {
    let Some((first, rest)) = path.split_once('.') else {
        return has(body, path.trim_end_matches("[]"));
    };
    match first.strip_suffix("[]") {
        Some(list) => body[list].as_array().into_iter().flatten().any(|entry| is_sent(entry, rest)),
        None => is_sent(&body[first], rest),
    }
}

fn has(body: &Value, field: &str) -> bool {
    body.get(field).is_some()
}

/// Calls for each property, with its path such as `groups[].samples[].item_id`.
fn for_each_field(schema: &Value, path: &str, call: &mut impl FnMut(&str, &Value)) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let is_list = field["type"] == "array";
        let own = format!("{path}{name}{}", if is_list { "[]" } else { "" });
        call(&own, field);
        let inner = if is_list { &field["items"] } else { field };
        for_each_field(inner, &format!("{own}."), call);
    }
}

fn type_words(field: &Value) -> String {
    if let Some(words) = field["enum"].as_array() {
        return words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect::<Vec<_>>().join(", ");
    }
    if let Some(only) = field.get("const") {
        return format!("`{only}`").replace('"', "");
    }
    let of_list = |field: &Value| {
        if field["items"]["enum"].is_array() {
            type_words(&field["items"])
        } else {
            field["items"]["type"].as_str().unwrap().to_owned()
        }
    };
    let word = |word: &str| match (word, field["format"].as_str()) {
        ("string", Some("date-time")) => "time".to_owned(),
        ("array", _) => format!("list of {}", of_list(field)),
        (word, _) => word.to_owned(),
    };
    match &field["type"] {
        Value::Array(words) => words.iter().map(|one| word(one.as_str().unwrap())).collect::<Vec<_>>().join(" or "),
        one => word(one.as_str().unwrap()),
    }
}

#[test]
fn the_page_lists_every_field() {
    let mut table = String::from("| field | type | meaning |\n|---|---|---|\n");
    let mut groups = Vec::new();
    for_each_field(&schema(), "", &mut |path, field| {
        // Groups without news have the same fields.
        if path.starts_with("still_open[].") {
            groups.push(path.to_owned());
            return;
        }
        let meaning = field["description"].as_str().unwrap_or_else(|| panic!("{path} has no description"));
        table.push_str(&format!("| `{path}` | {} | {meaning} |\n", type_words(field)));
    });
    assert!(groups.len() > 20);
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/webhook.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (text, found) = page.split_once(FIELDS).unwrap();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, format!("{text}{FIELDS}{table}")).unwrap();
        return;
    }
    assert!(found == table, "docs/webhook.md does not fit its schema: run BLESS=1 cargo test webhook_schema");
}
