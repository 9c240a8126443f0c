//! The job config of a retry: learnt or given, stripped to what may be sent again, with a stable hash.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::model::id::uuid_of_ulid;
use crate::model::redact::mask_secrets;
use crate::reprocess::protocol::parameters::{NEEDED_SECRETS, is_of_the_work, is_replayed};

/// A parse job's name in the v1 API; the only config that is replayed from what the API returns.
const PARSE_JOB: &str = "parse_raw_file_job";

/// A config that can be posted.
#[derive(Clone, Debug, PartialEq)]
pub struct JobConfig {
    /// The job config without secrets and server-side ids.
    config: Map<String, Value>,
    /// Hash of what decides the result; the same whether or not the cache is invalidated.
    hash: String,
    /// Parameters that it was learnt without although they may decide the result, sorted.
    lost: Vec<String>,
}

/// Why no job config of an item is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoConfig {
    /// There is none that may be sent again: only a person can give one.
    #[error("no job config is known for it; add a [[reprocess.job-config]] ({0})")]
    Nothing(String),
    /// It could not be asked for.
    #[error("{0}")]
    Unasked(String),
}

impl NoConfig {
    /// It could not be asked for yet.
    pub(crate) fn later(why: &str) -> NoConfig {
        NoConfig::Unasked(format!("its job config is not known yet: {why}; plan again"))
    }
}

/// Why a job config cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobConfigRefused {
    /// Not an object, or an object without parameters.
    #[error("the job config is not an object with parameters")]
    Shape,
    /// Nothing that may be sent again: a retry would run with the defaults of the API instead.
    #[error("no parameter of the job config may be sent again; add a [[reprocess.job-config]]")]
    Empty,
    /// Not a parse job.
    #[error("job config {0:?} cannot be replayed; add a [[reprocess.job-config]]")]
    JobName(String),
    /// It worked with a secret, which is not replayed.
    #[error("the job used {0}, which is never replayed; add a [[reprocess.job-config]]")]
    NeedsSecret(String),
    /// A text holds a secret: neither the ledger nor a retry may have it, and without it the work would be another.
    #[error("the value of {0} holds a secret, which is never replayed; add a [[reprocess.job-config]]")]
    HoldsSecret(String),
    /// A value was blanked by the API.
    #[error("the value of {0} was redacted; add a [[reprocess.job-config]]")]
    Redacted(String),
}

impl JobConfig {
    /// A config that an operator wrote: taken as it is.
    ///
    /// # Errors
    /// When it is no object.
    pub fn given(config: Value) -> Result<Self, JobConfigRefused> {
        let Value::Object(config) = config else { return Err(JobConfigRefused::Shape) };
        Ok(Self::new(config))
    }

    /// A parse config learnt from the API: only parameters on the allow-list survive, ids of the server never.
    ///
    /// # Errors
    /// When stripping it would change the work.
    pub(crate) fn learnt(config: &Value) -> Result<Self, JobConfigRefused> {
        let object = config.as_object().ok_or(JobConfigRefused::Shape)?;
        if let Some(name) = object.get("job_name").and_then(Value::as_str)
            && name != PARSE_JOB
        {
            return Err(JobConfigRefused::JobName(name.to_owned()));
        }
        let parameters = object.get("parameters").and_then(Value::as_object).ok_or(JobConfigRefused::Shape)?;
        let kept = strip(parameters)?;
        if kept.is_empty() {
            return Err(JobConfigRefused::Empty);
        }
        let mut config = Map::new();
        config.insert("job_name".to_owned(), PARSE_JOB.into());
        config.insert("parameters".to_owned(), Value::Object(kept));
        Ok(Self::new(config).having_lost(left_out(parameters)))
    }

    /// The same with what it was learnt without.
    pub(crate) fn having_lost(self, lost: Vec<String>) -> Self {
        Self { lost, ..self }
    }

    /// Hash of the config: what beliefs, caps and "the config changed" hang on.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Parameters that it was learnt without although they may decide the result, sorted.
    pub(crate) fn lost(&self) -> &[String] {
        &self.lost
    }

    /// What to post. A second try clears the cache, because failures were cached once; the intent's id is sent with it where the API stores it.
    pub(crate) fn body(&self, second_try: bool, intent_id: &str) -> Value {
        let mut config = self.config.clone();
        // The fields of API v2 stand beside each other.
        let is_v2 = config.contains_key("configuration_id") || config.contains_key("tier");
        if second_try && let Some(Value::Object(parameters)) = config.get_mut("parameters") {
            parameters.insert("invalidate_cache".to_owned(), true.into());
        } else if second_try && is_v2 {
            config.insert("disable_cache".to_owned(), true.into());
        }
        // A parse record of v1 has a field for it, which is typed uuid: anything else is refused.
        let is_record = config.contains_key("job_name") || config.contains_key("parameters");
        if is_record && let Some(uuid) = uuid_of_ulid(intent_id) {
            config.insert("correlation_id".to_owned(), uuid.into());
        }
        Value::Object(config)
    }

    fn new(config: Map<String, Value>) -> Self {
        let mut hashed = config.clone();
        if let Some(Value::Object(parameters)) = hashed.get_mut("parameters") {
            parameters.remove("invalidate_cache");
        }
        hashed.remove("disable_cache");
        let mut text = String::new();
        write_canonical(&Value::Object(hashed), &mut text);
        let hash = hex::encode(&Sha256::digest(text.as_bytes())[..16]);
        Self { config, hash, lost: Vec::new() }
    }
}

fn strip(parameters: &Map<String, Value>) -> Result<Map<String, Value>, JobConfigRefused> {
    if let Some(name) = NEEDED_SECRETS.iter().find(|name| parameters.get(**name).is_some_and(is_set)) {
        return Err(JobConfigRefused::NeedsSecret((*name).to_owned()));
    }
    let kept: Map<String, Value> = parameters
        .iter()
        .filter(|(name, value)| is_replayed(name) && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let Some((name, _)) = kept.iter().find(|(_, value)| value.as_str().is_some_and(is_redacted)) {
        return Err(JobConfigRefused::Redacted(name.clone()));
    }
    match kept.iter().find(|(_, value)| holds_secret(value)) {
        Some((name, _)) => Err(JobConfigRefused::HoldsSecret(name.clone())),
        None => Ok(kept),
    }
}

fn is_set(value: &Value) -> bool {
    !(value.is_null() || value.as_str() == Some(""))
}

/// Parameters of a job that [`JobConfig::learnt`] leaves out although they may decide the result, sorted.
fn left_out(parameters: &Map<String, Value>) -> Vec<String> {
    let says = |value: &Value| is_set(value) && *value != Value::Bool(false) && *value != Value::Array(Vec::new());
    let lost = |(name, value): &(&String, &Value)| !is_replayed(name) && is_of_the_work(name) && says(value);
    let mut lost: Vec<String> = parameters.iter().filter(lost).map(|(name, _)| name.clone()).collect();
    lost.sort();
    lost
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::String(text) => mask_secrets(text) != *text,
        Value::Array(values) => values.iter().any(holds_secret),
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            // A secret may stand under a name that says so.
            holds_secret(value) || value.as_str().is_some_and(|text| holds_secret(&format!("{name}: {text}").into()))
        }),
        _ => false,
    }
}

fn is_redacted(text: &str) -> bool {
    let text = text.trim();
    (text.len() >= 3 && text.chars().all(|c| matches!(c, '*' | '•' | 'x' | 'X')))
        || text.eq_ignore_ascii_case("[redacted]")
        || text.eq_ignore_ascii_case("<redacted>")
        || text.eq_ignore_ascii_case("redacted")
}

/// JSON with sorted keys, whatever order the map keeps.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for key in keys {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(&map[key.as_str()], out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_learnt_config_keeps_how_and_drops_who() {
        let config = JobConfig::learnt(&json!({
            "job_name": "parse_raw_file_job", "session_id": "s", "user_id": "u", "project_id": "p", "partitions": {"a": "b"}, "webhook_url": "https://x",
            "parameters": {"tier": "agentic", "version": "latest", "webhook_configurations": [{"webhook_headers": {"k": "v"}}], "input_url": "https://f", "project_id": "p", "max_pages": null},
        }))
        .unwrap();
        let uuid = "0193be3a-89c8-4ebe-7ea3-3b0b1a2c1b33";
        let intent_id = crate::model::id::ulid_of_uuid(uuid).unwrap();
        let body = config.body(false, &intent_id);
        assert_eq!(
            body,
            json!({"job_name": "parse_raw_file_job", "correlation_id": uuid, "parameters": {"tier": "agentic", "version": "latest"}})
        );
        assert!(config.body(false, "").get("correlation_id").is_none(), "a config that is kept names no intent");
        let given = JobConfig::given(json!({"parameters": {"tier": "fast"}})).unwrap();
        assert_eq!(given.body(false, &intent_id)["correlation_id"], uuid);
    }

    #[test]
    fn a_second_try_clears_the_cache_and_keeps_the_hash() {
        let config = JobConfig::learnt(&json!({"parameters": {"tier": "agentic"}})).unwrap();
        assert_eq!(config.body(true, "i")["parameters"]["invalidate_cache"], json!(true));
        let cleared = JobConfig::learnt(&json!({"parameters": {"invalidate_cache": true, "tier": "agentic"}})).unwrap();
        assert_eq!(config.hash(), cleared.hash());
        let v2 = JobConfig::given(json!({"configuration_id": "cfg-1"})).unwrap();
        assert_eq!(v2.body(true, "i"), json!({"configuration_id": "cfg-1", "disable_cache": true}));
        assert_eq!(v2.body(false, "i"), json!({"configuration_id": "cfg-1"}));
        assert_ne!(config.hash(), JobConfig::learnt(&json!({"parameters": {"tier": "fast"}})).unwrap().hash());
    }

    #[test]
    fn a_config_that_needs_a_secret_or_was_blanked_is_refused() {
        let refused = |config: Value| JobConfig::learnt(&config).unwrap_err();
        assert_eq!(
            refused(json!({"parameters": {"gpt4o_mode": true, "gpt4o_api_key": "sk-1"}})),
            JobConfigRefused::NeedsSecret("gpt4o_api_key".into())
        );
        assert_eq!(
            refused(json!({"parameters": {"system_prompt": "********"}})),
            JobConfigRefused::Redacted("system_prompt".into())
        );
        for prompt in
            [json!("call with Authorization: Bearer abcdefghijklmnop"), json!(["a", {"api_key": "abcdefgh12"}])]
        {
            assert_eq!(
                refused(json!({"parameters": {"tier": "fast", "user_prompt": prompt}})),
                JobConfigRefused::HoldsSecret("user_prompt".into())
            );
        }
        assert_eq!(refused(json!({"job_name": "other", "parameters": {}})), JobConfigRefused::JobName("other".into()));
        assert_eq!(refused(json!([])), JobConfigRefused::Shape);
        assert_eq!(refused(json!({})), JobConfigRefused::Shape);
    }

    #[test]
    fn what_may_decide_the_result_and_is_lost_is_named() {
        let config = json!({"parameters": {
            "tier": "agentic", "zoom": 3, "new_shiny_option": true, "old_option": false, "nothing": null,
            "project_id": "p", "webhook_url": "https://x", "input_url": "https://f",
        }});
        assert_eq!(JobConfig::learnt(&config).unwrap().lost(), ["new_shiny_option", "zoom"]);
    }

    #[test]
    fn the_record_of_another_job_is_not_taken_for_parse_parameters() {
        let classify = json!({"id": "c", "status": "ERROR", "rules": [{"type": "invoice"}], "project_id": "p"});
        assert_eq!(JobConfig::learnt(&classify), Err(JobConfigRefused::Shape));
        let nothing_survives = json!({"parameters": {"rules": [{"type": "invoice"}], "webhook_url": "https://x"}});
        assert_eq!(JobConfig::learnt(&nothing_survives), Err(JobConfigRefused::Empty));
    }
}
