//! Making text from outside safe and short enough to show, whatever shows it; counts, times and lengths of time in words.
//!
//! Each output format escapes its own specials; what is common to all is here.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// "1 item", "2 items".
pub(crate) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// "2026-08-23 09:00 CEST": a time as people in that zone read it.
pub(crate) fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

/// A length of time for people, in its two largest units: "4 min", "3 h 20 min", "12 d 4 h".
pub(crate) fn length(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) if minutes % 60 == 0 => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) if hours % 24 == 0 => format!("{days} d"),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

/// Whether a character could steer a terminal or hide what a text says: controls and bidi or invisible marks.
pub fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{061C}' | '\u{180E}')
        || matches!(c, '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// The text on one line: blanks for line breaks and tabs, a visible mark for every other steering character.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_steering) {
        return Cow::Borrowed(text);
    }
    let shown = |c| match c {
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
        c if is_steering(c) => '\u{FFFD}',
        c => c,
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// As [`one_line`], but line breaks stay: for places that can show several lines.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_steering(c) && c != '\n') {
        return Cow::Borrowed(text);
    }
    let unified = text.replace("\r\n", "\n");
    let shown = |c| match c {
        '\n' => '\n',
        '\r' | '\u{2028}' | '\u{2029}' => '\n',
        '\t' => ' ',
        c if is_steering(c) => '\u{FFFD}',
        c => c,
    };
    Cow::Owned(unified.chars().map(shown).collect())
}

/// Cuts a text to at most `most` characters in its middle, where error messages say least; the cut is visible.
pub(crate) fn cut_middle(text: &str, most: usize) -> Cow<'_, str> {
    let length = text.chars().count();
    if length <= most {
        return Cow::Borrowed(text);
    }
    let keep = most.saturating_sub(1);
    let head = keep.div_ceil(3) * 2;
    let head = head.min(keep);
    let tail = keep - head;
    let front: String = text.chars().take(head).collect();
    let back: String = text.chars().skip(length - tail).collect();
    Cow::Owned(format!("{front}…{back}"))
}

/// Cuts a text to at most `most` characters at its end; the cut is visible.
pub(crate) fn cut_end(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some(_) if most == 0 => Cow::Borrowed(""),
        Some(_) => Cow::Owned(text.chars().take(most - 1).chain(std::iter::once('…')).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_well() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (240, "4 min"),
            (3600, "1 h"),
            (12_000, "3 h 20 min"),
            (86_400, "1 d"),
            (86_400 * 12 + 4 * 3600 + 59, "12 d 4 h"),
        ] {
            assert_eq!(length(seconds), text);
        }
    }

    #[test]
    fn steering_characters_become_visible() {
        assert_eq!(one_line("a\nb\u{1b}[31mc\u{202e}d"), "a b\u{FFFD}[31mc\u{FFFD}d");
        assert_eq!(lines("a\r\nb\rc\td"), "a\nb\nc d");
        assert!(matches!(one_line("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn cuts_are_visible_and_never_longer_than_asked() {
        for most in 1..20 {
            assert_eq!(cut_middle("日本語のとても長いエラーメッセージです。", most).chars().count(), most.min(20));
            assert_eq!(cut_end("日本語のとても長いエラーメッセージです。", most).chars().count(), most.min(20));
        }
        assert_eq!(cut_middle("abcdefghij", 7), "abcd…ij");
        assert_eq!(cut_end("abcdefghij", 4), "abc…");
    }
}
