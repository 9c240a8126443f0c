//! Whom it wakes: the one place that says what pages.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::schedule::quiet::QuietHours;

/// What passes quiet hours and opens an alert at a paging provider.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PagePolicy {
    /// Groups of these classes.
    pub classes: HashSet<String>,
    /// Groups whose class was decided by a rule of these names.
    pub rules: HashSet<String>,
    /// Groups that escalate, whatever their class.
    pub escalation: bool,
    /// Incidents with so many items; 0 for none.
    pub incident_items: u64,
    /// Incidents of which so large a share of the items that ended failed, from 0 to 1.
    pub incident_share: f64,
    /// Only what was seen in one of these projects; empty for all.
    pub projects: Vec<String>,
    /// Only at this time of day; none for always.
    pub hours: Option<QuietHours>,
}

/// What the policy looks at of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PagedGroup<'g> {
    /// Its class.
    pub(crate) class: &'g str,
    /// The rule that decided the class.
    pub(crate) rule: Option<&'g str>,
    /// It escalates.
    pub(crate) escalates: bool,
}

impl PagePolicy {
    /// Whether a class pages, whoever decided it.
    pub(crate) fn class_pages(&self, class: &str, rule: Option<&str>) -> bool {
        self.classes.contains(class) || rule.is_some_and(|rule| self.rules.contains(rule))
    }

    /// Why a group pages, wherever and whenever it was seen; none if it does not.
    pub(crate) fn group(&self, group: &PagedGroup<'_>) -> Option<String> {
        if self.classes.contains(group.class) {
            return Some(format!("its class is {} (page.classes)", group.class));
        }
        match group.rule.filter(|rule| self.rules.contains(*rule)) {
            Some(rule) => Some(format!("rule \"{rule}\" decided its class (page = true)")),
            None if self.escalation && group.escalates => Some("it escalates (page.escalation)".to_owned()),
            None => None,
        }
    }

    /// Why an incident pages, wherever and whenever it was seen; why not, if it does not.
    pub(crate) fn incident(&self, items: u64, share: f64) -> Result<String, String> {
        let percent = |share: f64| (share * 100.0).floor();
        let said = format!(
            "{items} items and {} %; an incident pages from {} items and {} % (page.incident-items, page.incident-share)",
            percent(share),
            self.incident_items,
            percent(self.incident_share),
        );
        if self.incident_items == 0 {
            return Err("incidents do not page (page.incident-items = 0)".to_owned());
        }
        if items >= self.incident_items && share >= self.incident_share { Ok(said) } else { Err(said) }
    }

    /// Whether what was seen in these projects pages at this time.
    pub(crate) fn applies<'p>(
        &self,
        projects: impl IntoIterator<Item = &'p String>,
        now: Timestamp,
        zone: &TimeZone,
    ) -> bool {
        let is_there = self.projects.is_empty() || projects.into_iter().any(|name| self.projects.contains(name));
        is_there && self.hours.is_none_or(|hours| hours.contain(now, zone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> PagePolicy {
        PagePolicy {
            classes: HashSet::from(["account".to_owned()]),
            rules: HashSet::from(["maintenance".to_owned()]),
            incident_items: 20,
            incident_share: 0.3,
            ..PagePolicy::default()
        }
    }

    #[test]
    fn a_group_pages_by_its_class_its_rule_or_its_growth() {
        let group = |class, rule, escalates| PagedGroup { class, rule, escalates };
        let says = |policy: &PagePolicy, group: &PagedGroup<'_>| policy.group(group).unwrap_or_default();
        assert!(says(&policy(), &group("account", None, false)).contains("page.classes"));
        assert!(says(&policy(), &group("transient", Some("maintenance"), false)).contains("page = true"));
        assert_eq!(policy().group(&group("transient", Some("other"), true)), None);
        let escalation = PagePolicy { escalation: true, ..policy() };
        assert!(says(&escalation, &group("transient", None, true)).contains("page.escalation"));
        assert_eq!(escalation.group(&group("transient", None, false)), None);
    }

    #[test]
    fn an_incident_pages_by_its_items_and_its_share() {
        assert!(policy().incident(20, 0.3).is_ok());
        for (items, share) in [(19, 1.0), (900, 0.29)] {
            assert!(policy().incident(items, share).is_err(), "{items} {share}");
        }
        let never = PagePolicy { incident_items: 0, ..policy() };
        assert!(never.incident(900, 1.0).unwrap_err().contains("do not page"));
    }

    #[test]
    fn other_projects_and_other_hours_do_not_page() {
        let names = ["prod".to_owned(), "test".to_owned()];
        let at = |hour: i64| Timestamp::from_second(1_780_272_000 + hour * 3600).unwrap();
        let zone = TimeZone::UTC;
        assert!(policy().applies(&names, at(3), &zone));
        let only = PagePolicy { projects: vec!["prod".to_owned()], ..policy() };
        assert!(only.applies(&names, at(3), &zone) && !only.applies(&names[1..], at(3), &zone));
        let hours = PagePolicy { hours: QuietHours::parse("08:00-20:00").ok(), ..policy() };
        assert!(hours.applies(&names, at(9), &zone) && !hours.applies(&names, at(3), &zone));
    }
}
