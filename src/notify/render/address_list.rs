//! `From` and `To` with lines that every server takes: folded at commas and between words (RFC 5322 2.2.3).
//!
//! lettre folds neither, and a line of more than 998 characters is refused (RFC 5321 4.5.3.1.6).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::message::Mailbox;
use lettre::message::header::{HeaderName, HeaderValue};

/// Characters of a line; RFC 5322 2.1.1 recommends at most 78.
const LINE: usize = 76;
/// The longest word of a name that is written as it is.
const WORD: usize = 60;
/// Bytes of a name in one encoded word, which may have 75 characters (RFC 2047 2).
const ENCODED: usize = 42;

/// The header of this name with these mailboxes.
pub(crate) fn header(name: &'static str, mailboxes: &[Mailbox]) -> HeaderValue {
    let plain: Vec<String> = mailboxes.iter().map(Mailbox::to_string).collect();
    let last = mailboxes.len().saturating_sub(1);
    let pieces = mailboxes.iter().enumerate().flat_map(|(at, mailbox)| pieces(mailbox, at < last));
    let folded = fold(name.len() + 2, pieces);
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), plain.join(", "), folded)
}

/// What may not be broken: the words of the name, and the address with what separates it from the next.
fn pieces(mailbox: &Mailbox, more: bool) -> Vec<String> {
    let comma = if more { "," } else { "" };
    let mut pieces = mailbox.name.as_deref().map(phrase).unwrap_or_default();
    pieces.push(match pieces.is_empty() {
        true => format!("{}{comma}", mailbox.email),
        false => format!("<{}>{comma}", mailbox.email),
    });
    pieces
}

/// A display name as words: as they are, within quotes, or encoded.
fn phrase(name: &str) -> Vec<String> {
    let words: Vec<&str> = name.split_whitespace().collect();
    let is_plain = |word: &&str| word.len() <= WORD && word.bytes().all(|b| b.is_ascii_graphic());
    if !words.iter().all(is_plain) {
        return encoded(&words.join(" "));
    }
    // RFC 5322 3.2.3: what an atom may hold.
    let is_atom = |word: &&str| word.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b));
    if words.iter().all(is_atom) {
        return words.into_iter().map(str::to_owned).collect();
    }
    let escaped = words.join(" ").replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"").split(' ').map(str::to_owned).collect()
}

/// Encoded words of UTF-8, none of which ends within a character.
fn encoded(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        let word = words.last_mut().expect("it begins with one");
        if word.len() + c.len_utf8() > ENCODED {
            words.push(c.to_string());
        } else {
            word.push(c);
        }
    }
    words.iter().map(|word| format!("=?utf-8?b?{}?=", STANDARD.encode(word))).collect()
}

fn fold(mut used: usize, pieces: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for piece in pieces {
        if text.is_empty() {
            used += piece.len();
        } else if used + 1 + piece.len() > LINE {
            text.push_str("\r\n ");
            used = 1 + piece.len();
        } else {
            text.push(' ');
            used += 1 + piece.len();
        }
        text.push_str(&piece);
    }
    text
}

#[cfg(test)]
mod tests {
    use lettre::message::header::Headers;

    use super::*;

    fn mailbox(name: &str, address: &str) -> Mailbox {
        Mailbox::new((!name.is_empty()).then(|| name.to_owned()), address.parse().unwrap())
    }

    /// The header as it goes out, and its lines.
    fn lines(mailboxes: &[Mailbox]) -> Vec<String> {
        let mut headers = Headers::new();
        headers.insert_raw(header("To", mailboxes));
        headers.to_string().trim_end().split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn any_number_of_recipients_is_folded_and_every_one_is_there() {
        for number in [1, 2, 38, 200] {
            let all: Vec<Mailbox> =
                (0..number).map(|n| mailbox("", &format!("oncall-person-{n}@operations.example.com"))).collect();
            let lines = lines(&all);
            assert!(lines.iter().all(|line| line.len() <= 78), "{lines:?}");
            assert!(lines.iter().skip(1).all(|line| line.starts_with(' ')), "{lines:?}");
            let whole = lines.concat();
            let read: Vec<&str> = whole.strip_prefix("To: ").unwrap().split(", ").collect();
            assert_eq!(read.len(), number);
            assert!(read.iter().zip(&all).all(|(text, mailbox)| *text == mailbox.email.to_string()));
        }
    }

    #[test]
    fn names_of_any_length_and_script_are_folded_too() {
        for (name, first) in [
            ("On Call", "To: On Call <a@example.com>"),
            ("Doe, John (\"JD\")", "To: \"Doe, John (\\\"JD\\\")\" <a@example.com>"),
            ("Müller", "To: =?utf-8?b?TcO8bGxlcg==?= <a@example.com>"),
        ] {
            assert_eq!(lines(&[mailbox(name, "a@example.com")]), [first]);
        }
        for name in ["x".repeat(2_000), "ü".repeat(700), "many words, ".repeat(200)] {
            let lines = lines(&[mailbox(&name, "a@example.com"), mailbox("", "b@example.com")]);
            assert!(lines.iter().all(|line| line.len() <= 78 && line.is_ascii()), "{lines:?}");
            assert!(lines.concat().ends_with("<a@example.com>, b@example.com"), "{lines:?}");
        }
    }

    #[test]
    fn what_is_encoded_is_read_back_as_it_was() {
        let name = "Bereitschaft für Zürich und Genève, zweite Gruppe – 夜勤";
        let read: Vec<u8> = encoded(name)
            .iter()
            .flat_map(|word| {
                assert!(word.len() <= 75);
                let inner = word.strip_prefix("=?utf-8?b?").unwrap().strip_suffix("?=").unwrap();
                STANDARD.decode(inner).unwrap()
            })
            .collect();
        assert_eq!(String::from_utf8(read).unwrap(), name);
    }
}
