//! Acks of an episode: they stop reminders, end with the episode, and may be broken by growth.
//!
//! When one is given is `commands`' business, what is reported while it holds is `decide`'s.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

use crate::model::text::local;

/// What breaks an ack before its episode ends, if it is not an escalation to twice the open items.
///
/// The syntax is that of Sentry's "archive until": `100x`, `100x/1h`, `escalating`; `resolved` is never before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// So many more items.
    Items(u64),
    /// So many items within this time.
    Rate(u64, SignedDuration),
    /// Any escalation.
    Escalating,
    /// Nothing.
    Resolved,
}

impl Until {
    /// How far back the items of a rate are counted; none if nothing is counted so.
    pub(crate) fn window(self) -> Option<SignedDuration> {
        match self {
            Until::Rate(_, window) => Some(window),
            _ => None,
        }
    }

    /// "100 more items", as people read it after "until".
    pub(crate) fn describe(self) -> String {
        match self {
            Until::Items(items) => format!("{items} more items"),
            Until::Rate(items, window) => format!("{items} items within {window:#}"),
            Until::Escalating => "it escalates".to_owned(),
            Until::Resolved => "it is resolved".to_owned(),
        }
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Until::Items(items) => write!(f, "{items}x"),
            Until::Rate(items, window) => write!(f, "{items}x/{window:#}"),
            Until::Escalating => f.write_str("escalating"),
            Until::Resolved => f.write_str("resolved"),
        }
    }
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Until, String> {
        match text {
            "escalating" => return Ok(Until::Escalating),
            "resolved" => return Ok(Until::Resolved),
            _ => {}
        }
        let wrong =
            || format!("`{text}` is no condition: write \"7d\", \"100x\", \"100x/1h\", \"escalating\" or \"resolved\"");
        let (items, window) = text.split_once('x').ok_or_else(wrong)?;
        let items: u64 = items.parse().ok().filter(|items| *items > 0).ok_or_else(wrong)?;
        match window.strip_prefix('/') {
            Some(window) => Ok(Until::Rate(items, length(window).ok_or_else(wrong)?)),
            None if window.is_empty() => Ok(Until::Items(items)),
            None => Err(wrong()),
        }
    }
}

fn length(text: &str) -> Option<SignedDuration> {
    let span: Span = text.parse().ok()?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    (length > SignedDuration::ZERO).then_some(length)
}

/// An ack that holds, with what has happened since it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    /// Who gave it.
    pub author: String,
    /// Open items when it was given.
    pub open_items: u64,
    /// What breaks it; none for an escalation to the double.
    pub until: Option<Until>,
    /// When it ends automatically; none with the episode.
    pub expires_at: Option<Timestamp>,
    /// Items that joined since.
    pub more: u64,
    /// Items that failed since, and within the time of [`Until::Rate`].
    pub lately: u64,
}

impl Ack {
    /// Why the ack is broken, with its arithmetic; none while it holds. `fired` is an escalation that is news.
    pub(crate) fn broken(&self, open_items: u64, fired: Option<&str>) -> Option<String> {
        let doubled = open_items >= self.open_items.max(1).saturating_mul(2);
        match self.until {
            None => fired.filter(|_| doubled).map(str::to_owned),
            Some(Until::Escalating) => fired.map(str::to_owned),
            Some(Until::Items(limit)) => {
                (self.more >= limit).then(|| format!("{} more items, limit {limit}", self.more))
            }
            Some(Until::Rate(limit, window)) => {
                (self.lately >= limit).then(|| format!("{} items within {window:#}, limit {limit}", self.lately))
            }
            Some(Until::Resolved) => None,
        }
    }

    /// "acknowledged by ann until 100 more items": what a digest says beside the group.
    pub(crate) fn describe(&self, zone: &TimeZone) -> String {
        let growth = self.until.map(Until::describe);
        let until = growth.or_else(|| self.expires_at.map(|at| local(at, zone))).map(|until| format!(" until {until}"));
        format!("acknowledged by {}{}", self.author, until.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_as_they_are_written() {
        let hour = SignedDuration::from_hours(1);
        for (text, until) in [
            ("100x", Until::Items(100)),
            ("100x/1h", Until::Rate(100, hour)),
            ("5x/24h", Until::Rate(5, hour * 24)),
            ("escalating", Until::Escalating),
            ("resolved", Until::Resolved),
        ] {
            assert_eq!(text.parse(), Ok(until));
            assert_eq!(until.to_string(), text);
        }
        assert_eq!("7x/1d".parse(), Ok(Until::Rate(7, hour * 24)));
        for text in ["", "x", "0x", "-1x", "100", "100x/", "100x/0s", "100xy", "100x/soon", "100x 1h", "forever"] {
            assert!(text.parse::<Until>().unwrap_err().contains("100x/1h"), "{text}");
        }
    }

    #[test]
    fn only_what_was_asked_for_breaks_an_ack() {
        let fired = Some("47 in the last hour");
        let ack =
            |until, more, lately| Ack { author: "ann".into(), open_items: 5, until, expires_at: None, more, lately };
        let rate = Some(Until::Rate(20, SignedDuration::from_hours(1)));
        for (case, ack, open_items, fired, broken) in [
            ("below the double", ack(None, 4, 0), 9, fired, None),
            ("the double without an escalation", ack(None, 5, 0), 10, None, None),
            ("an escalation to the double", ack(None, 5, 0), 10, fired, fired),
            ("fewer items", ack(Some(Until::Items(100)), 99, 0), 104, fired, None),
            ("so many items", ack(Some(Until::Items(100)), 100, 0), 3, None, Some("100 more items, limit 100")),
            ("slower", ack(rate, 900, 19), 900, fired, None),
            ("so fast", ack(rate, 20, 20), 25, None, Some("20 items within 1h, limit 20")),
            ("any escalation", ack(Some(Until::Escalating), 0, 0), 5, fired, fired),
            ("no escalation", ack(Some(Until::Escalating), 99, 99), 99, None, None),
            ("nothing", ack(Some(Until::Resolved), 999, 999), 999, fired, None),
        ] {
            assert_eq!(ack.broken(open_items, fired).as_deref(), broken, "{case}");
        }
    }

    #[test]
    fn an_ack_says_whose_it_is_and_how_long_it_holds() {
        let ack = Ack { author: "ann".into(), open_items: 5, until: None, expires_at: None, more: 0, lately: 0 };
        let said = |ack: Ack| ack.describe(&TimeZone::UTC);
        assert_eq!(said(ack.clone()), "acknowledged by ann");
        let until = Some(Until::Items(100));
        assert_eq!(said(Ack { until, ..ack.clone() }), "acknowledged by ann until 100 more items");
        let expires_at = Some(Timestamp::from_second(1_780_000_000).unwrap());
        assert_eq!(said(Ack { expires_at, ..ack }), "acknowledged by ann until 2026-05-28 20:26 UTC");
    }
}
