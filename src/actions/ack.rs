//! `group ack|unack`: someone knows of a group.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::actions::act::{ActError, Done, Person, find};
use crate::ledger::Ledger;
use crate::ledger::audit::{self, Act};
use crate::triage::ack::Until;
use crate::triage::store::ack::{self, NewAck};
use crate::triage::store::{episode, group_row};

/// What ends an ack before its episode does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AckTerms {
    /// This time.
    pub(crate) ends: Option<Timestamp>,
    /// This growth instead of an escalation to the double.
    pub(crate) until: Option<Until>,
}

/// The hour at which days begin for people: "tomorrow" and dates mean it.
const MORNING: Time = Time::constant(9, 0, 0, 0);

/// Reads what an ack waits for: "4h", "tomorrow", "09:00" (the next one), "2026-12-01", "2x" (the double, as if nothing was
/// said), or growth as [`Until`] has it. Times of day are those of `zone`; days begin at nine.
///
/// # Errors
/// It is none of these, or a time that has passed; the text names the forms.
pub(crate) fn terms(text: &str, now: Timestamp, zone: &TimeZone) -> Result<AckTerms, String> {
    let text = text.trim();
    if text == "2x" {
        return Ok(AckTerms::default());
    }
    if let Ok(length) = crate::config::duration::parse(text) {
        return match now.checked_add(length) {
            Ok(ends) if ends > now => Ok(AckTerms { ends: Some(ends), until: None }),
            _ => Err("it must be longer than 0".to_owned()),
        };
    }
    let today = now.to_zoned_datetime(zone.clone()).date();
    let at = |date: Date, time: Time| Some(date.to_datetime(time).to_zoned_datetime(zone.clone()).ok()?.timestamp());
    let tomorrow = today.tomorrow().ok();
    let ends = match (text, text.parse::<Time>(), text.parse::<Date>()) {
        ("tomorrow", ..) => tomorrow.and_then(|date| at(date, MORNING)),
        (_, Ok(time), Err(_)) => {
            let next = at(today, time).filter(|at| *at > now);
            next.or_else(|| tomorrow.and_then(|date| at(date, time)))
        }
        (_, _, Ok(date)) => at(date, MORNING),
        _ => return Ok(AckTerms { ends: None, until: Some(text.parse()?) }),
    };
    match ends {
        Some(ends) if ends > now => Ok(AckTerms { ends: Some(ends), until: None }),
        _ => Err(format!("\"{text}\" has passed")),
    }
}

/// Acknowledges a group's open episode: no reminders until it is resolved, doubles, or what the terms say.
///
///
/// # Errors
/// The group is unknown or not open.
pub(crate) async fn ack(ledger: &Ledger, group_id: &str, terms: AckTerms, by: Person) -> Result<Done, ActError> {
    let group_id = group_id.to_owned();
    let work = move |tx: &crate::ledger::Transaction<'_>| -> Result<Done, ActError> {
        let group = find(tx, &group_id)?;
        let open = episode::newest(tx, group.group_key)?.pop().filter(|episode| episode.closed.is_none());
        let Some(open) = open else {
            let text = format!("{} is not open, or not triaged yet: nothing to acknowledge", group.group_id);
            return Err(ActError::Refused(text));
        };
        let ack = NewAck {
            group_key: group.group_key,
            episode: open.ordinal,
            author: by.name.clone(),
            open_items: group.open_items,
            total_items: group.total_items,
            until: terms.until,
            expires_at: terms.ends,
        };
        ack::insert(tx, &ack, by.now)?;
        let audit_id = audit::record(tx, &Act { detail: detail(&ack), ..act(&by, "ack", &group) }, by.now)?;
        Ok(Done { said: confirmation(&group.group_id, &ack), audit_id })
    };
    ledger.try_write(work).await
}

/// The terms as the audit keeps them; none if there are none.
fn detail(ack: &NewAck) -> Option<String> {
    match (ack.until, ack.expires_at) {
        (Some(until), _) => Some(serde_json::json!({ "until": until.to_string() }).to_string()),
        (None, Some(at)) => Some(serde_json::json!({ "expires_at": at.to_string() }).to_string()),
        (None, None) => None,
    }
}

/// "g-1 acknowledged at 5 open items: no reminders until it is resolved or reaches 10."
fn confirmation(group_id: &str, ack: &NewAck) -> String {
    let doubled = ack.open_items.max(1).saturating_mul(2);
    let ends = match (ack.until, ack.expires_at) {
        (Some(Until::Resolved), _) => "it is resolved, regardless of growth".to_owned(),
        (Some(Until::Escalating), _) => "it is resolved or escalates".to_owned(),
        (Some(until @ Until::Items(_)), _) => format!("it is resolved or has {}", until.describe()),
        (Some(until @ Until::Rate(..)), _) => format!("it is resolved or gets {}", until.describe()),
        (None, Some(at)) => format!("{at:.0}, or until it is resolved or reaches {doubled}"),
        (None, None) => format!("it is resolved or reaches {doubled}"),
    };
    format!("{group_id} acknowledged at {} open items: no reminders until {ends}.", ack.open_items)
}

/// Takes an ack back.
///
/// # Errors
/// The group is unknown or not acknowledged.
pub(crate) async fn unack(ledger: &Ledger, group_id: &str, by: Person) -> Result<Done, ActError> {
    let group_id = group_id.to_owned();
    let work = move |tx: &crate::ledger::Transaction<'_>| -> Result<Done, ActError> {
        let group = find(tx, &group_id)?;
        if !ack::end_all(tx, group.group_key, "unack", by.now)? {
            return Err(ActError::Refused(format!("{} is not acknowledged", group.group_id)));
        }
        let audit_id = audit::record(tx, &act(&by, "unack", &group), by.now)?;
        Ok(Done { said: format!("{} is no longer acknowledged.", group.group_id), audit_id })
    };
    ledger.try_write(work).await
}

fn act<'a>(by: &'a Person, action: &'a str, group: &'a group_row::GroupRecord) -> Act<'a> {
    Act { actor: &by.name, action, subject: &group.group_id, ..Act::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ack_waits_for_a_time_or_for_growth() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        // Half past eight in the evening, in Berlin.
        let now: Timestamp = "2026-11-30T19:30:00Z".parse().unwrap();
        let ends = |text: &str| terms(text, now, &zone).unwrap().ends.unwrap().to_string();
        for (text, expected) in [
            ("7d", "2026-12-07T19:30:00Z"),
            ("90m", "2026-11-30T21:00:00Z"),
            ("tomorrow", "2026-12-01T08:00:00Z"),
            ("09:00", "2026-12-01T08:00:00Z"),
            ("22:15", "2026-11-30T21:15:00Z"),
            ("2026-12-24", "2026-12-24T08:00:00Z"),
        ] {
            assert_eq!(ends(text), expected, "{text}");
        }
        assert_eq!(terms("2x", now, &zone), Ok(AckTerms::default()));
        assert_eq!(terms("100x", now, &zone).unwrap().until, Some(Until::Items(100)));
        assert_eq!(terms("resolved", now, &zone).unwrap().until, Some(Until::Resolved));
        for wrong in ["0s", "whenever", "2026-11-29", "25:00", ""] {
            assert!(terms(wrong, now, &zone).is_err(), "{wrong}");
        }
        assert!(terms("whenever", now, &zone).unwrap_err().contains("100x/1h"));
    }
}
