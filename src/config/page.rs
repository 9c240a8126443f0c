//! `[page]`: what wakes people.

use serde::Deserialize;

/// What passes quiet hours and opens an alert at a paging provider; rules page by `page = true` in `[[rule]]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct PageConfig {
    /// Groups of these classes page.
    pub classes: Vec<String>,
    /// An incident pages from this many failed items on, if its share is large enough; 0 for never.
    pub incident_items: u64,
    /// An incident pages from this share of the items that ended in its time on, from 0 to 1.
    pub incident_share: f64,
    /// Whether an escalating group pages, whatever its class.
    pub escalation: bool,
    /// Only failures of these projects page; empty for all.
    pub projects: Vec<String>,
    /// From when to when pages are sent as such, as "08:00-20:00"; at other hours they are ordinary news. None for always.
    pub hours: Option<String>,
}

impl Default for PageConfig {
    fn default() -> Self {
        PageConfig {
            classes: vec!["account".to_owned()],
            incident_items: 20,
            incident_share: 0.3,
            escalation: false,
            projects: Vec::new(),
            hours: None,
        }
    }
}
