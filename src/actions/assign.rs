//! `group assign|unassign`: who takes care of a group.

use crate::actions::act::{ActError, Done, Person, find};
use crate::ledger::Ledger;
use crate::ledger::audit::{self, Act};
use crate::model::text::one_line;
use crate::notify::render::links::safe_link;
use crate::triage::store::assignment::{self, Assignment};
use crate::triage::store::episode;
use crate::triage::store::group_row::GroupRecord;

/// Characters of a name.
const LONGEST_NAME: usize = 100;

/// Assigns the open episode of a group to a person or team, with the address of a ticket if there is one.
/// An earlier assignment is replaced.
///
/// # Errors
/// The group is unknown or not open, no name is given, or the ticket is no http(s) address.
pub(crate) async fn assign(
    ledger: &Ledger,
    group_id: &str,
    to: &str,
    ticket: Option<&str>,
    by: Person,
) -> Result<Done, ActError> {
    let to = Assignment { assigned: Some(name(to)?), ticket: ticket.map(address).transpose()? };
    set(ledger, group_id, to, by).await
}

/// Withdraws the assignment of a group's open episode.
///
/// # Errors
/// The group is unknown, not open, or assigned to no one.
pub(crate) async fn unassign(ledger: &Ledger, group_id: &str, by: Person) -> Result<Done, ActError> {
    set(ledger, group_id, Assignment::default(), by).await
}

async fn set(ledger: &Ledger, group_id: &str, to: Assignment, by: Person) -> Result<Done, ActError> {
    let group_id = group_id.to_owned();
    let work = move |tx: &crate::ledger::Transaction<'_>| -> Result<Done, ActError> {
        let group = find(tx, &group_id)?;
        let open = episode::newest(tx, group.group_key)?.pop().filter(|episode| episode.closed.is_none());
        let Some(open) = open else {
            let text = format!("{} is not open, or not triaged yet: nothing to assign", group.group_id);
            return Err(ActError::Refused(text));
        };
        let before = assignment::of_episode(tx, group.group_key, open.ordinal)?;
        if to == Assignment::default() && before == to {
            return Err(ActError::Refused(format!("{} is assigned to no one", group.group_id)));
        }
        assignment::assign(tx, group.group_key, open.ordinal, &to)?;
        let action = if to.assigned.is_some() { "assign" } else { "unassign" };
        let act = Act {
            actor: &by.name,
            action,
            subject: &group.group_id,
            detail: Some(detail(&before, &to)),
            ..Act::default()
        };
        let audit_id = audit::record(tx, &act, by.now)?;
        Ok(Done { said: confirmation(&group, &to), audit_id })
    };
    ledger.try_write(work).await
}

/// Who had it before and who has it now, as the audit keeps it.
fn detail(before: &Assignment, to: &Assignment) -> String {
    serde_json::json!({
        "to": to.assigned, "ticket": to.ticket, "before": before.assigned, "ticket_before": before.ticket,
    })
    .to_string()
}

fn confirmation(group: &GroupRecord, to: &Assignment) -> String {
    let ticket = to.ticket.as_ref().map_or_else(String::new, |ticket| format!(" ({ticket})"));
    match &to.assigned {
        Some(name) => format!("{} is assigned to {name}{ticket} until it is resolved.", group.group_id),
        None => format!("{} is no longer assigned.", group.group_id),
    }
}

/// A name in one line.
fn name(typed: &str) -> Result<String, ActError> {
    let name = one_line(typed.trim()).into_owned();
    match name.chars().count() {
        0 => Err(ActError::Refused("a name is needed: --to NAME".to_owned())),
        1..=LONGEST_NAME => Ok(name),
        _ => Err(ActError::Refused(format!("the name is longer than {LONGEST_NAME} characters"))),
    }
}

/// The address of a ticket, which people will click.
fn address(typed: &str) -> Result<String, ActError> {
    let refused = || ActError::Refused(format!("the ticket {typed:?} is no http or https address"));
    safe_link(typed).map(str::to_owned).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_an_address_that_can_be_clicked_and_a_name_is_one_line() {
        assert_eq!(address(" https://tickets.example/4711 ").unwrap(), "https://tickets.example/4711");
        for wrong in ["", "4711", "javascript:alert(1)//https://x", "https://a/\"b", "ftp://a/b"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
        assert_eq!(name(" Ann\u{202e} Example ").unwrap(), one_line("Ann\u{202e} Example"));
        for wrong in ["", "  ", &"x".repeat(101)] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
    }
}
