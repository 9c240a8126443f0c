//! Causes: what the record of a failed job says beyond its item's message.
//!
//! A generic message ("an unknown error occurred") hides why an item failed, and the record of its job may know.
//! A cause is kept apart from the message: it never changes which group an item is in.
//! `scan::causes` decides which records are fetched, and when.

use std::fmt;

/// Job records that are asked for one group, at most.
pub(crate) const SAMPLES: u64 = 3;

/// What a job record says beyond its item's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cause {
    /// A code such as `PDF_IS_PROTECTED`.
    pub code: Option<String>,
    /// A text that is not the item's message.
    pub text: Option<String>,
}

impl Cause {
    /// The cause in a record with this code and text; none if it says no more than the item's message.
    pub(crate) fn beyond(message: Option<&str>, code: Option<String>, text: Option<String>) -> Option<Cause> {
        let text = text.filter(|text| message.is_none_or(|message| message.trim() != text.trim()));
        (code.is_some() || text.is_some()).then_some(Cause { code, text })
    }

    /// The same for two causes that differ at most in numbers.
    fn key(&self) -> String {
        let said = self.code.as_ref().or(self.text.as_ref()).map_or("", String::as_str);
        let masked: String = said.chars().map(|c| if c.is_numeric() { '#' } else { c }).collect();
        masked.split('#').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("#")
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, &self.text) {
            (Some(code), Some(text)) => write!(f, "{code}: {text}"),
            (code, text) => f.write_str(code.as_ref().or(text.as_ref()).map_or("", String::as_str)),
        }
    }
}

/// What the causes found for one group, newest first, come to; several that differ are named one after the other.
/// None if none was found.
pub(crate) fn together(causes: &[Cause]) -> Option<Cause> {
    let mut distinct: Vec<&Cause> = Vec::new();
    for cause in causes {
        if distinct.iter().all(|known| known.key() != cause.key()) {
            distinct.push(cause);
        }
    }
    match distinct.as_slice() {
        [] => None,
        [only] => Some((*only).clone()),
        several => {
            let named: Vec<String> = several.iter().map(ToString::to_string).collect();
            Some(Cause { code: None, text: Some(named.join(" / or: ")) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(code: Option<&str>, text: Option<&str>) -> Cause {
        Cause { code: code.map(str::to_owned), text: text.map(str::to_owned) }
    }

    #[test]
    fn a_record_that_repeats_the_message_is_no_cause() {
        let beyond = |message, code: Option<&str>, text: Option<&str>| {
            Cause::beyond(message, code.map(str::to_owned), text.map(str::to_owned))
        };
        assert_eq!(beyond(Some("failed"), None, Some(" failed\n")), None);
        assert_eq!(beyond(Some("failed"), Some("TIMEOUT"), Some("failed")), Some(cause(Some("TIMEOUT"), None)));
        assert_eq!(beyond(None, None, Some("too long")), Some(cause(None, Some("too long"))));
        assert_eq!(beyond(None, None, None), None);
    }

    #[test]
    fn causes_that_differ_only_in_numbers_are_one() {
        let found = [cause(None, Some("999 pages are too many")), cause(None, Some("1201 pages are too many"))];
        assert_eq!(together(&found), Some(found[0].clone()));
        let found = [cause(Some("A"), Some("x 1")), cause(Some("A"), Some("y")), cause(Some("B"), None)];
        assert_eq!(together(&found).unwrap().to_string(), "A: x 1 / or: B");
        assert_eq!(together(&[]), None);
    }
}
