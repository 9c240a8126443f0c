//! What the server says about its own error: `detail` as a string, as a list of complaints, or as anything else.

use serde_json::Value;

use crate::secrets::mask;

/// Longer explanations are cut: they are for one line.
const LONGEST: usize = 300;

/// ": " and the explanation, masked, on one line; nothing if there is none.
pub(crate) fn explain(body: &str) -> String {
    let text = match serde_json::from_str::<Value>(body) {
        Ok(value) => quote(&value),
        Err(_) if body.trim_start().starts_with('<') => "(an HTML page)".to_owned(),
        Err(_) => body.to_owned(),
    };
    // Before blanks are joined, which a password may hold, and after, for patterns that span lines.
    let text = mask(&text);
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let line = words.join(" ");
    let masked = mask(&line);
    match masked.char_indices().nth(LONGEST) {
        _ if masked.is_empty() => String::new(),
        None => format!(": {masked}"),
        Some((cut, _)) => format!(": {}…", &masked[..cut]),
    }
}

fn quote(value: &Value) -> String {
    let detail = ["detail", "message", "error", "error_message"].iter().find_map(|key| value.get(key)).unwrap_or(value);
    match detail {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(complaints) => {
            let texts: Vec<String> = complaints.iter().map(complaint).collect();
            texts.join("; ")
        }
        other => other.to_string(),
    }
}

/// One entry of a 422: `loc` and `msg`.
fn complaint(value: &Value) -> String {
    let Some(message) = value.get("msg").and_then(Value::as_str) else {
        return value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    };
    let place: Vec<String> = value
        .get("loc")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
        .collect();
    format!("{}: {message}", place.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_of_detail_becomes_one_masked_line() {
        for (body, line) in [
            (r#"{"detail":"the token is not valid here"}"#, ": the token is not valid here"),
            (
                r#"{"detail":[{"loc":["query","limit"],"msg":"too large","type":"x"},{"loc":["body",3],"msg":"bad","type":"y"}]}"#,
                ": query.limit: too large; body.3: bad",
            ),
            (r#"{"detail":["a",{"b":1}]}"#, r#": a; {"b":1}"#),
            (r#"{"detail":{"code":7}}"#, r#": {"code":7}"#),
            (r#"{"detail":null}"#, ""),
            (r#"{"message":"no\nway"}"#, ": no way"),
            ("upstream  down\n", ": upstream down"),
            ("<html>x", ": (an HTML page)"),
            ("", ""),
            (r#"{"detail":"key llx-abcdefgh12 refused"}"#, ": key llx-*** refused"),
        ] {
            assert_eq!(explain(body), line, "{body}");
        }
    }

    #[test]
    fn a_long_explanation_is_cut_between_characters() {
        let line = explain(&"ä".repeat(5000));
        assert_eq!(line.chars().count(), LONGEST + 3);
    }
}
