//! Links to the records behind an item, made from templates.
//!
//! No deep link into the console is documented for a single job, so the templates are configuration;
//! an API link needs the bearer header and is printed as an address to copy.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a link may be made of. Missing values make the link disappear rather than break.
#[derive(Clone, Debug, Default)]
pub struct LinkFacts<'a> {
    /// Console address without a trailing slash.
    pub console: &'a str,
    /// API address without a trailing slash.
    pub api: &'a str,
    /// The project's id.
    pub project_id: Option<&'a str>,
    /// The batch's id.
    pub batch_id: Option<&'a str>,
    /// The underlying job's id.
    pub job_id: Option<&'a str>,
    /// The job record's id.
    pub job_record_id: Option<&'a str>,
    /// The item's id.
    pub item_id: Option<&'a str>,
}

/// Link templates by name, with `{console} {api} {project_id} {batch_id} {job_id} {job_record_id} {item_id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LinkTemplates(pub BTreeMap<String, String>);

/// Names that a template may use.
pub const PLACEHOLDERS: [&str; 7] = ["console", "api", "project_id", "batch_id", "job_id", "job_record_id", "item_id"];

impl LinkTemplates {
    /// The shipped templates for the v1 beta API.
    pub fn shipped() -> LinkTemplates {
        let pairs = [
            ("console", "{console}/project/{project_id}/parse"),
            ("batch", "{api}/api/v1/beta/batch-processing/{batch_id}"),
            ("items", "{api}/api/v1/beta/batch-processing/{batch_id}/items?status=failed"),
            ("job", "{api}/api/v1/parsing/job/{job_id}/details"),
        ];
        LinkTemplates(pairs.map(|(name, template)| (name.to_owned(), template.to_owned())).into())
    }

    /// The links that can be made from `facts`, by name. Ids are percent-encoded; only http and https come out.
    pub fn make(&self, facts: &LinkFacts<'_>) -> BTreeMap<String, String> {
        self.0
            .iter()
            .filter_map(|(name, template)| Some((name.clone(), fill(template, facts)?)))
            .filter(|(_, link)| link.starts_with("https://") || link.starts_with("http://"))
            .collect()
    }
}

/// The first unknown placeholder of a template, if any: what `check-config` complains about.
pub fn unknown_placeholder(template: &str) -> Option<&str> {
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let after = &rest[open + 1..];
        let Some(close) = after.find('}') else {
            return Some(&rest[open..]);
        };
        if !PLACEHOLDERS.contains(&&after[..close]) {
            return Some(&after[..close]);
        }
        rest = &after[close + 1..];
    }
    None
}

fn fill(template: &str, facts: &LinkFacts<'_>) -> Option<String> {
    let mut link = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        link.push_str(&rest[..open]);
        let after = &rest[open + 1..];
        let close = after.find('}')?;
        match &after[..close] {
            "console" => link.push_str(facts.console),
            "api" => link.push_str(facts.api),
            "project_id" => push_encoded(&mut link, facts.project_id?),
            "batch_id" => push_encoded(&mut link, facts.batch_id?),
            "job_id" => push_encoded(&mut link, facts.job_id?),
            "job_record_id" => push_encoded(&mut link, facts.job_record_id?),
            "item_id" => push_encoded(&mut link, facts.item_id?),
            _ => return None,
        }
        rest = &after[close + 1..];
    }
    link.push_str(rest);
    Some(link)
}

fn push_encoded(link: &mut String, id: &str) {
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            link.push(char::from(byte));
        } else {
            link.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> LinkFacts<'static> {
        LinkFacts { console: "https://c", api: "https://a", batch_id: Some("b/1"), ..LinkFacts::default() }
    }

    #[test]
    fn a_missing_id_drops_the_link_and_ids_are_encoded() {
        let links = LinkTemplates::shipped().make(&facts());
        assert_eq!(links["batch"], "https://a/api/v1/beta/batch-processing/b%2F1");
        assert!(!links.contains_key("job") && !links.contains_key("console"));
    }

    #[test]
    fn a_scheme_that_runs_code_never_comes_out() {
        let evil = LinkTemplates([("x".to_owned(), "javascript:{batch_id}".to_owned())].into());
        assert!(evil.make(&facts()).is_empty());
    }

    #[test]
    fn an_unknown_placeholder_is_named() {
        assert_eq!(unknown_placeholder("{api}/{jobid}"), Some("jobid"));
        assert_eq!(unknown_placeholder("{api}/{job_id"), Some("{job_id"));
        assert_eq!(unknown_placeholder("{api}/{job_id}"), None);
    }
}
