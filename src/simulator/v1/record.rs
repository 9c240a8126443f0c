//! The `job_config` of a new v1 batch, checked by type as the real service's schema does: a parse record, or a whole classify job.
//!
//! Fields that the schema does not know are let through, as there.

use serde_json::{Map, Value};

use crate::model::id::is_uuid;
use crate::simulator::http::reply::Reply;
use crate::simulator::world::model::JobType;

/// A type of the schema.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Uuid,
    Text,
    Number,
    Integer,
    List,
    Object,
    OneOf(&'static [&'static str]),
    /// Any other parameter.
    Bool,
}

/// The fields of a parse record.
const RECORD: &[(&str, Kind)] = &[
    ("job_name", Kind::OneOf(&["parse_raw_file_job"])),
    ("partitions", Kind::Object),
    ("parameters", Kind::Object),
    ("session_id", Kind::Uuid),
    ("correlation_id", Kind::Uuid),
    ("parent_job_execution_id", Kind::Uuid),
    ("user_id", Kind::Text),
    ("project_id", Kind::Uuid),
    ("webhook_url", Kind::Text),
];

/// The fields of a classify job; the first five must be there.
const CLASSIFY: &[(&str, Kind)] = &[
    ("id", Kind::Uuid),
    ("status", Kind::OneOf(&["PENDING", "SUCCESS", "ERROR", "PARTIAL_SUCCESS", "CANCELLED"])),
    ("user_id", Kind::Text),
    ("project_id", Kind::Uuid),
    ("rules", Kind::List),
    ("mode", Kind::OneOf(&["FAST", "MULTIMODAL"])),
    ("parsing_configuration", Kind::Object),
    ("job_record_id", Kind::Text),
    ("error_message", Kind::Text),
];

/// Parameters of a parse by type; those of the longest list, switches, are recognised by what is left.
const PARAMETERS: &[(Kind, &[&str])] = &[
    (Kind::List, &["webhook_configurations", "languages", "images_to_save"]),
    (Kind::Object, &["custom_metadata", "resource_info"]),
    (Kind::Integer, &["max_pages", "max_pages_enforced"]),
    (
        Kind::Number,
        &[
            "bbox_top",
            "bbox_right",
            "bbox_bottom",
            "bbox_left",
            "job_timeout_in_seconds",
            "job_timeout_extra_time_per_page_in_seconds",
            "page_error_tolerance",
        ],
    ),
    (Kind::OneOf(&["low", "medium", "high", "critical"]), &["priority"]),
    (Kind::OneOf(&["raw_text", "blank_page", "error_message"]), &["replace_failed_page_mode"]),
    (
        Kind::OneOf(&[
            "parse_page_without_llm",
            "parse_page_with_llm",
            "parse_page_with_lvm",
            "parse_page_with_agent",
            "parse_page_with_layout_agent",
            "parse_document_with_llm",
            "parse_document_with_lvm",
            "parse_document_with_agent",
        ]),
        &["parse_mode"],
    ),
    (Kind::Bool, SWITCHES),
    (Kind::Text, &["tier", "version", "lang", "model", "preset", "target_pages", "user_prompt", "system_prompt"]),
];

const SWITCHES: &[&str] = &[
    "auto_mode",
    "continuous_mode",
    "disable_ocr",
    "do_not_cache",
    "extract_charts",
    "extract_layout",
    "fast_mode",
    "high_res_ocr",
    "invalidate_cache",
    "layout_aware",
    "premium_mode",
    "save_images",
    "structured_output",
    "take_screenshot",
];

/// The kind of work that a configuration asks for.
pub(crate) fn check(config: &Value) -> Result<JobType, Reply> {
    let place = ["body", "job_config"];
    let fields = config.as_object().ok_or_else(|| Reply::invalid(&place, "not an object"))?;
    if fields.contains_key("rules") {
        check_classify(fields)?;
        return Ok(JobType::Classify);
    }
    let place = ["body", "job_config", "BatchParseJobRecordCreate"];
    check_all(fields, RECORD.iter().copied(), &place)?;
    if let Some(Value::Object(parameters)) = fields.get("parameters") {
        let typed = PARAMETERS.iter().flat_map(|(kind, names)| names.iter().map(|name| (*name, *kind)));
        check_all(parameters, typed, &["body", "job_config", "BatchParseJobRecordCreate", "parameters"])?;
    }
    Ok(JobType::Parse)
}

fn check_classify(fields: &Map<String, Value>) -> Result<(), Reply> {
    let place = ["body", "job_config", "ClassifyJob"];
    if let Some((name, _)) = CLASSIFY[..5].iter().find(|(name, _)| fields.get(*name).is_none_or(Value::is_null)) {
        let place = [&place[..], &[*name]].concat();
        return Err(Reply::mistyped(&place, "missing", "Field required", &Value::Object(fields.clone())));
    }
    check_all(fields, CLASSIFY.iter().copied(), &place)?;
    let rules = fields["rules"].as_array().map_or(&[][..], Vec::as_slice);
    let complete = |rule: &Value| rule["type"].is_string() && rule["description"].is_string();
    match !rules.is_empty() && rules.iter().all(complete) {
        true => Ok(()),
        false => Err(Reply::invalid(&[&place[..], &["rules"]].concat(), "at least one rule of type and description")),
    }
}

fn check_all<'a>(
    fields: &Map<String, Value>,
    mut typed: impl Iterator<Item = (&'a str, Kind)>,
    place: &[&str],
) -> Result<(), Reply> {
    let wrong = typed.find_map(|(name, kind)| {
        let value = fields.get(name).filter(|value| !value.is_null() && !kind.takes(value))?;
        let (word, message) = kind.refusal();
        Some(Reply::mistyped(&[place, &[name]].concat(), word, message, value))
    });
    wrong.map_or(Ok(()), Err)
}

impl Kind {
    /// Whether a value is of this type, or a text that says one, as the real service reads it.
    fn takes(self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Self::Uuid => text.is_some_and(is_uuid),
            Self::Text => text.is_some(),
            Self::Number => value.is_number() || text.is_some_and(|text| text.parse::<f64>().is_ok()),
            Self::Integer => value.is_i64() || text.is_some_and(|text| text.parse::<i64>().is_ok()),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
            Self::OneOf(words) => text.is_some_and(|text| words.contains(&text)),
            Self::Bool => value.is_boolean() || matches!(text, Some("true" | "false")),
        }
    }

    /// The service's words for a value that is of another type.
    fn refusal(self) -> (&'static str, &'static str) {
        match self {
            Self::Uuid => ("uuid_parsing", "Input should be a valid UUID"),
            Self::Text => ("string_type", "Input should be a valid string"),
            Self::Number => ("float_type", "Input should be a valid number"),
            Self::Integer => ("int_type", "Input should be a valid integer"),
            Self::List => ("list_type", "Input should be a valid list"),
            Self::Object => ("dict_type", "Input should be a valid dictionary"),
            Self::OneOf(_) => ("enum", "Input should be one of the words of the schema"),
            Self::Bool => ("bool_type", "Input should be a valid boolean"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(config: Value) -> Option<String> {
        let content = check(&config).err()?.content;
        let crate::simulator::http::reply::Content::Json(body) = content else { return None };
        Some(format!(
            "{} {}",
            body["detail"][0]["loc"].as_array()?.last()?.as_str()?,
            body["detail"][0]["type"].as_str()?
        ))
    }

    #[test]
    fn a_parse_record_is_checked_by_type_and_may_have_more() {
        assert_eq!(
            refused(json!({"job_name": "parse_raw_file_job", "made_up": 1, "parameters": {"made_up": 1}})),
            None
        );
        assert_eq!(refused(json!({})), None);
        let uuid = "0193be3a-89c8-4ebe-7ea3-3b0b1a2c1b33";
        assert_eq!(refused(json!({"correlation_id": uuid, "session_id": null})), None);
        for (config, expected) in [
            (json!({"correlation_id": "01JDZ3N2E8Q4V7X9R0S1T2W3Y4"}), "correlation_id uuid_parsing"),
            (json!({"project_id": format!("prj-{uuid}")}), "project_id uuid_parsing"),
            (json!({"job_name": "other"}), "job_name enum"),
            (json!({"parameters": {"tier": 5}}), "tier string_type"),
            (json!({"parameters": {"invalidate_cache": "maybe"}}), "invalidate_cache bool_type"),
            (json!({"parameters": {"max_pages": 1.5}}), "max_pages int_type"),
        ] {
            assert_eq!(refused(config).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_classify_job_is_the_whole_record() {
        let id = "0193be3a-89c8-4ebe-7ea3-3b0b1a2c1b33";
        let rules = json!([{"type": "invoice", "description": "asks for money"}]);
        let job = json!({"id": id, "status": "PENDING", "user_id": "u", "project_id": id, "rules": rules});
        assert_eq!(refused(job.clone()), None);
        let with = |name: &str, value: Value| {
            let mut job = job.clone();
            job[name] = value;
            refused(job)
        };
        assert_eq!(with("id", "c".into()).as_deref(), Some("id uuid_parsing"));
        assert_eq!(with("user_id", Value::Null).as_deref(), Some("user_id missing"));
        assert_eq!(with("rules", json!([])).as_deref(), Some("rules value_error"));
    }
}
