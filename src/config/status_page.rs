//! `[status-page]`: where the vendor reports its own incidents.

use serde::Deserialize;

use crate::config::project::ProjectConfig;

/// The vendor's hosts end like this.
const VENDOR_HOSTS: &str = ".llamaindex.ai";

/// The vendor's status page.
const VENDOR_PAGE: &str = "https://llamaindex.statuspage.io";

/// `[status-page]`: a page of Statuspage whose open incidents are shown in digests, reports and the console.
#[derive(Clone, Debug, PartialEq, Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct StatusPageConfig {
    /// Its address; by default the vendor's own page if a project is on one of the vendor's hosts, else none. Empty: none.
    pub url: Option<String>,
}

impl StatusPageConfig {
    /// The page to ask for these projects; none if none is.
    pub(crate) fn address(&self, projects: &[ProjectConfig]) -> Option<String> {
        match &self.url {
            Some(url) => Some(url.clone()).filter(|url| !url.trim().is_empty()),
            None => projects.iter().any(|project| is_vendor_host(&project.base_url)).then(|| VENDOR_PAGE.to_owned()),
        }
    }
}

fn is_vendor_host(base_url: &str) -> bool {
    let host = reqwest::Url::parse(base_url).ok().and_then(|url| url.host_str().map(str::to_lowercase));
    host.is_some_and(|host| host.ends_with(VENDOR_HOSTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vendors_page_is_asked_for_the_vendors_hosts_only() {
        let of = |base_url: &str, url: Option<&str>| {
            let project = ProjectConfig { base_url: base_url.to_owned(), ..ProjectConfig::default() };
            StatusPageConfig { url: url.map(str::to_owned) }.address(&[project])
        };
        assert_eq!(of("https://api.cloud.eu.llamaindex.ai", None).as_deref(), Some(VENDOR_PAGE));
        assert_eq!(of("https://llamaindex.ai.example.com", None), None);
        assert_eq!(of("http://127.0.0.1:9", None), None);
        assert_eq!(of("https://api.cloud.llamaindex.ai", Some("")), None);
        assert_eq!(
            of("http://127.0.0.1:9", Some("https://status.example.com")).as_deref(),
            Some("https://status.example.com")
        );
        assert_eq!(StatusPageConfig::default().address(&[]), None);
    }
}
