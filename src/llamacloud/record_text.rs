//! The record of a job as people read it: all of it, without secrets.

use serde_json::Value;

use crate::llamacloud::error::CloudError;
use crate::llamacloud::http::client::{Ask, Client};
use crate::llamacloud::paging::page::parse;
use crate::secrets::mask;

/// Characters that are shown.
const LONGEST: usize = 40_000;

/// Words in the names of fields whose texts are secrets, whatever they look like.
const SECRET_NAMES: [&str; 7] = ["key", "token", "secret", "password", "credential", "authorization", "cookie"];

/// Asks once for the record at a path; none if LlamaCloud does not have it (any more). It is indented JSON.
pub(crate) async fn record_text(client: &Client, path: &[&str], unscoped: bool) -> Result<Option<String>, CloudError> {
    let ask = Ask { unscoped, ..Ask::path(path).once() };
    let shown = format!("/{}", path.join("/"));
    match client.get(&ask, |text| Ok(readable(parse(text, &shown)?))).await {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn readable(mut record: Value) -> String {
    hide(&mut record);
    let text = serde_json::to_string_pretty(&record).unwrap_or_default();
    let text = mask(&text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}\n… cut after {LONGEST} characters", &text[..end]),
        None => text.into_owned(),
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.to_ascii_lowercase();
                match field {
                    Value::String(text) if SECRET_NAMES.iter().any(|word| name.contains(word)) => {
                        "[masked]".clone_into(text);
                    }
                    field => hide(field),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(hide),
        Value::String(text) => *text = mask(text).into_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_a_record_are_masked_at_any_depth() {
        let record = serde_json::json!({
            "id": "j-1",
            "parameters": { "azure_openai_key": "plain-looking", "webhooks": [{ "headers": { "Authorization": "Basic eA==" } }] },
            "error": "Bearer llx-abcdefghijklmnopqrstuvwxyz0123456789 was refused",
            "url": "https://s3.example/x?X-Amz-Signature=0123456789abcdef0123456789abcdef&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE",
        });
        let text = readable(record);
        for secret in ["plain-looking", "eA==", "llx-abc", "0123456789abcdef0123"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(text.contains("\"id\": \"j-1\""), "{text}");
        assert!(readable(Value::String("é".repeat(LONGEST * 2))).contains("cut after"));
    }
}
