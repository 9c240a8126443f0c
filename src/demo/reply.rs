//! An answer before it is put on the wire: status, JSON, and which failures it shows.

use serde_json::{Value, json};

/// The body of an answer.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// A value that faults may still change.
    Json(Value),
    /// JSON text that was written directly, for pages too large to build as a value.
    Text(String),
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content: Content,
    /// For each entry of `items`, which failure of the truth it shows, if it shows one.
    pub(super) shown: Vec<Option<usize>>,
    /// Bare uuids of what this call made.
    pub(super) created: Vec<String>,
}

impl Reply {
    pub(super) fn ok(value: Value) -> Self {
        Self::new(200, value)
    }

    pub(super) fn new(status: u16, value: Value) -> Self {
        Self { status, content: Content::Json(value), shown: Vec::new(), created: Vec::new() }
    }

    /// 204: done, and nothing to show.
    pub(super) fn none() -> Self {
        Self { status: 204, ..Self::text(String::new()) }
    }

    pub(super) fn text(text: String) -> Self {
        Self { content: Content::Text(text), ..Self::ok(Value::Null) }
    }

    pub(super) fn created(value: Value, id: String) -> Self {
        Self { created: vec![id], ..Self::new(201, value) }
    }

    /// An error with the plain `detail` that the service uses for everything but 422.
    pub(super) fn error(status: u16, detail: &str) -> Self {
        Self::new(status, json!({ "detail": detail }))
    }

    /// A 422 with its list of what is wrong where.
    pub(super) fn invalid(place: &[&str], message: &str) -> Self {
        Self::new(422, json!({"detail": [{"loc": place, "msg": message, "type": "value_error"}]}))
    }

    pub(super) fn showing(mut self, shown: Vec<Option<usize>>) -> Self {
        self.shown = shown;
        self
    }
}
