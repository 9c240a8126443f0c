//! The name of the item inside its own message: no part of what went wrong, whatever words it is made of.
//!
//! `429 too many requests.pdf` is a name where the item is called so, and nothing else is known about it before grouping.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

use crate::grouping::tokens::lexicon::{self, List};
use crate::grouping::tokens::token::MARK;

/// Longest name looked for, in bytes; the base name of a longer one may still be.
const LONGEST: usize = 1024;

/// The message with every mention of the item's name, its base name and its stem replaced by [`MARK`].
///
/// A stem, or a name without an ending, may be made of the words that errors are made of. Such a one is only taken for a
/// mention where names stand (in quotes, in a path, after the noun `file`, before the first colon), or where it has a word
/// or a number that no error has.
pub(crate) fn mask_item_name<'t>(message: &'t str, name: &str) -> Cow<'t, str> {
    let name = name.trim();
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name).trim();
    if base.is_empty() || message.is_empty() {
        return Cow::Borrowed(message);
    }
    let (stem, has_ending) = match base.rsplit_once('.') {
        Some((stem, ending)) if is_ending(ending) && !stem.trim().is_empty() => (stem, true),
        _ => (base, base.starts_with('.')),
    };
    let mut found = Vec::new();
    if has_ending {
        for whole in [name, base] {
            find_all(message, whole, |_| true, &mut found);
        }
    }
    let is_distinct = is_distinct(stem);
    let is_whole = stem.len() == base.len();
    let is_mention = |place: &Range<usize>| {
        is_distinct || is_set_off(message, place) || is_whole && says_why_without(message, place)
    };
    find_all(message, stem, is_mention, &mut found);
    if found.is_empty() {
        return Cow::Borrowed(message);
    }
    Cow::Owned(replaced(message, found))
}

fn is_ending(ending: &str) -> bool {
    (1..=5).contains(&ending.len()) && ending.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// All places of a text and of what JSON and URLs make of it, where it is no part of a longer word.
fn find_all(message: &str, text: &str, is_mention: impl Fn(&Range<usize>) -> bool, found: &mut Vec<Range<usize>>) {
    if text.is_empty() || text.len() > LONGEST {
        return;
    }
    let forms = [
        Some(Cow::Borrowed(text)),
        json_escaped(text, false),
        json_escaped(text, true),
        percent_encoded(text),
        single_blanks(text),
    ];
    for form in forms {
        let Some(form) = form.filter(|form| form.len() <= message.len()) else { continue };
        for at in memmem::find_iter(message.as_bytes(), form.as_bytes()) {
            let place = at..at + form.len();
            if stands_alone(message, &place) && is_mention(&place) {
                found.push(place);
            }
        }
    }
}

fn stands_alone(message: &str, place: &Range<usize>) -> bool {
    let joins = |one: Option<char>, other: Option<char>| {
        matches!((one, other), (Some(one), Some(other))
            if one.is_ascii_alphanumeric() && (other.is_ascii_alphanumeric() || other == '_'))
    };
    let name = &message[place.clone()];
    !joins(name.chars().next(), message[..place.start].chars().next_back())
        && !joins(name.chars().next_back(), message[place.end..].chars().next())
}

/// Whether no error would say this: several words of which one is no word of messages, or digits inside.
fn is_distinct(stem: &str) -> bool {
    let words = || stem.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty());
    let is_ordinary = |word: &str| {
        word.bytes().all(|byte| byte.is_ascii_digit()) && word.len() <= 3 || lexicon::is_common(word.as_bytes())
    };
    let strange = words().filter(|word| !is_ordinary(word));
    let (mut count, mut coded) = (0, false);
    for word in strange {
        count += 1;
        coded |= !word.is_ascii() || word.bytes().any(|byte| byte.is_ascii_digit()) && word.len() >= 4;
    }
    stem.chars().count() >= 3 && count > 0 && (coded || words().count() >= 2)
}

/// Whether the place is one where names stand: in quotes, in a path, after a noun of files, first and before a colon.
fn is_set_off(message: &str, place: &Range<usize>) -> bool {
    let before = message[..place.start].chars().next_back();
    let after = message[place.end..].chars().next();
    let quoted = matches!(
        (before, after),
        (
            Some('"' | '\'' | '`' | '“' | '„' | '‘' | '«' | '「' | '『' | '<'),
            Some('"' | '\'' | '`' | '”' | '“' | '’' | '»' | '」' | '』' | '>')
        )
    );
    let key = message[..place.start].trim_end_matches(['"', '\'', '`', ' ', ':', '=']);
    let is_reason = key.len() + 1 < place.start && lexicon::explains(last_word(key).as_bytes());
    let in_path = matches!(before, Some('/' | '\\')) && !matches!(after, Some('/'));
    let before_colon = place.start == 0 && message[place.end..].starts_with(": ");
    let noun = message[..place.start].trim_end().rsplit(' ').next().unwrap_or_default().to_lowercase();
    let named = before == Some(' ') && List::FileNouns.knows(noun.as_bytes());
    (quoted && !is_reason || in_path || before_colon || named) && place.len() < message.trim().len().saturating_sub(2)
}

fn last_word(text: &str) -> &str {
    text.rsplit(|char: char| !char.is_alphanumeric() && char != '_').next().unwrap_or_default()
}

/// Whether the message says what went wrong without this place: then a name without an ending may be a name there.
fn says_why_without(message: &str, place: &Range<usize>) -> bool {
    let words = |text: &str| {
        text.split(|char: char| !char.is_alphanumeric())
            .any(|word| !word.is_empty() && lexicon::is_fault(word.as_bytes()))
    };
    words(&message[..place.start]) || words(&message[place.end..])
}

/// As JSON writes it: with marks alone, or with everything beyond ASCII escaped.
fn json_escaped(text: &str, to_ascii: bool) -> Option<Cow<'_, str>> {
    let needed = if to_ascii { !text.is_ascii() } else { text.contains(['"', '\\']) };
    needed.then(|| {
        let escaped = |char: char| match char {
            '"' | '\\' => format!("\\{char}"),
            char if char.is_ascii() || !to_ascii => char.to_string(),
            char => char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
        };
        Cow::Owned(text.chars().map(escaped).collect())
    })
}

fn percent_encoded(text: &str) -> Option<Cow<'_, str>> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'/');
    (!text.bytes().all(|byte| is_plain(&byte))).then(|| {
        let encoded = |byte: u8| if is_plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        Cow::Owned(text.bytes().map(encoded).collect())
    })
}

fn single_blanks(text: &str) -> Option<Cow<'_, str>> {
    text.contains("  ").then(|| Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" ")))
}

fn replaced(message: &str, mut places: Vec<Range<usize>>) -> String {
    places.sort_unstable_by_key(|place| (place.start, std::cmp::Reverse(place.end)));
    let (mut out, mut copied) = (String::with_capacity(message.len()), 0);
    for place in places.into_iter() {
        if place.start < copied {
            continue;
        }
        out.push_str(&message[copied..place.start]);
        out.push(MARK);
        copied = place.end;
    }
    out.push_str(&message[copied..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_name_is_masked() {
        for (message, name, masked) in [
            ("cannot open 429 too many requests.pdf", "429 too many requests.pdf", "cannot open @"),
            ("cannot open a/b c.pdf", "in/b c.pdf", "cannot open a/@"),
            ("cannot open '契約書 final'", "契約書 final.pdf", "cannot open '@'"),
            ("ファイル契約書.pdfは壊れています", "契約書.pdf", "ファイル@は壊れています"),
            ("get /x/out%20of%20memory.pdf?a=1", "out of memory.pdf", "get /x/@?a=1"),
            (r#"{"file":"Case \"A\".pdf"}"#, "Case \"A\".pdf", r#"{"file":"@"}"#),
            (r#"{"file":"Fall \"Ä\".pdf"}"#, "Fall \"Ä\".pdf", r#"{"file":"@"}"#),
            (r#"{"file":"\u5951.pdf"}"#, "契.pdf", r#"{"file":"@"}"#),
            ("tmp/lease 2024.docx from lease 2024", "lease 2024.pdf", "tmp/@.docx from @"),
            ("report two.pdf twice: report  two.pdf", "report  two.pdf", "@ twice: @"),
            ("could not read null", "null", "could not read @"),
            ("timeout: bad encoding of the file timeout", "timeout.pdf", "@: bad encoding of the file @"),
            ("cannot render 'timeout' in time", "timeout.pdf", "cannot render '@' in time"),
        ] {
            assert_eq!(mask_item_name(message, name).replace(MARK, "@"), masked, "{message}");
        }
    }

    #[test]
    fn a_name_made_of_the_words_of_errors_masks_no_error() {
        for (message, name) in [
            ("read timeout after 3 s", "timeout.pdf"),
            ("429 too many requests", "429 too many requests.pdf"),
            ("\"connection reset\"", "connection reset"),
            ("the report could not be written", "report.pdf"),
            ("unreadable.pdfx", "unreadable.pdf"),
            (r#"{"error": "out of memory"}"#, "out of memory.pdf"),
            ("nothing", ""),
        ] {
            assert_eq!(mask_item_name(message, name), message, "{name}");
        }
    }
}
