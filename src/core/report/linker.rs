//! Links for rows of several projects, each with its own API address and console.

use std::collections::BTreeMap;

use crate::core::links::{LinkFacts, LinkTemplates};

/// The links of a row, by template name.
pub type Links = BTreeMap<String, String>;

/// Makes the links of rows.
#[derive(Clone, Debug)]
pub struct Linker {
    templates: LinkTemplates,
    hosts: BTreeMap<String, Host>,
}

/// Where a project lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// API address without a trailing slash.
    pub api: String,
    /// Console address without a trailing slash.
    pub console: String,
    /// The project's id, where the configuration names it; else what the API called it is taken.
    pub project_id: Option<String>,
}

impl Host {
    /// A host from its API address; the console is the one that belongs to it unless named.
    pub fn new(api: &str, console: Option<&str>, project_id: Option<&str>) -> Host {
        let api = api.trim_end_matches('/');
        let console = match console {
            Some(console) => console.trim_end_matches('/').to_owned(),
            None => api.replacen("://api.", "://", 1),
        };
        Host { api: api.to_owned(), console, project_id: project_id.map(str::to_owned) }
    }
}

/// LlamaCloud's own API address (North America).
pub const DEFAULT_API: &str = "https://api.cloud.llamaindex.ai";

impl Linker {
    /// The shipped templates and hosts: what can be said without a configuration.
    pub fn shipped() -> Linker {
        Linker::new(LinkTemplates::shipped(), BTreeMap::new())
    }

    /// With these templates; a project without a host of its own is taken to live at the default one.
    pub fn new(templates: LinkTemplates, hosts: BTreeMap<String, Host>) -> Linker {
        Linker { templates, hosts }
    }

    /// The links of a row of `project`; `facts` need not name hosts.
    pub fn make(&self, project: &str, facts: &LinkFacts<'_>) -> Links {
        let fallback;
        let host = match self.hosts.get(project) {
            Some(host) => host,
            None => {
                fallback = Host::new(DEFAULT_API, None, None);
                &fallback
            }
        };
        self.templates.make(&LinkFacts {
            api: &host.api,
            console: &host.console,
            project_id: host.project_id.as_deref().or(facts.project_id),
            ..facts.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_project_has_its_own_host() {
        let eu = Host::new("https://api.cloud.eu.llamaindex.ai/", None, Some("p1"));
        let linker = Linker::new(LinkTemplates::shipped(), [("eu".to_owned(), eu)].into());
        let facts = LinkFacts { job_id: Some("j1"), ..LinkFacts::default() };
        let links = linker.make("eu", &facts);
        assert_eq!(links["job"], "https://api.cloud.eu.llamaindex.ai/api/v1/parsing/job/j1/details");
        assert_eq!(links["console"], "https://cloud.eu.llamaindex.ai/project/p1/parse");
        let named = LinkFacts { project_id: Some("proj-7c9e6679-7425-40de-944b-e07fc1f90ae7"), ..facts.clone() };
        assert_eq!(linker.make("eu", &named)["console"], "https://cloud.eu.llamaindex.ai/project/p1/parse");
        assert_eq!(
            linker.make("other", &named)["console"],
            "https://cloud.llamaindex.ai/project/7c9e6679-7425-40de-944b-e07fc1f90ae7/parse"
        );
        let links = linker.make("other", &facts);
        assert!(links["job"].starts_with("https://api.cloud.llamaindex.ai/"));
        assert!(!links.contains_key("console") && !links.contains_key("batch"));
    }
}
