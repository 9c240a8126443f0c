//! Conditions put together with their values, so that no outside text ever becomes SQL.

use rusqlite::types::Value;

/// What follows `WHERE`.
#[derive(Clone, Debug)]
pub(crate) struct Clause {
    text: String,
    values: Vec<Value>,
}

impl Clause {
    /// True for every row.
    pub(crate) fn all() -> Clause {
        Clause { text: "TRUE".to_owned(), values: Vec::new() }
    }

    /// Adds a condition with its `?` values.
    pub(crate) fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
        self.values.extend(values);
    }

    /// Adds `{before} IN (words){after}`, unless there are no words.
    pub(crate) fn one_of(&mut self, before: &str, words: &[String], after: &str) {
        if words.is_empty() {
            return;
        }
        let marks = vec!["?"; words.len()].join(", ");
        let values = words.iter().map(|word| Value::from(word.clone()));
        self.and(&format!("{before} IN ({marks}){after}"), values);
    }

    /// Adds `{before} IN (keys){after}`; no keys means no narrowing. Keys are the ledger's own numbers.
    pub(crate) fn one_of_keys(&mut self, before: &str, keys: &[i64], after: &str) {
        if keys.is_empty() {
            return;
        }
        let list: Vec<String> = keys.iter().map(i64::to_string).collect();
        self.and(&format!("{before} IN ({}){after}", list.join(", ")), []);
    }

    /// Whether anything was added.
    pub(crate) fn is_narrow(&self) -> bool {
        self.text != "TRUE"
    }

    /// The conditions.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Their values, in order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Value> {
        self.values.iter()
    }
}
