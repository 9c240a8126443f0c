//! Tells a quotation of someone else's text from what a program said.
//!
//! `Clause "payment required" ends early` speaks of a document, `Request failed: "Payment Required"` of the account.
//! A quotation is someone else's text when the word before it is no word for saying, or when a sentence goes on about it.
//! One that stands alone, after a colon or within JSON is left as it is.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// After these comes what a program said.
const SAYING: &str = "\
    error errors err exception failure failed fails fault warning message msg said says saying returned \
    returns returning responded responds replied replies answered answers response reply answer reported \
    reports gave logged throws throwing aborted ended rejected refused reason cause because status state \
    code detail details desc description metric limit raised threw output stderr body http with as is \
    was are by to fehler meldung erreur mensaje erro errore";

/// A sentence that goes on with one of these after a quotation speaks of the quotation.
const GOES_ON: &str = "\
    is are has have had does appears appear occurs occur found repeated mentioned detected printed must \
    should cannot could exceeds matches matched stands stamp clause paragraph section heading caption \
    text row column cell field label header rule property category not";

/// Names of what a schema or a document is made of.
const PARTS: &str = "\
    names enum duplicates duplicate property properties column columns category categories comment remark heading \
    title caption label stamp watermark footnote clause paragraph reviewer subject annotation";

/// `"…" was received`: said of what a program got, not of a document's text.
const CAME: &str = "received sent thrown raised shown given the a an";

static QUOTED: LazyLock<[Regex; 5]> = LazyLock::new(|| {
    [
        r#""([^"\n]{1,300})""#,
        r"'([^'\n]{1,300})'",
        r"[“„]([^“”\n]{1,300})[“”]",
        r"‘([^’\n]{1,300})’",
        r"«([^»\n]{1,300})»",
    ]
    .map(|text| Regex::new(text).expect("a constant pattern compiles"))
});

/// Byte ranges of the quotations in `message` that are someone else's text.
pub(crate) fn quotations(message: &str) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    for pattern in QUOTED.iter() {
        let mut at = 0;
        while let Some(found) = pattern.captures_at(message, at) {
            let (whole, inner) = (found.get(0).expect("the whole"), found.get(1).expect("the inner"));
            if !is_quotation(message, &whole.range()) {
                // This mark may have been an apostrophe: the next one can begin a quotation.
                at = inner.start();
                continue;
            }
            at = whole.end();
            if is_somebodys(&message[..whole.start()], &message[whole.end()..]) {
                ranges.push(inner.range());
            }
        }
    }
    ranges
}

/// An apostrophe stands within or after a word, a quotation mark before one.
fn is_quotation(message: &str, whole: &Range<usize>) -> bool {
    let opens = !message[..whole.start].ends_with(char::is_alphanumeric);
    let closes = !message[whole.end..].starts_with(char::is_alphanumeric);
    opens && closes
}

/// So many bytes before a quotation say whose it is.
const NEAR: usize = 200;

fn is_somebodys(before: &str, after: &str) -> bool {
    let before = &before[before.ceil_char_boundary(before.len().saturating_sub(NEAR))..];
    let led = before.strip_suffix([' ', '\u{a0}']).and_then(|text| {
        let word = text.rsplit(|c: char| !c.is_alphanumeric()).next()?;
        (!word.is_empty()).then(|| word.to_lowercase())
    });
    if let Some(word) = led {
        return !is_one_of(&word, SAYING);
    }
    if before.ends_with(": ") && before.rsplit(['.', '\n']).next().is_some_and(is_of_a_part) {
        return true;
    }
    let mut next = after.strip_prefix(' ').unwrap_or_default().split(|c: char| !c.is_alphanumeric());
    match next.next() {
        Some("was" | "were") => next.next().is_some_and(|word| !is_one_of(word, SAYING) && !is_one_of(word, CAME)),
        Some(word) => is_one_of(word, GOES_ON),
        None => false,
    }
}

/// Whether words before a colon speak of a name that was refused or of a part of a document, and of no failure.
fn is_of_a_part(clause: &str) -> bool {
    let mut words = clause.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    let (mut part, mut failure) = (false, false);
    for word in &mut words {
        part |= is_one_of(&word, PARTS);
        failure |= is_one_of(&word, SAYING) && !is_one_of(&word, "with as is was are by to");
    }
    part && !failure
}

fn is_one_of(word: &str, words: &str) -> bool {
    words.split(' ').any(|one| one == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_document_is_distinguished_from_what_a_program_said() {
        let theirs = |message: &str| quotations(message).len();
        for message in [
            r#"Clause "payment required" ends early"#,
            "the word 'forbidden' stands on page 3",
            "headers: 'Unauthorized' is not a name",
            "can't find the label 'access denied'",
            "Absatz „Zugriff verweigert“ steht zweimal im Vertrag",
            "Remark of the auditor: 'come back later' was struck out",
            "category names cannot hold blanks: 'payment overdue'",
        ] {
            assert_eq!(theirs(message), 1, "{message}");
        }
        for message in [
            r#"{"error":"Too many requests"}"#,
            r#"error: "Unauthorized""#,
            r#""Payment Required""#,
            r#"the call ended: "Too Many Requests" was the answer"#,
            "category service error: 'unauthorized'",
            "Client error '429 Too Many Requests' for url",
            "the server answered 'Too many requests'",
            "doesn't work, and won't",
        ] {
            assert_eq!(theirs(message), 0, "{message}");
        }
        assert_eq!(theirs(&format!("category {}: 'payment overdue'", "of goods ".repeat(40))), 0, "it is too far away");
    }
}
