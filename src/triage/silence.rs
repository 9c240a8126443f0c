//! Silences: groups that are not reported for a time. They stop notifications, not recording.

use std::time::Duration;

use jiff::Timestamp;
use regex::Regex;
use serde::{Deserialize, Serialize};

/// How long a silence lasts if no one says (Alertmanager's `amtool` has the same).
pub(crate) const DEFAULT_FOR: Duration = Duration::from_secs(3600);

/// The longest silence; renew it to extend it.
pub(crate) const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// What a silence covers; every given field must match. Stored as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Matcher {
    /// A group id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// A regular expression over the raw message.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The batch's job type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_type: Option<String>,
    /// A configured project name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The batch's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// A batch id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// A glob over the item's name: `*` and `?`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_name: Option<String>,
    /// Why items were skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<String>,
}

/// What is wrong with a silence someone asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SilenceError {
    /// The matcher is empty and would silence everything.
    #[error(
        "a silence needs at least one matcher: group, match, job-type, project, directory, batch, item-name, skip-reason"
    )]
    Everything,
    /// The regular expression is wrong.
    #[error("\"{0}\" is not a valid regular expression: {1}")]
    Pattern(String, String),
    /// It is too long or empty.
    #[error("a silence lasts at most 30 days and longer than 0")]
    Length,
    /// The reason is missing.
    #[error("a silence needs a reason")]
    Reason,
}

/// An item as a silence sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ItemView<'a> {
    /// Its group's id.
    pub group_id: &'a str,
    /// Its newest message; empty for none.
    pub message: &'a str,
    /// Its batch's job type.
    pub job_type: &'a str,
    /// Its project's name.
    pub project: &'a str,
    /// Its batch's directory; empty for none.
    pub directory: &'a str,
    /// Its batch.
    pub batch_id: &'a str,
    /// The name of the item.
    pub item_name: &'a str,
    /// Why it was skipped; empty for none.
    pub skip_reason: &'a str,
}

/// A matcher with its patterns compiled.
#[derive(Clone, Debug)]
pub(crate) struct CompiledMatcher {
    matcher: Matcher,
    message: Option<Regex>,
    item_name: Option<Regex>,
}

impl Matcher {
    /// One matcher for each of these groups, narrowed as this one is; without groups this one alone.
    pub(crate) fn of_each(self, groups: Vec<String>) -> Vec<Matcher> {
        match groups.is_empty() {
            true => vec![self],
            false => groups.into_iter().map(|group| Matcher { group: Some(group), ..self.clone() }).collect(),
        }
    }

    /// Compiles the patterns.
    ///
    /// # Errors
    /// Nothing is asked for, or a pattern is wrong.
    pub(crate) fn compile(self) -> Result<CompiledMatcher, SilenceError> {
        if self == Matcher::default() {
            return Err(SilenceError::Everything);
        }
        let message = self.message.as_deref().map(pattern).transpose()?;
        let item_name = self.item_name.as_deref().map(glob).transpose()?;
        Ok(CompiledMatcher { matcher: self, message, item_name })
    }

    /// "group g-1, project prod": for lists.
    pub(crate) fn describe(&self) -> String {
        let fields = [
            ("group", &self.group),
            ("match", &self.message),
            ("job-type", &self.job_type),
            ("project", &self.project),
            ("directory", &self.directory),
            ("batch", &self.batch),
            ("item-name", &self.item_name),
            ("skip-reason", &self.skip_reason),
        ];
        let given = fields.iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} {value}")));
        given.collect::<Vec<_>>().join(", ")
    }
}

impl CompiledMatcher {
    /// Whether an item is covered.
    pub(crate) fn covers(&self, item: &ItemView<'_>) -> bool {
        let m = &self.matcher;
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|w| w == value);
        let like = |wanted: &Option<Regex>, value: &str| wanted.as_ref().is_none_or(|w| w.is_match(value));
        is(&m.group, item.group_id)
            && is(&m.job_type, item.job_type)
            && is(&m.project, item.project)
            && is(&m.directory, item.directory)
            && is(&m.batch, item.batch_id)
            && is(&m.skip_reason, item.skip_reason)
            && like(&self.message, item.message)
            && like(&self.item_name, item.item_name)
    }

    /// Whether it can cover anything of a group: saves looking at the items of all others.
    pub(crate) fn may_touch(&self, group_id: &str) -> bool {
        self.matcher.group.as_deref().is_none_or(|g| g == group_id)
    }

    /// Whether it names a group and nothing else: then it covers all of that group.
    pub(crate) fn is_whole_group(&self) -> bool {
        let named = Matcher { group: self.matcher.group.clone(), ..Matcher::default() };
        self.matcher.group.is_some() && self.matcher == named
    }
}

/// When a silence asked for now ends; checks reason and length.
///
/// # Errors
/// No reason, or a length of nothing or more than 30 days.
pub(crate) fn expiry(now: Timestamp, length: Option<Duration>, reason: &str) -> Result<Timestamp, SilenceError> {
    if reason.trim().is_empty() {
        return Err(SilenceError::Reason);
    }
    let length = length.unwrap_or(DEFAULT_FOR);
    if length.is_zero() || length > LONGEST {
        return Err(SilenceError::Length);
    }
    now.checked_add(length).map_err(|_| SilenceError::Length)
}

fn pattern(text: &str) -> Result<Regex, SilenceError> {
    Regex::new(text).map_err(|error| SilenceError::Pattern(text.to_owned(), error.to_string()))
}

fn glob(text: &str) -> Result<Regex, SilenceError> {
    let mut regex = String::from("(?s)^");
    for c in text.chars() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            c => regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push('$');
    pattern(&regex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> ItemView<'static> {
        ItemView {
            group_id: "g-1",
            message: "read timed out after 30 s",
            job_type: "parse",
            project: "prod",
            directory: "dir-1",
            batch_id: "bjb-1",
            item_name: "invoices/2026 (1).pdf",
            skip_reason: "",
        }
    }

    fn covers(json: &str) -> bool {
        let matcher: Matcher = serde_json::from_str(json).unwrap();
        matcher.compile().unwrap().covers(&item())
    }

    #[test]
    fn every_given_field_must_match() {
        for (json, expected) in [
            (r#"{"group":"g-1"}"#, true),
            (r#"{"group":"g-2"}"#, false),
            (r#"{"match":"timed out"}"#, true),
            (r#"{"match":"^timed out"}"#, false),
            (r#"{"item-name":"invoices/*.pdf"}"#, true),
            (r#"{"item-name":"*(?).pdf"}"#, true),
            (r#"{"item-name":"*.PDF"}"#, false),
            (r#"{"item-name":"invoices"}"#, false),
            (r#"{"project":"prod","job-type":"parse","directory":"dir-1","batch":"bjb-1"}"#, true),
            (r#"{"project":"prod","job-type":"extract"}"#, false),
            (r#"{"skip-reason":"size_limit_exceeded"}"#, false),
        ] {
            assert_eq!(covers(json), expected, "{json}");
        }
    }

    #[test]
    fn a_silence_of_everything_or_without_reason_or_too_long_is_refused() {
        assert_eq!(Matcher::default().compile().unwrap_err(), SilenceError::Everything);
        let wrong = Matcher { message: Some("(".into()), ..Matcher::default() };
        assert!(matches!(wrong.compile(), Err(SilenceError::Pattern(..))));
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(expiry(now, None, " "), Err(SilenceError::Reason));
        assert_eq!(expiry(now, Some(Duration::ZERO), "r"), Err(SilenceError::Length));
        assert_eq!(expiry(now, Some(LONGEST * 2), "r"), Err(SilenceError::Length));
        assert_eq!(expiry(now, None, "r"), Ok(now + DEFAULT_FOR));
    }
}
