//! Holds `config/schema.json` and `docs/configuration.md` equal to the configuration types, and `config/example.toml`
//! equal to their defaults. Only for tests: `BLESS=1 cargo test config::tests` writes the two files again.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::PathBuf;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::config::Config;

/// A duration as people write it. It stands in the schema for every duration type.
pub(crate) struct DurationText;

impl JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "duration-text", "examples": ["2m 30s", "36h", "7d"] })
    }
}

/// A size as people write it.
pub(crate) struct SizeText;

impl JsonSchema for SizeText {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "size-text", "examples": ["1 GiB", "500 MiB", "0"] })
    }
}

/// The JSON Schema of a configuration file.
fn schema() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Config>().to_value();
    without_null(&mut schema);
    schema["title"] = json!("Configuration of llama-triage");
    // Names have no usable default; the types give them one only so that a missing name is reported with all other mistakes.
    for table in ["project", "channel"] {
        let entry = &mut schema["properties"][table]["items"];
        entry["properties"]["name"].as_object_mut().unwrap().remove("default");
        let required = entry.as_object_mut().unwrap().entry("required").or_insert_with(|| json!([]));
        required.as_array_mut().unwrap().push(json!("name"));
    }
    schema
}

/// TOML has no null: an optional key is left out.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("default") == Some(&Value::Null) {
                object.remove("default");
            }
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|word| word != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
                choices.retain(|choice| choice["type"] != "null");
                let Some(Value::Object(only)) = choices.pop() else { panic!("anyOf of nothing but null") };
                object.remove("anyOf");
                object.extend(only.into_iter().filter(|(key, _)| key != "description"));
            }
            // A table's default repeats those of its keys.
            if object.contains_key("properties")
                || object.get("items").is_some_and(|items| items["properties"].is_object())
            {
                object.remove("default");
            }
            for key in ["properties", "items", "oneOf"] {
                match object.get_mut(key) {
                    Some(Value::Object(inner)) if key == "properties" => inner.values_mut().for_each(without_null),
                    Some(inner @ Value::Object(_)) => without_null(inner),
                    Some(Value::Array(inner)) => inner.iter_mut().for_each(without_null),
                    _ => {}
                }
            }
        }
        _ => panic!("a schema is an object: {schema}"),
    }
}

fn is_duration(schema: &Map<String, Value>) -> bool {
    schema.get("format").is_some_and(|format| format == "duration-text")
}

/// `docs/configuration.md`.
fn reference(schema: &Value) -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         This page is generated from the configuration types; `BLESS=1 cargo test config::tests` writes it again.\n\n\
         The file is TOML.\n\
         Relative paths in it follow its folder, wherever the command is started; `--ledger` follows the working directory.\n\
         `config/example.toml` holds every key with its default, and `config/schema.json` is a JSON Schema: \
         an editor that reads the example's first line completes and checks keys.\n\
         Unknown keys are refused; `llama-triage check-config` names every mistake at once, with its line, and touches no network.\n\
         Durations are written like \"2m 30s\", \"36h\" or \"7d\"; a day is 24 hours.\n\
         A key without a default may be left out unless it says \"needed\".\n",
    );
    tables(schema, "", &mut text);
    text
}

/// One section for each table, keys first, tables within it after.
fn tables(schema: &Value, path: &str, text: &mut String) {
    let Some(properties) = schema["properties"].as_object() else { return };
    let inner = |schema: &Value| if schema["type"] == "array" { schema["items"].clone() } else { schema.clone() };
    let (below, keys): (Vec<_>, Vec<_>) =
        properties.iter().partition(|(_, schema)| inner(schema)["properties"].is_object());
    if !keys.is_empty() {
        text.push_str("\n| key | type | default | meaning |\n|---|---|---|---|\n");
    }
    for (key, value) in keys {
        let needed = schema["required"].as_array().is_some_and(|required| required.contains(&json!(key)));
        let default = match &value["default"] {
            Value::Null if needed => "needed".to_owned(),
            Value::Null => String::new(),
            default => format!("`{default}`"),
        };
        let meaning = cell(value["description"].as_str().unwrap_or_default());
        text.push_str(&format!("| `{key}` | {} | {default} | {meaning} |\n", type_words(value)));
    }
    for (name, value) in below {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let heading = if value["type"] == "array" { format!("[[{path}]]") } else { format!("[{path}]") };
        text.push_str(&format!("\n## `{heading}`\n\n{}\n", value["description"].as_str().unwrap_or_default()));
        tables(&inner(value), &path, text);
    }
}

fn type_words(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let words = choices.iter().flat_map(|choice| match &choice["enum"] {
            Value::Array(words) => words.clone(),
            _ => vec![choice["const"].clone()],
        });
        return words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    if schema["type"].is_array() {
        return format!("string or list of {}", type_words(&schema["items"]));
    }
    match schema["type"].as_str().unwrap_or_default() {
        "array" => format!("list of {}", type_words(&schema["items"])),
        "object" => "table".to_owned(),
        _ if schema.as_object().is_some_and(is_duration) => "duration".to_owned(),
        word => word.to_owned(),
    }
}

/// Text inside a Markdown table cell.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

/// The example with every commented key switched on.
fn uncommented(example: &str) -> String {
    let key = regex::Regex::new(r"^# (\[\[?[a-z.-]+\]\]?$|[a-z0-9-]+ = )").unwrap();
    example.lines().map(|line| if key.is_match(line) { &line[2..] } else { line }.to_owned() + "\n").collect()
}

/// The paths of all keys of a schema, lists of tables without an index.
fn keys_of_schema(schema: &Value, path: &str, keys: &mut BTreeSet<String>) {
    let Some(properties) = schema["properties"].as_object() else {
        keys.insert(path.to_owned());
        return;
    };
    for (key, value) in properties {
        let inner =
            if value["type"] == "array" && value["items"]["properties"].is_object() { &value["items"] } else { value };
        keys_of_schema(inner, &format!("{path}/{key}"), keys);
    }
}

fn keys_of_document(value: &toml::Value, schema: &Value, path: &str, keys: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) if schema["properties"].is_object() => {
            for (key, value) in table {
                keys_of_document(value, &schema["properties"][key], &format!("{path}/{key}"), keys);
            }
        }
        toml::Value::Array(list) if schema["items"]["properties"].is_object() => {
            list.iter().for_each(|element| keys_of_document(element, &schema["items"], path, keys));
        }
        _ => {
            keys.insert(path.to_owned());
        }
    }
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn is_up_to_date(name: &str, wanted: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(file(name), wanted).unwrap();
    }
    let found = std::fs::read_to_string(file(name)).unwrap_or_default();
    assert!(found == wanted, "{name} does not fit the code: run BLESS=1 cargo test config::tests");
}

#[test]
fn the_schema_and_the_reference_fit_the_types() {
    let schema = schema();
    is_up_to_date("config/schema.json", &(serde_json::to_string_pretty(&schema).unwrap() + "\n"));
    is_up_to_date("docs/configuration.md", &reference(&schema));
}

#[test]
fn the_example_holds_the_defaults() {
    let example = std::fs::read_to_string(file("config/example.toml")).unwrap();
    assert_eq!(toml::from_str::<Config>(&example).unwrap(), Config::default());
}

#[test]
fn the_example_names_every_key() {
    let example = std::fs::read_to_string(file("config/example.toml")).unwrap();
    let all = uncommented(&example);
    toml::from_str::<Config>(&all).unwrap();
    let schema = schema();
    let (mut named, mut known) = (BTreeSet::new(), BTreeSet::new());
    keys_of_document(&toml::from_str(&all).unwrap(), &schema, "", &mut named);
    keys_of_schema(&schema, "", &mut known);
    assert_eq!(named, known);
}

#[test]
fn an_unknown_key_is_answered_with_the_keys_of_its_table() {
    let schema = schema();
    for (table, described) in schema["properties"].as_object().unwrap() {
        let (head, keys) = match described["type"] == "array" {
            true => (format!("[[{table}]]"), described["items"]["properties"].as_object()),
            false => (format!("[{table}]"), described["properties"].as_object()),
        };
        let mistakes = crate::config::load::parse(&format!("{head}\nno-such-key = 1\n")).unwrap_err();
        let said = &mistakes.iter().find(|mistake| mistake.key.ends_with("no-such-key")).unwrap().text;
        let (_, allowed) = said.split_once("allowed: ").unwrap();
        let allowed: BTreeSet<&str> = allowed.split('`').skip(1).step_by(2).collect();
        assert_eq!(allowed, keys.unwrap().keys().map(String::as_str).collect(), "{table}");
    }
}
