//! What was asked for, in words: a page or a table in a ticket still has to say next week what it shows.

use crate::model::text::one_line;
use crate::report::filter::Filter;
use crate::report::format::layout::AnswerLayout;

/// "since 2026-11-19 22:33 UTC, class transient or throttled"; none if nothing was narrowed.
pub(crate) fn words(filter: &Filter, look: &AnswerLayout) -> Option<String> {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(filter.since.map(|since| format!("since {}", look.time_and_zone(since))));
    parts.extend(filter.until.map(|until| format!("until {}", look.time_and_zone(until))));
    parts.extend(filter.failed.then(|| "not delivered".to_owned()));
    let one = |text: &Option<String>| text.iter().cloned().collect::<Vec<_>>();
    let lists = [
        ("state", filter.state.clone()),
        ("kind", filter.kind.iter().map(|kind| kind.as_str().to_owned()).collect()),
        ("class", filter.class.clone()),
        ("project", filter.project.clone()),
        ("job type", filter.job_type.clone()),
        ("directory", filter.directory.clone()),
        ("batch", filter.batch.clone()),
        ("group", filter.group.clone()),
        ("name", one(&filter.item_name)),
        ("match", filter.matching.iter().map(|regex| regex.as_str().to_owned()).collect()),
        ("by", one(&filter.by)),
    ];
    let named = lists.iter().filter(|(_, words)| !words.is_empty());
    parts.extend(named.map(|(name, words)| format!("{name} {}", one_line(&words.join(" or ")))));
    (!parts.is_empty()).then(|| parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_said_in_words() {
        let filter = Filter {
            since: Some("2026-11-19T22:33:21.7Z".parse().unwrap()),
            class: vec!["transient".to_owned(), "throttled".to_owned()],
            matching: Some(regex::Regex::new("time.?out").unwrap()),
            limit: Some(50),
            ..Filter::default()
        };
        let said = words(&filter, &AnswerLayout::default()).unwrap();
        assert_eq!(said, "since 2026-11-19 22:33 UTC, class transient or throttled, match time.?out");
        assert_eq!(words(&Filter { limit: Some(50), ..Filter::default() }, &AnswerLayout::default()), None);
    }
}
