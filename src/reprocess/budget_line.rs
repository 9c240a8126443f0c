//! The digest's line about retries: what is left of the budgets, and what holds retries back.

use jiff::Timestamp;

use crate::config::reprocess::Mode;
use crate::ledger::error::LedgerError;
use crate::model::text::count;
use crate::reprocess::facts::limits;
use crate::reprocess::plans::hold_summary::Hold;
use crate::reprocess::store::breaker::{self, Resting};
use crate::reprocess::store::{budget_usage, gate};
use crate::reprocess::{Reprocess, Summary};

impl Reprocess<'_> {
    /// The digest's line about retries, for a digest that is made without a step of retries before it.
    ///
    /// # Errors
    /// The ledger refuses.
    pub async fn budget(&self, now: Timestamp) -> Result<Option<String>, LedgerError> {
        self.budget_line(&Summary::default(), now).await
    }

    /// "430 of 500 retries left today, 190 of 200 this hour; the breakers of 2 groups are open"; none where nothing is retried by itself.
    ///
    /// # Errors
    /// The ledger refuses.
    pub(crate) async fn budget_line(&self, summary: &Summary, now: Timestamp) -> Result<Option<String>, LedgerError> {
        if self.config.mode == Mode::Off {
            return Ok(None);
        }
        let (spent, gates, resting) = self
            .ledger
            .read(move |connection| {
                let resting = breaker::resting(connection)?;
                Ok((budget_usage::until(connection, now)?, gate::closed(connection)?, resting))
            })
            .await?;
        let limits = limits(self.config);
        let mut line = format!(
            "{} of {} retries left today, {} of {} this hour",
            limits.per_day.saturating_sub(spent.day),
            limits.per_day,
            limits.per_hour.saturating_sub(spent.hour),
            limits.per_hour
        );
        if summary.would_cost > 0.0 {
            line.push_str(&format!("; what would be retried costs about {:.0} credits", summary.would_cost));
        }
        line.push_str(&held_groups(resting, now));
        for hold in gates.iter().filter_map(|(project, stored)| Hold::of(project, stored, now)) {
            let why = hold.why.unwrap_or(hold.state);
            line.push_str(&format!("; retries of project {} are held ({why})", hold.project));
        }
        Ok(Some(line))
    }
}

/// Open breakers, and what waits for a decision. A group that gets another canary by itself asks nobody for one.
fn held_groups(resting: Vec<Resting>, now: Timestamp) -> String {
    let (left, resting): (Vec<Resting>, Vec<Resting>) =
        resting.into_iter().partition(|group| group.waits_for_decision().is_some());
    let open = match resting.iter().filter(|group| group.until.is_some_and(|until| now < until)).count() {
        0 => String::new(),
        1 => "; the breaker of 1 group is open".to_owned(),
        more => format!("; the breakers of {more} groups are open"),
    };
    open + &left_to_a_person(&left)
}

/// Groups that the line names; `reprocess status` has all.
const MOST_NAMED: usize = 3;

/// What waits for a decision: without it, nothing of these groups is ever retried again.
fn left_to_a_person(groups: &[Resting]) -> String {
    let groups: Vec<&Resting> = groups.iter().filter(|group| group.open_items > 0).collect();
    let Some(first) = groups.first() else { return String::new() };
    let items: u64 = groups.iter().map(|group| group.open_items).sum();
    let named: Vec<&str> = groups.iter().take(MOST_NAMED).map(|group| group.group_id.as_str()).collect();
    let more = match groups.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "; {} in {}{more} wait for your decision, because the canary failed: `llama-triage breaker reset {} --reason TEXT` risks another",
        count(items, "item", "items"),
        named.join(", "),
        first.group_id
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reprocess::policy::group_state::Parked;

    #[test]
    fn groups_left_to_a_person_are_named_while_they_have_open_items() {
        let group = |n: u64| Resting {
            group_id: format!("g-{n}"),
            until: None,
            parked: Some(Parked { since: Timestamp::UNIX_EPOCH, compared: true }),
            open_items: n,
        };
        assert_eq!(left_to_a_person(&[group(0)]), "");
        let said = left_to_a_person(&[0, 1, 2, 3, 4, 5].map(group));
        assert!(said.starts_with("; 15 items in g-1, g-2, g-3 and 2 more wait for your decision"), "{said}");
        assert!(said.contains("breaker reset g-1 --reason"), "{said}");
    }

    #[test]
    fn only_groups_that_a_person_must_decide_about_are_said_to_wait_for_that() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let said = |until, compared| {
            let parked = Some(Parked { since: at(0), compared });
            held_groups(vec![Resting { group_id: "g-1".to_owned(), until, parked, open_items: 7 }], at(1))
        };
        for until in [None, Some(at(60))] {
            assert!(said(until, true).starts_with("; 7 items in g-1 wait for your decision"));
        }
        assert_eq!(said(None, false), "");
        assert_eq!(said(Some(at(60)), false), "; the breaker of 1 group is open");
    }
}
