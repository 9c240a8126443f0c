//! The command that shows the whole of a list that was cut: with the filters that narrowed it, ready to be pasted.

use jiff::Timestamp;

use crate::report::filter::Filter;
use crate::report::format::answer::Heading;
use crate::report::format::layout::grouped;
use crate::report::question::{FilterName, Question};

/// Groups with open items, in the words of `--state`.
pub(crate) const OPEN_GROUPS: &str = "new,regressed,escalating,ongoing";

/// "10 of 45 shown; all: llama-triage report groups --limit 0"; none if all are shown.
pub(crate) fn cut(shown: u64, all: u64, command: &str) -> Option<String> {
    (all > shown).then(|| format!("{} of {} shown; all: {command}", grouped(shown), grouped(all)))
}

/// `llama-triage report LIST` with options, those filters of the report that the list takes, and no limit. The ledger is
/// named where no configuration names it.
pub(crate) fn all_of(heading: &Heading, list: Question, options: &[(&str, &str)], filter: &Filter) -> String {
    let mut command = format!("llama-triage report {}", list.as_str());
    let mut add = |flag: &str, value: &str| {
        if !value.is_empty() {
            command.push_str(&format!(" {flag} {}", quoted(value)));
        }
    };
    if heading.is_ledger_named {
        add("--ledger", &heading.ledger.display().to_string());
    }
    options.iter().for_each(|(flag, value)| add(flag, value));
    let time = |at: Option<Timestamp>| at.map_or_else(String::new, |at| at.to_string());
    let filters = [
        (FilterName::Since, time(filter.since)),
        (FilterName::Until, time(filter.until)),
        (FilterName::Kind, filter.kind.map_or_else(String::new, |kind| kind.as_str().to_owned())),
        (FilterName::Class, filter.class.join(",")),
        (FilterName::Project, filter.project.join(",")),
        (FilterName::JobType, filter.job_type.join(",")),
        (FilterName::Directory, filter.directory.join(",")),
        (FilterName::Batch, filter.batch.join(",")),
        (FilterName::Group, filter.group.join(",")),
        (FilterName::ItemName, filter.item_name.clone().unwrap_or_default()),
        (FilterName::Match, filter.matching.as_ref().map_or_else(String::new, |regex| regex.as_str().to_owned())),
    ];
    let taken = filters.iter().filter(|(name, _)| list.takes(*name));
    taken.for_each(|(name, value)| add(name.flag(), value));
    command + " --limit 0"
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:/=@+".contains(c);
    match word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_has_the_filters_and_a_shell_reads_it_as_it_was_meant() {
        let filter = Filter {
            class: vec!["transient".to_owned(), "throttled".to_owned()],
            matching: Some(regex::Regex::new("can't|x").unwrap()),
            ..Filter::default()
        };
        let mut heading = Heading::new(Question::Summary, "my ledger.db".into(), Timestamp::UNIX_EPOCH);
        assert_eq!(
            all_of(&heading, Question::Groups, &[("--state", OPEN_GROUPS)], &filter),
            "llama-triage report groups --state new,regressed,escalating,ongoing --class transient,throttled \
             --match 'can'\\''t|x' --limit 0"
        );
        assert_eq!(
            all_of(&heading, Question::Mttr, &[], &filter),
            "llama-triage report mttr --class transient,throttled --limit 0",
            "it takes no --match"
        );
        heading.is_ledger_named = true;
        assert_eq!(
            all_of(&heading, Question::Items, &[("--group", "g-1")], &Filter::default()),
            "llama-triage report items --ledger 'my ledger.db' --group g-1 --limit 0"
        );
    }

    #[test]
    fn only_a_list_that_is_cut_says_so() {
        assert_eq!(cut(5, 5, "x"), None);
        assert_eq!(cut(10, 1045, "x").unwrap(), "10 of 1,045 shown; all: x");
    }
}
