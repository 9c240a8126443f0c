//! Spoils answers in the ways that [`InjectedFault`] names, without touching what the world knows.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use crate::simulator::faults::InjectedFault;

/// What stands for half a surrogate pair until the text is written; a private-use character that nothing else uses.
const LONE_SURROGATE: &str = "\u{e0de}";

/// What stands for the deep field until the text is written.
const DEEP: &str = "\u{e0df}";

/// Fields that the documentation requires; everything else may be missing.
const REQUIRED: [&str; 17] = [
    "id",
    "project_id",
    "job_type",
    "status",
    "total_items",
    "item_id",
    "item_name",
    "items",
    "job",
    "progress_percentage",
    "detail",
    "source_directory_id",
    "source_directory_file_id",
    "config",
    "type",
    "configuration_id",
    "results",
];

/// Changes a value as the fault says; faults that are not about JSON leave it alone.
pub(crate) fn corrupt_times(value: &mut Value, fault: &InjectedFault) {
    match fault {
        InjectedFault::UnknownWords => each_object(value, &mut |fields| {
            for key in ["status", "job_type"] {
                if fields.get(key).is_some_and(Value::is_string) {
                    fields.insert(key.into(), format!("{key}_of_tomorrow").into());
                }
            }
        }),
        InjectedFault::ExtraFields => each_object(value, &mut |fields| {
            fields.insert("x_added_later".into(), json!({"level": [1, null, "two"]}));
        }),
        InjectedFault::MissingOptional => {
            each_object(value, &mut |fields| fields.retain(|key, _| REQUIRED.contains(&key.as_str())));
        }
        InjectedFault::Malformed(position) => malform(value, *position),
        InjectedFault::ControlCharacters => each_message(value, &|text| format!("\0{text}\u{1b}[31m\u{7}\u{202e}\r\n")),
        InjectedFault::LoneSurrogates => each_message(value, &|text| format!("{text}{LONE_SURROGATE}")),
        InjectedFault::LongMessages(bytes) => each_message(value, &|text| {
            let unit = if text.is_empty() { "x".to_owned() } else { format!("{text} ") };
            unit.repeat(bytes / unit.len() + 1)[..].chars().take(*bytes).collect()
        }),
        InjectedFault::Skewed(seconds) => each_object(value, &mut |fields| {
            let times = fields.iter_mut().filter(|(key, _)| key.ends_with("_at"));
            times.for_each(|(_, time)| skew(time, *seconds));
        }),
        InjectedFault::DeepJson(_) => {
            if let Some(fields) = value.as_object_mut() {
                fields.insert("x_deep".into(), DEEP.into());
            }
        }
        _ => {}
    }
}

/// The text of a spoilt value: puts in what no [`Value`] can hold.
pub(crate) fn write(value: &Value, fault: Option<&InjectedFault>) -> String {
    let text = value.to_string();
    match fault {
        Some(InjectedFault::LoneSurrogates) => text.replace(LONE_SURROGATE, r"\ud83d"),
        Some(InjectedFault::DeepJson(levels)) => {
            let deep = format!("{}{}", "[".repeat(*levels), "]".repeat(*levels));
            text.replace(&format!("\"{DEEP}\""), &deep)
        }
        // A quote inside a text is escaped, so only keys are found.
        Some(InjectedFault::DuplicateKeys) => {
            text.replace(r#""error_message":"#, r#""error_message":"the wrong one","error_message":"#)
        }
        _ => text,
    }
}

fn skew(time: &mut Value, seconds: i64) {
    let read = time.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    if let Some(skewed) = read.and_then(|time| time.checked_add(SignedDuration::from_secs(seconds)).ok()) {
        *time = skewed.to_string().into();
    }
}

fn malform(value: &mut Value, position: usize) {
    if let Some(entry) = value.get_mut("items").and_then(|items| items.get_mut(position)) {
        for key in ["item_id", "id", "status", "item_name"] {
            if entry.get(key).is_some() {
                entry[key] = json!({"not": ["a", "text"]});
            }
        }
    }
}

fn each_message(value: &mut Value, change: &dyn Fn(&str) -> String) {
    each_object(value, &mut |fields| {
        for key in ["error_message", "item_name"] {
            if let Some(Value::String(text)) = fields.get_mut(key) {
                *text = change(text);
            }
        }
    });
}

fn each_object(value: &mut Value, change: &mut dyn FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            // Inside first: what a change adds must not be changed again, without end.
            fields.values_mut().for_each(|value| each_object(value, change));
            change(fields);
        }
        Value::Array(entries) => entries.iter_mut().for_each(|value| each_object(value, change)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Value {
        json!({"items": [{"item_id": "a", "status": "failed", "error_message": "no"}, {"item_id": "b", "status": "failed"}]})
    }

    fn spoilt(fault: InjectedFault) -> (Value, String) {
        let mut value = page();
        corrupt_times(&mut value, &fault);
        let text = write(&value, Some(&fault));
        (value, text)
    }

    #[test]
    fn one_entry_is_malformed_and_its_neighbour_is_not() {
        let (value, _) = spoilt(InjectedFault::Malformed(0));
        assert!(value["items"][0]["item_id"].is_object());
        assert_eq!(value["items"][1], page()["items"][1]);
    }

    #[test]
    fn lone_surrogates_and_deep_fields_are_written_as_text() {
        assert!(spoilt(InjectedFault::LoneSurrogates).1.contains(r#""no\ud83d""#));
        assert!(spoilt(InjectedFault::DeepJson(3)).1.contains(r#""x_deep":[[[]]]"#));
    }

    #[test]
    fn a_message_comes_twice_and_times_are_moved() {
        assert!(
            spoilt(InjectedFault::DuplicateKeys).1.contains(r#""error_message":"the wrong one","error_message":"no""#)
        );
        let mut value = json!({"completed_at": "2026-03-01T00:00:00Z", "started_at": null});
        corrupt_times(&mut value, &InjectedFault::Skewed(-86_400));
        assert_eq!(value, json!({"completed_at": "2026-02-28T00:00:00Z", "started_at": null}));
    }

    #[test]
    fn optional_fields_go_and_required_ones_stay() {
        let (value, _) = spoilt(InjectedFault::MissingOptional);
        assert_eq!(value["items"][0], json!({"item_id": "a", "status": "failed"}));
    }

    #[test]
    fn a_long_message_has_the_length_asked_for() {
        let (value, _) = spoilt(InjectedFault::LongMessages(70_000));
        assert_eq!(value["items"][0]["error_message"].as_str().unwrap().len(), 70_000);
    }
}
