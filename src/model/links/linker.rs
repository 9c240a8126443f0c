//! Links for rows of several projects, each with its own API address and console.

use std::collections::BTreeMap;

use crate::model::links::{LinkFacts, LinkTemplates};

/// The links of a row, by template name.
pub(crate) type Links = BTreeMap<String, String>;

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

impl Linker {
    /// The shipped templates and no host: what can be said without a configuration. See [`Linker::located`].
    pub fn shipped() -> Linker {
        Linker::new(LinkTemplates::shipped(), BTreeMap::new())
    }

    /// With these templates; a project without a host has no links to one: a link to another region would be wrong.
    pub fn new(templates: LinkTemplates, hosts: BTreeMap<String, Host>) -> Linker {
        Linker { templates, hosts }
    }

    /// The same, with projects at the API addresses that a ledger has read them from. Those win over the configured
    /// ones: a configuration may be that of another ledger, whose projects have the same names.
    #[must_use]
    pub fn located(mut self, addresses: impl IntoIterator<Item = (String, String)>) -> Linker {
        for (project, api) in addresses {
            let host = Host::new(&api, None, None);
            if self.hosts.get(&project).is_none_or(|known| known.api != host.api) {
                self.hosts.insert(project, host);
            }
        }
        self
    }

    /// The links of a row of `project`; `facts` need not name hosts.
    pub fn make(&self, project: &str, facts: &LinkFacts<'_>) -> Links {
        let Some(host) = self.hosts.get(project) else { return self.templates.make(facts) };
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
        assert!(linker.make("other", &named).is_empty(), "nothing says where it lives");
        let ca = ("other".to_owned(), "https://api.cloud.ca.llamaindex.ai".to_owned());
        let linker = linker.located([ca]);
        assert_eq!(
            linker.make("other", &named)["console"],
            "https://cloud.ca.llamaindex.ai/project/7c9e6679-7425-40de-944b-e07fc1f90ae7/parse"
        );
        let links = linker.make("other", &facts);
        assert!(links["job"].starts_with("https://api.cloud.ca.llamaindex.ai/"));
        assert!(!links.contains_key("console") && !links.contains_key("batch"));
    }

    #[test]
    fn a_project_lives_where_the_ledger_read_it_from() {
        let of = |api: &str| Host::new(api, Some("https://console.example"), Some("p1"));
        let linker = Linker::new(LinkTemplates::shipped(), [("prod".to_owned(), of("https://us"))].into());
        let console = |linker: Linker| {
            let facts = LinkFacts { project_id: Some("p2"), ..LinkFacts::default() };
            linker.make("prod", &facts)["console"].clone()
        };
        let at = |api: &str| [("prod".to_owned(), api.to_owned())];
        assert_eq!(console(linker.clone().located(at("https://us/"))), "https://console.example/project/p1/parse");
        assert_eq!(console(linker.located(at("https://api.eu"))), "https://eu/project/p2/parse");
    }
}
