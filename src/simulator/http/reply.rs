//! An answer before it is put on the wire: status, JSON, and which failures it shows.

use serde_json::{Value, json};

/// The body of an answer.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// A value that faults may still change.
    Json(Value),
    /// JSON text that was written directly, for pages too large to build as a value.
    Text(String),
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content: Content,
    /// For each entry of `items`, which failure of the truth it shows, if it shows one.
    pub(crate) shown: Vec<Option<usize>>,
    /// Bare uuids of what this call made.
    pub(crate) created: Vec<String>,
}

impl Reply {
    pub(crate) fn ok(value: Value) -> Self {
        Self::new(200, value)
    }

    pub(crate) fn new(status: u16, value: Value) -> Self {
        Self { status, content: Content::Json(value), shown: Vec::new(), created: Vec::new() }
    }

    /// 204: done, and nothing to show.
    pub(crate) fn none() -> Self {
        Self { status: 204, ..Self::text(String::new()) }
    }

    pub(crate) fn text(text: String) -> Self {
        Self { content: Content::Text(text), ..Self::ok(Value::Null) }
    }

    pub(crate) fn created(value: Value, id: String) -> Self {
        Self { created: vec![id], ..Self::new(201, value) }
    }

    /// An error with the plain `detail` that the service uses for everything but 422.
    pub(crate) fn error(status: u16, detail: &str) -> Self {
        Self::new(status, json!({ "detail": detail }))
    }

    /// A 422 with its list of what is wrong where.
    pub(crate) fn invalid(place: &[&str], message: &str) -> Self {
        Self::new(422, json!({"detail": [{"loc": place, "msg": message, "type": "value_error"}]}))
    }

    /// A 422 for a value of another type than the schema's.
    pub(crate) fn mistyped(place: &[&str], kind: &str, message: &str, input: &Value) -> Self {
        Self::new(422, json!({"detail": [{"loc": place, "msg": message, "type": kind, "input": input}]}))
    }

    pub(crate) fn showing(mut self, shown: Vec<Option<usize>>) -> Self {
        self.shown = shown;
        self
    }
}
