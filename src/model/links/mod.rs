//! Links to the records behind an item, made from templates.
//!
//! No deep link into the console is documented for a single job, so the templates are configuration;
//! an API link needs the bearer header and is printed as an address to copy.

pub(crate) mod linker;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::id::bare_project_id;
use crate::model::item::Kind;

/// What a link may be made of. Missing values make the link disappear rather than break.
#[derive(Clone, Debug, Default)]
pub struct LinkFacts<'a> {
    /// Console address without a trailing slash; empty if it is not known: links that need it disappear.
    pub console: &'a str,
    /// API address without a trailing slash; empty as `console`.
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
    /// Which items of the batch its list of items shows; none for all of them.
    pub kind: Option<Kind>,
}

/// Link templates by name, with `{console} {api} {project_id} {batch_id} {job_id} {job_record_id} {item_id}`,
/// and `{batch_path} {items_path} {job_path}`: where the API that made the id shows its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LinkTemplates(pub BTreeMap<String, String>);

/// Names that a template may use.
pub(crate) const PLACEHOLDERS: [&str; 10] = [
    "console",
    "api",
    "project_id",
    "batch_id",
    "job_id",
    "job_record_id",
    "item_id",
    "batch_path",
    "items_path",
    "job_path",
];

impl LinkTemplates {
    /// The shipped templates.
    pub fn shipped() -> LinkTemplates {
        let pairs = [
            ("console", "{console}/project/{project_id}/parse"),
            ("batch", "{api}/{batch_path}"),
            ("items", "{api}/{items_path}"),
            ("job", "{api}/{job_path}"),
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
pub(crate) fn unknown_placeholder(template: &str) -> Option<&str> {
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
            "project_id" => push_encoded(&mut link, bare_project_id(facts.project_id?)),
            "batch_id" => push_encoded(&mut link, facts.batch_id?),
            "job_id" => push_encoded(&mut link, facts.job_id?),
            "job_record_id" => push_encoded(&mut link, facts.job_record_id?),
            "item_id" => push_encoded(&mut link, facts.item_id?),
            "batch_path" => push_record(&mut link, facts.batch_id?, BATCH),
            "items_path" => push_items(&mut link, facts.batch_id?, facts.kind),
            "job_path" => push_record(&mut link, facts.job_id?, JOB),
            _ => return None,
        }
        rest = &after[close + 1..];
    }
    link.push_str(rest);
    Some(link)
}

/// What stands before and after an id in the address of its record.
type Around = (&'static str, &'static str);

const BATCH: Around = ("api/v1/beta/batch-processing/", "");
const ITEMS: Around = ("api/v1/beta/batch-processing/", "/items");
const JOB: Around = ("api/v1/parsing/job/", "/details");

/// The records of API v2, told by the prefix of their ids; a batch of v2 lists its items itself.
const V2: [(&str, Around); 3] = [
    ("bat-", ("api/v2/batches/", "?expand=results")),
    ("pjb-", ("api/v2/parse/", "")),
    ("ext-", ("api/v2/extract/", "")),
];

fn v2_place(id: &str) -> Option<Around> {
    V2.into_iter().find(|(prefix, _)| id.starts_with(prefix)).map(|(_, around)| around)
}

/// The list of a batch's items, of one kind where that is known and one of the API's own. v2 has no such filter.
fn push_items(link: &mut String, batch_id: &str, kind: Option<Kind>) {
    push_record(link, batch_id, ITEMS);
    if let Some(kind) = kind.filter(|kind| !kind.is_of_batch() && v2_place(batch_id).is_none()) {
        link.push_str("?status=");
        link.push_str(kind.as_str());
    }
}

fn push_record(link: &mut String, id: &str, of_v1: Around) {
    let (before, after) = v2_place(id).unwrap_or(of_v1);
    link.push_str(before);
    push_encoded(link, id);
    link.push_str(after);
}

/// The name of the link to a page of the console; without a console, of the one to LlamaCloud's own.
pub(crate) const PAGE: &str = "console";

/// The name of the link to LlamaCloud's own page where [`PAGE`] is taken.
pub(crate) const VENDOR_PAGE: &str = "llamacloud";

/// The address of a page of the console, such as `g` and a group's id.
pub(crate) fn console_page(public_url: &str, page: &str, id: &str) -> String {
    let mut link = format!("{public_url}/{page}/");
    push_encoded(&mut link, id);
    link
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
    fn the_records_of_each_api_are_found_by_their_ids() {
        let facts = |batch, job| LinkFacts { batch_id: Some(batch), job_id: Some(job), ..facts() };
        let v1 = LinkTemplates::shipped().make(&facts("bjb-1", "0f"));
        assert_eq!(v1["items"], "https://a/api/v1/beta/batch-processing/bjb-1/items");
        assert_eq!(v1["job"], "https://a/api/v1/parsing/job/0f/details");
        let v2 = LinkTemplates::shipped().make(&facts("bat-1", "ext-2"));
        assert_eq!(v2["batch"], "https://a/api/v2/batches/bat-1?expand=results");
        assert_eq!(v2["job"], "https://a/api/v2/extract/ext-2");
        let project =
            LinkFacts { project_id: Some("prj-7c9e6679-7425-40de-944b-e07fc1f90ae7"), ..facts("bat-1", "ext-2") };
        assert_eq!(
            LinkTemplates::shipped().make(&project)["console"],
            "https://c/project/7c9e6679-7425-40de-944b-e07fc1f90ae7/parse"
        );
        // A file that was processed again alone is a batch of one job.
        assert_eq!(LinkTemplates::shipped().make(&facts("pjb-3", "pjb-3"))["batch"], "https://a/api/v2/parse/pjb-3");
    }

    #[test]
    fn the_list_of_items_shows_those_of_the_kind_that_is_shown_beside_it() {
        for (kind, batch, expected) in [
            (Some(Kind::Failed), "bjb-1", "https://a/api/v1/beta/batch-processing/bjb-1/items?status=failed"),
            (Some(Kind::Skipped), "bjb-1", "https://a/api/v1/beta/batch-processing/bjb-1/items?status=skipped"),
            (Some(Kind::Cancelled), "bjb-1", "https://a/api/v1/beta/batch-processing/bjb-1/items?status=cancelled"),
            (Some(Kind::Overdue), "bjb-1", "https://a/api/v1/beta/batch-processing/bjb-1/items"),
            (Some(Kind::Skipped), "bat-1", "https://a/api/v2/batches/bat-1?expand=results"),
            (None, "bjb-1", "https://a/api/v1/beta/batch-processing/bjb-1/items"),
        ] {
            let links = LinkTemplates::shipped().make(&LinkFacts { batch_id: Some(batch), kind, ..facts() });
            assert_eq!(links["items"], expected, "{kind:?} {batch}");
        }
    }

    #[test]
    fn an_unknown_host_drops_the_links_that_need_it() {
        let facts = LinkFacts { api: "", console: "", item_id: Some("i"), ..facts() };
        assert!(LinkTemplates::shipped().make(&facts).is_empty());
        let wiki = LinkTemplates([("wiki".to_owned(), "https://w/{item_id}".to_owned())].into());
        assert_eq!(wiki.make(&facts)["wiki"], "https://w/i");
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
