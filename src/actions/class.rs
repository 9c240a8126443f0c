//! `group class`: sets the class of a group by hand, and prints the rule and the wording that keep it.

use crate::actions::act::{ActError, Done, Person, find, reason};
use crate::classify::store_reclassify;
use crate::ledger::Ledger;
use crate::ledger::audit::{self, Act};
use crate::model::class::Class;
use crate::model::text::one_line;
use crate::triage::store::group_row::GroupRecord;

/// What takes a class back that a person gave.
pub(crate) const AUTOMATIC: &str = "auto";

/// Gives a group a class, or leaves it to the classifier again for `auto`. Returns the lines to print.
///
/// # Errors
/// The group is unknown, the class is none, or no reason is given.
pub(crate) async fn set_class(
    ledger: &Ledger,
    group_id: &str,
    class: &str,
    why: &str,
    by: Person,
) -> Result<Done, ActError> {
    let (group_id, why) = (group_id.to_owned(), reason(why)?);
    let class = read_class(class)?;
    let work = move |tx: &crate::ledger::Transaction<'_>| -> Result<Done, ActError> {
        let group = find(tx, &group_id)?;
        store_reclassify::set_class(tx, group.group_key, class.map(Class::name))?;
        let to = class.map_or(AUTOMATIC, Class::name);
        let detail = serde_json::json!({ "from": group.class, "to": to }).to_string();
        let subject = &group.group_id;
        let act = Act { actor: &by.name, action: "class", subject, reason: Some(&why), detail: Some(detail) };
        let audit_id = audit::record(tx, &act, by.now)?;
        let said = class.map_or_else(|| released(&group), |class| confirmation(&group, class));
        Ok(Done { said, audit_id })
    };
    ledger.try_write(work).await
}

/// None for `auto`.
fn read_class(typed: &str) -> Result<Option<Class>, ActError> {
    if typed == AUTOMATIC {
        return Ok(None);
    }
    Class::try_from(typed).map(Some).map_err(|_| {
        let known = <Class as strum::VariantNames>::VARIANTS.join(", ");
        ActError::Refused(format!("unknown class {typed}: use one of {known}, or {AUTOMATIC}"))
    })
}

fn released(group: &GroupRecord) -> String {
    format!("{} is classified automatically again, at the next scan.", group.group_id)
}

fn confirmation(group: &GroupRecord, class: Class) -> String {
    let GroupRecord { group_id, class: before, template, .. } = group;
    let template = one_line(template);
    format!(
        "{group_id} now has class {class} (was {before}). Retries and digests use it from now on.\n\
         To keep it for messages like this one in other ledgers, add this rule to the configuration:\n\n{}\n\n\
         To teach the model, add this line to a file in config/wordings/ of the source code, with a word for the cause \
         (columns are separated by tabs):\n\n{class}\tcause\t{}",
        rule(group_id, &template, class),
        template.replace('\\', "\\\\")
    )
}

/// The `[[rule]]` that gives messages of this template the class.
pub(crate) fn rule(group_id: &str, template: &str, class: Class) -> String {
    let pattern = pattern_of(&one_line(template)).replace("'''", "''.");
    format!("[[rule]]\nname = \"{group_id}\"\nmatch = '''{pattern}'''\nclass = \"{class}\"")
}

/// A regular expression for the messages of a template, whose slots stand in angle brackets.
fn pattern_of(template: &str) -> String {
    let mut pattern = String::new();
    let mut rest = template;
    while let Some((words, slot)) = rest.split_once('<') {
        let Some((name, after)) = slot.split_once('>') else { break };
        pattern.push_str(&regex::escape(words));
        let is_slot = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
        pattern.push_str(&if is_slot { ".*?".to_owned() } else { regex::escape(&format!("<{name}>")) });
        rest = after;
    }
    pattern.push_str(&regex::escape(rest.trim_end_matches(" …")));
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_matches_the_messages_of_its_template() {
        let pattern = pattern_of("Page <n> of <file> (v1.2) is <b> …");
        let regex = regex::Regex::new(&pattern).unwrap();
        assert!(regex.is_match("Page 17 of 'a b.pdf' (v1.2) is x"), "{pattern}");
        assert!(!regex.is_match("Page 17 of 'a b.pdf' (v112) is x"), "{pattern}");
        assert!(regex::Regex::new(&pattern_of("a < b, c <B> d")).unwrap().is_match("a < b, c <B> d"));
    }

    #[test]
    fn the_printed_rule_is_one() {
        let text = rule("g-0123456789", "it's '''odd''' (<n>) \\ done", Class::Config);
        let rules = crate::classify::rules::decide::Rules::parse(&text).unwrap();
        let message = "it's '''odd''' (17) \\ done";
        let facts = crate::classify::rules::decide::FailureFacts { message, ..Default::default() };
        assert_eq!(rules.classify(&facts).class, Class::Config, "{text}");
    }

    #[test]
    fn a_class_is_one_of_eight_or_automatic() {
        assert_eq!(read_class("auto").unwrap(), None);
        assert_eq!(read_class("config").unwrap(), Some(Class::Config));
        assert!(read_class("retry").unwrap_err().to_string().contains("transient"));
    }
}
