//! Links for rows of several projects, each with its own API address and console.

use std::collections::BTreeMap;

use crate::model::links::{LinkFacts, LinkTemplates, PAGE, VENDOR_PAGE, console_page};

/// The links of a row, by template name.
pub(crate) type Links = BTreeMap<String, String>;

/// Makes the links of rows.
#[derive(Clone, Debug)]
pub struct Linker {
    templates: LinkTemplates,
    hosts: BTreeMap<String, Host>,
    /// Where people reach the console, without a trailing slash; none if they reach none.
    public_url: Option<String>,
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
        Linker { templates, hosts, public_url: None }
    }

    /// The same, where people reach the console under `public_url`: `console` is its page, and LlamaCloud's own is `llamacloud`.
    #[must_use]
    pub(crate) fn with_console(self, public_url: Option<String>) -> Linker {
        Linker { public_url, ..self }
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
        let mut links = match self.hosts.get(project) {
            None => self.templates.make(facts),
            Some(host) => self.templates.make(&LinkFacts {
                api: &host.api,
                console: &host.console,
                project_id: host.project_id.as_deref().or(facts.project_id),
                ..facts.clone()
            }),
        };
        let of_item = facts.item_id.map(|id| ("i", id));
        if let Some((page, id)) = of_item.or(facts.batch_id.map(|id| ("b", id)))
            && let Some(address) = self.page(page, id)
        {
            let vendor = links.insert(PAGE.to_owned(), address);
            links.extend(vendor.map(|vendor| (VENDOR_PAGE.to_owned(), vendor)));
        }
        links
    }

    /// The links of a group: its page, where people reach the console.
    pub(crate) fn of_group(&self, group_id: &str) -> Links {
        self.page("g", group_id).map(|address| (PAGE.to_owned(), address)).into_iter().collect()
    }

    /// The links of an incident: its page, where people reach the console.
    pub(crate) fn of_incident(&self, incident_id: &str) -> Links {
        self.page("n", incident_id).map(|address| (PAGE.to_owned(), address)).into_iter().collect()
    }

    fn page(&self, page: &str, id: &str) -> Option<String> {
        self.public_url.as_ref().map(|url| console_page(url, page, id))
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

    #[test]
    fn with_a_console_its_pages_take_the_name_and_the_vendors_page_another() {
        let host = Host::new("https://api.cloud.llamaindex.ai", None, Some("p1"));
        let linker = Linker::new(LinkTemplates::shipped(), [("prod".to_owned(), host)].into());
        let linker = linker.with_console(Some("https://triage.example.com".to_owned()));
        let batch = LinkFacts { batch_id: Some("b/1"), ..LinkFacts::default() };
        let item = linker.make("prod", &LinkFacts { item_id: Some("i 1"), ..batch.clone() });
        assert_eq!(item["console"], "https://triage.example.com/i/i%201");
        assert_eq!(item["llamacloud"], "https://cloud.llamaindex.ai/project/p1/parse");
        assert_eq!(linker.make("prod", &batch)["console"], "https://triage.example.com/b/b%2F1");
        assert_eq!(linker.of_group("g-1")["console"], "https://triage.example.com/g/g-1");
        assert!(Linker::shipped().of_group("g-1").is_empty());
    }
}
