//! What is said of a plan: every item of it was submitted, may have been, or was left out for a reason.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::text::count;
use crate::reprocess::protocol::intent::IntentState;
use crate::reprocess::store::intent::Intent;
use crate::reprocess::store::plan::PlanEnd;

/// Reasons that the line names, at most.
const MOST_REASONS: usize = 5;

/// Why items were left out, by item.
pub(crate) type Reasons = BTreeMap<String, String>;

/// Leaves items out for a reason.
pub(crate) fn leave_out(reasons: &mut Reasons, item_ids: impl IntoIterator<Item = String>, why: &str) {
    reasons.extend(item_ids.into_iter().map(|id| (id, why.to_owned())));
}

/// What became of the items of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    submitted: usize,
    unclear: u32,
    left_out: BTreeMap<String, usize>,
}

impl Account {
    /// Accounts for the planned items, by the newest intent of the plan that had each, else by the reason to leave it out.
    pub(crate) fn of<'a>(planned: impl Iterator<Item = &'a str>, intents: &[Intent], reasons: &Reasons) -> Account {
        let newest = newest(intents);
        let mut account = Account::default();
        for item_id in planned {
            match newest.get(item_id) {
                Some(intent) if !intent.batch_ids.is_empty() => account.submitted += 1,
                Some(intent) if intent.is_unclear() => account.unclear += 1,
                intent => {
                    *account.left_out.entry(why(intent.copied(), reasons.get(item_id))).or_default() += 1;
                }
            }
        }
        account
    }

    /// How a plan ends of whose items this became, with the line that people read.
    pub(crate) fn end(&self, result: String) -> PlanEnd {
        PlanEnd { result, unclear_items: self.unclear, cancelled_by: None }
    }

    /// Items that were not submitted, and certainly not.
    pub(crate) fn left_out(&self) -> usize {
        self.left_out.values().sum()
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = |n: u64, what: &str| count(n, &format!("item {what}"), &format!("items {what}"));
        write!(f, "{}", items(self.submitted as u64, "submitted"))?;
        if self.unclear > 0 {
            write!(f, ", {}", items(self.unclear.into(), "of unclear outcome"))?;
        }
        if self.left_out.is_empty() {
            return Ok(());
        }
        let mut reasons: Vec<(&String, &usize)> = self.left_out.iter().collect();
        reasons.sort_by_key(|(_, items)| std::cmp::Reverse(**items));
        let listed: Vec<String> = reasons.iter().take(MOST_REASONS).map(|(why, n)| format!("{n}: {why}")).collect();
        write!(f, ", {} ({}", items(self.left_out() as u64, "left out"), listed.join(" / "))?;
        match reasons.len().saturating_sub(MOST_REASONS) {
            0 => write!(f, ")"),
            more => write!(f, " / and for {})", count(more as u64, "other reason", "other reasons")),
        }
    }
}

/// The line of a plan that is over, with what was found out since of the items whose outcome was unclear then.
pub(crate) fn by_now(line: &str, unclear_items: u32, intents: &[Intent]) -> String {
    if unclear_items == 0 {
        return line.to_owned();
    }
    let now = Account::of(settled(intents), intents, &Reasons::new());
    if now.unclear == unclear_items { line.to_owned() } else { format!("{line}; by now {now}") }
}

/// Why items were left out that a person took back with their plan.
pub(crate) fn cancelled_by(actor: &str) -> String {
    format!("cancelled by {actor}")
}

/// Why an item was left out whose newest intent, if it had one, made no batch.
fn why(intent: Option<&Intent>, reason: Option<&String>) -> String {
    if intent.is_some_and(was_taken_back) {
        return "a person took it back".to_owned();
    }
    let said = reason.cloned().or_else(|| intent.and_then(|intent| intent.error.clone()));
    said.unwrap_or_else(|| "not sent: others like it were refused, or another retry took it meanwhile".to_owned())
}

/// A restart gives back what was planned, and says so; a person who cancels an intent says nothing.
fn was_taken_back(intent: &Intent) -> bool {
    intent.state == IntentState::Cancelled && intent.error.is_none()
}

/// The newest intent of each item; `intents` are oldest first.
fn newest(intents: &[Intent]) -> BTreeMap<&str, &Intent> {
    intents.iter().flat_map(|intent| intent.item_ids().map(move |item_id| (item_id, intent))).collect()
}

/// Items of a plan that must not be posted for it again: they were submitted, or may have been, or a person took them back.
pub(crate) fn settled(intents: &[Intent]) -> impl Iterator<Item = &str> {
    newest(intents).into_iter().filter(|(_, intent)| !may_go_again(intent)).map(|(item_id, _)| item_id)
}

fn may_go_again(intent: &Intent) -> bool {
    match intent.state {
        IntentState::Rejected | IntentState::NotSent => true,
        IntentState::Cancelled => !was_taken_back(intent),
        // A batch that was not found may still show up: within the hour of a plan that is not certain enough.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::batch_api::BatchApi;
    use crate::reprocess::store::intent::IntentItem;

    fn intent(items: &[&str], state: IntentState, error: Option<&str>) -> Intent {
        let item = |id: &&str| IntentItem { item_id: (*id).to_owned(), attempts: 0, before: None };
        Intent {
            intent_id: "n".to_owned(),
            plan_id: Some("P-1".to_owned()),
            project: "default".to_owned(),
            api: BatchApi::V1Beta,
            group_id: "g-1".to_owned(),
            job_type: "parse".to_owned(),
            trigger: "manual".to_owned(),
            actor: "ann".to_owned(),
            reason: None,
            parameters_hash: "h".to_owned(),
            items: items.iter().map(item).collect(),
            batch_ids: (state == IntentState::Submitted).then(|| "b".to_owned()).into_iter().collect(),
            state,
            posting_at: None,
            created_at: Timestamp::UNIX_EPOCH,
            clean_since: None,
            checked_at: None,
            error: error.map(str::to_owned),
        }
    }

    #[test]
    fn every_planned_item_is_accounted_for() {
        let intents = [
            intent(&["a", "b", "c"], IntentState::Rejected, Some("refused (422)")),
            intent(&["a"], IntentState::Submitted, None),
            intent(&["b"], IntentState::Rejected, Some("refused (422)")),
            intent(&["d", "e"], IntentState::Unknown, None),
        ];
        let reasons = Reasons::from([("f".to_owned(), "it was dismissed".to_owned())]);
        let account = Account::of("abcdefg".split("").filter(|id| !id.is_empty()), &intents, &reasons);
        assert_eq!((account.submitted, account.unclear, account.left_out()), (1, 2, 4));
        assert_eq!(
            account.to_string(),
            "1 item submitted, 2 items of unclear outcome, 4 items left out (2: refused (422) / 1: it was dismissed / 1: not sent: others like it were refused, or another retry took it meanwhile)"
        );
    }

    #[test]
    fn what_was_found_out_since_is_told_with_what_was_unclear() {
        let unclear = "0 items submitted, 2 items of unclear outcome, 1 item left out (1: it was dismissed)";
        let described = |state, error| by_now(unclear, 2, &[intent(&["a", "b"], state, error)]);
        assert_eq!(described(IntentState::Unknown, None), unclear);
        assert_eq!(described(IntentState::Submitted, None), format!("{unclear}; by now 2 items submitted"));
        let lost = described(IntentState::NotSubmitted, Some("no batch was found"));
        assert_eq!(lost, format!("{unclear}; by now 0 items submitted, 2 items left out (2: no batch was found)"));
        let clear = "cancelled by ann: 2 items submitted";
        assert_eq!(by_now(clear, 0, &[intent(&["a", "b"], IntentState::Submitted, None)]), clear);
    }

    #[test]
    fn what_a_person_took_back_is_told_as_that() {
        let reasons = Reasons::from([("a".to_owned(), "its hour is over".to_owned())]);
        let described =
            |error| Account::of(["a"].into_iter(), &[intent(&["a"], IntentState::Cancelled, error)], &reasons);
        assert_eq!(described(None).to_string(), "0 items submitted, 1 item left out (1: a person took it back)");
        assert!(described(Some("the program ended")).to_string().ends_with("(1: its hour is over)"));
    }

    #[test]
    fn nothing_that_may_have_been_submitted_goes_again() {
        let again = |state, error| settled(&[intent(&["a"], state, error)]).next().is_none();
        assert!(again(IntentState::Rejected, Some("429")) && again(IntentState::NotSent, None));
        assert!(again(IntentState::Cancelled, Some("the program ended")), "given back by a restart");
        assert!(!again(IntentState::Cancelled, None), "a person took it back");
        for state in [IntentState::Posting, IntentState::Unknown, IntentState::NotSubmitted, IntentState::Submitted] {
            assert!(!again(state, None), "{state:?}");
        }
    }
}
